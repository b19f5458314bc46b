"""What an event asks for, and what became of the asking."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class TriggerKind(StrEnum):
    """STEP: a step after the tests of a push or pull_request run. RUN: `workflow_run`, completed and failed.
    SCHEDULE: a night of triage. DASHBOARD: its issue was edited."""

    STEP = "step"
    RUN = "workflow_run"
    COMMENT = "comment"
    DISPATCH = "dispatch"
    SCHEDULE = "schedule"
    DASHBOARD = "dashboard"


# --- commands of the /grok grammar ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fix:
    """`/grok fix [TEST…] [--hint "…"] [--attempts N] [--engine …]`; None and "" where not given."""

    tests: tuple[str, ...] = ()
    hint: str = ""
    attempts: int | None = None
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    """`/grok explain [TEST…]`: diagnosis only."""

    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """`/grok retry`: the last fix once more, also where a person had closed its pull request.

    fix: what is tried again, by the ledger; the claim fills it in.
    """

    fix: Fix = Fix()


@dataclass(frozen=True, slots=True)
class Stop:
    """`/grok stop`: end what runs for this pull request."""


@dataclass(frozen=True, slots=True)
class Flaky:
    """`/grok flaky [TEST…]`: run them again and again on the same commit; no patch."""

    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Test:
    """`/grok test`: tests for the code that the pull request adds."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class Help:
    """`/grok help`."""


@dataclass(frozen=True, slots=True)
class WrongCommand:
    """A `/grok` line that the grammar refuses; `message` says what is wrong with it, in a sentence for its author."""

    message: str


MOST_NAMED = 20
"""Tests that one triage names for one thing."""
MOST_LETTERS = 40_000
"""Of all names in one triage, as ASCII JSON."""


@dataclass(frozen=True, slots=True)
class Triage:
    """Triage of the default branch; no command of a comment, but a schedule's, a dispatch's or the dashboard's.

    shards: into how many jobs its runs are divided; 0: nothing is run. tests: node ids of the only ones to look at,
    () = all. quarantine, release: those that somebody wants put into quarantine, or taken out of it. mend: those that
    shall be repaired, once their cause was proven anew.
    """

    shards: int = 1
    tests: tuple[str, ...] = ()
    quarantine: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    mend: tuple[str, ...] = ()

    @property
    def too_much(self) -> str:
        """Why no run takes all that is named, "" where one does: every name travels from job to job, and stands in a
        line of the ledger."""
        lists = (self.tests, self.quarantine, self.release, self.mend)
        if max(map(len, lists)) > MOST_NAMED:
            return f"one run takes at most {MOST_NAMED} tests of a kind"
        if sum(len(json.dumps(name)) for names in lists for name in names) > MOST_LETTERS:
            return f"the names of the tests are longer than {MOST_LETTERS:,} characters together"
        return ""

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Node ids of the only tests whose runs are wanted, () = all."""
        return tuple(dict.fromkeys((*self.tests, *self.mend)))

    @property
    def is_night(self) -> bool:
        """Whether the whole suite is looked at, and the history read on."""
        return self.shards > 0 and not self.looked_at


Command: TypeAlias = Fix | Explain | Retry | Stop | Flaky | Test | Help | Triage
"""What is asked for: a command that the grammar took, or a triage."""


# --- triggers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trigger:
    """What an event asks for, by the event's own word: nothing here is checked yet, save its shape.

    repository, head_repository: "owner/name"; head_repository "" where that is gone or not told.
    sender: login behind the event. actor, triggering_actor: of the failed run, "" where there is none.
    sha, branch: head of what failed; sha is "" where only the API knows it (a comment).
    pull_request: its number, None for a branch. base_branch: of that pull request.
    run_id, run_attempt: the failed run (for a STEP the run it is a step of), None where none is named.
    event: what started the failed run (push, pull_request, …). comment_id, command: for a COMMENT.
    """

    kind: TriggerKind
    repository: str
    default_branch: str
    sender: str
    actor: str = ""
    triggering_actor: str = ""
    sha: str = ""
    branch: str = ""
    head_repository: str = ""
    base_branch: str = ""
    pull_request: int | None = None
    run_id: int | None = None
    run_attempt: int = 1
    workflow_id: int | None = None
    workflow: str = ""
    event: str = ""
    comment_id: int | None = None
    command: Command | WrongCommand | None = None

    @property
    def is_fork(self) -> bool:
        """Whether the code comes from elsewhere; unknown counts as elsewhere."""
        return self.head_repository.lower() != self.repository.lower()


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing is done, and that is right; `reason` is a sentence for the log (names from the event stand quoted)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Declined:
    """Somebody asked and may not have it; `reply` is what they are told on the pull request, "" = nothing is said.

    reply: Markdown of our own words, numbers and links only, so that it may be posted as it is. reason: data, for the
    log; names from the event stand in it quoted.
    """

    reason: str
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A command that needs no attempt: help, stop, or a wrong one. What is left to do is to reply to it.

    stopped: links to the runs that `/grok stop` ended; none: nothing was running.
    """

    command: Help | Stop | WrongCommand
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnRun:
    """The run that this process is a part of.

    job: what tells this job from the run's other jobs (the runner's name), for steps in a matrix; "" = it has one.
    """

    id: int
    url: str
    job: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A trigger that was checked against the API, and whose attempt stands in the ledger: the `trigger` output.

    trigger: with sha, branch and pull request by the API's word. attempt: id of the ledger's line.
    diagnosis_only: no fix may be pushed for it (a fork's failed run; explain, flaky, a triage that repairs nothing).
    asked: a person asked for it.
    run_url: of the run that works on it. progress_comment, check_run: ids of what it keeps up to date, None = none.
    exhausted: fingerprints of failures that enough runs worked on, by the ledger; "*" stands for every failure.
    """

    trigger: Trigger
    attempt: str
    run_url: str
    diagnosis_only: bool = False
    asked: bool = False
    progress_comment: int | None = None
    check_run: int | None = None
    exhausted: tuple[str, ...] = ()
