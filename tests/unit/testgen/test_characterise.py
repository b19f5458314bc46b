"""What the worker does with calls that nobody meant: in a process of its own, for an audit hook stays for good."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bot import process

DRIVER = """\
import json, signal, sys
sys.path[:0] = [{root!r}, {folder!r}]
from bot.propose.search.in_box import characterise as worker
signal.signal(signal.SIGVTALRM, worker.raise_late)
guard = worker.Guard()
told = []
for name, call in {calls!r}:
    lines = set()
    effect = worker.call_once(worker.find("subject", name), call, guard, lines)
    told.append([None if effect is None else effect._asdict(), sorted(lines)])
print(json.dumps(told))
"""
SUBJECT = """\
import os, shutil, socket, subprocess, sys, tempfile, threading


def double(a):
    return a * 2


def refuse(a):
    if a < 1:
        raise ValueError(a)


def crash(a):
    return a.missing


def fill(items):
    items.append(1)


def numbers(a):
    yield from range(a)


def write(path):
    open(path, "w").close()


def write_and_hide(path):
    try:
        open(path, "w").close()
    except BaseException:
        pass
    return 1


def remove(path):
    os.remove(path)


def wipe(path):
    shutil.rmtree(path, ignore_errors=True)
    return 1


def run(path):
    subprocess.run(["touch", path])
    return 1


def shell(path):
    return os.system("touch " + path)


def connect(path):
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except OSError:
        pass
    return 1


def leave(a):
    sys.exit(a)


def forever(a):
    while True:
        pass


def stubborn(a):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def huge(a):
    return "x" * 10**6


def opaque(a):
    return object()


class Basket:
    def __init__(self, limit):
        self.limit = limit

    def room(self, count):
        return count <= self.limit

    @staticmethod
    def unit():
        return "kg"
"""


def ask(folder: Path, calls: list[tuple[str, str]]) -> list[tuple[dict[str, object] | None, list[int]]]:
    (folder / "subject.py").write_text(SUBJECT)
    root = str(Path(__file__).parents[3])
    driver = DRIVER.format(root=root, folder=str(folder), calls=calls)
    done = process.run((sys.executable, "-c", driver), cwd=folder, seconds=60)
    assert done.exit_code == 0, done.stderr.decode()
    return [(effect, lines) for effect, lines in json.loads(done.stdout)]


def test_what_a_call_does_is_told(tmp_path: Path) -> None:
    wanted = [
        ("double", "(None, [3], {})", "value", "6"),
        ("double", "(None, [], {'a': 'x'})", "value", "'xx'"),
        ("refuse", "(None, [0], {})", "raises", "ValueError"),
        ("crash", "(None, [0], {})", "raises", "AttributeError"),
        ("fill", "(None, [[]], {})", "changes", "[[1]]"),
        ("numbers", "(None, [3], {})", "value", "[0, 1, 2]"),
        ("Basket.room", "(([2], {}), [3], {})", "value", "False"),
        ("Basket.unit", "(None, [], {})", "value", "'kg'"),
    ]
    found = ask(tmp_path, [(name, call) for name, call, _, _ in wanted])
    seen = [(effect["did"], effect["text"]) for effect, _ in found if effect is not None]
    assert seen == [(did, text) for _, _, did, text in wanted]
    assert all(lines for _, lines in found)


def test_a_call_that_does_something_to_the_world_or_does_not_end_is_broken_off(tmp_path: Path) -> None:
    kept, made = tmp_path / "kept", tmp_path / "made"
    kept.mkdir()
    (kept / "file").touch()
    names = ["write", "write_and_hide", "remove", "wipe", "run", "shell", "connect", "leave", "huge", "opaque"]
    places = {"remove": kept / "file", "wipe": kept}
    calls = [(name, f"(None, [{str(places.get(name, made))!r}], {{}})") for name in [*names, "forever", "stubborn"]]
    assert [effect for effect, _ in ask(tmp_path, calls)] == [None] * len(calls)
    assert (kept / "file").exists() and not made.exists()
