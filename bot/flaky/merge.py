"""Nights put together: the shards of one session, or whatever nights there are. The order never matters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.flaky.nights import digest, dump
from bot.flaky.types import Night, RunRecord, Scan, Shard

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Merged:
    """One session. shards: those that handed in; lost: numbers of those that did not. What did not fit together stands
    in `night.problems`."""

    night: Night
    shards: tuple[Shard, ...]
    lost: tuple[int, ...]


def merge(nights: Iterable[Night], of: int | None = None, session: str = "") -> Merged:
    """The shards of one session as one night. of: how many there should be (None: as they say themselves). session: ""
    is the newest.

    Nights of other sessions and shards of another commit, environment or count are left out, and told. A lost shard is
    reported, not guessed. ValueError where there is no night of that session.
    """
    written = {dump(night): night for night in nights}
    known = [written[data] for data in sorted(written)]
    wanted = session or max(known, key=lambda night: (night.at, night.session)).session if known else session
    ours = [night for night in known if night.session == wanted]
    if not ours:
        raise ValueError(
            f"none of {len(known)} nights is of the session {wanted!r}; look at the folders that were given"
        )
    kinds: defaultdict[tuple[str, str, int], list[Night]] = defaultdict(list)
    for night in ours:
        kinds[night.commit, night.environment, night.shard.of].append(night)
    main = max(kinds, key=lambda kind: (len({night.shard.number for night in kinds[kind]}), kind))
    fitting = sorted(kinds[main], key=lambda night: night.shard.number)  # stable: those of one number stay as they were
    strangers = sorted({night.session for night in known} - {wanted})
    problems = [f"nights of other sessions were left out: {', '.join(strangers)}"] if strangers else []
    problems += [
        f"shard {night.shard.number} of {night.shard.of} was left out: it ran at {night.commit or 'no commit'} in "
        f"{night.environment}, the others at {main[0] or 'no commit'} in {main[1]} as one of {main[2]}"
        for kind, others in sorted(kinds.items())
        if kind != main
        for night in others
    ]
    numbers = sorted({night.shard.number for night in fitting})
    problems += [
        f"shard {number} was handed in more than once; its runs were united"
        for number in numbers
        if sum(night.shard.number == number for night in fitting) > 1
    ]
    expected = of or main[2]
    lost = tuple(number for number in range(1, expected + 1) if number not in numbers)
    night = Night(
        session=wanted,
        shard=Shard(),
        at=min(night.at for night in fitting),
        commit=main[0],
        environment=main[1],
        records=union(fitting),
        findings=_once(finding for night in fitting for finding in night.findings),
        regressions=_once(found for night in fitting for found in night.regressions),
        changes=_once(change for night in fitting for change in night.changes),
        scan=_scans([night.scan for night in fitting if night.scan is not None]),
        problems=_once([*(problem for night in fitting for problem in night.problems), *problems]),
    )
    return Merged(night, tuple(Shard(number, expected) for number in numbers), lost)


def union(nights: Iterable[Night]) -> tuple[RunRecord, ...]:
    """All their records, each key once, by time; of two that differ under one key always the same one."""
    records: dict[str, RunRecord] = {}
    for night in nights:
        for record in night.records:
            known = records.get(record.key)
            if known is None or (known != record and digest(record) < digest(known)):
                records[record.key] = record
    return tuple(sorted(records.values(), key=lambda record: (record.at, record.key)))


def _once(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def _scans(scans: list[Scan]) -> Scan | None:
    """One reading of the history is told by every shard that was given it; parts of one reading add up."""
    distinct = _once(scans)
    if not distinct:
        return None
    return replace(
        distinct[0],
        since=min(scan.since for scan in distinct),
        until=max(scan.until for scan in distinct),
        complete=all(scan.complete for scan in distinct),
        runs=sum(scan.runs for scan in distinct),
        carried_over=sum(scan.carried_over for scan in distinct),
        infrastructure=sum(scan.infrastructure for scan in distinct),
        problems=_once(problem for scan in distinct for problem in scan.problems),
    )
