"""The pieces of a replay: the recorded model, what counts as the same text, and the comparison of two traces."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config import RepairLimits, SuiteSettings
from bot.errors import ModelError, ModelFault
from bot.evidence.types import Outcome, Phase, TestCase, TestId
from bot.ports import EventKind, JsonValue, Message, ModelRequest, Recorder, ReplyPart, ToolCall, Usage
from bot.propose.model.key import request_key
from bot.replay.compare import compare
from bot.replay.job import job_data, job_of, limits_of
from bot.replay.model import ReplayModel
from bot.replay.recording import exchanges
from bot.replay.report import lines
from bot.replay.same import same_texts, short_diff
from bot.reproduce import Job
from bot.trace.file import TraceFile
from bot.trace.read import Trace, read_trace
from bot.trace.redact import Redactor
from tests.fakes import FakeClock
from tests.unit.publish.test_untrusted import HOSTILE

SYSTEM, QUESTION = (
    Message("system", "repair"),
    Message("user", "it took 0.31 s in /tmp/a1/workspace/x.py at 0x7f01aa22"),
)
CALL = ToolCall("call_1", "read_file", '{"path": "x.py"}')
ANSWER = Message("tool", "1|x = 1", tool_call_id="call_1")
SUBMIT = ToolCall("call_2", "submit_fix", "{}")


def traced(folder: Path, *plays: Callable[[Recorder], object]) -> Trace:
    path = folder / f"trace{len(list(folder.iterdir()))}.jsonl"
    with TraceFile(path, {}, FakeClock(0.1), Redactor()) as trace:
        for play in plays:
            play(trace)
    return read_trace(path)


def asked(
    messages: tuple[Message, ...], new: int, *calls: ToolCall, conversation: str = "c", tokens: int = 10, text: str = ""
) -> Callable[[Recorder], object]:
    """A request with its reply and what it cost, as the proposer records them."""

    def play(recorder: Recorder) -> None:
        owner: dict[str, JsonValue] = {"repair": 1, "conversation": conversation}
        told: list[JsonValue] = [
            {"role": each.role, "content": each.content, "tool_call_id": each.tool_call_id} for each in messages[-new:]
        ]
        key = request_key("m", ModelRequest(messages))
        earlier = len(messages) - new
        recorder.record(EventKind.REQUEST, **owner, model="m", key=key, earlier_messages=earlier, messages=told)
        data: list[JsonValue] = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in calls]
        recorder.record(EventKind.REPLY, **owner, model="m-1", text=text, reasoning="hm", tool_calls=data)
        recorder.record(EventKind.USAGE, **owner, requests=1, prompt_tokens=tokens, cost_usd=0.25)

    return play


OPENING = (SYSTEM, QUESTION)
SECOND = (*OPENING, Message("assistant", "", "hm", (CALL,)), ANSWER)


def model(trace: Trace) -> ReplayModel:
    return ReplayModel("m", exchanges(trace))


def test_replies_are_given_as_recorded_and_streamed(tmp_path: Path) -> None:
    replayed = model(traced(tmp_path, asked(OPENING, 2, CALL), asked(SECOND, 1, SUBMIT, tokens=20, text="so")))
    parts: list[tuple[ReplyPart, str]] = []
    second = replayed.complete(ModelRequest(SECOND), lambda part, text: parts.append((part, text)))
    first = replayed.complete(ModelRequest(OPENING))
    assert (first.tool_calls, first.model, first.reasoning) == ((CALL,), "m-1", "hm")
    assert first.usage == Usage(1, 10, cost_usd=0.25) and second.usage.prompt_tokens == 20
    assert second.tool_calls == (SUBMIT,) and parts == [(ReplyPart.REASONING, "hm"), (ReplyPart.TEXT, "so")]
    assert not replayed.missed


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("it took 12 s in /tmp/zz/workspace/x.py at 0x55aabb00", True),  # what differs from run to run on its own
        ("it took 0.31 s in another world", True),  # in its place: the comparison tells the difference
        (None, False),  # another message where none was
    ],
)
def test_a_request_is_found_by_its_place_where_its_key_is_unknown(
    tmp_path: Path, question: str | None, found: bool
) -> None:
    replayed = model(traced(tmp_path, asked(OPENING, 2, CALL)))
    messages = (*OPENING, Message("user", "more")) if question is None else (SYSTEM, Message("user", question))
    if found:
        assert replayed.complete(ModelRequest(messages)).tool_calls == (CALL,)
    else:
        with pytest.raises(ModelError, match="no such request at this point"):
            replayed.complete(ModelRequest(messages))
    assert replayed.missed is not found


def test_the_like_goes_before_the_next_in_place(tmp_path: Path) -> None:
    other = (SYSTEM, Message("user", "an altogether other failure"))
    trace = traced(tmp_path, asked(other, 2, SUBMIT, conversation="a"), asked(OPENING, 2, CALL, conversation="b"))
    like = (SYSTEM, Message("user", QUESTION.content.replace("0.31", "4.5")))
    assert model(trace).complete(ModelRequest(like)).tool_calls == (CALL,)


def test_every_reply_is_given_once_and_a_failure_fails_again(tmp_path: Path) -> None:
    def failed(recorder: Recorder) -> None:
        recorder.record(
            EventKind.REQUEST, repair=1, model="m", key=request_key("m", ModelRequest(OPENING)), messages=[]
        )
        recorder.record(EventKind.REPLY, repair=1, fault="context_too_long", error="too long by 12 tokens")
        recorder.record(EventKind.USAGE, repair=1, requests=2, prompt_tokens=7)

    replayed = model(traced(tmp_path, failed, asked(OPENING, 2, CALL)))
    with pytest.raises(ModelError, match="too long by 12 tokens") as error:
        replayed.complete(ModelRequest(OPENING))
    assert error.value.fault is ModelFault.CONTEXT_TOO_LONG
    assert error.value.usage == Usage(2, 7, cost_usd=None)
    assert replayed.complete(ModelRequest(OPENING)).tool_calls == (CALL,)
    with pytest.raises(ModelError, match="no request left"):
        replayed.complete(ModelRequest(OPENING))
    assert replayed.missed


def test_replies_of_conversations_side_by_side_are_not_mixed_up(tmp_path: Path) -> None:
    def interleaved(recorder: Recorder) -> None:
        for name in "ab":
            recorder.record(EventKind.REQUEST, repair=1, conversation=name, key=name, messages=[])
        for name in "ba":
            recorder.record(EventKind.REPLY, repair=1, conversation=name, text=name)
            recorder.record(EventKind.USAGE, repair=1, conversation=name, prompt_tokens=ord(name))

    found = exchanges(traced(tmp_path, interleaved))
    told = [(each.key, getattr(each.answer, "text", None), each.answer.usage.prompt_tokens) for each in found]
    assert told == [("a", "a", 97), ("b", "b", 98)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("3 passed in 0.31s", "3 passed in 12.07s", True),
        ("==== 3 passed in 0.31s ====", "=== 3 passed in 100.31s (0:01:40) ===", True),
        ("<object at 0x7f01aa22>", "<object at 0x55aabb00>", True),
        ("rootdir: /tmp/box-1/2/workspace", "rootdir: /var/folders/zz/workspace", True),
        ("2026-11-25T17:03:20Z", "2027-01-01 00:00:00", True),
        ("<data-0123456789abcdef>", "<data-fedcba9876543210>", True),
        ("3 passed", "2 passed", False),
        ("assert 0 == 1", "assert 0 == 2", False),
        ("/tmp/a/x.py", "/tmp/a/y.py", False),
        ("59324afe5e94c42b117b", "00004afe5e94c42b117b", False),
    ],
)
def test_what_differs_from_run_to_run_on_its_own_is_no_difference(one: str, other: str, same: bool) -> None:
    assert same_texts(one, other) is same


def test_texts_are_compared_in_linear_time() -> None:
    for hostile in ("/a" * 200_000, "=" * 400_000, "1" * 400_000, "0x" * 200_000, "2026-" * 100_000, "data-" * 100_000):
        began = time.process_time()
        assert not same_texts(hostile, hostile + " other")
        assert time.process_time() - began < 5
    assert short_diff("a\nb\nc", "a\nB\nc")[:2] == ("line 2:", "- b")
    assert len("".join(short_diff("x" * 10_000, "y" * 10_000))) < 1_000


def gate(name: str, status: str) -> Callable[[Recorder], object]:
    return lambda recorder: recorder.record(EventKind.GATE, repair=1, attempt=1, name=name, status=status)


def end(outcome: str) -> Callable[[Recorder], object]:
    return lambda recorder: recorder.record(EventKind.OUTCOME, outcome=outcome)


def test_a_comparison_tells_decisions_from_what_was_told(tmp_path: Path) -> None:
    base = asked(OPENING, 2, CALL), gate("red", "passed"), end("repaired")
    told = asked((SYSTEM, Message("user", "another text")), 2, CALL), gate("red", "passed"), end("repaired")
    decided = asked(OPENING, 2, CALL), gate("red", "failed"), end("gave_up")
    recorded = traced(tmp_path, *base)
    same = compare(recorded, traced(tmp_path, *base))
    assert same.same_decisions and same.differences == () and (same.steps, same.exact, same.alike) == (2, 2, 0)
    other = compare(recorded, traced(tmp_path, *told))
    assert other.same_decisions and [each.step for each in other.differences] == ["repair 1, request 1"]
    assert other.differences[0].diff[1:] == (
        "- it took <duration> in <folder>/x.py at <address>",
        "+ another text",
    )
    third = compare(recorded, traced(tmp_path, *decided))
    assert not third.same_decisions and third.outcome == ("repaired", "gave_up")
    assert [(each.step, each.part) for each in third.differences] == [("repair 1, attempt 1, gate red", "status")]
    missing = compare(recorded, traced(tmp_path, base[0], base[2]))
    assert [each.diff for each in missing.differences] == [
        ("- repair 1, attempt 1, gate red", "+ the end of the replay")
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_report_of_hostile_traces_is_safe_to_print(tmp_path: Path, text: str) -> None:
    def hostile(recorder: Recorder) -> None:
        for kind in EventKind:
            recorder.record(
                kind,
                repair=1,
                name=text,
                status=text,
                arguments=text,
                result=text,
                outcome=text,
                messages=[{"role": text, "content": text}],
            )
        recorder.record(EventKind.OUTCOME, outcome=text, reason=text)

    compared = compare(traced(tmp_path, hostile), traced(tmp_path, end("repaired")))
    for line in lines(compared, (text,)):
        assert line.isprintable() and "##[" not in line and not line.lstrip().startswith("::")


def test_a_job_comes_back_as_it_was_told() -> None:
    case = TestCase(TestId.from_node_id("t.py::test_x[a::b]"), Outcome.ERROR, 0.0, "why", "where", Phase.SETUP)
    suite = SuiteSettings(test=("python", "-m", "pytest", "-x"))
    job = Job(suite, (case,), ("t.py",), "main~3", "look at x", trusted=True, revision="f" * 40)
    run: dict[str, JsonValue] = {"commit": "f" * 40, "job": job_data(job), "max_attempts": 2, "candidates": 3}
    assert job_of(run, SuiteSettings()) == job
    assert job_of({"job": job_data(Job(suite))}, SuiteSettings()).wanted is None
    limits = limits_of(run, RepairLimits(minutes=7))
    assert (limits.attempts, limits.candidates, limits.minutes) == (2, 3, 7)
