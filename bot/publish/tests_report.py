"""What test generation came to, for a terminal and for machines; for people on a code host see tests_markdown."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from bot.ports import JsonValue
from bot.publish.tests_markdown import FORMAT
from bot.publish.untrusted import log
from bot.testgen.types import Author, Function, Generated, Outcome

_AUTHORS = {Author.MODEL: "written by the model", Author.CALLS: "characterisation: what the code does today"}
_SURVIVORS = 5
_DROPPED = 8


def render_json(done: Generated) -> str:
    """The report for machines; `files` has the new files' text by path."""
    told: dict[str, JsonValue] = {
        "format": FORMAT,
        "commit": done.commit,
        "since": done.since,
        "problem": done.problem or None,
        "summary": summary(done),
        "functions": [_function(each) for each in done.outcomes],
        "reached": [{"path": each.path, "name": each.qualname, "line": each.first} for each in done.reached],
        "patch": None if done.applied is None else done.applied.patch.text,
        "files": files_of(done),
        "runner": done.runner,
        "sandbox": done.sandbox,
        "model": done.model or None,
        "usage": {
            "requests": done.usage.requests,
            "prompt_tokens": done.usage.prompt_tokens,
            "completion_tokens": done.usage.completion_tokens,
        },
        "cost_usd": done.usage.cost_usd,
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def files_of(done: Generated) -> dict[str, str]:
    """New files by path; none where they do not stand together."""
    return {} if done.applied is None else {each.path: each.source for each in done.outcomes if each.path}


def _function(outcome: Outcome) -> dict[str, JsonValue]:
    function = outcome.function
    return {
        "path": function.path,
        "name": function.qualname,
        "line": function.first,
        "new": function.is_new,
        "test_file": outcome.path or None,
        "author": None if outcome.author is None or not outcome.path else outcome.author.value,
        "tests": [
            {"name": kept.name, "checks": kept.checks, "kills": kept.kills, "proof": kept.proof, "run_id": kept.run_id}
            for kept in outcome.kept
        ],
        "dropped": [{"name": each.name, "why": each.why} for each in outcome.dropped],
        "mutants": outcome.mutants,
        "killed": outcome.killed if outcome.path else 0,
        "survivors": list(outcome.survivors),
        "remarks": list(outcome.remarks),
        "why": outcome.why or None,
    }


def summary(done: Generated) -> str:
    """The whole of it in a sentence."""
    if not done.outcomes and not done.reached and not done.problem:
        return "The change adds or alters no function that could be tested."
    kept = sum(len(each.kept) for each in done.outcomes)
    covered = sum(1 for each in done.outcomes if each.path)
    changed = len(done.outcomes) + len(done.reached)
    if not changed:
        return "Nothing was written."
    said = f"{_counted(changed, 'changed function')}, {len(done.reached)} of them reached by tests already."
    if done.outcomes:
        others = "the other one" if len(done.outcomes) == 1 else f"{covered} of the other {len(done.outcomes)}"
        said += f" {_counted(kept, 'new test')} for {others}"
        killed = sum(each.killed for each in done.outcomes if each.path)
        mutants = sum(each.mutants for each in done.outcomes if each.path)
        said += f"; they notice {killed} of {mutants} changes that were tried on the code." if kept else "."
    return said


def render_text(done: Generated, width: int) -> str:
    """For a terminal."""
    lines = [*textwrap.wrap(summary(done), width)]
    if done.problem:
        lines += ["", *_wrapped(f"Nothing can be handed over: {log(done.problem)}", width)]
    for each in done.outcomes:
        lines += ["", f"{log(each.function.qualname)}  {log(_place(each.function))}"]
        lines += [part for line in _details(each) for part in _wrapped(log(line), width, "  ")]
    if done.reached:
        names = ", ".join(log(each.qualname) for each in done.reached)
        lines += ["", *_wrapped(f"Reached by tests already: {names}", width)]
    return "\n".join(lines) + "\n"


def _details(each: Outcome) -> Iterator[str]:
    if each.path:
        how = "" if each.author is None else f" ({_AUTHORS[each.author]})"
        yield f"{_counted(len(each.kept), 'test')} in {each.path}{how}"
        yield f"changes of the function noticed: {each.killed} of {each.mutants}"
        for kept in each.kept:
            yield f"+ {kept.name}: fails on {kept.kills}, seen on {kept.proof}"
        if each.survivors:
            yield f"not noticed: {'; '.join(each.survivors[:_SURVIVORS])}{_more(each)}"
    else:
        yield f"no test: {each.why}"
    for one in each.dropped[:_DROPPED]:
        yield f"- {one.name}: {one.why}"
    if len(each.dropped) > _DROPPED:
        yield f"- and {len(each.dropped) - _DROPPED} more that were dropped"
    for remark in each.remarks:
        yield f"look at: {remark}"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, max(40, width), initial_indent=indent, subsequent_indent=f"{indent}  ")


def _more(each: Outcome) -> str:
    left = len(each.survivors) - _SURVIVORS
    return f"; and {left} more" if left > 0 else ""


def _place(function: Function) -> str:
    return f"{function.path}:{function.first}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
