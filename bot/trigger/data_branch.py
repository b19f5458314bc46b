"""The orphan branch that keeps what must outlive a run: many writers, one compare-and-swap, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeAlias

from bot.errors import ForgeError
from bot.ports import Clock, Denied, FileWrite, Forge
from bot.trigger.own import DATA_BRANCH

BRANCH = DATA_BRANCH
TRIES = 40
"""How often a write is begun again because somebody was faster; in each round somebody gets through."""

Read: TypeAlias = Callable[[str], bytes | None]
"""Content of a path on the branch as it is now, None where there is no such file."""
Change: TypeAlias = Callable[[Read], Mapping[str, bytes | None]]
"""From what is there to the files to write, None deletes one that was read. It may be called several times, so it
decides anew from what it reads."""

_README = b"""\
# grokfix-data

What grokfix keeps between its runs: the ledger of its attempts and their traces.
The bot writes here and nobody else needs to; the branch is never merged. Deleting it makes the bot forget its limits.
"""


def reader(forge: Forge) -> Read:
    """Reads the branch as it is at this moment, each path once: one call, and one for each path."""
    return _reader(forge, forge.branch(BRANCH), {})


def update(
    forge: Forge,
    clock: Clock,
    change: Change,
    message: str,
    *,
    jitter: Callable[[], float] = random.random,
) -> bool:
    """Write what `change` asks for as one commit; False where it asked for nothing that is not there already.

    Where the branch moved meanwhile, all is read and decided again; where there is none it is made. The branch only
    moves forward by one commit of ours, so that no writer's lines are lost. Calls of the port when nobody interferes:
    branch, one `file` for each path read, create_commit, move_branch. jitter: 0 to 1, how much of a pause is slept.
    ForgeError where the host denies it or somebody was faster TRIES times.
    """
    for round_number in range(TRIES):
        head = forge.branch(BRANCH)
        known: dict[str, bytes | None] = {}
        files = change(_reader(forge, head, known))
        files = {path: content for path, content in files.items() if known.get(path) != content}
        if not files:
            return False
        if head is None:
            files = {"README.md": _README, **files}
        writes = {path: FileWrite(content) for path, content in files.items()}
        commit = forge.create_commit(head, writes, message)
        if isinstance(commit, Denied):
            _refused(commit)
        moved = forge.create_branch(BRANCH, commit) if head is None else forge.move_branch(BRANCH, commit)
        if isinstance(moved, Denied):
            _refused(moved)
        if moved:
            return True
        clock.sleep(jitter() * min(0.25 * 2**round_number, 8.0))
    raise ForgeError(
        f"the branch {BRANCH} of {forge.repository} was moved by somebody else {TRIES} times while it was written; "
        "run this job again, and look for a workflow that writes there in a loop"
    )


def _reader(forge: Forge, head: str | None, known: dict[str, bytes | None]) -> Read:
    def read(path: str) -> bytes | None:
        if head is None:
            return None
        if path not in known:
            known[path] = forge.file(path, head)
        return known[path]

    return read


def _refused(denied: Denied) -> NoReturn:
    raise ForgeError(
        f"the code host refused a write to the branch {BRANCH} ({denied.status}: {denied.message[:200]}); "
        f"give the job `contents: write`, and take {BRANCH} out of rules that protect branches",
        status=denied.status,
    )
