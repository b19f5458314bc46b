"""How files travel into and out of a Docker box: with the command that needs them, or through the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.docker import DockerEnvironment, DockerSandbox
from bot.adapters.docker_stream import MOST_PACKED, pack
from bot.errors import SandboxError
from bot.ports import Command, Limits, SetUp
from tests.contract.docker_cases import python

pytestmark = pytest.mark.docker

LIMITS = Limits(memory=128 << 20, pids=64, workspace=8 << 20, tmp=16 << 20)
NOISE = os.urandom(300_000)  # nothing makes it small


@pytest.fixture(scope="module")
def environment(docker_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEnvironment]:
    tree = tmp_path_factory.mktemp("tree")
    (tree / "package").mkdir()
    (tree / "package" / "old.py").write_text("")
    (tree / "run.sh").write_text("#!/bin/sh\necho old\n")
    (tree / "run.sh").chmod(0o755)
    with DockerSandbox.connect() as sandbox, sandbox.set_up(SetUp(docker_image), tree, LIMITS) as made:
        yield made


@pytest.mark.parametrize("size", [0, 10, len(NOISE)], ids=["empty", "small", "large"])
@pytest.mark.parametrize("prepared", [False, True], ids=["fresh", "prepared"])
def test_files_arrive_before_the_command(environment: DockerEnvironment, size: int, prepared: bool) -> None:
    assert bool(pack({"x": NOISE[:size]})) is (size < len(NOISE)), "which way they go"
    if prepared:
        environment.prepare()
    overlay = {
        "package/new.bin": NOISE[:size],
        "run.sh": b"#!/bin/sh\nwc -c < package/new.bin\n",
        "package/old.py": None,
    }
    with environment.open(overlay) as box:
        box.put({"a/plan.bin": NOISE[:size], "launch.py": b"overwritten"})
        box.put({"launch.py": b"print(open('/grokfix-run/a/plan.bin', 'rb').read().hex())"})
        assert box.execute(Command(("./run.sh",), 30)).output.split() == [str(size)]
        assert box.execute(Command(("python3", "/grokfix-run/launch.py"), 30)).output.strip() == NOISE[:size].hex()
        assert box.execute(Command(("ls", "package"), 30)).output.split() == ["new.bin"]
        assert box.collect("a/plan.bin") == NOISE[:size]


@pytest.mark.parametrize(
    "name", ["ümläut \n $HOME 'x'", "-rf", "deep/" * 30 + "x" * 120, "--checkpoint-action=exec=sh"]
)
def test_names_mean_nothing_to_the_shell_or_to_tar(environment: DockerEnvironment, name: str) -> None:
    environment.prepare()
    with environment.open({name: b"content"}) as box:
        box.put({name: b"control"})
        script = "import sys; print(open(sys.argv[1]).read(), open('/grokfix-run/' + sys.argv[1]).read())"
        assert box.execute(Command(("python3", "-c", script, name), 30)).output == "content control\n"
        assert box.collect(name) == b"control"


def test_files_that_wait_are_there_without_a_command_too(environment: DockerEnvironment) -> None:
    with environment.open() as box:
        box.put({"plan.json": b"1"})
        assert box.collect("plan.json") == b"1"
        box.put({"plan.json": b"2"})
        assert box.collect("plan.json") == b"2"


def test_the_working_directory_may_come_with_the_overlay(environment: DockerEnvironment) -> None:
    environment.prepare()
    with environment.open({"new/place/here.txt": b""}) as box:
        assert box.execute(Command(("ls",), 30, cwd="new/place")).output == "here.txt\n"


def test_the_commands_own_end_is_told_as_it_is(environment: DockerEnvironment) -> None:
    """Also where it looks like that of the unpacking before it."""
    with environment.open() as box:
        for script, code in (("echo out; echo aside >&2; exit 125", 125), ("kill -9 $$", 137), ("exit 126", 126)):
            box.put({"some": b"file"})
            execution = box.execute(Command(("sh", "-c", script), 30))
            assert execution.exit_code == code
            assert execution.output == ("out\naside\n" if code == 125 else "")
        box.put({"some": b"file"})
        execution = box.execute(Command(("no-such-program",), 30))
        assert execution.exit_code == 127
        assert "no-such-program" in execution.output


@pytest.mark.parametrize("size", [4 << 20, 20 << 20], ids=["with-the-command", "through-the-engine"])
def test_files_that_do_not_fit_are_an_error_that_says_so(environment: DockerEnvironment, size: int) -> None:
    environment.prepare()
    content = bytes(size) if size == 4 << 20 else os.urandom(size)
    box = environment.open({"one.bin": content, "two.bin": content, "three.bin": content})
    with box, pytest.raises(SandboxError, match=r"(?i)file.* sandbox.*no space left"):
        box.execute(Command(("true",), 30))


def test_what_is_collected_is_of_the_last_command(environment: DockerEnvironment) -> None:
    with environment.open() as box:
        for number in range(3):
            python(box, f"open('/grokfix-run/report.xml', 'w').write('{number}')")
            assert box.collect("report.xml") == str(number).encode()
        python(box, "import os; os.remove('/grokfix-run/report.xml')")
        assert box.collect("report.xml") is None


def test_a_report_among_too_much_is_still_collected(environment: DockerEnvironment) -> None:
    with environment.open() as box:
        python(box, "open('/grokfix-run/heap', 'wb').write(bytes(64 << 20)); open('/grokfix-run/r', 'w').write('ours')")
        assert box.collect("r") == b"ours"
        with pytest.raises(SandboxError, match="holds 67108864 bytes"):
            box.collect("heap", limit=1 << 20)


def test_what_is_packed_fits_into_an_argument() -> None:
    largest = max((NOISE[:size] for size in range(80_000, 100_000, 1_000) if pack({"x": NOISE[:size]})), key=len)
    assert len(pack({"x": largest})) <= MOST_PACKED < 128 << 10
    assert pack({}) == ""


def test_boxes_are_given_back_by_the_time_that_their_environment_is_closed(docker_image: str, tmp_path: Path) -> None:
    with DockerSandbox.connect() as sandbox:
        with sandbox.set_up(SetUp(docker_image), tmp_path, LIMITS) as environment:
            for _ in range(4):
                environment.open().close()
            environment.prepare()
            late = environment.open()
        late.close()
        assert sandbox._engine.remove_all() == 0
