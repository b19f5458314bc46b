"""A flaky test is repaired at its cause: what makes it fail less often, or not be seen to fail, is refused."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from math import inf

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh, functions, origins, resolved, shape
from bot.vet.types import Grade, Objection

NAME = "flaky_masking"

_WAITS = frozenset({"sleep", "usleep", "pause"})
_SHELL_WAIT = re.compile(r"\s*(?:u?sleep|timeout)(?:\s+[\d.]+\w?\b.*)?")
_RETRIES = frozenset(
    {"flaky", "retry", "retries", "retrying", "rerun", "reruns", "backoff", "tenacity", "on_exception"}
)
_SEEDS = frozenset({"seed", "default_rng", "manual_seed", "Random", "RandomState", "seed_instance", "setstate"})
_ORDERS = frozenset(
    {"order", "dependency", "depends", "tryfirst", "trylast", "run_first", "run_last", "run", "forked", "xdist_group"}
)
_PATIENCE = (
    *("timeout", "deadline", "patience", "tolerance", "epsilon", "atol", "rtol", "delta", "retries", "attempts"),
    *("delay", "interval", "grace", "wait", "expir", "reruns", "join()"),
)
_LOOPS = (ast.For, ast.While, ast.AsyncFor)
_STEERING = frozenset({"PYTHONHASHSEED", "TZ"})
_LEAVING = (ast.Raise, ast.Return, ast.Break)


def check(subject: Subject) -> Iterator[Objection]:
    """Every Python file of a patch for a flaky test; a new test may wait, for it is not what shall be repaired."""
    if subject.flake is None:
        return
    victims = {test.file for test in subject.targets} - {test.file for test in subject.flake.polluters}
    for file in subject.files():
        if file.path in victims and file.existed:
            message = f"{file.path} holds the victim: what fails sometimes is repaired where the cause is"
            if subject.flake.setters:
                message = f"{file.path} holds the test itself: is the set-up that it lacks its own, or the product's?"
            yield Objection(NAME, file.path, message, Grade.REVIEW)
        if file.is_python and file.after is not None and file.path not in subject.new_tests:
            yield from _calls(file)
            yield from _constants(file)
            yield from _loops(file)


def _calls(file: EditedFile) -> Iterator[Objection]:
    known = origins(file.tree_after)
    called: set[int] = set()
    for call in fresh(file.tree_before, file.tree_after, ast.Call):
        word = resolved(call.func, known)
        last = word.rpartition(".")[2]
        line = call.lineno
        called.add(id(call.func))
        if (last in _WAITS and not _is_zero(call)) or word.endswith("Event.wait"):
            yield _blocked(file, line, f"adds {word}(): a sleep makes the failure rarer and does not repair it")
        elif word in ("importlib.reload", "imp.reload"):
            yield _blocked(file, line, f"adds {word}(): a module loaded anew hides what was left in it")
        elif last in _SEEDS and _is_seeded(call, always=file.is_test):
            grade = Grade.BLOCKED if file.is_test else Grade.REVIEW
            message = f"{file.path}:{line} adds {word}() with a fixed seed: it draws the numbers that pass"
            yield Objection(NAME, file.path, message, grade, line)
    decorating = {
        id(part)
        for node in ast.walk(file.tree_after)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for decorator in node.decorator_list
        for part in ast.walk(decorator)
    }
    for node in fresh(file.tree_before, file.tree_after, (ast.Attribute, ast.Name)):
        word = resolved(node, known)
        active = id(node) in called or id(node) in decorating
        if set(re.split(r"[._]", word.lower())) & _RETRIES:
            grade = Grade.BLOCKED if active else Grade.REVIEW
            message = f"{file.path}:{node.lineno} adds {word}: a retry hides the failure"
            yield Objection(NAME, file.path, message, grade, node.lineno)
        elif word.startswith("pytest.mark.") and word.rpartition(".")[2] in _ORDERS:
            yield _blocked(file, node.lineno, f"adds {word}: an order of tests hides what they leave to each other")
        elif word == "sys.modules":
            yield _blocked(file, node.lineno, "works on sys.modules: a module loaded anew hides what was left in it")
        elif word.rpartition(".")[2] == "sleep" and not active:
            message = f"{file.path}:{node.lineno} adds {word}, which may be called: a sleep repairs nothing"
            yield Objection(NAME, file.path, message, Grade.REVIEW, node.lineno)


def _constants(file: EditedFile) -> Iterator[Objection]:
    for node in fresh(file.tree_before, file.tree_after, ast.Constant):
        if not isinstance(node.value, str):
            continue
        if node.value in _STEERING:
            what = f"sets {node.value}: the circumstances are steered, not the cause repaired"
            yield _blocked(file, node.lineno, what)
        elif _SHELL_WAIT.fullmatch(node.value):
            yield _blocked(file, node.lineno, f"adds {node.value!r}: a sleep makes the failure rarer")
    before, after = _patience(file.tree_before), _patience(file.tree_after)
    for name, values in after.items():
        old = Counter(map(shape, before.get(name, ())))
        new = Counter(map(shape, values))
        lost = sorted(_number(value) for value in before.get(name, ()) if new[shape(value)] < old[shape(value)])
        gained = sorted(
            ((_number(value), value) for value in values if old[shape(value)] < new[shape(value)]),
            key=lambda pair: pair[0],
        )
        for was, (now, value) in zip(lost, gained, strict=False):
            if was < now < inf:
                yield _blocked(file, value.lineno, f"raises {name} from {was:g} to {now:g}: a longer wait hides it")
            elif was < now:
                message = f"{file.path}:{value.lineno} changes {name} from {was:g} to {ast.unparse(value)}"
                yield Objection(NAME, file.path, message, Grade.REVIEW, value.lineno)


def _patience(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """Values by the names that say how long or how often is waited, or how much may differ."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr | None]] = []
        if isinstance(node, ast.keyword) and node.arg is not None:
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Assign):
            pairs = [(dotted(target), node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(dotted(node.target), node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [
                (str(key.value), value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        elif isinstance(node, ast.Call):
            pairs = [(f"{dotted(node.func).rpartition('.')[2]}()", value) for value in node.args]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            named = [*node.args.posonlyargs, *node.args.args]
            named = named[len(named) - len(node.args.defaults) :] if node.args.defaults else []
            both = (*zip(named, node.args.defaults, strict=True),)
            both += (*zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),)  # type: ignore[arg-type]
            pairs = [(f"{node.name}({each.arg})", value) for each, value in both]
        for name, value in pairs:
            if value is not None and any(word in name.lower() for word in _PATIENCE):
                is_word = isinstance(value, ast.Constant) and isinstance(value.value, (bool, str, bytes))
                if not is_word:
                    found.setdefault(name, []).append(value)
    return found


def _number(value: ast.expr) -> float:
    """What an expression of numbers comes to; infinite where that is not to be seen, and for None."""
    match value:
        case ast.Constant(value=bool()):
            return inf
        case ast.Constant(value=int() | float() as number):
            return float(number) if abs(number) < 1e300 else inf
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _number(left) * _number(right) if inf not in (_number(left), _number(right)) else inf
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _number(left) + _number(right)
        case _:
            return inf


def _loops(file: EditedFile) -> Iterator[Objection]:
    """A loop around `try` whose handler goes on, and a handler that does once more what failed."""
    old = Counter(map(_handlers, (each for loop in _all_loops(file.tree_before) for each in _tries(loop))))
    for loop in _all_loops(file.tree_after):
        for each in _tries(loop):
            old[_handlers(each)] -= 1
            if old[_handlers(each)] >= 0 or all(isinstance(h.body[-1], _LEAVING) for h in each.handlers):
                continue
            if not isinstance(loop, ast.While) and _uses(each, loop.target) and not _counts(loop.iter):
                continue  # it works on one thing after another
            yield _blocked(file, loop.lineno, "tries again after an exception: a retry hides the failure")
    for each in fresh(file.tree_before, file.tree_after, ast.Try):
        tried = {shape(node) for part in each.body for node in ast.walk(part) if isinstance(node, ast.Call)}
        again = (node for h in each.handlers for node in ast.walk(h) if isinstance(node, ast.Call))
        if any(shape(node) in tried for node in again):
            yield _blocked(file, each.lineno, "does again what failed: a retry hides the failure")
    before = functions(file.tree_before)
    for name, function in functions(file.tree_after).items():
        handlers = fresh(before.get(name, ast.Module([], [])), function, ast.ExceptHandler)
        calls = (node for handler in handlers for node in ast.walk(handler) if isinstance(node, ast.Call))
        if any(dotted(node.func).rpartition(".")[2] == function.name for node in calls):
            yield _blocked(
                file, function.lineno, f"lets {name} call itself after an exception: a retry hides the failure"
            )


def _all_loops(tree: ast.Module) -> Iterator[ast.For | ast.While | ast.AsyncFor]:
    return (node for node in ast.walk(tree) if isinstance(node, _LOOPS))


def _tries(loop: ast.For | ast.While | ast.AsyncFor) -> Iterator[ast.Try]:
    return (
        part for statement in loop.body for part in ast.walk(statement) if isinstance(part, ast.Try) and part.handlers
    )


def _handlers(each: ast.Try) -> str:
    return " ".join(map(shape, each.handlers))


def _uses(each: ast.Try, target: ast.expr) -> bool:
    names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
    return any(isinstance(node, ast.Name) and node.id in names for part in each.body for node in ast.walk(part))


def _counts(iterated: ast.expr) -> bool:
    return isinstance(iterated, ast.Call) and dotted(iterated.func).rpartition(".")[2] in ("range", "count", "repeat")


def _is_seeded(call: ast.Call, *, always: bool) -> bool:
    """Whether it is given numbers that stand there; always: any argument counts, as in a test."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(
        always or isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id.isupper())
        for value in values
    )


def _is_zero(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def _blocked(file: EditedFile, line: int, what: str) -> Objection:
    return Objection(NAME, file.path, f"{file.path}:{line} {what}", Grade.BLOCKED, line)
