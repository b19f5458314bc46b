"""Which file of the repository a path in a diff means, where it is not the path itself.

Authors write paths as they see them: absolute in some container, below a folder with the project's name, or without the
folders above. A path is only ever read as a file that exists, and only where that is one file; anything else stays as
it was written, for the rules of paths to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from bot.patch.drafts import FileDraft
from bot.workspace import paths

_MOST_CANDIDATES = 20


def located(
    drafts: Sequence[FileDraft], known: Collection[str], fits: Callable[[FileDraft], bool]
) -> tuple[FileDraft, ...]:
    """The drafts with their paths as the repository has them.

    known: every tracked path. fits: whether a draft can be placed on the file it names; asked where several files could
    be meant, for then the one that has the quoted lines is.
    """
    prefixes: set[str] = set()  # what stood before paths that exist: it stands before the new ones as well
    found = []
    for draft in drafts:
        old = draft.old_path
        meant = None if old is None else _meant(draft, old, known, fits)
        if old is None or meant is None or meant == old:
            found.append(draft)
            continue
        if old.endswith(f"/{meant}"):
            prefixes.add(old.removesuffix(meant))
        found.append(replace(draft, old_path=meant, new_path=_beside(draft, old, meant)))
    if len(prefixes) == 1:
        prefix = prefixes.pop()
        found = [_stripped(draft, prefix) for draft in found]
    return tuple(found)


def _meant(draft: FileDraft, path: str, known: Collection[str], fits: Callable[[FileDraft], bool]) -> str | None:
    """The tracked path that `path` means; None where none or several could be meant."""
    if path in known or _is_odd(path):
        return None
    pieces = [piece for piece in path.split("/") if piece not in ("", ".")]
    below = next((tail for cut in range(len(pieces)) if (tail := "/".join(pieces[cut:])) in known), None)
    above = [name for name in known if name.endswith(f"/{path}")] if not path.startswith("/") else []
    candidates = {*above, *([below] if below else [])}
    if 1 < len(candidates) <= _MOST_CANDIDATES and draft.hunks:
        moved = {name: replace(draft, old_path=name, new_path=_beside(draft, path, name)) for name in candidates}
        candidates = {name for name, there in moved.items() if fits(there)}
    return candidates.pop() if len(candidates) == 1 else None


def _is_odd(path: str) -> bool:
    """A path that leads out or into .git is refused as it stands, not read as something else."""
    return "\\" in path or any(piece == ".." or paths.is_dot_git(piece) for piece in path.split("/"))


def _beside(draft: FileDraft, old: str, meant: str) -> str | None:
    """The new path of a draft whose old path `old` means `meant`."""
    new = draft.new_path
    if new is None or new == old:
        return None if new is None else meant
    prefix = old.removesuffix(meant)
    return new.removeprefix(prefix) if old.endswith(meant) and new.startswith(prefix) else new


def _stripped(draft: FileDraft, prefix: str) -> FileDraft:
    new = draft.new_path
    if draft.old_path is None and new is not None and new.startswith(prefix):
        return replace(draft, new_path=new.removeprefix(prefix))
    return draft
