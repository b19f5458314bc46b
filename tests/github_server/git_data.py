"""The git data behind a repository of the server: one bare repository on disk, driven by git itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import process

HEX = re.compile(r"[0-9a-f]{7,40}")
FULL = re.compile(r"[0-9a-f]{40}")
NO_REVISION = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|^-|/$|\.lock$|//")
ZERO = "0" * 40
CONFIG = (
    ("uploadpack.allowAnySHA1InWant", "true"),  # as GitHub: every commit can be fetched by its SHA
    ("uploadpack.allowFilter", "true"),
    ("http.receivepack", "false"),
    ("gc.auto", "0"),
)
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nd2ViLWZsb3c=\n-----END PGP SIGNATURE-----"


class GitError(Exception):
    """git refused; its own words."""


@dataclass(frozen=True, slots=True)
class Person:
    """Author or committer; `when` in seconds since the epoch, `zone` as git writes it."""

    name: str
    email: str
    when: int
    zone: str = "+0000"

    def line(self) -> str:
        return f"{self.name} <{self.email}> {self.when} {self.zone}"


@dataclass(frozen=True, slots=True)
class GitCommit:
    """A commit object. `signature`: "" where it has none."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str
    signature: str = ""
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree. `size` of a blob in bytes, None for others."""

    path: str
    mode: str
    kind: str
    sha: str
    size: int | None


class GitData:
    """One bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, default_branch: str) -> None:
        self.path.mkdir(parents=True)
        self.git("init", "--bare", "--quiet", f"--initial-branch={default_branch}")
        with (self.path / "config").open("a") as config:
            for name, value in CONFIG:
                section, key = name.split(".")
                config.write(f"[{section}]\n\t{key} = {value}\n")

    def run(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> process.Completed:
        environment = {**environment_of_git(), **(extra or {})}
        return process.run(("git", *arguments), cwd=self.path, environment=environment, stdin=stdin)

    def git(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> str:
        done = self.run(*arguments, stdin=stdin, extra=extra)
        if done.exit_code != 0:
            raise GitError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="surrogateescape")

    # --- reading ------------------------------------------------------------------------------------------------

    def read(self, name: str, kind: str = "") -> tuple[str, str, bytes] | None:
        """(sha, type, contents) of an object, None where there is none; `kind` peels it to that type."""
        asked = f"{name}^{{{kind}}}" if kind else name
        if "\n" in asked:
            return None
        output = self.run("cat-file", "--batch", stdin=f"{asked}\n".encode()).stdout
        head, _, rest = output.partition(b"\n")
        fields = head.decode(errors="replace").split(" ")
        if len(fields) != 3 or not FULL.fullmatch(fields[0]):
            return None
        return fields[0], fields[1], rest[: int(fields[2])]

    def resolve(self, ref: str) -> str | None:
        """Commit that a branch, a tag, a full ref or a SHA names; no other syntax of git's revisions."""
        candidates = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"] if not NO_REVISION.search(ref) else []
        if ref.startswith("refs/"):
            candidates.insert(0, ref)
        if HEX.fullmatch(ref) or ref == "HEAD":
            candidates.append(ref)
        if not candidates:
            return None
        asked = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates)
        for line in self.run("cat-file", "--batch-check", stdin=asked.encode()).stdout.decode().splitlines():
            if line.split(" ")[1:2] == ["commit"]:
                return line.split(" ")[0]
        return None

    def commit(self, sha: str) -> GitCommit | None:
        found = self.read(sha, "commit") if FULL.fullmatch(sha) else None
        return None if found is None else read_commit(found[0], found[2].decode(errors="replace"))

    def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """Full names of refs below `prefix` → SHA."""
        lines = self.git("for-each-ref", "--format=%(objectname) %(refname)", prefix).splitlines()
        return {name: sha for sha, _, name in (line.partition(" ") for line in lines)}

    def ref(self, name: str) -> str | None:
        return self.refs(name).get(name)

    def tree(self, sha: str, *, recursive: bool, path: str = "") -> tuple[Entry, ...]:
        """Entries of a tree-ish; with `recursive` also those of its folders, and the folders themselves."""
        flags = ("-r", "-t") if recursive else ()
        rest = ("--", f":(literal){path}") if path else ()
        lines = self.git("ls-tree", "-z", "-l", "--full-tree", *flags, sha, *rest).split("\0")
        entries = []
        for line in filter(None, lines):
            meta, _, name = line.partition("\t")
            mode, kind, entry, size = meta.split()
            entries.append(Entry(name, mode, kind, entry, None if size == "-" else int(size)))
        return tuple(entries)

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        return self.run("merge-base", "--is-ancestor", ancestor, commit).exit_code == 0

    def merge_base(self, one: str, other: str) -> str | None:
        done = self.run("merge-base", one, other)
        return done.stdout.decode().strip() if done.exit_code == 0 else None

    def commits(self, *revisions: str, limit: int = 250) -> tuple[str, ...]:
        """SHAs of a range, newest first."""
        return tuple(self.git("rev-list", f"--max-count={limit}", *revisions).split())

    def changes(self, base: str, head: str) -> tuple[tuple[str, str, int, int], ...]:
        """(path, status letter, lines added, lines deleted) for each file that differs."""
        raw = self.git("diff-tree", "-r", "-z", "--no-renames", "--raw", "--numstat", base, head).split("\0")
        letters: dict[str, str] = {}
        counts: list[tuple[str, int, int]] = []
        at = 0
        while at < len(raw) and raw[at]:
            if raw[at].startswith(":"):
                letters[raw[at + 1]] = raw[at].split()[-1]
                at += 2
            else:
                added, deleted, path = raw[at].split("\t", 2)  # "-" for a binary file
                counts.append((path, int(added.replace("-", "0")), int(deleted.replace("-", "0"))))
                at += 1
        return tuple((path, letters[path], added, deleted) for path, added, deleted in counts)

    # --- writing ------------------------------------------------------------------------------------------------

    def write(self, kind: str, contents: bytes) -> str:
        """Store an object; git checks its form. Returns its SHA."""
        return self.git("hash-object", "-t", kind, "-w", "--stdin", stdin=contents).strip()

    def write_tree(self, base: str | None, entries: Sequence[tuple[str, str, str | None]]) -> str:
        """SHA of `base` with (path, mode, sha) laid over it; sha None removes the path, mode 040000 places a folder."""
        index = {"GIT_INDEX_FILE": str(self.path / "scratch-index")}
        (self.path / "scratch-index").unlink(missing_ok=True)
        self.git("read-tree", base if base is not None else "--empty", extra=index)
        lines = "".join(
            f"0 {ZERO}\t{path}\0" if sha is None else f"{mode} {sha}\t{path}\0"
            for path, mode, sha in entries
            if mode != "040000" or sha is None
        )
        self.git(
            "update-index", "--replace", "-z", "--index-info", stdin=lines.encode(errors="surrogateescape"), extra=index
        )
        for path, mode, sha in entries:
            if mode == "040000" and sha is not None:
                self.git("rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", f":(literal){path}", extra=index)
                self.git("read-tree", f"--prefix={path}/", sha, extra=index)
        return self.git("write-tree", extra=index).strip()

    def write_commit(
        self, tree: str, parents: Sequence[str], author: Person, committer: Person, message: str, *, signed: bool
    ) -> str:
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author.line()}", f"committer {committer.line()}"]
        if signed:
            lines.append("gpgsig " + SIGNATURE.replace("\n", "\n "))
        return self.write("commit", "\n".join([*lines, "", message]).encode())

    def update_ref(self, name: str, new: str, old: str) -> bool:
        """Compare-and-swap; `old` of zeros: it must not exist. False where somebody was faster."""
        return self.run("update-ref", name, new, old).exit_code == 0

    def delete_ref(self, name: str) -> bool:
        return self.run("update-ref", "-d", name).exit_code == 0

    def valid_ref(self, name: str) -> bool:
        return self.run("check-ref-format", name).exit_code == 0

    def merged_tree(self, base: str, head: str) -> str | None:
        """Tree of the merge of `head` into `base`; None where they conflict."""
        done = self.run("merge-tree", "--write-tree", "--allow-unrelated-histories", base, head)
        return done.stdout.decode().split("\n")[0] if done.exit_code == 0 else None

    def fetch(self, other: GitData, ref: str, into: str) -> None:
        """A ref of another repository of this machine, with its objects."""
        self.git("fetch", "--quiet", "--no-tags", "--force", str(other.path), f"{ref}:{into}")


def environment_of_git() -> dict[str, str]:
    """No configuration but the repository's own."""
    return {
        **process.minimal_environment(),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent",
    }


def read_commit(sha: str, raw: str) -> GitCommit:
    """A commit object's text, read."""
    head, _, message = raw.partition("\n\n")
    fields: list[tuple[str, str]] = []
    for line in head.split("\n"):
        if line.startswith(" "):
            fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line[1:]}")
        else:
            key, _, value = line.partition(" ")
            fields.append((key, value))
    people = {key: value for key, value in fields if key in ("author", "committer")}
    signature = next((value for key, value in fields if key == "gpgsig"), "")
    payload = raw.replace("gpgsig " + signature.replace("\n", "\n ") + "\n", "", 1) if signature else ""
    return GitCommit(
        sha,
        next(value for key, value in fields if key == "tree"),
        tuple(value for key, value in fields if key == "parent"),
        read_person(people["author"]),
        read_person(people["committer"]),
        message.removesuffix("\n"),
        signature,
        payload,
    )


def read_person(line: str) -> Person:
    name, email, when, zone = re.fullmatch(r"(.*?) ?<(.*?)> (\d+) ([+-]\d{4})", line, re.DOTALL).groups()  # type: ignore[union-attr]
    return Person(name, email, int(when), zone)
