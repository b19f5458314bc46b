"""Edits of the dashboard (case 54): GitHub's own payloads, everybody who may edit, everything they may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from bot.errors import ForgeError
from bot.evidence.types import TestId
from bot.ports import JsonValue, Permission, TokenKind, Viewer
from bot.trigger import dashboard
from bot.trigger.dashboard import LABEL, MARK, TITLE, Act, Restore, decide, find, settle
from bot.trigger.dashboard_boxes import ALL, Action, Spoiled, Ticked, Unchanged, Verb, box, key_of, read_edit
from bot.trigger.types import Ignored
from tests import npm
from tests.fake_forge import FakeForge
from tests.unit.trigger.sample import REPOSITORY, changed, shop

CART = key_of(TestId.from_node_id("tests/test_cart.py::test_total"))
MAIL = key_of(TestId.from_node_id("tests/test_mail.py::test_greeting"))
QUARANTINE, FIX, AGAIN = box(Verb.QUARANTINE, CART), box(Verb.FIX, MAIL), box(Verb.TRIAGE, ALL, "look at all again")
BODY = f"{MARK}\n**1 flaky**\n\n{AGAIN}\n\n### `test_total`\n\n{QUARANTINE}\n\n### `test_greeting`\n\n{FIX}\n\nend\n"
EXAMPLES = "@octokit/webhooks-examples@7.6.1"


def ticked(line: str) -> str:
    return line.replace("- [ ]", "- [x]")


def tick(*lines: str, body: str = BODY) -> str:
    for line in lines:
        assert line in body
        body = body.replace(line, ticked(line))
    return body


def hosted() -> tuple[FakeForge, int]:
    """A shop whose dashboard is open."""
    forge = shop()
    forge.me = Viewer("grok-fix[bot]", TokenKind.APP)
    opened = forge.open_issue(TITLE, BODY, (LABEL,), MARK)
    assert not hasattr(opened, "status")
    return forge, find(forge).number  # type: ignore[union-attr]


def edit(
    forge: FakeForge, number: int, new: str, *, old: str = BODY, sender: str = "dev", title: str = TITLE
) -> dict[str, JsonValue]:
    """Somebody edits the issue, and the event that GitHub sends of it."""
    forge.plain_issues[number] = replace(forge.plain_issues[number], body=new, title=title)
    kinds = json.loads((npm.package(EXAMPLES) / "api.github.com" / "index.json").read_text("utf-8"))
    example = next(e for kind in kinds if kind["name"] == "issues" for e in kind["examples"] if e["action"] == "edited")
    for path, value in {
        "repository.full_name": REPOSITORY,
        "issue.number": number,
        "issue.body": new,
        "issue.title": title,
        "issue.user.login": forge.plain_issues[number].author,
        "sender.login": sender,
        "changes": {"body": {"from": old}} if new != old else {"title": {"from": TITLE}},
    }.items():
        example = changed(example, path, value)
    return example


def test_a_writers_ticks_are_asked_for_and_then_cleared() -> None:
    forge, number = hosted()
    made = decide(edit(forge, number, tick(QUARANTINE, AGAIN).replace("\n", "\r\n")), forge, [BODY])
    assert made == Act(number, "dev", (Action(Verb.TRIAGE, ALL), Action(Verb.QUARANTINE, CART)))
    assert settle(forge, number, BODY) is None
    assert forge.plain_issues[number].body == BODY


@pytest.mark.parametrize(
    ("sender", "why"),
    [
        ("sorter", "'triage' here, and write is needed"),
        ("passer", "'read' here"),
        ("stranger", "'none' here"),
        ("dependabot[bot]", "is a bot"),
        ("", "does not tell who"),
        ("no login\n::x::", "does not tell who"),
    ],
)
def test_nobody_without_write_is_heard_and_the_body_is_restored(sender: str, why: str) -> None:
    forge, number = hosted()
    made = decide(edit(forge, number, tick(FIX), sender=sender), forge, [BODY])
    assert isinstance(made, Restore)
    assert why in made.reason
    settle(forge, number, BODY)
    assert forge.plain_issues[number].body == BODY


def test_a_permission_that_the_host_does_not_tell_is_none() -> None:
    forge, number = hosted()
    event = edit(forge, number, tick(FIX))
    forge.fail("permission", ForgeError("no answer", status=502))
    assert isinstance(decide(event, forge, [BODY]), Restore)


def test_our_own_edits_start_nothing() -> None:
    forge, number = hosted()
    event = edit(forge, number, BODY.replace("1 flaky", "2 flaky"), sender="grok-fix[bot]")
    assert isinstance(decide(event, forge, [BODY.replace("1 flaky", "2 flaky")]), Ignored)
    assert isinstance(decide(event, forge, [BODY]), Restore), "our login, but not our text"
    event = edit(forge, number, tick(FIX), sender="Grok-Fix[bot]")
    assert isinstance(decide(event, forge, [BODY]), Restore), "the bot ticks nothing"


CHANGES: dict[str, Callable[[str], str]] = {
    "a word": lambda body: body.replace("end", "END"),
    "a box added": lambda body: body + ticked(box(Verb.FIX, CART)) + "\n",
    "a box taken out": lambda body: body.replace(AGAIN + "\n", ""),
    "a box's key": lambda body: body.replace(CART, MAIL),
    "a box's verb": lambda body: body.replace("box quarantine", "box fix"),
    "a box's words": lambda body: body.replace("repair it", "look at it"),
    "the mark": lambda body: body.replace(MARK, ""),
    "nothing left": lambda body: "",
    "boxes swapped": lambda body: body.replace(QUARANTINE, "?").replace(FIX, QUARANTINE).replace("?", FIX),
    "indented": lambda body: body.replace("- [ ] repair", "  - [ ] repair"),
    "long": lambda body: body + "x" * 70_000,
    "a tick of another kind": lambda body: body.replace("- [ ] repair", "- [✓] repair"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_edit_elsewhere_than_a_box_spoils_its_ticks(change: Callable[[str], str]) -> None:
    forge, number = hosted()
    new = change(tick(AGAIN)) if change is not CHANGES["a box taken out"] else change(BODY)
    made = decide(edit(forge, number, new), forge, [BODY])
    assert isinstance(made, Restore)
    settle(forge, number, BODY)
    assert forge.plain_issues[number].body == BODY
    assert forge.plain_issues[number].title == TITLE


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_tick_on_a_body_that_somebody_changed_before_does_not_count(change: Callable[[str], str]) -> None:
    """A triager renames a box, and before it is restored a writer ticks it."""
    forge, number = hosted()
    tampered = change(BODY)
    found = tampered.replace("- [ ]", "- [x]")
    if found == tampered:
        found += "\n"
    assert isinstance(decide(edit(forge, number, found, old=tampered), forge, [BODY]), (Restore, Ignored))
    assert isinstance(read_edit(tampered, found, [BODY]), Spoiled)


def test_the_title_alone_is_restored() -> None:
    forge, number = hosted()
    made = decide(edit(forge, number, BODY, title="Buy now"), forge, [BODY])
    assert isinstance(made, Restore)
    settle(forge, number, BODY)
    assert forge.plain_issues[number].title == TITLE


def test_only_the_dashboard_counts() -> None:
    forge, number = hosted()
    stranger = forge.add_issue(TITLE, body=BODY, author="dev")
    assert isinstance(decide(edit(forge, stranger, tick(FIX)), forge, [BODY]), Ignored)
    second = forge.add_issue(TITLE, body=BODY, author="grok-fix[bot]")
    assert isinstance(decide(edit(forge, second, tick(FIX)), forge, [BODY]), Ignored)
    other = forge.add_issue("Another", body="text", author="grok-fix[bot]")
    assert isinstance(decide(edit(forge, other, "else", old="text", title="Another"), forge, [BODY]), Ignored)
    forge.close_issue(number)
    forge.close_issue(second)
    assert isinstance(decide(edit(forge, number, tick(FIX)), forge, [BODY]), Ignored)
    assert settle(forge, number, BODY) is None
    assert forge.plain_issues[number].body == tick(FIX), "a closed one is left alone"


def test_other_events_and_repositories_count_for_nothing() -> None:
    forge, number = hosted()
    event = edit(forge, number, tick(FIX))
    for path, value in {"action": "opened", "repository.full_name": "octo/other"}.items():
        assert isinstance(decide(changed(event, path, value), forge, [BODY]), Ignored)
    forge.me = Viewer("", TokenKind.UNKNOWN)
    assert isinstance(decide(event, forge, [BODY]), Ignored), "who we are is not known"


@pytest.mark.parametrize("value", [None, 7, [], {"from": 7}, {"body": None}, {"body": {"from": ["x"]}}])
def test_changes_of_any_shape_act_on_nothing(value: JsonValue) -> None:
    forge, number = hosted()
    event: Mapping[str, JsonValue] = changed(edit(forge, number, tick(FIX)), "changes", value)
    assert not isinstance(decide(event, forge, [BODY]), Act)


def test_two_edits_at_once_each_ask_for_their_own() -> None:
    forge, number = hosted()
    first = edit(forge, number, tick(FIX), sender="dev")
    second = edit(forge, number, tick(FIX, AGAIN), old=tick(FIX), sender="boss")
    after = decide(first, forge, [BODY]), decide(second, forge, [BODY])
    assert after == (
        Act(number, "dev", (Action(Verb.FIX, MAIL),)),
        Act(number, "boss", (Action(Verb.TRIAGE, ALL),)),
    )
    settle(forge, number, BODY)
    settle(forge, number, BODY)
    assert forge.plain_issues[number].body == BODY
    # The second was made in a browser that showed the body of before the first one's action.
    newer = BODY.replace("1 flaky", "0 flaky")
    assert decide(edit(forge, number, tick(AGAIN)), forge, [newer, BODY]) == Act(
        number, "dev", (Action(Verb.TRIAGE, ALL),)
    )
    assert isinstance(decide(edit(forge, number, tick(AGAIN)), forge, [newer]), Restore)


def test_clearing_a_box_asks_for_nothing() -> None:
    assert read_edit(tick(FIX), BODY, [BODY]) == Unchanged()
    assert read_edit(tick(FIX), tick(AGAIN), [BODY]) == Ticked((Action(Verb.TRIAGE, ALL),))


def test_the_dashboard_is_found_without_its_mark_or_label_and_is_the_oldest() -> None:
    forge, number = hosted()
    forge.labels[number].clear()
    forge.add_issue(TITLE, body=BODY, author="grok-fix[bot]")
    forge.plain_issues[number] = replace(forge.plain_issues[number], body="")
    found = find(forge)
    assert found is not None
    assert found.number == number
    forge.permissions["dev"] = Permission.NONE
    assert dashboard.is_dashboard(replace(found, author="dev"), "grok-fix[bot]") is False
