"""What the jobs that ran a triage's tests hand to the one that publishes: folders, in which nothing is trusted."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bot.commands import mend
from bot.commands.action_history import session_of
from bot.commands.action_site import Site
from bot.commands.triage_files import NIGHT, read_nights
from bot.flaky.redacted import without_secrets
from bot.flaky.types import Night, RunSource, Scan
from bot.publish.untrusted import one_line
from bot.trigger.types import Claim, Triage

_MOST_FOLDERS = 100


@dataclass(frozen=True, slots=True)
class Handed:
    """nights: of the claimed session and commit, at most one run of ours a record. problems: what was not taken."""

    nights: tuple[Night, ...]
    problems: tuple[str, ...]


def read_handed(site: Site, claim: Claim, folder: Path, scan: Scan | None) -> Handed:
    """The nights in `folder` and in the folders directly below it.

    A job that ran tests has no say in what CI's history is, how far it was read, or which state a test is in: its
    nights are its own reruns and what the experiments found. What tells of anything else is refused whole.
    """
    files, problems = [], []
    for path in _places(folder):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            files.append(path)
        else:
            problems.append(f"{_named(path, folder)} is no regular file and was not read")
    nights, unread = read_nights(files)
    problems += [each.replace(f"{folder}/", "") for each in unread]
    taken = []
    for night in nights:
        why = foreign(night, claim)
        if why:
            problems.append(f"a shard's night was refused: {why}")
        else:
            taken.append(replace(without_secrets(night, site.redactor.redact), changes=(), scan=scan))
    return Handed(tuple(taken), tuple(map(site.redactor.redact, problems)))


def _places(folder: Path) -> Iterator[Path]:
    yield folder / NIGHT
    try:
        below = sorted(each for each in folder.iterdir() if not each.is_symlink() and each.is_dir())
    except OSError:  # nothing was downloaded
        return
    yield from (each / NIGHT for each in below[:_MOST_FOLDERS] if each.name != mend.FOLDER)


def foreign(night: Night, claim: Claim) -> str:
    """Why it cannot be what a job of this claim handed in, "" where it can."""
    command, session = claim.trigger.command, session_of(claim)
    shards = command.shards if isinstance(command, Triage) else 1
    number = night.shard.number
    if night.session != session:
        return "it is of another session"
    if night.commit != claim.trigger.sha:
        return "it was run at another commit than the claimed one"
    if night.shard.of != shards or not 1 <= number <= shards:
        return f"it calls itself shard {number} of {night.shard.of}, and there are {shards}"
    ours = f"rerun:{session}/{number}/"
    strange = [each for each in night.records if each.source is not RunSource.RERUN or not each.key.startswith(ours)]
    return f"it tells of a run that is not its own, {one_line(strange[0].key, 100)}" if strange else ""


def _named(path: Path, folder: Path) -> str:
    return one_line(str(path.relative_to(folder)), 200)
