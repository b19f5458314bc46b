"""A tool, what it answers, and the desk it works at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from bot.diagnose.types import Evidence
from bot.patch.types import Applied
from bot.ports import Bench, History, Overlay, ToolSpec
from bot.propose.model.render import speech
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.files import Files
from bot.propose.types import NewTest, StopReason
from bot.toolchains.types import Runtime


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool says to the model: bounded, redacted, what came from outside in data blocks.

    ok: False where the call could not be carried out; `text` then says what to do instead.
    """

    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Submission:
    """A fix, handed in to be judged. `patch` is never empty; confidence in 0…1, None where it told none."""

    root_cause: str
    patch: str
    new_test: NewTest | None
    confidence: float | None
    risks: str


@dataclass(frozen=True, slots=True)
class Surrender:
    """The model's word that no patch is the answer."""

    kind: StopReason
    reason: str


Outcome: TypeAlias = ToolResult | Submission | Surrender


@dataclass(frozen=True, slots=True)
class Draft:
    """A patch under work that applies and that no rule blocks.

    patch: the fix alone, as git wrote it, "" where there is only a test. new_test: the test file beside it.
    applied: both together, on base.
    """

    patch: str
    new_test: NewTest | None
    applied: Applied


class Desk:
    """What one conversation works with: the bench, what is known of the failure, and the draft, which alone changes.

    history: None where none can be looked at. protect: globs that no patch may touch. redact: takes out secrets.
    """

    def __init__(
        self,
        bench: Bench,
        evidence: Evidence,
        *,
        runtime: Runtime | None = None,
        history: History | None = None,
        protect: tuple[str, ...] = (),
        redact: Callable[[str], str] = str,
    ) -> None:
        self.bench = bench
        self.evidence = evidence
        self.runtime = runtime
        self.history = history
        self.protect = protect
        self.redact = redact
        self.draft: Draft | None = None
        self._base = Files(bench.tree)

    @property
    def files(self) -> Files:
        """The repository at base with the draft on it."""
        return self._base if self.draft is None else self._base.under(self.draft.applied.overlay)

    @property
    def base(self) -> Files:
        """The repository at base."""
        return self._base

    @property
    def overlay(self) -> Overlay | None:
        """The draft's files for a box, None where there is no draft."""
        return None if self.draft is None else self.draft.applied.overlay

    @property
    def state(self) -> str:
        """What is looked at or run, for a sentence."""
        return "the code at base" if self.draft is None else "the code with your draft"

    def data(self, name: str, text: str, limit: int) -> str:
        """A block of what programs or strangers say, at most `limit` characters of it."""
        return speech(self.redact(name), self.redact(text), limit)

    def listing(self, name: str, lines: Sequence[str], limit: int) -> str:
        """`data`, one item a line."""
        return self.data(name, "\n".join(lines), limit)


class Tool(Protocol):
    """A tool. What the model sent never makes it raise; the sandbox's own failure (SandboxError) does."""

    @property
    def spec(self) -> ToolSpec: ...

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        """Carry out a call whose arguments hold to `spec.parameters`."""
        ...
