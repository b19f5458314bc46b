"""The whole trace as a page of Markdown that the code host renders where it is kept; every text in it is inert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, flag, record, records, text
from bot.publish.progress import Progress
from bot.publish.untrusted import bounded, cell, code, code_cell, fence, markdown, one_line
from bot.publish.words import duration
from bot.trace.read import Event, Trace

LIMIT = 400_000
"""Characters; the code host renders pages up to about half a megabyte."""

_SCALES = (1.0, 0.25, 0.05)
_MOST_MESSAGES = 20
_Data = Mapping[str, JsonValue]


def render(trace: Trace, title: str, links: tuple[tuple[str, str], ...], run_url: str) -> str:
    """title: of untrusted parts. links: names and addresses of the files beside the page, ours."""
    for scale in _SCALES:
        page = "\n\n".join(_parts(trace, title, links, run_url, scale)) + "\n"
        if len(page) <= LIMIT:
            return page
    return bounded(page, LIMIT - 120, whole="trace.jsonl")


def _parts(trace: Trace, title: str, links: tuple[tuple[str, str], ...], run_url: str, scale: float) -> Iterator[str]:
    yield f"# Trace: {cell(title, 160)}"
    others = " · ".join(f"[{name}]({address})" for name, address in links)
    yield f"{len(trace.events):,} events, as they happened in [this run]({run_url}). {others}"
    yield f"SHA-256 of trace.jsonl: {code(trace.sha256)}. Each of its lines carries the hash of the line before."
    yield from (f"> {cell(problem)}" for problem in trace.problems)
    progress = Progress()
    repair = 0
    for event in trace.events:
        if (number := count(event.data, "repair")) is not None and number != repair:
            repair = number
            yield f"## Repair {repair}"
        lines = _lines(progress, event)
        if lines:
            yield f"`{duration(event.seconds)}` {lines}"
        yield from _details(event, scale)


def _lines(progress: Progress, event: Event) -> str:
    try:
        kind = EventKind(event.kind)
    except ValueError:  # of a later version
        return code(event.kind, 60)
    said = [" ".join(line.split()) for line in progress.feed(kind, event.data)]
    return "<br>".join(cell(line, 400) for line in said)


def _details(event: Event, scale: float) -> Iterator[str]:
    data, room = event.data, int(20_000 * scale)
    match event.kind:
        case "locations":
            rows = [
                f"| {code_cell(text(each, 'path'))} | {count(each, 'line') or '?'} | {code_cell(text(each, 'symbol'))} "
                f"| {code_cell(text(each, 'reason'), 300)} |"
                for each in records(data, "locations")[:20]
            ]
            if rows:
                yield "\n".join(("| File | Line | In | Why suspicious |", "| --- | --- | --- | --- |", *rows))
        case "request":
            for message in records(data, "messages")[:_MOST_MESSAGES]:
                yield _fold(f"To the model ({one_line(text(message, 'role'), 20)})", text(message, "content"), room)
        case "reply":
            if text(data, "reasoning"):
                yield _fold("The model's reasoning", text(data, "reasoning"), room)
            yield _fold("The model's reply", text(data, "text"), room)
        case "tool_call":
            yield f"The model uses {code(text(data, 'name'))} with {code(text(data, 'arguments'), 300)}"
        case "tool_result":
            yield _fold("What it got", text(data, "result"), room)
        case "proposal":
            yield markdown(bounded(text(data, "root_cause"), max(400, room // 4)))
            yield _fold("The proposed patch", text(data, "patch"), room, "diff")
            test = record(data, "new_test")
            if test is not None:
                yield _fold("The proposed test", text(test, "source"), room, "python")
        case "sandbox_run":
            if text(data, "output") and not flag(data, "timed_out"):
                yield _fold("Its output", text(data, "output"), room // 2, tail=True)
            elif text(data, "output"):
                yield _fold("Its output until it was stopped", text(data, "output"), room // 2, tail=True)


def _fold(summary: str, content: str, limit: int, language: str = "", *, tail: bool = False) -> str:
    block = fence(content, language, limit=max(200, limit), whole="trace.jsonl", tail=tail)
    # The summary stands inside HTML, where nothing of Markdown is read.
    return f"<details><summary>{cell(summary, 80)}</summary>\n\n{block}\n\n</details>"
