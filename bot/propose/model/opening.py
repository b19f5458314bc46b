"""How a conversation begins: the system prompt and a first message of a size that leaves room to work in."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bot.diagnose.types import Evidence
from bot.ports import Message, Recorder, ReplySchema, ToolSpec
from bot.propose.model.context import Setting, first_message
from bot.propose.model.conversation import Conversation
from bot.propose.model.line import Line, window_for
from bot.propose.model.render import prompt
from bot.propose.types import Attempt

SMALLEST = 1 / 16
"""Share of the whole first message below which a smaller one would say nothing."""

SHARE = 0.5
"""Share of the window that the first message may take; the rest is for the work."""


class Opening:
    """For one repair and one form of asking: `work` names the prompt that says how to work and answer."""

    def __init__(
        self,
        line: Line,
        recorder: Recorder,
        setting: Setting,
        work: str,
        tools: tuple[ToolSpec, ...] = (),
        schema: ReplySchema | None = None,
    ) -> None:
        self._setting = setting
        self._line = line
        self._recorder = recorder
        self._system = prompt("system", work=prompt(work))
        self._tools = tools
        self._schema = schema
        self._scale = 1.0
        self._name = ""
        self.least = 0
        """Tokens of the window that the latest beginning would have needed, by estimate."""

    def halve(self) -> None:
        """The next first message is half as large: a conversation did not fit the window."""
        self._scale /= 2

    def begin(
        self, evidence: Evidence, attempts: tuple[Attempt, ...], tree: Path, looked: str = "", draft: str = ""
    ) -> Conversation | None:
        """A conversation that can be asked at once; None where even the smallest is too large for the window.

        looked, draft: see context.first_message.
        """
        while self._scale >= SMALLEST:
            text = first_message(evidence, attempts, self._setting, tree, scale=self._scale, looked=looked, draft=draft)
            # One name for all conversations of a repair: what they share at their beginning is found in the cache.
            self._name = self._name or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            talk = Conversation(
                self._line,
                self._recorder,
                self._name,
                (Message("system", self._system), Message("user", text)),
                tools=self._tools,
                schema=self._schema,
            )
            size = talk.size()
            if size <= (self._line.window - self._line.reply_tokens) * SHARE:
                return talk
            self.least = window_for(size / SHARE)
            self.halve()
        return None
