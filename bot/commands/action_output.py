"""What a step of GitHub Actions leaves behind: outputs, its part of the job summary, and lines in the log."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from bot.config_action import ActionContext
from bot.errors import ConfigError
from bot.publish.untrusted import log

_SUMMARY_LIMIT = 1_000_000
"""Bytes; GitHub refuses a summary above 1 MiB whole."""


class StepFiles:
    """The files that the runner reads when the step has ended. Texts come as they are, hostile or not."""

    def __init__(self, context: ActionContext) -> None:
        self._output = context.output_path
        self._summary = context.summary_path

    def output(self, **values: str) -> None:
        """Set outputs of the step; underscores in the names become hyphens.

        The delimiter is random, so that no value can end itself and begin an output of its own.
        """
        for name, value in values.items():
            delimiter = f"grokfix-{secrets.token_hex(16)}"
            self._append(self._output, f"{name.replace('_', '-')}<<{delimiter}\n{value}\n{delimiter}\n")

    def summary(self, markdown: str) -> None:
        """Add to the job summary, cut where it would be refused."""
        data = markdown.encode()
        if len(data) > _SUMMARY_LIMIT:
            kept = data[:_SUMMARY_LIMIT].decode("utf-8", "ignore")
            markdown = f"{kept}\n\n[… cut here: the whole is in the bundle …]"
        self._append(self._summary, markdown.rstrip("\n") + "\n")

    def _append(self, path: str, text: str) -> None:
        if not path:
            return
        try:
            with Path(path).open("a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise ConfigError(f"cannot write {path}, which the runner reads: {error.strerror}") from error


def say(text: str) -> None:
    """A line or more in the step's log; nothing in it can act as a workflow command."""
    for line in text.splitlines() or [""]:
        print(f"grokfix: {log(line)}", file=sys.stderr, flush=True)
