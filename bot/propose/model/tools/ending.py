"""The two ways to end a conversation."""

from __future__ import annotations

from bot.evidence.text import head_tail
from bot.ports import ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.types import Desk, Outcome, Submission, Surrender, ToolResult
from bot.propose.types import NewTest, StopReason

_PROSE = 6_000  # characters of a root cause, risks or reasons

_KINDS = {
    "test_is_wrong": StopReason.TEST_IS_WRONG,
    "infrastructure": StopReason.INFRASTRUCTURE,
    "needs_human": StopReason.NEEDS_HUMAN,
}


class SubmitFix:
    """Hands a fix to the judge. It is not looked at here: what a rule stops shall stand in the result."""

    # "root cause first": the schema's order is the order of writing, and a cause thought through before the patch is
    # a better patch. An empty patch stands for the draft, so that a long diff need not be written twice.
    spec: ToolSpec = schema.spec(
        "submit_fix",
        """Hand in the fix. It is then proved on a clean checkout: it applies, no rule blocks it, the new test fails
        without it and passes with it, the failing tests pass again and again, nothing else breaks. You are told what
        failed. Try it with try_patch and run_tests first.""",
        {
            "root_cause": schema.text(
                """One paragraph for a person who knows the code: what is wrong, where, and how it leads to the
                failure."""
            ),
            "patch": schema.text(
                """Unified diff of the fix alone, against the code at base, with three lines of context copied exactly.
                Empty: your current draft, with its new test unless new_test is given here."""
            ),
            "new_test": schema.NEW_TEST,
            "confidence": {
                "type": "number",
                "description": "0 to 1: how sure you are that a maintainer would merge this.",
            },
            "risks": schema.text(
                "What a reviewer should look at, and why there is no new test where there is none. May be empty."
            ),
        },
        ("root_cause", "patch", "new_test", "confidence", "risks"),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        patch, draft = arguments.text("patch"), desk.draft
        new_test = written_test(arguments)
        if isinstance(new_test, ToolResult):
            return new_test
        if not arguments.text("root_cause").strip():
            return ToolResult("Not handed in: 'root_cause' is empty. Say what is wrong, where, and why.", ok=False)
        if not patch.strip():
            if draft is None or not draft.patch:
                return ToolResult(
                    "Not handed in: 'patch' is empty and there is no draft of a fix. Send the unified diff.", ok=False
                )
            patch, new_test = draft.patch, new_test or draft.new_test
        return Submission(
            root_cause=head_tail(arguments.text("root_cause"), _PROSE),
            patch=patch,
            new_test=new_test,
            confidence=_share(arguments.number("confidence")),
            risks=head_tail(arguments.text("risks"), _PROSE),
        )


class GiveUp:
    """Ends without a patch, which is a good result where it is the truth."""

    spec: ToolSpec = schema.spec(
        "give_up",
        """End without a fix, when that is the truth. test_is_wrong: the code is right and the test contradicts its
        documentation. infrastructure: machine, network, a missing service, the version of a dependency. needs_human:
        a decision that the repository does not answer.""",
        {
            "kind": schema.word("Why no patch is the answer.", tuple(_KINDS)),
            "reason": schema.text("One paragraph with the evidence: files, lines, what was seen in which run."),
        },
        ("kind", "reason"),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:  # noqa: ARG002 (the port's signature)
        reason = arguments.text("reason").strip()
        if not reason:
            return ToolResult("Not ended: 'reason' is empty. A person will read it: say what you saw, where.", ok=False)
        return Surrender(_KINDS[arguments.text("kind")], head_tail(reason, _PROSE))


def written_test(arguments: Arguments) -> NewTest | ToolResult | None:
    """The member `new_test`, None where there is none; a result that says what is missing in it."""
    test = arguments.object("new_test")
    if test is None:
        return None
    path, source = test.text("path").strip(), test.text("source")
    if not path or not source.strip():
        missing = "source" if path else "path"
        return ToolResult(f"'new_test' has an empty {missing!r}: give a whole new file, or null.", ok=False)
    return NewTest(path, source, test.text("explanation"))


def _share(value: float | None) -> float | None:
    """A confidence as 0.9 or 90."""
    if value is None:
        return None
    return max(0.0, min(1.0, value / 100.0 if 1.0 < value <= 100.0 else value))
