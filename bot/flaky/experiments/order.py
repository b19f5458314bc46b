"""Order: a victim fails after certain tests and passes without them, a brittle test passes only after certain tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.evidence.types import TestId
from bot.flaky.ddmin import minimal, repeats_for
from bot.flaky.experiments.series import Result, Seen, Series, Variant, told
from bot.flaky.types import Cause, Proof, RunRecord, Trial, Tried
from bot.toolchains.types import PLAIN, Conditions

_SETS = 4
"""Sets of tests that pollute independently of each other: so many are looked for."""

_KNOWN_ORDERS = 3
_BELIEVED = 0.001
"""Fisher's p of a polluter that does not make its victim fail every time."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a set of tests run before the suspect does to it: it shows `seen`, and never without them."""

    cause: Cause
    seen: Seen


def victim(series: Series) -> Result:
    """Passes alone; fails after the minimal sets of tests that are found. One proof a set."""
    return _order(series, _Effect(Cause.VICTIM, Seen.FAILED), series.suspect.failing)


def brittle(series: Series) -> Result:
    """Fails alone; passes after the minimal set of tests that sets up what it needs."""
    return _order(series, _Effect(Cause.BRITTLE, Seen.PASSED), series.suspect.passing)


def _order(series: Series, effect: _Effect, known: Sequence[RunRecord]) -> Result:
    if why := series.lab.unsupported(Conditions(in_order=True)):
        return Tried(effect.cause, why)
    alone = series.alone()
    shown = alone.counts.failures if effect.seen is Seen.FAILED else alone.counts.runs - alone.counts.failures
    if shown or not alone.counts.runs:
        return Tried(effect.cause, f"alone it {told(alone)}", (alone,))
    looked = silent = 0
    for variant in _orders(series, known):
        trial = _rate(series, variant, effect)
        silent += not trial.counts.runs and not trial.foreign
        looked += 1
        rate = _share(trial, effect)
        if rate:
            return _reduce(series, effect, variant, rate)
    word = "passed" if effect.seen is Seen.FAILED else "failed"
    if looked and silent == looked:
        return Tried(effect.cause, f"no run in another order gave an answer: {series.problem}", (alone,))
    return Tried(effect.cause, f"{word} alone and in {looked - silent} orders of the suite", (alone,))


def _orders(series: Series, known: Sequence[RunRecord]) -> Iterator[Variant]:
    """Orders in which the effect was seen, shortest first; then all others before the suspect, forwards and back."""
    suite = set(series.lab.suite)
    before = (
        (tuple(test for test in record.tests[: record.tests.index(series.test)] if test in suite), record)
        for record in known
        if record.whole or record.conditions.in_order
    )
    usable = sorted(((tests, record) for tests, record in before if tests), key=lambda each: len(each[0]))
    for tests, record in usable[:_KNOWN_ORDERS]:
        conditions = replace(record.conditions, repeat=1, workers=0)
        where = PLAIN if series.lab.unsupported(conditions) else conditions
        yield Variant(f"the order of {record.key}", where, tests)
    if series.others:
        yield Variant("after all other tests", PLAIN, series.others)
        yield Variant("after all other tests, reversed", PLAIN, series.others[::-1])


def _rate(series: Series, variant: Variant, effect: _Effect) -> Trial:
    """A look at an order: two runs, and more once the effect was seen, for its rate."""
    trial = series.trial(variant, 2)
    if not _share(trial, effect):
        return trial
    more = series.trial(variant, series.effort.look)
    return replace(trial, counts=trial.counts + more.counts, foreign=trial.foreign + more.foreign)


def _share(trial: Trial, effect: _Effect) -> float:
    runs, failures = trial.counts.runs, trial.counts.failures
    return (failures if effect.seen is Seen.FAILED else runs - failures) / runs if runs else 0.0


def _reduce(series: Series, effect: _Effect, order: Variant, rate: float) -> Result:
    """The minimal sets: one after the other is found and taken away, until what is left has no effect."""
    sets: list[tuple[TestId, ...]] = []
    rest = order.before

    def shows(before: tuple[TestId, ...]) -> bool:
        return (
            series.once(replace(order, label=f"after {len(before)} of {len(order.before)}", before=before))
            is effect.seen
        )

    while len(sets) < _SETS:
        found = minimal(rest, shows, rate)
        if found == ():
            return Tried(effect.cause, "the conditions of that order do it without any test before")
        if found is None:
            break
        sets.append(found)
        rest = tuple(test for test in rest if test not in found)
        if not rest or not any(shows(rest) for _ in range(repeats_for(rate))):
            break
    if not sets:
        return Tried(effect.cause, f"{order.label} does it, but no part of it does so again and again")
    proofs = tuple(
        proof for each in sets if (proof := _prove(series, effect, order, each, rest, len(sets))) is not None
    )
    return proofs or Tried(effect.cause, "what was found did not stand its counterfactual")


def _prove(
    series: Series, effect: _Effect, order: Variant, found: tuple[TestId, ...], rest: tuple[TestId, ...], sets: int
) -> Proof | None:
    names = " and ".join(test.node_id for test in found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    other = f" (one of {sets} sets that do so)" if sets > 1 else ""
    after, without = replace(order, before=found), replace(order, before=rest)
    if effect.cause is Cause.BRITTLE:
        detail = f"fails unless {names} ran before{other}"
        lone = replace(order, label="alone", before=())
        proof = series.prove(effect.cause, detail, lone, replace(after, label="after what it needs"))
        if proof is None:
            return None
        trials = proof.trials
        if rest:
            trials += (series.trial(replace(without, label="after all others"), 2, until=Seen.PASSED),)
        return Proof(effect.cause, detail, trials, setters=found)
    detail = f"fails after {names}{other}"
    after, without = replace(after, label="after the polluters"), replace(without, label="after all others")
    proof = series.prove(effect.cause, detail, after, without, believed=_BELIEVED)
    return None if proof is None else replace(proof, polluters=found)
