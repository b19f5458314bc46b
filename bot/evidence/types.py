"""What a test result is. Every room and port speaks in these types."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """Outcome of one test case. FAILED: an assertion or exception in the call; ERROR: set-up, teardown, collection."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    FLAKY = "flaky"  # failed and then passed in the same run, by the report's own word

    @property
    def is_failure(self) -> bool:
        return self is Outcome.FAILED or self is Outcome.ERROR


class Phase(StrEnum):
    """Where a case failed. COLLECTION: the file could not be imported or parsed, so its tests never ran."""

    CALL = "call"
    SETUP = "setup"
    TEARDOWN = "teardown"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True, order=True)
class TestId:
    """Identity of a test across runs.

    file: POSIX path relative to the repository root, "" where the report does not tell.
    classname: dotted module path plus class, as pytest's xunit1 writes it ("tests.test_cart.TestTotals").
    name: function name with its parameters ("test_total[3-items]").
    """

    __test__ = False  # pytest must not collect this class

    file: str
    classname: str
    name: str

    @property
    def node_id(self) -> str:
        """pytest's node id ("tests/test_cart.py::TestTotals::test_total[a]"), or dotted where no file is known."""
        if not self.file:
            return "::".join(filter(None, (self.classname, self.name)))
        module = self.file.removesuffix(".py").replace("/", ".")
        inner = self.classname.removeprefix(module).lstrip(".") if self.classname.startswith(module) else ""
        parts = [self.file, *(inner.split(".") if inner else []), *([self.name] if self.name else [])]
        return "::".join(parts)

    @classmethod
    def from_node_id(cls, node_id: str) -> TestId:
        """Parse pytest's node id; parameters may contain "::" and "/" inside their brackets."""
        head, bracket, parameters = node_id.partition("[")
        path, *inner = head.split("::")
        path = posixpath.normpath(path.replace("\\", "/")) if path else ""
        name = (inner.pop() if inner else "") + bracket + parameters
        module = path.removesuffix(".py").replace("/", ".")
        return cls(path, ".".join([module, *inner]), name)

    def __str__(self) -> str:
        return self.node_id


@dataclass(frozen=True, slots=True)
class TestCase:
    """One executed (or uncollectable) case. `message` and `traceback` are kept for cases that did not pass.

    quarantined: it is SKIPPED by the report's word, and failed: grokfix's quarantine shows its failure as expected.
    """

    __test__ = False

    id: TestId
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    traceback: str = ""
    phase: Phase = Phase.CALL
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a report itself: `source` names the file or stream, `message` what was wrong and done."""

    source: str
    message: str


@dataclass(frozen=True, slots=True)
class TestReport:
    """Results of one run: unique ids, in the order of the run; `problems` says what could not be read as it should."""

    __test__ = False

    cases: tuple[TestCase, ...]
    problems: tuple[Problem, ...] = ()

    def by_id(self) -> Mapping[TestId, TestCase]:
        return {case.id: case for case in self.cases}

    def failures(self) -> tuple[TestCase, ...]:
        return tuple(case for case in self.cases if case.outcome.is_failure)

    def count(self, outcome: Outcome) -> int:
        return sum(1 for case in self.cases if case.outcome is outcome)

    def __iter__(self) -> Iterator[TestCase]:
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True, slots=True)
class Delta:
    """Difference of two runs over the same selection; `vanished` ids were in the first only and count as broken."""

    fail_to_pass: tuple[TestId, ...]
    pass_to_fail: tuple[TestId, ...]
    still_failing: tuple[TestId, ...]
    vanished: tuple[TestId, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One traceback frame: path as printed, relative to the repository where it lies inside it; line counts from 1."""

    path: str
    line: int
    function: str = ""
    in_project: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """A failing case, read: exception type without module ("AssertionError"), first line of its message, its frames.

    Frames run outermost first. `fingerprint` is 64 hex digits (DESIGN: exception, masked message, innermost frame).
    """

    case: TestCase
    exception: str
    message: str
    frames: tuple[Frame, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Failures with one fingerprint: the unit of repair."""

    fingerprint: str
    failures: tuple[Failure, ...] = field(repr=False)

    @property
    def ids(self) -> tuple[TestId, ...]:
        return tuple(failure.case.id for failure in self.failures)
