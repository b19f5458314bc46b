"""Publishing a triage: the night onto the data branch, the dashboard, the page, the ledger's line.

Killed anywhere and run again it ends in the same state; what one part loses does not take the others with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bot.commands.action_dashboard import bring_up_to_date, owners_of
from bot.commands.action_handed import read_handed
from bot.commands.action_history import Known, known
from bot.commands.action_mend import publish_mended
from bot.commands.action_output import StepFiles, say
from bot.commands.action_picture import Picture, draw
from bot.commands.action_quarantine import listed, propose, release
from bot.commands.action_site import Site
from bot.commands.triage_files import PAGE, REPORT, SUMMARY
from bot.errors import SandboxError
from bot.flaky.carried import keep
from bot.flaky.quarantine import Quarantine, Unreadable
from bot.flaky.types import Night
from bot.flaky.verdict import Kind
from bot.propose.types import StopReason
from bot.publish.flaky_owners import Owners
from bot.publish.flaky_page import render_page
from bot.publish.flaky_report import Background, to_json
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
    """outcome: flaky, gave_up (broken tests), no_failures; stopped where no shard handed in anything. Where repairs
    were asked for: what became of them."""

    outcome: RunOutcome
    reason: StopReason | None
    problems: tuple[str, ...]


def publish_night(site: Site, claim: Claim, folder: Path, files: StepFiles) -> Published:
    """Publish what the shards left in `folder`. ForgeError where the data branch cannot be read: nothing is said then
    of a history that nobody has seen."""
    command = claim.trigger.command
    assert isinstance(command, Triage)
    sha, parts, history = claim.trigger.sha, Parts(), known(site, claim)
    handed = read_handed(site, claim, folder, history.scan)
    told = list(handed.problems)
    silent = command.shards > 0 and not handed.nights
    if silent:
        told.append("no shard handed in anything: what stands here is what was known before")
    listing = parts.do("read the list of the quarantine", lambda: listed(site, sha))
    entries = listing.entries if isinstance(listing, Quarantine) else None
    if isinstance(listing, Unreadable):
        told.append(f"{listing.why}: nothing is in quarantine")
    picture = draw(site, history, sha, handed.nights, command.shards or None, told, entries)
    if handed.nights and picture.night is not None:
        lost = [
            f"shard {number} handed in nothing: what it would have seen is not known" for number in picture.triage.lost
        ]
        problems = tuple(dict.fromkeys((*told, *lost, *picture.night.problems)))
        night = replace(picture.night, scan=None, changes=picture.changes, problems=problems)
        parts.do("keep the night", lambda: _keep(site, night, history), decisive=True)
    outcome, reason = _outcome(picture, silent)
    mended = publish_mended(site, claim, folder) if command.mend else None
    if mended is not None:
        outcome, reason = mended.outcome, mended.reason
        files.summary(mended.summary)
    owners = parts.do("read CODEOWNERS", lambda: owners_of(site, sha)) or Owners()
    bring_up_to_date(site, picture, owners, claim.run_url, parts)
    pull = None
    if command.quarantine or command.release:
        made = parts.do("propose the quarantine", lambda: propose(site, claim, command, picture, owners), decisive=True)
        parts.problems += () if made is None else made.problems
        pull = None if made is None else made.pull_request
    if command.is_night and picture.healed is not None and site.settings.triage.end_quarantine:
        made = parts.do("propose the end of a quarantine", lambda: release(site, claim, picture), decisive=True)
        parts.problems += () if made is None else made.problems
        pull = None if made is None else made.pull_request
    pulls = (*(() if mended is None else mended.pull_requests), *(() if pull is None else (pull,)))
    files.output(pull_request=pulls[0].url if pulls else "")
    spent = sum(record.seconds for night in handed.nights for record in night.records) / 60
    repairing = 0.0 if mended is None else mended.minutes
    parts.do(
        "end the attempt in the ledger",
        lambda: Ledger(site.forge, site.clock).end(
            claim.attempt,
            outcome=outcome.value,
            reason="" if reason is None else reason.value,
            fingerprints=() if mended is None else mended.fingerprints,
            minutes=None if silent or repairing is None else spent + repairing,
            cost_usd=0.0 if mended is None else mended.cost_usd,
            pull_requests=tuple(each.number for each in pulls),
        ),
        decisive=True,
    )
    report = to_json(picture.triage, Background(picture.courses, entries or (), owners))
    _show(site, picture, report, parts, files, outcome, reason)
    for problem in (*parts.problems, *(() if mended is None else mended.problems)):
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
    report: str,
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
    contents = {
        REPORT: report,
        SUMMARY: summary,
        PAGE: render_page(triage, report),
    }
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
