"""The rules of the house (docs/architecture.md), held by machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).parents[2] / "bot"
# A module or folder may import only what stands above it; what shares a line is one room.
ROOMS = (
    ("errors",),
    ("evidence.types",),
    ("ports",),
    ("config", "config_file", "config_settings", "config_action"),
    ("process",),
    ("budget",),
    ("trigger",),
    ("evidence",),
    ("toolchains",),
    ("workspace",),
    ("diagnose",),
    ("patch",),
    ("vet",),
    ("verify",),
    ("propose",),
    ("repair",),
    ("flaky",),
    ("testgen",),
    ("result", "result_file"),
    ("publish",),
    ("trace",),
    ("publish.bundle", "publish.keep", "publish.post", "publish.trace_page"),  # they read traces
    ("adapters",),
    ("reproduce", "run", "mend", "setup"),
    ("replay",),
    ("cli", "commands", "__main__"),
)
# Put into the sandbox as files and never imported by the bot: they know only the standard library and the test runner.
IN_BOX = re.compile(r"(^|/)in_box/")
TYPES_ONLY = {"errors", "ports", "config"}  # rooms above the types they name in annotations


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(BOT.rglob("*.py")):
        relative = path.relative_to(BOT).as_posix()
        if relative.startswith("demo/project/"):
            continue
        name = relative.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        yield name, path, ast.parse(path.read_text(encoding="utf-8"))


def room_of(name: str) -> int | None:
    """Index of the room; the longest matching entry wins (evidence.types stands above evidence)."""
    best = None
    for index, entries in enumerate(ROOMS):
        for entry in entries:
            if (name == entry or name.startswith(entry + ".")) and (best is None or len(entry) > best[0]):
                best = (len(entry), index)
    return None if best is None else best[1]


def imports(tree: ast.Module, *, skip_type_checking: bool) -> Iterator[tuple[str, int]]:
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and skip_type_checking:
            skipped.update(map(id, ast.walk(node)))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bot":
            parts = node.module.split(".", 1)
            if len(parts) == 1:
                yield from ((alias.name, node.lineno) for alias in node.names if alias.name != "__version__")
            else:
                yield parts[1], node.lineno
        elif isinstance(node, ast.Import):
            yield from (
                (alias.name.split(".", 1)[1], node.lineno) for alias in node.names if alias.name.startswith("bot.")
            )


def test_every_module_has_a_room() -> None:
    homeless = [name for name, _, _ in modules() if name not in {"", "__init__"} and room_of(name) is None]
    assert homeless == []


def test_rooms_import_only_upwards() -> None:
    wrong = []
    for name, _, tree in modules():
        here = room_of(name)
        if here is None:
            continue
        for target, line in imports(tree, skip_type_checking=name in TYPES_ONLY):
            there = room_of(target)
            if there is None or there > here:
                wrong.append(f"bot.{name}:{line} imports bot.{target}, which stands below it")
    assert wrong == []


def test_only_the_composition_root_knows_adapters() -> None:
    wrong = [
        f"bot.{name}:{line}"
        for name, _, tree in modules()
        for target, line in imports(tree, skip_type_checking=False)
        if target.startswith("adapters") and not name.startswith(("adapters", "cli", "commands"))
    ]
    assert wrong == []


def test_in_box_files_import_nothing_of_ours() -> None:
    wrong = [
        f"{path}:{line}"
        for _, path, tree in modules()
        if IN_BOX.search(path.as_posix())
        for _, line in imports(tree, skip_type_checking=False)
    ]
    assert wrong == []


def broad_except(node: ast.AST) -> bool:
    """`except Exception` and wider; one that only cleans up and raises again is none."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = (
        {"BaseException"}
        if node.type is None
        else {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
    )
    ends_in_raise = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    return bool(caught & {"Exception", "BaseException"}) and not ends_in_raise


def environment_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv", "os.environb"}


def a_shell(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg == "shell" and ast.unparse(node.value) == "True"
    return isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.system", "os.popen"}


def untyped_data(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]"


@pytest.mark.parametrize(
    ("smell", "allowed"),
    [
        (broad_except, ("cli.py", "in_box/", "process.py")),
        (environment_read, ("config.py", "in_box/")),
        (a_shell, ()),
        (untyped_data, ()),
    ],
)
def test_smells(smell: Callable[[ast.AST], bool], allowed: tuple[str, ...]) -> None:
    found = [
        f"bot/{relative}:{getattr(node, 'lineno', '?')}"
        for _, path, tree in modules()
        for relative in [path.relative_to(BOT).as_posix()]
        if not any(part in relative for part in allowed)
        for node in ast.walk(tree)
        if smell(node)
    ]
    assert found == []


def test_nothing_is_left_over() -> None:
    found = [
        f"{path}:{number}"
        for _, path, _ in modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#.*\b(TODO|FIXME|XXX|HACK)\b", line)
    ]
    assert found == []


def test_module_names_say_something() -> None:
    forbidden = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert [str(path) for path in BOT.rglob("*.py") if path.stem in forbidden] == []


def test_modules_are_not_long() -> None:
    """ports.py is one page of contracts, mostly docstrings: cut up, nobody would find them."""
    long = {
        path.relative_to(BOT).as_posix(): count
        for name, path, _ in modules()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 320 and name != "ports"
    }
    assert long == {}
