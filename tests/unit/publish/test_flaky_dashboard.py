"""The dashboard's body: what is in it, what cannot act in it, how it is cut; owners; the quarantine's text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.evidence.types import TestId
from bot.flaky.quarantine import Content, Entry, entry_for
from bot.flaky.types import Scan, State, StateChange
from bot.flaky.verdict import Kind
from bot.publish.flaky_dashboard import Links, render, sparkline
from bot.publish.flaky_owners import Owners, read_owners
from bot.publish.flaky_quarantine import quarantine_body, quarantine_title
from bot.publish.flaky_repairs import AskedRepair, repair_line
from bot.trigger.dashboard import MARK
from bot.trigger.dashboard_boxes import Action, Ticked, Verb, box, cleared, key_of, read_edit
from tests.unit.publish.flaky_sample import AT, BROKEN, CART, HOSTILE_NAMES, SUSPECT, WEEKS, hostile, night, verdict

OWNERS = read_owners(b"* @org/everybody\ntests/test_cart.py @org/cart dev@shop.test\n")


def test_who_reads_it_sees_what_is_flaky_how_much_why_and_what_to_do() -> None:
    states = {CART: StateChange(CART, State.QUARANTINED, AT, "asked for", "dev", "2025-12-08")}
    body = render(night(), states, WEEKS, OWNERS, links=Links("https://gh.test/run/1", "https://gh.test/page"))
    assert body.startswith(MARK)
    assert "**1 flaky, 1 broken, 1 suspect, 1204 stable** on 2025-11-24" in body
    row = next(line for line in body.splitlines() if line.startswith("|") and "test_total" in line)
    for part in ("flaky", "7 of 60", "5.8 to 22", "42 min", "order: victim", "quarantined until 2025-12-08", "█"):
        assert part in row
    assert "`@\u200borg/cart`" in row
    assert "provoked 10 of 10, without the cause 0 of 10, again 10 of 10" in body
    assert "What to do: make the polluting test put back what it changes" in body
    assert body == render(night(), states, WEEKS, OWNERS, links=Links("https://gh.test/run/1", "https://gh.test/page"))
    assert "@org" not in body


def test_boxes_are_offered_by_what_a_test_is() -> None:
    body = render(night(), {}, {}, Owners())
    assert box(Verb.QUARANTINE, key_of(CART)) in body
    assert box(Verb.QUARANTINE, key_of(BROKEN)) not in body, "a broken test is never quarantined"
    assert box(Verb.QUARANTINE, key_of(SUSPECT)) not in body
    assert box(Verb.FIX, key_of(CART)) in body
    for unproven in (BROKEN, SUSPECT):
        assert box(Verb.FIX, key_of(unproven)) not in body, "without a proven cause there is nothing to repair"
    quarantined = {CART: StateChange(CART, State.QUARANTINED, AT, "", until="2025-12-08")}
    inside = render(night(), quarantined, {}, Owners())
    assert box(Verb.UNQUARANTINE, key_of(CART)) in inside
    assert box(Verb.QUARANTINE, key_of(CART)) not in inside
    assert box(Verb.FIX, key_of(CART)) in inside
    silent = render(night(verdicts=()), quarantined, {}, Owners())
    assert "No test is flaky" in silent
    assert box(Verb.UNQUARANTINE, key_of(CART)) in silent, "a quarantine is never lost from sight"


ASKED = AskedRepair(AT, "@dev`", 1, "repaired", "", False, (12,), "https://gh.test/run/7")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ASKED, "on 2025-11-24: repaired, in #12; [the run](https://gh.test/run/7) tells why."),
        (replace(ASKED, outcome="gave_up", reason="no_candidate", pull_requests=()), "no fix found (no candidate"),
        (replace(ASKED, outcome="not_reproduced", pull_requests=()), "the failure could not be reproduced; [the run]"),
        (replace(ASKED, outcome="", running=True), "[the run](https://gh.test/run/7) is at it."),
        (replace(ASKED, outcome=""), "ended without a result; the box asks again"),
        (replace(ASKED, tests=3), "The repair of 3 tests, it among them, was asked for by"),
    ],
)
def test_what_became_of_a_repair_stands_below_its_test(asked: AskedRepair, said: str) -> None:
    body = render(night(), {}, {}, Owners(), repairs={CART.node_id: asked, "gone.py::test": ASKED})
    [line] = [line for line in body.splitlines() if " asked for by " in line]
    assert said in line
    assert "`` @dev` ``" in line
    assert line == repair_line(asked)


def test_what_is_not_known_is_said_first() -> None:
    scan = Scan(AT - 1, AT, False, problems=("page 3 of 7: 502",))
    body = render(night(scan=scan, lost=(2,), problems=("a",) * 30), {}, {}, Owners())
    assert body.index("could not be read whole") < body.index("| test |")
    assert "Shards that handed in nothing: 2" in body
    assert "and 20 more" in body


def test_hostile_names_do_nothing() -> None:
    tests = hostile()
    states = {each.test: StateChange(each.test, State.EXPIRED, AT, "x", until="@org/team") for each in tests}
    for triage in (night(*tests), night(verdicts=())):
        body = render(triage, states, {}, OWNERS)
        own = {(verb.value, key_of(each.test)) for each in triage.verdicts for verb in Verb}
        own |= {("unquarantine", key_of(test)) for test in states} | {("triage", "all")}
        found = re.findall(r"^\s*[-*+] \[.\].*<!-- grokfix:box (\w+) (\w+) -->", body, re.MULTILINE)
        assert found
        assert set(found) <= own
        every = body.replace("- [ ]", "- [x]")
        edit = read_edit(body, every, [body])
        assert isinstance(edit, Ticked)
        assert {(action.verb.value, action.key) for action in edit.actions} == set(found)
        for line in body.splitlines():
            if "grokfix:box" in line and not line.startswith("- [ ] "):
                assert "`" in line or "&lt;!--" in line, "shown, in code or escaped"
        assert "\x1b" not in body
        assert "\u202e" not in body
        body.encode()


def test_ten_thousand_tests_are_cut_honestly() -> None:
    many = [
        verdict(TestId.from_node_id(f"tests/test_{n}.py::test_{'x' * (n % 150)}"), Kind.FLAKY, 3) for n in range(10_000)
    ]
    body = render(night(*many), {}, {}, OWNERS)
    assert 40_000 < len(body) <= 65_536
    left = re.search(r"^(\d+) more tests do not fit here", body, re.MULTILINE)
    assert left is not None
    rows = sum(line.startswith("| [↓]") for line in body.splitlines())
    assert int(left[1]) + rows == 10_003
    assert body.rstrip().endswith("stable tests are not listed.")


@pytest.mark.parametrize(
    ("weeks", "shown"),
    [
        ((), ""),
        ((("2025-01-06", 10, 0),), "▁"),
        ((("a", 10, 0), ("b", 0, 0), ("c", 10, 5), ("d", 10, 10)), "▁·▅█"),
        ((("a", 1, 1),) * 30, "█" * 12),
    ],
)
def test_sparkline(weeks: tuple[tuple[str, int, int], ...], shown: str) -> None:
    assert sparkline(weeks) == shown


OWNED = [
    ("*.py @a", "tests/x.py", ("@a",)),
    ("*.js @a", "tests/x.py", ()),
    ("tests @a", "tests/x.py", ("@a",)),
    ("tests @a", "src/tests/x.py", ("@a",)),
    ("/tests/ @a", "src/tests/x.py", ()),
    ("/tests/ @a", "tests/deep/x.py", ("@a",)),
    ("tests/* @a", "tests/x.py", ("@a",)),
    ("tests/* @a", "tests/deep/x.py", ()),
    ("tests/** @a", "tests/deep/x.py", ("@a",)),
    ("**/deep @a", "tests/deep/x.py", ("@a",)),
    ("/a/**/z.py @a", "a/b/c/z.py", ("@a",)),
    ("/a/**/z.py @a", "a/z.py", ("@a",)),
    ("Tests/ @a", "tests/x.py", ()),
    ("* @a\ntests/ @b", "tests/x.py", ("@b",)),
    ("* @a\ntests/", "tests/x.py", ()),
    ("* @a # @b", "tests/x.py", ("@a",)),
    ("# * @a", "tests/x.py", ()),
    ("* @a\n!tests @b\n[ab] @c", "tests/x.py", ("@a",)),
    ("* @a\n* not-an-owner", "tests/x.py", ("@a",)),
    ("with\\ blank.py @a", "with blank.py", ("@a",)),
    ("* @org/team dev@shop.test", "x", ("@org/team", "dev@shop.test")),
    ("/ @a", "x", ()),
    ("te?ts/ @a", "tests/x.py", ("@a",)),
]


@pytest.mark.parametrize(("text", "path", "owners"), OWNED)
def test_owners_are_githubs(text: str, path: str, owners: tuple[str, ...]) -> None:
    assert read_owners(text.encode()).of(path) == owners


def test_owners_out_of_anything() -> None:
    assert read_owners(b"\xff\x00 * \n" * 9).rules == ()
    assert read_owners(b"*" * (4 << 20)) == Owners()
    slow = read_owners(("a*" * 100 + "b @a\n").encode())
    assert slow.of("a" * 900) == ()


def test_the_quarantines_pull_request_tells_who_and_until_when() -> None:
    entry = entry_for(verdict(CART, Kind.FLAKY, 7), at=AT, days=14, owner="@org/cart")
    assert isinstance(entry, Entry)
    content = Content({"grokfix-quarantine.json": b"{}"}, loaded_by="tests/conftest.py")
    body = quarantine_body([entry], [], content, asked_by="dev")
    assert quarantine_title([entry], []) == "Quarantine 1 flaky test"
    assert quarantine_title([entry], [BROKEN]) == "Quarantine 1 flaky test and end the quarantine of 1 test"
    for part in ("2025-12-08", "failed 7 of 60", "`tests/conftest.py`", "`@\u200borg/cart`"):
        assert part in body
    ended = quarantine_body([], [CART], Content({"grokfix-quarantine.json": None}))
    assert "These leave the quarantine." in ended
    assert "No test is left in quarantine" in ended
    nasty = [
        replace(entry, test=TestId.from_node_id(name), reason=name, owner=name, cause=name) for name in HOSTILE_NAMES
    ]
    told = quarantine_body(nasty, [each.test for each in nasty], content, asked_by="@org/x <b>")
    assert "\n- [" not in told
    assert "<script" not in re.sub(r"`[^`]*`", "", told)


def test_a_box_that_was_ticked_is_told_and_cleared() -> None:
    body = render(night(), {}, {}, Owners())
    tick = box(Verb.QUARANTINE, key_of(CART))
    new = body.replace(tick, tick.replace("[ ]", "[x]")).replace("\n", "\r\n")
    assert read_edit(body, new, [body]) == Ticked((Action(Verb.QUARANTINE, key_of(CART)),))
    assert cleared(new) == cleared(body)
