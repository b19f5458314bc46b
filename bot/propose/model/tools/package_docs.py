"""Documentation of what is installed where the tests run: imported in a box, never here."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bot.errors import SandboxError
from bot.evidence.text import one_line
from bot.ports import Command, ToolSpec
from bot.propose.model.tools import schema
from bot.propose.model.tools.arguments import Arguments
from bot.propose.model.tools.types import Desk, Outcome, ToolResult

SECONDS = 60.0
_ANSWER = 1 << 20
_CHARACTERS = 12_000
_MEMBERS = 150
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*){0,15}")
_SCRIPT = "describe.py"


class PackageDocs:
    """Version, signature, docstring and members of an object that is installed in the sandbox."""

    spec: ToolSpec = schema.spec(
        "package_docs",
        """Version, signature, docstring and members of an installed package's module, class or function, as it is in
        the environment of the tests: `requests.Session.get`, `json.dumps`.""",
        {"name": schema.text("Dotted name, from the top module on.", 200)},
        ("name",),
    )

    def run(self, arguments: Arguments, desk: Desk) -> Outcome:
        name = arguments.text("name").strip().removesuffix("()")
        if not _NAME.fullmatch(name):
            return ToolResult(f"{one_line(name, 100)!r} is no dotted name; give one like `json.dumps`.", ok=False)
        if desk.runtime is None:
            return ToolResult(
                "What is installed cannot be looked at in this run; go by the code that uses it.", ok=False
            )
        seconds = max(1.0, min(SECONDS, desk.bench.seconds_left()))
        with desk.bench.open(desk.overlay) as box:
            box.put({_SCRIPT: (Path(__file__).parent / "in_box" / _SCRIPT).read_bytes()})
            argv = (desk.runtime.interpreter, f"{box.control}/{_SCRIPT}", name)
            execution = box.execute(Command(argv, seconds, {"PYTHONDONTWRITEBYTECODE": "1"}))
            try:
                raw = None if execution.timed_out else box.collect("describe.json", limit=_ANSWER)
            except SandboxError as error:  # the package put a link, or far too much, where the answer should be
                return ToolResult(
                    f"Looking at {name} in the sandbox gave no answer.\n{desk.data('problem', str(error), 1_000)}",
                    ok=False,
                )
        told = _read(raw)
        if isinstance(told, str):
            return ToolResult(f"Nothing to show of {name}.\n{desk.data('problem', told, 2_000)}", ok=False)
        if told is None:
            why = f"it took longer than {seconds:.0f} s" if execution.timed_out else f"exit code {execution.exit_code}"
            return ToolResult(
                f"Looking at {name} in the sandbox gave no answer ({why}).\n"
                + desk.data("output", execution.output, 3_000),
                ok=False,
            )
        return ToolResult(f"{name}, as installed.\n{desk.listing(f'docs {name}', told, _CHARACTERS)}")


def _read(raw: bytes | None) -> list[str] | str | None:
    """Lines to show, what was wrong as a sentence, or None where the answer is none: the box is not believed."""
    try:
        told: object = None if raw is None else json.loads(raw)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"problem": str(problem)}:
            return problem
        case {
            "kind": str(kind),
            "version": str(version),
            "signature": str(signature),
            "docstring": str(docstring),
            "whole": int(whole),
            "members": [*members],
            "file": str(file),
        }:
            lines = [f"{kind}{signature}", f"{version} {file}".strip(), "", docstring]
            if whole > len(docstring):
                lines.append(f"[{whole - len(docstring):,} more characters of the docstring]")
            if members:
                lines += ["", "members:", *filter(None, map(_member, members[:_MEMBERS]))]
                lines += ["[and more]"] if len(members) > _MEMBERS else []
            return lines
        case _:
            return None


def _member(member: object) -> str:
    match member:
        case [str(name), str(signature), str(first)]:
            return f"  {name}{signature}" + (f": {first}" if first else "")
        case _:
            return ""
