"""Text is shown as what it is, and cut where it was said to be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence.text import head_tail, one_line, plain


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("#x1B[31mred#x1B[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\r\nb", "a\nb"),
        ("a\r::error::b", "a\\x0d::error::b"),
        ("a\x85::error::b", "a\\x85::error::b"),
        ("a\u2028b", "a\\u2028b"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\x00\x08\x7f", "\\x00\\x08\\x7f"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("tab\tand\nnewline é 漢 🙂", "tab\tand\nnewline é 漢 🙂"),
    ],
)
def test_plain_removes_or_shows(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@given(st.text())
def test_plain_leaves_nothing_that_acts(text: str) -> None:
    result = plain(text)
    assert all(character in "\t\n" or character >= " " for character in result)
    assert not any("\x7f" <= character <= "\x9f" or "\u202a" <= character <= "\u202e" for character in result)
    result.encode("utf-8")


@given(st.text(alphabet="ab\n", max_size=600), st.integers(60, 200))
def test_head_tail_keeps_both_ends_within_the_limit(text: str, limit: int) -> None:
    cut = head_tail(text, limit)
    assert len(cut) <= limit
    if len(text) <= limit:
        assert cut == text
    else:
        head, _, rest = cut.partition("… ")
        count, _, tail = rest.partition(" characters left out …")
        assert text.startswith(head.removesuffix("\n"))
        assert text.endswith(tail.removeprefix("\n"))
        assert len(head) - 1 + int(count.replace(",", "")) + len(tail) - 1 == len(text)


def test_head_tail_refuses_a_limit_without_room_for_the_mark() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        head_tail("x" * 100, 10)


def test_one_line_folds_and_cuts() -> None:
    assert one_line("a\n  b\tc", 80) == "a b c"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"
