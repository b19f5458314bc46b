"""Short answers to a comment that starts no run: bodies, each with the mark of the comment that it answers."""

from __future__ import annotations

from typing import assert_never

from bot.publish.markers import reply_marker
from bot.publish.untrusted import markdown
from bot.trigger.grammar import USAGE
from bot.trigger.types import Answered, Declined, Help, Stop, WrongCommand

_LONGEST = 600  # characters of what is said about somebody's words
_HELP = (
    "grokfix repairs failing tests and believes no repair that it has not seen red and then green. Write one of these "
    "on a line of its own; write permission on this repository is needed:"
)


def answer(answered: Answered, comment_id: int) -> str:
    """After a command that needs no attempt."""
    match answered.command:
        case WrongCommand(message):
            return _reply(comment_id, f"{markdown(message[:_LONGEST])}\n\nWhat can be asked for:\n\n{USAGE.strip()}")
        case Stop():
            return _reply(comment_id, _stopped(answered.stopped))
        case Help():
            return _reply(comment_id, f"{_HELP}\n\n{USAGE.strip()}")
    assert_never(answered.command)


def declined(refusal: Declined, comment_id: int) -> str:
    """After a request that may not be had; "" where nothing is said."""
    return _reply(comment_id, refusal.reply) if refusal.reply else ""


def _stopped(run_urls: tuple[str, ...]) -> str:
    if not run_urls:
        return "Nothing is running for this pull request, so there is nothing to stop."
    return f"Stopped: {', '.join(run_urls[:5])}. What it had found until then is in that run."


def _reply(comment_id: int, text: str) -> str:
    return f"{reply_marker(comment_id)}\n{text}\n"
