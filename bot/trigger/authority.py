"""Who may ask. Only the permission API's word counts, and where it says nothing the answer is no."""

from __future__ import annotations

from bot.config import TriggerSettings
from bot.errors import ForgeError
from bot.ports import Forge, Permission
from bot.trigger.payload import quoted
from bot.trigger.types import Declined, Ignored, Trigger, TriggerKind

GITHUBS_OWN = ("github-actions[bot]", "github-merge-queue[bot]")
"""Bots that push to the default branch for people whom its rules let in."""


def authorise(trigger: Trigger, forge: Forge, settings: TriggerSettings) -> Ignored | Declined | None:
    """None where the event may start something. At most one call for each person behind it.

    A comment, dispatch or edit of the dashboard: its sender needs write. A failed run: both its actor and whoever
    started it last need write, save on a fork, whose people have none: such a run is diagnosed and nothing is pushed
    for it. A schedule on the default branch was started by nobody.

    Bots have no permissions to ask about. They count where `triggers.bots` lists them ("name[bot]", or "name"; only a
    login that ends in [bot], which no person's can, is taken for a bot's), and GitHub's own on the default branch.

    Strangers are not answered: everybody may comment on a public repository, and a reply to each command would let
    anybody make the bot post as often as they like. Somebody with triage, whom the owners know, is told why.
    """
    match trigger.kind:
        case TriggerKind.COMMENT | TriggerKind.DISPATCH | TriggerKind.DASHBOARD:
            return _asker(trigger, forge, settings)
        case TriggerKind.RUN | TriggerKind.STEP:
            return _starters(trigger, forge, settings)
        case TriggerKind.SCHEDULE:
            return None


def _asker(trigger: Trigger, forge: Forge, settings: TriggerSettings) -> Declined | None:
    login = trigger.sender
    if is_bot(login):
        if _listed(login, settings):
            return None
        return Declined(f"{quoted(login)} is a bot that the setting triggers.bots does not list")
    permission = _permission(login, forge)
    if isinstance(permission, Declined):
        return permission
    if permission.may_write:
        return None
    reply = (
        "Commands are taken from people with write access to this repository; triage is not enough."
        if permission is Permission.TRIAGE and trigger.kind is TriggerKind.COMMENT
        else ""
    )
    return Declined(f"{quoted(login)} has the permission {permission.value!r} here, and write is needed", reply)


def _starters(trigger: Trigger, forge: Forge, settings: TriggerSettings) -> Ignored | Declined | None:
    on_default = not trigger.is_fork and trigger.branch == trigger.default_branch
    if on_default and trigger.event == "schedule":
        return None
    people = []
    for login in dict.fromkeys((trigger.actor, trigger.triggering_actor)):
        if not is_bot(login):
            people.append(login)
        elif not (_listed(login, settings) or (on_default and login.lower() in GITHUBS_OWN)):
            return Ignored(
                f"the run was started by {quoted(login)}, a bot that the setting triggers.bots does not list"
            )
    if trigger.is_fork:
        return None
    for login in people:
        permission = _permission(login, forge)
        if isinstance(permission, Declined):
            return permission
        if not permission.may_write:
            return Declined(
                f"the run was started by {quoted(login)}, whose permission here is {permission.value!r}; "
                "write is needed"
            )
    return None


def is_bot(login: str) -> bool:
    """Whether a login is an app's: brackets stand in no person's."""
    return login.lower().endswith("[bot]")


def _listed(login: str, settings: TriggerSettings) -> bool:
    name = login.lower().removesuffix("[bot]")
    return any(name == bot.lower().removesuffix("[bot]") for bot in settings.bots)


def _permission(login: str, forge: Forge) -> Permission | Declined:
    if not login:
        return Declined("the event does not tell who is behind it, so that nobody's permission can be asked for")
    try:
        return forge.permission(login)
    except ForgeError as error:
        return Declined(f"the code host did not say what {quoted(login)} may do here, which counts as no: {error}")
