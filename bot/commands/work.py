"""A whole run with its trace, ended as a result whatever happened in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot import __version__
from bot.adapters.clock import SystemClock
from bot.commands import output
from bot.commands.compose import interruptible, tools_for
from bot.config import Settings
from bot.errors import BotError
from bot.ports import Cancelled, EventKind, JsonValue, Model, Recorder, Sandbox
from bot.propose.types import StopReason
from bot.replay.job import job_data
from bot.reproduce import Job, Stages, Tools
from bot.result import Result, RunOutcome
from bot.run import run
from bot.trace.file import TraceFile
from bot.trace.redact import Redactor
from bot.trace.tee import Redacting, Tee
from bot.workspace.git import Repository

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. result: without secrets, for all that leaves. unredacted: its patch is what was verified."""

    result: Result
    unredacted: Result
    exit_code: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The model that answers from a recording (None: none was asked), and the SHA-256 of the trace that holds it."""

    model: Model | None
    trace_sha256: str


def work(
    job: Job,
    settings: Settings,
    repository: Repository,
    sandbox: Sandbox,
    folder: Path,
    redactor: Redactor,
    *watchers: Recorder,
    do: Callable[[Job, Settings, Tools, Stages], Result] = run,
    replay: Replay | None = None,
    guidance: Mapping[str, str] | None = None,
) -> Ended:
    """Do the job, write its trace into `folder`, and show each event, without secrets, to the watchers.

    guidance: what the repository tells its contributors, by path; None: as HEAD has it.
    """
    with TraceFile(folder / output.TRACE, {"version": __version__}, SystemClock(), redactor) as trace:
        recorder = Tee(trace, *(Redacting(watcher, redactor) for watcher in watchers))
        model = None if replay is None else replay.model
        tools = tools_for(settings, repository, sandbox, recorder, job.suite, redactor.redact, model, guidance)
        found, exit_code = _run(job, settings, tools, do, replay)
        result = found.with_texts(redactor.redact)
        recorder.record(
            EventKind.OUTCOME,
            outcome=result.outcome.value,
            reason=None if result.reason is None else result.reason.value,
            message=result.message,
            patch=result.patch,
        )
        return Ended(replace(result, trace_sha256=trace.sha256), found, exit_code)


def _run(
    job: Job,
    settings: Settings,
    tools: Tools,
    do: Callable[[Job, Settings, Tools, Stages], Result],
    replay: Replay | None,
) -> tuple[Result, int]:
    """Run, and turn interruption and infrastructure errors into results, so that what was found is kept."""
    asked = settings.asked_model()
    if replay is not None:
        asked = "" if replay.model is None else replay.model.name
    again: dict[str, JsonValue] = {} if replay is None else {"replay_of": replay.trace_sha256}
    tools.recorder.record(
        EventKind.RUN,
        version=__version__,
        path=str(tools.repository.root),
        commit=tools.repository.head,
        engine=settings.engine,
        sandbox=tools.sandbox.name,
        isolated=tools.sandbox.isolated,
        model=asked,
        max_attempts=settings.limits.attempts,
        max_cost_usd=settings.limits.cost_usd,
        max_minutes=settings.limits.minutes,
        max_tokens=settings.limits.tokens,
        candidates=settings.limits.candidates,
        context=settings.model.context,
        job=job_data(job),
        **again,
    )
    stages = Stages(tools.clock)
    try:
        with interruptible(tools.sandbox):
            tools.sandbox.sweep()
            result = do(job, settings, tools, stages)
    except (Cancelled, KeyboardInterrupt):
        return _stopped(tools, stages, StopReason.INTERRUPTED, "interrupted; nothing was changed"), INTERRUPTED
    except BotError as error:
        return _stopped(tools, stages, StopReason.INFRASTRUCTURE, str(error)), error.exit_code
    broken = result.outcome is RunOutcome.STOPPED and result.reason is StopReason.INFRASTRUCTURE
    return result, BotError.exit_code if broken else result.outcome.exit_code


def _stopped(tools: Tools, stages: Stages, reason: StopReason, message: str) -> Result:
    return Result(
        RunOutcome.STOPPED,
        reason=reason,
        message=message,
        usage=tools.budget.spent,
        seconds=dict(stages.seconds),
        commit=tools.repository.head,
        version=__version__,
    )
