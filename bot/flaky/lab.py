"""Where tests are run again and again: the port of the experiments, and what comes back of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from bot.evidence.types import TestId
from bot.flaky.types import RunRecord
from bot.toolchains.types import PLAIN, Conditions, Touched


class NoRun(Exception):  # noqa: N818 (a control-flow signal: experiments end, what was found stays)
    """The lab may not run any more: the budget's minutes or runs are over; the message says which."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run that `Lab.run_many` is asked for."""

    tests: tuple[TestId, ...] | None
    conditions: Conditions
    purpose: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run with a report. touched: what it wanted beyond its own process."""

    record: RunRecord
    touched: Touched = field(default_factory=Touched)


@dataclass(frozen=True, slots=True)
class Broke:
    """A run that gave no report which can be believed: it says nothing of any test. hung: it was stopped for time, and
    `test` began last (None: not known)."""

    problem: str
    hung: bool = False
    test: TestId | None = None


Observed: TypeAlias = Ran | Broke


class Lab(Protocol):
    """Where tests are run again and again. Every run is counted, recorded and kept as a `RunRecord`."""

    @property
    def suite(self) -> tuple[TestId, ...]:
        """All tests in their recorded order, from the first whole run."""
        ...

    @property
    def runs(self) -> int:
        """Runs so far."""
        ...

    def unsupported(self, conditions: Conditions) -> str:
        """Why this place cannot bring about `conditions`, "" where it can."""
        ...

    def run(
        self, tests: Sequence[TestId] | None, conditions: Conditions = PLAIN, *, purpose: str, revision: str = ""
    ) -> Observed:
        """One run of `tests` (None: the suite). revision: another commit than the lab's own. NoRun when it is over."""
        ...

    def run_many(self, jobs: Sequence[Job]) -> tuple[Observed, ...]:
        """The same for independent runs, side by side where that is safe; answers stand in the order of `jobs`."""
        ...


def follows(ran: Sequence[TestId], wanted: Sequence[TestId]) -> bool:
    """Whether the tests ran in the order asked for; those that did not run (skipped) are no breach of it."""
    place = {test: number for number, test in enumerate(wanted)}
    places = [place[test] for test in ran if test in place]
    return places == sorted(places)
