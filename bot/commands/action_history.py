"""What triage inside GitHub Actions knows of earlier runs: read on from the API by the job that claims, and carried on
the data branch, where the other jobs find it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.commands.action_output import say
from bot.commands.action_site import Site
from bot.flaky.carried import Carried, keep
from bot.flaky.ingest import Wanted, ingest
from bot.flaky.merge import union
from bot.flaky.types import Night, RunRecord, Scan, Shard
from bot.trigger.types import Claim, Triage

NIGHTLY = "night-"
"""How the names of our sessions begin; those of readings of CI's history begin otherwise."""
_DAY = 86_400.0
_UNREAD = Scan(0.0, 0.0, complete=False, problems=("this night's reading of it is not on the data branch",))


@dataclass(frozen=True, slots=True)
class Known:
    """nights: carried ones, oldest first. scan: how far CI's runs in them were read, None where nobody ever did.

    problems: what could not be read, sentences of untrusted parts. aside: paths of those files; older: names of nights
    that are kept no longer.
    """

    nights: tuple[Night, ...]
    scan: Scan | None
    problems: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    older: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[RunRecord, ...]:
        return union(self.nights)


def session_of(claim: Claim) -> str:
    """Name that the shards of one triage share; run again it is the same."""
    return f"{NIGHTLY}{claim.attempt}"


def read_on(site: Site, claim: Claim, problems: tuple[str, ...] = ()) -> None:
    """Read what CI ran since the last time, page by page onto the data branch: killed anywhere, the next time goes on
    there. ForgeError where the branch cannot be written; what the API does not tell is in the scan.

    problems: of what was done before, for the jobs that tell people (`known`)."""
    carried = Carried(site.forge)
    cursor = carried.cursor()
    settings, now = site.settings, site.clock.now()
    wanted = Wanted(
        settings.triggers.artifacts,
        days=settings.triage.days,
        workflows=settings.triage.workflows,
        without=tuple(filter(None, ("grokfix", site.context.workflow))),
    )
    prune, aside = carried.older(now - settings.triage.kept_days * _DAY), tuple(carried.aside)
    for problem in carried.problems:
        say(site.redactor.redact(problem))
    for page in ingest(site.forge, wanted, cursor, site.clock):
        night = Night(
            session=_reading_of(claim),
            shard=Shard(),
            at=now,
            commit=claim.trigger.sha,
            environment="",
            records=page.records,
            scan=page.scan,
            problems=problems,
        )
        keep(site.forge, site.clock, night, page.cursor, prune=prune, aside=aside)
        prune, aside = (), ()
        say(f"history: {len(page.records)} more runs of tests; {page.scan.runs} workflow runs looked at")
    for problem in page.scan.problems:
        say(site.redactor.redact(f"history: {problem}"))


def known(site: Site, claim: Claim | None = None) -> Known:
    """All that is carried, as it is at this moment. Two calls, and one for each night. claim: of a night, to know by
    which reading of the history it has to go."""
    carried = Carried(site.forge)
    limits, now = site.settings.triage, site.clock.now()
    nights = tuple(sorted(carried.nights(since=now - limits.kept_days * _DAY), key=lambda night: night.at))
    readings = [night for night in nights if night.scan is not None]
    command = None if claim is None else claim.trigger.command
    if claim is not None and isinstance(command, Triage) and command.is_night:
        # An older reading does not know whether this one was cut short.
        readings = [night for night in readings if night.session == _reading_of(claim)]
        scan = readings[-1].scan if readings else _UNREAD
    else:
        scan = readings[-1].scan if readings else None
    told = () if claim is None else (night.problems for night in nights if night.session == _reading_of(claim))
    return Known(
        nights,
        scan,
        (*carried.problems, *(problem for problems in told for problem in problems)),
        tuple(carried.aside),
        carried.older(now - limits.kept_days * _DAY),
    )


def _reading_of(claim: Claim) -> str:
    return f"history-{claim.attempt}"
