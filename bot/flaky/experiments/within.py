"""Causes within the process: what a test leaves behind for itself, the order of hashes, random numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.flaky.experiments.contrast import contrast
from bot.flaky.experiments.series import Result, Series, Variant
from bot.flaky.types import Cause, Tried
from bot.toolchains.types import Conditions


def not_idempotent(series: Series) -> Result:
    """Twice in one process: the second time fails, though once passes every time."""
    twice = Variant("twice in one process", Conditions(repeat=2))
    return in_the_second_round(series, contrast(series, Cause.NOT_IDEMPOTENT, (twice,), usual=(Variant("once"),)))


def in_the_second_round(series: Series, result: Result) -> Result:
    """`result` where every provoked run passed first and failed then, as far as the runner told of its rounds."""
    if isinstance(result, Tried):
        return result
    proof = result[0]
    rounds = [series.seen_rounds.get(key, "") for trial in (proof.trials[0], proof.trials[2]) for key in trial.keys]
    early = sum(word.startswith("f") for word in rounds)
    if early:
        return Tried(proof.cause, f"failed in the first round already in {early} of {len(rounds)} runs", proof.trials)
    told = "; passed first and failed then in every run" if all(rounds) else ""
    return (replace(proof, detail=proof.detail + told),)


def hash_order(series: Series) -> Result:
    """A sweep of hash seeds: some fail every time, others pass every time. Random numbers are held still meanwhile."""
    still = None if series.lab.unsupported(Conditions(random_seed=0)) else 0
    seeds = _seeds((record.conditions.hash_seed for record in series.suspect.failing), series.effort.seeds)
    variants = [Variant(f"hash seed {seed}", Conditions(hash_seed=seed, random_seed=still)) for seed in seeds]
    return contrast(series, Cause.HASH_ORDER, variants)


def randomness(series: Series) -> Result:
    """A sweep of random seeds: with one the verdict is constant, and two differ. Hashes are held still meanwhile."""
    still = None if series.lab.unsupported(Conditions(hash_seed=0)) else 0
    seeds = _seeds((record.conditions.random_seed for record in series.suspect.failing), series.effort.seeds)
    variants = [Variant(f"random seed {seed}", Conditions(random_seed=seed, hash_seed=still)) for seed in seeds]
    return contrast(series, Cause.RANDOMNESS, variants)


def _seeds(known: Iterable[int | None], most: int) -> tuple[int, ...]:
    """Seeds that are known to fail lead the sweep."""
    seen = [seed for seed in known if seed is not None]
    return tuple(dict.fromkeys((*seen[:4], *range(most))))
