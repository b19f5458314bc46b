"""The files of a session of triage: what it writes, and what is read back when shards are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.errors import SandboxError
from bot.flaky.judge import judge
from bot.flaky.merge import merge
from bot.flaky.names import unified
from bot.flaky.nights import LIMIT_BYTES, dump, load
from bot.flaky.types import Finding, Night, RunRecord
from bot.flaky.verdict import Triage
from bot.publish.flaky_page import render_page
from bot.publish.flaky_report import NOTHING, Background, to_json
from bot.publish.flaky_summary import render_summary
from bot.publish.untrusted import one_line

NIGHT, REPORT, SUMMARY, PAGE = "night.jsonl", "triage.json", "summary.md", "flaky.html"
_MOST_NIGHTS = 1_000


def judged(
    nights: Iterable[Night],
    history: Sequence[RunRecord],
    problems: Sequence[str],
    of: int | None = None,
    findings: Sequence[Finding] | None = None,
) -> Triage:
    """The verdicts of one session: what its shards handed in, with what was known before. findings: tonight's and those
    of earlier nights that hold, None: tonight's alone."""
    merged = merge(nights, of)
    night = merged.night
    return judge(
        unified((*history, *night.records)),
        session=night.session,
        commit=night.commit,
        environment=night.environment,
        at=night.at,
        findings=night.findings if findings is None else findings,
        regressions=night.regressions,
        scan=night.scan,
        shards=merged.shards,
        lost=merged.lost,
        problems=(*problems, *night.problems),
    )


def write(folder: Path, triage: Triage, night: Night, background: Background = NOTHING) -> None:
    """night.jsonl, triage.json, summary.md and flaky.html. SandboxError where the folder takes no file."""
    report = to_json(triage, background)
    files = {
        NIGHT: dump(night),
        REPORT: report.encode(),
        SUMMARY: render_summary(triage).encode(),
        PAGE: render_page(triage, report).encode(),
    }
    for name, content in files.items():
        try:
            (folder / name).write_bytes(content)
        except OSError as error:
            raise SandboxError(
                f"cannot write {folder / name}: {error.strerror}; free some space and run it again"
            ) from error


def read_nights(paths: Sequence[Path]) -> tuple[tuple[Night, ...], tuple[str, ...]]:
    """The nights of folders (every night.jsonl below them) and files, and what could not be read."""
    nights: list[Night] = []
    problems: list[str] = []
    files = [file for path in paths for file in (sorted(path.rglob(NIGHT)) if path.is_dir() else [path])]
    for path in paths:
        if path.is_dir() and not any(path.rglob(NIGHT)):
            problems.append(f"{path}: holds no {NIGHT}; the shard did not come to its end")
    for file in files[:_MOST_NIGHTS]:
        try:
            with file.open("rb") as stream:
                data = stream.read(LIMIT_BYTES + 1)
        except OSError as error:
            problems.append(f"{file}: cannot be read: {error.strerror}")
            continue
        night = load(data, str(file))
        if isinstance(night, Night):
            nights.append(night)
        else:
            problems.append(f"{file}: {one_line(night.why, 300)}")
    return tuple(nights), tuple(problems)
