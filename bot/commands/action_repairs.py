"""Repairs of flaky tests that were asked for on the dashboard, as the ledger has them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands.action_site import Site
from bot.publish.flaky_repairs import AskedRepair
from bot.trigger.entry import Entry, State
from bot.trigger.ledger import LONGEST_RUN, Ledger
from bot.trigger.types import Triage


def asked_repairs(site: Site) -> Mapping[str, AskedRepair]:
    """By node id what came of the newest request for each test. Two calls; ForgeError where they are not answered."""
    asked: dict[str, AskedRepair] = {}
    for entry in Ledger(site.forge, site.clock).entries():
        command = entry.trigger.command
        if isinstance(command, Triage):
            told = _told(site, entry, len(command.mend))
            asked |= dict.fromkeys(command.mend, told)
    return asked


def _told(site: Site, entry: Entry, tests: int) -> AskedRepair:
    forge = site.forge
    return AskedRepair(
        at=entry.begun,
        by=entry.trigger.sender,
        tests=tests,
        outcome=entry.outcome,
        reason=entry.reason,
        running=entry.state is State.CLAIMED and entry.begun > site.clock.now() - LONGEST_RUN,
        pull_requests=entry.pull_requests,
        # From the run's number: the line's own link lies where others can write.
        run=f"{forge.server_url}/{forge.repository}/actions/runs/{entry.own.id}",
    )
