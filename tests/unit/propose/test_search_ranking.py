"""What decides between candidates that the tests cannot tell apart."""

from __future__ import annotations

import pytest

from bot.propose.search.ranking import Found, is_doubtful
from bot.propose.search.types import Candidate, Edit

SOURCE = """\
def search(graph, start, goal):
    seen = set()
    for node in walk(graph, start):
        if node == goal:
            return True
        seen.add(node)
    return bool(seen) and goal in seen


def unrelated(node):
    return node
"""


def candidate(old: str, new: str) -> Candidate:
    assert SOURCE.count(old) == 1
    start = SOURCE.index(old)
    return Candidate("a.py", 1, (Edit(start, start + len(old), new),), "rule", 1.0, "")


@pytest.mark.parametrize(
    ("old", "new", "doubtful"),
    [
        ("node == goal", "node != goal", False),
        ("node == goal", "start == goal", False),
        ("seen = set()", "seen = {start}", True),
        ("bool(seen)", "seen", True),
        ("bool(seen)", "bool(goal)", False),
        ("walk(graph, start)", "walk(graph, goal)", True),
        ("graph, start):", "start, graph):", False),
        ("return True", "return node", False),
        ("        seen.add(node)\n", "", True),
        ("return bool(seen) and goal in seen", "return walk(seen, goal) or goal in seen", False),
    ],
)
def test_doubtful(old: str, new: str, doubtful: bool) -> None:
    assert is_doubtful(candidate(old, new), SOURCE) is doubtful


def test_best_first() -> None:
    change = candidate("node == goal", "node != goal")
    late_but_heals = Found(change, 90, 1, True)
    sound = Found(change, 50, 0, False)
    doubtful = Found(change, 3, 0, True)
    assert sorted([doubtful, sound, late_but_heals], key=lambda found: found.rank) == [late_but_heals, sound, doubtful]
