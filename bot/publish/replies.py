"""Short answers to a comment that starts no run: bodies, each with the mark of the comment that it answers."""

from __future__ import annotations

from bot.publish.markers import reply_marker
from bot.publish.untrusted import markdown
from bot.trigger.grammar import USAGE

_LONGEST = 600  # characters of what is said about somebody's words


def usage(message: str, comment_id: int) -> str:
    """After a command that the grammar refuses. `message`: what is wrong with it, for its author."""
    return _reply(comment_id, f"{markdown(message[:_LONGEST])}\n\nWhat can be asked for:\n\n{USAGE.strip()}")


def help_text(comment_id: int) -> str:
    """After `/grok help`."""
    return _reply(
        comment_id,
        "grokfix repairs failing tests and believes no repair that it has not seen red and then green. Write one of "
        f"these on a line of its own; write permission on this repository is needed:\n\n{USAGE.strip()}",
    )


def declined(reply: str, comment_id: int) -> str:
    """After a request that may not be had. `reply`: the sentence for whoever asked."""
    return _reply(comment_id, markdown(reply[:_LONGEST]))


def stopped(comment_id: int, run_urls: tuple[str, ...]) -> str:
    """After `/grok stop`. run_urls: the runs that were told to stop, none where nothing ran."""
    if not run_urls:
        return _reply(comment_id, "Nothing is running for this pull request, so there is nothing to stop.")
    return _reply(comment_id, f"Stopped: {', '.join(run_urls[:5])}. What it had found until then is in that run.")


def not_in_this_version(command: str, comment_id: int) -> str:
    """After a command that the grammar knows and this version cannot do yet. `command`: its word."""
    return _reply(
        comment_id, f"`/grok {command}` is not in this version. What can be asked for:\n\n{_without(command)}"
    )


def _without(command: str) -> str:
    return "\n".join(line for line in USAGE.strip().splitlines() if not line.startswith(f"- `/grok {command}"))


def _reply(comment_id: int, text: str) -> str:
    return f"{reply_marker(comment_id)}\n{text}\n"
