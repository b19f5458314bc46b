"""Stateful fakes of the ports: a clock that is told the time, a recorder that remembers, a world of tests.

They keep state and answer by it; nothing asserts that something was called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.config import SuiteSettings
from bot.evidence.types import Outcome, Phase, TestCase, TestId, TestReport
from bot.ports import Box, Command, EventKind, Execution, JsonValue, Overlay, RunResult, SetUp
from bot.toolchains.types import PLAIN, Conditions, LineHits, RunPlan, Runtime, Touched


class FakeClock:
    """Time that passes only when told, or by `step` seconds at every look."""

    def __init__(self, step: float = 0.0) -> None:
        self.time = 1_000.0
        self.step = step

    def monotonic(self) -> float:
        self.time += self.step
        return self.time

    def now(self) -> float:
        return 1_800_000_000.0 + self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class MemoryRecorder:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[tuple[EventKind, dict[str, JsonValue]]] = []

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        self.events.append((kind, data))
        return len(self.events)

    def of(self, kind: EventKind) -> list[dict[str, JsonValue]]:
        return [data for seen, data in self.events if seen is kind]


World = Callable[[Mapping[str, bytes | None], int], Mapping[str, str] | str]
"""What the tests would say: overlay and run number → outcome by node id ("passed", "failed: TypeError: why",
"error: …", "collection: …", "skipped"), or a sentence: no report came, and why."""


class FakeBox:
    """Knows its overlay; the world answers when the toolchain reads."""

    workspace = "/workspace"
    control = "/control"

    def __init__(self, overlay: Overlay) -> None:
        self.overlay = dict(overlay)
        self.files: dict[str, bytes] = {}
        self.closed = False

    def put(self, files: Mapping[str, bytes]) -> None:
        self.files.update(files)

    def execute(self, command: Command) -> Execution:
        return Execution(0, "", 0.5)

    def collect(self, path: str, *, limit: int = 64 << 20) -> bytes | None:
        return self.files.get(path)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FakeEnvironment:
    """Opens fake boxes and remembers them."""

    name = "fake"
    isolated = True
    description = "a fake"
    no_network = ""

    def __init__(self) -> None:
        self.boxes: list[FakeBox] = []

    def open(self, overlay: Overlay | None = None, *, network: bool = False) -> FakeBox:
        box = FakeBox(overlay or {})
        self.boxes.append(box)
        return box

    def prepare(self) -> None:
        return None

    def close(self) -> None:
        for box in self.boxes:
            box.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FakeToolchain:
    """Reads results from a world instead of a report."""

    name = "fake"

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs = 0

    def plan(self, tree: Path, suite: SuiteSettings, *, isolated: bool) -> SetUp:
        return SetUp("fake")

    def probe(self, box: Box) -> Runtime:
        return Runtime("python", (3, 13, 0), "pytest", "9.0")

    def run_plan(
        self,
        runtime: Runtime,
        box: Box,
        ids: tuple[TestId, ...] | None,
        *,
        seconds: float,
        spectrum: bool = False,
        coverage_thresholds: bool = True,
        conditions: Conditions = PLAIN,
        observe: bool = False,
    ) -> RunPlan:
        return RunPlan({}, Command(("run",), seconds))

    def unsupported(self, runtime: Runtime, conditions: Conditions) -> str:
        return ""

    def read(self, box: Box, execution: Execution, ids: tuple[TestId, ...] | None) -> RunResult:
        assert isinstance(box, FakeBox)
        self.runs += 1
        said = self.world(box.overlay, self.runs)
        if isinstance(said, str):
            return RunResult(Execution(3, said, 0.5), None, said)
        cases = tuple(_case(node, outcome) for node, outcome in said.items())
        if ids is not None:
            wanted = {test.node_id for test in ids}
            cases = tuple(case for case in cases if {case.id.node_id, case.id.file} & wanted)
        failed = any(case.outcome.is_failure for case in cases)
        return RunResult(Execution(int(failed), "the output", 0.5), TestReport(cases))

    def read_hits(self, box: Box) -> LineHits | None:
        return None

    def read_touched(self, box: Box) -> Touched:
        return Touched()


def _case(node: str, said: str) -> TestCase:
    word, _, message = said.partition(": ")
    exception = message.partition(":")[0]
    traceback = f"E   {message}\n\n{node.partition('::')[0]}:1: {exception}" if message else ""
    phase = Phase.COLLECTION if word == "collection" else Phase.SETUP if word == "error" else Phase.CALL
    outcome = Outcome.ERROR if word in {"collection", "error"} else Outcome(word)
    return TestCase(TestId.from_node_id(node), outcome, 0.01, message, traceback, phase)
