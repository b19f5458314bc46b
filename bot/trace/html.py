"""A trace as one self-contained page: no network, one script of our own for search and keys, readable without it.

A torn trace is shown as far as it goes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources

from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, flag, number, text
from bot.publish.progress import Progress
from bot.publish.untrusted import html, one_line
from bot.publish.words import duration, outcome_words, plural, reason_words
from bot.trace.html_repair import repairs
from bot.trace.markup import prose, text_block, tone
from bot.trace.read import Event, Trace

_SHOWN_EVENTS = 4_000
_SHOWN_MODELS = 3
_SHOWN_REPAIRS = 20

_Data = Mapping[str, JsonValue]


def render_trace(trace: Trace) -> str:
    """The page as HTML text. Every string of the trace is neutralised; long parts are cut, and each cut is said."""
    style = (resources.files("bot.trace") / "viewer.css").read_text("utf-8")
    script = (resources.files("bot.trace") / "viewer.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    headline = _headline(trace)
    body = "".join([*_top(trace, headline), *repairs(trace), *_timeline(trace), _footer(trace)])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{html(headline)} · grokfix</title><style>{style}</style></head>\n"
        f"<body><main>{body}</main><script>{script}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    """Names a text in the page's content security policy: nothing else is a style or a script there."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


# --- the run --------------------------------------------------------------------------------------------------------


def _headline(trace: Trace) -> str:
    end = _end(trace)
    return "Cut off: the run recorded no outcome" if end is None else outcome_words(one_line(text(end, "outcome"), 60))


def _end(trace: Trace) -> _Data | None:
    """Data of the whole run's outcome, None where the trace was cut off before."""
    ends = [event.data for event in trace.of_kind(EventKind.OUTCOME) if count(event.data, "repair") is None]
    return ends[-1] if ends else None


def _top(trace: Trace, headline: str) -> Iterator[str]:
    end = _end(trace) or {}
    yield f'<header><h1 class="{tone(text(end, "outcome"))}">{html(headline)}</h1>'
    if reason := text(end, "reason"):
        yield f"<p>Reason: {html(reason_words(one_line(reason, 60)))}.</p>"
    if message := text(end, "message"):
        yield prose(message)
    run = next((event.data for event in trace.of_kind(EventKind.RUN)), {})
    for problem in trace.problems:
        yield f'<p class="note"><b>The trace is not whole.</b> {html(problem)}.</p>'
    if "isolated" in run and not flag(run, "isolated"):
        yield '<p class="note"><b>Not a sandbox.</b> The tests ran on the machine itself.</p>'
    usage = Progress()
    for event in trace.of_kind(EventKind.USAGE):
        usage.feed(EventKind.USAGE, event.data)
    facts = {
        "Project": text(run, "path"),
        "Base commit": text(run, "commit")[:12],
        "Began": _moment(number(trace.header, "started")),
        "Took": duration(trace.events[-1].seconds) if trace.events else "",
        "Engine": text(run, "engine"),
        "Model": _model(trace, text(run, "model")),
        "Spent": usage.spent(),
        "Sandbox": text(run, "sandbox"),
        "Version": text(run, "version"),
        "Replay of": text(run, "replay_of")[:16],
    }
    items = (f"<div><dt>{name}</dt><dd>{html(one_line(value))}</dd></div>" for name, value in facts.items() if value)
    yield f"<dl>{''.join(items)}</dl></header>"


def _model(trace: Trace, asked: str) -> str:
    """ "grok-a", or "grok-a, served by grok-b": by the endpoints' own word, where that is another one."""
    names = dict.fromkeys(text(event.data, "model") for event in trace.of_kind(EventKind.REPLY))
    served = [one_line(name, 60) for name in names if name]
    if not served or served == [asked]:
        return asked
    more = f" and {len(served) - _SHOWN_MODELS} more" if len(served) > _SHOWN_MODELS else ""
    return f"{asked or 'a model'}, served by {', '.join(served[:_SHOWN_MODELS])}{more}"


def _moment(seconds: float | None) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds is not None else ""
    except (ValueError, OverflowError, OSError):
        return ""  # a number that is no time


# --- the timeline ---------------------------------------------------------------------------------------------------


def _timeline(trace: Trace) -> Iterator[str]:
    yield '<section><h2 class="stop" tabindex="-1">Timeline</h2>'
    yield f'<p class="soft">{plural(len(trace.events), "event")}; seconds since the start.</p>'
    yield '<ol class="timeline">'
    progress = Progress()
    skipped = len(trace.events) - _SHOWN_EVENTS
    for index, event in enumerate(trace.events):
        line = _line(progress, event)
        if skipped > 0 and _SHOWN_EVENTS // 2 <= index < _SHOWN_EVENTS // 2 + skipped:
            if index == _SHOWN_EVENTS // 2:
                yield f'<li class="soft">[… {skipped:,} events are left out here; the trace has them …]</li>'
            continue
        data = json.dumps(event.data, indent=2, ensure_ascii=False)
        output = text(event.data, "output")
        yield (
            f'<li><details><summary><span class="at">{event.seconds:.2f}</span>'
            f'<span class="kind">{html(one_line(event.kind, 40))}</span>'
            f'<span class="line">{html(line)}</span></summary>'
            f"{text_block(output, tail=True) if output else ''}{text_block(data)}</details></li>"
        )
    yield "</ol></section>"


def _line(progress: Progress, event: Event) -> str:
    if event.kind not in set(EventKind.__members__.values()):
        return ""
    lines = progress.feed(EventKind(event.kind), event.data, verbose=True)
    return lines[0].strip() if lines else ""


def _footer(trace: Trace) -> str:
    return (
        f'<footer>SHA-256 of the trace: <span class="mono">{trace.sha256}</span>. Green gates make a fix plausible; '
        "a reviewer makes it correct.</footer>"
    )
