"""The further runs of new tests: shared by all files, so what they cost does not grow with the functions."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from bot.evidence.types import Outcome as CaseOutcome
from bot.evidence.types import TestCase, TestId, TestReport
from bot.ports import Execution, Overlay, RunResult
from bot.testgen import pruning
from bot.testgen.generate import _within
from bot.testgen.proving import RUNS, Prover
from bot.testgen.types import Function, Kept, Outcome
from bot.verify.bench import SandboxBench


class Boxes:
    """Runs test files by their text. failing: (run, test) that fail. broken: files next to which no report is written."""

    def __init__(self, failing: Collection[tuple[int, str]] = (), broken: Collection[str] = ()) -> None:
        self.failing = failing
        self.broken = broken
        self.runs: list[tuple[str, ...]] = []

    def run(self, ids: tuple[TestId, ...], overlay: Overlay, *, purpose: str) -> RunResult:
        self.runs.append(tuple(each.file for each in ids))
        if set(self.runs[-1]) & set(self.broken):
            return RunResult(Execution(1, "", 0.1), None, "no report was written")
        cases = []
        for path, content in overlay.items():
            for name in pruning.tests_in((content or b"").decode()):
                failed = (len(self.runs), name) in self.failing
                id = TestId.from_node_id(f"{path}::{name}")
                cases.append(TestCase(id, CaseOutcome.FAILED if failed else CaseOutcome.PASSED, message="by chance"))
        return RunResult(Execution(0, "", 0.1), TestReport(tuple(cases)))


def outcome(letter: str, lines: int = 0) -> Outcome:
    """Two tests for one function; each notices a change of its own."""
    names = [f"test_{letter}1", f"test_{letter}2"]
    source = "\n\n".join(f"def {name}():\n    assert 1\n" for name in names) + "# more\n" * lines
    function = Function(f"{letter}.py", letter, 1, 2, 2, is_new=True)
    kept = tuple(Kept(name, "", frozenset({index}), f"change {index}", "r1") for index, name in enumerate(names))
    return Outcome(function, f"tests/test_{letter}.py", source, kept=kept, tried=("change 0", "change 1", "change 2"))


def settled(boxes: Boxes, *outcomes: Outcome) -> tuple[Outcome, ...]:
    return Prover(cast(SandboxBench, boxes), (), 1).settle(outcomes)


def test_many_files_share_two_boxes() -> None:
    boxes = Boxes()
    given = tuple(outcome(letter) for letter in "abcde")
    assert settled(boxes, *given, Outcome(given[0].function, why="nothing")) == (
        *given,
        Outcome(given[0].function, why="nothing"),
    )
    assert len(boxes.runs) == RUNS - 1 and all(len(files) == 5 for files in boxes.runs)


def test_what_does_not_pass_every_time_goes_and_so_does_what_it_noticed() -> None:
    first, second = settled(Boxes({(2, "test_a1")}), outcome("a"), outcome("b"))
    assert [one.name for one in first.kept] == ["test_a2"] and "test_a1" not in first.source
    assert first.dropped[0].why == "it does not pass every time: by chance"
    assert (first.mutants, first.killed, first.survivors) == (3, 1, ("change 0", "change 2"))
    assert second == outcome("b")


def test_a_function_that_loses_all_its_tests_has_none() -> None:
    boxes = Boxes({(1, "test_a1"), (1, "test_a2")})
    first, _ = settled(boxes, outcome("a"), outcome("b"))
    assert (first.path, first.source, first.kept) == ("", "", ()) and "every time" in first.why
    assert boxes.runs[1] == ("tests/test_b.py",)


def test_one_file_that_ends_the_run_does_not_take_the_others_with_it() -> None:
    boxes = Boxes(broken={"tests/test_a.py"})
    first, second = settled(boxes, outcome("a"), outcome("b"))
    assert first.path == "" and second == outcome("b")


def test_nothing_kept_costs_nothing() -> None:
    boxes = Boxes()
    assert settled(boxes, Outcome(outcome("a").function)) and boxes.runs == []


def test_what_nobody_would_read_is_left_for_another_run() -> None:
    long = outcome("b", lines=790)
    assert _within(long, ()).path and _within(outcome("a"), ()).path
    left = _within(long, (outcome("a"), outcome("c")))
    assert (left.path, left.kept) == ("", ()) and "left for another run" in left.why
    assert _within(outcome("z"), tuple(outcome("a") for _ in range(20))).path == ""
