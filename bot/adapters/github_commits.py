"""Contents, commits and branches through GitHub's git data API: no checkout, no credential in git."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from bot.adapters.github_api import Answer, Api, quoted, repeatable
from bot.adapters.github_objects import comparison, flag, items, required, text
from bot.adapters.github_part import Part
from bot.errors import ForgeError
from bot.ports import Comparison, Denied, FileWrite, JsonValue, TreeEntry

_READ = "contents: read"
_WRITE = "contents: write"
_INLINE = 256 << 10  # bytes of a text that go into the tree's own request
_PLAIN = ("100644", "100755")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_EXISTS = "already exists"
_NO_FAST_FORWARD = "not a fast forward"
_NO_SUCH_REF = "Reference does not exist"


class Commits(Part):
    """What is committed, and committing."""

    def __init__(self, api: Api, repository: str) -> None:
        super().__init__(api, repository)
        self._trees: dict[str, str] = {}  # of commits that were seen: each spares a request
        self._written: dict[tuple[str, str], bytes | None] = {}  # of our own commits: nobody need tell us

    def file(self, path: str, ref: str) -> bytes | None:
        """Contents of a regular file; a folder or a submodule is none, a link in the repository is what it names."""
        if (place := quoted(path)) is None:
            return None
        if (ref, path) in self._written:
            return self._written[ref, path]
        fixed = bool(_SHA.fullmatch(ref))
        found = self._api.get(f"{self._repo}/contents/{place}", {"ref": ref}, need=_READ, fixed=fixed)
        if text(found, "type") != "file":
            return None
        if text(found, "encoding") == "base64":
            return _decoded(text(found, "content"))
        return self.blob(required(found, "sha"))  # past 1 MB the contents are left out

    def resolve(self, ref: str) -> str | None:
        """SHA of the commit that a branch, tag or SHA names."""
        if (name := quoted(ref)) is None:
            return None
        # 422: no commit has that SHA; 409: the repository is empty. One file a page: the answer would list them all.
        found = self._api.get(f"{self._repo}/commits/{name}", {"per_page": 1}, need=_READ, absent=(404, 409, 422))
        return None if found is None else required(found, "sha")

    def branch(self, name: str) -> str | None:
        """SHA of a branch's head, always asked anew (an unchanged one is a 304 from GitHub itself)."""
        if (place := quoted(name)) is None:
            return None
        # Not git/ref: this answer names the head's tree as well, which a commit on it needs.
        found = self._api.get(f"{self._repo}/branches/{place}", need=_READ, absent=(404, 409))
        if found is None or text(found, "name") != name:  # a renamed branch is answered with its new name
            return None
        head = required(found, "commit", "sha")
        self._trees[head] = required(found, "commit", "commit", "tree", "sha")
        return head

    def tree(self, commit: str) -> Mapping[str, TreeEntry]:
        """Every file of a commit by path, links and submodules too."""
        found = self._api.get(
            f"{self._repo}/git/trees/{_sha(commit)}", {"recursive": 1}, need=_READ, absent=(), fixed=True
        )
        if flag(found, "truncated"):
            raise ForgeError(
                f"GitHub cuts the listing of {self.repository} at {commit[:12]} (more than 100,000 files or 7 MB)"
            )
        entries = (entry for entry in items(found, "tree") if text(entry, "type") != "tree")
        return {
            required(entry, "path"): TreeEntry(required(entry, "mode"), required(entry, "sha")) for entry in entries
        }

    def blob(self, sha: str) -> bytes:
        found = self._api.get(f"{self._repo}/git/blobs/{_sha(sha)}", need=_READ, absent=(), fixed=True)
        if text(found, "encoding") != "base64":
            raise ForgeError(f"GitHub gave blob {sha[:12]} in the encoding {text(found, 'encoding')!r}, not base64")
        return _decoded(text(found, "content"))

    def compare(self, base: str, head: str) -> Comparison | None:
        left, right = quoted(base), quoted(head)
        if left is None or right is None:
            return None
        found = self._api.get(f"{self._repo}/compare/{left}...{right}", need=_READ)
        return None if found is None else comparison(found)

    def create_commit(
        self, parent: str | None, files: Mapping[str, FileWrite], message: str, also: str | None = None
    ) -> str | Denied:
        """Without author, committer and date: only such a commit is signed by GitHub as the bot's."""
        base = self._tree_of(parent) if parent else None
        tree = self._write_tree(base, files) if files else base
        if isinstance(tree, Denied):
            return tree
        parents = [sha for sha in (parent, also) if sha]
        made = self._object("commits", {"message": message, "tree": tree, "parents": parents})
        if isinstance(made, Denied):
            return made
        commit = required(made, "sha")
        self._trees[commit] = required(made, "tree", "sha")
        self._written |= {
            (commit, path): file.content
            for path, file in files.items()
            if file.mode in _PLAIN and len(file.content or b"") <= _INLINE
        }
        return commit

    def create_branch(self, name: str, sha: str) -> bool | Denied:
        path = f"{self._repo}/git/refs"
        body = {"ref": f"refs/heads/{name}", "sha": sha}
        answer = self._api.write("POST", path, body, landed=lambda: self._is_at(name, sha))
        if isinstance(answer, bool) or answer.ok:
            return True
        if answer.status == 422 and _EXISTS in text(answer.body, "message"):
            return False
        return self._api.denial("POST", path, answer, _WRITE)

    def move_branch(self, name: str, sha: str) -> bool | Denied:
        """Fast-forward only; False also where the branch is gone: somebody was faster."""
        if (place := quoted(name)) is None:
            return Denied(422, f"{name!r} is no name of a branch")
        path = f"{self._repo}/git/refs/heads/{place}"
        body: JsonValue = {"sha": sha, "force": False}
        answer = self._api.write("PATCH", path, body, landed=lambda: self._is_at(name, sha))
        if isinstance(answer, bool) or answer.ok:
            return True
        said = text(answer.body, "message").lower()
        if answer.status == 422 and (_NO_FAST_FORWARD in said or _NO_SUCH_REF.lower() in said):
            return False
        return self._api.denial("PATCH", path, answer, _WRITE)

    def _is_at(self, name: str, sha: str) -> bool | None:
        return True if self.branch(name) == sha else None

    def _tree_of(self, commit: str) -> str:
        if commit not in self._trees:
            found = self._api.get(f"{self._repo}/git/commits/{_sha(commit)}", need=_READ, absent=())
            self._trees[commit] = required(found, "tree", "sha")
        return self._trees[commit]

    def _write_tree(self, base: str | None, files: Mapping[str, FileWrite]) -> str | Denied:
        entries: list[JsonValue] = []
        for path, file in sorted(files.items()):
            entry = self._entry(path, file)
            if isinstance(entry, Denied):
                return entry
            entries.append(entry)
        made = self._object("trees", {"tree": entries} | ({"base_tree": base} if base else {}))
        return made if isinstance(made, Denied) else required(made, "sha")

    def _entry(self, path: str, file: FileWrite) -> Mapping[str, JsonValue] | Denied:
        entry = {"path": path, "mode": file.mode, "type": "blob"}
        if file.content is None:
            return {**entry, "sha": None}
        if (inline := _as_text(file.content)) is not None:
            return {**entry, "content": inline}
        packed = base64.b64encode(file.content).decode("ascii")
        made = self._object("blobs", {"content": packed, "encoding": "base64"})
        return made if isinstance(made, Denied) else {**entry, "sha": required(made, "sha")}

    def _object(self, kind: str, body: Mapping[str, JsonValue]) -> JsonValue | Denied:
        """Objects are named by their content or held by nothing: making one twice harms nobody."""
        path = f"{self._repo}/git/{kind}"
        answer: Answer = self._api.write("POST", path, body, landed=repeatable)
        return answer.body if answer.ok else self._api.denial("POST", path, answer, _WRITE)


def _sha(name: str) -> str:
    if not _SHA.fullmatch(name):
        raise ForgeError(f"{name!r} is no SHA of a git object; resolve names before they come here")
    return name


def _as_text(content: bytes) -> str | None:
    """What JSON carries unchanged; None where it must go as a blob of its own."""
    if len(content) > _INLINE or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content)
    except binascii.Error as error:
        raise ForgeError("GitHub sent contents that are not base64; try again later") from error
