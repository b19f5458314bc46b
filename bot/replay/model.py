"""The recorded replies in the place of a model."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bot.errors import ModelError
from bot.ports import Message, ModelReply, ModelRequest, OnPart, ReplyPart
from bot.propose.model.key import request_key
from bot.replay.recording import Exchange, Failed
from bot.replay.same import same_texts


class ReplayModel:
    """Implements bot.ports.Model without a network. Safe to use from several threads.

    A request gets the reply that was recorded for it: by its key; else, since tests tell times and addresses that no
    two runs share, by its place, which is the first open request after as many messages of the same kinds and calls.
    A request for which neither is there is answered with ModelError, and `missed` is then true.
    """

    def __init__(self, name: str, recorded: Sequence[Exchange]) -> None:
        self.name = name
        self.missed = False
        self._open = list(recorded)
        self._lock = threading.Lock()

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        """The usage is the recorded one, charged although nobody asks for money: the budget ends where it ended."""
        with self._lock:
            exchange = self._take(request)
        if isinstance(exchange.answer, Failed):
            raise ModelError(exchange.answer.message, usage=exchange.answer.usage, fault=exchange.answer.fault)
        reply = exchange.answer
        if on_part is not None:
            for part, text in ((ReplyPart.REASONING, reply.reasoning), (ReplyPart.TEXT, reply.text)):
                if text:
                    on_part(part, text)
        return reply

    def _take(self, request: ModelRequest) -> Exchange:
        key = request_key(self.name, request)
        found = next((each for each in self._open if each.key == key), None)
        if found is None:
            placed = [each for each in self._open if _in_place(each, request.messages)]
            alike = (each for each in placed if same_texts(_contents(each.new), _contents(_added(each, request))))
            found = next(alike, placed[0] if placed else None)
        if found is None:
            self.missed = True
            left = "has no request left" if not self._open else "has no such request at this point"
            raise ModelError(
                f"the recording {left} for message {len(request.messages)} of this conversation: "
                "the replay went another way than the recorded run, and there is no model to ask"
            )
        self._open.remove(found)
        return found


def _in_place(exchange: Exchange, messages: Sequence[Message]) -> bool:
    if len(messages) != exchange.earlier + len(exchange.new):
        return False
    return all(
        (told.role, told.tool_call_id, told.tool_calls) == (now.role, now.tool_call_id, now.tool_calls)
        for told, now in zip(exchange.new, messages[exchange.earlier :], strict=True)
    )


def _added(exchange: Exchange, request: ModelRequest) -> Sequence[Message]:
    return request.messages[exchange.earlier :]


def _contents(messages: Sequence[Message]) -> str:
    return "\0".join(message.content for message in messages)
