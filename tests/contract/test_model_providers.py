"""Several endpoints behind one port: who is asked when, what is charged, and how a circuit opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from threading import Barrier

import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.providers import FAILURES, OPEN_SECONDS, Failover
from bot.config import ModelSettings, Provider
from bot.errors import ModelError, ModelFault
from bot.ports import ModelReply, ModelRequest, OnPart, ReplyPart, Usage
from tests.contract.model_cases import KEY, PRICES, REQUEST, WITH_TOOLS, RealClock
from tests.fakes import FakeClock
from tests.model_server import ModelServer, Reply, chunk, error, say

DOWN = [error(503, {"error": "down"})] * 4  # as often as the adapter tries
OTHER_KEY = "sk-of-the-other-provider"


class Asked:
    """A model that answers by its script: a text, or the kind of fault that it shows; the last one again and again.

    Being asked takes `seconds` of the clock. before: done first, each time.
    """

    before: Callable[[], object] = int

    def __init__(self, name: str, clock: FakeClock, *script: str | ModelFault, seconds: float = 1.0) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._clock = clock
        self._script = list(script)
        self._seconds = seconds

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        self.requests.append(request)
        self.before()
        self._clock.sleep(self._seconds)
        said = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if on_part is not None:
            on_part(ReplyPart.TEXT, f"{self.name} begins")
        if isinstance(said, ModelFault):
            raise ModelError(f"{self.name} shows {said}", usage=Usage(1, 10, cost_usd=0.1), fault=said)
        return ModelReply(said, "", f"served-by-{self.name}", "stop", Usage(1, 100, cost_usd=1.0), provider=self.name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def told(failover: Failover, times: int = 1, request: ModelRequest = REQUEST) -> list[str]:
    """What became of so many requests: the text, or the kind of fault."""
    seen = []
    for _ in range(times):
        try:
            seen.append(failover.complete(request).text)
        except ModelError as fault:
            seen.append(f"{fault.fault}")
    return seen


# --- over real sockets ----------------------------------------------------------------------------------------------


def called(id: str) -> dict[str, object]:
    return {"id": id, "function": {"name": "read_file", "arguments": "{}"}}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def two(stack: ExitStack, first: Sequence[Reply], second: Sequence[Reply]) -> tuple[ModelServer, ModelServer, Failover]:
    one, other = (stack.enter_context(ModelServer(replies)) for replies in (first, second))
    spare = Provider("spare", other.base_url, "OTHER_KEY", OTHER_KEY, "another")
    settings = ModelSettings("scripted", one.base_url, "TEST_KEY", KEY, providers=(spare,))
    clock = RealClock()
    return one, other, Failover([OpenAIModel(each, clock, PRICES) for each in settings.endpoints()], clock)


@pytest.mark.parametrize(
    "ills",
    [
        DOWN,
        [error(429, {"error": "slow down"}, retry_after="3600")],
        [error(401, {"error": f"bad key {KEY}"})],
        [error(402, {"error": "payment required"})],
        [Reply((chunk("half of it"),))] * 4,
        [error(404, {"error": "The model scripted does not exist"})],
        [error(400, {"error": {"message": "scripted is not a valid model ID", "code": 400}})],
        [Reply(body=b"<html>a portal</html>", headers={"content-type": "text/html"})],
        [Reply(("{no JSON",))] * 4,
        [Reply((chunk(tool_calls=[called(f"{number}") for number in range(65)]), "[DONE]"))],
    ],
    ids=["down", "retry-after-beyond-the-deadline", "key", "credit", "cut", "path", "model", "page", "frame", "calls"],
)
def test_the_next_endpoint_answers(stack: ExitStack, ills: list[Reply]) -> None:
    parts: list[tuple[ReplyPart, str]] = []
    first, second, failover = two(stack, ills, [say("from the spare one")])
    reply = failover.complete(REQUEST, lambda part, text: parts.append((part, text)))
    assert (reply.text, reply.provider, reply.model) == ("from the spare one", "spare", "scripted-1")
    assert reply.usage.requests == len(ills) + 1
    assert (len(first.requests), len(second.requests)) == (len(ills), 1)
    assert [first.requests[0].body["model"], second.requests[0].body["model"]] == ["scripted", "another"]
    assert second.requests[0].headers["authorization"] == f"Bearer {OTHER_KEY}"
    assert KEY not in repr(second.requests), "each endpoint gets its own key alone"
    last = max((at for at, (part, _) in enumerate(parts) if part is ReplyPart.RESTART), default=-1)
    assert "".join(text for _, text in parts[last + 1 :]) == "from the spare one", "what broke off is void"


def test_all_that_failed_are_told_of(stack: ExitStack) -> None:
    first, second, failover = two(stack, DOWN, [error(401, {"error": f"bad key {OTHER_KEY}"})])
    with pytest.raises(ModelError) as caught:
        failover.complete(REQUEST)
    words = str(caught.value)
    assert [server.base_url in words for server in (first, second)] == [True, True]
    assert "OTHER_KEY was refused" in words
    assert OTHER_KEY not in words
    assert len(words) < 900
    assert caught.value.usage is not None
    assert caught.value.usage.requests == 5
    assert caught.value.fault is ModelFault.AUTHENTICATION


# --- who is asked ---------------------------------------------------------------------------------------------------


def test_first_alone_while_it_answers(clock: FakeClock) -> None:
    first, second = Asked("a", clock, "yes"), Asked("b", clock, "no")
    failover = Failover([first, second], clock)
    assert failover.name == "a"
    assert told(failover, 3) == ["yes"] * 3
    assert second.requests == []
    assert failover.complete(REQUEST).usage == Usage(1, 100, cost_usd=1.0)


@pytest.mark.parametrize(
    "kind",
    [
        ModelFault.RATE_LIMIT,
        ModelFault.UNAVAILABLE,
        ModelFault.CREDIT,
        ModelFault.AUTHENTICATION,
        ModelFault.NOT_FOUND,
        ModelFault.MALFORMED,
    ],
)
def test_faults_of_the_endpoint_go_to_the_next_and_are_charged(clock: FakeClock, kind: ModelFault) -> None:
    failover = Failover([Asked("a", clock, kind), Asked("b", clock, kind), Asked("c", clock, "yes")], clock)
    reply = failover.complete(REQUEST)
    assert (reply.text, reply.provider) == ("yes", "c")
    assert (reply.usage.requests, reply.usage.prompt_tokens, reply.usage.cost_usd) == (3, 120, pytest.approx(1.2))


@pytest.mark.parametrize(
    "kind",
    [
        ModelFault.CONTEXT_TOO_LONG,
        ModelFault.TOOLS_REFUSED,
        ModelFault.OTHER,
    ],
)
def test_faults_of_the_request_pass_through(clock: FakeClock, kind: ModelFault) -> None:
    second = Asked("b", clock, "yes")
    failover = Failover([Asked("a", clock, kind), second], clock)
    assert told(failover, 2, WITH_TOOLS) == [kind, kind]
    assert second.requests == []


def test_fault_of_the_request_at_the_second_is_charged_with_the_firsts(clock: FakeClock) -> None:
    failover = Failover([Asked("a", clock, ModelFault.CREDIT), Asked("b", clock, ModelFault.TOOLS_REFUSED)], clock)
    with pytest.raises(ModelError, match="b shows tools_refused") as caught:
        failover.complete(REQUEST)
    assert caught.value.usage == Usage(2, 20, cost_usd=0.2)


def test_reply_that_nobody_can_read_passes_through_at_the_last(clock: FakeClock) -> None:
    """The caller asks again as it would ask a single endpoint, also where another one is down for good."""
    first, second = Asked("a", clock, ModelFault.CREDIT), Asked("b", clock, ModelFault.MALFORMED, "yes")
    assert told(Failover([first, second], clock), 2) == ["malformed", "yes"]
    first, second = Asked("a", clock, ModelFault.MALFORMED, "yes"), Asked("b", clock, ModelFault.UNAVAILABLE)
    assert told(Failover([first, second], clock), 2) == ["malformed", "yes"]


def test_deadline_is_for_all_together(clock: FakeClock) -> None:
    first, second = (Asked(name, clock, ModelFault.UNAVAILABLE, seconds=20.0) for name in "ab")
    third = Asked("c", clock, "too late")
    assert told(Failover([first, second, third], clock), request=replace(REQUEST, seconds=30.0)) == ["unavailable"]
    assert [each.requests[0].seconds for each in (first, second)] == [20.0, pytest.approx(20 / 3)]
    assert third.requests == []


def test_one_that_hangs_does_not_take_all_the_time(clock: FakeClock) -> None:
    first = Asked("a", clock, ModelFault.DEADLINE, seconds=600.0)
    second = Asked("b", clock, "yes", "yes", ModelFault.DEADLINE)
    failover = Failover([first, second], clock)
    assert told(failover, FAILURES) == ["yes"] * FAILURES
    assert (first.requests[0].seconds, second.requests[0].seconds) == (600.0, 300.0)
    assert told(failover) == ["deadline"], "the last one's time is the request's own"
    assert len(first.requests) == FAILURES
    assert second.requests[-1].seconds == 900.0, "all of it, while the other is left alone"


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_no_time_is_told_at_once(clock: FakeClock, seconds: float) -> None:
    first = Asked("a", clock, "yes")
    assert told(Failover([first], clock), request=replace(REQUEST, seconds=seconds)) == ["unavailable"]
    assert first.requests == []


def test_streams_of_two_endpoints_are_kept_apart(clock: FakeClock) -> None:
    parts: list[tuple[ReplyPart, str]] = []
    failover = Failover([Asked("a", clock, ModelFault.CREDIT), Asked("b", clock, "yes")], clock)
    failover.complete(REQUEST, lambda part, text: parts.append((part, text)))
    assert parts == [(ReplyPart.TEXT, "a begins"), (ReplyPart.RESTART, ""), (ReplyPart.TEXT, "b begins")]


def test_none_is_no_failover(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Failover([], clock)


# --- the circuit ----------------------------------------------------------------------------------------------------


def test_circuit_opens_after_failures_in_a_row_and_half_opens_for_one(clock: FakeClock) -> None:
    first = Asked("a", clock, *[ModelFault.UNAVAILABLE] * (FAILURES + 1), "mended")
    failover = Failover([first, Asked("b", clock, "spare")], clock)
    assert told(failover, FAILURES + 3) == ["spare"] * (FAILURES + 3)
    assert len(first.requests) == FAILURES, "left alone while it is open"
    clock.sleep(OPEN_SECONDS)
    assert told(failover, 3) == ["spare"] * 3
    assert len(first.requests) == FAILURES + 1, "one request tried it, and it is open again"
    clock.sleep(OPEN_SECONDS)
    assert told(failover, 3) == ["mended"] * 3, "closed again"


def test_a_success_between_keeps_it_closed(clock: FakeClock) -> None:
    script = [ModelFault.UNAVAILABLE, "yes"] * 3
    first = Asked("a", clock, *script)
    failover = Failover([first, Asked("b", clock, "spare")], clock)
    assert told(failover, 6) == ["spare", "yes"] * 3
    assert len(first.requests) == 6


def test_a_refused_request_shows_that_an_endpoint_lives(clock: FakeClock) -> None:
    script = (ModelFault.UNAVAILABLE, ModelFault.CONTEXT_TOO_LONG, ModelFault.UNAVAILABLE, "yes")
    first = Asked("a", clock, *script)
    assert told(Failover([first, Asked("b", clock, "spare")], clock), 4) == [
        "spare",
        "context_too_long",
        "spare",
        "yes",
    ]


@pytest.mark.parametrize("kind", [ModelFault.CREDIT, ModelFault.AUTHENTICATION, ModelFault.NOT_FOUND])
def test_no_credit_key_or_model_is_asked_once_in_a_run(clock: FakeClock, kind: ModelFault) -> None:
    first = Asked("a", clock, kind)
    failover = Failover([first, Asked("b", clock, "spare")], clock)
    for _ in range(3):
        assert told(failover, 2) == ["spare"] * 2
        clock.sleep(10 * OPEN_SECONDS)
    assert len(first.requests) == 1


def test_all_open_waits_for_the_first_within_the_deadline(clock: FakeClock) -> None:
    first = Asked("a", clock, *[ModelFault.UNAVAILABLE] * FAILURES, "mended")
    failover = Failover([first, Asked("b", clock, ModelFault.RATE_LIMIT)], clock)
    assert told(failover, FAILURES) == ["rate_limit"] * FAILURES
    before = clock.time
    assert told(failover, request=replace(REQUEST, seconds=5.0)) == ["unavailable"], "not within five seconds"
    assert clock.time == before, "which is known at once"
    assert told(failover) == ["mended"]
    assert clock.time - before < OPEN_SECONDS + 5


def test_all_shut_for_good_is_told_at_once(clock: FakeClock) -> None:
    failover = Failover([Asked("a", clock, ModelFault.CREDIT)], clock)
    told(failover)
    before = clock.time
    with pytest.raises(ModelError, match=r"no provider of a model answered: 1\. a shows credit"):
        failover.complete(REQUEST)
    assert clock.time == before


def test_half_open_admits_one_of_many_threads(clock: FakeClock) -> None:
    held = Barrier(2)
    first = Asked("a", clock, *[ModelFault.UNAVAILABLE] * FAILURES, "mended", seconds=0.0)
    failover = Failover([first, Asked("b", clock, "spare", seconds=0.0)], clock)
    told(failover, FAILURES)
    clock.sleep(OPEN_SECONDS)
    first.before = lambda: held.wait(10)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(failover.complete, REQUEST) for _ in range(8)]
        others = [each.result().text for each in islice(as_completed(asked, 10), 7)]
        held.wait(10)
        assert others == ["spare"] * 7
        assert sorted(each.result(10).text for each in asked)[0] == "mended"
