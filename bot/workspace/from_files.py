"""A repository made of a few files, where there is no checkout: the part of a commit that the code host's API told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.errors import ConfigError
from bot.workspace import paths
from bot.workspace.checkout import REGULAR
from bot.workspace.git import Repository
from bot.workspace.layout import Layout
from bot.workspace.store import Store

EXECUTABLE = "100755"


@dataclass(frozen=True, slots=True)
class File:
    """One file as a commit holds it: the bytes of its blob; `mode` is 100644 or 100755."""

    content: bytes
    mode: str = REGULAR


def repository_of(files: Mapping[str, File], scratch: Path) -> Repository:
    """A repository with one commit that holds `files`, by POSIX path; `scratch` takes it, whoever made that removes it.

    Contents go in as they are, no line end is converted. ConfigError for a path that no repository may hold, for a
    mode that is no regular file's, for a path that is a file and a folder, and where git is missing.
    """
    for path, file in files.items():
        wrong = paths.problem(path)
        if wrong is not None:
            raise ConfigError(f"the path {path[:200]!r} {wrong}")
        if file.mode not in (REGULAR, EXECUTABLE):
            raise ConfigError(f"{path} has the mode {file.mode}; only plain files can be put into a repository")
    scratch = Path(os.path.realpath(scratch))
    nothing = "0" * 40
    layout = Layout(root=scratch, head=nothing, objects=(), refs=(), shallow=(), exclude=b"", sparse=False)
    store = Store.create(layout, scratch)
    index = store.temporary_index()
    records = [f"{file.mode} {_blob(store, file.content)}\t{path}\0".encode() for path, file in sorted(files.items())]
    store.git("update-index", "-z", "--index-info", index=index, stdin=b"".join(records))
    tree = store.git("write-tree", index=index).decode().strip()
    kept = store.git("ls-files", "-z", index=index).count(b"\0")
    if kept != len(files):  # git drops a file where another needs its name as a folder
        raise ConfigError("one of the paths is a file and a folder at once")
    ident = ("-c", "user.name=grokfix", "-c", "user.email=grokfix@localhost")
    head = store.git(*ident, "commit-tree", "-m", "files", tree).decode().strip()
    (store.path / "HEAD").write_text(head + "\n", encoding="ascii")
    return Repository(scratch, head, (), replace(store, layout=replace(layout, head=head)), index)


def _blob(store: Store, content: bytes) -> str:
    return store.git("hash-object", "-w", "--stdin", "--no-filters", stdin=content).decode().strip()
