"""The code side of a repository: its git data, as tests build it and look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.github_server.git_data import ZERO, GitData, Person

if TYPE_CHECKING:
    from tests.github_server.world import World


@dataclass(frozen=True, slots=True)
class SeenCommit:
    """A commit as a test looks at it. `files`: contents by path, symbolic links as their target."""

    sha: str
    message: str
    parents: tuple[str, ...]
    author: str
    committer: str
    verified: bool
    files: Mapping[str, bytes]
    modes: Mapping[str, str]


class Code:
    """Branches and commits. What depends on a branch is brought up to date by `refresh_pulls` after each move."""

    def __init__(self, world: World, owner: str, name: str, default_branch: str) -> None:
        self.world = world
        self.owner = owner
        self.name = name
        self.default_branch = default_branch
        self.git = GitData(world.folder / owner / f"{name}.git")

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def clone_url(self) -> str:
        return f"{self.world.server_url}/{self.full_name}.git"

    def refresh_pulls(self) -> None:
        """Called after a ref was moved."""
        raise NotImplementedError

    @property
    def branches(self) -> dict[str, str]:
        """Branch name → SHA."""
        return {name.removeprefix("refs/heads/"): sha for name, sha in self.git.refs().items()}

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | bytes | None],
        message: str = "a change",
        *,
        start: str = "",
        merge: str = "",
        author: str = "tester",
        modes: Mapping[str, str] | None = None,
    ) -> str:
        """Commit `files` (None deletes) onto `branch` as somebody's push; returns the SHA.

        start: branch or SHA where a new branch begins (default: the default branch, if it is there). merge: branch or
        SHA that becomes the second parent.
        """
        old = self.branches.get(branch)
        parent = old or self.git.resolve(start or self.default_branch)
        entries = []
        for path, contents in files.items():
            data = contents.encode() if isinstance(contents, str) else contents
            sha = None if data is None else self.git.write("blob", data)
            entries.append((path, (modes or {}).get(path, "100644"), sha))
        tree = self.git.write_tree(parent, entries)
        parents = [parent] if parent else []
        if merge:
            second = self.git.resolve(merge)
            assert second is not None, f"there is no {merge!r} to merge"
            parents.append(second)
        self.world.user(author)
        person = Person(author, f"{author}@users.noreply.example", int(self.world.now()))
        commit = self.git.write_commit(tree, parents, person, person, f"{message}\n", signed=False)
        assert self.move(f"refs/heads/{branch}", commit, old or ZERO)
        return commit

    def move(self, ref: str, new: str, old: str) -> bool:
        """Set a ref, and the pull requests that hang on it; False where it is not at `old` any more."""
        done = self.git.update_ref(ref, new, old)
        if done:
            self.refresh_pulls()
        return done

    def seen(self, revision: str) -> SeenCommit:
        """A commit with its whole tree, by branch or SHA."""
        sha = self.git.resolve(revision)
        commit = self.git.commit(sha) if sha else None
        assert commit is not None, f"{self.full_name} has no commit {revision!r}"
        entries = [entry for entry in self.git.tree(commit.tree, recursive=True) if entry.kind == "blob"]
        files = {entry.path: self.git.read(entry.sha) for entry in entries}
        return SeenCommit(
            commit.sha,
            commit.message,
            commit.parents,
            commit.author.name,
            commit.committer.name,
            bool(commit.signature),
            {path: found[2] for path, found in files.items() if found},
            {entry.path: entry.mode for entry in entries},
        )

    def file(self, revision: str, path: str) -> bytes | None:
        """Contents of a file on a branch or at a SHA; None where there is none."""
        sha = self.git.resolve(revision)
        found = self.git.read(f"{sha}:{path}") if sha else None
        return found[2] if found and found[1] == "blob" else None

    def log(self, branch: str) -> tuple[str, ...]:
        """SHAs of a branch, newest first."""
        return self.git.commits(self.branches[branch])
