"""Repairs that are ticked on the dashboard: on the way from job to job, and what they may spend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.config import Settings
from bot.errors import ConfigError
from bot.trigger.claim import claim, from_json, to_json
from bot.trigger.entry import request_kind
from bot.trigger.ledger import Ledger
from bot.trigger.types import MOST_LETTERS, MOST_NAMED, Claim, Declined, Triage, Trigger, TriggerKind
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.unit.trigger.sample import REPOSITORY, own, red_main, shop

NAME = "tests/test_cart.py::test_total[ü]"
MEND = Triage(shards=1, mend=(NAME,))
NIGHT = Triage(shards=2)


def ticked(command: Triage = MEND, sender: str = "dev") -> Trigger:
    return Trigger(
        kind=TriggerKind.DASHBOARD, repository=REPOSITORY, default_branch="main", sender=sender, command=command
    )


def settings(**limits: float) -> Settings:
    plain = Settings()
    triggers = replace(plain.triggers, limits=replace(plain.triggers.limits, **limits))  # type: ignore[arg-type]
    return replace(plain, triggers=triggers)


def taken(forge: FakeForge, trigger: Trigger, run: int, given: Settings | None = None) -> object:
    found = claim(trigger, forge, given or settings(), FakeClock(), own(forge, run))
    # Each run of these tests is over at once: none is in the way of the next one.
    forge.workflow_runs[run] = replace(forge.workflow_runs[run], status="completed", conclusion="success")
    return found


def test_a_repair_may_be_pushed_and_a_night_may_not() -> None:
    forge = shop()
    mend, night = taken(forge, ticked(), 71), taken(forge, ticked(NIGHT), 72)
    assert isinstance(mend, Claim)
    assert isinstance(night, Claim)
    assert (mend.diagnosis_only, night.diagnosis_only) == (False, True)
    assert mend.trigger.sha == forge.branches["main"]
    assert from_json(to_json(mend)) == mend


def test_a_repair_counts_among_the_repairs_and_a_night_does_not() -> None:
    forge, one_a_day = shop(), settings(per_day=1)
    assert isinstance(taken(forge, ticked(NIGHT), 71, one_a_day), Claim)
    assert isinstance(taken(forge, ticked(), 72, one_a_day), Claim)
    for trigger in (ticked(), red_main(forge)):
        declined = taken(forge, trigger, 73, one_a_day)
        assert isinstance(declined, Declined), declined
        assert "per_day" in declined.reason


def test_it_may_spend_what_both_of_its_parts_may() -> None:
    forge, given = shop(), settings()
    assert isinstance(taken(forge, ticked(), 71, given), Claim)
    [line] = Ledger(forge, FakeClock()).entries()
    assert line.minutes == given.triage.minutes + given.limits.minutes
    assert line.cost_usd == given.limits.cost_usd


def test_failures_that_enough_runs_worked_on_travel_with_the_claim() -> None:
    forge, given = shop(), settings(per_fingerprint=1)
    first = taken(forge, ticked(), 71, given)
    assert isinstance(first, Claim)
    Ledger(forge, FakeClock()).end(first.attempt, outcome="gave_up", fingerprints=("abc",), minutes=1.0, cost_usd=0.0)
    again = taken(forge, ticked(), 72, given)
    assert isinstance(again, Claim)
    assert again.exhausted == ("abc",)


@pytest.mark.parametrize("who", ["sorter", "passer", "nobody", "some[bot]", ""])
def test_who_may_not_write_gets_no_repair(who: str) -> None:
    assert isinstance(taken(shop(), ticked(sender=who), 71), Declined)


def test_two_repairs_are_two_requests() -> None:
    kinds = {
        request_kind(ticked(command))
        for command in (MEND, replace(MEND, mend=("other",)), replace(MEND, tests=(NAME,)), NIGHT, Triage(1, (NAME,)))
    }
    assert len(kinds) == 5


def test_a_line_from_before_there_were_repairs_counts() -> None:
    forge = shop()
    found = taken(forge, ticked(NIGHT), 71)
    assert isinstance(found, Claim)
    assert from_json(to_json(found).replace(',"mend":[]', "")) == found


@pytest.mark.parametrize(
    "command",
    [
        Triage(1, mend=tuple(map(str, range(MOST_NAMED + 1)))),
        Triage(1, ("x" * 900,) * 15, ("y" * 900,) * 15, ("z" * 900,) * 15, ("m" * 900,) * 15),
        Triage(1, mend=("\N{PILE OF POO}" * (MOST_LETTERS // 12 // 4 + 1),) * 4),
    ],
    ids=["number", "length", "escaped"],
)
def test_more_than_a_run_takes_is_read_by_no_job(command: Triage) -> None:
    assert command.too_much
    forge = shop()
    found = taken(forge, ticked(), 71)
    assert isinstance(found, Claim)
    wrong = replace(found, trigger=replace(found.trigger, command=command))
    with pytest.raises(ConfigError):
        from_json(to_json(wrong))


def test_the_longest_that_is_taken_is_read_by_every_job() -> None:
    name = "\N{PILE OF POO}" * 160  # 12 characters each, as ASCII JSON
    command = Triage(1, (name,) * MOST_NAMED)
    assert not command.too_much
    found = taken(shop(), ticked(), 71)
    assert isinstance(found, Claim)
    full = replace(
        found,
        trigger=replace(found.trigger, command=command),
        exhausted=tuple(f"{number:064x}" for number in range(200)),
    )
    assert from_json(to_json(full)) == full
