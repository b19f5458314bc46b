"""Dates and places that are not there every day: a month's last day, another zone, a folder that nobody made yet."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from bot.flaky.mend.imports import imported
from bot.propose.search.source import indentation, newline, span, statement_at
from bot.propose.search.types import Candidate, Edit, Source
from bot.vet.syntax import dotted, origins, resolved

_WRITING = ("w", "a", "x")
_WRITERS = frozenset({"write_text", "write_bytes", "touch"})


# --- days that a month does not have --------------------------------------------------------------------------------


def of_days(source: Source, lines: Collection[int]) -> Iterator[Candidate]:
    """`day.replace(year=…, month=…)` keeps the day, which the other month may not have: it becomes the last one."""
    for call in _calls(source, lines):
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "replace" or call.args:
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if not given.keys() & {"year", "month"} or "day" in given or None in given:
            continue
        day, simple = (
            call.func.value,
            (ast.Name, ast.Attribute, ast.BinOp, ast.Constant, ast.operator, ast.expr_context),
        )
        parts = (day, *(given[name] for name in ("year", "month") if name in given))
        if not all(isinstance(node, simple) for part in parts for node in ast.walk(part)):
            continue  # worked out twice it might not be the same
        brought = imported(source, "calendar", "monthrange")
        if brought is None:
            continue
        name = ast.unparse(day)
        year, month = (ast.unparse(given[each]) if each in given else f"{name}.{each}" for each in ("year", "month"))
        place = span(source, call.keywords[-1].value)[1]
        last = Edit(place, place, f", day=min({name}.day, {brought[0]}({year}, {month})[1])")
        what = f"`{ast.unparse(call)}` fails where that month lacks the day, and now takes the month's last day instead"
        yield Candidate(source.path, call.lineno, (last, *brought[1]), "last day", 1.0, what)


# --- the machine's own zone -----------------------------------------------------------------------------------------


def of_zones(source: Source, lines: Collection[int]) -> Iterator[Candidate]:
    """Local time becomes UTC: one call, then all of them; with times that know their zone, then with naive ones."""
    for naive in (False, True):
        each = [candidate for call in _calls(source, lines) if (candidate := _in_utc(source, call, naive)) is not None]
        if not naive or any(candidate.rule == "utc, naive" for candidate in each):
            yield from each
            if len(each) > 1:
                edits = tuple(dict.fromkeys(edit for candidate in each for edit in candidate.edits))
                what = "; ".join(candidate.description for candidate in each)
                yield Candidate(source.path, each[0].line, edits, "utc", 2.0, what)


@dataclass(frozen=True, slots=True)
class _Clock:
    """How a call of the standard library's speaks UTC. says: from its arguments as written and the name of UTC."""

    says: Callable[[str, str], str]
    arguments: tuple[int, ...]
    naive: bool = True
    brings: str = ""


_CLOCKS = {
    "datetime.datetime.now": _Clock(lambda _, utc: f"now({utc})", (0,)),
    "datetime.datetime.today": _Clock(lambda _, utc: f"now({utc})", (0,)),
    "datetime.datetime.fromtimestamp": _Clock(lambda given, utc: f"fromtimestamp({given}, {utc})", (1,)),
    "time.localtime": _Clock(lambda given, _: f"gmtime({given})", (0, 1), naive=False),
    "time.mktime": _Clock(lambda given, _: f"({given})", (1,), naive=False, brings="calendar.timegm"),
}


def _in_utc(source: Source, call: ast.Call, naive: bool) -> Candidate | None:
    clock = _CLOCKS.get(resolved(call.func, origins(source.module)))
    if clock is None or len(call.args) not in clock.arguments or call.keywords:
        return None
    given = ", ".join(source.text[slice(*span(source, each))] for each in call.args)
    wanted = ("calendar", "timegm") if clock.brings else ("datetime", "timezone")
    brought: tuple[str, tuple[Edit, ...]] | None = ("", ())
    if clock.brings or clock.naive:
        brought = imported(source, *wanted)
    if brought is None:
        return None
    start, end = span(source, call)
    head = dotted(call.func).rpartition(".")[0]
    if clock.brings:
        made = f"{brought[0]}{clock.says(given, '')}"
    elif not head:
        return None  # a bare name: what it was imported as says less than the call
    else:
        made = f"{head}.{clock.says(given, f'{brought[0]}.utc')}"
    if naive and clock.naive:
        made += ".replace(tzinfo=None)"
    what = f"`{ast.unparse(call)}` speaks the machine's own zone, and now UTC"
    rule = "utc, naive" if naive and clock.naive else "utc"
    return Candidate(source.path, call.lineno, (Edit(start, end, made), *brought[1]), rule, 2.0, what)


# --- folders that nobody made yet -----------------------------------------------------------------------------------


def of_new_homes(source: Source, lines: Collection[int]) -> Iterator[Candidate]:
    """What is written to in a new home has a folder first; a folder that is there already is no failure."""
    for call in _calls(source, lines):
        word = resolved(call.func, origins(source.module))
        if word in ("os.mkdir", "os.makedirs") and len(call.args) == 1 and not call.keywords:
            start, end = span(source, call)
            given = source.text[slice(*span(source, call.args[0]))]
            head = dotted(call.func).rpartition(".")[0]
            made = f"{head}.makedirs({given}, exist_ok=True)" if head else ""
            if made:
                yield _made(source, call, (Edit(start, end, made),))
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "mkdir" and not call.args:
            named = {keyword.arg for keyword in call.keywords}
            more = ", ".join(f"{each}=True" for each in ("parents", "exist_ok") if each not in named)
            if more and None not in named:
                place = span(source, call)[1] - 1
                yield _made(source, call, (Edit(place, place, f"{', ' if call.keywords else ''}{more}"),))
        else:
            yield from _folder_first(source, call, word)


def _folder_first(source: Source, call: ast.Call, word: str) -> Iterator[Candidate]:
    """A statement of its own that makes the folder, before the one that writes into it."""
    statement = statement_at(source, call.lineno)
    indent = None if statement is None else indentation(source, statement)
    if statement is None or indent is None:
        return
    start, end = span(source, statement)[0], newline(source)
    mode = next((each.value for each in call.args[1:2] if isinstance(each, ast.Constant)), "")
    edits: tuple[Edit, ...] = ()
    if word == "open" and call.args and isinstance(call.args[0], (ast.Name, ast.Attribute)) and _writes(mode):
        brought = imported(source, "os")
        if brought is None:
            return
        path = dotted(call.args[0])
        system = brought[0]
        line = f"{system}.makedirs({system}.path.dirname({path}) or {system}.curdir, exist_ok=True)"
        edits = (Edit(start, start, f"{line}{end}{indent}"), *brought[1])
    elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, (ast.Name, ast.Attribute)):
        first = next((each.value for each in call.args[:1] if isinstance(each, ast.Constant)), "")
        if call.func.attr in _WRITERS or (call.func.attr == "open" and _writes(first)):
            line = f"{dotted(call.func.value)}.parent.mkdir(parents=True, exist_ok=True)"
            edits = (Edit(start, start, f"{line}{end}{indent}"),)
    if edits:
        yield _made(source, call, edits)


def _writes(mode: object) -> bool:
    return isinstance(mode, str) and mode.startswith(_WRITING)


def _made(source: Source, call: ast.Call, edits: tuple[Edit, ...]) -> Candidate:
    what = (
        f"`{ast.unparse(call)}` relies on folders that are there or not, and now they are made where they are missing"
    )
    return Candidate(source.path, call.lineno, edits, "folder", 1.0, what)


def _calls(source: Source, lines: Collection[int]) -> Iterator[ast.Call]:
    for node in ast.walk(source.module):
        if isinstance(node, ast.Call) and any(line in lines for line in range(node.lineno, (node.end_lineno or 0) + 1)):
            yield node
