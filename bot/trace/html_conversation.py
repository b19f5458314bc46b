"""The conversation with the model, a request and its reply a step, tool calls folded into it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.ports import EventKind, JsonValue
from bot.publish.fields import count, flag, number, record, records, text
from bot.publish.untrusted import html, one_line
from bot.publish.words import duration, money
from bot.trace.markup import prose, text_block
from bot.trace.read import SIDE_BY_SIDE, Event, same_conversation

_SHOWN_STEPS = 200
_SHOWN_MEMBERS = 20
_SHOWN_CALLS = 6  # names in the line of a folded step
_OF_A_STEP = frozenset({EventKind.STREAM, EventKind.REPLY, EventKind.USAGE, EventKind.TOOL_CALL, EventKind.TOOL_RESULT})

_Data = Mapping[str, JsonValue]


@dataclass(slots=True)
class Step:
    """One request, what was streamed and replied, the tools that were called then, what it cost.

    written: calls that were read from the reply's text; the others stand in the reply itself.
    """

    request: Event
    conversation: int
    streamed: dict[str, str] = field(default_factory=dict)
    reply: _Data | None = None
    written: list[_Data] = field(default_factory=list)
    results: dict[str, _Data] = field(default_factory=dict)
    usage: _Data | None = None
    answered_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """From the request to the end of its reply."""
        return None if self.answered_at is None else max(0.0, self.answered_at - self.request.seconds)

    @property
    def calls(self) -> Sequence[_Data]:
        """The tools that were called, in whatever form."""
        return () if self.reply is None else (*records(self.reply, "tool_calls"), *self.written)

    @property
    def cost(self) -> str:
        """ "$0.0123", "cost unknown", or "" where nothing was charged."""
        return "" if self.usage is None else money(number(self.usage, "cost_usd"))

    @property
    def tokens(self) -> str:
        """ "6,120 in (2,048 cached), 1,377 out"."""
        if self.usage is None:
            return ""
        cached = count(self.usage, "cached_tokens") or 0
        told = f" ({cached:,} cached)" if cached else ""
        prompt, reply = count(self.usage, "prompt_tokens") or 0, count(self.usage, "completion_tokens") or 0
        return f"{prompt:,} in{told}, {reply:,} out"


def steps_of(events: Sequence[Event]) -> tuple[Step, ...]:
    """The steps of one repair, in the order of their requests; conversations are numbered from 1."""
    steps: list[Step] = []
    names: dict[str, int] = {}
    for event in events:
        if event.kind == EventKind.REQUEST:
            number_of = names.setdefault(text(event.data, "conversation"), len(names) + 1)
            steps.append(Step(event, number_of))
            continue
        if event.kind not in _OF_A_STEP:
            continue
        latest = steps[-SIDE_BY_SIDE:][::-1]
        step = next((each for each in latest if same_conversation(each.request.data, event.data)), None)
        if step is None:
            continue
        match event.kind:
            case EventKind.STREAM:
                part = text(event.data, "part")
                step.streamed[part] = step.streamed.get(part, "") + text(event.data, "text")
            case EventKind.REPLY:
                step.reply, step.answered_at = event.data, event.seconds
            case EventKind.USAGE if step.usage is None:
                step.usage = event.data
                step.answered_at = step.answered_at if step.answered_at is not None else event.seconds
            case EventKind.TOOL_CALL:
                if flag(event.data, "as_text"):
                    step.written.append(event.data)
            case EventKind.TOOL_RESULT:
                step.results[text(event.data, "id")] = event.data
    return tuple(steps)


def conversation(steps: Sequence[Step], prefix: str) -> Iterator[str]:
    """HTML of the steps; each is an anchor `prefix-<number>`. What is left out is said."""
    several = len({step.conversation for step in steps}) > 1
    answered = {name for step in steps for name in step.results if name}
    for at, step in enumerate(steps[:_SHOWN_STEPS], 1):
        facts = [duration(step.seconds) if step.seconds is not None else "no reply", step.cost, step.tokens]
        which = f" of conversation {step.conversation}" if several else ""
        yield (
            f'<details class="step stop" id="{prefix}-{at}"><summary>Step {at}{which} '
            f'<span class="soft">{html(" · ".join(filter(None, facts)))}</span>{_gist(step)}</summary>'
        )
        for message in records(step.request.data, "messages"):
            if text(message, "role") == "tool" and text(message, "tool_call_id") in answered:
                continue  # stands with its call
            yield _fold(text(message, "role") or "message", text(message, "content"))
        yield from _reply(step)
        yield "</details>"
    if len(steps) > _SHOWN_STEPS:
        yield f'<p class="soft">[… {len(steps) - _SHOWN_STEPS:,} more steps …]</p>'


def _gist(step: Step) -> str:
    """What the model did, for the folded step."""
    if step.reply is None:
        return ' <span class="warn">no reply</span>'
    if fault := text(step.reply, "fault"):
        return f' <span class="bad">{html(one_line(fault, 40))}</span>'
    names = [one_line(text(call, "name"), 40) for call in step.calls]
    more = f" and {len(names) - _SHOWN_CALLS} more" if len(names) > _SHOWN_CALLS else ""
    return f" <code>{html(', '.join(names[:_SHOWN_CALLS]))}</code>{more}" if names else ""


def _reply(step: Step) -> Iterator[str]:
    reply = step.reply
    if reply is None:
        for part, arrived in step.streamed.items():
            if arrived:
                yield _fold(f"{part or 'part'} that had arrived", arrived)
        yield '<p class="warn">No reply: the request failed or the run ended here.</p>'
        return
    if fault := text(reply, "fault"):
        yield f'<p class="bad">The request failed ({html(one_line(fault, 40))}).</p>{prose(text(reply, "error"))}'
    if reasoning := text(reply, "reasoning"):
        yield _fold("reasoning", reasoning)
    if said := text(reply, "text"):
        yield _arguments(said) if said.lstrip().startswith("{") else prose(said)
    if step.written:
        yield '<p class="soft">Read from the text above, which the endpoint handed on unread:</p>'
    for call in step.calls:
        yield _call(call, step.results.get(text(call, "id")))


def _call(call: _Data, result: _Data | None) -> str:
    arguments = text(call, "arguments")
    state = "" if result is None else _state(result)
    inner = _arguments(arguments)
    if result is not None:
        inner += text_block(text(result, "result"))
    return (
        f'<details class="call"><summary><code>{html(one_line(text(call, "name"), 60))}</code> '
        f'<span class="soft">{html(one_line(arguments, 90))}</span>{state}</summary>{inner}</details>'
    )


def _arguments(arguments: str) -> str:
    """A JSON object's members one by one, their texts unescaped: nobody can read a patch in a JSON string."""
    try:
        members = record({"value": json.loads(arguments)}, "value") or {}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in _flat(members)}
    except (ValueError, RecursionError):  # hostile nesting ends in the latter
        texts = {}
    if not texts:
        return text_block(arguments)
    rows = (f"<dt>{html(one_line(name, 60))}</dt><dd>{text_block(each)}</dd>" for name, each in texts.items())
    return f'<dl class="arguments">{"".join(rows)}</dl>'


def _flat(members: _Data) -> Iterator[tuple[str, JsonValue]]:
    """Members by name, those of an object under both names: "new_test.path"."""
    for name, value in list(members.items())[:_SHOWN_MEMBERS]:
        if isinstance(value, Mapping) and value:
            yield from ((f"{name}.{inner}", each) for inner, each in list(value.items())[:_SHOWN_MEMBERS])
        else:
            yield name, value


def _state(result: _Data) -> str:
    seconds = number(result, "seconds")
    took = f' <span class="soft">{duration(seconds)}</span>' if seconds is not None else ""
    refused = "" if flag(result, "ok") or "ok" not in result else ' <span class="bad">refused</span>'
    return took + refused


def _fold(name: str, content: str) -> str:
    return (
        f'<details class="message"><summary>{html(one_line(name, 40))} '
        f'<span class="soft">{len(content):,} characters: {html(one_line(content, 80))}</span></summary>'
        f"{text_block(content)}</details>"
    )
