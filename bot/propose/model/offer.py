"""From a model's answer, however it was given, to a proposal; and what makes two of them the same."""

from __future__ import annotations

from collections.abc import Sequence

from bot.diagnose.types import Diagnosis
from bot.evidence.text import head_tail, one_line
from bot.ports import Usage
from bot.propose.types import NewTest, NoProposal, Proposal, StopReason

ENGINE = "model"
_WORDS = 6_000  # characters of a model's prose for a person
_REASONING = 100_000
_STOPS = {
    "test_is_wrong": StopReason.TEST_IS_WRONG,
    "infrastructure": StopReason.INFRASTRUCTURE,
    "needs_human": StopReason.NEEDS_HUMAN,
}


def proposal(
    root_cause: str,
    patch: str,
    new_test: NewTest | None,
    confidence: float | None,
    risks: str,
    spent: Usage,
    reasoning: Sequence[str] = (),
) -> Proposal:
    """As the model gave it; its prose is bounded and on one line, for it is untrusted as any output."""
    test = None if new_test is None else NewTest(new_test.path.strip(), new_test.source, words(new_test.explanation))
    return Proposal(
        Diagnosis(words(root_cause), confidence=confidence, risks=words(risks)),
        patch,
        test,
        ENGINE,
        spent,
        "" if test is not None else "the model gave no new test" + (f": {words(risks)}" if risks.strip() else ""),
        head_tail("\n\n".join(filter(None, reasoning)), _REASONING),
    )


def surrender(kind: str, reason: str, spent: Usage) -> NoProposal:
    """A model that says the code is not at fault, or that the question is not its to answer."""
    return NoProposal(_STOPS.get(kind, StopReason.NEEDS_HUMAN), words(reason), spent)


def essence(patch: str, new_test: NewTest | None) -> str:
    """What makes two answers the same to the gates: the lines that change, and the new test."""
    lines = [line.rstrip() for line in patch.splitlines() if line[:1] in ("+", "-")]
    return repr((lines, None if new_test is None else new_test.source))


def same(one: Proposal, other: Proposal) -> bool:
    """Whether a verdict on the one is a verdict on the other."""
    return essence(one.patch_text, one.new_test) == essence(other.patch_text, other.new_test)


def words(text: str) -> str:
    return one_line(text, _WORDS)
