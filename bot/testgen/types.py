"""What tests are written for, what was written, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bot.patch.types import Applied
from bot.ports import Bench, Usage


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method that a change adds (`is_new`) or alters, as it stands in the checkout.

    first, last: its lines with decorators; body: first line of its body after the docstring. qualname: "Class.method"
    or "function".
    """

    path: str
    qualname: str
    first: int
    last: int
    body: int
    is_new: bool

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function's tests go. module: how the function's file is imported. unittest_style: of the tests beside.

    example: path of the nearest existing test file, "" where there is none.
    """

    path: str
    module: str
    unittest_style: bool
    example: str = ""


class Author(StrEnum):
    """Who wrote a test: CALLS are characterisation tests, which say what the code does, not what it should do."""

    MODEL = "model"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Written:
    """The text of a whole new test file. checks: what a test is for, by its function's name."""

    source: str
    author: Author
    checks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Why there is no test: a sentence."""

    why: str


class Writer(Protocol):
    """Writes tests of one function."""

    def write(self, function: Function, place: Place, bench: Bench) -> Written | Unwritten: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A test that passes every time and fails on changed code.

    noticed: the function's mutants that it fails on, by their place in `Outcome.tried`. proof: one of these, which a
    run in a fresh box showed red (`run_id`).
    """

    name: str
    checks: str
    noticed: frozenset[int]
    proof: str
    run_id: str

    @property
    def kills(self) -> int:
        return len(self.noticed)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A test that was written and not kept."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one function. path: the new test file, "" where none was kept; `why` says then why.

    tried: the changes of the function that the tests were held against, a line each.
    """

    function: Function
    path: str = ""
    source: str = field(default="", repr=False)
    author: Author | None = None
    kept: tuple[Kept, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    tried: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    why: str = ""

    @property
    def mutants(self) -> int:
        return len(self.tried)

    @property
    def survivors(self) -> tuple[str, ...]:
        """Changes that no kept test noticed."""
        noticed = {index for one in self.kept for index in one.noticed}
        return tuple(each for index, each in enumerate(self.tried) if index not in noticed)

    @property
    def killed(self) -> int:
        return self.mutants - len(self.survivors)


@dataclass(frozen=True, slots=True)
class Generated:
    """What a run came to. `applied`: all new files as one patch, None where there is none.

    reached: changed functions that a test executes already. problem: why nothing could be done, or what the suite said
    against the new files, "" where all is well. runner: of the tests, "pytest" or "unittest".
    """

    commit: str
    since: str
    outcomes: tuple[Outcome, ...] = ()
    reached: tuple[Function, ...] = ()
    applied: Applied | None = None
    problem: str = ""
    usage: Usage = field(default_factory=Usage)
    sandbox: str = ""
    model: str = ""
    runner: str = ""
