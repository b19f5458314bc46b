"""The job file and the results file: what the worker is told, and where its claims go."""

from __future__ import annotations

import json
import os
import time
from typing import Any, NamedTuple

from .harness import Wanted


class CandidateJob(NamedTuple):
    """A candidate: edits of one file, and the indices of the tests that must still pass when the targets do.

    linger: seconds to go on with others when this one is plausible.
    """

    key: int
    path: str
    edits: tuple[tuple[int, int, str], ...]
    rest: tuple[int, ...]
    linger: float


class Job:
    """A job as the engine wrote it (validate.py says what each field means). The first `targets` tests fail and
    have to pass; the last `others` fail too and count for a candidate that heals them."""

    def __init__(self, data: Any) -> None:
        self.mode: str = data["mode"]
        self.runner: str = data["runner"]
        self.arguments: list[str] = data["arguments"]
        self.root: str = data["root"]
        self.wanted = [Wanted(*one) for one in data["tests"]]
        self.targets: int = data["targets"]
        self.others: int = data["others"]
        self.limits: list[float] = data["limits"]
        self.candidates = [
            CandidateJob(
                one["key"],
                os.path.realpath(os.path.join(self.root, one["path"])),
                tuple((edit[0], edit[1], edit[2]) for edit in one["edits"]),
                tuple(one["rest"]),
                one["linger"],
            )
            for one in data["candidates"]
        ]
        self.jobs: int = data["jobs"]
        self.in_files: bool = data["in_files"]
        self.set_up: float = data["set_up"]
        self.results: str = data["results"]
        self.extra: Any = data["extra"]  # what one mode alone is told
        self.deadline = time.monotonic() + float(data["seconds"])


class Results:
    """JSON lines, each written at once, so that a killed worker leaves what it had."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, kind: str, **data: Any) -> None:
        os.write(self.descriptor, json.dumps({"kind": kind, **data}).encode() + b"\n")
