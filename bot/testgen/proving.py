"""Is a new test worth keeping? It passes every time, and it fails when the function is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.evidence.text import one_line
from bot.evidence.types import Outcome as CaseOutcome
from bot.evidence.types import Phase, TestCase, TestId, TestReport
from bot.patch.apply import apply_overlay
from bot.patch.types import Applied, Refusal
from bot.ports import Box, Overlay, RunResult
from bot.propose.search.types import Candidate
from bot.propose.search.validate import Plan, TrialOutcome, Validator, Work
from bot.testgen.mutants import describe, mutants_of
from bot.testgen.pruning import tests_in, without
from bot.testgen.types import Author, Dropped, Function, Kept, Outcome, Place, Written
from bot.verify.bench import SandboxBench
from bot.vet import Subject, vet
from bot.vet.types import Grade
from bot.workspace.checkout import Checkout

RUNS = 3
"""Fresh boxes in which a test has to pass."""
MUTATION_SECONDS = 120.0
_LEAST_SECONDS, _SLACK = 0.5, 8.0  # of processor time for a test on a mutant: at least, and times what it took


@dataclass(slots=True)
class Laid:
    """Implements Bench: a bench whose boxes have new files in their tree."""

    bench: SandboxBench
    overlay: Overlay
    tree: Path = field(init=False)

    def __post_init__(self) -> None:
        self.tree = self.bench.tree

    def try_patch(self, text: str) -> Applied | Refusal:
        return self.bench.try_patch(text)

    def run(self, ids: tuple[TestId, ...] | None, overlay: Overlay | None = None) -> RunResult:
        return self.bench.run(ids, {**self.overlay, **(overlay or {})})

    def open(self, overlay: Overlay | None = None) -> Box:
        return self.bench.open({**self.overlay, **(overlay or {})})

    def seconds_left(self) -> float:
        return self.bench.seconds_left()


@dataclass(frozen=True, slots=True)
class _Steady:
    """A file whose tests passed in every run: its tests with their ids."""

    source: str
    tests: Mapping[str, tuple[TestId, ...]]


class Prover:
    """Holds new test files against the checkout. protect: globs that no new file may match."""

    def __init__(self, bench: SandboxBench, protect: tuple[str, ...], jobs: int) -> None:
        self._bench = bench
        self._protect = protect
        self._jobs = jobs

    def judge(self, function: Function, place: Place, written: Written) -> Outcome:
        """What of `written` is kept, before `settle`: it passed once, and was seen to fail on changed code."""
        outcome = Outcome(function, author=written.author)
        refusal, remarks = self._vetted(place, written)
        if refusal:
            return replace(outcome, why=refusal)
        dropped: list[Dropped] = []
        steady = self._steady(place, written, dropped)
        if isinstance(steady, str):
            return replace(outcome, dropped=tuple(dropped), why=steady)
        text = text_of(self._bench.checkout, function.path) or ""
        mutants = mutants_of(function, text)
        if not mutants:
            return replace(outcome, dropped=tuple(dropped), why="no rule changes the function; a test cannot be tried")
        kills = self._kills(place, steady, mutants, written.author, dropped)
        kept = self._proved(function, text, place, steady, mutants, kills, written, dropped)
        source = without(steady.source, [name for name in steady.tests if name not in {one.name for one in kept}])
        return replace(
            outcome,
            path=place.path if kept else "",
            source=source if kept else "",
            kept=tuple(kept),
            dropped=tuple(dropped),
            tried=tuple(map(describe, mutants)),
            remarks=remarks,
            why="" if kept else "no test that was written fails when the function is changed",
        )

    def _vetted(self, place: Place, written: Written) -> tuple[str, tuple[str, ...]]:
        """Why the file may not be there ("" where it may), and what a person should look at."""
        checkout = self._bench.checkout
        if checkout.read(place.path) is not None:
            return f"{place.path} exists already", ()
        if not tests_in(written.source):
            return "what was written is no Python file with tests in it", ()
        applied = apply_overlay({place.path: written.source.encode("utf-8", "replace")}, checkout)
        if isinstance(applied, Refusal):
            return applied.message, ()
        objections = vet(Subject(applied, checkout.read, (), (place.path,), self._protect))
        blocked = [one for one in objections if one.grade is Grade.BLOCKED]
        if blocked:
            return f"refused by rule {blocked[0].rule}: {one_line(blocked[0].message, 300)}", ()
        return "", tuple(one_line(one.message, 300) for one in objections if one.grade is Grade.REVIEW)

    # --- passes every time ------------------------------------------------------------------------------------------

    def _steady(self, place: Place, written: Written, dropped: list[Dropped]) -> _Steady | str:
        """Run the file in a fresh box; tests that fail there are left out. A sentence where none is left."""
        run = self._run(place, written.source, {}, f"new tests, run 1 of {RUNS}")
        cases = _by_test(run.report, place.path)
        if not cases:
            return f"the new tests could not be run: {run.problem or 'none of them was found'}"
        collection = next((case for all in cases.values() for case in all if case.phase is Phase.COLLECTION), None)
        if collection is not None:
            return f"the new file cannot be imported: {one_line(collection.message or collection.traceback, 300)}"
        doomed = _doomed(tests_in(written.source), cases, first=True)
        dropped += [Dropped(name, why) for name, why in doomed.items()]
        source = without(written.source, doomed)
        if not source:
            return "none of the tests that were written passes on the code as it is"
        return _Steady(source, {name: tuple(case.id for case in cases[name]) for name in tests_in(source)})

    def settle(self, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """Run what is kept of all functions in further fresh boxes, and take out what fails in any of them.

        All files share a box, so that many functions cost two runs and not two each; alone only where that run came to
        no report, and it must be found whose fault that is.
        """
        settled = list(outcomes)
        for number in range(2, RUNS + 1):
            files = {each.path: each.source.encode() for each in settled if each.path}
            if not files:
                break
            purpose = f"new tests, run {number} of {RUNS}"
            runs = dict.fromkeys(files, self._together(files, purpose))
            if len(files) > 1 and next(iter(runs.values())).report is None:
                runs = {path: self._together({path: content}, purpose) for path, content in files.items()}
            settled = [_after(each, runs[each.path]) if each.path else each for each in settled]
        return tuple(settled)

    def _together(self, files: Mapping[str, bytes], purpose: str) -> RunResult:
        return self._bench.run(tuple(map(TestId.from_node_id, files)), dict(files), purpose=purpose)

    def _run(self, place: Place, source: str, more: Mapping[str, bytes], purpose: str) -> RunResult:
        overlay: dict[str, bytes | None] = {place.path: source.encode(), **more}
        return self._bench.run((TestId.from_node_id(place.path),), overlay, purpose=purpose)

    # --- fails on changed code --------------------------------------------------------------------------------------

    def _kills(
        self, place: Place, steady: _Steady, mutants: Sequence[Candidate], author: Author, dropped: list[Dropped]
    ) -> dict[str, frozenset[int]]:
        """Mutants (indices) that each test fails on, by the worker's word; tests that notice none are dropped.

        Of characterisation tests those are dropped too that notice nothing which better ones do not.
        """
        laid = Laid(self._bench, {place.path: steady.source.encode()})
        ids = tuple(id for all in steady.tests.values() for id in all)
        with Validator(self._bench.toolchain, self._bench.runtime, laid, self._jobs) as worker:
            baseline = worker.measure(Plan(ids, 0, (10.0,) * len(ids), 30.0), self._seconds())
            took = {one.test: one.seconds for one in baseline.tests if one.passed}
            usable = {name: own for name, own in steady.tests.items() if all(id in took for id in own)}
            for name in steady.tests.keys() - usable.keys():
                dropped.append(Dropped(name, "it does not pass where all tests run in one process"))
            found = self._matrix(worker, usable, took, baseline.import_seconds or 0.0, mutants)
        left = {name: kills for name, kills in found.items() if kills}
        chosen = _cover(left) if author is Author.CALLS else left
        for name in found.keys() - chosen.keys():
            more = "further " if left.get(name) else ""
            dropped.append(Dropped(name, f"it notices no {more}change of the function"))
        return {name: chosen[name] for name in usable if name in chosen}

    def _matrix(
        self,
        worker: Validator,
        tests: Mapping[str, tuple[TestId, ...]],
        took: Mapping[TestId, float],
        import_seconds: float,
        mutants: Sequence[Candidate],
    ) -> dict[str, frozenset[int]]:
        """Every test on every mutant. A test that hangs or dies there notices, too; those after it are unknown."""
        ids = tuple(id for own in tests.values() for id in own)
        limits = tuple(_LEAST_SECONDS + _SLACK * took[id] for id in ids)
        plan = Plan(ids, 0, limits, 10.0 + _SLACK * import_seconds, others=len(ids))
        work = [Work(mutant, (), linger=MUTATION_SECONDS) for mutant in mutants]
        place = {id(mutant): index for index, mutant in enumerate(mutants)}
        failed: dict[TestId, set[int]] = {}
        for trial in worker.validate(plan, work, self._seconds()) if ids else ():
            if trial.outcome is not TrialOutcome.PLAUSIBLE:  # it could not even be tried: nothing ran on it
                continue
            told = [test for test, passed in zip(ids, trial.others, strict=False) if not passed]
            told += ids[len(trial.others) : len(trial.others) + 1]
            for test in told:
                failed.setdefault(test, set()).add(place[id(trial.candidate)])
        return {name: frozenset(i for test in own for i in failed.get(test, ())) for name, own in tests.items()}

    def _seconds(self) -> float:
        return max(1.0, min(MUTATION_SECONDS, self._bench.seconds_left()))

    def _proved(
        self,
        function: Function,
        text: str,
        place: Place,
        steady: _Steady,
        mutants: Sequence[Candidate],
        kills: dict[str, frozenset[int]],
        written: Written,
        dropped: list[Dropped],
    ) -> list[Kept]:
        """Every test seen red in a fresh box, by the project's own runner: the worker's word alone is none."""
        proofs: dict[str, tuple[int, str]] = {}
        refuted: set[int] = set()
        while waiting := [name for name in kills if name not in proofs and kills[name] - refuted]:
            counts = {i: sum(i in kills[name] for name in waiting) for i in range(len(mutants)) if i not in refuted}
            chosen = max(counts, key=lambda index: (counts[index], -index))
            refuted.add(chosen)  # tried once, whatever it shows
            mutated = {function.path: mutants[chosen].apply(text).encode("utf-8", "surrogatepass")}
            run = self._run(place, steady.source, mutated, f"new tests on {describe(mutants[chosen])}")
            cases = _by_test(run.report, place.path)
            for name in waiting:
                if chosen in kills[name] and any(_failed(case) for case in cases.get(name, ())):
                    proofs[name] = (chosen, run.run_id)
        kept = []
        for name, found in kills.items():
            if name not in proofs:
                dropped.append(Dropped(name, "that it fails on changed code was not confirmed in a fresh box"))
                continue
            index, run_id = proofs[name]
            kept.append(Kept(name, written.checks.get(name, ""), found, describe(mutants[index]), run_id))
        return kept


def _cover(kills: Mapping[str, frozenset[int]]) -> dict[str, frozenset[int]]:
    """The fewest tests, greedily, that notice all that is noticed; the first of equals."""
    chosen: dict[str, frozenset[int]] = {}
    noticed: set[int] = set()
    while best := max(kills, key=lambda name: len(kills[name] - noticed), default=None):
        if not kills[best] - noticed:
            break
        chosen[best] = kills[best]
        noticed |= kills[best]
    return chosen


def text_of(checkout: Checkout, path: str) -> str | None:
    """Text of a file of the checkout; None where there is none, or it is not UTF-8."""
    content = checkout.read(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _by_test(report: TestReport | None, path: str) -> dict[str, list[TestCase]]:
    """Cases of a file by the function they belong to ("test_a", "TestThing::test_b")."""
    found: dict[str, list[TestCase]] = {}
    for case in report or ():
        if case.id.file == path:
            name = case.id.node_id.partition("[")[0].partition("::")[2]
            found.setdefault(name, []).append(case)
    return found


def _doomed(names: Sequence[str], cases: Mapping[str, Sequence[TestCase]], *, first: bool) -> dict[str, str]:
    """Tests that may not stay, each with the reason."""
    verdicts = {name: _verdict(cases.get(name, ()), first=first) for name in names}
    return {name: why for name, why in verdicts.items() if why}


def _after(outcome: Outcome, run: RunResult) -> Outcome:
    """What a further run leaves of it."""
    cases = _by_test(run.report, outcome.path)
    doomed = _doomed([one.name for one in outcome.kept], cases, first=False)
    if not doomed:
        return outcome
    dropped = (*outcome.dropped, *(Dropped(name, why) for name, why in doomed.items()))
    kept = tuple(one for one in outcome.kept if one.name not in doomed)
    source = without(outcome.source, doomed)
    if kept and source:
        return replace(outcome, source=source, kept=kept, dropped=dropped)
    why = "none of the tests that were written passes every time"
    return replace(outcome, path="", source="", kept=(), dropped=dropped, why=why)


def _verdict(cases: Sequence[TestCase], *, first: bool) -> str:
    """Why a test is not kept, "" where every case of it passed."""
    if not cases:
        return "it was not run"
    bad = next((case for case in cases if case.outcome is not CaseOutcome.PASSED), None)
    if bad is None:
        return ""
    if not bad.outcome.is_failure:
        return f"it is {bad.outcome.value} here"
    said = one_line(bad.message, 300) or "no message"
    return f"it fails on the code as it is: {said}" if first else f"it does not pass every time: {said}"


def _failed(case: TestCase) -> bool:
    return case.outcome.is_failure and case.phase is Phase.CALL
