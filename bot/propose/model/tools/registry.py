"""All tools, in the order in which every request names them, and the one door to them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.evidence.text import one_line
from bot.ports import ToolCall, ToolSpec
from bot.propose.model.tools.arguments import Wrong, read_arguments
from bot.propose.model.tools.draft import TryPatch
from bot.propose.model.tools.ending import GiveUp, SubmitFix
from bot.propose.model.tools.linter import RunLinter
from bot.propose.model.tools.look import ListFiles, ReadFile
from bot.propose.model.tools.outline import Outline
from bot.propose.model.tools.package_docs import PackageDocs
from bot.propose.model.tools.references import FindReferences
from bot.propose.model.tools.revisions import GitLog, GitShow
from bot.propose.model.tools.run_tests import RunTests
from bot.propose.model.tools.search import SearchCode
from bot.propose.model.tools.types import Desk, Outcome, Tool, ToolResult

_TOOLS: tuple[Tool, ...] = (
    SearchCode(),
    ReadFile(),
    ListFiles(),
    Outline(),
    FindReferences(),
    RunTests(),
    TryPatch(),
    GitLog(),
    GitShow(),
    PackageDocs(),
    RunLinter(),
    SubmitFix(),
    GiveUp(),
)
_BY_NAME: Mapping[str, Tool] = {tool.spec.name: tool for tool in _TOOLS}
NAMES = tuple(_BY_NAME)


def specs() -> tuple[ToolSpec, ...]:
    """Every tool's description: the same ones in the same order at every call, for an endpoint's cache."""
    return tuple(tool.spec for tool in _TOOLS)


def call(wanted: ToolCall, desk: Desk) -> Outcome:
    """Carry out one call, whatever the model wrote: what is wrong with it comes back as a result that says so.

    SandboxError (and what else is infrastructure) is raised.
    """
    tool = _BY_NAME.get(wanted.name.strip())
    if tool is None:
        name = one_line(wanted.name, 60)
        return ToolResult(f"There is no tool {name!r}. Tools: {', '.join(_BY_NAME)}.", ok=False)
    arguments = read_arguments(wanted.arguments, tool.spec)
    if isinstance(arguments, Wrong):
        return ToolResult(f"The call of {tool.spec.name} was not carried out: {arguments.message}.", ok=False)
    return tool.run(arguments, desk)
