"""Repairs that need no model: an order made certain, and state that a polluter puts back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.diagnose.types import Diagnosis, Evidence
from bot.evidence.test_paths import is_test_path
from bot.evidence.types import TestId
from bot.flaky.mend.base import Wavering
from bot.flaky.mend.shared_state import Shared
from bot.flaky.types import Cause
from bot.patch.types import Refusal
from bot.ports import Bench
from bot.propose.search.diff import unified
from bot.propose.search.source import parse, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason
from bot.verify.types import Rejected
from bot.vet.syntax import dotted, function_of, origins

_MOST = 40
_FOLDERS = frozenset({"listdir", "iterdir", "glob", "rglob", "iglob", "scandir"})
_ORDERED = frozenset({"sorted", "range", "enumerate", "zip", "reversed", "items", "splitlines", "split"})
_COPIES = {ast.Dict: "dict", ast.List: "list", ast.Set: "set"}


class FlakyTemplates:
    """Implements `ports.Proposer`: candidates for the proven cause, each tried once under the provocation.

    states: what tests may leave to each other. reached: executed lines by path. read: a file's text.
    """

    name = "search"

    def __init__(
        self,
        wavering: Wavering,
        states: Sequence[Shared],
        reached: Mapping[str, frozenset[int]],
        read: Callable[[str], str | None],
    ) -> None:
        self._read = read
        self._test = wavering.test
        self._cause = f"{wavering.proof.cause.value}: {wavering.proof.detail}"
        self._left = _candidates(wavering, states, reached, read)
        self._tried = 0

    def propose(self, _evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        while self._tried < _MOST and bench.seconds_left() > 0:
            candidate = next(self._left, None)
            if candidate is None:
                break
            self._tried += 1
            before = self._read(candidate.path)
            assert before is not None
            patch = unified(candidate.path, before, candidate.apply(before))
            placed = bench.try_patch(patch)
            if isinstance(placed, Refusal):
                continue
            run = bench.run((self._test,), placed.overlay)
            if run.problem or run.report is None or run.report.failures():
                continue
            where = f"{candidate.path}:{candidate.line}"
            return Proposal(
                Diagnosis(f"{self._cause}. {where}: {candidate.description}."),
                patch,
                None,
                self.name,
                why_no_test="the flaky test itself, under what provokes its failure, is the proof",
            )
        refused = sum(isinstance(attempt.verdict, Rejected) for attempt in attempts)
        why = f"search tried {self._tried} changes known for this cause ({refused} refused)"
        return NoProposal(StopReason.NO_CANDIDATE, f"{why}; none repairs it")


def _candidates(
    wavering: Wavering,
    states: Sequence[Shared],
    reached: Mapping[str, frozenset[int]],
    read: Callable[[str], str | None],
) -> Iterator[Candidate]:
    cause = wavering.proof.cause
    if cause in (Cause.HASH_ORDER, Cause.FILES):
        for path in sorted(path for path in reached if path.endswith(".py") and not is_test_path(path)):
            text = read(path)
            source = None if text is None else parse(path, text)
            if source is not None:
                yield from _sorted(source, reached[path], folders=cause is Cause.FILES)
    if cause in (Cause.VICTIM, Cause.NOT_IDEMPOTENT):
        for test in wavering.polluters:
            text = read(test.file)
            source = None if text is None else parse(test.file, text)
            if source is not None:
                for state in states:
                    yield from _restored(source, test, state)


# --- an order made certain ------------------------------------------------------------------------------------------


def _sorted(source: Source, lines: frozenset[int], *, folders: bool) -> Iterator[Candidate]:
    """What is iterated over, taken in sorted order."""
    for node in _iterated(source.module, folders=folders):
        word = dotted(node).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if node.lineno not in lines or word in _ORDERED or isinstance(node, (ast.List, ast.Tuple, ast.Constant)):
            continue
        start, end = span(source, node)
        if isinstance(node, ast.GeneratorExp) and source.text[start : start + 1] == "(":
            continue  # an only argument: its brackets are the call's
        text = source.text[start:end]
        yield Candidate(
            source.path,
            node.lineno,
            (Edit(start, end, f"sorted({text})"),),
            "sorted",
            1.0,
            f"`{ast.unparse(node)}` has no order of its own and is taken in sorted order",
        )


def _iterated(tree: ast.Module, *, folders: bool) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if folders:
            if isinstance(node, ast.Call) and dotted(node).rpartition(".")[2] in _FOLDERS:
                yield node
        elif isinstance(node, (ast.For, ast.comprehension)):
            yield node.iter
        elif isinstance(node, ast.Call) and node.args and dotted(node).rpartition(".")[2] in ("list", "tuple", "join"):
            yield node.args[0]


# --- state that is put back -----------------------------------------------------------------------------------------


def _restored(source: Source, test: TestId, state: Shared) -> Iterator[Candidate]:
    """The polluter works on a copy of the state, which pytest's monkeypatch takes back after it."""
    function = function_of(source.module, test.name.partition("[")[0])
    module = state.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if function is None or (function.args.kwonlyargs or function.args.vararg or function.args.kwarg):
        return
    parent = source.parents.get(function)
    if isinstance(parent, ast.ClassDef) and any("TestCase" in dotted(base) for base in parent.bases):
        return
    alias = next(
        (name for name, origin in origins(source.module).items() if module == origin or module.endswith(f".{origin}")),
        None,
    )
    if alias is None:
        return
    held = f"{alias}.{state.name}"
    kind = _COPIES.get(type(state.value))
    value = held if not state.is_container else f"{kind}({held})" if kind else f"{held}.copy()"
    first = function.body[0]
    begin = span(source, first)[0]
    indent = " " * first.col_offset
    edits = [Edit(begin, begin, f'monkeypatch.setattr({alias}, "{state.name}", {value})\n{indent}')]
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if "monkeypatch" not in names:
        head = source.text.index(
            "(", source.text.index(function.name, source.text.index("def ", span(source, function)[0]))
        )
        if names:
            last = span(source, function.args.args[-1])[1]
            edits.append(Edit(last, last, ", monkeypatch"))
        else:
            edits.append(Edit(head + 1, head + 1, "monkeypatch"))
    yield Candidate(
        source.path,
        function.lineno,
        tuple(edits),
        "restored",
        1.0,
        f"it changes `{held}` for all tests after it; now it works on a copy that is taken back",
    )
