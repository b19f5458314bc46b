"""State that is put back: a polluting test works on a copy, or writes back at its end what it found."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from bot.evidence.types import TestId
from bot.flaky.mend.held import Held, held_states
from bot.flaky.mend.imports import imported, module_of
from bot.flaky.mend.shared_state import Shared
from bot.propose.search.source import indentation, newline, parse, span
from bot.propose.search.types import Candidate, Edit, Source
from bot.vet.syntax import Function, dotted, function_of, functions, without_docstring

_CLEARING = ("clear", "reset", "restore", "unload", "close")
_CACHES = frozenset({"lru_cache", "cache"})
_MOST_STATES = 12
_FIXTURE = "monkeypatch"


def put_back(
    source: Source, test: TestId, states: Sequence[Shared], products: Sequence[str], read: Callable[[str], str | None]
) -> Iterator[Candidate]:
    """Changes of the polluter that leave what it does and expects as it is.

    products: modules of the product that it ran. read: a file's text.
    """
    function = function_of(source.module, test.name.partition("[")[0])
    if function is None:
        return
    held = held_states(source, function, states)[:_MOST_STATES]
    lends = _takes_fixtures(source, function)
    for deep in (False, True):
        for each in held:
            values = each.copies()
            if deep and len(values) < 2:
                continue
            brought = imported(source, "copy") if deep else ("", ())
            if brought is None:
                continue
            edits = _lent(source, function, each, values[deep]) if lends else None
            if edits is None:
                edits = _around(source, function, (f"{{saved}} = {values[deep]}",), each.restored("{saved}"))
            if edits:
                yield _candidate(source, function, (*edits, *each.brings, *brought[1]), f"`{each.name}`")
    yield from _of_the_process(source, function, products, read)
    yield from _by_the_product(source, function, products, read)


def _candidate(source: Source, function: Function, edits: tuple[Edit, ...], what: str) -> Candidate:
    said = f"`{function.name}` changes {what} for all tests after it, and now takes that back"
    return Candidate(source.path, function.lineno, tuple(dict.fromkeys(edits)), "put back", 1.0, said)


# --- a copy, by pytest's monkeypatch --------------------------------------------------------------------------------


def _takes_fixtures(source: Source, function: Function) -> bool:
    arguments = function.args
    if arguments.kwonlyargs or arguments.vararg or arguments.kwarg or arguments.defaults or arguments.posonlyargs:
        return False
    parent = source.parents.get(function)
    return not (isinstance(parent, ast.ClassDef) and any("TestCase" in dotted(base) for base in parent.bases))


def _lent(source: Source, function: Function, held: Held, value: str) -> tuple[Edit, ...] | None:
    body = without_docstring(function.body)
    if not body or not held.owner or (indent := indentation(source, body[0])) is None:
        return None
    begin = span(source, body[0])[0]
    line = f'{_FIXTURE}.setattr({held.owner}, "{held.last}", {value})'
    edits = [Edit(begin, begin, f"{line}{newline(source)}{indent}")]
    names = [each.arg for each in function.args.args]
    if _FIXTURE not in names:
        if names:
            last = span(source, function.args.args[-1])[1]
            edits.append(Edit(last, last, f", {_FIXTURE}"))
        else:
            head = source.text.index("def ", span(source, function)[0])
            place = source.text.index("(", source.text.index(function.name, head)) + 1
            edits.append(Edit(place, place, _FIXTURE))
    return tuple(edits)


# --- try … finally --------------------------------------------------------------------------------------------------


def _around(source: Source, function: Function, before: Sequence[str], after: Sequence[str]) -> tuple[Edit, ...] | None:
    """The body within `try`, `before` above it and `after` in its `finally`; "{saved}" stands for a name of its own."""
    body = without_docstring(function.body)
    if not body or (indent := indentation(source, body[0])) is None:
        return None
    strings = (node for each in body for node in ast.walk(each) if isinstance(node, (ast.Constant, ast.JoinedStr)))
    if any(node.lineno != node.end_lineno for node in strings):
        return None  # moved to the right, a text over several lines would be another text
    taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    taken |= {each.arg for each in function.args.args}
    saved = next(name for name in ("saved", "saved_state", *(f"saved_{n}" for n in range(99))) if name not in taken)
    end, step = newline(source), "\t" if "\t" in indent else "    "
    start, stop = span(source, body[0])[0], span(source, body[-1])[1]
    lines = source.text[start:stop].split(end)
    moved = [lines[0], *(f"{step}{line}" if line.strip() else line for line in lines[1:])]
    text = [
        *(line.format(saved=saved) for line in before),
        "try:",
        f"{step}{end.join(moved)}",
        "finally:",
        *(f"{step}{line.format(saved=saved)}" for line in after),
    ]
    return (Edit(start, stop, f"{end}{indent}".join(text)),)


def _of_the_process(
    source: Source, function: Function, products: Sequence[str], read: Callable[[str], str | None]
) -> Iterator[Candidate]:
    """What every process has once, where the test or the product speaks of changing it."""
    start, stop = span(source, function)
    text = "\n".join((source.text[start:stop], *(read(path) or "" for path in products)))
    system = imported(source, "os")
    if system is None:
        return
    name, brings = system
    if "environ" in text or "putenv" in text:
        back = (f"{name}.environ.clear()", f"{name}.environ.update({{saved}})")
        if edits := _around(source, function, (f"{{saved}} = dict({name}.environ)",), back):
            yield _candidate(source, function, (*edits, *brings), "the environment's variables")
    if "chdir" in text and (
        edits := _around(source, function, (f"{{saved}} = {name}.getcwd()",), (f"{name}.chdir({{saved}})",))
    ):
        yield _candidate(source, function, (*edits, *brings), "the working directory")


def _by_the_product(
    source: Source, function: Function, products: Sequence[str], read: Callable[[str], str | None]
) -> Iterator[Candidate]:
    """What the product has for it: the clearing of its caches, a function that resets or clears."""
    for path in products:
        product = parse(path, read(path) or "")
        brought = imported(source, module_of(path, source))
        if product is None or brought is None:
            continue
        for name, each in functions(product.module).items():
            calls = []
            if any(dotted(one).rpartition(".")[2] in _CACHES for one in each.decorator_list):
                calls.append(f"{brought[0]}.{name}.cache_clear()")
            if "." not in name and name.lstrip("_").startswith(_CLEARING) and not _needs_arguments(each):
                calls.append(f"{brought[0]}.{name}()")
            for call in calls:
                if edits := _around(source, function, (), (call,)):
                    what = f"what `{call}` clears"
                    yield _candidate(source, function, (*edits, *brought[1]), what)


def _needs_arguments(function: Function) -> bool:
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > 0 or any(default is None for default in arguments.kw_defaults)
