"""Who may ask, and what becomes of those who may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.config import TriggerSettings
from bot.errors import ForgeError
from bot.ports import Permission
from bot.trigger.authority import authorise
from bot.trigger.types import Declined, Ignored, Trigger, TriggerKind
from tests.unit.trigger.sample import red_main, said, shop, step

NOBODY = TriggerSettings()


@pytest.mark.parametrize(
    ("permission", "allowed", "answered"),
    [
        (Permission.NONE, False, False),
        (Permission.READ, False, False),
        (Permission.TRIAGE, False, True),
        (Permission.WRITE, True, False),
        (Permission.MAINTAIN, True, False),
        (Permission.ADMIN, True, False),
    ],
)
def test_a_comment_counts_by_the_permission_of_its_author(
    permission: Permission, allowed: bool, answered: bool
) -> None:
    """Strangers get no reply: nobody shall make the bot post by commenting."""
    forge = shop()
    forge.permissions["someone"] = permission
    answer = authorise(said(1, by="someone"), forge, NOBODY)
    if allowed:
        assert answer is None
    else:
        assert isinstance(answer, Declined)
        assert bool(answer.reply) is answered
    assert forge.writes == [] and len(forge.calls) == 1


@pytest.mark.parametrize("status", [0, 404, 500])
def test_a_code_host_that_does_not_say_means_no(status: int) -> None:
    for trigger in (said(1), red_main(shop())):
        forge = shop()
        forge.fail("permission", ForgeError("no answer", status=status))
        answer = authorise(trigger, forge, NOBODY)
        assert isinstance(answer, Declined) and answer.reply == ""


def test_nobody_known_is_nobody_allowed() -> None:
    forge = shop()
    for trigger in (said(1, by=""), replace(red_main(forge), triggering_actor="")):
        assert isinstance(authorise(trigger, forge, NOBODY), Declined)


@pytest.mark.parametrize(
    ("listed", "allowed"),
    [((), False), (("renovate[bot]",), True), (("Renovate",), True), (("other[bot]", "renovat"), False)],
)
def test_bots_count_where_they_are_listed(listed: tuple[str, ...], allowed: bool) -> None:
    forge = shop()
    forge.permissions["renovate[bot]"] = Permission.ADMIN  # which no evidence of anything is
    settings = TriggerSettings(bots=listed)
    comment = authorise(said(1, by="renovate[bot]"), forge, settings)
    run = authorise(replace(red_main(forge), actor="renovate[bot]"), forge, settings)
    if allowed:
        assert comment is None and run is None
    else:
        assert isinstance(comment, Declined) and comment.reply == "" and "triggers.bots" in comment.reason
        assert isinstance(run, Ignored) and "triggers.bots" in run.reason


def test_a_listed_bots_name_lends_nothing_to_a_person_of_that_name() -> None:
    assert isinstance(authorise(said(1, by="renovate"), shop(), TriggerSettings(bots=("renovate",))), Declined)


@pytest.mark.parametrize("kind", ["run", "step"])
def test_of_a_failed_run_both_people_are_asked_about(kind: str) -> None:
    forge = shop()
    trigger = red_main(forge) if kind == "run" else step(forge)
    assert authorise(trigger, forge, NOBODY) is None
    assert forge.count("permission") == 1  # it was one person
    assert authorise(replace(trigger, triggering_actor="boss"), forge, NOBODY) is None
    for wrong in ({"actor": "passer"}, {"triggering_actor": "passer"}, {"actor": "sorter"}):
        answer = authorise(replace(trigger, **wrong), forge, NOBODY)  # type: ignore[arg-type]
        assert isinstance(answer, Declined) and answer.reply == ""


def test_a_forks_run_needs_nobodys_permission_for_nothing_is_pushed_for_it() -> None:
    forge = shop()
    trigger = replace(red_main(forge), head_repository="stranger/shop", actor="stranger", triggering_actor="dev")
    assert authorise(trigger, forge, NOBODY) is None
    assert forge.calls == []
    assert isinstance(authorise(replace(trigger, actor="spam[bot]"), forge, NOBODY), Ignored)


@pytest.mark.parametrize(
    ("actor", "branch", "event", "default", "allowed"),
    [
        ("github-actions[bot]", "main", "push", "main", True),
        ("github-merge-queue[bot]", "main", "push", "main", True),
        ("dependabot[bot]", "main", "push", "main", False),
        ("github-actions[bot]", "feature", "push", "main", False),
        ("github-actions[bot]", "main", "push", "", False),
        ("gone", "main", "schedule", "main", True),
        ("gone", "feature", "schedule", "main", False),
        ("gone", "main", "push", "main", False),
    ],
)
def test_who_pushed_what_stands_on_the_default_branch(
    actor: str, branch: str, event: str, default: str, allowed: bool
) -> None:
    trigger = replace(
        red_main(shop()), actor=actor, triggering_actor=actor, branch=branch, event=event, default_branch=default
    )
    assert (authorise(trigger, shop(), NOBODY) is None) is allowed
    fork = replace(trigger, head_repository="stranger/shop")
    if actor.endswith("[bot]"):
        assert isinstance(authorise(fork, shop(), NOBODY), Ignored)


def test_a_dispatch_needs_write_and_a_schedule_was_started_by_nobody() -> None:
    dispatch = Trigger(TriggerKind.DISPATCH, "octo/shop", "main", "passer")
    assert isinstance(authorise(dispatch, shop(), NOBODY), Declined)
    assert authorise(replace(dispatch, sender="boss"), shop(), NOBODY) is None
    assert authorise(replace(dispatch, kind=TriggerKind.SCHEDULE), shop(), NOBODY) is None
