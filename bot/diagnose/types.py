"""Where the fault probably is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.evidence.types import Cluster, TestId, TestReport
from bot.workspace.types import ChangedRange


@dataclass(frozen=True, slots=True)
class Location:
    """A suspicious line: `suspiciousness` in 0…1, best first in every list; `reason` is a phrase for a person."""

    path: str
    line: int
    symbol: str
    suspiciousness: float
    reason: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A whole function (or the top of a module) as it stands: `first` is the number of its first line.

    suspicious: line numbers to mark.
    """

    path: str
    first: int
    text: str
    symbol: str
    suspicious: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Which test executed which lines: test → path (repository-relative) → line numbers. Failing tests are named."""

    lines: Mapping[TestId, Mapping[str, frozenset[int]]]
    failing: frozenset[TestId]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a proposer is told. `recent_diff` is unified text since the last good revision, "" where unknown.

    learned: what an earlier proposer found out without finding a repair, in sentences. flaky: what experiments showed
    of a failure that comes only sometimes, "" of one that comes every time.
    """

    cluster: Cluster
    base: TestReport
    output: str
    locations: tuple[Location, ...]
    excerpts: tuple[Excerpt, ...]
    changed: tuple[ChangedRange, ...] = ()
    recent_diff: str = ""
    hint: str = ""
    learned: str = ""
    spectrum: Spectrum | None = field(default=None, repr=False)
    flaky: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A proposer's account. `confidence` in 0…1, None where it has none to give."""

    root_cause: str
    locations: tuple[Location, ...] = ()
    confidence: float | None = None
    risks: str = ""
