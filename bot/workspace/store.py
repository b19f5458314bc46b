"""Running git on a repository whose configuration is hostile: an own bare store that borrows its objects.

Git's own flags are not enough: with hooks, fsmonitor and textconv switched off, a `filter.x.clean` of the repository's
configuration still ran. Here that configuration is never read, for the git directory is ours.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ConfigError
from bot.process import Completed, ProcessError, minimal_environment, run
from bot.workspace.layout import Layout

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.quotePath=false",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "diff.suppressBlankEmpty=false",
)
# The tree's own .gitattributes may name drivers; none is configured, and this makes sure that none is looked for.
# Line-end attributes are kept: they run nothing, and without them every CRLF checkout would look modified.
_ATTRIBUTES = b"* -filter !diff !merge -ident\n"


@dataclass(frozen=True, slots=True)
class Store:
    """The bare store at `path`, with its objects folder borrowing from `layout.objects`."""

    path: Path
    scratch: Path
    layout: Layout

    @classmethod
    def create(cls, layout: Layout, scratch: Path) -> Store:
        """Make the store in `scratch`; ConfigError where git is missing or cannot read the objects."""
        scratch.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="store-", dir=scratch))
        store = cls(path, scratch, layout)
        store.git("init", "--quiet", "--bare", "--template=", f"--object-format={layout.object_format}", str(path))
        for folder in ("info", "objects/info"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        borrowed = b"".join(os.fsencode(folder) + b"\n" for folder in layout.objects)
        (path / "objects/info/alternates").write_bytes(borrowed)
        (path / "info/attributes").write_bytes(_ATTRIBUTES)
        (path / "info/exclude").write_bytes(layout.exclude)
        lines = ["# pack-refs with: sorted \n", *(f"{value} {name}\n" for name, value in layout.refs)]
        (path / "packed-refs").write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        (path / "HEAD").write_text(layout.head + "\n", encoding="ascii")
        if layout.shallow:
            (path / "shallow").write_text("".join(f"{value}\n" for value in layout.shallow), encoding="ascii")
        return store

    def git(
        self,
        *arguments: str,
        index: Path | None = None,
        work_tree: Path | None = None,
        stdin: bytes = b"",
        seconds: float = 300.0,
    ) -> bytes:
        """Standard output of one git command; ConfigError with git's own words where it fails."""
        completed = self.attempt(arguments, index=index, work_tree=work_tree, stdin=stdin, seconds=seconds)
        if completed.timed_out:
            raise ConfigError(f"git {arguments[0]} took longer than {seconds:.0f} s on {self.layout.root}")
        if completed.exit_code != 0:
            said = completed.stderr.decode("utf-8", "backslashreplace").strip()[-600:]
            raise ConfigError(
                f"git {arguments[0]} failed on {self.layout.root} (status {completed.exit_code}): {said or 'silent'}"
            )
        return completed.stdout

    def attempt(
        self,
        arguments: Sequence[str],
        *,
        index: Path | None = None,
        work_tree: Path | None = None,
        stdin: bytes = b"",
        seconds: float = 300.0,
    ) -> Completed:
        """Run one git command in the store, whatever its exit status; ConfigError where there is no git at all."""
        argv = ["git", f"--git-dir={self.path}"]
        if work_tree is not None:
            argv.append(f"--work-tree={work_tree}")
        for setting in _SETTINGS:
            argv += ["-c", setting]
        try:
            return run(
                [*argv, *arguments],
                cwd=work_tree or self.path,
                environment=self._environment(index),
                stdin=stdin,
                seconds=seconds,
            )
        except ProcessError as error:
            raise ConfigError(f"git is needed and cannot be run: {error}") from error

    def temporary_index(self, origin: Path | None = None) -> Path:
        """A new index file, empty or a copy; the caller removes it."""
        descriptor, name = tempfile.mkstemp(prefix="index-", dir=self.scratch)
        with os.fdopen(descriptor, "wb") as file:
            if origin is not None:
                file.write(origin.read_bytes())
        path = Path(name)
        if origin is None:
            path.unlink()  # git takes an absent index for an empty one, and an empty file for a damaged one
        return path

    def _environment(self, index: Path | None) -> Mapping[str, str]:
        environment = minimal_environment() | {
            "HOME": str(self.path),
            "XDG_CONFIG_HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_PAGER": "cat",
            "GIT_AUTHOR_DATE": "@0 +0000",
            "GIT_COMMITTER_DATE": "@0 +0000",
        }
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        return environment
