"""Conditions inside the test process, brought about before anything of the project is imported."""

from __future__ import annotations

import json
import os

from . import settings

_APPLIED = "applied.txt"


def applied() -> str:
    """There once the test process itself is under its conditions: what a command starts may never come to that."""
    return os.path.join(settings.CONTROL, _APPLIED)


class InProcess:
    """What the runners ask before and after each test."""

    def __init__(self, run: settings.RunSettings) -> None:
        self._conditions = told = run.conditions
        self._rounds: dict[tuple[str, str, str], str] = {}
        self._seeded = None
        if told.clock:
            from . import clock

            clock.move(told.clock)
        if told.directory_order:
            from . import directories

            directories.list_in(told.directory_order)
        self._turns = None
        if told.thread_turns:
            from . import turns

            self._turns = turns.Turns(told.thread_turns, run.workspace)
        if told.random_seed is not None:
            from . import randomness

            self._seeded = randomness.Seeded(told.random_seed)
            self._seeded.install()
        if run.observe or told.offline:
            from . import network

            network.Observer(offline=told.offline).install()
        if told != settings.PLAIN:
            settings.write(_APPLIED, "")

    def begin(self) -> None:
        """Before each round of each test."""
        if self._seeded is not None:
            self._seeded.begin()
        if self._turns is not None:
            self._turns.begin()

    def end(self, key: tuple[str, str, str], word: str) -> None:
        """After each round of a test: "p" passed, "f" failed, "s" skipped."""
        if self._turns is not None:
            self._turns.end()
        if self._conditions.repeat > 1:
            self._rounds[key] = self._rounds.get(key, "") + word

    def finish(self) -> None:
        if self._rounds:
            settings.write("rounds.json", json.dumps([[*key, rounds] for key, rounds in self._rounds.items()]))


def in_process(conditions: settings.Conditions) -> bool:
    """Whether some of them only the test process itself can bring about."""
    return any(
        getattr(conditions, name) != getattr(settings.PLAIN, name)
        for name in ("in_order", "repeat", "random_seed", "clock", "offline", "directory_order", "thread_turns")
    )
