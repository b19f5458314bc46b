"""The words of triage: in a line, in the terminal's text, in the Markdown summary; hostile texts do nothing in them."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from bot.evidence.types import TestId
from bot.flaky.types import Cause, Counts, Finding, Interval, Proof, Scan, Trial, Tried
from bot.flaky.verdict import Kind, Verdict
from bot.publish.flaky_summary import LISTED, LONGEST, render_summary
from bot.publish.flaky_text import LISTED as LISTED_IN_TEXT
from bot.publish.flaky_text import headline, render_text
from bot.publish.flaky_words import (
    KINDS,
    NEXT,
    counted,
    day,
    interval,
    minutes,
    percent,
    proof_words,
    to_do,
    trial_words,
    under,
    why,
)
from bot.toolchains.types import PLAIN, Conditions
from tests.unit.publish.flaky_sample import AT, BROKEN, CART, SUSPECT, hostile, night, proven, verdict


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (-0.1, "0 %"),
        (0.0, "0 %"),
        (0.0004, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.004, "0.4 %"),
        (0.0994, "9.9 %"),
        (0.0995, "10 %"),
        (0.123, "12 %"),
        (1.0, "100 %"),
    ],
)
def test_a_rate(rate: float, shown: str) -> None:
    assert percent(rate) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.0, 1.0, "0 to 100 %"), (0.058, 0.22, "5.8 to 22 %"), (0.0, 0.0001, "0 to < 0.1 %")],
)
def test_an_interval(low: float, high: float, shown: str) -> None:
    assert interval(Interval(low, high)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.04, "0.0 min a week"), (9.44, "9.4 min a week"), (9.5, "10 min a week"), (41.5, "42 min a week")],
)
def test_minutes(value: float | None, shown: str) -> None:
    assert minutes(value) == shown


@pytest.mark.parametrize(("at", "shown"), [(None, ""), (0.0, "1970-01-01"), (AT, "2025-11-24")])
def test_a_day(at: float | None, shown: str) -> None:
    assert day(at) == shown


CONDITIONS = [
    (PLAIN, ""),
    (Conditions(in_order=True), "in this order"),
    (Conditions(repeat=2), "2 times in one process"),
    (Conditions(hash_seed=3), "PYTHONHASHSEED=3"),
    (Conditions(hash_seed=0), "PYTHONHASHSEED=0"),
    (Conditions(random_seed=7), "random seed 7"),
    (Conditions(clock="2024-02-29 12:00"), "clock at 2024-02-29 12:00"),
    (Conditions(zone="Asia/Kolkata"), "TZ=Asia/Kolkata"),
    (Conditions(cpu_share=0.25), "25 % of the CPU"),
    (Conditions(load=4), "4 busy processes beside it"),
    (Conditions(one_core=True), "one core"),
    (Conditions(workers=4), "4 workers"),
    (Conditions(offline=True), "no network"),
    (Conditions(fresh_home=True), "new HOME and temporary folder"),
    (Conditions(open_files=64), "at most 64 open files"),
    (Conditions(ports=(80, 443)), "somebody else holds port 80, 443"),
    (Conditions(directory_order="reversed"), "directories reversed"),
    (Conditions(threads=1), "1 threads for numerics"),
    (Conditions(network=True), "with a network"),
    (Conditions(thread_turns="often"), "threads take turns every microsecond"),
    (Conditions(thread_turns="lines"), "threads take turns at every line"),
    (Conditions(thread_turns="seldom"), "threads take turns only where they wait"),
    (Conditions(neighbours=2, beside=("a", "b")), "2 processes beside it that run other tests"),
    (Conditions(hash_seed=3, zone="UTC"), "PYTHONHASHSEED=3, TZ=UTC"),
]


@pytest.mark.parametrize(("conditions", "shown"), CONDITIONS)
def test_conditions(conditions: Conditions, shown: str) -> None:
    assert under(conditions) == shown


def test_no_condition_is_silent() -> None:
    changed = {
        each.name
        for conditions, _ in CONDITIONS
        for each in fields(Conditions)
        if getattr(conditions, each.name) != getattr(PLAIN, each.name)
    }
    assert changed == {each.name for each in fields(Conditions)}, "each has its words, and a row above"


def test_trials_and_proofs() -> None:
    trial = Trial("seed 3", (CART,), Conditions(hash_seed=3), Counts(9, 4), foreign=2)
    assert trial_words(trial) == "seed 3: failed 4 of 9, 2 in another way (PYTHONHASHSEED=3)"
    assert trial_words(replace(trial, foreign=0, conditions=PLAIN)) == "seed 3: failed 4 of 9"
    assert counted(Counts(9, 4)) == "failed 4 of 9"
    (proof,) = proven(CART).proofs
    assert proof_words(proof).startswith("order: victim: after ")
    assert proof_words(proof).endswith("(provoked 10 of 10, without the cause 0 of 10, again 10 of 10)")
    assert proof_words(Proof(Cause.TIME, "at midnight", (trial,))) == "time: at midnight"


TRIED = Finding(
    CART, (), (Tried(Cause.TIME, "passed 9 of 9"), Tried(Cause.ZONE, "passed 9 of 9")), "the minutes were over"
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (verdict(CART, Kind.FLAKY, 7), "failed 7 of 60 runs"),
        (verdict(CART, Kind.FLAKY, 7, finding=proven(CART)), "order: victim: after tests/test_admin.py"),
        (
            verdict(CART, Kind.FLAKY, 7, finding=TRIED),
            "failed 7 of 60 runs; no cause was proven (tried: time, time zone; the experiments ended early: the minutes "
            "were over)",
        ),
        (verdict(CART, Kind.FLAKY, 7, finding=Finding(CART, (), ())), "failed 7 of 60 runs"),
    ],
)
def test_why(given: Verdict, expected: str) -> None:
    assert why(given).startswith(expected)


def test_what_to_do() -> None:
    assert set(NEXT) == set(Cause) and all(NEXT.values())
    assert set(KINDS) == set(Kind)
    assert to_do(verdict(CART, Kind.FLAKY, 7)) == ""
    assert to_do(verdict(CART, Kind.FLAKY, 7, finding=proven(CART))) == NEXT[Cause.VICTIM]
    broken = next(each for each in night().verdicts if each.test == BROKEN)
    assert to_do(broken) == "it broke with commit cccccccccccc: grokfix repair"
    assert to_do(verdict(BROKEN, Kind.BROKEN, 9)) == "it fails every time: grokfix repair"


# --- the terminal ----------------------------------------------------------------------------------------------------


def test_the_headline_counts_each_kind() -> None:
    assert headline(night()) == "1 flaky, 1 broken, 1 suspect, 1204 stable"
    assert headline(night(verdicts=(), stable=3)) == "no flaky test: 3 stable"
    assert headline(night(verdicts=(verdict(CART, Kind.ENVIRONMENT, 3),), stable=0)).startswith(
        "1 depends on the environment"
    )


def test_the_text_tells_counts_cause_trials_and_what_to_do() -> None:
    text = render_text(night(), 100)
    for part in (
        f"FLAKY  {CART.node_id}",
        "  failed 7 of 60 (5.8 to 22 %), 42 min a week",
        "    polluter first: failed 10 of 10 (in this order)",
        "  → make the polluting test put back what it changes",
        f"BROKEN  {BROKEN.node_id}",
        f"SUSPECT  {SUSPECT.node_id}",
        "164 runs in ",
    ):
        assert part in text
    ids = {CART.node_id, BROKEN.node_id, SUSPECT.node_id}
    assert all(len(line) <= 100 or any(test in line for test in ids) for line in text.splitlines())


@pytest.mark.parametrize("width", [1, 40, 80, 200])
def test_the_text_is_wrapped_to_the_terminal(width: int) -> None:
    lines = render_text(night(verdicts=(verdict(CART, Kind.FLAKY, 7, reason="word " * 200),)), width).splitlines()
    assert max(map(len, lines)) <= max(40, width, len(f"FLAKY  {CART.node_id}"))


UNKNOWN = night(
    scan=Scan(AT - 1, AT, False, problems=("page 3 of 7: 502", "the token died")),
    lost=(2, 5),
    problems=("first", "second"),
)


def test_the_text_tells_what_is_not_known() -> None:
    text = " ".join(render_text(UNKNOWN, 100).split())
    assert "could not be read whole, so nothing rests on it: page 3 of 7: 502; the token died" in text
    assert "Shards that handed in nothing: 2, 5." in text
    assert "! first" in text and "! second" in text


def test_many_tests_are_cut_and_counted_in_the_text() -> None:
    many = [
        verdict(TestId.from_node_id(f"tests/test_{n}.py::test_x"), Kind.FLAKY, 3) for n in range(LISTED_IN_TEXT + 20)
    ]
    text = render_text(night(verdicts=tuple(many)), 100)
    assert text.count("FLAKY  ") == LISTED_IN_TEXT
    assert "… and 20 more in triage.json" in text


def test_hostile_names_do_nothing_in_a_terminal() -> None:
    evil = "::error::x\n::set-output name=a::b\n##[group]\x1b[2J\u202e"
    cruel = verdict(TestId("tests/x.py", "", evil), Kind.FLAKY, 3, reason=evil, finding=replace(TRIED, cut=evil))
    text = render_text(night(*hostile(), cruel, problems=(evil,)), 100)
    for line in text.splitlines():
        assert not line.lstrip().startswith("::")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028\ud800-\udfff]", text)
    assert "##[" not in text
    text.encode()


# --- the summary -----------------------------------------------------------------------------------------------------


def test_the_summary_has_a_table_and_the_proof() -> None:
    text = render_summary(night())
    row = next(line for line in text.splitlines() if line.startswith("| `tests/test_cart.py"))
    assert row.endswith("| flaky | 7 of 60 | 5.8 to 22 % | 42 min a week | order: victim |")
    assert "provoked 10 of 10, without the cause 0 of 10, again 10 of 10" in text
    assert "  - polluter first: failed 10 of 10 (in this order)" in text
    assert "What to do: make the polluting test put back what it changes" in text
    assert render_summary(night(), heading="Tonight").startswith("## Tonight\n")


def test_several_proofs_are_told_apart_in_the_summary() -> None:
    (proof,) = proven(CART).proofs
    both = replace(proven(CART), proofs=(proof, replace(proof, cause=Cause.ZONE, detail="in Kolkata")))
    text = render_summary(night(verdicts=(verdict(CART, Kind.FLAKY, 7, finding=both),)))
    assert "- order: victim: after" in text and "- time zone: in Kolkata" in text


def test_the_summary_tells_what_is_not_known_first() -> None:
    text = render_summary(UNKNOWN)
    assert text.index("could not be read whole") < text.index("| test |")
    assert "Shards that handed in nothing: 2, 5." in text and "- first" in text
    empty = render_summary(night(verdicts=()))
    assert "| test |" not in empty and "no flaky test" in empty


def test_many_tests_fit_into_a_comment() -> None:
    long = [
        verdict(TestId.from_node_id(f"tests/test_{n}.py::test_{'x' * 1900}"), Kind.FLAKY, 3, reason="why " * 300)
        for n in range(LISTED + 30)
    ]
    text = render_summary(night(verdicts=tuple(long)))
    assert len(text) < 65_536 and LONGEST < 65_536
    left = re.search(r"… and (\d+) more, in `triage.json` and `flaky.html`", text)
    assert left is not None
    assert int(left[1]) + text.count("\n| `tests/") == LISTED + 30


def test_hostile_names_do_nothing_in_a_summary() -> None:
    text = render_summary(night(*hostile(), problems=("<script>@org/team fixes #1</script>",)))
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    for part in ("<script", "<!--", "@org/team", "fixes #1", "/grok fix"):
        assert part not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert not re.search(r"^- \[.\]", text, re.MULTILINE)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028\ud800-\udfff]", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 7 for row in rows), "no name opens a cell"
    text.encode()
