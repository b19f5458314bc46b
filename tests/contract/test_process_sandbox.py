"""What only the process sandbox does: it lives on this machine, beside whatever else runs here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.capped import CappedOutput
from bot.adapters.local import ProcessSandbox
from bot.errors import SandboxError
from bot.ports import Command, Environment, Limits, Service, SetUp

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
PLAN = SetUp(image="")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "checkout"
    tree.mkdir()
    (tree / "module.py").write_text("VALUE = 1\n")
    return tree


@pytest.fixture
def environment(tmp_path: Path, tree: Path) -> Iterator[Environment]:
    with ProcessSandbox(tmp_path / "scratch").set_up(PLAN, tree, Limits()) as environment:
        yield environment


def alive(marker: str) -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in entry.read_bytes():
                return True
        except OSError:
            continue
    return False


def wait_until_gone(marker: str) -> bool:
    deadline = time.monotonic() + 10
    while alive(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_services_need_docker(tmp_path: Path, tree: Path) -> None:
    plan = SetUp(image="", services=(Service("postgres:17"),))
    with pytest.raises(SandboxError, match=r"postgres:17.*--sandbox docker"):
        ProcessSandbox(tmp_path).set_up(plan, tree, Limits())


def test_set_up_secrets_are_files_that_no_box_sees(tmp_path: Path, tree: Path) -> None:
    script = 'cat "$GROKFIX_SECRETS/TOKEN" | wc -c > size; stat -c %a "$GROKFIX_SECRETS" >> size'
    plan = SetUp(image="", commands=(("sh", "-c", script),), secrets={"TOKEN": b"hush"}, trusted=True)
    scratch = tmp_path / "scratch"
    with ProcessSandbox(scratch).set_up(plan, tree, Limits()) as environment, environment.open() as box:
        execution = box.execute(Command(("sh", "-c", 'cat size; echo "<$GROKFIX_SECRETS>"'), 10.0))
        assert execution.output.split() == ["4", "700", "<>"]
        assert not list(scratch.rglob("TOKEN"))


def test_overlay_goes_through_no_link(tmp_path: Path) -> None:
    outside, checkout = tmp_path / "outside", tmp_path / "checkout"
    outside.mkdir()
    checkout.mkdir()
    (checkout / "sub").symlink_to(outside)
    with ProcessSandbox(tmp_path / "scratch").set_up(PLAN, checkout, Limits()) as environment:
        with pytest.raises(SandboxError, match="sub/file"):
            environment.open({"sub/file": b"x"}).close()
        with pytest.raises(SandboxError, match="sub/file"):
            environment.open({"sub/file": None}).close()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("cwd", ["..", "/", "sub/../..", "link"])
def test_working_directory_outside_the_repository_is_refused(tmp_path: Path, tree: Path, cwd: str) -> None:
    (tree / "sub").mkdir()
    (tree / "link").symlink_to(tmp_path)
    with (
        ProcessSandbox(tmp_path / "scratch").set_up(PLAN, tree, Limits()) as environment,
        environment.open() as box,
        pytest.raises(SandboxError, match="working directory"),
    ):
        box.execute(Command(("pwd",), 10.0, cwd=cwd))


def test_no_byte_code_is_written(environment: Environment) -> None:
    with environment.open() as box:
        execution = box.execute(Command((sys.executable, "-c", "import module, os; print(os.listdir())"), 10.0))
        assert execution.output.strip() == "['module.py']", (
            "a stale cache would hide a patch of the same size and second"
        )


def test_nothing_stays_on_disk(tmp_path: Path, tree: Path) -> None:
    scratch = tmp_path / "scratch"
    with ProcessSandbox(scratch).set_up(PLAN, tree, Limits()) as environment:
        environment.prepare()
        box = environment.open()
        box.execute(Command(("sh", "-c", "mkdir -p shut/in; touch shut/in/f; chmod 0 shut/in shut"), 10.0))
        assert list(scratch.iterdir())
    assert list(scratch.iterdir()) == []


def test_tree_deeper_than_python_recurses_is_removed(environment: Environment) -> None:
    script = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
    with environment.open() as box:
        assert box.execute(Command((sys.executable, "-c", script), 30.0)).exit_code == 0
        place = Path(box.workspace).parent
    assert not place.exists()


def test_tests_that_kill_their_supervisor_lose_the_sandbox_and_leave_nothing(environment: Environment) -> None:
    marker = f"stray-{os.getpid()}"
    script = f"setsid sh -c 'sleep 61; : {marker}' & sleep 0.2; kill -9 $PPID; sleep 60"
    with environment.open() as box:
        before = time.monotonic()
        with pytest.raises(SandboxError, match="supervisor"):
            box.execute(Command(("sh", "-c", script), 30.0))
        assert time.monotonic() - before < 20.0
    assert wait_until_gone(marker)


def test_processes_that_fork_on_and_on_are_all_killed(environment: Environment) -> None:
    # Not a bomb: their number stays the same, but each lives for a moment only and has a session of its own.
    runner = (
        "import os, sys, time\n"
        "end = time.time() + 30\n"
        "while time.time() < end:\n"
        "    time.sleep(0.002)\n"
        "    if os.fork(): os._exit(0)\n"
        "    os.setsid()\n"
    )
    marker = f"runner-{os.getpid()}"
    with environment.open() as box:
        box.put({f"{marker}.py": runner.encode()})
        start = f'for i in 1 2 3; do "$0" {box.control}/{marker}.py & done; sleep 60'
        assert box.execute(Command(("sh", "-c", start, sys.executable), 1.0)).timed_out
        assert not alive(marker)


_KILLED_BOT = """
import sys
from pathlib import Path
from bot.adapters.local import ProcessSandbox
from bot.ports import Command, Limits, SetUp
scratch, tree, marker = sys.argv[1:]
with ProcessSandbox(Path(scratch)).set_up(SetUp(image=""), Path(tree), Limits()) as environment:
    with environment.open() as box:
        print("ready", flush=True)
        box.execute(Command(("sh", "-c", f"setsid sh -c 'sleep 62; : {marker}' & sleep 63; : {marker}"), 60.0))
"""


def test_kill_minus_nine_leaves_no_process_and_the_next_start_sweeps_the_files(tmp_path: Path, tree: Path) -> None:
    scratch, marker = tmp_path / "scratch", f"orphan-{os.getpid()}"
    argv = [sys.executable, "-c", _KILLED_BOT, str(scratch), str(tree), marker]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as bot:
        assert bot.stdout is not None
        assert bot.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        assert alive(marker)
        sandbox = ProcessSandbox(scratch)
        assert sandbox.sweep() == 0, "the run is alive"
        bot.send_signal(signal.SIGKILL)
    assert wait_until_gone(marker)
    (scratch / "something-else").mkdir()
    assert sandbox.sweep() == 1
    assert [entry.name for entry in scratch.iterdir()] == ["something-else"]


def test_editable_install_of_the_set_up_copy_fails_loudly(tmp_path: Path, tree: Path) -> None:
    """A path that set-up wrote down leads nowhere in a box: better no test run than one of the unpatched code."""
    plan = SetUp(image="", commands=(("sh", "-c", "pwd > where"),))
    with ProcessSandbox(tmp_path / "s").set_up(plan, tree, Limits()) as environment, environment.open() as box:
        assert box.execute(Command(("sh", "-c", 'test -e "$(cat where)"'), 10.0)).exit_code == 1


def test_special_files_of_the_tree_are_left_out(tmp_path: Path, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with ProcessSandbox(tmp_path / "s").set_up(PLAN, tree, Limits()) as environment, environment.open() as box:
        assert box.execute(Command(("ls",), 10.0)).output == "module.py\n"


def test_scratch_that_cannot_be_made_is_named(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError, match="file/scratch"):
        ProcessSandbox(tmp_path / "file" / "scratch").set_up(PLAN, tree, Limits())


@pytest.mark.parametrize(
    ("limit", "written", "expected"),
    [
        (10, [b"0123456789"], "0123456789"),
        (10, [b"01234", b"56789", b"abcde"], "01234\n[… 5 bytes of output left out …]\nabcde"),
        (4, [b"0123456789abcdef"], "01\n[… 12 bytes of output left out …]\nef"),
        (4, [b"a", b"b", b"c", b"d", b"e"], "ab\n[… 1 bytes of output left out …]\nde"),
        (5, [b"", b"ab", b"\xff"], "ab\ufffd"),
        (0, [b"x"], "\n[… 1 bytes of output left out …]\n"),
    ],
)
def test_capped_output(limit: int, written: list[bytes], expected: str) -> None:
    output = CappedOutput(limit)
    for data in written:
        output.write(data)
    assert output.text() == expected
    assert output.truncated == ("left out" in expected)
