"""The one comment that says how far an attempt is: edited in place, never more often than people can read."""

from __future__ import annotations

from collections.abc import Mapping

from bot.errors import ForgeError
from bot.ports import Clock, Comment, Denied, EventKind, Forge, JsonValue
from bot.publish.markers import progress_marker
from bot.publish.progress import Progress, mark
from bot.publish.untrusted import cell
from bot.trigger.types import Claim

INTERVAL = 5.0
"""Seconds between two edits at least, save when an attempt begins or ends."""
RARER = 0.05
"""Share of the time so far that is waited at least: the host counts edits by the hour, and long runs can wait."""

_TURNS = (EventKind.EVIDENCE, EventKind.PROPOSAL, EventKind.ATTEMPT)
_PHASES: Mapping[EventKind, str] = {
    EventKind.EVIDENCE: "looking for the cause",
    EventKind.LOCATIONS: "looking for a fix",
    EventKind.PROPOSAL: "proving a fix",
    EventKind.ATTEMPT: "deciding what comes next",
    EventKind.OUTCOME: "writing down the result",
}
_MOST_FAULTS = 3


def begin(claim: Claim, forge: Forge) -> Comment | Denied | None:
    """Post it, or find the one of an earlier run of the same attempt; None where there is no pull request."""
    if claim.trigger.pull_request is None:
        return None
    return forge.comment(claim.trigger.pull_request, waiting(claim), progress_marker(claim.attempt))


def waiting(claim: Claim) -> str:
    """What it says before the first event."""
    return _body(claim, "starting", "", {}, "")


class ProgressComment:
    """Implements Recorder. Shows each turn of an attempt at once, what lies between at most every INTERVAL seconds, and
    more rarely the longer it lasts: some 80 edits in half an hour.

    An edit that fails never ends a repair: after three in a row none is tried any more, and `problem` says why.
    """

    def __init__(self, claim: Claim, comment_id: int, forge: Forge, clock: Clock) -> None:
        self.problem = ""
        self._claim = claim
        self._comment = comment_id
        self._forge = forge
        self._clock = clock
        self._progress = Progress()
        self._phase = "starting"
        self._shown = ""
        self._began = clock.monotonic()
        self._last = self._began - INTERVAL
        self._faults = 0
        self._events = 0

    def record(self, kind: EventKind, **data: JsonValue) -> int:
        """Take an event in, and edit the comment where it is time to."""
        self._events += 1
        self._progress.feed(kind, data)
        self._phase = _PHASES.get(kind, self._phase)
        now = self._clock.monotonic()
        pause = max(INTERVAL, RARER * (now - self._began))
        if self._faults < _MOST_FAULTS and (kind in _TURNS or now - self._last >= pause):
            self._show(now)
        return self._events

    def _show(self, now: float) -> None:
        progress = self._progress
        text = _body(self._claim, progress.doing or self._phase, progress.where(), progress.gates, progress.spent())
        if text == self._shown:
            return
        self._last, self._shown = now, text
        try:
            answer = self._forge.edit_comment(self._comment, text)
        except ForgeError as error:
            self._fault(str(error))
            return
        if isinstance(answer, Denied):
            self._fault(answer.message)
        else:
            self._faults = 0

    def _fault(self, message: str) -> None:
        self._faults += 1
        self.problem = f"the progress comment could not be kept up to date: {message}"


def _body(claim: Claim, doing: str, where: str, gates: Mapping[str, str], spent: str) -> str:
    sha = claim.trigger.sha[:12]
    lines = [
        progress_marker(claim.attempt),
        f"**grokfix is looking into it** ([the run]({claim.run_url})).",
        "",
        f"- Now: {cell(' · '.join(filter(None, (where, doing))), 200)}",
    ]
    if sha:
        lines.append(f"- Commit: {sha}")
    if gates:
        seen = ", ".join(f"{mark(status)} {name}" for name, status in gates.items())
        lines.append(f"- Gates so far: {cell(seen, 300)}")
    if spent:
        lines.append(f"- Cost so far: {cell(spent, 80)}")
    return "\n".join([*lines, "", "This comment becomes the result."]) + "\n"
