"""Random generators that give the same numbers in every run: those of `random` and, where it is loaded, of NumPy.

Also generators that a test makes without a seed. What comes from the operating system (`secrets`, `os.urandom`,
`uuid.uuid4`) stays as it is: no seed reaches it.
"""

from __future__ import annotations

import random
import sys
from typing import Any

_seed_of: Any = random.Random.seed


class Seeded:
    """Seeds everything anew before each test, so that a test's numbers do not depend on those before it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numpy: Any = None

    def install(self) -> None:
        seed = self._seed

        def seeded(self: Any, a: Any = None, *arguments: Any, **named: Any) -> None:
            _seed_of(self, seed if a is None and type(self) is random.Random else a, *arguments, **named)

        random.Random.seed = seeded  # type: ignore[method-assign]
        self.begin()

    def begin(self) -> None:
        random.seed(self._seed)
        numpy: Any = sys.modules.get("numpy.random")
        if numpy is None or not hasattr(numpy, "seed"):  # half imported
            return
        numpy.seed(self._seed % 2**32)
        if self._numpy is None:
            self._numpy = real = numpy.default_rng

            def default_rng(seed: Any = None) -> Any:
                return real(self._seed % 2**32 if seed is None else seed)

            numpy.default_rng = default_rng
