"""Concurrency: what fails because things happen at once, within the test's own process or beside other tests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.evidence.types import TestId
from bot.flaky.ddmin import minimal
from bot.flaky.experiments.contrast import contrast
from bot.flaky.experiments.series import Result, Seen, Series, Variant, same_failure, told
from bot.flaky.experiments.surroundings import speaks_of_network
from bot.flaky.types import Cause, Failed, Proof, Trial, Tried
from bot.toolchains.types import Conditions

BELIEVED = 0.01
"""Fisher's p between a provocation that does not make it fail every time and the same without its cause."""

_LOOK = 3  # runs of a provocation in a first look
_NEIGHBOURS = 3
_WORKERS = 4
_MOST_BESIDE = 500  # tests that are run over and over: of more, each comes round too seldom
_THREAD_SECONDS = 1.0  # of rounds of the test, when threads take turns
_BESIDE_SECONDS = 3.0  # of rounds of the test, beside others
_MOST_ROUNDS = 100


@dataclass(slots=True)
class _Symptoms:
    """A race shows itself in several ways (a number that is too low, a file that is empty just then): each failure of
    these runs counts, and one of them at least has to be the one in question."""

    known: Failed | None
    seen: bool = False

    def __call__(self, failed: Failed) -> bool:
        if speaks_of_network(failed):
            return False
        self.seen = self.seen or self.known is None or same_failure(self.known, failed)
        return True


def concurrency(series: Series) -> Result:
    """Threads that take turns more often; other tests beside it; workers of the runner; one core."""
    series.alone()  # tells whether it starts threads, and how long it takes
    why: list[str] = []
    for experiment in (_threads, _beside, _workers, _one_core):
        result = experiment(series)
        if isinstance(result, tuple):
            return result
        why.append(result.why)
    return Tried(Cause.CONCURRENCY, "; ".join(dict.fromkeys(filter(None, why))))


def _threads(series: Series) -> Result:
    """A race within the process: threads take turns in the middle of things. Without the turns each line takes as long,
    so that it cannot be slowness."""
    often = Conditions(thread_turns="often")
    if reason := series.lab.unsupported(often):
        return _tried(reason)
    if not series.touched.threads:
        return _tried("it starts no threads")
    rounds = series.rounds(_THREAD_SECONDS, _MOST_ROUNDS)
    doses = (
        Variant("threads take turns every microsecond", replace(often, repeat=rounds)),
        Variant("threads take turns at every line", Conditions(thread_turns="lines", repeat=rounds)),
    )
    calm = Variant("threads take turns only where they wait", Conditions(thread_turns="seldom", repeat=rounds))
    symptoms = _Symptoms(series.suspect.failed)
    for dose in doses:
        if not series.trial(dose, _LOOK, until=Seen.FAILED, matches=symptoms).counts.failures:
            continue
        detail = f"{dose.label}; passes where {calm.label}"
        proof = series.prove(Cause.CONCURRENCY, detail, dose, calm, symptoms, BELIEVED)
        if proof is not None:
            return (proof,) if symptoms.seen else _tried(f"{dose.label}: it fails, in another way than in question")
    return _tried("threads that take turns more often make no difference")


def _beside(series: Series) -> Result:
    """A race with other tests: these run over and over beside it. Busy processes in their place make it as slow, and
    the same tests run before it leave behind the same: neither must make it fail."""
    if reason := series.lab.unsupported(Conditions(neighbours=_NEIGHBOURS)):
        return _tried(reason)
    alone = series.alone()
    if alone.counts.failures:
        return _tried(f"alone it {told(alone)}")
    near = tuple(test for test in series.others if test.file == series.test.file)
    everything = series.others if len(series.others) <= _MOST_BESIDE else ()
    for tests in dict.fromkeys(filter(None, (near, everything))):
        variant = _neighbours(series, tests)
        look = series.trial(variant, _LOOK, until=Seen.FAILED, matches=_Symptoms(series.suspect.failed))
        if look.counts.failures:
            return _partners(series, variant, tests, look)
    return _tried("passes beside other tests" if series.others else "no other test to run beside it")


def _neighbours(series: Series, tests: tuple[TestId, ...]) -> Variant:
    rounds = series.rounds(_BESIDE_SECONDS, _MOST_ROUNDS)
    named = ", ".join(test.node_id for test in tests[:3]) + (f" and {len(tests) - 3} more" if len(tests) > 3 else "")
    beside = () if tests == series.others else tuple(test.node_id for test in tests)
    conditions = Conditions(neighbours=_NEIGHBOURS, repeat=rounds, beside=beside)
    return Variant(f"{_NEIGHBOURS} processes run {named} beside it", conditions)


def _partners(series: Series, found: Variant, tests: tuple[TestId, ...], look: Trial) -> Result:
    """The least tests that do it, and the proof."""
    symptoms = _Symptoms(series.suspect.failed)
    more = series.trial(found, series.effort.look, matches=symptoms)
    counts = look.counts + more.counts

    def shows(chosen: tuple[TestId, ...]) -> bool:
        return bool(chosen) and series.trial(_neighbours(series, chosen), 1, matches=symptoms).counts.failures > 0

    least = minimal(tests, shows, counts.failures / counts.runs) or tests
    variant = _neighbours(series, least)
    conditions = replace(variant.conditions, neighbours=0, beside=(), load=_NEIGHBOURS)
    busy = Variant(f"{_NEIGHBOURS} busy processes in their place", conditions)
    proof = series.prove(Cause.CONCURRENCY, variant.label, variant, busy, symptoms, BELIEVED)
    if proof is None:
        return _tried("other tests beside it and busy processes in their place make no clear difference")
    if not symptoms.seen:
        return _tried("beside other tests it fails, in another way than in question")
    calm = Variant("the same tests before it", before=least)
    before = series.trial(calm, series.removed_runs, until=Seen.FAILED, matches=symptoms)
    if before.counts.failures or before.foreign:
        return _tried(f"after the same tests, in one process, it {told(before)}: their order is enough")
    return (Proof(Cause.CONCURRENCY, variant.label, (*proof.trials, before)),)


def _workers(series: Series) -> Result:
    """A runner that is no pytest: its own workers against one of them."""
    if not series.lab.unsupported(Conditions(neighbours=_NEIGHBOURS)):
        return _tried("")  # seen more surely already
    if not series.others:
        return _tried("")
    side = Variant(f"{_WORKERS} workers", Conditions(workers=_WORKERS), series.others)
    # The same tests one after the other: otherwise it would be their order, not that they ran at once.
    calm = (
        Variant("the same tests by one worker", before=series.others),
        Variant("one worker", Conditions(workers=1), series.others),
    )
    return contrast(series, Cause.CONCURRENCY, (side,), usual=calm)


def _one_core(series: Series) -> Result:
    """All cores against one, where the outcome wavers: a constant one that one core turns round is the platform's."""
    alone = series.alone().counts
    if alone.failures in (0, alone.runs):
        return _tried("")
    return contrast(
        series, Cause.CONCURRENCY, (Variant("one core", Conditions(one_core=True)),), usual=(Variant("as usual"),)
    )


def _tried(why: str) -> Tried:
    return Tried(Cause.CONCURRENCY, why)
