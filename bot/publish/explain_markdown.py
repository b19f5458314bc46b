"""A diagnosis as Markdown, for a comment: from the data of `explain.render_json`, which may come from another job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from bot.ports import JsonValue
from bot.publish.fields import count, number, records, text, texts
from bot.publish.untrusted import code, code_cell, fence, markdown, one_line
from bot.publish.words import plural

_MOST_CAUSES = 5
_MOST_LOCATIONS = 10
_MOST_LISTED = 10
_MOST_EXCERPTS = 3
_MOST_LINES = 60
_Data = Mapping[str, JsonValue]


def render(data: _Data) -> str:
    """What fails, where the cause probably lies and why; nothing in it acts."""
    return "\n\n".join(part for part in _parts(data) if part) + "\n"


def _parts(data: _Data) -> Iterator[str]:
    problem = text(data, "problem")
    if problem:
        yield f"**The tests could not be run:** {markdown(one_line(problem, 600))}"
        return
    causes = records(data, "causes")
    failing = sum(len(texts(each, "tests")) for each in causes)
    tests = plural(count(data, "tests") or 0, "test")
    runs = count(data, "runs") or 1
    often = f" in each of {runs} runs" if failing and runs > 1 else ""
    yield f"**{tests}, {failing} failing{often}, {plural(len(causes), 'cause')}.** Nothing was changed."
    for index, cause in enumerate(causes[:_MOST_CAUSES], 1):
        yield from _cause(cause, f"Cause {index} of {len(causes)}" if len(causes) > 1 else "Cause")
    if len(causes) > _MOST_CAUSES:
        yield f"[… {len(causes) - _MOST_CAUSES} more causes …]"
    flaky = records(data, "flaky")
    if flaky:
        rows = (
            f"- {code(text(each, 'test'))} failed in {count(each, 'failures')} of {count(each, 'runs')} runs"
            for each in flaky[:_MOST_LISTED]
        )
        yield "Fails only sometimes, so it was not looked into:\n\n" + "\n".join(rows)
    absent = records(data, "not_reproduced")
    if absent:
        lines = (f"- {code(text(each, 'test'))}: {code(text(each, 'seen'), 160)}" for each in absent[:_MOST_LISTED])
        yield "Not reproduced:\n\n" + "\n".join(lines)


def _cause(cause: _Data, heading: str) -> Iterator[str]:
    exception, message = text(cause, "exception"), text(cause, "message")
    what = f"{exception}: {message}" if exception and message else exception or message or "failed without a message"
    yield f"### {heading}: {code(what, 300)}"
    names = texts(cause, "tests")
    more = f", and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    yield "Failing: " + ", ".join(code(each) for each in names[:_MOST_LISTED]) + more
    locations = records(cause, "locations")
    if locations:
        yield "\n".join(
            ("| Suspicion | Where | Why |", "| --- | --- | --- |", *map(_location, locations[:_MOST_LOCATIONS]))
        )
    else:
        yield "No line of the project can be named: none is on the traceback, and no coverage was collected."
    for excerpt in records(cause, "excerpts")[:_MOST_EXCERPTS]:
        yield _excerpt(excerpt)
    changed = [
        code(f"{text(each, 'path')}:{count(each, 'first')}-{count(each, 'last')}")
        for each in records(cause, "changed")[:_MOST_LISTED]
    ]
    if changed:
        yield f"Changed since the last good run: {', '.join(changed)}"


def _location(location: _Data) -> str:
    place = f"{text(location, 'path')}:{count(location, 'line') or '?'}"
    symbol = text(location, "symbol")
    where = code_cell(place) + (f" in {code_cell(symbol)}" if symbol else "")
    return f"| {number(location, 'suspiciousness') or 0:.0%} | {where} | {code_cell(text(location, 'reason'), 300)} |"


def _excerpt(excerpt: _Data) -> str:
    first = count(excerpt, "first") or 1
    marked = excerpt.get("suspicious")
    suspicious = {each for each in marked if isinstance(each, int)} if isinstance(marked, list) else set()
    lines = (
        f"{'>' if first + index in suspicious else ' '} {first + index:>5} {line[:200]}"
        for index, line in enumerate(text(excerpt, "text").split("\n"))
    )
    shown = "\n".join(islice(lines, _MOST_LINES))
    title = code(f"{text(excerpt, 'path')} {text(excerpt, 'symbol')}".strip())
    return f"<details><summary>The code, suspicious lines marked</summary>\n\n{title}\n\n{fence(shown)}\n\n</details>"
