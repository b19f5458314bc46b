"""The log of a CI job → its failing steps with command, exit code and output, and the commit that was checked out.

Format: what the runner writes (no specification exists): each line behind a time stamp, `##[group]Run …` at the head
of a step with its script and `shell:`, or its `with:` inputs, up to `##[endgroup]`; `##[error]` before what failed.
Everything in it is a claim: the code under test prints into the same log and can forge any of these lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bot.evidence.text import head_tail, one_line, without_terminal_codes
from bot.ports import JobStep

LINE_LIMIT = 20_000
"""Characters of one line that are kept; console.read_console looks at no more."""
COMMAND_LIMIT = 4_000
"""Characters of a step's command that are kept."""
TAIL_LIMIT = 4_000
"""Characters of the end of a failing step's output that are kept for people."""
STEPS = 20
"""Failing steps of one job that are told."""

_STAMP = re.compile(r"\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z ?")
_RUN = "##[group]Run "
_ACTION = re.compile(r"(?:\./|docker://|[\w.-]+/[\w.-]+(?:/[\w./-]+)?@)\S*")
_EXIT = re.compile(r"##\[error\]Process completed with exit code (-?\d{1,10})\.?")
_STOPPED = re.compile(
    r"##\[error\](?:The operation was canceled|The action .{1,300} has timed out|The job .{0,300}exceeded)"
)
_ERROR = "##[error]"
_AFTER = ("Post job cleanup.", "Cleaning up orphan processes")
_FAILING = ("failure", "timed_out")
_CUT = re.compile(r"\[… .{1,200} left out …\]")
_SYNCING = "Syncing repository: "
_LOG = re.compile(r"\[command\]\S*git(?:\.exe)?\"? log -1 --format='?%H'?")
_HASH = re.compile(r"'?([0-9a-f]{40})'?")
_FETCHED = re.compile(r" \+([0-9a-f]{40}):refs/remotes/(?:pull/\d{1,10}/merge|origin/)")
_HEAD = re.compile(r"HEAD is now at ([0-9a-f]{7,40})\b")


@dataclass(frozen=True, slots=True)
class Section:
    """What one step wrote. title: the header's text behind "Run ", "" for what stands before the first.

    script: the command as shown under the header, "" for an action. lines: its output, without time stamps and
    terminal codes, the runner's own `##[…]` marks left in. exit_code: None where it did not fail or does not tell.
    """

    title: str
    script: str
    lines: tuple[str, ...] = field(repr=False)
    failed: bool = False
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class JobLog:
    """A job's log, read. problems: what was cut or replaced, as sentences without a subject."""

    sections: tuple[Section, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailedStep:
    """A step that made its job fail. exit_code: None where it was stopped, or is an action that does not tell.

    job: with the matrix variant in it. step: its name in the workflow, else the first line of its command.
    command: the script or action, by the log. tail: the end of its output. All four are untrusted text.
    """

    job: str
    step: str
    command: str
    exit_code: int | None
    tail: str


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A failing step with the whole of its output, for the readers of test results."""

    step: FailedStep
    text: str = field(repr=False)


def read_log(data: bytes) -> JobLog:
    """Cut a log into the sections of its steps. Nothing in it makes this raise; memory is a few times its size.

    A header counts as one only where the runner's own lines follow it (`shell:` or `with:`, or it names an action):
    a test that prints a group of its own called "Run …" stays inside its step.
    """
    problems: list[str] = []
    text = data.decode("utf-8", "replace")
    if text.encode("utf-8") != data:
        problems.append("holds bytes that are not UTF-8; they were replaced")
    lines, cut = _lines(text)
    if cut:
        problems.append(
            f"{cut:,} line{' is' if cut == 1 else 's are'} longer than {LINE_LIMIT:,} characters; the rest was cut"
        )
    if any(_CUT.fullmatch(line) for line in lines):
        problems.append("is too large to be read whole; only its head and its tail were")
    sections: list[Section] = []
    title, script, start = "", "", 0
    number = 0
    while number < len(lines):
        header = _header(lines, number)
        if header is not None or lines[number].startswith(_AFTER) or _CUT.fullmatch(lines[number]):
            sections.append(_section(title, script, lines[start:number]))
            title, script, body = header or ("", "", number + 1)
            start = number = body
            continue
        number += 1
    sections.append(_section(title, script, lines[start:]))
    return JobLog(tuple(each for each in sections if each.title or any(each.lines)), tuple(problems))


def failed_steps(log: JobLog, job: str, steps: Sequence[JobStep]) -> tuple[StepOutput, ...]:
    """The failing steps of a job, in the order of the run, at most `STEPS`.

    Which steps failed is the code host's word (`steps`): a step that failed and was allowed to is left out where the
    log's sections and the executed steps can be matched one to one; else the last failed sections are taken for them.
    Where the log shows no failing step at all, the whole of it stands for one.
    """
    names = [step.name for step in steps if step.conclusion in _FAILING]
    pairs = _by_position(log, steps) or _by_failure(log, names)
    if not pairs:
        everything = tuple(line for section in log.sections for line in section.lines)
        pairs = [(names[-1] if names else "", Section("", "", everything))]
    return tuple(_output(job, name, section) for name, section in pairs[-STEPS:])


def _by_position(log: JobLog, steps: Sequence[JobStep]) -> list[tuple[str, Section]]:
    """Failed steps and their sections where every executed step has one; empty where that does not add up."""
    executed = [step for step in steps if _has_section(step)]
    titled = [section for section in log.sections if section.title]
    if len(executed) != len(titled):
        return []
    pairs = [(step, section) for step, section in zip(executed, titled, strict=True) if step.conclusion in _FAILING]
    return [(step.name, section) for step, section in pairs] if all(section.failed for _, section in pairs) else []


def _by_failure(log: JobLog, names: Sequence[str]) -> list[tuple[str, Section]]:
    """Failed sections, the last as many as there are failed steps: after a failure hardly anything more is run."""
    failed = [section for section in log.sections if section.failed]
    if not names:
        return [("", section) for section in failed]
    failed = failed[-len(names) :]
    return list(zip(names if len(names) == len(failed) else [""] * len(failed), failed, strict=True))


def checked_out(log: JobLog, repository: str) -> str:
    """Hash (40 hex digits) of the commit that the first checkout of `repository` ("owner/name") put into place.

    "" where the log does not tell, or contradicts itself. It is the log's claim: the first checkout comes before the
    code under test can print anything, but earlier steps can, so the caller compares it with what the API says.
    """
    for section in log.sections:
        if not section.title.startswith("actions/checkout@"):
            continue
        lines = [line for line in section.lines if not line.startswith("##[debug]")]
        synced = next((line.removeprefix(_SYNCING) for line in lines if line.startswith(_SYNCING)), "")
        if synced.strip().lower() != repository.lower():
            continue
        return _commit(lines)
    return ""


def _commit(lines: Sequence[str]) -> str:
    """The commit by a checkout's own last word, else by what it fetched; the short hash of "HEAD is now at" checks."""
    fetches = [line for line in lines if line.startswith("[command]") and " fetch " in line]
    fetched = [match[1] for line in fetches for match in _FETCHED.finditer(line)]
    told = [
        match[1]
        for line, following in pairwise(lines)
        if _LOG.fullmatch(line.strip()) and (match := _HASH.fullmatch(following.strip()))
    ]
    candidates = set(told) or set(fetched)
    if len(candidates) != 1:
        return ""
    commit = candidates.pop()
    heads = [match[1] for line in lines if (match := _HEAD.match(line))]
    return commit if all(commit.startswith(head) for head in heads) else ""


def _lines(text: str) -> tuple[list[str], int]:
    lines: list[str] = []
    cut = 0
    for raw in text.split("\n"):
        line = raw
        if len(line) > LINE_LIMIT:
            line, cut = line[:LINE_LIMIT], cut + 1
        line = without_terminal_codes(line.removesuffix("\r"))
        stamp = _STAMP.match(line)
        lines.append(without_terminal_codes(line[stamp.end() :]) if stamp is not None else line.removeprefix("\ufeff"))
    return lines, cut


def _header(lines: Sequence[str], number: int) -> tuple[str, str, int] | None:
    """Title, script and the number of the first line of the output, where a step begins at `number`."""
    if not lines[number].startswith(_RUN):
        return None
    title = lines[number].removeprefix(_RUN).strip()
    action = _ACTION.fullmatch(title) is not None
    script: list[str] = []
    shell = False
    for index in range(number + 1, min(len(lines), number + 2_000)):
        line = lines[index]
        if line.startswith("##[endgroup]"):
            if not (shell or action):
                return None
            command = "\n".join(script) if shell else ""
            return title, head_tail(command, COMMAND_LIMIT), index + 1
        if line.startswith("##[group]"):
            return None
        if line.startswith("shell: ") and not action:
            shell = True
        elif not shell:
            script.append(line)
    return None


def _section(title: str, script: str, lines: Sequence[str]) -> Section:
    """A section, with how it ended: by its last error line, for a command may print such lines of its own."""
    for line in reversed(lines):
        if not line.startswith(_ERROR):
            continue
        ended = _EXIT.fullmatch(line.rstrip())
        if ended is not None:
            return Section(title, script, tuple(lines), int(ended[1]) != 0, int(ended[1]))
        if _STOPPED.match(line) or (title and not script):
            return Section(title, script, tuple(lines), True)
    return Section(title, script, tuple(lines))


def _has_section(step: JobStep) -> bool:
    """Whether a step that ran writes a header of its own: the runner's own steps and clean-ups write none."""
    if step.conclusion in ("", "skipped"):
        return False
    return not step.name.startswith(("Set up job", "Complete job", "Post ", "Pre ", "Initialize containers")) and (
        step.name not in ("Stop containers",)
    )


def _output(job: str, name: str, section: Section) -> StepOutput:
    command = section.script or section.title
    first = one_line(command.split("\n", 1)[0], 200)
    text = "\n".join(section.lines)
    end = text[-4 * TAIL_LIMIT :].strip("\n")
    tail = end[-TAIL_LIMIT:]
    if len(end) > TAIL_LIMIT:
        tail = tail[tail.find("\n", 0, 500) + 1 :]
    return StepOutput(FailedStep(job, name or first, command, section.exit_code, tail), text)
