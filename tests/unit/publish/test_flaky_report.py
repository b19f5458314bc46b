"""triage.json against its schema: what real sessions give, hostile texts, and what the schema must refuse."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema
import pytest

from bot.evidence.types import TestId
from bot.flaky.course import Course, FailedRun
from bot.flaky.examine import examine_all
from bot.flaky.judge import judge
from bot.flaky.quarantine import Entry
from bot.flaky.types import Cause, Counts, Failed, Finding, Proof, Scan, Shard, State, StateChange, Trial
from bot.flaky.verdict import Kind, Triage
from bot.publish.flaky_owners import read_owners
from bot.publish.flaky_report import SHOWN_TESTS, Background, to_json, told_of
from bot.toolchains.types import PLAIN
from tests.fake_lab import FakeLab, Process
from tests.unit.publish.flaky_sample import (
    AT,
    BROKEN,
    CART,
    COMMIT,
    ENTRY,
    HOSTILE_NAMES,
    POLLUTER,
    QUIET,
    SUSPECT,
    background,
    hostile,
    night,
    verdict,
)

SCHEMA: dict[str, Any] = json.loads((resources.files("bot") / "triage.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def read(triage: Triage, known: Background | None = None) -> dict[str, Any]:
    """The report, which must be ASCII and follow the schema."""
    text = to_json(triage, known or Background())
    assert text.isascii() and text.endswith("\n}\n")
    data: dict[str, Any] = json.loads(text)
    VALIDATOR.validate(data)
    return data


def from_the_lab() -> Triage:
    """A session whose runs are modelled and whose examination is the real one."""

    def pollutes(process: Process) -> str:
        process.left.add("rates")
        return ""

    def victim(process: Process) -> str:
        return "AssertionError: 4 is not 2" if "rates" in process.left else ""

    lab = FakeLab({"test_rates": pollutes, "test_price": victim, "test_other": lambda process: ""})
    for _ in range(3):
        lab.run(None, purpose="suite")
        lab.run(list(reversed(lab.suite)), replace(PLAIN, in_order=True), purpose="reversed")
    findings = examine_all([lab.suite[1]], lab.records, lab)
    return judge(lab.records, session="s", commit="head", environment="box", at=AT, findings=findings)


NIGHTS: list[Callable[[], tuple[Triage, Background]]] = [
    lambda: (night(), background()),
    lambda: (night(), Background()),
    lambda: (night(*hostile()), background()),
    lambda: (night(verdicts=(), scan=None, stable=0, commit="", lost=(2,), problems=("a", "b")), Background()),
    lambda: (night(scan=Scan(0.0, AT, False, problems=("page 3: 502",))), Background()),
    lambda: (from_the_lab(), Background()),
    lambda: (judge([], session="", commit="", environment="", at=0.0), Background()),
]


@pytest.mark.parametrize("made", NIGHTS)
def test_reports_follow_the_schema(made: Callable[[], tuple[Triage, Background]]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    data = read(*made())
    assert len(data["tests"]) == len(made()[0].verdicts)


def test_what_the_lab_proved_stands_in_the_report() -> None:
    (test,) = read(from_the_lab())["tests"]
    assert (test["verdict"], test["cause"]) == ("flaky", "order: victim")
    (proof,) = test["experiments"]["proofs"]
    assert proof["polluters"] == ["tests/test_shop.py::test_rates"]
    provoked = proof["trials"][0]
    assert (provoked["place"], provoked["tests_in_all"]) == (len(provoked["tests"]), len(provoked["tests"]))
    assert provoked["keys"]


def enumerated(name: str) -> list[str]:
    found: list[str] = SCHEMA["$defs"][name]["enum"]
    return found


def test_the_schema_has_the_words_of_the_enumerations() -> None:
    assert enumerated("verdict") == [kind.value for kind in Kind if kind is not Kind.STABLE]
    assert enumerated("cause") == [cause.value for cause in Cause]
    assert enumerated("state") == [state.value for state in State]


def test_every_object_of_the_schema_is_closed_and_whole() -> None:
    def objects(part: object) -> list[dict[str, Any]]:
        if isinstance(part, list):
            return [each for item in part for each in objects(item)]
        if not isinstance(part, dict):
            return []
        own = [part] if part.get("type") == "object" and isinstance(part.get("properties"), dict) else []
        return own + [each for item in part.values() for each in objects(item)]

    found = objects(SCHEMA)
    assert len(found) > 12
    for each in found:
        assert each["additionalProperties"] is False
        assert sorted(each["required"]) == sorted(each["properties"])


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("tests"),
        lambda data: data.update(more=1),
        lambda data: data.update(format="grokfix-triage/2"),
        lambda data: data.update(stable=-1),
        lambda data: data.update(seconds="1"),
        lambda data: data.update(date="25 November"),
        lambda data: data["scan"].update(complete="yes"),
        lambda data: data["shards"].append({"number": 0, "of": 2}),
        lambda data: data["tests"][0].pop("interval"),
        lambda data: data["tests"][0].update(verdict="stable"),
        lambda data: data["tests"][0].update(cause="bad luck"),
        lambda data: data["tests"][0]["interval"].update(high=1.5),
        lambda data: data["tests"][0]["weeks"][0].__setitem__(0, "2025-W40"),
        lambda data: data["tests"][0]["weeks"][0].pop(),
        lambda data: data["tests"][0]["weeks"][0].append(1),
        lambda data: data["tests"][0]["steps"][0].update(state="gone"),
        lambda data: data["tests"][0]["failed_runs"][0].update(place=0),
        lambda data: data["tests"][0]["experiments"]["proofs"][0]["trials"][0].update(runs=2.5),
        lambda data: data["tests"][0].update(id="x" * 2001),
        lambda data: data["tests"][1]["regression"].update(p_value=2),
        lambda data: data["silent"][0].update(verdict="flaky"),
    ],
)
def test_the_schema_refuses_what_is_no_report(change: Change) -> None:
    data = copy.deepcopy(read(night(), background()))
    change(data)
    assert not VALIDATOR.is_valid(data)


def test_what_is_known_of_a_test_stands_in_its_line() -> None:
    data = read(night(), background())
    cart, broken, suspect = data["tests"]
    assert [each["id"] for each in data["tests"]] == [CART.node_id, BROKEN.node_id, SUSPECT.node_id]
    assert (cart["state"], [step["state"] for step in cart["steps"]]) == (
        "quarantined",
        ["suspect", "flaky", "quarantined"],
    )
    assert cart["steps"][2] == {
        "state": "quarantined",
        "date": "2025-11-20",
        "reason": "asked for",
        "by": "dev",
        "until": "2025-12-08",
    }
    assert cart["quarantine"]["owner"] == "@org/cart" and cart["quarantine"]["until"] == "2025-12-08"
    assert (cart["owners"], broken["owners"]) == (["@org/cart", "dev@shop.test"], ["@org/everybody"])
    assert cart["weeks"][0] == ["2025-09-01", 40, 0, 0.0, 0.0876]
    newest, retried = cart["failed_runs"]
    assert (newest["run"], newest["place"], newest["of"], newest["after"]) == ("ci:9/1/3", 17, 120, POLLUTER.node_id)
    assert (newest["exception"], newest["message"]) == ("AssertionError", "assert 12 == 10")
    assert (retried["passed_on_retry"], retried["after"], retried["whole"], retried["message"]) == (
        True,
        None,
        False,
        "",
    )
    assert broken["regression"]["first_bad"] == "c" * 40
    assert broken["what_to_do"] == "it broke with commit cccccccccccc: grokfix repair"
    assert (suspect["state"], suspect["steps"], suspect["quarantine"], suspect["failed_runs"]) == (None, [], None, [])
    assert data["silent"] == [
        {**data["silent"][0], "id": QUIET.node_id, "state": "quarantined", "owners": ["@org/everybody"]}
    ]


def test_a_line_a_test() -> None:
    lines = to_json(night(), background()).splitlines()
    assert [json.loads(line.strip().rstrip(","))["id"] for line in lines if line.startswith("    {")] == [
        CART.node_id,
        BROKEN.node_id,
        SUSPECT.node_id,
        QUIET.node_id,
    ]


def step(name: str, state: State) -> tuple[TestId, StateChange]:
    test = TestId.from_node_id(f"tests/{name}.py::test_it")
    return test, StateChange(test, state, AT, "")


@pytest.mark.parametrize("state", list(State))
def test_silent_tests_are_told_of_when_their_state_is_more_than_a_suspicion(state: State) -> None:
    test, change = step("b", state)
    expected = () if state is State.SUSPECT else (test,)
    assert told_of(night(), {test: change})[3:] == expected
    assert told_of(night(), {CART: replace(change, test=CART)}) == (CART, BROKEN, SUSPECT)


def test_what_was_put_into_quarantine_by_hand_is_told_of() -> None:
    other = replace(ENTRY, test=QUIET)
    assert told_of(night(), {}, [ENTRY, other]) == (CART, BROKEN, SUSPECT, QUIET)


def test_long_orders_are_cut_at_their_beginning_and_counted() -> None:
    order = (*(TestId("t.py", "t", f"test_{number}") for number in range(500)), CART)
    trial = Trial("recorded order", order, PLAIN, Counts(5, 5), keys=("rerun:n/1/1",))
    absent = replace(trial, tests=order[:3])
    finding = Finding(CART, (Proof(Cause.VICTIM, "how", (trial, absent)),), ())
    data = read(night(verdicts=(verdict(CART, Kind.FLAKY, 3, finding=finding),)))
    told, without = data["tests"][0]["experiments"]["proofs"][0]["trials"]
    assert (told["tests_in_all"], told["place"], len(told["tests"])) == (501, 501, SHOWN_TESTS)
    assert told["tests"][-1] == CART.node_id
    assert without["place"] is None


def strings(part: object) -> list[str]:
    match part:
        case str():
            return [part]
        case list():
            return [each for item in part for each in strings(item)]
        case dict():
            return [each for item in part.items() for each in strings(list(item))]
        case _:
            return []


def test_hostile_texts_are_bounded_and_inert() -> None:
    for name in (*HOSTILE_NAMES, "x" * 100_000, "\ud800\x1b[2J\r\n::error::"):
        test = TestId("tests/test_x.py", name, name)
        failed = Failed(name, name, name)
        run = FailedRun(name, AT, name, name, 1, 1, test, failed)
        course = Course((), (run,), (StateChange(test, State.FLAKY, AT, name, name, name),))
        entry = Entry(test, name, name, name, name, name, name)
        owners = read_owners(f"* @{'o' * 90}".encode())
        cruel = verdict(test, Kind.FLAKY, 3, reason=name, cluster=name, introduced=name)
        cruel = replace(cruel, tally=replace(cruel.tally, fingerprints=((name, 3),)))
        triage = night(
            cruel, session=name, commit=name, environment=name, problems=(name,), shards=(Shard(1, 1),), lost=()
        )
        text = to_json(triage, Background({test: course}, (entry,), owners))
        VALIDATOR.validate(json.loads(text))
        assert len(text) < 60_000
        for said in strings(json.loads(text)):
            assert not re.search("[\x00-\x1f\u202e\u2028\ud800-\udfff]", said)


def test_the_fields_of_the_sample_are_all_in_use() -> None:
    """A sample in which a list stays empty would let its schema rot."""
    data = read(night(), background())
    cart = data["tests"][0]
    for name in ("both_outcomes", "fingerprints", "steps", "weeks", "failed_runs", "owners"):
        assert cart[name], name
    assert data["commit"] == COMMIT and data["scan"]["workflow_runs"] == 312
