"""Waiting: what fails because the machine is busy."""

from __future__ import annotations

from dataclasses import replace

from bot.flaky.experiments.series import Result, Seen, Series, Variant, always, told
from bot.flaky.statistics import fisher_exact
from bot.flaky.types import Cause, Counts, Proof, Trial, Tried
from bot.toolchains.types import Conditions

_BELIEVED = 0.01
"""Fisher's p between the strongest dose and none."""

_DOSES = (Conditions(cpu_share=0.5), Conditions(cpu_share=0.25), Conditions(cpu_share=0.1))
_LOADS = (Conditions(load=2), Conditions(load=4), Conditions(load=8), Conditions(load=16))
_RUNS = 3
"""Of a trial under a dose: each takes as much longer as the dose is strong. 6 of 6 against 0 of 5 is p = 0.002."""


def waiting(series: Series) -> Result:
    """The rate of failures must rise with the dose: a share of the processor, or else load beside the test."""
    why: list[str] = []
    for doses in (_DOSES, _LOADS):
        if reason := series.lab.unsupported(doses[-1]):
            why.append(reason)
            continue
        result = _dose(series, doses)
        if isinstance(result, tuple):
            return result
        why.append(result.why)
    return Tried(Cause.WAITING, "; ".join(why))


def _dose(series: Series, doses: tuple[Conditions, ...]) -> Result:
    """Stronger and stronger until it fails every time; then the counts at that dose, at none, and at a milder one."""
    runs = _RUNS
    weaker: list[Variant] = []
    trials: list[Trial] = []
    for conditions in doses:
        strongest = Variant(_label(conditions), conditions)
        first = series.trial(replace(strongest, label=f"provoked: {strongest.label}"), runs, until=Seen.PASSED)
        trials.append(first)
        if always(first, runs):
            break
        weaker.append(strongest)
    else:
        return Tried(Cause.WAITING, f"not every run failed under any dose up to {_label(doses[-1])}", tuple(trials))
    none = series.trial(Variant("removed: the whole processor"), series.removed_runs)
    again = series.trial(replace(strongest, label=f"provoked again: {strongest.label}"), runs, until=Seen.PASSED)
    milder = series.trial(weaker[-1], runs) if weaker else None
    provoked = first.counts + again.counts
    rates = [_rate(none.counts), *([_rate(milder.counts)] if milder is not None else []), _rate(provoked)]
    certain = fisher_exact(provoked, none.counts) <= _BELIEVED
    if not certain or not always(again, runs) or rates != sorted(rates) or none.foreign:
        return Tried(Cause.WAITING, "the rate of failures did not rise with the dose", (*trials, none, again))
    steps = [f"without {told(none)}", *([f"{milder.label} {told(milder)}"] if milder is not None else [])]
    detail = f"{strongest.label}: failed {provoked.failures} of {provoked.runs}; {'; '.join(steps)}"
    return (Proof(Cause.WAITING, detail, (first, none, again, *([milder] if milder is not None else []))),)


def _rate(counts: Counts) -> float:
    return counts.failures / counts.runs if counts.runs else 0.0


def _label(conditions: Conditions) -> str:
    if conditions.load:
        return f"{conditions.load} busy processes beside it"
    return f"{conditions.cpu_share:.0%} of the processor"
