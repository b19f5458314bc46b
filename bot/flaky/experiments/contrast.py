"""The experiment that most causes share: the same test under variants of one condition, until one variant fails and
another passes; then the counterfactual of the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.flaky.experiments.series import Result, Seen, Series, Variant, effective
from bot.flaky.types import Cause, Failed, Proof, Trial, Tried

_CANDIDATES = 3
"""Variants that fail once and then do not fail every time: after so many the cause is another."""


def contrast(
    series: Series,
    cause: Cause,
    variants: Sequence[Variant],
    *,
    usual: Sequence[Variant] = (),
    matches: Callable[[Failed], bool] | None = None,
) -> Result:
    """Sweep `variants` for one that fails, and prove it against one that passes: the first of `usual` that does, or
    else of `variants`.

    Variants that the lab cannot bring about are left out; where none is left, that is the reason given.
    """
    able = [variant for variant in variants if not series.lab.unsupported(effective(variant))]
    calm = [variant for variant in usual if not series.lab.unsupported(effective(variant))]
    if not able:
        return Tried(cause, series.lab.unsupported(effective(variants[0])) if variants else "nothing to vary")
    passing: list[Variant] = []
    failing: list[Variant] = []
    trials: list[Trial] = []
    foreign = 0
    for variant in able:
        if len(failing) >= _CANDIDATES:
            break
        trial = series.trial(variant, 1, matches=matches)
        foreign += trial.foreign
        if trial.counts.failures:
            proof = _against(series, cause, variant, [*calm, *passing], matches, trials)
            if proof is not None:
                return (proof,)
            failing.append(variant)
        elif trial.counts.runs:
            passing.append(variant)
            # The first that passes may be what an earlier failing one lacked.
            for earlier in failing if len(passing) == 1 and not calm else ():
                proof = _against(series, cause, earlier, passing, matches, trials)
                if proof is not None:
                    return (proof,)
    return Tried(cause, _why(able, passing, failing, foreign, series.problem), tuple(trials))


def _against(
    series: Series,
    cause: Cause,
    failing: Variant,
    passing: Sequence[Variant],
    matches: Callable[[Failed], bool] | None,
    trials: list[Trial],
) -> Proof | None:
    """The proof of `failing` against the first of `passing` that passes twice, None where there is none."""
    for calm in passing:
        look = series.trial(calm, 2, until=Seen.FAILED, matches=matches)
        if look.counts.failures or look.foreign or not look.counts.runs:
            trials.append(look)
            continue
        proof = series.prove(cause, f"{failing.label}; passes with {calm.label}", failing, calm, matches)
        if proof is not None:
            return proof
    return None


def _why(
    able: Sequence[Variant], passing: Sequence[Variant], failing: Sequence[Variant], foreign: int, problem: str
) -> str:
    if foreign and not failing:
        return f"failed in another way in {foreign} of {len(able)} variants, which is no reproduction"
    if not failing and not passing:
        return f"no run gave an answer: {problem}"
    if not failing:
        return f"passed under all {len(passing)} variants ({able[0].label} … {able[-1].label})"
    if not passing:
        return f"failed under every variant tried ({failing[0].label} … {failing[-1].label})"
    return f"{failing[0].label} failed once, but not every time while the other variants passed every time"
