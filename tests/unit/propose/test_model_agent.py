"""The agent: tools called and answered, verdicts heard as the result of the very call, and every way it ends."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import cast

import pytest

from bot.config import ModelSettings, Price, RepairLimits
from bot.errors import ModelError, ModelFault
from bot.patch.apply import apply
from bot.patch.types import Applied, Refusal
from bot.ports import Bench, EventKind, ModelReply, ModelRequest, Usage
from bot.propose.model.calls import CALLS, RUNS
from bot.propose.model.context import Setting
from bot.propose.model.key import request_key
from bot.propose.model.proposer import ModelProposer
from bot.propose.types import Attempt, NoProposal, Proposal, StopReason
from bot.verify.types import Failing, Inapplicable, Unproven, Verdict
from bot.workspace.git import Repository
from tests import repositories
from tests.fakes import FakeClock, MemoryRecorder
from tests.model_talk import (
    DIFF,
    FAILING,
    GOOD,
    SPENT,
    IdleBench,
    ScriptedModel,
    attempt,
    calling,
    evidence,
    other_diff,
    proposer,
    submitting,
)

READ = ("read_file", {"path": "cart.py"})
FURTHER = Failing("the suite broke", FAILING.applied, (), None, "")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "cart.py").write_text("def total(items):\n    return sum(items[1:])\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_cart.py").write_text("from cart import total\n\n\ndef test_total():\n    ...\n")
    return cast(Bench, IdleBench(tmp_path))


def fared(offer: Proposal | NoProposal, verdict: Verdict = FAILING) -> Attempt:
    assert isinstance(offer, Proposal), offer
    return Attempt(offer, verdict)


def rounds(engine: ModelProposer, bench: Bench, *verdicts: Verdict) -> list[Proposal | NoProposal]:
    """One proposal after the other, each judged as given; one more at the end."""
    offers: list[Proposal | NoProposal] = []
    attempts: tuple[Attempt, ...] = ()
    for verdict in verdicts:
        offers.append(engine.propose(evidence(), attempts, bench))
        attempts += (fared(offers[-1], verdict),)
    return [*offers, engine.propose(evidence(), attempts, bench)]


def last(request: ModelRequest) -> str:
    return request.messages[-1].content


def well_formed(request: ModelRequest) -> None:
    """Every call is answered before anybody speaks again: what endpoints insist on."""
    owed: list[str] = []
    for message in request.messages:
        if message.role == "tool":
            owed.remove(message.tool_call_id)
        else:
            assert owed == []
            owed = [call.id for call in message.tool_calls]
    assert owed == []


# --- the way it should go -------------------------------------------------------------------------------------------


def test_looks_reads_submits_hears_and_submits_again(bench: Bench) -> None:
    model = ScriptedModel(
        calling(READ, ("search_code", {"pattern": "total"})),
        submitting(DIFF),
        calling(("list_files", {})),
        submitting(other_diff(1), "second thought"),
    )
    engine, line, recorder = proposer(model)
    first, second = rounds(engine, bench, FAILING)
    assert isinstance(first, Proposal)
    assert isinstance(second, Proposal)
    assert (first.patch_text, first.diagnosis.confidence, first.reasoning) == (DIFF, 0.9, "hm\n\nhm")
    assert second.diagnosis.root_cause == "second thought"
    assert first.usage == SPENT + SPENT
    assert line.budget.spent.requests == 4
    for request in model.requests:
        well_formed(request)
        assert request.must_call
        assert request.schema is None
    for earlier, later in itertools.pairwise(model.requests):
        assert later.messages[: len(earlier.messages)] == earlier.messages, "only ever appended"
        assert later.tools == earlier.tools
    assert len({request.conversation for request in model.requests}) == 1
    told = model.requests[2].messages[-1]
    assert (told.role, told.tool_call_id) == ("tool", "call_1"), "the verdict is the result of that very call"
    assert "`green` failed" in told.content
    assert "1 of 2 tests passed" in told.content
    assert "return sum(items[1:])" in model.requests[1].messages[3].content
    asked = recorder.of(EventKind.REQUEST)
    assert [event["key"] for event in asked] == [request_key("scripted", request) for request in model.requests]
    assert [(event["name"], event["ok"]) for event in recorder.of(EventKind.TOOL_RESULT)] == [
        ("read_file", True),
        ("search_code", True),
        ("submit_fix", False),
        ("list_files", True),
    ]
    assert [event["name"] for event in recorder.of(EventKind.TOOL_CALL)][-1] == "submit_fix"
    assert {event["part"] for event in recorder.of(EventKind.STREAM)} == {"reasoning", "text"}


def test_first_request_is_the_same_bytes_in_every_run(bench: Bench) -> None:
    keys, requests = set(), []
    for address, took in (("0x7f3a00aa1200", "0.31"), ("0x55e1deadbeef", "12.40")):
        model = ScriptedModel(submitting())
        engine, _, _ = proposer(model)
        failing = evidence().cluster.failures[0]
        case = failing.case
        changed = f"E   <Cart at {address}> in {took}s, /tmp/pytest-of-me/pytest-{len(requests)}/test_a0/x\n"
        told = evidence(
            type(failing)(
                type(case)(case.id, case.outcome, 0.1, case.message, changed),
                failing.exception,
                failing.message,
                failing.frames,
                failing.fingerprint,
            )
        )
        engine.propose(told, (), bench)
        keys.add(request_key("scripted", model.requests[0]))
        requests.append(model.requests[0])
    assert len(keys) == 1
    assert requests[0].tools == requests[1].tools
    assert str(bench.tree) not in "".join(message.content for message in requests[0].messages)


def test_calls_beside_a_fix_are_answered_and_not_carried_out(bench: Bench) -> None:
    fix = submitting().tool_calls[0]
    both = calling(READ, ("submit_fix", fix.arguments), ("submit_fix", fix.arguments), ("list_files", {}))
    model = ScriptedModel(both, calling(("give_up", {"kind": "needs_human", "reason": "no idea"})))
    engine, _, _ = proposer(model)
    first, second = rounds(engine, bench, FAILING)
    assert isinstance(first, Proposal)
    assert second == NoProposal(StopReason.NEEDS_HUMAN, "no idea", SPENT)
    well_formed(model.requests[1])
    tool_messages = [message for message in model.requests[1].messages if message.role == "tool"]
    assert [message.tool_call_id for message in tool_messages] == ["call_1", "call_2", "call_3", "call_4"]
    assert "did not get through" in tool_messages[1].content
    assert all("Not carried out" in message.content for message in tool_messages[2:])


@pytest.mark.parametrize("kind", ["test_is_wrong", "infrastructure", "needs_human"])
def test_give_up_ends_it(bench: Bench, kind: str) -> None:
    engine, line, _ = proposer(ScriptedModel(calling(("give_up", {"kind": kind, "reason": "the docs\nsay 2"}))))
    assert engine.propose(evidence(), (), bench) == NoProposal(StopReason(kind), "the docs say 2", SPENT)
    assert line.budget.spent == SPENT


# --- iterating ------------------------------------------------------------------------------------------------------


def test_two_rounds_without_progress_begin_afresh_with_what_was_tried(bench: Bench) -> None:
    model = ScriptedModel(
        calling(READ),
        *(submitting(other_diff(number), f"cause {number}") for number in range(3)),
        submitting(other_diff(9), "another hypothesis"),
    )
    engine, _, recorder = proposer(model)
    offers = rounds(engine, bench, FAILING, FAILING, FAILING)
    assert isinstance(offers[-1], Proposal)
    fresh = model.requests[-1]
    assert [message.role for message in fresh.messages] == ["system", "user"]
    assert fresh.messages[0] == model.requests[0].messages[0], "what is stable stands first"
    for words in ("cause 0", "cause 1", "cause 2", "another hypothesis than theirs", "read_file", "+ 2 - 2"):
        assert words in last(fresh)
    assert "very failure of attempt 1" in last(model.requests[3]), "a repeated failure is named"
    assert recorder.of(EventKind.REQUEST)[-1]["earlier_messages"] == 0


def test_progress_keeps_the_conversation(bench: Bench) -> None:
    verdicts = (
        Inapplicable(Refusal("not there"), ()),
        Unproven("passes without the fix", FAILING.applied, (), ""),
        FAILING,
        Inapplicable(Refusal("not there either"), ()),
    )
    model = ScriptedModel(*(submitting(other_diff(number)) for number in range(5)))
    engine, _, _ = proposer(model)
    rounds(engine, bench, *verdicts)
    assert len(model.requests[-1].messages) == 2 + 2 * 4


def test_same_patch_again_and_again_is_told_then_stopped_by_name(bench: Bench) -> None:
    spaced = DIFF.replace("@@ -1,2 +1,2 @@", "@@ -7,9 +7,9 @@") + "\n"
    model = ScriptedModel(submitting(), *(submitting(patch) for patch in (DIFF, spaced, DIFF, spaced)))
    engine, line, _ = proposer(model)
    first, second = rounds(engine, bench, FAILING)
    assert isinstance(first, Proposal)
    assert isinstance(second, NoProposal)
    assert second.reason is StopReason.NO_CANDIDATE
    assert "submitted patches again" in second.message
    assert "attempt 1" in second.message
    assert line.budget.spent.requests == 5
    assert "those of attempt 1" in last(model.requests[2])
    assert not model.answers


def test_what_other_candidates_tried_is_told(bench: Bench) -> None:
    model = ScriptedModel(submitting(), submitting(other_diff(3)))
    engine, _, _ = proposer(model)
    mine = fared(engine.propose(evidence(), (), bench))
    engine.propose(evidence(), (attempt(FURTHER, patch="+ theirs"), mine), bench)
    said = model.requests[1].messages
    assert [message.role for message in said[-2:]] == ["tool", "user"]
    assert "+ theirs" in said[-1].content
    assert "the suite broke" in said[-1].content
    well_formed(model.requests[1])


def test_fix_that_nobody_judged_is_answered_all_the_same(bench: Bench) -> None:
    model = ScriptedModel(submitting(), submitting(other_diff(1)))
    engine, _, _ = proposer(model)
    engine.propose(evidence(), (), bench)
    assert isinstance(engine.propose(evidence(), (), bench), Proposal)
    assert "was not judged" in last(model.requests[1])


# --- models that do not play along ----------------------------------------------------------------------------------


def test_tools_called_forever_are_stopped_by_name(bench: Bench) -> None:
    calls = [calling(*[("list_files", {"glob": f"{number}/{n}*"}) for n in range(4)]) for number in range(20)]
    engine, line, _ = proposer(ScriptedModel(*calls))
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert found.reason is StopReason.NO_CANDIDATE
    assert f"{CALLS} calls are allowed" in found.message
    assert line.budget.spent.requests == CALLS // 4 + 3, "three replies more, to submit or give up"


def test_after_the_last_call_a_fix_is_still_taken(bench: Bench) -> None:
    many = calling(*[("list_files", {"glob": f"{number}*"}) for number in range(CALLS + 4)])
    model = ScriptedModel(many, submitting())
    engine, _, _ = proposer(model)
    assert isinstance(engine.propose(evidence(), (), bench), Proposal)
    assert "Call submit_fix or give_up now" in last(model.requests[1])
    well_formed(model.requests[1])


def test_the_same_call_twice_is_told(bench: Bench) -> None:
    model = ScriptedModel(calling(READ), calling(("read_file", '{"path" : "cart.py"}')), submitting())
    engine, _, _ = proposer(model)
    engine.propose(evidence(), (), bench)
    assert "word for word" in last(model.requests[2])
    assert "sum(items[1:])" not in last(model.requests[2])


def test_runs_in_the_sandbox_are_counted(bench: Bench) -> None:
    wanted = [("run_tests", {"ids": [f"tests/test_cart.py::test_{number}"]}) for number in range(RUNS + 3)]
    model = ScriptedModel(calling(*wanted), submitting())
    engine, _, _ = proposer(model)
    engine.propose(evidence(), (), bench)
    assert cast(IdleBench, bench).runs <= RUNS
    assert f"the {RUNS} runs for one proposal are spent" in last(model.requests[1])


HOSTILE = [
    ("no_such_tool", "{}"),
    ("read_file", "{'path': cart.py"),
    ("read_file", "[1, 2]"),
    ("read_file", "[" * 100_000),
    ("read_file", '{"path": "../../etc/passwd"}'),
    ("read_file", '{"path": "/proc/self/environ"}'),
    ("submit_fix", '{"patch": 7}'),
    ("give_up", '{"kind": "because"}'),
    ("\x1b[2Jread_file\n", '{"path": "\\ud800"}'),
]


@pytest.mark.parametrize(("name", "arguments"), HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_hostile_calls_are_answered_and_leave_a_conversation_that_can_go_on(
    bench: Bench, name: str, arguments: str
) -> None:
    model = ScriptedModel(calling((name, arguments)), submitting())
    engine, _, recorder = proposer(model)
    assert isinstance(engine.propose(evidence(), (), bench), Proposal)
    assert recorder.of(EventKind.TOOL_RESULT)[0]["ok"] is False
    assert recorder.of(EventKind.TOOL_CALL)[0]["arguments"] == arguments, "the trace shows what was written"
    answered = model.requests[1].messages[-2]
    for call in answered.tool_calls:  # endpoints parse these again, and refuse what does not parse
        assert isinstance(json.loads(call.arguments), dict)
    assert "root:" not in last(model.requests[1])
    assert "\x1b" not in last(model.requests[1])


def test_prose_is_asked_for_a_call_twice_then_a_diff_in_it_is_taken(bench: Bench) -> None:
    prose = f"I would do this:\n```diff\n{DIFF}```\n"
    model = ScriptedModel(calling(READ), prose, "Well.", prose, submitting(other_diff(1)))
    engine, line, _ = proposer(model)
    first, second = rounds(engine, bench, FAILING)
    assert isinstance(first, Proposal)
    assert first.patch_text.strip() == DIFF.strip()
    assert isinstance(second, Proposal)
    assert "You called no tool" in last(model.requests[2])
    assert model.requests[4].messages[-1].role == "user", "there is no call whose result it could be"
    assert line.takes_tools


def test_an_answer_in_the_one_shot_form_is_as_good_as_a_call(bench: Bench) -> None:
    model = ScriptedModel(GOOD, submitting(other_diff(1)))
    engine, _, _ = proposer(model)
    first, second = rounds(engine, bench, FAILING)
    assert isinstance(first, Proposal)
    assert isinstance(second, Proposal)
    assert "`green` failed" in last(model.requests[1])


def test_model_that_never_calls_is_asked_in_the_one_shot_form_from_then_on(bench: Bench) -> None:
    model = ScriptedModel("Hello!", "How are you?", "Fine.", GOOD, GOOD)
    engine, line, _ = proposer(model)
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, Proposal)
    assert found.usage.requests == 4, "finding out is charged to the proposal"
    assert not line.takes_tools
    assert model.requests[3].tools == ()
    assert model.requests[3].schema is not None
    assert isinstance(
        ModelProposer(line, MemoryRecorder(), FakeClock(), Setting()).propose(evidence(), (), bench), Proposal
    )
    assert model.requests[4].tools == (), "another repair of the run does not try again"


def test_prose_after_calls_ends_by_name(bench: Bench) -> None:
    engine, line, _ = proposer(ScriptedModel(calling(READ), "a", "b", "c"))
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert "3 replies in a row of model 'scripted' called no tool" in found.message
    assert line.takes_tools


# --- endpoints that do not --------------------------------------------------------------------------------------------


def fault(kind: ModelFault, said: str = "no") -> ModelError:
    return ModelError(said, usage=Usage(requests=1, prompt_tokens=5, cost_usd=0.02), fault=kind)


def test_endpoint_that_refuses_tools_gets_the_one_shot_form(bench: Bench) -> None:
    model = ScriptedModel(fault(ModelFault.TOOLS_REFUSED), GOOD)
    engine, line, recorder = proposer(model)
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, Proposal)
    assert found.usage.cost_usd == pytest.approx(0.03)
    assert not line.takes_tools
    assert recorder.of(EventKind.REPLY)[0]["fault"] == "tools_refused"
    assert line.budget.spent.requests == 2


def test_context_that_is_too_long_begins_a_smaller_conversation(bench: Bench) -> None:
    long = calling(("search_code", {"pattern": "x" * 200_000}))
    model = ScriptedModel(long, fault(ModelFault.CONTEXT_TOO_LONG), submitting())
    engine, line, _ = proposer(model)
    assert isinstance(engine.propose(evidence(), (), bench), Proposal)
    assert len(model.requests[2].messages) == 2
    assert "search_code" in last(model.requests[2])
    assert line.window < ModelSettings().context


def test_conversation_that_outgrows_the_window_is_not_even_sent(bench: Bench) -> None:
    big = calling(("read_file", {"path": "cart.py", "first": 1}), text="y" * 200_000)
    model = ScriptedModel(big, submitting())
    engine, line, _ = proposer(model, settings=ModelSettings(context=25_000))
    assert isinstance(engine.propose(evidence(), (), bench), Proposal)
    assert len(model.requests[1].messages) == 2, "a fresh one"
    assert line.budget.spent.requests == 2


def test_draft_outlives_a_conversation_that_grew_too_long(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", {"cart.py": "def total(items):\n    return sum(items[1:])\n"})
    (tmp_path / "scratch").mkdir()
    checkout = Repository.open(root, tmp_path / "scratch").checkout()

    class PlacingBench(IdleBench):
        def try_patch(self, text: str) -> Applied | Refusal:
            return apply(text, checkout)

    long = calling(("try_patch", {"patch": DIFF}), text="y" * 200_000)
    model = ScriptedModel(long, calling(READ), submitting(""))
    engine, _, _ = proposer(model, settings=ModelSettings(context=25_000))
    found = engine.propose(evidence(), (), cast(Bench, PlacingBench(checkout.path)))
    fresh = model.requests[1]
    assert len(fresh.messages) == 2
    assert "# Your draft" in last(fresh)
    assert "+    return sum(items)" in last(fresh)
    assert "return sum(items)\n" in last(model.requests[2]), "the tools see the code with it"
    assert isinstance(found, Proposal)
    assert "+    return sum(items)" in found.patch_text, "an empty patch stands for the draft"


def test_window_too_small_for_tools_is_asked_without(bench: Bench) -> None:
    model = ScriptedModel(GOOD)
    engine, _, _ = proposer(model, settings=ModelSettings(context=6_000))
    assert isinstance(engine.propose(evidence(), (), bench), Proposal)
    assert model.requests[0].tools == ()
    assert model.requests[0].max_completion_tokens == 1_500
    hopeless, _, _ = proposer(ScriptedModel(), settings=ModelSettings(context=1_000))
    found = hopeless.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert "model.context" in found.message


def test_replies_that_cannot_be_read_are_charged_and_end_by_name(bench: Bench) -> None:
    broken = [fault(ModelFault.MALFORMED, "more than 2,000,000 characters") for _ in range(3)]
    engine, line, _ = proposer(ScriptedModel(*broken))
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert found.reason is StopReason.NO_CANDIDATE
    assert "2,000,000 characters" in found.message
    assert line.budget.spent.cost_usd == pytest.approx(0.06)


@pytest.mark.parametrize("kind", [ModelFault.AUTHENTICATION, ModelFault.UNAVAILABLE, ModelFault.OTHER])
def test_other_faults_are_infrastructure(bench: Bench, kind: ModelFault) -> None:
    engine, line, _ = proposer(ScriptedModel(fault(kind, "down")))
    with pytest.raises(ModelError, match="down"):
        engine.propose(evidence(), (), bench)
    assert line.budget.spent.requests == 1


# --- budget -----------------------------------------------------------------------------------------------------------


def test_every_request_has_to_fit_what_is_left(bench: Bench) -> None:
    settings = ModelSettings(name="scripted", api_key="k", prices={"scripted": Price(2.0, 0.5, 6.0)})
    dear = ModelReply("", "", "scripted-1", "tool_calls", Usage(1, 1, 0, 1, 0, 0.9), calling(READ).tool_calls)
    engine, line, _ = proposer(ScriptedModel(dear, submitting()), limits=RepairLimits(cost_usd=1.0), settings=settings)
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert found.reason is StopReason.BUDGET
    assert "does not fit" in found.message
    assert line.budget.spent.requests == 1


def test_time_that_is_over_stops_calls_and_requests(bench: Bench) -> None:
    idle = cast(IdleBench, bench)

    class Slow(ScriptedModel):
        def complete(self, request: ModelRequest, on_part: object = None) -> ModelReply:
            idle.seconds = 0.0
            return super().complete(request)

    engine, _, recorder = proposer(Slow(calling(READ)))
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert "limits.minutes" in found.message
    assert "time is over" in str(recorder.of(EventKind.TOOL_RESULT)[0]["result"])


def test_time_that_ends_in_mid_reply_is_the_budgets_end(bench: Bench) -> None:
    """Only where the reply was given less than a whole one's time: else the endpoint hung."""
    idle = cast(IdleBench, bench)
    idle.seconds = 30.0
    engine, _, _ = proposer(ScriptedModel(fault(ModelFault.DEADLINE, "not within 30 s")))
    found = engine.propose(evidence(), (), bench)
    assert isinstance(found, NoProposal)
    assert found.reason is StopReason.BUDGET
    assert "limits.minutes" in found.message
    idle.seconds = 5_000.0
    engine, _, _ = proposer(ScriptedModel(fault(ModelFault.DEADLINE, "not within 900 s")))
    with pytest.raises(ModelError, match="900 s"):
        engine.propose(evidence(), (), bench)
