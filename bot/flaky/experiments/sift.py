"""Many causes ruled out at once: runs in which seeds, clock, zone, home, directories and threads all differ from the
ordinary. Where none of them fails, none of these causes is worth an experiment of its own; where one does, the same
delta debugging that finds polluters finds which of the circumstances it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from bot.flaky.ddmin import minimal
from bot.flaky.experiments.calendar import NOON, ZONES, calendar_edges, known_hours
from bot.flaky.experiments.contrast import contrast
from bot.flaky.experiments.series import Seen, Series, Variant
from bot.flaky.experiments.surroundings import DESCRIPTORS, speaks_of_files
from bot.flaky.experiments.within import in_the_second_round
from bot.flaky.types import Cause, Proof, Tried
from bot.toolchains.types import PLAIN, Conditions

Factor: TypeAlias = tuple[str, object]
"""A field of Conditions and its value."""

CAUSES: Mapping[str, Cause] = {
    # Where two circumstances are needed together, the first in this order names the cause.
    "clock": Cause.TIME,
    "zone": Cause.ZONE,
    "hash_seed": Cause.HASH_ORDER,
    "random_seed": Cause.RANDOMNESS,
    "repeat": Cause.NOT_IDEMPOTENT,
    "ports": Cause.FILES,
    "open_files": Cause.FILES,
    "fresh_home": Cause.FILES,
    "directory_order": Cause.FILES,
    "threads": Cause.PLATFORM,
}
_LEADS = 2
"""Failing runs that are taken apart."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """proof: the cause, where one was found. ruled_out: causes that need no experiment, and why."""

    proof: Proof | None
    ruled_out: frozenset[Cause] = frozenset()
    why: str = ""


def sift(series: Series) -> Sifted:
    """For a suspect that passes by itself; of one that wavers, such runs would tell nothing."""
    alone = series.alone()
    if alone.counts.failures or alone.foreign or not alone.counts.runs:
        return Sifted(None)
    calm: list[tuple[Factor, ...]] = []
    leads = 0
    varied: set[str] = set()
    made = 0
    for factors in _mixtures(series):
        made += 1
        varied.update(name for name, _ in factors)
        seen = series.once(Variant(f"{len(factors)} circumstances at once", _conditions(factors)))
        if seen is Seen.PASSED:
            calm.append(factors)
        elif seen is Seen.FAILED:
            leads += 1
            proof = _take_apart(series, factors, calm)
            if proof is not None:
                return Sifted(proof)
            if leads >= _LEADS:
                return Sifted(None)
    if len(calm) < made:
        return Sifted(None)
    why = f"passed in {made} runs that changed all of {', '.join(sorted(varied))} at once"
    return Sifted(None, frozenset(cause for name, cause in CAUSES.items() if name in varied), why)


def _mixtures(series: Series) -> Iterator[tuple[Factor, ...]]:
    """As many as a sweep has seeds; what is known to have failed comes first, the calendar's edges all have a turn."""
    dates = [*known_hours(series), *calendar_edges()]
    known = series.suspect.failed
    for number in range(max(series.effort.seeds, len(dates))):
        date = dates[number % len(dates)].conditions
        wanted: list[Factor] = [
            ("hash_seed", number),
            ("random_seed", number),
            ("clock", date.clock),
            ("zone", date.zone or ZONES[number % len(ZONES)]),
            ("repeat", 2),
            ("fresh_home", True),
            ("directory_order", "sorted" if number % 2 else "reversed"),
            ("threads", 8 if number % 2 else 1),
        ]
        if series.touched.ports:
            wanted.append(("ports", tuple(port for port in series.touched.ports if port)[:8]))
        if number % 2 and (known is None or speaks_of_files(known)):
            wanted.append(("open_files", DESCRIPTORS))
        able = tuple(factor for factor in wanted if not series.lab.unsupported(_conditions((factor,))))
        if able:
            yield able


def _take_apart(series: Series, factors: tuple[Factor, ...], calm: list[tuple[Factor, ...]]) -> Proof | None:
    def shows(chosen: tuple[Factor, ...]) -> bool:
        return series.once(Variant(f"{len(chosen)} of its circumstances", _conditions(chosen))) is Seen.FAILED

    found = minimal(factors, shows, 1.0)
    if not found:
        return None
    names = {name for name, _ in found}
    cause = next(cause for name, cause in CAUSES.items() if name in names)
    conditions = _conditions(found)
    result = contrast(series, cause, (Variant(_told(found), conditions),), usual=_without(cause, conditions, calm))
    if cause is Cause.NOT_IDEMPOTENT:
        result = in_the_second_round(series, result)
    return None if isinstance(result, Tried) else result[0]


def _without(cause: Cause, conditions: Conditions, calm: list[tuple[Factor, ...]]) -> tuple[Variant, ...]:
    """The same run without its cause: an ordinary noon, UTC, a seed that passed, or the field as it usually is."""
    if cause is Cause.TIME:
        noon = replace(conditions, clock=NOON.conditions.clock)
        return (Variant(NOON.label + (f" in {noon.zone}" if noon.zone else ""), noon),)
    if cause is Cause.ZONE:
        return (Variant("TZ=UTC", replace(conditions, zone="UTC")),)
    if cause is Cause.HASH_ORDER or cause is Cause.RANDOMNESS:
        field = "hash_seed" if cause is Cause.HASH_ORDER else "random_seed"
        seeds = [value for factors in calm for name, value in factors if name == field]
        others = [each for each in (*seeds, *range(100, 104)) if isinstance(each, int)]
        label = field.replace("_", " ")
        return tuple(
            Variant(
                f"{label} {seed}",
                replace(conditions, hash_seed=seed)
                if cause is Cause.HASH_ORDER
                else replace(conditions, random_seed=seed),
            )
            for seed in others[:4]
        )
    return (Variant("everything as usual"),)


def _conditions(factors: tuple[Factor, ...]) -> Conditions:
    return replace(PLAIN, **dict(factors))  # type: ignore[arg-type]  # the names are those of CAUSES


def _told(factors: tuple[Factor, ...]) -> str:
    words = {
        "hash_seed": "hash seed {}",
        "random_seed": "random seed {}",
        "clock": "the clock at {}",
        "zone": "TZ={}",
        "repeat": "{} times in one process",
        "ports": "TCP ports held by another: {}",
        "open_files": "at most {} open files",
        "fresh_home": "a new and empty home",
        "directory_order": "directories {}",
        "threads": "threads of numeric libraries: {}",
    }
    shown = ((name, ", ".join(map(str, value)) if isinstance(value, tuple) else value) for name, value in factors)
    return " and ".join(words[name].format(value) for name, value in shown)
