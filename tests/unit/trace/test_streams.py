"""Streams of a reply: no secret is written however it is cut, and what came before a break is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot.ports import EventKind
from bot.trace.file import TraceFile
from bot.trace.html import render_trace
from bot.trace.read import Trace, read_trace
from bot.trace.redact import MARK, Redactor
from bot.trace.tee import Redacting
from tests.fakes import FakeClock, MemoryRecorder

SECRET = "xK9v2QpL7mNsR4tYw8ZaB3cD6eFgH1jU"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQ\n" * 30 + "-----END PRIVATE KEY-----"
WORDS = "the comparison is strict, so the boundary falls into the next band; "


def streamed(path: Path, text: str, size: int, *, end: bool = True) -> Trace:
    with TraceFile(path, {}, FakeClock(0.01), Redactor([SECRET])) as trace:
        trace.record(EventKind.REQUEST, repair=1, conversation="c")
        for at in range(0, len(text), size):
            trace.record(EventKind.STREAM, repair=1, conversation="c", part="reasoning", text=text[at : at + size])
        if end:
            trace.record(EventKind.REPLY, repair=1, conversation="c", text="done")
    return read_trace(path)


def joined(trace: Trace) -> str:
    return "".join(str(event.data["text"]) for event in trace.of_kind(EventKind.STREAM))


@pytest.mark.parametrize("size", [1, 3, 7, 64, 1_000])
@pytest.mark.parametrize("secret", [SECRET, TOKEN, JWT, PEM], ids=["value", "token", "jwt", "pem"])
@pytest.mark.parametrize("before", [0, 255, 700])
def test_a_secret_over_several_events_is_never_written(tmp_path: Path, secret: str, size: int, before: int) -> None:
    text = (WORDS * 20)[:before] + " " + secret + " and on " + WORDS * 20
    trace = streamed(tmp_path / "trace.jsonl", text, size)
    assert not trace.problems
    assert joined(trace) == Redactor([SECRET]).redact(text)
    raw = (tmp_path / "trace.jsonl").read_text()
    assert MARK in raw and not any(secret[at : at + 12] in raw for at in range(4, len(secret) - 12, 5))


def test_little_is_held_back_and_small_pieces_are_gathered(tmp_path: Path) -> None:
    """A live view that lags by pages is none, and an event for each word would be more trace than text."""
    recorder = MemoryRecorder()
    live = Redacting(recorder, Redactor([SECRET]))
    fed = 0
    for _ in range(2_000):
        for word in ("thinking ", "about ", "task-lists "):  # "sk-" begins a token only where a word begins
            live.record(EventKind.STREAM, repair=1, part="reasoning", text=word)
            fed += len(word)
        shown = sum(len(str(data["text"])) for data in recorder.of(EventKind.STREAM))
        assert fed - shown < 1_200
    assert len(recorder.events) < fed / 200


def test_the_rest_comes_before_what_ends_the_reply_and_in_its_own_conversation(tmp_path: Path) -> None:
    recorder = MemoryRecorder()
    live = Redacting(recorder, Redactor())
    for name in ("one", "two"):
        live.record(EventKind.STREAM, repair=1, conversation=name, part="text", text=f"said by {name}")
    live.record(EventKind.REPLY, repair=1, conversation="two", text="said by two")
    live.record(EventKind.GATE, repair=1, name="green")
    live.record(EventKind.STREAM, repair=1, conversation="one", part="restart", text="")
    assert [(kind.value, data.get("conversation"), data.get("text")) for kind, data in recorder.events] == [
        ("stream", "two", "said by two"),
        ("reply", "two", "said by two"),
        ("gate", None, None),
        ("stream", "one", "said by one"),
        ("stream", "one", ""),
    ]


def test_a_broken_stream_stays_in_the_trace_and_on_the_page(tmp_path: Path) -> None:
    trace = streamed(tmp_path / "trace.jsonl", "I was about to say <b>", 5, end=False)
    assert not trace.problems and joined(trace) == "I was about to say <b>"
    page = render_trace(trace)
    assert "I was about to say &lt;b&gt;" in page and "the request failed or the run ended here" in page


def test_what_was_safe_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    writer = (
        "import sys\nfrom pathlib import Path\nfrom bot.adapters.clock import SystemClock\n"
        "from bot.ports import EventKind\nfrom bot.trace.file import TraceFile\nfrom bot.trace.redact import Redactor\n"
        f"trace = TraceFile(Path({str(path)!r}), {{}}, SystemClock(), Redactor())\n"
        "for _ in range(400):\n    trace.record(EventKind.STREAM, part='text', text='word and ')\n"
        "print('written', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", writer], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"written\n"
        os.kill(child.pid, signal.SIGKILL)
    trace = read_trace(path)
    assert not trace.problems and len(joined(trace)) > 2_800


def test_streams_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceFile(path, {}, FakeClock(), Redactor([SECRET])) as trace:

        def speak(name: str) -> None:
            for word in (name + " ") * 500, SECRET[:20], SECRET[20:]:
                for letter in word:
                    trace.record(EventKind.STREAM, repair=1, conversation=name, part="text", text=letter)

        threads = [threading.Thread(target=speak, args=(name,)) for name in ("alpha", "beta")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    read = read_trace(path)
    assert not read.problems
    for name in ("alpha", "beta"):
        own = [str(event.data["text"]) for event in read.events if event.data["conversation"] == name]
        assert "".join(own) == (name + " ") * 500 + MARK
