"""Publishing a triage: the night onto the data branch, the dashboard, the page, the ledger's line.

Killed anywhere and run again it ends in the same state; what one part loses does not take the others with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bot.commands.action_handed import read_handed
from bot.commands.action_history import Known, known
from bot.commands.action_output import StepFiles, say
from bot.commands.action_picture import Picture, draw
from bot.commands.action_site import Site
from bot.commands.triage import REPORT, SUMMARY
from bot.errors import SandboxError
from bot.flaky.carried import keep
from bot.flaky.types import Kind, Night
from bot.propose.types import StopReason
from bot.publish.flaky_report import to_json
from bot.publish.flaky_summary import render_summary
from bot.publish.flaky_text import headline
from bot.publish.parts import Parts
from bot.publish.untrusted import markdown, one_line
from bot.result import RunOutcome
from bot.trigger.ledger import Ledger
from bot.trigger.types import Claim, Triage

FOLDER = "grokfix-flaky"
"""Below the workspace: what the publishing job uploads for people."""


@dataclass(frozen=True, slots=True)
class Published:
    """outcome: flaky, gave_up (broken tests), no_failures; stopped where no shard handed in anything."""

    outcome: RunOutcome
    reason: StopReason | None
    problems: tuple[str, ...]


def publish_night(site: Site, claim: Claim, folder: Path, files: StepFiles) -> Published:
    """Publish what the shards left in `folder`. ForgeError where the data branch cannot be read: nothing is said then
    of a history that nobody has seen."""
    command = claim.trigger.command
    assert isinstance(command, Triage)
    parts, history = Parts(), known(site, claim)
    handed = read_handed(site, claim, folder, history.scan)
    told = list(handed.problems)
    silent = command.shards > 0 and not handed.nights
    if silent:
        told.append("no shard handed in anything: what stands here is what was known before")
    picture = draw(site, claim, history, handed.nights, command.shards or None, told)
    if handed.nights and picture.night is not None:
        night = replace(picture.night, scan=None, changes=picture.changes)
        parts.do("keep the night", lambda: _keep(site, night, history), decisive=True)
    outcome, reason = _outcome(picture, silent)
    _show(site, picture, parts, files, outcome, reason)
    seconds = sum(record.seconds for night in handed.nights for record in night.records)
    parts.do(
        "end the attempt in the ledger",
        lambda: Ledger(site.forge, site.clock).end(
            claim.attempt,
            outcome=outcome.value,
            reason="" if reason is None else reason.value,
            minutes=None if silent else seconds / 60,
            cost_usd=0.0,
        ),
        decisive=True,
    )
    for problem in parts.problems:
        say(site.redactor.redact(problem))
    return Published(outcome, reason, tuple(parts.problems))


def _keep(site: Site, night: Night, history: Known) -> bool:
    return keep(site.forge, site.clock, night, prune=history.older, aside=history.aside)


def _outcome(picture: Picture, silent: bool) -> tuple[RunOutcome, StopReason | None]:
    kinds = {verdict.kind for verdict in picture.triage.verdicts}
    if silent:
        return RunOutcome.STOPPED, StopReason.INFRASTRUCTURE
    if Kind.FLAKY in kinds:
        return RunOutcome.FLAKY, StopReason.NEEDS_HUMAN
    if Kind.BROKEN in kinds:
        return RunOutcome.GAVE_UP, StopReason.NEEDS_HUMAN
    return RunOutcome.NO_FAILURES, None


def _show(
    site: Site,
    picture: Picture,
    parts: Parts,
    files: StepFiles,
    outcome: RunOutcome,
    reason: StopReason | None,
) -> None:
    """Report and page as files to be uploaded, the summary in the job's own."""
    triage = picture.triage
    summary = render_summary(triage)
    if parts.problems:
        lines = "".join(f"- {markdown(one_line(problem, 400))}\n" for problem in parts.problems)
        summary += f"\nNot everything could be done:\n\n{lines}"
    place = Path(site.context.workspace or ".") / FOLDER
    contents = {REPORT: to_json(triage, picture.weeks), SUMMARY: summary}
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (place / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SandboxError(f"cannot write {place}: {error.strerror}; free disk space") from error
    files.summary(summary)
    files.output(
        outcome=outcome.value,
        reason="" if reason is None else reason.value,
        result=f"{FOLDER}/{REPORT}",
        bundle=FOLDER,
    )
    say(headline(triage))
