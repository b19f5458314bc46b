"""From a candidate's edits to what has to change in a live process: code objects of functions, or a fresh import.

Only a change inside the body of one function of a module or class can be swapped in. All else (constants, decorators,
defaults, class bodies, imports) has taken effect when the module was imported, so the module is imported anew.
"""

from __future__ import annotations
import __future__

import ast
import gc
import os
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

FUTURE_FLAGS = 0
for _feature in __future__.all_feature_names:
    FUTURE_FLAGS |= getattr(__future__, _feature).compiler_flag
OPTIMIZED = 0x1  # CO_OPTIMIZED: a function's code, not a module's or class's


class Swap(NamedTuple):
    """Give the live functions at `key` (real path, name, first line: what identifies them at base) the code `code`."""

    key: tuple[str, str, int]
    code: types.CodeType


class Segment(NamedTuple):
    """A top-level statement of a file: offsets of its whole lines, its first line, its skeleton and functions."""

    start: int
    end: int
    first: int
    kind: type
    skeleton: str
    bodies: tuple[str, ...]
    places: tuple[tuple[str, int], ...]  # name and first line of each function


class Module:
    """A product file as it stands in the box, cut into top-level statements."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            self.text = file.read().decode("utf-8")
        self.flags = 0
        self.segments: list[Segment] = []
        offsets = [0]
        for index, character in enumerate(self.text):
            if character == "\n":
                offsets.append(index + 1)
        offsets.append(len(self.text))
        if self.text.replace("\r\n", "\n").count("\r"):
            return  # lone carriage returns end lines for the parser and not for us: import such a file anew
        tree = ast.parse(self.text)
        self.flags = compile(tree, path, "exec", dont_inherit=True).co_flags & FUTURE_FLAGS
        ranges = [(first_line(node), node.end_lineno or node.lineno, node) for node in tree.body]
        for position, (first, last, node) in enumerate(ranges):
            alone = (position == 0 or ranges[position - 1][1] < first) and (
                position + 1 == len(ranges) or ranges[position + 1][0] > last
            )
            if alone:
                skeleton, bodies, places = split(node)
                end = offsets[min(last, len(offsets) - 1)]
                self.segments.append(Segment(offsets[first - 1], end, first, type(node), skeleton, bodies, places))

    def change(self, edits: Sequence[tuple[int, int, str]]) -> tuple[Swap, ...] | None:
        """The swaps that `edits` amount to; None: only a fresh import will do. SyntaxError, ValueError: invalid."""
        low, high = min(edit[0] for edit in edits), max(edit[1] for edit in edits)
        segment = next((one for one in self.segments if one.start <= low and high <= one.end), None)
        if segment is None:
            return None
        inside = [(start - segment.start, end - segment.start, text) for start, end, text in edits]
        changed = apply(self.text[segment.start : segment.end], inside)
        tree = ast.parse("\n" * (segment.first - 1) + changed)
        if len(tree.body) != 1 or type(tree.body[0]) is not segment.kind:
            return None
        skeleton, bodies, places = split(tree.body[0])
        if skeleton != segment.skeleton or len(bodies) != len(segment.bodies):
            return None
        code = compile(tree, self.path, "exec", flags=self.flags, dont_inherit=True)
        new_codes = {(one.co_name, one.co_firstlineno): one for one in function_codes(code)}
        swaps = []
        for index, body in enumerate(bodies):
            if body != segment.bodies[index]:
                new_code = new_codes.get(places[index])
                if new_code is None:
                    return None
                name, line = segment.places[index]
                swaps.append(Swap((self.path, name, line), new_code))
        return tuple(swaps) or None


def apply(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def first_line(node: ast.stmt) -> int:
    """First line of a statement with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno] + [decorator.lineno for decorator in decorators])


def split(node: ast.stmt) -> tuple[str, tuple[str, ...], tuple[tuple[str, int], ...]]:
    """A statement's dump without its functions' bodies, then the dumps of those, then where they stand.

    Functions inside functions belong to the body of the outer one.
    """
    functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []

    def visit(parent: ast.AST) -> None:
        if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(parent)
            return
        for child in ast.iter_child_nodes(parent):
            visit(child)

    visit(node)
    bodies = []
    kept = []
    for function in functions:
        bodies.append(";".join(ast.dump(statement) for statement in function.body))
        kept.append(function.body)
        function.body = []
    skeleton = ast.dump(node)
    for function, body in zip(functions, kept):  # noqa: B905 (`strict` is not in 3.8 and 3.9)
        function.body = body
    return skeleton, tuple(bodies), tuple((function.name, first_line(function)) for function in functions)


def function_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Code objects of functions outside functions, below a module's or class's code."""
    for constant in code.co_consts:
        if not isinstance(constant, types.CodeType):
            continue
        wrapper = constant.co_name.startswith("<generic parameters of ")
        if constant.co_flags & OPTIMIZED and not wrapper:
            yield constant
        else:
            yield from function_codes(constant)


class Live:
    """The functions of some files as they are in this process. `ran`: code objects that ran during import."""

    def __init__(self, paths: set[str], ran: set[types.CodeType]) -> None:
        self.functions: dict[tuple[str, str, int], list[types.FunctionType]] = {}
        real: dict[str, str] = {}
        self.ran: set[tuple[str, str, int]] = set()
        for code in ran:
            place = real.setdefault(code.co_filename, os.path.realpath(code.co_filename))
            self.ran.add((place, code.co_name, code.co_firstlineno))
        for thing in gc.get_objects():
            if type(thing) is types.FunctionType:
                code = thing.__code__
                place = real.setdefault(code.co_filename, os.path.realpath(code.co_filename))
                if place in paths:
                    self.functions.setdefault((place, code.co_name, code.co_firstlineno), []).append(thing)

    def can_swap(self, swaps: Sequence[Swap]) -> bool:
        """Every function is here, has not run yet (what it made would be stale), and closes over the same names."""
        for swap in swaps:
            functions = self.functions.get(swap.key, [])
            if not functions or swap.key in self.ran:
                return False
            if any(function.__code__.co_freevars != swap.code.co_freevars for function in functions):
                return False
        return True

    def swap(self, swaps: Sequence[Swap]) -> None:
        for swap in swaps:
            for function in self.functions[swap.key]:
                function.__code__ = swap.code


def substitute(path: str, text: str) -> None:
    """Let this process import `text` wherever the file `path` would be imported."""
    from importlib.machinery import SourceFileLoader

    original: Any = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> types.CodeType | None:
        if os.path.realpath(loader.path) == path:
            return compile(text, loader.path, "exec", dont_inherit=True)
        code: types.CodeType | None = original(loader, fullname)
        return code

    setattr(SourceFileLoader, "get_code", get_code)  # noqa: B010 (a plain assignment is an error to mypy)
