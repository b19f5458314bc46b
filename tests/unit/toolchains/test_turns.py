"""How often threads take turns, each time in a process of its own: the first round of a test is the one that counts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bot import process

TILL = """
import threading


def cents(amount):
    return round(amount * 100)


class Till:
    takings = 0

    def take(self, amount):
        before = self.takings
        self.takings = before + cents(amount)


def open_day():
    till = Till()
    threads = [threading.Thread(target=lambda: [till.take(0.5) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return till.takings
"""
ROUND = """
import sys
from bot.toolchains.in_box.turns import Turns
import till

turns = Turns(sys.argv[1], sys.argv[2])
turns.begin()
takings = till.open_day()
turns.end()
print("lost" if takings != 4000 else "whole")
"""


@pytest.mark.parametrize(("how", "told"), [("lines", "lost"), ("seldom", "whole")])
@pytest.mark.parametrize("linked", [False, True], ids=["named as it is", "named by a link"])
def test_a_race_shows_at_every_line_and_never_without_turns(tmp_path: Path, how: str, told: str, linked: bool) -> None:
    place = tmp_path / "project"
    place.mkdir()
    (place / "till.py").write_text(TILL, encoding="utf-8")
    workspace = place
    if linked:
        workspace = tmp_path / "link"
        workspace.symlink_to(place)
    paths = os.pathsep.join([str(Path(__file__).parents[3]), str(place)])
    for _ in range(4):
        done = process.run(
            (sys.executable, "-c", ROUND, how, str(workspace)),
            cwd=tmp_path,
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
            seconds=30,
        )
        assert done.stdout.decode().strip() == told, done.stderr
