"""Forked children: whatever one of them does, its task ends, and the others and the parent go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.propose.search.in_box.pool import Ending, Report, Task, run_all

Body = Callable[[Report], None]


def settle(bodies: list[Body], jobs: int = 2, seconds: float = 20.0) -> dict[int, Ending]:
    endings: dict[int, Ending] = {}
    deadline = time.monotonic() + seconds
    tasks = (Task(number, body, 0.3) for number, body in enumerate(bodies))
    run_all(tasks, jobs, lambda: deadline, endings.__setitem__)
    return endings


def good(report: Report) -> None:
    report.begin(0, 0.3)
    report.note(step=1)
    report.end(passed=True)


def hang(report: Report) -> None:
    report.begin(7, 0.3)
    while True:
        pass


def swallow(report: Report) -> None:
    report.begin(0, 0.3)
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 (what code under test does)
            pass


def crash(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(report: Report) -> None:
    os._exit(0)


def stop(report: Report) -> None:
    raise SystemExit(0)


def interrupt(report: Report) -> None:
    raise KeyboardInterrupt


def flood(report: Report) -> None:
    while True:
        os.write(report.descriptor, b"x" * 65536)


def nonsense(report: Report) -> None:
    os.write(report.descriptor, b'[1]\nnull\n{"said": 3}\n\xff\xfe\n')


def noise(report: Report) -> None:
    os.write(1, b"y" * 200_000)
    os.write(2, b"y" * 200_000)
    report.end(passed=True)


def devour(report: Report) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(2 << 30))


@pytest.mark.parametrize(
    ("body", "fate"),
    [
        (good, "said"),
        (hang, "timeout"),
        (swallow, "timeout"),
        (crash, "crashed"),
        (leave, "crashed"),
        (stop, "crashed"),
        (interrupt, "crashed"),
        (flood, "crashed"),
        (nonsense, "crashed"),
        (noise, "said"),
        (devour, "crashed"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_fates(body: Body, fate: str, capfd: pytest.CaptureFixture[str]) -> None:
    endings = settle([good, body, good])
    assert [endings[number].fate for number in range(3)] == ["said", fate, "said"]
    assert endings[0].said == {"passed": True} and endings[0].notes == ({"step": 1},)
    if body is hang:
        assert endings[1].test == 7 and endings[1].seconds < 3
    captured = capfd.readouterr()
    assert "y" not in captured.out and "yyy" not in captured.err


def test_what_sleeps_is_killed_by_the_clock() -> None:
    def sleep(report: Report) -> None:
        report.begin(0, 0.0)
        time.sleep(60)

    began = time.monotonic()
    assert settle([sleep])[0].fate == "timeout"
    assert time.monotonic() - began < 50  # it would sleep for 60


def test_left_behind_processes_are_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def leave_behind(report: Report) -> None:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        note.write_text(str(child.pid))
        report.end(passed=True)

    assert settle([leave_behind])[0].fate == "said"
    pid = int(note.read_text())
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the grandchild lives on")


def test_the_deadline_cuts_everything_off() -> None:
    began = time.monotonic()

    def sleep(report: Report) -> None:
        report.begin(0, 30.0)
        time.sleep(30)

    assert settle([sleep] * 5, jobs=2, seconds=0.5) == {}
    assert time.monotonic() - began < 25  # they would sleep for 30


def test_nothing_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    settle([good] * 20)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before
