"""What a run was asked to do, as its trace keeps it and as a replay takes it up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.config import RepairLimits, SuiteSettings
from bot.evidence.text import head_tail
from bot.evidence.types import Outcome, Phase, TestCase, TestId
from bot.ports import JsonValue
from bot.publish.fields import count, flag, number, record, records, text, texts
from bot.reproduce import Job

_CASES = 500
_CASE_TEXT = 8_000  # characters

_Data = Mapping[str, JsonValue]


def job_data(job: Job) -> Mapping[str, JsonValue]:
    """The member `job` of a trace's `run` event; long reports are cut."""
    wanted: JsonValue = None
    if job.wanted is not None:
        wanted = [
            {
                "id": case.id.node_id,
                "outcome": case.outcome.value,
                "phase": case.phase.value,
                "message": head_tail(case.message, _CASE_TEXT),
                "traceback": head_tail(case.traceback, _CASE_TEXT),
            }
            for case in job.wanted[:_CASES]
        ]
    return {
        "selectors": list(job.selectors),
        "good": job.good,
        "hint": job.hint,
        "include_work_tree": job.include_work_tree,
        "test_command": list(job.suite.test),
        "wanted": wanted,
    }


def job_of(run: _Data, suite: SuiteSettings) -> Job:
    """The job of a `run` event at the commit that it names, on a suite as the settings have it."""
    data = record(run, "job") or {}
    test = texts(data, "test_command")
    return Job(
        suite=replace(suite, test=test) if test else suite,
        wanted=tuple(_cases(data)) if data.get("wanted") is not None else None,
        selectors=texts(data, "selectors"),
        good=text(data, "good"),
        hint=text(data, "hint"),
        include_work_tree=False,
        trusted=True,  # a person replays this on a checkout of theirs
        revision=text(run, "commit") or "HEAD",
    )


def dirty(run: _Data) -> bool:
    """Whether the recorded run took uncommitted changes along, which no commit has."""
    return flag(record(run, "job") or {}, "include_work_tree")


def limits_of(run: _Data, limits: RepairLimits) -> RepairLimits:
    """The recorded run's limits, `limits` where it names none: its budget ended it, so it ends its replay."""
    return replace(
        limits,
        attempts=count(run, "max_attempts") or limits.attempts,
        minutes=number(run, "max_minutes") or limits.minutes,
        candidates=count(run, "candidates") or limits.candidates,
        tokens=count(run, "max_tokens") or limits.tokens,
        cost_usd=number(run, "max_cost_usd"),
    )


def _cases(data: _Data) -> list[TestCase]:
    outcomes, phases = set(Outcome), set(Phase)
    return [
        TestCase(
            TestId.from_node_id(text(each, "id")),
            Outcome(outcome),
            message=text(each, "message"),
            traceback=text(each, "traceback"),
            phase=Phase(phase) if (phase := text(each, "phase")) in phases else Phase.CALL,
        )
        for each in records(data, "wanted")
        if (outcome := text(each, "outcome")) in outcomes
    ]
