"""A run that repairs flaky tests whose cause was proven: each under its provocation, costliest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from bot.config import Settings
from bot.diagnose.excerpts import excerpt
from bot.diagnose.rank import localize
from bot.diagnose.types import Evidence, Location, Spectrum
from bot.evidence.test_paths import is_test_path
from bot.evidence.text import head_tail
from bot.evidence.types import Outcome, TestCase, TestId
from bot.flaky.fix_proof import FlakyProof
from bot.flaky.mend.base import NotProvoked, Provoked, Wavering, provoke
from bot.flaky.mend.gates import Care, Clean, Proving, count, missing, told
from bot.flaky.mend.provoked import in_words
from bot.flaky.mend.shared_state import Shared, shared_states
from bot.flaky.mend.story import story
from bot.flaky.mend.templates import FlakyTemplates
from bot.flaky.types import RunRecord
from bot.flaky.verdict import Triage
from bot.patch.apply import combine
from bot.patch.types import Refusal
from bot.ports import EventKind, Proposer
from bot.propose.auto import AutoProposer
from bot.propose.search.engine import read_text
from bot.propose.types import StopReason
from bot.repair import Repaired, repair
from bot.reproduce import EXCERPT_TOKENS, OUTPUT, Job, Prepared, Stages, Tools, prepare
from bot.result import RepairResult, Result, RunOutcome, worst
from bot.run import ForRepair, ModelWatch, reason_of, record_locations, repair_result, with_costs
from bot.verify.base import Base, Unusable, measure
from bot.verify.types import Plausible


@dataclass(frozen=True, slots=True)
class Plan:
    """What to repair, costliest first, and with what: asks says whether `Tools.proposer` asks a model."""

    tests: tuple[Wavering, ...]
    asks: bool
    care: Care = Care()  # noqa: RUF009 (frozen)


def repairable(triage: Triage, records: Sequence[RunRecord]) -> tuple[Wavering, ...]:
    """The flaky tests of a session whose cause was proven, in the order of its verdicts: costliest first."""
    by_key = {record.key: record for record in records}
    found = (
        Wavering.of(verdict.finding, verdict.counts, by_key)
        for verdict in triage.verdicts
        if verdict.finding is not None
    )
    return tuple(each for each in found if each is not None)


def mend(plan: Plan, job: Job, settings: Settings, tools: Tools, stages: Stages) -> Result:
    """Repair at most `limits.clusters` of them. BotError and Cancelled pass through, as from `bot.run.run`."""
    watch = ModelWatch(tools.recorder)
    tools = replace(tools, recorder=watch)
    with prepare(job, settings, tools, stages) as ready:

        def is_project(path: str) -> bool:
            return ready.checkout.read(path) is not None

        with stages.measure("reproduce"):
            suite = measure(ready.bench, (), (), is_project, spectrum=ready.runtime.runner == "pytest")
        if isinstance(suite, Unusable):
            message = f"the tests could not be run to a report: {suite.problem}"
            result = Result(RunOutcome.GAVE_UP, reason=StopReason.INFRASTRUCTURE, message=message)
        else:
            result = _Mending(plan, ready, suite, settings, tools, stages).all()
        description = ready.bench.environment.description
    return with_costs(result, tools, stages, watch, description)


class _Mending:
    """One environment in which several tests are repaired."""

    def __init__(
        self, plan: Plan, ready: Prepared, suite: Base, settings: Settings, tools: Tools, stages: Stages
    ) -> None:
        self._plan, self._ready, self._suite = plan, ready, suite
        self._settings, self._tools, self._stages = settings, tools, stages
        self._read = cache(partial(read_text, ready.checkout.path))
        self._accepted: list[tuple[Provoked, Plausible]] = []

    def all(self) -> Result:
        repairs: list[RepairResult] = []
        tried = 0
        for wavering in self._plan.tests:
            if tried >= self._settings.limits.clusters:
                most = f"left for another run: limits.clusters allows {tried} repairs a run"
                repairs.append(_not_tried(wavering, RunOutcome.GAVE_UP, StopReason.BUDGET, most))
                continue
            with self._stages.measure("reproduce"):
                provoked = provoke(wavering, self._ready.bench, self._suite, self._settings.protect, self._is_project)
            if isinstance(provoked, NotProvoked):
                repairs.append(_not_tried(wavering, RunOutcome.NOT_REPRODUCED, None, provoked.why))
                continue
            if healed := self._healed(provoked):
                repairs.append(healed)
                continue
            tried += 1
            repairs.append(self._one(provoked, tried))
        with self._stages.measure("combine"):
            patch, message = self._combined()
        outcome = worst([each.outcome for each in repairs])
        nothing = "" if repairs else "no flaky test whose cause was proven: there is nothing to repair"
        return Result(outcome, tuple(repairs), reason_of(repairs), message or nothing, patch)

    def _one(self, provoked: Provoked, number: int) -> RepairResult:
        tools, case = self._tools, provoked.case
        recorder = ForRepair(tools.recorder, number)
        with self._stages.measure("localize"):
            evidence, states, reached = self._evidence(provoked)
        record_locations(recorder, evidence.locations)
        proposer: Proposer = FlakyTemplates(provoked.wavering, states, reached, self._read)
        if self._plan.asks:
            proposer = AutoProposer(proposer, tools.proposer(self._ready.runtime, recorder))
        proving = Proving(provoked, self._plan.care)
        with self._stages.measure("repair"):
            ending = repair(
                evidence,
                case,
                proposer,
                provoked.bench,
                tools.budget,
                recorder,
                tools.clock,
                proving,
            )
        result = repair_result(case.cluster, ending, case.base)
        if isinstance(ending, Repaired):
            self._accepted.append((provoked, ending.verdict))
            assert proving.clean is not None
            result = _with_proof(result, provoked, proving.clean)
        recorder.record(
            EventKind.OUTCOME,
            outcome=result.outcome.value,
            reason=None if result.reason is None else result.reason.value,
            message=result.message,
            patch=result.patch,
            new_tests=[test.node_id for test in result.new_tests],
            tests=[{"id": each.id.node_id, "before": each.before, "after": each.after} for each in result.tests],
        )
        return result

    def _evidence(self, provoked: Provoked) -> tuple[Evidence, tuple[Shared, ...], dict[str, frozenset[int]]]:
        """What a proposer is told, the state in reach of the tests, and the lines that they executed."""
        wavering, case, tree = provoked.wavering, provoked.case, self._ready.checkout.path
        tests = tuple(dict.fromkeys((*wavering.proof.polluters, *wavering.proof.setters, wavering.test)))
        _, hits = self._ready.bench.run_with_hits(tests, purpose="coverage of the tests in the proof", spectrum=True)
        lines = {} if hits is None else hits.lines
        reached: dict[str, frozenset[int]] = {}
        for test in tests:
            for path, executed in lines.get(test, {}).items():
                reached[path] = reached.get(path, frozenset()) | executed
        product = sorted(path for path in reached if not is_test_path(path) and path.endswith(".py"))
        states = shared_states(product, self._read, reached)
        spectrum = Spectrum(lines, frozenset({wavering.test})) if lines else None
        marked = [
            Location(each.path, line, each.name, 1.0, f"changes {each.name}, which is kept between tests")
            for each in states
            for line in (each.line, *each.writers)
        ]
        polluting = [self._at(test) for test in wavering.proof.polluters]
        ranked = localize(case.cluster, spectrum, self._ready.changed, tree, is_test_path)
        locations = (*marked[:20], *(each for each in polluting if each is not None), *ranked)
        evidence = Evidence(
            cluster=case.cluster,
            base=case.base.report,
            output=head_tail(case.base.output, OUTPUT),
            locations=locations,
            excerpts=excerpt(locations, tree, EXCERPT_TOKENS, case.cluster),
            flaky=story(wavering, states),
        )
        return evidence, states, reached

    def _at(self, test: TestId) -> Location | None:
        text = self._read(test.file) or ""
        name = test.name.partition("[")[0]
        for number, line in enumerate(text.split("\n"), 1):
            if line.lstrip().startswith((f"def {name}(", f"async def {name}(")):
                return Location(test.file, number, name, 0.9, "a polluter: it leaves something behind")
        return None

    def _healed(self, provoked: Provoked) -> RepairResult | None:
        """What it comes to where a patch accepted before heals this test too, in as many clean runs as its own would be
        asked for; None where none does. That it fails without the patch was seen when it was provoked at base."""
        for _, verdict in self._accepted:
            clean = count(provoked, self._plan.care, verdict.applied)
            if clean.problem or not clean.provoked.runs:
                continue
            message = f"the patch of another repair of this run heals it too: {told(provoked, clean)}"
            if clean.whole:
                return _not_tried(provoked.wavering, RunOutcome.REPAIRED, None, message)
            return _not_tried(provoked.wavering, RunOutcome.NEEDS_REVIEW, StopReason.BUDGET, message)
        return None

    def _combined(self) -> tuple[str | None, str]:
        """The accepted patches as one, under each provocation; else None and why not."""
        if len(self._accepted) < 2:
            return (self._accepted[0][1].patch.text if self._accepted else None), ""
        combined = combine(tuple(verdict.applied for _, verdict in self._accepted), self._ready.checkout)
        if isinstance(combined, Refusal):
            return None, f"the patches do not combine and stand apart: {combined.message}"
        suite = self._ready.bench.run(None, combined.overlay, purpose="all patches together")
        expected = {case.id for _, one in self._accepted for case in one.after if case.outcome is Outcome.PASSED}
        passing = {case.id for case in suite.report or () if case.outcome is Outcome.PASSED}
        broken = suite.report is None or not passing.issuperset(expected)
        for provoked, _ in () if broken else self._accepted:
            run = provoked.bench.provoke((provoked.wavering.test,), combined.overlay, purpose="all patches together")
            case = None if run.report is None else run.report.by_id().get(provoked.wavering.test)
            broken = broken or run.problem != "" or not _passed(case)
        if broken:
            return None, "the patches pass one by one and not together, so they stand apart"
        return combined.patch.text, ""

    def _is_project(self, path: str) -> bool:
        return self._ready.checkout.read(path) is not None


def _with_proof(result: RepairResult, provoked: Provoked, clean: Clean) -> RepairResult:
    """What was counted, beside the patch; where it is less than a proof, a person has to look."""
    result = replace(result, flaky=_flaky_proof(provoked, clean))
    if result.reason is StopReason.LOW_CONFIDENCE and result.attempts[-1].engine == FlakyTemplates.name:
        result = replace(result, message=f"every gate is green; is the change meant? {result.risks}")
    if clean.whole:
        return result
    short = missing(clean)
    return replace(
        result,
        outcome=RunOutcome.NEEDS_REVIEW,
        reason=StopReason.BUDGET,
        message=f"{result.message}; {short}" if result.message else short,
        risks=f"{result.risks} {short[:1].upper()}{short[1:]}.".strip(),
    )


def _flaky_proof(provoked: Provoked, clean: Clean) -> FlakyProof:
    wavering, provocation = provoked.wavering, provoked.bench.provocation
    under = provocation.conditions
    return FlakyProof(
        cause=wavering.proof.cause.value,
        detail=wavering.proof.detail,
        tests=provocation.selection((wavering.test,)),
        repeat=under.repeat,
        hash_seed=under.hash_seed,
        zone=under.zone,
        clock=under.clock,
        threads=under.threads,
        open_files=under.open_files,
        workers=under.workers,
        also=in_words(under),
        before=wavering.before,
        after=clean.provoked,
        ordinary_before=wavering.ordinary,
        ordinary_after=clean.ordinary,
        scope=clean.scope,
        whole=clean.whole,
    )


def _passed(case: TestCase | None) -> bool:
    return case is not None and case.outcome is Outcome.PASSED


def _not_tried(wavering: Wavering, outcome: RunOutcome, reason: StopReason | None, message: str) -> RepairResult:
    known = wavering.known
    return RepairResult(
        (wavering.test,),
        "" if known is None else known.fingerprint,
        outcome,
        reason,
        message,
        "" if known is None else known.exception,
        "" if known is None else known.message,
    )
