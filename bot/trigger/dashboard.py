"""An edit of the dashboard's issue: whether it asks for something, and whether whoever made it may ask.

Everybody with triage rights can edit an issue of ours, and the payload tells only what the body was before. So an edit
is acted on where the issue is the dashboard by the API's word, its sender has write by the API's word, and nothing but
boxes changed on a body that we wrote. After anything else the body is rendered anew from the history.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.errors import ForgeError
from bot.ports import Denied, Forge, Issue, JsonValue
from bot.trigger.authority import is_bot
from bot.trigger.dashboard_boxes import Action, Spoiled, Ticked, cleared, read_edit
from bot.trigger.own import MARKER
from bot.trigger.payload import Payload, quoted
from bot.trigger.types import Ignored

TITLE = "Flaky tests"
LABEL = "grokfix"
MARK = f"{MARKER}dashboard flaky -->"
"""Stands in the dashboard's body."""


@dataclass(frozen=True, slots=True)
class Act:
    """`actions` are asked for by `sender`, who may. Afterwards `settle` clears the boxes."""

    issue: int
    sender: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Restore:
    """Nothing is asked for that counts; what remains is `settle`. reason: for the log, names of the event's quoted."""

    issue: int
    reason: str


Decision: TypeAlias = Act | Restore | Ignored


def find(forge: Forge) -> Issue | None:
    """The dashboard: our own open issue, by listing (a search lags). The oldest, where there are several."""
    login = forge.viewer().login
    for labels in ((LABEL,), ()):  # somebody may have taken the label off
        if found := [issue for issue in forge.issues(labels) if is_dashboard(issue, login)]:
            return min(found, key=lambda issue: issue.number)
    return None


def is_dashboard(issue: Issue, login: str) -> bool:
    """Whether an issue is ours and a dashboard: by its mark, or by its title where an edit took the mark out."""
    ours = bool(login) and issue.author.lower() == login.lower()
    return ours and issue.state == "open" and (MARK in issue.body or issue.title == TITLE)


def decide(payload: Mapping[str, JsonValue], forge: Forge, written: Collection[str]) -> Decision:
    """What an `issues` event asks for. written: the body as it is rendered from the history now, and, where it is
    known, the one before that, which may still stand in somebody's browser.

    ConfigError where the payload lacks what every such event has; ForgeError where the host does not answer, save
    about permissions, where silence is a no.
    """
    read = Payload("issues", payload)
    if (action := read.text("action")) != "edited":
        return Ignored(f"only edits of the dashboard count: this issue was {quoted(action)}")
    if read.repository("repository", "full_name").lower() != forge.repository.lower():
        return Ignored("the event is of another repository")
    number = read.number("issue", "number")
    old, new = read.text("changes", "body", "from"), read.text("issue", "body")
    if not (
        MARK in old or MARK in new or TITLE in (read.text("issue", "title"), read.text("changes", "title", "from"))
    ):
        return Ignored(f"issue {number} is not the dashboard")
    login = forge.viewer().login
    issue, dashboard = forge.issue(number), find(forge)
    if not login or issue is None or issue.author.lower() != login.lower() or issue.state != "open":
        return Ignored(f"issue {number} is not open, or is not grokfix's own")
    if dashboard is not None and dashboard.number != number:
        return Ignored(f"issue {number} is not the dashboard, which is {dashboard.number}")
    sender = read.login("sender", "login")
    if sender.lower() == login.lower():
        if _stands(issue, written):
            return Ignored("the edit is grokfix's own")
        return Restore(number, "grokfix's own login edited the body, and not to what grokfix writes")
    if refusal := _refusal(sender, forge):
        return Restore(number, refusal)
    if not read.has("changes", "body"):
        return Restore(number, "the edit changed something else than the body")
    edit = read_edit(old, new, written)
    if isinstance(edit, Ticked):
        return Act(number, sender, edit.actions)
    return Restore(number, edit.reason if isinstance(edit, Spoiled) else "no box was ticked")


def settle(forge: Forge, number: int, body: str) -> Denied | None:
    """Write the dashboard as it shall stand, where it does not stand so: no box ticked, its own title. Of two edits at
    once both end here, and whoever comes last finds it done. Safe to repeat."""
    issue = forge.issue(number)
    if issue is None or issue.state != "open" or (issue.title == TITLE and _same(issue.body, body)):
        return None
    return forge.edit_issue(number, TITLE, body)


def _stands(issue: Issue, written: Collection[str]) -> bool:
    return issue.title == TITLE and any(_same(issue.body, body) for body in written)


def _same(shown: str, body: str) -> bool:
    """Ticks count: cleared(body) is the body as we write it."""
    return shown.replace("\r\n", "\n").rstrip() == cleared(body)


def _refusal(sender: str, forge: Forge) -> str:
    """Why whoever edited may not ask, "" where they may."""
    if not sender:
        return "the event does not tell who edited the dashboard"
    if is_bot(sender):
        return f"{quoted(sender)} is a bot: the boxes are for people"
    try:
        permission = forge.permission(sender)
    except ForgeError as error:
        return f"the code host did not say what {quoted(sender)} may do here, which counts as no: {error}"
    if permission.may_write:
        return ""
    return f"{quoted(sender)} has the permission {permission.value!r} here, and write is needed"
