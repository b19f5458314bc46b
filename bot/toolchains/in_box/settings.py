"""What the host tells a run: `run.json` in the control directory, beside this package."""

from __future__ import annotations

import json
import os
import sys
from typing import NamedTuple, NoReturn, Optional, Tuple  # noqa: UP035 (Python 3.8)

CONTROL = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Conditions(NamedTuple):
    """What `bot.toolchains.types.Conditions` tells this side of the box; the rest are variables of the run."""

    in_order: bool = False
    repeat: int = 1
    random_seed: Optional[int] = None  # noqa: UP045 (Python 3.8)
    clock: str = ""
    zone: str = ""
    cpu_share: float = 1.0
    load: int = 0
    one_core: bool = False
    workers: int = 0
    offline: bool = False
    fresh_home: bool = False
    open_files: int = 0
    ports: Tuple[int, ...] = ()  # noqa: UP006
    directory_order: str = ""
    thread_turns: str = ""
    neighbours: int = 0
    beside: Tuple[str, ...] = ()  # noqa: UP006


PLAIN = Conditions()


class RunSettings(NamedTuple):
    """workspace: absolute path. selection: (file, classname, name) as the report names them, None for everything; an
    uncollectable module has no name and stands for all its tests.

    lines: collect executed lines per test, for at most `line_seconds` of traced time where tracing is slow.
    test_seconds: limit of one test. thresholds: whether coverage thresholds may fail the run.
    junit: where a foreign command writes its report in the workspace (may hold `*`), "" for ours.
    order: place of each selected (classname, name) in the order that was asked for. observe: note what the run touches.
    neighbour_of: control directory of the run beside which this one runs other tests over and over, "" where it is no
    neighbour; number: which of the neighbours. Its tests are `beside`, () for all but the selected ones.
    """

    workspace: str
    selection: frozenset[tuple[str, str, str]] | None
    lines: bool
    line_seconds: float
    test_seconds: float
    thresholds: bool
    junit: str
    import_roots: tuple[str, ...]
    order: dict[tuple[str, str], int]
    conditions: Conditions
    observe: bool
    neighbour_of: str = ""
    number: int = 0


def load() -> RunSettings:
    with open(os.path.join(CONTROL, "run.json"), encoding="utf-8") as stream:
        told = json.load(stream)
    selection = told["selection"]
    return RunSettings(
        workspace=told["workspace"],
        selection=None if selection is None else frozenset((file, scope, name) for file, scope, name in selection),
        lines=told["lines"],
        line_seconds=told["line_seconds"],
        test_seconds=told["test_seconds"],
        thresholds=told["thresholds"],
        junit=told["junit"],
        import_roots=tuple(told["import_roots"]),
        order={(scope, name): place for place, (_, scope, name) in enumerate(selection or ())},
        conditions=Conditions(**told["conditions"]),
        observe=told["observe"],
        neighbour_of=told.get("neighbour_of", ""),
        number=told.get("number", 0),
    )


def write(name: str, text: str) -> None:
    """Write a file of the control directory in one step, so that a killed run leaves no half of it.

    Several processes of one run may write the same file at once (workers): each has a half of its own.
    """
    path = os.path.join(CONTROL, name)
    half = f"{path}.{os.getpid()}.part"
    with open(half, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
    os.replace(half, path)


def refuse(reason: str) -> NoReturn:
    """End the run: a condition of it cannot be brought about, and without it the run would say something else."""
    write("refusal.txt", reason)
    sys.exit("grokfix: " + reason)


def report_path() -> str:
    """Where this process writes its report; the next free name where a command starts several runs."""
    for number in range(1, 17):
        path = os.path.join(CONTROL, "report.xml" if number == 1 else f"report-{number}.xml")
        if not os.path.exists(path):
            return path
    return path


def files_of(selection: frozenset[tuple[str, str, str]], workspace: str) -> list[str] | None:
    """Workspace-relative files that hold the selected tests, sorted; None where one cannot be told.

    The report's `file` is where a test function was *defined*; an inherited one runs in the module that its class name
    begins with, so that is looked for first.
    """
    files = set()
    for file, scope, _ in selection:
        parts = scope.split(".")
        guesses = ("/".join(parts[:end]) + ".py" for end in range(len(parts), 0, -1))
        found = next((path for path in guesses if os.path.isfile(os.path.join(workspace, path))), None)
        if found is None and file and os.path.exists(os.path.join(workspace, file)):
            found = file
        if found is None:
            return None
        files.add(found)
    return sorted(files)
