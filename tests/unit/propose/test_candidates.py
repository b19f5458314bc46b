"""Several proposers side by side: the smallest first, endings, errors, and an interruption that reaches them all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from bot.budget import Budget
from bot.config import ModelSettings, RepairLimits
from bot.diagnose.types import Diagnosis, Evidence
from bot.errors import ModelError, SandboxError
from bot.ports import Bench, Cancelled, EventKind, Proposer
from bot.propose.candidates import Candidates, Together
from bot.propose.model.context import Setting
from bot.propose.model.line import Line
from bot.propose.model.proposer import ModelProposer
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason
from tests.fakes import FakeClock, MemoryRecorder
from tests.model_talk import FAILING, IdleBench, ScriptedModel, evidence, other_diff, submitting

Act = Callable[[tuple[Attempt, ...], Bench], Proposal | NoProposal]


class Acting:
    """Implements Proposer: does one act a round, and remembers what it was told."""

    name = "model"

    def __init__(self, *acts: Act | Proposal | NoProposal | BaseException) -> None:
        self.acts = list(acts)
        self.told: list[tuple[Attempt, ...]] = []

    def propose(self, evidence: Evidence, attempts: tuple[Attempt, ...], bench: Bench) -> Proposal | NoProposal:
        self.told.append(attempts)
        act = self.acts.pop(0)
        if isinstance(act, BaseException):
            raise act
        return act(attempts, bench) if callable(act) else act


def offer(lines: int, cause: str = "cause") -> Proposal:
    return Proposal(Diagnosis(cause), "--- a/x\n+++ b/x\n@@\n" + "+new\n" * lines, None, "model")


def spent(reason: StopReason = StopReason.NO_CANDIDATE, said: str = "nothing") -> NoProposal:
    return NoProposal(reason, said)


def side_by_side(*proposers: Proposer) -> Candidates:
    return Candidates(proposers, ThreadPoolExecutor, Together(MemoryRecorder()))


BENCH = cast(Bench, IdleBench())


def ask(candidates: Candidates, attempts: tuple[Attempt, ...] = ()) -> Proposal | NoProposal:
    return candidates.propose(evidence(), attempts, BENCH)


def test_smallest_first_and_all_of_a_round_before_the_next() -> None:
    one, two, three = (Acting(offer(size), offer(size + 10)) for size in (3, 1, 2))
    candidates = side_by_side(one, two, three)
    attempts: tuple[Attempt, ...] = ()
    sizes = []
    for _ in range(4):
        found = ask(candidates, attempts)
        assert isinstance(found, Proposal)
        sizes.append(found.patch_text.count("+new"))
        attempts += (Attempt(found, FAILING),)
    assert sizes == [1, 2, 3, 11]
    assert [len(told) for told in one.told] == [0, 3], "each hears of all verdicts of the round"


def test_the_same_patch_is_offered_once() -> None:
    candidates = side_by_side(Acting(offer(1), spent()), Acting(offer(1, "other words"), spent()))
    assert isinstance(ask(candidates), Proposal)
    assert isinstance(ask(candidates), NoProposal)


def test_those_with_nothing_more_drop_out() -> None:
    candidates = side_by_side(Acting(spent()), Acting(offer(1), offer(2), spent(StopReason.BUDGET)))
    assert isinstance(ask(candidates), Proposal)
    assert isinstance(ask(candidates), Proposal)
    found = ask(candidates)
    assert isinstance(found, NoProposal)
    assert found.reason is StopReason.NO_CANDIDATE, "what was found out says more than what was spent"
    assert ask(candidates) == found


def test_an_endpoint_that_fails_for_one_does_not_stop_the_others() -> None:
    candidates = side_by_side(Acting(ModelError("down")), Acting(offer(1), ModelError("down too")))
    assert isinstance(ask(candidates), Proposal)
    with pytest.raises(ModelError, match=r"down$"):
        ask(candidates)


def test_a_broken_sandbox_stops_all() -> None:
    with pytest.raises(SandboxError, match="gone"):
        ask(side_by_side(Acting(SandboxError("gone")), Acting(offer(1))))


def test_they_run_at_the_same_time_and_take_turns_at_the_bench() -> None:
    meeting = threading.Barrier(2, timeout=20)
    inside: list[int] = []

    class Crowded(IdleBench):
        def run(self, *arguments: object, **more: object) -> object:  # type: ignore[override]
            inside.append(1)
            assert len(inside) == 1
            meeting_point.wait(0.05)
            inside.pop()
            return None

    meeting_point = threading.Event()

    def act(_attempts: tuple[Attempt, ...], bench: Bench) -> Proposal:
        meeting.wait()
        bench.run(None)
        return offer(1)

    candidates = side_by_side(Acting(act), Acting(act))
    assert isinstance(candidates.propose(evidence(), (), cast(Bench, Crowded())), Proposal)


def test_an_interruption_reaches_those_that_still_stream() -> None:
    streaming = threading.Event()
    together = Together(MemoryRecorder())

    def stream(_attempts: tuple[Attempt, ...], _bench: Bench) -> Proposal:
        while True:
            together.record(EventKind.STREAM, part="text", text="word")
            streaming.set()

    def interrupt(_attempts: tuple[Attempt, ...], _bench: Bench) -> Proposal:
        assert streaming.wait(20)
        raise KeyboardInterrupt

    candidates = Candidates([Acting(interrupt), Acting(stream)], ThreadPoolExecutor, together)
    with pytest.raises(KeyboardInterrupt):
        ask(candidates)
    with pytest.raises(Cancelled):
        together.record(EventKind.STREAM, part="text", text="late")


def test_real_conversations_share_one_budget(tmp_path: Path) -> None:
    limits = RepairLimits(tokens=60_000)  # one request of up to 32,000 tokens and its prompt fit, two do not
    both_asked = threading.Barrier(2, timeout=20)

    class Slow(ScriptedModel):
        def complete(self, request, on_part=None):  # type: ignore[no-untyped-def]
            try:
                both_asked.wait(0.5)
            except threading.BrokenBarrierError:
                pass
            return super().complete(request, on_part)

    budget, model = Budget(limits, FakeClock()), Slow(submitting(other_diff(1)), submitting(other_diff(2)))
    line = Line(model, ModelSettings(), budget)
    together = Together(MemoryRecorder())
    proposers = [ModelProposer(line, together, FakeClock(), Setting(lead=lead)) for lead in (1, 2)]
    candidates = Candidates(proposers, ThreadPoolExecutor, together)
    assert isinstance(candidates.propose(evidence(), (), cast(Bench, IdleBench(tmp_path))), Proposal)
    assert len(model.requests) == 1, "the other one's worst case did not fit beside it"
