"""A flaky test is repaired at its cause: what makes it fail less often, or not be seen to fail, is refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh, origins, resolved
from bot.vet.types import Grade, Objection

NAME = "flaky_masking"

_WAITS = frozenset({"sleep", "usleep", "pause"})
_RETRIES = frozenset(
    {"flaky", "retry", "retries", "retrying", "rerun", "reruns", "backoff", "tenacity", "on_exception"}
)
_SEEDS = frozenset({"seed", "default_rng", "manual_seed", "Random"})
_ORDERS = frozenset({"order", "dependency", "depends", "tryfirst", "trylast", "run_first", "run_last"})
_PATIENCE = ("timeout", "deadline", "patience", "tolerance", "epsilon", "atol", "rtol", "delta", "retries", "attempts")
_LOOPS: tuple[type[ast.For | ast.While], ...] = (ast.For, ast.While)
_STEERING = frozenset({"PYTHONHASHSEED", "TZ"})


def check(subject: Subject) -> Iterator[Objection]:
    """Every Python file of a patch for a flaky test; a new test may wait, for it is not what shall be repaired."""
    if subject.flake is None:
        return
    victims = {test.file for test in subject.targets} - {test.file for test in subject.flake.polluters}
    for file in subject.files():
        if file.path in victims and file.existed:
            message = f"{file.path} holds the victim: what fails sometimes is repaired where the cause is"
            yield Objection(NAME, file.path, message, Grade.REVIEW)
        if file.is_python and file.after is not None and file.path not in subject.new_tests:
            yield from _calls(file)
            yield from _constants(file)
            yield from _loops(file)


def _calls(file: EditedFile) -> Iterator[Objection]:
    known = origins(file.tree_after)
    for call in fresh(file.tree_before, file.tree_after, ast.Call):
        word = resolved(call.func, known)
        last = word.rpartition(".")[2]
        line = call.lineno
        if last in _WAITS and not _is_zero(call):
            yield _blocked(file, line, f"adds {word}(): a sleep makes the failure rarer and does not repair it")
        elif word in ("importlib.reload", "imp.reload") or word.startswith("sys.modules."):
            yield _blocked(file, line, f"adds {word}(): a module loaded anew hides what was left in it")
        elif last in _SEEDS and call.args and isinstance(call.args[0], ast.Constant):
            grade = Grade.BLOCKED if file.is_test else Grade.REVIEW
            message = f"{file.path}:{line} adds {word}() with a fixed seed: it draws the numbers that pass"
            yield Objection(NAME, file.path, message, grade, line)
    for node in fresh(file.tree_before, file.tree_after, (ast.Attribute, ast.Name)):
        word = resolved(node, known)
        if set(word.lower().split(".")) & _RETRIES:
            yield _blocked(file, node.lineno, f"adds {word}: a retry hides the failure")
        elif word.startswith("pytest.mark.") and word.rpartition(".")[2] in _ORDERS:
            yield _blocked(file, node.lineno, f"adds {word}: an order of tests hides what they leave to each other")
    for target in fresh(file.tree_before, file.tree_after, ast.Subscript):
        if isinstance(target.ctx, ast.Del) and resolved(target.value, known) == "sys.modules":
            yield _blocked(file, target.lineno, "removes a module from sys.modules: it hides what was left in it")


def _constants(file: EditedFile) -> Iterator[Objection]:
    for node in fresh(file.tree_before, file.tree_after, ast.Constant):
        if isinstance(node.value, str) and node.value in _STEERING:
            yield _blocked(
                file, node.lineno, f"sets {node.value}: the circumstances are steered, not the cause repaired"
            )
    before = _patience(file.tree_before)
    for name, (value, line) in _patience(file.tree_after).items():
        if name in before and value > before[name][0]:
            yield _blocked(file, line, f"raises {name} from {before[name][0]:g} to {value:g}: a longer wait hides it")


def _patience(tree: ast.Module) -> dict[str, tuple[float, int]]:
    """Numbers by the names that say how long or how often is waited, or how much may differ."""
    found: dict[str, tuple[float, int]] = {}
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr | None, int]] = []
        if isinstance(node, ast.keyword) and node.arg is not None:
            pairs = [(node.arg, node.value, node.value.lineno)]
        elif isinstance(node, ast.Assign):
            pairs = [(dotted(target), node.value, node.lineno) for target in node.targets]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            named = node.args.args[len(node.args.args) - len(node.args.defaults) :]
            pairs = [
                (f"{node.name}({each.arg})", value, value.lineno)
                for each, value in zip(named, node.args.defaults, strict=True)
            ]
        for name, value, line in pairs:
            if not isinstance(value, ast.Constant) or isinstance(value.value, (bool, str, bytes)):
                continue
            if isinstance(value.value, (int, float)) and any(word in name.lower() for word in _PATIENCE):
                found[name] = max(found.get(name, (0.0, 0)), (float(value.value), line))
    return found


def _loops(file: EditedFile) -> Iterator[Objection]:
    """A loop around `try` whose handler goes on: it tries again until it works."""
    for loop in fresh(file.tree_before, file.tree_after, _LOOPS):
        for statement in loop.body:
            if isinstance(statement, ast.Try) and any(_goes_on(handler) for handler in statement.handlers):
                yield _blocked(file, loop.lineno, "tries again after an exception: a retry hides the failure")


def _goes_on(handler: ast.ExceptHandler) -> bool:
    return all(isinstance(part, (ast.Pass, ast.Continue, ast.Expr)) for part in handler.body)


def _is_zero(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def _blocked(file: EditedFile, line: int, what: str) -> Objection:
    return Objection(NAME, file.path, f"{file.path}:{line} {what}", Grade.BLOCKED, line)
