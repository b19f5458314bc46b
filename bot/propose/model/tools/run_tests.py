"""Running tests in the sandbox, on the current draft."""

from __future__ import annotations

import difflib

from bot.evidence.matching import select
from bot.evidence.text import one_line
from bot.evidence.types import Outcome as CaseOutcome
from bot.evidence.types import TestCase, TestId, TestReport
from bot.ports import RunResult, ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted

_IDS = 40
_WORDS = 10
"""Words that are no exact id: each is held against every test of the suite."""
_FAILURES = 8  # shown with their traceback
_TRACEBACK = 2_500  # characters
_CHARACTERS = 16_000
_OUTPUT = 5_000
_NAMED = 30
_COMPARED = 5_000  # tests that a wrong id is compared with


class RunTests:
    """What the selected tests say of the draft; of base where there is none."""

    spec: ToolSpec = schema.spec(
        "run_tests",
        """Run tests in the sandbox on your draft (at base where there is none). ids: node ids
        (`tests/test_cart.py::TestCart::test_total[3]`), files or names of tests; empty for the failing tests you were
        given; `.` for the whole suite. The draft's new test files can be named too.""",
        {"ids": schema.texts("Node ids, files or names; empty: the failing tests.", _IDS, 600)},
        ("ids",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        words = tuple(word.strip() for word in arguments.texts("ids") if word.strip())
        if not words:
            chosen: tuple[TestId, ...] | None = desk.evidence.cluster.ids
        elif "." in words:
            chosen = None
        else:
            found = _chosen(words, desk)
            if isinstance(found, ToolResult):
                return found
            chosen = found
        return _answer(desk.bench.run(chosen, desk.overlay), chosen, desk)


def _chosen(words: tuple[str, ...], desk: Desk) -> tuple[TestId, ...] | ToolResult:
    known = {id.node_id: id for id in (case.id for case in desk.evidence.base)}
    new = {
        change.path for change in (desk.draft.applied.changes if desk.draft is not None else ()) if change.status == "A"
    }
    chosen: dict[TestId, None] = {}
    loose: list[str] = []
    for word in words:
        file = word.partition("::")[0].removeprefix("./")
        if word in known:
            chosen[known[word]] = None
        elif file in new:
            # What the new file holds is not known before it was collected: an id without a name is all of it.
            chosen[TestId.from_node_id(word if "::" in word else file)] = None
        else:
            loose.append(word)
    if len(loose) > _WORDS:
        return ToolResult(
            f"At most {_WORDS} of the ids may be other than exact node ids; there are {len(loose)}.", ok=False
        )
    selection = select(loose, known.values())
    if selection.missing:
        return _missing(selection.missing, tuple(known), desk)
    chosen |= dict.fromkeys(selection.ids)
    return tuple(chosen)


def _missing(words: tuple[str, ...], known: tuple[str, ...], desk: Desk) -> ToolResult:
    near: dict[str, None] = {}
    for word in words[:3]:
        file, name = word.partition("::")[0], word.rpartition("::")[2]
        close = [id for id in known if id.startswith(file)] if file else []
        close = close or [id for id in known if name and name in id]
        near |= dict.fromkeys(difflib.get_close_matches(word[:300], (close or known)[:_COMPARED], n=4, cutoff=0.4))
    said = (
        f"No test of the suite is called {', '.join(repr(one_line(word, 120)) for word in words[:5])}; nothing was run."
    )
    if near:
        said += " Nearest:\n" + desk.listing("tests", tuple(near), 4_000)
    return ToolResult(said + " A test file of your draft can be named by its path.", ok=False)


def _answer(result: RunResult, chosen: tuple[TestId, ...] | None, desk: Desk) -> ToolResult:
    report, execution = result.report, result.execution
    notes = [
        said
        for said in (
            "the run was stopped for time" if execution.timed_out else "",
            "it ran out of memory" if execution.oom_killed else "",
            result.problem,
        )
        if said
    ]
    wrong = f"\nSomething is wrong with the run:\n{desk.data('problem', '; '.join(notes), 1_000)}" if notes else ""
    what = "The whole suite" if chosen is None else counted(len(chosen), "selected test")
    if report is None:
        return ToolResult(
            f"{what} on {desk.state}: no report that can be believed: this is neither red nor green.{wrong}\n"
            + desk.data("output", execution.output, _OUTPUT),
            ok=False,
        )
    head = f"{what} on {desk.state}, {execution.seconds:.1f} s: {_totals(report)}.{wrong}"
    shown = _failures(report, desk)
    if chosen is None:
        shown = [*_against_base(report, desk), *shown]
    if notes or not len(report):
        shown.append(desk.data("output", execution.output, _OUTPUT))
    return ToolResult("\n".join([head, *shown]))


def _totals(report: TestReport) -> str:
    counts = [(outcome.value, report.count(outcome)) for outcome in CaseOutcome]
    return ", ".join(f"{count:,} {word}" for word, count in counts if count) or "no test ran"


def _against_base(report: TestReport, desk: Desk) -> list[str]:
    """What a whole run shows beside the failures: which of them are new, and which tests are gone."""
    before, after = desk.evidence.base.by_id(), report.by_id()
    broken = [case.id for case in report.failures() if (old := before.get(case.id)) and not old.outcome.is_failure]
    vanished = [id for id in before if id not in after]
    said = []
    for kind, ids in (("passed at base and fail now", broken), ("ran at base and are gone", vanished)):
        if ids:
            names = "\n".join(id.node_id for id in ids[:_NAMED])
            more = f", {_NAMED} of them" if len(ids) > _NAMED else ""
            said.append(f"{len(ids):,} {kind}{more}:\n{desk.data(kind, names, 4_000)}")
    return said or ["Nothing that passed at base fails, and nothing is gone."]


def _failures(report: TestReport, desk: Desk) -> list[str]:
    failing = report.failures()
    shown, size = [], 0
    for case in failing[:_FAILURES]:
        text = desk.data(f"failing {case.id.node_id}", _words(case), _TRACEBACK)
        size += len(text)
        if size > _CHARACTERS:
            break
        shown.append(text)
    rest = failing[len(shown) :]
    if rest:
        names = "\n".join(f"{case.id.node_id}: {one_line(desk.redact(case.message), 120)}" for case in rest[:_NAMED])
        more = f", {_NAMED} of them" if len(rest) > _NAMED else ""
        shown.append(f"{counted(len(rest), 'further failing test')}{more}:\n{desk.data('failing', names, 5_000)}")
    return shown


def _words(case: TestCase) -> str:
    message = case.message.strip()
    if message and message.splitlines()[0] not in case.traceback:
        return f"{message}\n\n{case.traceback}".strip()
    return case.traceback.strip() or message or case.outcome.value
