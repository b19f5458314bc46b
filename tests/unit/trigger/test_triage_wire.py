"""The wire shape of a triage: what the dashboard's boxes name travels between jobs and stands in the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.errors import ConfigError
from bot.trigger import wire
from bot.trigger.entry import Entry, State
from bot.trigger.ledger_book import CORRUPT, LIVE, Book
from bot.trigger.types import MOST_LETTERS, MOST_NAMED, Claim, OwnRun, Triage, Trigger, TriggerKind
from tests.unit.trigger.sample import REPOSITORY, SHA

NODE = "tests/test_cart.py::TestTotals::test_total[3-items]"
NOW = datetime(2026, 11, 25, tzinfo=UTC).timestamp()
LONGEST_NAMES = {
    "attempt": "f" * 16,
    "run_url": "https://github.test/" + "x" * 480,
    "exhausted": tuple("e" * 64 for _ in range(50)),
}


def claim(command: Triage) -> Claim:
    """With every other field about as long as it may be."""
    trigger = Trigger(
        TriggerKind.DASHBOARD, REPOSITORY, "b" * 200, "s" * 39, sha=SHA, branch="b" * 200, workflow="é" * 255
    )
    return Claim(replace(trigger, command=command), asked=True, **LONGEST_NAMES)  # type: ignore[arg-type]


def entry(command: Triage) -> Entry:
    own = OwnRun(70, "https://github.test/" + "x" * 480, "r" * 200)
    return Entry("f" * 16, State.CLAIMED, NOW, None, "", "", ("a" * 64,) * 20, 60.0, 0.0, (1, 2), own, claim(command))


def text(command: Triage) -> str:
    return json.dumps(wire.claim_data(claim(command)))


def changed(**fields: object) -> str:
    data = json.loads(text(Triage(1, (NODE,))))
    data["trigger"]["command"] |= fields
    return json.dumps(data)


@pytest.mark.parametrize(
    "command",
    [
        Triage(),
        Triage(0, (), (NODE,), (NODE,)),
        Triage(20),
        Triage(1, (NODE,), mend=(NODE,)),
        Triage(1, ("tests/test_é.py::test[\u2028 <!-- @org/team fixes #1 --> ::error::]",)),
        Triage(1, ("x" * 1000,)),
    ],
)
def test_it_comes_back_as_it_was(command: Triage) -> None:
    assert wire.read_claim(text(command)).trigger.command == command
    assert wire.read_entry(json.dumps(wire.entry_data(entry(command)))) == entry(command)


HOSTILE = {
    "shards below": {"shards": -1},
    "shards above": {"shards": 21},
    "shards as text": {"shards": "2"},
    "shards as a number with a point": {"shards": 2.0},
    "shards as truth": {"shards": True},
    "no list": {"tests": NODE},
    "no texts": {"tests": [1]},
    "a list in it": {"quarantine": [[NODE]]},
    "nothing": {"release": None},
    "empty": {"tests": [""]},
    "a line break": {"tests": [f"{NODE}\n- [x] repair it"]},
    "an escape": {"quarantine": ["\x1b[31mtests/test_a.py::test_b"]},
    "a zero": {"release": ["tests/test_a.py::test_b\0"]},
    "half a character": {"tests": ["tests/test_a.py::test_\ud800"]},
    "too long": {"tests": ["x" * 1001]},
    "too many": {"quarantine": [f"{NODE}{number}" for number in range(MOST_NAMED + 1)]},
    "too many to mend": {"mend": [f"{NODE}{number}" for number in range(MOST_NAMED + 1)]},
    "too much together": {"tests": ["é" * 999] * 7},
    "another name": {"name": "flaky"},
    "one more field": {"until": "2027-01-01"},
}


@pytest.mark.parametrize("fields", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_else_is_refused_without_its_values(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as told:
        wire.read_claim(changed(**fields))
    assert "test_" not in str(told.value)
    assert str(told.value).isprintable()


@pytest.mark.parametrize("letter", ["x", "é", '"', "\\", "\u202e", "😀"], ids=ascii)
def test_many_ticked_tests_of_long_names_never_pass_the_length_of_a_line(letter: str) -> None:
    """What a run takes fits into a line, whatever the letters: it is counted as it is written."""
    name = letter * (1000 if letter != "😀" else 500)
    most = Triage(1)
    for field in ("tests", "quarantine", "release", "mend") * MOST_NAMED:
        more = replace(most, **{field: (*getattr(most, field), name)})
        if not more.too_much:
            most = more
    assert most.tests, "something may be named"
    assert sum(len(json.dumps(each)) for names in (most.tests, most.quarantine) for each in names) <= MOST_LETTERS
    line = json.dumps(wire.entry_data(entry(most)))
    assert len(line) <= wire.LONGEST_LINE
    assert wire.read_entry(line) == entry(most)
    assert wire.read_claim(text(most)) == claim(most)


def test_a_line_beyond_the_length_is_kept_aside_and_the_others_count() -> None:
    ours = json.dumps(wire.entry_data(entry(Triage()))).encode()
    longest = changed(tests=["é" * 1000] * 20).encode()
    assert len(longest) > wire.LONGEST_LINE
    with pytest.raises(ConfigError, match="65,536 are read"):
        wire.read_claim(longest.decode())
    book = Book({LIVE: longest + b"\n" + ours + b"\n"}.get, NOW)
    assert [each.attempt for each in book.entries] == ["f" * 16]
    assert book.problems[0].startswith("1 line(s)")
    assert book.written(book.entries)[CORRUPT].strip() == longest
