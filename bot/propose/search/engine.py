"""SearchProposer: template-based repair. Candidates cheapest first, tried in growing batches, the best one proposed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from bot.diagnose.types import Diagnosis, Evidence, Location
from bot.evidence.types import TestId
from bot.ports import Bench, Usage
from bot.propose.search.diff import unified
from bot.propose.search.generate import generate
from bot.propose.search.plan import Neighbourhood, neighbourhood
from bot.propose.search.ranking import Found, is_doubtful
from bot.propose.search.reduce import NoReduction, reduce
from bot.propose.search.types import Candidate
from bot.propose.search.validate import TrialOutcome, Validator, Work
from bot.propose.types import Attempt, NewTest, NoProposal, Proposal, StopReason
from bot.toolchains.types import Runtime, Toolchain
from bot.verify.types import Failing, Unproven

FIRST_BATCH = 100
LARGEST_BATCH = 1600
LINGER_SECONDS = 0.5
"""How long a batch goes on after a plausible candidate: those beside it may end a little later."""
DOUBT_SECONDS = 4.0
"""The same where a better one may be close behind: there are other failing tests to heal, or it is doubtful."""
SECOND_LOOKS, LOOK_SECONDS = 2, 6.0
"""Further batches while failing tests of the same files stay red: one fix for all is likelier right than several."""
BASELINE_SECONDS = 30.0
REDUCTION_SECONDS = 20.0
UNPROVEN = "The reduced test proved nothing when it was run; the existing failing test stands as the proof."
PATIENT, PATIENT_AT_ONCE = 8.0, 8
"""Factor of the time limits when candidates that ran out of time are given a second chance, and how many of them get it
after each batch: the likeliest soon, all of them when nothing else is left."""
MOST_FAULTS = 5


@dataclass(slots=True)
class _Search:
    """Where the search for one cluster stands. Candidates carry their number in the generator's order.

    read: a file's text at base. plausible: not yet proposed, best first (ranking.py). looks: batches tried with a
    plausible one at hand. also: tests that an earlier proposal broke. proposed: the last proposal's candidate where a
    new test went with it. faults: how often the worker died without a word.
    """

    evidence: Evidence
    read: Callable[[str], str | None]
    candidates: Iterator[tuple[int, Candidate]]
    batch: int = FIRST_BATCH
    tried: int = 0
    spent: float = 0.0
    pending: list[tuple[int, Candidate]] = field(default_factory=list)
    slow: list[tuple[int, Candidate]] = field(default_factory=list)
    plausible: list[Found] = field(default_factory=list)
    also: tuple[TestId, ...] = ()
    proposed: Candidate | None = None
    looks: int = 0
    faults: int = 0
    tests: Neighbourhood | None = None

    def wants_another_look(self) -> bool:
        """Whether the best so far leaves related failing tests red, and there are second looks left."""
        related = 0 if self.tests is None else self.tests.related
        return self.plausible[0].healed < related and self.looks < SECOND_LOOKS

    def doubts(self, candidate: Candidate) -> bool:
        return is_doubtful(candidate, self.read(candidate.path) or "")


class SearchProposer:
    """Implements `ports.Proposer` without a model.

    share_seconds: what it may spend on one cluster, None: all that the budget leaves. max_candidates: the most it
    tries for one cluster. jobs: candidates tried at a time in a box.
    """

    name = "search"

    def __init__(
        self, toolchain: Toolchain, runtime: Runtime, *, share_seconds: float | None, max_candidates: int, jobs: int
    ) -> None:
        self._toolchain = toolchain
        self._runtime = runtime
        self._share = share_seconds
        self._most = max_candidates
        self._jobs = jobs
        self._searches: dict[str, _Search] = {}

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        """The next plausible candidate; continues after the last one where there were attempts."""
        key = evidence.cluster.fingerprint
        if key not in self._searches:
            read = cache(partial(read_text, bench.tree))
            self._searches[key] = _Search(evidence, read, enumerate(generate(evidence.locations, read)))
        search = self._searches[key]
        if search.proposed is not None and attempts and isinstance(attempts[-1].verdict, Unproven):
            # The fix was not judged, only its test: once more, with the failing test as the proof.
            candidate, search.proposed = search.proposed, None
            return self._proposal(search, candidate, NoReduction(UNPROVEN))
        _learn(search, attempts)
        with Validator(self._toolchain, self._runtime, bench, self._jobs) as validator:
            spent = search.spent
            found = self._find(search, validator, bench)
            search.spent = spent + validator.seconds
            if isinstance(found, NoProposal):
                return found
            return self._propose(search, found, validator, bench)

    def _find(self, search: _Search, validator: Validator, bench: Bench) -> Candidate | NoProposal:
        """The best plausible candidate that has not been proposed."""
        while True:
            left = self._left(search, validator, bench)
            spent = left <= 0 or search.tried >= self._most
            if search.plausible and (spent or not search.wants_another_look()):
                return search.plausible.pop(0).candidate
            if spent:
                why = "its share of the time is spent" if left <= 0 else f"{self._most} is the most it may try"
                return _stop(search, StopReason.BUDGET, why)
            if search.tests is None:
                search.tests = neighbourhood(search.evidence, search.also, validator, min(left, BASELINE_SECONDS))
                continue
            if not search.tests.plan.targets:
                return _stop(search, StopReason.NO_CANDIDATE, validator.fault or search.tests.problem)
            room = min(search.batch, self._most - search.tried)
            fresh, search.pending = search.pending[:room], search.pending[room:]
            fresh += itertools.islice(search.candidates, room - len(fresh))
            if not fresh and search.plausible:
                search.looks = SECOND_LOOKS
                continue
            if not fresh and not search.slow:
                return _stop(search, StopReason.NO_CANDIDATE, "no single change of the suspicious code passes")
            search.looks += bool(search.plausible)
            seconds = min(left, LOOK_SECONDS) if search.plausible else left
            if fresh:
                self._try(search, fresh, search.tests, validator, seconds)
                search.batch = min(search.batch * 2, LARGEST_BATCH)
            left = self._left(search, validator, bench)
            if search.slow and not search.plausible and left > 0:
                most = PATIENT_AT_ONCE if fresh else LARGEST_BATCH
                again, search.slow = search.slow[:most], search.slow[most:]
                self._try(search, again, search.tests, validator, left, patient=True)

    def _try(
        self,
        search: _Search,
        batch: list[tuple[int, Candidate]],
        tests: Neighbourhood,
        validator: Validator,
        seconds: float,
        *,
        patient: bool = False,
    ) -> None:
        """Validate one batch. patient: it ran out of time before, and gets more of it now, once."""
        plan = tests.plan_with(PATIENT) if patient else tests.plan
        work = [
            Work(
                candidate,
                tests.rest(candidate),
                DOUBT_SECONDS if tests.plan.others or search.doubts(candidate) else LINGER_SECONDS,
            )
            for _, candidate in batch
        ]
        trials = {id(trial.candidate): trial for trial in validator.validate(plan, work, seconds)}
        if not trials and validator.fault:
            # The worker died of one of those that it began with: go on without them, but not for ever.
            search.faults += 1
            batch = batch[self._jobs :] if search.faults < MOST_FAULTS else []
        for order, candidate in batch:
            trial = trials.get(id(candidate))
            if trial is None:
                (search.slow if patient else search.pending).append((order, candidate))
                continue
            search.tried += not patient
            if trial.outcome is TrialOutcome.PLAUSIBLE:
                search.plausible.append(Found(candidate, order, trial.healed, search.doubts(candidate)))
            elif trial.outcome is TrialOutcome.TIMEOUT and not patient:
                search.slow.append((order, candidate))
        search.plausible.sort(key=lambda found: found.rank)
        search.pending.sort(key=lambda one: one[0])
        search.slow.sort(key=lambda one: one[0])

    def _left(self, search: _Search, validator: Validator, bench: Bench) -> float:
        left = bench.seconds_left()
        return left if self._share is None else min(left, self._share - search.spent - validator.seconds)

    def _propose(self, search: _Search, candidate: Candidate, validator: Validator, bench: Bench) -> Proposal:
        assert search.tests is not None
        seconds = min(REDUCTION_SECONDS, bench.seconds_left())
        timeout_mark = bool({"timeout", "pytest_timeout", "pytest-timeout"} & self._runtime.plugins)
        reduction = reduce(
            search.evidence, candidate, search.tests, validator, bench.tree, seconds, timeout_mark=timeout_mark
        )
        search.proposed = None if isinstance(reduction, NoReduction) else candidate
        return self._proposal(search, candidate, reduction)

    def _proposal(self, search: _Search, candidate: Candidate, test: NewTest | NoReduction) -> Proposal:
        before = search.read(candidate.path)
        assert before is not None
        return Proposal(
            diagnosis=_diagnosis(search, candidate, before),
            patch_text=unified(candidate.path, before, candidate.apply(before)),
            new_test=None if isinstance(test, NoReduction) else test,
            engine=self.name,
            usage=Usage(seconds=search.spent),
            why_no_test=test.why if isinstance(test, NoReduction) else "",
        )


def read_text(tree: Path, path: str) -> str | None:
    """A file's text with its own line ends; None where it is missing, outside the tree or not UTF-8."""
    file = tree / path
    try:
        if not file.resolve().is_relative_to(tree.resolve()):
            return None
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return None if text.startswith("\ufeff") else text


def _learn(search: _Search, attempts: Sequence[Attempt]) -> None:
    """Tests that the last proposal broke join those that every candidate has to pass, the waiting ones too."""
    if not attempts or not isinstance(attempts[-1].verdict, Failing) or attempts[-1].verdict.delta is None:
        return
    broken = attempts[-1].verdict.delta.pass_to_fail
    new = tuple(test for test in broken if test not in search.also)
    if new:
        search.also += new
        search.tests = None
        search.pending = [(found.order, found.candidate) for found in search.plausible] + search.pending
        search.plausible = []


def _stop(search: _Search, reason: StopReason, why: str) -> NoProposal:
    return NoProposal(reason, f"search tried {search.tried} candidates: {why}", Usage(seconds=search.spent))


def _diagnosis(search: _Search, candidate: Candidate, before: str) -> Diagnosis:
    location = next(
        (one for one in search.evidence.locations if (one.path, one.line) == (candidate.path, candidate.line)),
        Location(candidate.path, candidate.line, "", 0.0, "the change that makes the failing tests pass"),
    )
    lines = before.split("\n")
    line = lines[candidate.line - 1].strip() if candidate.line <= len(lines) else ""
    where = f"{candidate.path}:{candidate.line}" + (f", in `{location.symbol}`" if location.symbol else "")
    return Diagnosis(
        root_cause=f"{where}: `{line}` is wrong. {candidate.description[:1].upper()}{candidate.description[1:]}.",
        locations=(location,),
        risks="Found by trying small changes against the tests: it is as right as the tests are thorough.",
    )
