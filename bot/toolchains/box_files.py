"""The runner's own files: how they are laid out in a box's control directory, and what comes back from there.

launch.py               started by every run: `launch.py probe|pytest|unittest|command`
grokfix_in_box/*.py     the package `bot.toolchains.in_box`
run.json                what this run is told
probe.json report.xml report-2.xml … session.json lines.json progress.txt touched.txt rounds.json refusal.txt
                        what it answers
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.evidence.types import TestId
from bot.ports import Box, JsonValue

LAUNCH = "launch.py"
PACKAGE = "grokfix_in_box"
_SMALL = 1 << 20


@cache
def sources() -> Mapping[str, bytes]:
    """Files of the in-box runner by their path in the control directory."""
    folder = Path(__file__).parent / "in_box"
    files = {f"{PACKAGE}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.py"))}
    files[LAUNCH] = files.pop(f"{PACKAGE}/{LAUNCH}")
    return files


def run_settings(
    box: Box,
    *,
    selection: tuple[TestId, ...] | None,
    lines: bool,
    line_seconds: float,
    test_seconds: float,
    thresholds: bool,
    junit: str,
    import_roots: tuple[str, ...],
    conditions: Mapping[str, JsonValue],
    observe: bool,
) -> bytes:
    """The file run.json; its fields are those of `in_box.settings.RunSettings`."""
    told: dict[str, JsonValue] = {
        "workspace": box.workspace,
        "selection": None if selection is None else [[id.file, id.classname, id.name] for id in selection],
        "lines": lines,
        "line_seconds": line_seconds,
        "test_seconds": test_seconds,
        "thresholds": thresholds,
        "junit": junit,
        "import_roots": import_roots,
        "conditions": conditions,
        "observe": observe,
    }
    return json.dumps(told).encode()


@dataclass(frozen=True, slots=True)
class Session:
    """How pytest's root folder lies to the workspace: `prefix` ("api/") is missing from its paths, `strip` too much."""

    prefix: str = ""
    strip: str = ""


def read_session(box: Box) -> Session:
    """The box's word on its session; defaults where there is none or it is not readable."""
    match _json(box, "session.json"):
        case {"prefix": str(prefix), "strip": str(strip)} if len(prefix) + len(strip) < 4096:
            return Session(prefix, strip)
        case _:
            return Session()


def read_probe(box: Box) -> tuple[tuple[int, int, int], str, frozenset[str]] | None:
    """(Python version, pytest version or "", plugin names), None where the box gave no readable answer."""
    match _json(box, "probe.json"):
        case {"python": [int(major), int(minor), int(patch)], "pytest": str(pytest), "plugins": [*names]}:
            return (major, minor, patch), pytest[:40], frozenset(name for name in names if isinstance(name, str))
        case _:
            return None


def last_started(box: Box) -> str:
    """Id of the test that began last, "" where unknown."""
    raw = box.collect("progress.txt", limit=_SMALL) or b""
    return raw.partition(b"\n")[0].decode(errors="replace")[:300]


def refusal(box: Box) -> str:
    """Why the box could not bring about the conditions of its run, "" where it did not refuse."""
    raw = box.collect("refusal.txt", limit=_SMALL) or b""
    return raw.decode(errors="replace")[:300]


def _json(box: Box, name: str) -> object:
    raw = box.collect(name, limit=_SMALL)
    try:
        return None if raw is None else json.loads(raw)
    except (ValueError, RecursionError):  # nested beyond reason
        return None
