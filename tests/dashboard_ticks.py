"""What people do to the dashboard's issue: boxes ticked, and the event that comes of it."""

from __future__ import annotations

from typing import Any

from bot.trigger.dashboard_boxes import Verb, box
from tests.action_world import World
from tests.github_server.state import Issue


def dashboard(world: World) -> Issue:
    [issue] = [each for each in world.shop.issues.values() if each.title == "Flaky tests"]
    return issue


def ticked(body: str, verb: Verb, key: str) -> str:
    """The body with one box ticked, which has to be there."""
    [line] = [line for line in body.splitlines() if line.endswith(box(verb, key).rpartition(" <!-- ")[2])]
    return body.replace(line, line.replace("- [ ]", "- [x]"))


def edited(world: World, new: str, *, sender: str = "maintainer", old: str | None = None) -> dict[str, Any]:
    """Somebody edits the dashboard: it stands so, and this is the event. old: what stood there, by the event's word."""
    issue = dashboard(world)
    before, issue.body = issue.body if old is None else old, new
    return {
        "action": "edited",
        "repository": {"full_name": "octo/shop", "default_branch": "main"},
        "sender": {"login": sender},
        "issue": {"number": issue.number, "title": issue.title, "body": new, "user": {"login": issue.user}},
        "changes": {"body": {"from": before}},
    }
