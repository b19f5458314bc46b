"""What a polluting test changes for those after it: names under which it can be saved, and the ways to copy it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.flaky.mend.imports import imported, module_of
from bot.flaky.mend.shared_state import CHANGING, Shared
from bot.propose.search.types import Edit, Source
from bot.vet.syntax import Function, dotted, origins

_NAMED = {
    "dict": "dict",
    "defaultdict": "",
    "OrderedDict": "",
    "Counter": "",
    "list": "list",
    "set": "set",
    "deque": "",
}


@dataclass(frozen=True, slots=True)
class Held:
    """State as the test's file can name it ("rates._table"). brings: the import that this takes.

    kind: "dict", "list" or "set" where its first value says so, "copy" where it is some other container, "" where it is
    replaced as a whole.
    """

    name: str
    kind: str
    brings: tuple[Edit, ...] = ()

    @property
    def owner(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]

    def copies(self) -> tuple[str, ...]:
        """Expressions for what it holds now, the plainest first; a deep one needs the module `copy`."""
        if not self.kind:
            return (self.name,)
        shallow = f"{self.name}.copy()" if self.kind == "copy" else f"{self.kind}({self.name})"
        return shallow, f"copy.deepcopy({self.name})"

    def restored(self, saved: str) -> tuple[str, ...]:
        """Statements that write the saved copy back into the very object that others may hold."""
        if self.kind in ("dict", "set", "copy"):
            return f"{self.name}.clear()", f"{self.name}.update({saved})"
        return (f"{self.name}[:] = {saved}",) if self.kind == "list" else (f"{self.name} = {saved}",)


def held_states(source: Source, test: Function, states: Sequence[Shared]) -> tuple[Held, ...]:
    """What the test itself writes to, then what the product keeps; each name once."""
    found: dict[str, Held] = {}
    for each in (*_written_by(source, test), *_kept(source, states)):
        found.setdefault(each.name, each)
    return tuple(found.values())


def _kept(source: Source, states: Sequence[Shared]) -> Iterator[Held]:
    for state in states:
        module = module_of(state.path, source)
        top, _, rest = state.name.partition(".")
        direct = next((local for local, whence in origins(source.module).items() if whence == f"{module}.{top}"), None)
        kind = kind_of(state.value)
        if rest and direct is not None:
            yield Held(f"{direct}.{rest}", kind)
            continue
        brought = imported(source, module)
        if brought is not None:
            yield Held(f"{brought[0]}.{state.name}", kind, brought[1])


def _written_by(source: Source, test: Function) -> Iterator[Held]:
    """`module.name = …`, `module.name[…] = …` and `module.name.append(…)` in the test's own lines."""
    known = origins(source.module)
    classes = {each.name for each in source.module.body if isinstance(each, ast.ClassDef)}

    def reached(node: ast.expr) -> str:
        name = dotted(node) if isinstance(node, ast.Attribute) else ""
        return name if name.partition(".")[0] in known.keys() | classes else ""

    for node in ast.walk(test):
        targets: Sequence[ast.expr] = ()
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = (node.target,)
        elif isinstance(node, ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.Call) and (name := _changed_by(node, reached)):
            yield Held(name, "list" if dotted(node).endswith((".append", ".extend", ".insert")) else "copy")
        for target in targets:
            if isinstance(target, ast.Attribute) and (name := reached(target)):
                yield Held(name, "")
            elif isinstance(target, ast.Subscript) and (name := reached(target.value)):
                yield Held(name, "copy")


def _changed_by(call: ast.Call, reached: Callable[[ast.expr], str]) -> str:
    changing = isinstance(call.func, ast.Attribute) and call.func.attr in CHANGING
    return reached(call.func.value) if changing and isinstance(call.func, ast.Attribute) else ""


def kind_of(value: ast.expr) -> str:
    """How a state that begins with `value` is copied; see `Held.kind`."""
    match value:
        case ast.Dict() | ast.DictComp():
            return "dict"
        case ast.List() | ast.ListComp():
            return "list"
        case ast.Set() | ast.SetComp():
            return "set"
        case ast.Call():
            return _NAMED.get(dotted(value.func).rpartition(".")[2], "") or "copy"
        case _:
            return ""
