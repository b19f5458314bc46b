"""Nights that died: their shards handed in what they saw, and nobody published it. The next night takes it over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bot.commands.action_handed import read_handed
from bot.commands.action_history import session_of
from bot.commands.action_output import say
from bot.commands.action_site import Site
from bot.commands.triage_files import NIGHT
from bot.errors import ForgeError
from bot.evidence.artifact import members
from bot.evidence.text import one_line
from bot.flaky.carried import keep
from bot.flaky.merge import merge
from bot.flaky.nights import LIMIT_BYTES
from bot.flaky.types import Night
from bot.ports import ArtifactInfo, Missing
from bot.publish.flaky_words import day
from bot.result import RunOutcome
from bot.trigger.entry import Entry
from bot.trigger.ledger import Ledger
from bot.trigger.types import Claim, Triage

ARTIFACT = "grokfix-night-"
"""How the names of the shards' artifacts begin; their number from 0 on follows."""
MOST = 3
"""Earlier attempts that one night looks after."""

_ZIP_LIMIT = 96 << 20


def take_over(site: Site, claim: Claim) -> tuple[str, ...]:
    """Keep what the shards of unfinished nights handed in, by the same checks as in a night that was published, and end
    those attempts in the ledger. Sentences on what was taken over and what is lost, of untrusted parts; what the code
    host does not give now, the next night asks for again."""
    ledger = Ledger(site.forge, site.clock)
    told: list[str] = []
    try:
        attempts = [
            entry
            for entry in ledger.entries()
            if isinstance(entry.trigger.command, Triage) and entry.attempt != claim.attempt
        ]
        for entry in ledger.abandoned(attempts, site.own, MOST):
            told += _take(site, ledger, entry)
    except ForgeError as error:
        told.append(f"what nights that died have left could not all be taken over: {error}")
    for problem in told:
        say(site.redactor.redact(problem))
    return tuple(map(site.redactor.redact, told))


def _take(site: Site, ledger: Ledger, entry: Entry) -> Iterator[str]:
    command = entry.trigger.command
    shards = command.shards if isinstance(command, Triage) else 0
    folder = site.scratch / f"died-{entry.attempt}"
    folder.mkdir()
    called = f"the triage of {day(entry.begun)} (attempt {entry.attempt}) died before it was published"
    found = _artifacts(site, entry) if shards else {}
    problems = []
    for number in range(shards):
        why = _unpack(site, found.get(f"{ARTIFACT}{number}"), folder / str(number))
        if why:
            problems.append(f"{called}; what shard {number + 1} of {shards} saw is lost: {why}")
    handed = read_handed(site, entry.claim, folder, None)
    problems += [f"{called}: {problem}" for problem in handed.problems]
    seconds = sum(record.seconds for night in handed.nights for record in night.records)
    if handed.nights:
        keep(site.forge, site.clock, _night(entry, handed.nights, shards, problems))
        problems.append(f"{called}; {len(handed.nights)} of {shards} shards' runs were taken over")
    # Last: killed before this, the next night begins with it again, and what is kept twice is kept once.
    ledger.end(
        entry.attempt,
        outcome=RunOutcome.STOPPED.value,
        reason="infrastructure",
        minutes=seconds / 60 if handed.nights else None,
        cost_usd=entry.cost_usd,
    )
    yield from problems


def _night(entry: Entry, nights: tuple[Night, ...], shards: int, problems: list[str]) -> Night:
    """As its own publishing job would have kept it, without what follows for tests' states: tonight tells that."""
    night = merge(nights, shards, session_of(entry.claim)).night
    return replace(night, scan=None, changes=(), problems=(*night.problems, *problems))


def _artifacts(site: Site, entry: Entry) -> Mapping[str, ArtifactInfo]:
    """By name, of each the newest: a second attempt of the run writes them over."""
    listed = sorted(site.forge.artifacts(entry.own.id), key=lambda artifact: artifact.id)
    return {artifact.name: artifact for artifact in listed if artifact.name.startswith(ARTIFACT)}


def _unpack(site: Site, artifact: ArtifactInfo | None, folder: Path) -> str:
    """Put the night of an artifact into `folder`; why that cannot be done, "" where it can."""
    if artifact is None:
        return "it left no artifact"
    if artifact.expired:
        return "its artifact has expired"
    data = site.forge.download(artifact, _ZIP_LIMIT)
    if isinstance(data, Missing):
        return one_line(data.reason, 200)
    inside = members(data, {NIGHT: LIMIT_BYTES})
    if isinstance(inside, str):
        return one_line(inside, 200)
    if NIGHT not in inside:
        return f"its artifact holds no {NIGHT}"
    folder.mkdir()
    (folder / NIGHT).write_bytes(inside[NIGHT])
    return ""
