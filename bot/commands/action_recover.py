"""What an earlier run found and could not publish: its token had died, or the code host was down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.commands.action_output import say
from bot.commands.action_site import Site
from bot.errors import ForgeError
from bot.evidence.artifact import members
from bot.ports import Missing
from bot.publish import bundle as bundles
from bot.publish.bundle import Refused
from bot.publish.post import post
from bot.trigger.entry import Entry
from bot.trigger.ledger import Ledger
from bot.trigger.types import Triage

ARTIFACT = "grokfix-bundle"
"""Name under which workflows upload the bundle's folder."""
MOST = 3
"""Earlier attempts that one run looks after."""

_ZIP_LIMIT = 96 << 20


def recover(site: Site, attempts: Sequence[Entry]) -> None:
    """Publish the bundles of those attempts whose run is over and that nobody ended; what fails is said, and left."""
    try:
        repairs = [entry for entry in attempts if not isinstance(entry.trigger.command, Triage)]
        for entry in Ledger(site.forge, site.clock).abandoned(repairs, site.own, MOST):
            _publish(site, entry)
    except ForgeError as error:
        say(f"could not look for unpublished attempts: {error}")


def _publish(site: Site, entry: Entry) -> None:
    folder = site.scratch / f"abandoned-{entry.attempt}"
    folder.mkdir()
    problem = _unpack(site, entry, folder)
    if problem:
        # No bundle, no result: the attempt counts, and its line says that nobody knows what became of it.
        bundle: bundles.Bundle | Refused = Refused(f"the run of this attempt ended without a result: {problem}")
    else:
        bundle = bundles.read(folder, entry.claim, site.redactor.redact, clusters=site.settings.limits.clusters)
    scratch = site.scratch / f"recover-{entry.attempt}"
    scratch.mkdir()
    posted = post(entry.claim, bundle, site.forge, site.settings, site.clock, scratch)
    say(f"attempt {entry.attempt} of an earlier run: {posted.outcome.value}")


def _unpack(site: Site, entry: Entry, folder: Path) -> str:
    """Fill `folder` from the run's artifact; why that cannot be done, "" where it can."""
    artifacts = [each for each in site.forge.artifacts(entry.own.id) if each.name == ARTIFACT and not each.expired]
    if not artifacts:
        return "it left no bundle"
    data = site.forge.download(max(artifacts, key=lambda each: each.id), _ZIP_LIMIT)
    if isinstance(data, Missing):
        return data.reason
    found = members(data, bundles.LARGEST)
    if isinstance(found, str):
        return found
    for name, content in found.items():
        (folder / name).write_bytes(content)
    return ""
