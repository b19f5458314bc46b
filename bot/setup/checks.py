"""What `doctor` says: checks, what they found, and what to do; rendered for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from bot.publish.untrusted import log, one_line


class Status(StrEnum):
    """UNKNOWN: what would have to be asked is out of this machine's or this token's reach; it is never a guess."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "cannot be checked from here"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. finding: what is so. advice: what to do about it, "" where nothing."""

    name: str
    status: Status
    finding: str
    advice: str = ""


def ok(name: str, finding: str, advice: str = "") -> Check:
    return Check(name, Status.OK, finding, advice)


def problem(name: str, finding: str, advice: str) -> Check:
    return Check(name, Status.PROBLEM, finding, advice)


def unknown(name: str, finding: str, advice: str = "") -> Check:
    return Check(name, Status.UNKNOWN, finding, advice)


def has_problem(checks: Sequence[Check]) -> bool:
    """Whether anything must be mended."""
    return any(check.status is Status.PROBLEM for check in checks)


def render_text(checks: Sequence[Check]) -> str:
    """One check a line, its advice below; problems are counted at the end. Findings may hold anything."""
    marks = {Status.OK: "ok", Status.PROBLEM: "PROBLEM", Status.UNKNOWN: "?"}
    width = max((len(check.name) for check in checks), default=0)
    lines: list[str] = []
    for check in checks:
        lines.append(f"{marks[check.status]:8}{check.name:{width}}  {log(one_line(check.finding, 400))}")
        if check.advice:
            lines.append(f"{'':8}{'':{width}}  → {log(one_line(check.advice, 400))}")
    counts = {status: sum(check.status is status for check in checks) for status in Status}
    told = [f"{counts[Status.OK]} ok", f"{counts[Status.PROBLEM]} to mend"]
    if counts[Status.UNKNOWN]:
        told.append(f"{counts[Status.UNKNOWN]} {Status.UNKNOWN} (?)")
    return "\n".join([*lines, "", ", ".join(told), ""])


def render_json(repository: str, checks: Sequence[Check]) -> str:
    """`{repository, problems, checks: [{name, status, finding, advice}]}`; repository "" where none was named."""
    found = [asdict(check) for check in checks]
    problems = sum(check.status is Status.PROBLEM for check in checks)
    return json.dumps({"repository": repository, "problems": problems, "checks": found}, indent=2) + "\n"
