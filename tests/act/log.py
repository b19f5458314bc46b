"""Reads what act prints with --json: jobs, steps, their outputs, summaries and workflow commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class StepRun:
    """One step. id: as in the workflow, else its index as text. result: success, failure, skipped ("" unfinished).

    commands: workflow commands that the runner took from its output, as (name, value): notice, error, add-mask, ….
    """

    job: str
    id: str
    name: str
    result: str = ""
    output: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    commands: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Log:
    """jobs: id → success or failure; a job that was skipped is not in it. text: the whole, readable."""

    jobs: Mapping[str, str]
    steps: tuple[StepRun, ...]
    text: str


def read(printed: str) -> Log:
    """Lines that are not JSON (act's own last words) stay in the text."""
    jobs: dict[str, str] = {}
    steps: dict[tuple[str, str], StepRun] = {}
    text: list[str] = []
    for entry in _entries(printed):
        job = entry.get("jobID", "")
        text.append(f"[{job}] {entry['msg'].rstrip()}")
        if "jobResult" in entry:
            # A job is red when one run of its matrix is.
            jobs[job] = "failure" if "failure" in {jobs.get(job), entry["jobResult"]} else entry["jobResult"]
        path = entry.get("stepID")
        if not path:
            continue  # set-up and end of the job
        step = steps.setdefault((job, path[0]), StepRun(job, path[0], entry["step"]))
        if len(path) == 1 and entry.get("stage") == "Main" and "stepResult" in entry:
            step.result = entry["stepResult"]  # not that of a step within it, nor of what an action does afterwards
        if entry.get("raw_output"):
            step.output += entry["msg"]
        _command(entry, step)
    return Log(jobs, tuple(steps.values()), "\n".join(text))


def _command(entry: dict[str, Any], step: StepRun) -> None:
    match entry.get("command"):
        case None:
            pass
        case "set-output":
            step.outputs[entry["name"]] = entry["arg"]
        case "summary":
            step.summary += entry["content"]
        case name:
            step.commands.append((name, entry.get("arg", "")))


def _entries(printed: str) -> Iterator[dict[str, Any]]:
    for line in printed.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"msg": line}
        yield entry if isinstance(entry, dict) and "msg" in entry else {"msg": line}
