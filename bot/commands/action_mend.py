"""The repair of flaky tests that somebody ticked: made by the job that runs tests, published by the one that writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bot import __version__
from bot.commands import mend, output
from bot.commands.action_handed import foreign
from bot.commands.action_site import Site
from bot.flaky.mend.base import Wavering
from bot.flaky.types import Night
from bot.flaky.verdict import Triage
from bot.mend import repairable
from bot.ports import Recorder, Sandbox
from bot.propose.types import StopReason
from bot.publish import bundle as bundles
from bot.publish.bundle import Bundle, Refused
from bot.publish.flaky_words import why
from bot.publish.post import Posted, post
from bot.reproduce import Job
from bot.result import RepairResult, Result, RunOutcome, worst
from bot.run import reason_of
from bot.trigger import types as triggers
from bot.trigger.types import Claim
from bot.workspace.git import Repository

_MOST_FOLDERS = 100


# --- the job that runs tests ----------------------------------------------------------------------------------------


def mend_asked(
    site: Site,
    claim: Claim,
    triage: Triage,
    night: Night,
    job: Job,
    repository: Repository,
    sandbox: Sandbox,
    folder: Path,
    *watchers: Recorder,
) -> Result:
    """Repair those of the ticked tests whose cause this session proved, and leave a bundle with the night in
    `folder`/fix. Of each other one the result says why not."""
    command = claim.trigger.command
    assert isinstance(command, triggers.Triage)
    proven = {each.test: each for each in repairable(triage, night.records) if each.test.node_id in command.mend}
    spent = [each for each in proven.values() if {_fingerprint(each), "*"} & set(claim.exhausted)]
    chosen = proven.keys() - {each.test for each in spent}
    if chosen:
        wanted = replace(triage, verdicts=tuple(each for each in triage.verdicts if each.test in chosen))
        result = mend.repair_flaky(
            wanted, night.records, job, site.settings, repository, sandbox, folder, site.redactor, *watchers
        ).result
    else:
        result = Result(RunOutcome.NO_FAILURES, commit=repository.head, version=__version__)
    limit = site.settings.triggers.limits.per_fingerprint
    sentence = f"{limit} runs worked on this failure already (limits.per_fingerprint); it waits for a person"
    others = [_unrepaired(each, RunOutcome.GAVE_UP, StopReason.DECLINED, sentence) for each in spent]
    others += _unproven(site, command, triage, night, {test.node_id for test in proven})
    result = _with(result, others)
    trace = folder / mend.FOLDER / output.TRACE
    content = trace.read_bytes() if result.trace_sha256 and trace.is_file() else b""
    bundles.write(Bundle(claim, result, content, night=night), folder / mend.FOLDER)
    return result


def _unproven(
    site: Site, command: triggers.Triage, triage: Triage, night: Night, proven: set[str]
) -> Iterator[RepairResult]:
    """Ticked tests of which nothing could be proved against a fix this time."""
    verdicts = {verdict.test.node_id: verdict for verdict in triage.verdicts}
    by_name = {test.node_id: test for record in night.records for test in record.tests}
    for name in command.mend:
        if name in proven or name not in by_name:
            continue
        test = by_name[name]
        ran = [record for record in night.records if test in record.tests]
        told = why(verdicts[name]) if name in verdicts else f"it failed in none of its {len(ran)} runs now"
        yield RepairResult(
            (test,),
            # Without a failure to tell it by, the test itself is what was worked on.
            hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest(),
            RunOutcome.NOT_REPRODUCED,
            None,
            site.redactor.redact(f"its cause was not proven anew, and nothing is repaired on a guess: {told}"),
        )


def _unrepaired(wavering: Wavering, outcome: RunOutcome, reason: StopReason, message: str) -> RepairResult:
    known = wavering.known
    exception, failure = ("", "") if known is None else (known.exception, known.message)
    return RepairResult((wavering.test,), _fingerprint(wavering), outcome, reason, message, exception, failure)


def _fingerprint(wavering: Wavering) -> str:
    return "" if wavering.known is None else wavering.known.fingerprint


def _with(result: Result, others: Sequence[RepairResult]) -> Result:
    """The result with what was not tried. Of two fixes of one failure the second waits: they share a branch's name."""
    repairs: list[RepairResult] = []
    for each in (*result.repairs, *others):
        taken = {one.fingerprint for one in repairs if one.patch is not None}
        waits = each.patch is not None and each.fingerprint in taken
        repairs.append(_waiting(each) if waits else each)
    if tuple(repairs) == result.repairs:
        return result
    patches = [each.patch for each in repairs if each.patch is not None]
    whole = sum(each.patch is not None for each in result.repairs) == len(patches)
    outcome = worst([result.outcome, *(each.outcome for each in repairs)])
    return replace(
        result,
        repairs=tuple(repairs),
        outcome=outcome,
        reason=result.reason if outcome is result.outcome and result.repairs else reason_of(repairs),
        patch=result.patch if whole else patches[0] if len(patches) == 1 else None,
    )


def _waiting(repair: RepairResult) -> RepairResult:
    message = "left for another run: another fix of this run is for a failure that looks the same"
    return replace(repair, outcome=RunOutcome.GAVE_UP, reason=StopReason.BUDGET, message=message, patch=None)


# --- the job that writes --------------------------------------------------------------------------------------------


def publish_mended(site: Site, claim: Claim, folder: Path) -> Posted:
    """Vet what a shard left in `folder` once more, and open the pull requests of it. No ForgeError leaves here."""
    scratch = site.scratch / "publish"
    scratch.mkdir()
    return post(claim, _handed(site, claim, folder), site.forge, site.settings, site.clock, scratch)


def _handed(site: Site, claim: Claim, folder: Path) -> Bundle | Refused:
    """The one bundle in `folder` or in a folder directly below it, as artifacts are downloaded."""
    places = [place for place in _places(folder) if place.is_dir() and not place.is_symlink()]
    if not places:
        return Refused("the job that was to repair left nothing: it was cancelled, or could not run the tests")
    if len(places) > 1:
        return Refused(f"{len(places)} jobs handed in repairs, and one was asked to repair")
    bundle = bundles.read(places[0], claim, site.redactor.redact, clusters=site.settings.limits.clusters)
    strange = foreign(bundle.night, claim) if isinstance(bundle, Bundle) and bundle.night is not None else ""
    return Refused(f"the night of the repairs is refused: {strange}") if strange else bundle


def _places(folder: Path) -> Iterator[Path]:
    yield folder / mend.FOLDER
    try:
        below = sorted(each for each in folder.iterdir() if not each.is_symlink() and each.is_dir())
    except OSError:  # nothing was downloaded
        return
    yield from (each / mend.FOLDER for each in below[:_MOST_FOLDERS] if each.name != mend.FOLDER)
