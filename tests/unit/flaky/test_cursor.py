"""The cursor lies where others can write."""

from __future__ import annotations

import json

import pytest

from bot.flaky.cursor import FORMAT, LIMIT_BYTES, Cursor, Span, dump, load, question

SPAN = ["tests.yml", "2026-11-01T00:00:00Z", "*", True, ['W/"ab"'], [5, 2]]


def written(*lines: object, head: object = None) -> bytes:
    first = {"format": FORMAT, "of": "q", "spans": len(lines)} if head is None else head
    return "\n".join(json.dumps(line) for line in (first, *lines)).encode()


def test_there_and_back() -> None:
    cursor = Cursor(
        question("o/r", ("junit*",)),
        (
            Span("", "2026-11-01T00:00:00Z", "2026-11-01T23:59:59Z", whole=True, etags=('"x"', ""), attempts={9: 0}),
            Span("tests.yml", "2026-11-02T00:00:00Z", "*", attempts={1 << 40: 3}),
        ),
    )
    assert load(dump(cursor)) == cursor
    assert load(dump(Cursor())) == Cursor()
    assert load(written(SPAN)) == Cursor("q", (Span("tests.yml", SPAN[1], "*", True, ('W/"ab"',), {5: 2}),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"null",
        written(head=["grokfix-cursor/1"]),
        written(head={"format": "grokfix-cursor/2", "of": "q", "spans": 0}),
        written(SPAN, head={"format": FORMAT, "of": "q", "spans": 2}),
        written(SPAN, head={"format": FORMAT, "of": 1, "spans": 1}),
        written(SPAN[:-1]),
        written([*SPAN, 1]),
        written({"workflow": "x"}),
        written(["../x", *SPAN[1:]]),
        written(["a\nb", *SPAN[1:]]),
        written([SPAN[0], "yesterday", *SPAN[2:]]),
        written([SPAN[0], SPAN[1], "2026-11-01", *SPAN[3:]]),
        written([*SPAN[:3], 1, *SPAN[4:]]),
        written([*SPAN[:4], ['"a"\r\nAuthorization: x'], SPAN[5]]),
        written([*SPAN[:4], [1], SPAN[5]]),
        written([*SPAN[:4], ['"a"'] * 11, SPAN[5]]),
        written([*SPAN[:5], [1]]),
        written([*SPAN[:5], [1, -1]]),
        written([*SPAN[:5], [1, True]]),
        written([*SPAN[:5], [1, 1.5]]),
        b" " * (LIMIT_BYTES + 1),
    ],
)
def test_what_is_none_is_said_and_never_raised(data: bytes) -> None:
    assert isinstance(load(data), str)


def test_a_cursor_of_another_question_is_another() -> None:
    assert question("o/r", ("a",)) == question("O/R", ("a",)) != question("o/r", ("a", "b"))


def test_runs_that_are_not_named_were_read_where_the_span_is_over() -> None:
    closed = Span("", "2026-11-01T00:00:00Z", "2026-11-01T23:59:59Z", whole=True, attempts={4: 0, 5: 3})
    assert [closed.read_of(run) for run in (4, 5, 6)] == [0, 3, 1]
    assert Span("", "2026-11-01T00:00:00Z", "*", whole=True).read_of(6) == 0
