"""The trace file: written as it happens, chained, and read back from whatever is left of it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import BotError, ConfigError, SandboxError
from bot.ports import EventKind
from bot.trace.file import LONGEST_TEXT, TraceFile
from bot.trace.read import Trace, read_trace
from bot.trace.redact import Redactor
from bot.trace.tee import Redacting, Tee
from tests.fakes import FakeClock, MemoryRecorder

SECRET = "xK9v2QpL7mNsR4tYw8ZaB3cD6eFgH1jU"


def write(path: Path, *texts: str, redactor: Redactor | None = None) -> str:
    with TraceFile(path, {"version": "0.1.0"}, FakeClock(0.25), redactor or Redactor()) as trace:
        for text in texts:
            trace.record(EventKind.ATTEMPT, repair=1, message=text)
    return trace.sha256


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    digest = write(path, "first", "zweiter: ä \u202e \x1b[31m \ud800")
    trace = read_trace(path)
    assert not trace.problems and not trace.torn and trace.broken_at is None
    assert trace.header["format"] == "grokfix-trace/1" and trace.header["version"] == "0.1.0"
    assert [event.sequence for event in trace.events] == [1, 2]
    assert [event.line for event in trace.events] == [2, 3]
    assert trace.events[1].data == {"repair": 1, "message": "zweiter: ä \u202e \x1b[31m \ud800"}
    assert [event.seconds for event in trace.events] == [0.25, 0.5]
    assert trace.sha256 == digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_line_names_the_one_before_and_is_ascii(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    write(path, "a\u2028b", "\x9b31m", "::error::x")
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert all(line.isascii() and b"\x1b" not in line for line in lines)
    for before, line in itertools.pairwise(lines):
        assert json.loads(line)["prev"] == hashlib.sha256(before).hexdigest()


def test_an_event_is_on_disk_when_record_returns(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    trace = TraceFile(path, {}, FakeClock(), Redactor())
    assert trace.record(EventKind.BASE, tests=3) == 1
    assert [event.data["tests"] for event in read_trace(path).events] == [3]
    assert trace.record(EventKind.BASE, tests=4) == 2
    assert len(read_trace(path).events) == 2
    trace.close()
    trace.close()
    with pytest.raises(SandboxError, match="closed"):
        trace.record(EventKind.BASE)


WRITER = """
import sys
from pathlib import Path
from bot.ports import EventKind
from bot.trace.file import TraceFile
from bot.trace.redact import Redactor

class Clock:
    def monotonic(self): return 0.0
    def now(self): return 0.0
    def sleep(self, seconds): pass

trace = TraceFile(Path(sys.argv[1]), {}, Clock(), Redactor())
number = 0
while True:
    number += 1
    trace.record(EventKind.SANDBOX_RUN, number=number, output="x" * 5_000)
    if number == 50:
        print("fifty", flush=True)
"""


def test_a_killed_run_leaves_a_readable_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"fifty\n"
        writer.send_signal(signal.SIGKILL)
    trace = read_trace(path)
    assert trace.broken_at is None
    assert len(trace.events) >= 50
    assert [event.data["number"] for event in trace.events] == list(range(1, len(trace.events) + 1))


LIMITED = """
import resource, signal, sys
from pathlib import Path
from bot.errors import SandboxError
from bot.ports import EventKind
from bot.trace.file import TraceFile
from bot.trace.redact import Redactor

class Clock:
    def monotonic(self): return 0.0
    def now(self): return 0.0
    def sleep(self, seconds): pass

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
trace = TraceFile(Path(sys.argv[1]), {}, Clock(), Redactor())
said = []
for _ in range(6):
    try:
        trace.record(EventKind.SANDBOX_RUN, output="x" * 6_000)
    except SandboxError as error:
        said.append(str(error))
print(len(said), said[0])
assert said[0] == said[-1]
"""


def test_a_full_disk_is_said_and_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3 cannot write the trace")
    assert "first 3 events are whole" in done.stdout and "--output" in done.stdout
    trace = read_trace(path)
    assert not trace.problems and len(trace.events) == 3


def test_a_full_device_at_the_start_is_infrastructure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full refuses every write as a full disk does; it exists already, so it is opened behind the same name."""
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: real("/dev/full", os.O_WRONLY))
    with pytest.raises(SandboxError, match="No space left on device"):
        TraceFile(tmp_path / "trace.jsonl", {}, FakeClock(), Redactor())


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda folder: folder / "absent" / "trace.jsonl", "No such file or directory"),
        (lambda folder: _write_bytes(folder / "file", b"") / "trace.jsonl", "Not a directory"),
        (lambda folder: _write_bytes(folder / "trace.jsonl", b"old"), "never overwritten"),
    ],
)
def test_a_place_that_cannot_take_it_is_a_usage_error(
    tmp_path: Path, prepare: Callable[[Path], Path], says: str
) -> None:
    path = prepare(tmp_path)
    with pytest.raises(ConfigError, match=says) as caught:
        TraceFile(path, {}, FakeClock(), Redactor())
    assert "--output" in str(caught.value)
    assert not path.exists() or path.read_bytes() == b"old"


def _write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_long_texts_and_odd_numbers_are_tamed(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:
        trace.record(EventKind.SANDBOX_RUN, output="a" * LONGEST_TEXT + "SECRET-MIDDLE" + "z" * LONGEST_TEXT)
        trace.record(EventKind.GATE, seconds=float("inf"), ids=("a", "b"), kind_of=EventKind.GATE)
    first, second = read_trace(path).events
    output = first.data["output"]
    assert isinstance(output, str)
    assert output.startswith("aaa") and output.endswith("zzz") and "characters cut" in output
    assert len(output) < LONGEST_TEXT + 100
    assert second.data == {"seconds": None, "ids": ["a", "b"], "kind_of": "gate"}


def test_a_secret_is_hidden_before_a_text_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    half = LONGEST_TEXT // 2
    write(path, "a" * (half - 5) + SECRET + "z" * LONGEST_TEXT, redactor=Redactor([SECRET]))
    assert SECRET[:5] not in path.read_text()


def test_secrets_reach_neither_data_nor_keys_nor_header(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {"command": f"--key {SECRET}"}, FakeClock(), Redactor([SECRET])) as trace:
        trace.record(EventKind.TOOL_CALL, arguments={SECRET: [SECRET[:16], SECRET[16:]]})
    assert not read_trace(path).problems
    text = path.read_text()
    assert not [start for start in range(len(SECRET) - 8) if SECRET[start : start + 8] in text]


def test_threads_may_record_together(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor()) as trace:

        def work(name: str) -> None:
            for _ in range(100):
                trace.record(EventKind.SANDBOX_RUN, output=name * 50)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    result = read_trace(path)
    assert not result.problems and len(result.events) == 400


# --- reading what is left -------------------------------------------------------------------------------------------


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def _torn(lines: list[bytes]) -> bytes:
    return b"".join(lines[:-1]) + lines[-1][:40]


def _without_newline(lines: list[bytes]) -> bytes:
    return b"".join(lines).removesuffix(b"\n")


def _edited(lines: list[bytes]) -> bytes:
    return b"".join([*lines[:2], lines[2].replace(b"second", b"forged"), *lines[3:]])


def _dropped(lines: list[bytes]) -> bytes:
    return b"".join([*lines[:2], *lines[3:]])


def _swapped(lines: list[bytes]) -> bytes:
    return b"".join([*lines[:2], lines[3], lines[2], *lines[4:]])


def _garbled(lines: list[bytes]) -> bytes:
    return b"".join([*lines[:2], b"\xff\x00 not json\n", *lines[3:]])


def _edited_header(lines: list[bytes]) -> bytes:
    return b"".join([lines[0].replace(b"0.1.0", b"9.9.9"), *lines[1:]])


@pytest.mark.parametrize(
    ("damage", "broken_at", "torn", "events", "says"),
    [
        (_torn, None, True, 3, "line (5) is torn"),
        (_without_newline, None, True, 4, "is torn"),
        (_edited, 4, False, 4, "breaks at line 4"),
        (_dropped, 3, False, 3, "breaks at line 3"),
        (_swapped, 3, False, 4, "breaks at line 3"),
        (_garbled, 3, False, 3, "line 3 is not an event"),
        (_edited_header, 2, False, 4, "breaks at line 2"),
    ],
)
def test_damage_is_found_and_the_rest_is_read(
    tmp_path: Path, damage: Callable[[list[bytes]], bytes], broken_at: int | None, torn: bool, events: int, says: str
) -> None:
    path = tmp_path / "trace.jsonl"
    write(path, "first", "second", "third", "fourth")
    path.write_bytes(damage(_lines(path)))
    trace = read_trace(path)
    assert (trace.broken_at, trace.torn, len(trace.events)) == (broken_at, torn, events)
    assert any(says in problem for problem in trace.problems), trace.problems


HEADER = b'{"format": "grokfix-trace/1"}\n'


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"]" * 100_000 + b"\n",
        b'{"seq": 1, "t": 0, "kind": "run", "prev": "", "x": ' + b"[" * 80 + b"]" * 80 + b"}\n",
        b'{"seq": 1, "t": NaN, "kind": "run", "prev": ""}\n',
        b'{"seq": 1, "t": 1e999, "kind": "run", "prev": ""}\n',
        b'{"seq": 1, "t": -1, "kind": "run", "prev": ""}\n',
        b'{"seq": true, "t": 0, "kind": "run", "prev": ""}\n',
        b'{"seq": ' + b"9" * 5_000 + b', "t": 0, "kind": "run", "prev": ""}\n',
        b"null\n",
        b"\n",
    ],
)
def test_hostile_lines_are_no_events(tmp_path: Path, line: bytes) -> None:
    path = _write_bytes(tmp_path / "trace.jsonl", HEADER + line)
    trace = read_trace(path)
    assert trace.events == () and trace.broken_at == 2


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.trace.read.LONGEST_LINE", 1_000)
    path = _write_bytes(tmp_path / "trace.jsonl", HEADER + b"x" * 5_000_000)
    trace = read_trace(path)
    assert trace.events == () and "longer than" in trace.problems[0]
    assert trace.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"format": "grokfix-trace/9"}\n', b"\x89PNG\r\n", b"[1]\n"])
def test_what_is_no_trace_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = _write_bytes(tmp_path / "other.bin", content)
    with pytest.raises(ConfigError, match=r"other\.bin is not a grokfix trace"):
        read_trace(path)


@pytest.mark.parametrize("name", ["absent", "."])
def test_what_cannot_be_opened_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(BotError, match="cannot read the trace"):
        read_trace(tmp_path / name)


def test_kinds_of_a_later_version_are_kept(tmp_path: Path) -> None:
    path = _write_bytes(tmp_path / "t", HEADER + b'{"seq": 1, "t": 0.5, "kind": "dream", "prev": "", "x": 1}\n')
    trace: Trace = read_trace(path)
    assert [event.kind for event in trace.of_kind("dream")] == ["dream"]


# --- recorders around recorders -------------------------------------------------------------------------------------


def test_a_tee_feeds_all_and_numbers_by_the_first(tmp_path: Path) -> None:
    first, second, third = MemoryRecorder(), MemoryRecorder(), MemoryRecorder()
    second.record(EventKind.RUN)
    tee = Tee(first, second, Redacting(third, Redactor([SECRET])))
    assert tee.record(EventKind.BASE, output=f"key {SECRET}") == 1
    assert first.of(EventKind.BASE) == [{"output": f"key {SECRET}"}]
    assert second.of(EventKind.BASE) == [{"output": f"key {SECRET}"}]
    assert third.of(EventKind.BASE) == [{"output": "key [redacted]"}]
