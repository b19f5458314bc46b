"""The history of a repository, for whoever looks for a cause: through our own store, so that nothing of the
repository's configuration, attributes or hooks has a say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from bot.ports import CommitInfo
from bot.process import Completed
from bot.workspace.git import Repository

SECONDS = 20.0
"""Of one question: on a history too large for that, what was found until then is the answer."""

_MOST = 100
_LARGEST = 64 << 10  # bytes of a commit object that are read; larger ones are made to be large
_MESSAGE = 4_000  # characters
_FILES = 40  # of one commit that are shown
_LONGEST = 60_000  # characters of one commit's text
_BIG_FILE = "core.bigFileThreshold=512k"
"""Files over it are "binary" to git's differences: so 40 files cannot make more text than memory holds."""

_SHA = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PERSON = re.compile(r"(?P<name>[^<\n]*)<[^>\n]*> (?P<seconds>\d{1,12}) (?P<zone>[+-]\d{4})")


@dataclass(frozen=True, slots=True)
class RepositoryHistory:
    """Implements bot.ports.History for the commits that lead to `repository.head`.

    Others are unknown to it, though their objects may be there: what was done on another branch, or after the commit
    under repair, is no history of the failure, and may be its solution.
    """

    repository: Repository

    def log(self, path: str = "", limit: int = 20) -> tuple[CommitInfo, ...]:
        """See the port. Fewer commits where the search took too long. Messages are cut at 4,000 characters."""
        count = max(1, min(limit, _MOST))
        arguments = ["rev-list", f"--max-count={count}", "--end-of-options", self.repository.head, "--"]
        listed = self._attempt(*arguments, *([path] if path else []))
        commits = [line.decode("ascii") for line in listed.stdout.split(b"\n") if _SHA.fullmatch(line)]
        return tuple(_commit(sha, text) for sha, text in zip(commits, self._objects(commits), strict=True))

    def show(self, revision: str, path: str = "") -> str | None:
        """See the port. The difference is against the first parent."""
        sha = self._resolve(revision)
        if sha is None:
            return None
        commit = _commit(sha, self._objects([sha])[0])
        parents = self.repository.parents(sha)
        head = f"commit {sha}\nauthor {commit.author}\ndate   {commit.date}\n"
        if len(parents) > 1:
            head += f"merge of {', '.join(parent[:12] for parent in parents[1:5])}; shown against its first parent\n"
        text = f"{head}\n{commit.message.strip()}\n\n{self._difference(sha, parents, path)}"
        if len(text) <= _LONGEST:
            return text
        return text[: text.rfind("\n", 0, _LONGEST) + 1] + "[the rest was cut]\n"

    def between(self, good: str, bad: str, limit: int = 10_000) -> tuple[CommitInfo, ...]:
        """Commits after `good` up to and with `bad`, by first parents, oldest first; () where `good` is not among
        those that lead to it by first parents, or more than `limit` lie between."""
        range_ = ["rev-list", "--first-parent", "--reverse", f"--max-count={limit + 1}", "--end-of-options"]
        listed = self._attempt(*range_, bad, f"^{good}", "--")
        commits = [line.decode("ascii") for line in listed.stdout.split(b"\n") if _SHA.fullmatch(line)]
        if not commits or len(commits) > limit or good not in self.repository.parents(commits[0])[:1]:
            return ()
        return tuple(_commit(sha, text) for sha, text in zip(commits, self._objects(commits), strict=True))

    def _resolve(self, revision: str) -> str | None:
        """Hash of a commit of this history."""
        if not revision or revision.startswith("-") or not revision.isprintable() or not revision.isascii():
            return None
        found = self._attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        sha = found.stdout.strip()
        if found.exit_code != 0 or not _SHA.fullmatch(sha):
            return None
        commit = sha.decode("ascii")
        inside = self._attempt("merge-base", "--is-ancestor", commit, self.repository.head)
        return commit if inside.exit_code == 0 else None

    def _objects(self, commits: Sequence[str]) -> list[str | None]:
        """Text of each commit object, None for one that is too large or too slow to come by."""
        names = "".join(f"{sha}\n" for sha in commits).encode("ascii")
        sizes = self._attempt("cat-file", "--batch-check=%(objectsize)", stdin=names).stdout.split()
        small = [sha for sha, size in zip(commits, sizes, strict=False) if size.isdigit() and int(size) <= _LARGEST]
        wanted = "".join(f"{sha}\n" for sha in small).encode("ascii")
        found = dict(_batch(self._attempt("cat-file", "--batch", stdin=wanted).stdout))
        return [found.get(sha) for sha in commits]

    def _difference(self, sha: str, parents: Sequence[str], path: str) -> str:
        before = parents[0] if parents else ""
        if before and self._attempt("cat-file", "-e", f"{before}^{{commit}}").exit_code != 0:
            return "[the clone begins here: what this commit changed cannot be told]"
        both = [before, sha] if before else ["--root", "--no-commit-id", sha]
        only = [path] if path else []
        plain = ["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all", "-r"]
        raw = self._attempt("diff-tree", *plain, "-z", "--name-only", *both, "--", *only)
        if raw.timed_out:
            return "[the difference took too long to make; ask for one path]"
        names = [name for name in raw.stdout.split(b"\0") if name]
        if not names:
            return "[it changes nothing there]" if path else "[it changes nothing]"
        chosen = [name.decode("utf-8", "surrogateescape") for name in names[:_FILES]]
        prefixes = ["-p", "--src-prefix=a/", "--dst-prefix=b/"]
        shown = self._attempt("-c", _BIG_FILE, "diff-tree", *plain, *prefixes, *both, "--", *chosen)
        text = shown.stdout[: 4 * _LONGEST].decode("utf-8", "replace")
        if shown.timed_out:
            text += "\n[the difference took too long to make; ask for one path]\n"
        if len(names) > _FILES:
            others = b"\n".join(names[_FILES : _FILES + 200]).decode("utf-8", "replace")
            text = f"{len(names):,} files; the first {_FILES} are shown. Others:\n{others}\n\n{text}"
        return text

    def _attempt(self, *arguments: str, stdin: bytes = b"") -> Completed:
        return self.repository.store.attempt(arguments, stdin=stdin, seconds=SECONDS)


def _batch(output: bytes) -> list[tuple[str, str]]:
    """(hash, text) of what `cat-file --batch` wrote: a header line with the size, the object, a line end."""
    found = []
    position = 0
    while (end := output.find(b"\n", position)) > 0:
        header = output[position:end].split(b" ")
        position = end + 1
        if len(header) != 3:  # "missing"
            continue
        content = output[position : position + int(header[2])]
        position += int(header[2]) + 1
        found.append((header[0].decode("ascii"), content.decode("utf-8", "replace")))
    return found


def _commit(sha: str, text: str | None) -> CommitInfo:
    if text is None:
        return CommitInfo(sha, "", "", "[a commit object too large to be shown]")
    header, _, message = text.partition("\n\n")
    people: dict[str, str] = {}
    for line in header.split("\n"):
        kind, _, value = line.partition(" ")
        people.setdefault(kind, value)
    author, committer = _PERSON.match(people.get("author", "")), _PERSON.match(people.get("committer", ""))
    name = author["name"].strip()[:200] if author is not None else ""
    date = _date(committer["seconds"], committer["zone"]) if committer is not None else ""
    return CommitInfo(sha, name, date, message[:_MESSAGE])


def _date(seconds: str, zone: str) -> str:
    """ISO 8601; "" for a time that no calendar has."""
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    offset = timedelta(minutes=-minutes if zone[0] == "-" else minutes)
    try:
        return datetime.fromtimestamp(int(seconds), UTC).astimezone(timezone(offset)).isoformat()
    except (OverflowError, ValueError, OSError):
        return ""
