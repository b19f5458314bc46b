"""What the variants of a failing test say about a repair, each run on the code before and after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from bot.evidence.types import Outcome
from bot.verify.neighbours import Kind
from bot.verify.types import GateStatus
from bot.verify.variants import Variant

LEAST = 3
"""Variants that must have failed as the target did for their sameness to say anything."""
_PAIR = 2
"""The same for those of one input, or of one kind."""
_SHARE = 5
"""Of one input, one variant in so many may look like it to a question that is not exact (a length, a sum)."""
_BESIDE = (Kind.ONE, Kind.WANTED)
"""Kinds that say nothing about how far a repair reaches."""

Told = tuple[Outcome, str, str]
"""Outcome, exception, message without addresses."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant: what it came to before, and after; None where the second run tells nothing of it.

    alike: it failed before as the target did.
    """

    variant: Variant
    before: Told
    after: Told | None
    alike: bool

    @property
    def changed(self) -> bool:
        """What ends the runner is no repair of anything."""
        return self.after is not None and self.after != self.before

    @property
    def passes(self) -> bool:
        return self.after is not None and self.after[0] is Outcome.PASSED


def assess(trials: Sequence[Trial], own: Sequence[object]) -> tuple[GateStatus, str]:
    """Whether a person should look, and a further clause of evidence. own: values of the test that the patch holds."""
    plain = [trial for trial in trials if trial.variant.kind not in _BESIDE]
    changed = sum(trial.changed for trial in plain)
    inputs = _grouped(plain, lambda trial: trial.variant.site).values()
    if reason := _lying(trials) or _stuck(plain):
        return GateStatus.REVIEW, reason
    if not any(sum(trial.changed for trial in each) > len(each) // _SHARE for each in inputs):
        evidence = (
            f"; but it changes hardly anything beside the failing test's own input: of {len(plain)} variants of the "
            f"test, each with another input, {len(plain) - changed} come out word for word as before"
        )
        return GateStatus.REVIEW, evidence
    if reason := _one_length(plain) or _one_word(plain, own) or _one_element(trials, own):
        return GateStatus.REVIEW, reason
    return GateStatus.PASSED, f"; it changes what comes of {changed} of {len(plain)} variants of the failing test, too"


def _lying(trials: Sequence[Trial]) -> str:
    """The outcome equals what it cannot equal: it compares as it likes."""
    found = [trial for trial in trials if trial.variant.kind is Kind.WANTED and trial.alike and trial.passes]
    return "; but the test also passes with another expectation: what comes back equals both" if found else ""


def _stuck(plain: Sequence[Trial]) -> str:
    """Variants of one input that all came out differently before and that all pass now.

    A condition on one input with a literal for its answer: beside that input it changes much, and all to one value.
    """
    for trials in _grouped(plain, lambda trial: trial.variant.site).values():
        answers = {trial.before[2].partition("\n")[0] for trial in trials if trial.before[0].is_failure}
        if len(answers) == len(trials) >= LEAST and all(trial.passes for trial in trials):
            return (
                f"; but the answer no longer hangs on an input: {len(trials)} variants of the test with another one "
                "get what the test expects for its own, where the code had an answer of its own for each before"
            )
    return ""


def _one_length(plain: Sequence[Trial]) -> str:
    """No text or list of another length comes out otherwise, where others do; a single word is a name of something."""
    for trials in _grouped(plain, lambda trial: trial.variant.site).values():
        value = trials[0].variant.value
        if isinstance(value, str) and value.isidentifier():
            continue
        longer = [trial for trial in trials if trial.variant.kind is Kind.LENGTH]
        if sum(trial.alike for trial in longer) >= _PAIR and not any(trial.changed for trial in longer):
            return f"; but nothing changes for an input of another length: {len(longer)} variants come out as before"
    return ""


def _one_word(plain: Sequence[Trial], own: Sequence[object]) -> str:
    """The patch holds a piece of the test's text, and with other letters there it has no effect."""
    letters = [trial for trial in plain if trial.variant.kind is Kind.LETTERS and trial.alike]
    pieces = [value for value in own if isinstance(value, str)]
    if pieces and not all(trial.changed for trial in letters):
        return "; but it holds a piece of the failing test's text, and with other letters the test comes out as before"
    return ""


def _one_element(trials: Sequence[Trial], own: Sequence[object]) -> str:
    """One element of a list decides, by a value that the patch holds; or any other element undoes the repair."""
    elements = [trial for trial in trials if trial.variant.holder >= 0 and trial.alike]
    for each in _grouped(elements, lambda trial: trial.variant.site).values():
        if len(each) >= _PAIR and each[0].variant.value in own and not any(trial.changed for trial in each):
            return "; but it holds an element of the failing test's list, and with another there it has no effect"
    for each in _grouped(elements, lambda trial: trial.variant.holder).values():
        if len(each) >= 2 * LEAST and not any(trial.changed for trial in each):
            return "; but with any other element in the failing test's list it has no effect"
    return ""


def _grouped(trials: Sequence[Trial], key: Callable[[Trial], Hashable]) -> dict[Hashable, list[Trial]]:
    groups: dict[Hashable, list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[key(trial)].append(trial)
    return groups
