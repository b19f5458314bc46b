"""The functional contract of bot.ports.Sandbox, for both adapters. What only Docker promises (isolation) is tested
beside its adapter; here stands what every room may rely on whichever sandbox it was given."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.adapters.local import ProcessSandbox
from bot.errors import ConfigError, SandboxError
from bot.ports import Box, Cancelled, Command, Environment, Limits, Sandbox, SetUp

LIMITS = Limits(output=64 << 10, memory=512 << 20)


@dataclass(frozen=True)
class Rig:
    """One adapter, ready: a checkout, an environment made from it, and the Python inside its boxes."""

    sandbox: Sandbox
    environment: Environment
    plan: SetUp
    tree: Path
    python: str


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("checkout")
    (tree / "package" / "inner").mkdir(parents=True)
    (tree / "package" / "module.py").write_text("VALUE = 1\n")
    (tree / "package" / "inner" / "only.txt").write_text("alone in its directory\n")
    (tree / "script.sh").write_text("#!/bin/sh\necho ran\n")
    (tree / "script.sh").chmod(0o755)
    (tree / "link").symlink_to("package/module.py")
    (tree / "ümläut file.txt").write_bytes(b"\xff\xfe raw")
    return tree


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def rig(request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    sandbox: Sandbox
    if request.param == "process":
        sandbox, plan, python = ProcessSandbox(tmp_path_factory.mktemp("scratch")), SetUp(image=""), sys.executable
    else:
        image = request.getfixturevalue("docker_image")
        from bot.adapters.docker import DockerSandbox

        sandbox, plan, python = DockerSandbox.connect(), SetUp(image=image), "python3"
    plan = replace(plan, environment={"FROM_SET_UP": "set up"})
    with sandbox.set_up(plan, tree, LIMITS) as environment:
        yield Rig(sandbox, environment, plan, tree, python)


@pytest.fixture(scope="module")
def shared_box(rig: Rig) -> Iterator[Box]:
    """For tests that leave nothing behind: a fresh container for each would cost more than it shows."""
    with rig.environment.open() as box:
        yield box


@pytest.fixture
def box(rig: Rig) -> Iterator[Box]:
    with rig.environment.open() as box:
        yield box


def shell(box: Box, script: str, *, seconds: float = 20.0, **environment: str) -> str:
    """Output of a script that must succeed."""
    execution = box.execute(Command(("sh", "-c", script), seconds, environment))
    assert execution.exit_code == 0, execution
    return execution.output


# --- commands -------------------------------------------------------------------------------------------------------


def test_says_whether_it_isolates(rig: Rig) -> None:
    assert rig.environment.isolated is rig.sandbox.isolated is (rig.sandbox.name == "docker")
    assert rig.environment.name == rig.sandbox.name
    assert "\n" not in rig.environment.description
    assert ("NOT a sandbox" in rig.environment.description) is not rig.environment.isolated


@pytest.mark.parametrize(
    ("script", "expected"),
    [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 128 + 15), ("kill -KILL $$", 128 + 9)],
)
def test_exit_code_is_the_commands_own(shared_box: Box, script: str, expected: int) -> None:
    execution = shared_box.execute(Command(("sh", "-c", script), 20.0))
    assert (execution.exit_code, execution.timed_out, execution.truncated) == (expected, False, False)


def test_command_that_does_not_exist_is_a_result_and_not_an_exception(shared_box: Box) -> None:
    execution = shared_box.execute(Command(("no-such-program", "x"), 20.0))
    assert execution.exit_code == 127
    assert "no-such-program" in execution.output


def test_arguments_meet_no_shell(shared_box: Box, rig: Rig) -> None:
    hostile = ("$HOME `id` ; echo x", "", "a\nb", "--", "'\"\\")
    execution = shared_box.execute(Command((rig.python, "-c", "import sys; print(sys.argv[1:])", *hostile), 20.0))
    assert execution.output.strip() == repr(list(hostile))


def test_output_keeps_the_order_of_both_streams(shared_box: Box) -> None:
    script = "echo one; echo two >&2; echo three; echo four >&2"
    assert shell(shared_box, script).splitlines() == ["one", "two", "three", "four"]


def test_output_that_is_not_utf8_is_replaced(shared_box: Box) -> None:
    assert shell(shared_box, r"printf 'a\377b\303\251\n'") == "a\ufffdbé\n"


def test_flood_of_output_is_capped_to_head_and_tail(shared_box: Box) -> None:
    execution = shared_box.execute(Command(("sh", "-c", "echo BEGIN; seq 1 400000; echo END"), 60.0))
    assert execution.exit_code == 0
    assert execution.truncated
    assert execution.output.startswith("BEGIN\n1\n2\n")
    assert execution.output.endswith("400000\nEND\n")
    assert len(execution.output.encode()) < LIMITS.output + 1000


def test_standard_input_is_closed(shared_box: Box, rig: Rig) -> None:
    execution = shared_box.execute(Command((rig.python, "-c", "import sys; print(repr(sys.stdin.read()))"), 20.0))
    assert execution.output.strip() == "''"


def test_runs_in_the_workspace_or_below(shared_box: Box) -> None:
    assert shell(shared_box, "pwd -P").strip() == os.path.realpath(shared_box.workspace)
    execution = shared_box.execute(Command(("sh", "-c", "ls"), 20.0, cwd="package"))
    assert execution.output.split() == ["inner", "module.py"]


def test_working_directory_that_is_missing_is_said(shared_box: Box) -> None:
    try:
        execution = shared_box.execute(Command(("pwd",), 20.0, cwd="not-there"))
    except SandboxError as error:
        assert "not-there" in str(error)
    else:
        assert execution.exit_code in (126, 127)
        assert "not-there" in execution.output


@pytest.mark.parametrize("cwd", ["..", "../..", "/", "/etc", "package/../.."])
def test_working_directory_outside_the_repository_is_refused(shared_box: Box, cwd: str) -> None:
    with pytest.raises(SandboxError, match="outside the repository"):
        shared_box.execute(Command(("pwd",), 20.0, cwd=cwd))


def test_environment_is_the_plans_and_the_commands_and_nothing_of_ours(
    shared_box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_API_KEY", "sk-parent-secret")
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_parent-secret")
    output = shell(
        shared_box, "env; cat /proc/self/environ /proc/$PPID/environ 2>/dev/null | tr '\\0' '\\n'", OWN="a=b c"
    )
    lines = output.splitlines()
    assert "FROM_SET_UP=set up" in lines
    assert "OWN=a=b c" in lines
    assert "parent-secret" not in output


def test_home_and_temporary_directory_can_be_written(shared_box: Box) -> None:
    shell(shared_box, 'cd "$HOME" && touch mine && rm mine && f=$(mktemp) && echo x > "$f" && rm "$f"')


def test_signals_are_at_their_defaults(shared_box: Box, rig: Rig) -> None:
    script = "import signal as s; print([s.getsignal(n) == s.SIG_DFL for n in (s.SIGTERM, s.SIGCHLD, s.SIGHUP)])"
    assert shared_box.execute(Command((rig.python, "-c", script), 20.0)).output.strip() == "[True, True, True]"
    # Python itself ignores SIGPIPE at its start; a shell shows what it was given.
    assert shared_box.execute(Command(("sh", "-c", "kill -PIPE $$; echo survived"), 20.0)).exit_code == 128 + 13


# --- time and processes ---------------------------------------------------------------------------------------------

_DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2): os.dup2(null, stream)
        while True:
            open(sys.argv[1], "a").write("x")
            time.sleep(0.02)
    os._exit(0)
"""


def test_time_out_kills_the_box(box: Box) -> None:
    box.put({"report.txt": b"half a report"})
    before = time.monotonic()
    execution = box.execute(Command(("sh", "-c", "echo started; sleep 60"), 1.0))
    assert execution.timed_out
    assert execution.exit_code == -1
    assert "started" in execution.output
    assert 0.9 <= execution.seconds <= time.monotonic() - before < 15.0
    with pytest.raises(SandboxError):
        box.execute(Command(("true",), 5.0))
    assert box.collect("report.txt") in (b"half a report", None)


def test_time_limit_holds_against_a_flood_of_output(box: Box) -> None:
    execution = box.execute(Command(("sh", "-c", "yes"), 1.0))
    assert execution.timed_out
    assert execution.truncated
    assert execution.seconds < 15.0


def test_time_limit_holds_against_ignored_signals(box: Box) -> None:
    execution = box.execute(Command(("sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"), 1.0))
    assert execution.timed_out


@pytest.mark.parametrize("ending", ["exit", "time-out"])
def test_daemon_does_not_outlive_its_box(rig: Rig, ending: str) -> None:
    token = f"survivor-{os.getpid()}-{ending}"
    with rig.environment.open() as box:
        box.put({"daemon.py": _DAEMON.encode()})
        marker = f"{box.control}/{token}"
        last = "sleep 60" if ending == "time-out" else "sleep 0.3"
        script = f'"$0" {box.control}/daemon.py {marker}; {last}'
        seconds = 2.0 if ending == "time-out" else 20.0
        execution = box.execute(Command(("sh", "-c", script, rig.python), seconds))
        assert execution.timed_out is (ending == "time-out")
    assert running_with(token) == []


def running_with(token: str) -> list[str]:
    """Command lines of this machine's processes that name `token` (a container's are seen from outside)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if token in line:
            found.append(line)
    return found


def test_cancel_from_another_thread_ends_a_running_command(rig: Rig, tmp_path: Path) -> None:
    sandbox = type_of(rig, tmp_path)
    with sandbox.set_up(rig.plan, rig.tree, LIMITS) as environment, environment.open() as box:
        timer = threading.Timer(0.7, sandbox.cancel)
        timer.start()
        before = time.monotonic()
        with pytest.raises(Cancelled):
            box.execute(Command(("sleep", "60"), 60.0))
        assert time.monotonic() - before < 15.0
        timer.join()
        with pytest.raises(Cancelled):
            environment.open()
        sandbox.cancel()  # a second Ctrl-C changes nothing


def type_of(rig: Rig, scratch: Path) -> Sandbox:
    """Another sandbox of the same kind, for a test that spoils it."""
    if rig.sandbox.name == "process":
        return ProcessSandbox(scratch)
    from bot.adapters.docker import DockerSandbox

    return DockerSandbox.connect()


# --- files ----------------------------------------------------------------------------------------------------------


def test_tree_arrives_with_modes_links_and_names(shared_box: Box) -> None:
    assert shell(shared_box, "./script.sh").strip() == "ran"
    assert shell(shared_box, "readlink link; cat link").splitlines() == ["package/module.py", "VALUE = 1"]
    assert shell(shared_box, "test ! -x package/module.py && cat 'ümläut file.txt'") == "\ufffd\ufffd raw"


def test_workspace_can_be_written_and_the_checkout_is_not_touched(box: Box, rig: Rig) -> None:
    shell(box, "echo changed > package/module.py; rm script.sh; mkdir new; touch new/file")
    assert (rig.tree / "package" / "module.py").read_text() == "VALUE = 1\n"
    assert (rig.tree / "script.sh").exists()
    assert not (rig.tree / "new").exists()


def test_fresh_box_sees_nothing_of_the_one_before(rig: Rig) -> None:
    with rig.environment.open() as first:
        first.put({"left": b"over"})
        shell(first, 'echo spoiled > package/module.py; touch left "$HOME/left" /tmp/left-by-$$')
        shell(first, "rm -f /tmp/left-by-*")
    with rig.environment.open() as second:
        assert shell(second, 'cat package/module.py; ls left "$HOME/left" 2>/dev/null || true') == "VALUE = 1\n"
        assert second.collect("left") is None


def test_overlay_changes_adds_and_deletes(rig: Rig) -> None:
    overlay = {
        "package/module.py": b"VALUE = 2\n",
        "package/inner/only.txt": None,
        "script.sh": b"#!/bin/sh\necho patched\n",
        "brand/new/place/test_it.py": b"assert True\n",
        "not/there.txt": None,
    }
    with rig.environment.open(overlay) as box:
        assert shell(box, "cat package/module.py brand/new/place/test_it.py") == "VALUE = 2\nassert True\n"
        assert shell(box, "./script.sh").strip() == "patched", "an existing file keeps its mode"
        assert shell(box, "test ! -e package/inner/only.txt && test ! -e not && echo gone").strip() == "gone"
    assert (rig.tree / "package" / "inner" / "only.txt").exists()


@pytest.mark.parametrize("path", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "", "a//b", "./a", "a\0b"])
def test_overlay_outside_the_tree_is_refused(rig: Rig, path: str) -> None:
    with pytest.raises(ValueError, match="plain relative path"):
        rig.environment.open({path: b"x"}).close()


def test_overlay_replaces_a_link_and_not_what_it_points_to(rig: Rig) -> None:
    with rig.environment.open({"link": b"a file now\n"}) as box:
        assert shell(box, "test -L link || cat link package/module.py") == "a file now\nVALUE = 1\n"


def test_put_and_collect_round_trip(box: Box) -> None:
    content = bytes(range(256)) * 1000
    box.put({"deep/er/data.bin": content, "empty": b""})
    assert box.collect("deep/er/data.bin") == content
    assert box.collect("empty") == b""
    shell(box, f"cp {box.control}/deep/er/data.bin {box.control}/copy")
    assert box.collect("copy") == content
    assert box.collect("absent") is None
    assert box.collect("deep/absent") is None
    assert box.collect("no/such/directory") is None


def test_control_lies_outside_the_repository(box: Box) -> None:
    assert not box.control.startswith(box.workspace.rstrip("/") + "/")
    box.put({"runner.py": b""})
    assert "runner.py" not in shell(box, "find . -type f")


@pytest.mark.parametrize("path", ["../workspace/script.sh", "/etc/passwd", "a/../../x"])
def test_nothing_outside_control_is_collected_or_put(shared_box: Box, path: str) -> None:
    with pytest.raises(ValueError, match="plain relative path"):
        shared_box.collect(path)
    with pytest.raises(ValueError, match="plain relative path"):
        shared_box.put({path: b"x"})


@pytest.mark.parametrize(
    "make",
    [
        "ln -s /etc/passwd {control}/report.xml",
        "ln -s report2.xml {control}/report.xml; echo ok > {control}/report2.xml",
        "mkfifo {control}/report.xml",
        "mkdir {control}/report.xml",
        "mkdir {control}/real; echo x > {control}/real/f; rm -rf {control}/d; ln -s real {control}/report.xml",
    ],
    ids=["link-outside", "link-inside", "fifo", "directory", "link-to-directory"],
)
def test_only_a_regular_file_is_collected(box: Box, make: str) -> None:
    shell(box, make.format(control=box.control))
    before = time.monotonic()
    with pytest.raises(SandboxError):
        box.collect("report.xml")
    assert time.monotonic() - before < 5.0


def test_report_below_a_linked_directory_is_not_followed(box: Box) -> None:
    shell(box, f"ln -s /etc {box.control}/out")
    try:
        assert box.collect("out/passwd") is None
    except SandboxError:
        pass


def test_put_does_not_follow_a_link_that_the_tests_left(box: Box, rig: Rig) -> None:
    shell(box, f"echo mine > target; ln -s $PWD/target {box.control}/next.json; ln -s $PWD/package {box.control}/dir")
    box.put({"next.json": b"ours"})
    assert shell(box, "cat target") == "mine\n"
    try:
        box.put({"dir/module.py": b"ours"})
    except SandboxError:
        pass
    assert shell(box, "cat package/module.py") == "VALUE = 1\n"


def test_collect_has_a_byte_cap(box: Box) -> None:
    shell(box, f"head -c 5000 /dev/zero > {box.control}/big")
    assert box.collect("big", limit=5000) == bytes(5000)
    with pytest.raises(SandboxError, match="4999"):
        box.collect("big", limit=4999)


def test_file_size_is_limited(rig: Rig, tmp_path: Path) -> None:
    sandbox = type_of(rig, tmp_path)
    with (
        sandbox.set_up(rig.plan, rig.tree, replace(LIMITS, file_size=1 << 20)) as environment,
        environment.open() as box,
    ):
        execution = box.execute(Command(("sh", "-c", "head -c 3000000 /dev/zero > big; wc -c < big"), 20.0))
        assert str(1 << 20) in execution.output.split()


# --- life of boxes --------------------------------------------------------------------------------------------------


def test_prepared_box_is_as_fresh_as_any(rig: Rig) -> None:
    rig.environment.prepare()
    rig.environment.prepare()  # at most one is kept
    with rig.environment.open({"package/module.py": b"VALUE = 3\n"}) as box:
        assert shell(box, "cat package/module.py") == "VALUE = 3\n"
    with rig.environment.open() as box:
        assert shell(box, "cat package/module.py") == "VALUE = 1\n"


def test_two_boxes_live_side_by_side(rig: Rig) -> None:
    with rig.environment.open() as one, rig.environment.open() as other:
        shell(one, "echo one > mine")
        shell(other, "test ! -e mine; echo other > mine")
        assert shell(one, "cat mine") == "one\n"


def test_commands_in_one_box_see_each_others_files(box: Box) -> None:
    shell(box, "echo kept > note")
    assert shell(box, "cat note") == "kept\n"


def test_close_is_idempotent_and_final(rig: Rig) -> None:
    box = rig.environment.open()
    box.close()
    box.close()
    with pytest.raises(SandboxError):
        box.execute(Command(("true",), 5.0))
    with pytest.raises(SandboxError):
        box.put({"x": b""})


def test_closed_environment_opens_nothing(rig: Rig, tmp_path: Path) -> None:
    environment = type_of(rig, tmp_path).set_up(rig.plan, rig.tree, LIMITS)
    environment.prepare()
    environment.close()
    environment.close()
    with pytest.raises(SandboxError):
        environment.open()


def test_set_up_commands_shape_every_box(rig: Rig, tmp_path: Path) -> None:
    plan = replace(
        rig.plan,
        commands=(
            ("sh", "-c", "mkdir -p built && echo done > built/mark"),
            ("sh", "-c", "cat built/mark >> built/mark2"),
        ),
    )
    with type_of(rig, tmp_path).set_up(plan, rig.tree, LIMITS) as environment:
        for _ in range(2):
            with environment.open() as box:
                assert shell(box, "cat built/mark2; echo spoiled > built/mark2") == "done\n"
    assert not (rig.tree / "built").exists()


def test_failed_set_up_shows_the_end_of_its_log(rig: Rig, tmp_path: Path) -> None:
    plan = replace(rig.plan, commands=(("sh", "-c", "echo cannot find libfoo; exit 7"),))
    with pytest.raises(SandboxError, match=r"(?s)7.*cannot find libfoo"):
        type_of(rig, tmp_path).set_up(plan, rig.tree, LIMITS)


def test_set_up_secrets_need_a_trusted_commit(rig: Rig, tmp_path: Path) -> None:
    plan = replace(rig.plan, commands=(("true",),), secrets={"TOKEN": b"x"}, trusted=False)
    with pytest.raises(ConfigError, match="trusted"):
        type_of(rig, tmp_path).set_up(plan, rig.tree, LIMITS)


def test_sweep_spares_the_living(rig: Rig) -> None:
    with rig.environment.open() as box:
        assert rig.sandbox.sweep() == 0
        assert shell(box, "cat package/module.py") == "VALUE = 1\n"
