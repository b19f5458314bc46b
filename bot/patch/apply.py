"""From a diff's text to what git says it changes. Nothing past this point believes the text."""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import ConfigError
from bot.patch.drafts import FileDraft
from bot.patch.parse import parse
from bot.patch.placer import place
from bot.patch.reader import read
from bot.patch.types import Applied, Refusal
from bot.patch.whereabouts import located
from bot.ports import Overlay
from bot.workspace import paths
from bot.workspace.checkout import SUBMODULE, SYMLINK, Checkout


def apply(text: str, checkout: Checkout) -> Applied | Refusal:
    """Place a unified diff, as its author wrote it, on a checkout and read back from git what it changes."""
    drafts = read(text)
    if isinstance(drafts, Refusal):
        return drafts

    def fits(draft: FileDraft) -> bool:
        return not isinstance(place((draft,), checkout.read), Refusal)

    return _apply_drafts(located(drafts, checkout.entries, fits), checkout)


def apply_overlay(overlay: Overlay, checkout: Checkout) -> Applied | Refusal:
    """Read back from git what whole new file contents change.

    Refusal for paths that cannot be written (also through a symbolic link or into a submodule), for content that is
    neither UTF-8 text nor binary to git, and for an overlay that changes nothing.
    """
    for path in overlay:
        refusal = obstacle(path, checkout) or _collision(path, overlay, checkout)
        if refusal is not None:
            return refusal
    try:
        text, changes = checkout.diff(overlay)
        patch = parse(text)
    except ConfigError as error:
        return Refusal(str(error))
    if not changes:
        return Refusal("it changes nothing; there is no patch to make of it")
    counted = sum(line.startswith(("+", "-")) for file in patch.files for hunk in file.hunks for line in hunk.lines)
    promised = sum(change.added + change.deleted for change in changes)
    if counted != promised or {file.path for file in patch.files} != {change.path for change in changes}:
        return Refusal(
            f"the patch reads as {counted} changed lines in {len(patch.files)} files where git counts"
            f" {promised} in {len(changes)}; a file name in it is probably one that diffs cannot carry"
        )
    return Applied(patch, changes, {path: overlay[path] for change in changes if (path := change.path) in overlay})


def combine(patches: Sequence[Applied], checkout: Checkout) -> Applied | Refusal:
    """Several patches of one base as one; Refusal where they touch the same lines or make the same file differently."""
    merged: dict[str, bytes | None] = {}
    for applied in patches:
        fresh = {path: content for path, content in applied.overlay.items() if path not in merged}
        for path, content in applied.overlay.items():
            if path in fresh or merged[path] == content:
                continue
            if content is None or merged[path] is None or checkout.read(path) is None:
                return Refusal(f"two of the patches make or delete {path} in different ways", path)
            drafts = read("".join(_section(applied, path)))
            placed = drafts if isinstance(drafts, Refusal) else place(drafts, merged.get)
            if isinstance(placed, Refusal):
                return Refusal(f"the patches do not combine in {path}: {placed.message}", path)
            merged.update(placed)
        merged.update(fresh)
    return apply_overlay(merged, checkout)


def obstacle(path: str, checkout: Checkout) -> Refusal | None:
    """Why no patch can write `path` in this checkout, whatever the rules say; None where it can."""
    wrong = paths.problem(path)
    if wrong is not None:
        return Refusal(f"the path {path!r} {wrong}", path)
    if " b/" in path:
        return Refusal(f"the path {path!r} holds ' b/', where a diff's header cannot be read; rename it", path)
    for above in paths.parents(path):
        mode = checkout.mode(above)
        if mode is not None and above in checkout.entries:
            what = "a symbolic link" if mode == SYMLINK else "a file"
            return Refusal(f"{path} lies behind {above}, which is {what}; nothing is written through it", path)
    mode = checkout.mode(path)
    if mode == SYMLINK:
        return Refusal(f"{path} is a symbolic link; only plain files are patched", path)
    if mode == SUBMODULE:
        return Refusal(f"{path} lies in a submodule, which is another repository; it cannot be patched from here", path)
    return None


def _apply_drafts(drafts: Sequence[FileDraft], checkout: Checkout) -> Applied | Refusal:
    for draft in drafts:
        for path in (draft.old_path, draft.new_path):
            refusal = None if path is None else obstacle(path, checkout)
            if refusal is not None:
                return refusal
    overlay = place(drafts, checkout.read)
    if isinstance(overlay, Refusal):
        return overlay
    return apply_overlay(overlay, checkout)


def _collision(path: str, overlay: Overlay, checkout: Checkout) -> Refusal | None:
    """A new file cannot bear the name of a folder."""
    if overlay[path] is None or path in checkout.entries:
        return None
    prefix = f"{path}/"
    if any(name.startswith(prefix) for name in (*checkout.entries, *overlay)):
        return Refusal(f"{path} is a folder; a file cannot take its name", path)
    return None


def _section(applied: Applied, path: str) -> list[str]:
    """The part of a patch that is about one file."""
    file = next(file for file in applied.patch.files if file.path == path)
    lines = [f"--- a/{path}\n", f"+++ b/{path}\n"]
    for hunk in file.hunks:
        lines.append(f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@\n")
        lines += [f"{line}\n" for line in hunk.lines]
    return lines
