"""What changed lately: commits, and one commit whole."""

from __future__ import annotations

import re

from bot.evidence.text import one_line
from bot.ports import CommitInfo, ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.types import Desk, Outcome, ToolResult
from bot.propose.model.tools.words import counted
from bot.workspace import paths

_COMMITS = 50
_USUAL = 15
_LOG = 10_000  # characters
_SHOW = 20_000
_SUBJECT = 240  # of a line of the log

# What names a commit by itself. Ranges, `@{…}`, `:/text` and paths are other things than a commit of this history.
_REVISION = re.compile(r"(?:[0-9a-f]{4,64}|HEAD)(?:[~^]\d{0,5}){0,5}", re.IGNORECASE)
_NONE = ToolResult("The history of this repository cannot be looked at in this run; go by the code.", ok=False)


class GitLog:
    """Newest commits, of one path where it is given."""

    spec: ToolSpec = schema.spec(
        "git_log",
        "The latest commits up to the one under repair, newest first: hash, date, author, subject.",
        {
            "path": schema.path("Only commits that touched this file or folder."),
            "limit": schema.integer(f"How many; {_USUAL} without it.", 1, _COMMITS),
        },
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        if desk.history is None:
            return _NONE
        path = arguments.text("path").strip().rstrip("/").removeprefix("./")
        wrong = paths.problem(path) if path else None
        if wrong is not None:
            return ToolResult(f"The path {one_line(path, 200)!r} {wrong}.", ok=False)
        commits = desk.history.log(path, arguments.integer("limit", _USUAL))
        if not commits:
            of = f" that touches {one_line(path, 200)!r}" if path else ""
            return ToolResult(f"There is no commit{of}, as far back as this clone goes.")
        lines = [one_line(desk.redact(_commit(commit)), _SUBJECT) for commit in commits]
        return ToolResult(f"{counted(len(commits), 'commit')}.\n{desk.listing('log', lines, _LOG)}")


class GitShow:
    """Message and diff of one commit."""

    spec: ToolSpec = schema.spec(
        "git_show",
        "Message and diff of one commit of the history up to the one under repair, of one path where it is given.",
        {
            "revision": schema.text("Hash as git_log shows it, or HEAD, HEAD~2.", 100),
            "path": schema.path("Only what it changed in this file or folder."),
        },
        ("revision",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        if desk.history is None:
            return _NONE
        revision, path = arguments.text("revision").strip(), arguments.text("path").strip().rstrip("/")
        path = path.removeprefix("./")
        if not _REVISION.fullmatch(revision):
            return ToolResult(
                f"{one_line(revision, 100)!r} names no commit; give a hash as git_log shows it, or HEAD~N.", ok=False
            )
        wrong = paths.problem(path) if path else None
        if wrong is not None:
            return ToolResult(f"The path {one_line(path, 200)!r} {wrong}.", ok=False)
        text = desk.history.show(revision, path)
        if text is None:
            return ToolResult(
                f"There is no commit {one_line(revision, 100)!r} in the history of the code under repair, as far back "
                "as this clone goes; git_log shows what there is.",
                ok=False,
            )
        cut = " It is longer than is shown; give a path to see one file of it." if len(text) > _SHOW else ""
        return ToolResult(f"Commit {one_line(revision, 100)}.{cut}\n{desk.data(f'commit {revision}', text, _SHOW)}")


def _commit(commit: CommitInfo) -> str:
    subject = commit.message.strip().partition("\n")[0]
    return f"{commit.sha[:12]} {commit.date[:10]} {commit.author[:200]}: {subject[:2_000]}"
