"""A code host in memory: it keeps commits, runs, pull requests and comments, and answers from them.

Beside the port (bot.ports.Forge) it has builders for what other people do (`push`, `add_run`, `say`, …), its whole
state is public, and it can be told to deny, to fail, to crash and to have somebody act in the middle of a call.
It is thread-safe: one call at a time, as a database would.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar

from bot.ports import (
    ArtifactInfo,
    Check,
    Comment,
    CommitInfo,
    Comparison,
    Denied,
    FileWrite,
    JobStep,
    Missing,
    Permission,
    PullRequest,
    TokenKind,
    TreeEntry,
    Viewer,
    WorkflowJob,
    WorkflowRun,
)

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Contents = Mapping[str, bytes | str | None]
_EPOCH = 1_800_000_000  # seconds; every commit, run and comment is a minute after the one before


@dataclass(frozen=True, slots=True)
class FakeCommit:
    """A commit: `files` is its whole tree, path → (mode, content)."""

    sha: str
    parents: tuple[str, ...]
    files: Mapping[str, tuple[str, bytes]]
    message: str
    author: str
    date: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port method."""

    method: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A workflow that was started by hand."""

    workflow: str
    ref: str
    inputs: Mapping[str, str]


@dataclass(slots=True)
class _Plan:
    """What happens at a coming call of a method: `countdown` calls from now."""

    method: str
    countdown: int
    error: BaseException | None = None
    after: bool = False
    action: Callable[[], object] | None = None


def _port(
    *, write: bool = False
) -> Callable[
    [Callable[Concatenate[FakeForge, Arguments], Answer]], Callable[Concatenate[FakeForge, Arguments], Answer]
]:
    """A method of the port: counted, locked, and subject to what was planned for it."""

    def decorate(
        method: Callable[Concatenate[FakeForge, Arguments], Answer],
    ) -> Callable[Concatenate[FakeForge, Arguments], Answer]:
        name = method.__name__

        def call(self: FakeForge, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            with self._lock:
                self.calls.append(Call(name, (*args, *kwargs.values())))
                plans = self._due(name)
                for plan in plans:
                    if plan.action is not None:
                        plan.action()
                    if plan.error is not None and not plan.after:
                        raise plan.error
                if write and name in self.denied:
                    return self.denied[name]  # type: ignore[return-value]
                answer = method(self, *args, **kwargs)
                if write:
                    self.writes.append(name)
                for plan in plans:
                    if plan.error is not None:
                        raise plan.error
                if write and self._crash is not None and len(self.writes) == self._crash[0]:
                    raise self._crash[1]
                return answer

        call.__name__, call.__doc__ = name, method.__doc__
        return call

    return decorate


@dataclass
class FakeForge:
    """Implements bot.ports.Forge. Runs, jobs, comments and checks are keyed by their id, the rest as named.

    denied: method name → Denied, answered by that write instead of doing it.
    calls: every call of the port, in order; writes: names of the writes that were done.
    """

    repository: str = "octo/shop"
    server_url: str = "https://github.test"
    me: Viewer = field(default_factory=lambda: Viewer("github-actions[bot]", TokenKind.ACTIONS))
    main: str = "main"
    permissions: dict[str, Permission] = field(default_factory=dict)
    commits: dict[str, FakeCommit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    workflow_runs: dict[int, WorkflowRun] = field(default_factory=dict)
    workflow_jobs: dict[tuple[int, int], list[WorkflowJob]] = field(default_factory=dict)  # by run and attempt
    logs: dict[int, bytes] = field(default_factory=dict)  # by job
    run_artifacts: dict[int, list[ArtifactInfo]] = field(default_factory=dict)
    artifact_bytes: dict[int, bytes] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    threads: dict[int, list[Comment]] = field(default_factory=dict)  # by issue or pull request
    reactions: dict[int, set[tuple[str, str]]] = field(default_factory=dict)  # by comment: (login, content)
    checks: dict[int, Check] = field(default_factory=dict)
    labels: dict[int, list[str]] = field(default_factory=dict)
    reviewers: dict[int, list[str]] = field(default_factory=dict)
    dispatches: list[Dispatched] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    denied: dict[str, Denied] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = RLock()
        self._serial = 0
        self._plans: list[_Plan] = []
        self._crash: tuple[int, BaseException] | None = None
        self._blobs: dict[str, bytes] = {}

    # --- what the test plans ------------------------------------------------------------------------------------------

    def fail(self, method: str, error: BaseException, *, nth: int = 1, after: bool = False) -> None:
        """The nth call of `method` from now raises; with `after` it does its work first (a time-out after it landed)."""
        self._plans.append(_Plan(method, nth, error, after))

    def before(self, method: str, action: Callable[[], object], *, nth: int = 1) -> None:
        """Somebody acts just before the nth call of `method` from now."""
        self._plans.append(_Plan(method, nth, action=action))

    def crash_after(self, writes: int, error: BaseException) -> None:
        """The process dies right after that many further writes were done."""
        self._crash = (len(self.writes) + writes, error)

    def count(self, method: str) -> int:
        return sum(call.method == method for call in self.calls)

    def _due(self, method: str) -> list[_Plan]:
        mine = [plan for plan in self._plans if plan.method == method]
        for plan in mine:
            plan.countdown -= 1
        due = [plan for plan in mine if plan.countdown == 0]
        self._plans = [plan for plan in self._plans if plan not in due]
        return due

    # --- what other people do -----------------------------------------------------------------------------------------

    def add_commit(
        self, parents: Sequence[str], files: Mapping[str, FileWrite], message: str, author: str = "dev"
    ) -> str:
        """A commit that no branch holds: `files` on top of the first parent's. Unique, as one made at its own time."""
        with self._lock:
            tree = dict(self.commits[parents[0]].files) if parents else {}
            for path, file in files.items():
                if file.content is None:
                    tree.pop(path, None)
                else:
                    tree[path] = (file.mode, file.content)
                    self._blobs[blob_sha(file.content)] = file.content
            serial = self._next()
            said = repr((serial, tuple(parents), sorted(tree.items()), message))
            sha = hashlib.sha1(said.encode()).hexdigest()
            self.commits[sha] = FakeCommit(sha, tuple(parents), tree, message, author, _time(serial))
            return sha

    def push(self, branch: str, files: Contents, message: str = "Change", author: str = "dev") -> str:
        """Commit on a branch, which is made where there is none; None deletes a file. Returns the commit's SHA."""
        with self._lock:
            parents = [self.branches[branch]] if branch in self.branches else []
            sha = self.add_commit(parents, _writes(files), message, author)
            self.branches[branch] = sha
            return sha

    def add_run(
        self,
        head_sha: str,
        *,
        branch: str = "main",
        event: str = "push",
        conclusion: str = "failure",
        status: str = "completed",
        workflow: str = "tests",
        workflow_id: int = 7,
        attempt: int = 1,
        actor: str = "dev",
        triggering_actor: str = "",
        head_repository: str | None = None,
        pull_requests: Sequence[int] = (),
    ) -> WorkflowRun:
        with self._lock:
            serial = self._next()
            number = 9_000 + serial
            self.workflow_runs[number] = WorkflowRun(
                id=number,
                attempt=attempt,
                workflow_id=workflow_id,
                name=workflow,
                path=f".github/workflows/{workflow}.yml",
                event=event,
                status=status,
                conclusion=conclusion if status == "completed" else "",
                head_sha=head_sha,
                head_branch=branch,
                head_repository=self.repository if head_repository is None else head_repository,
                actor=actor,
                triggering_actor=triggering_actor or actor,
                url=f"{self.server_url}/{self.repository}/actions/runs/{number}",
                created_at=_time(serial),
                pull_requests=tuple(pull_requests),
            )
            return self.workflow_runs[number]

    def add_job(
        self,
        run: WorkflowRun,
        name: str = "test",
        *,
        conclusion: str = "failure",
        log: bytes | None = None,
        steps: Sequence[JobStep] = (),
    ) -> WorkflowJob:
        with self._lock:
            job = WorkflowJob(self._next() + 500, name, conclusion, f"{run.url}/job", tuple(steps))
            self.workflow_jobs.setdefault((run.id, run.attempt), []).append(job)
            if log is not None:
                self.logs[job.id] = log
            return job

    def add_artifact(
        self, run: WorkflowRun, name: str, content: bytes | Mapping[str, bytes], *, expired: bool = False
    ) -> ArtifactInfo:
        """`content`: the zip itself, or files to zip."""
        with self._lock:
            packed = content if isinstance(content, bytes) else zipped(content)
            artifact = ArtifactInfo(self._next() + 700, name, len(packed), expired)
            self.run_artifacts.setdefault(run.id, []).append(artifact)
            self.artifact_bytes[artifact.id] = packed
            return artifact

    def add_issue(self) -> int:
        """A plain issue: it has comments and is no pull request."""
        with self._lock:
            number = self._next()
            self.threads[number] = []
            return number

    def add_pull(
        self,
        head: str,
        base: str = "main",
        *,
        title: str = "A change",
        body: str = "",
        author: str = "dev",
        draft: bool = False,
        fork: str = "",
        head_sha: str = "",
    ) -> PullRequest:
        """From a branch of this repository, or of `fork` ("owner/name") with its `head_sha` (see `add_commit`)."""
        with self._lock:
            number = self.add_issue()
            self.pulls[number] = PullRequest(
                number=number,
                state="open",
                merged=False,
                draft=draft,
                title=title,
                body=body,
                head_branch=head,
                head_sha=head_sha or self.branches[head],
                head_repository=fork or self.repository,
                base_branch=base,
                base_sha=self.branches[base],
                merge_sha="",
                author=author,
                url=f"{self.server_url}/{self.repository}/pull/{number}",
            )
            return self._pull(number)

    def close(self, number: int, *, merged: bool = False) -> None:
        """Somebody closes a pull request, or merges it (the base branch moves)."""
        with self._lock:
            pull = self._pull(number)
            merge = pull.merge_sha if merged else ""
            self.pulls[number] = replace(pull, state="closed", merged=merged, merge_sha=merge)
            if merged:
                self.branches[pull.base_branch] = merge

    def say(self, number: int, author: str, body: str) -> Comment:
        """Somebody comments."""
        with self._lock:
            comment_id = self._next() + 300
            url = f"{self.server_url}/{self.repository}/issues/{number}#issuecomment-{comment_id}"
            comment = Comment(comment_id, author, body, url)
            self.threads[number].append(comment)
            return comment

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    # --- the port: who ------------------------------------------------------------------------------------------------

    @_port()
    def viewer(self) -> Viewer:
        return self.me

    @_port()
    def default_branch(self) -> str:
        return self.main

    @_port()
    def permission(self, login: str) -> Permission:
        return self.permissions.get(login, Permission.NONE)

    # --- runs ---------------------------------------------------------------------------------------------------------

    @_port()
    def run(self, run_id: int) -> WorkflowRun | None:
        return self.workflow_runs.get(run_id)

    @_port()
    def runs(
        self, workflow_id: int | None, *, branch: str = "", head_sha: str = "", status: str = "", limit: int = 30
    ) -> tuple[WorkflowRun, ...]:
        found = [
            run
            for run in self.workflow_runs.values()
            if workflow_id in (None, run.workflow_id)
            and branch in ("", run.head_branch)
            and head_sha in ("", run.head_sha)
            and status in ("", run.status, run.conclusion)
        ]
        found.sort(key=lambda run: (run.created_at, run.id), reverse=True)
        return tuple(found[: min(limit, 100)])

    @_port()
    def jobs(self, run_id: int, attempt: int) -> tuple[WorkflowJob, ...]:
        return tuple(self.workflow_jobs.get((run_id, attempt), ()))

    @_port()
    def job_log(self, job_id: int, limit: int) -> bytes | Missing:
        if job_id not in self.logs:
            return Missing("the log is gone, or was never written")
        log = self.logs[job_id]
        if len(log) <= limit:
            return log
        gap = f"\n[… {len(log) - limit} bytes or more of this log left out …]\n".encode()
        room = max(0, limit - len(gap))
        return log[: room - room // 2] + gap + log[len(log) - room // 2 :]

    @_port()
    def artifacts(self, run_id: int) -> tuple[ArtifactInfo, ...]:
        return tuple(self.run_artifacts.get(run_id, ()))

    @_port()
    def download(self, artifact: ArtifactInfo, limit: int) -> bytes | Missing:
        if artifact.expired:
            return Missing("the artifact has expired")
        packed = self.artifact_bytes.get(artifact.id)
        if packed is None:
            return Missing("the artifact is gone")
        if len(packed) > limit:
            return Missing(f"the artifact has {len(packed)} bytes, more than the {limit} that are read")
        return packed

    @_port(write=True)
    def cancel_run(self, run_id: int) -> bool:
        run = self.workflow_runs.get(run_id)
        if run is None or run.status == "completed":
            return False
        self.workflow_runs[run_id] = replace(run, status="completed", conclusion="cancelled")
        self.cancelled.append(run_id)
        return True

    @_port(write=True)
    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Denied | None:
        if ref not in self.branches and ref not in self.tags:
            return Denied(422, f"No ref found for: {ref}")
        self.dispatches.append(Dispatched(workflow, ref, dict(inputs)))
        return None

    # --- contents -----------------------------------------------------------------------------------------------------

    @_port()
    def file(self, path: str, ref: str) -> bytes | None:
        sha = self._resolve(ref)
        found = None if sha is None else self.commits[sha].files.get(path)
        return None if found is None else found[1]

    @_port()
    def resolve(self, ref: str) -> str | None:
        return self._resolve(ref)

    @_port()
    def branch(self, name: str) -> str | None:
        return self.branches.get(name)

    @_port()
    def tree(self, commit: str) -> Mapping[str, TreeEntry]:
        return {path: TreeEntry(mode, blob_sha(data)) for path, (mode, data) in self.commits[commit].files.items()}

    @_port()
    def blob(self, sha: str) -> bytes:
        return self._blobs[sha]

    @_port()
    def compare(self, base: str, head: str) -> Comparison | None:
        left, right = self._resolve(base), self._resolve(head)
        if left is None or right is None:
            return None
        mine, theirs = self._ancestors(right), self._ancestors(left)
        shared = [sha for sha in mine if sha in theirs]
        ahead = [self.commits[sha] for sha in mine if sha not in theirs]
        infos = tuple(CommitInfo(made.sha, made.author, made.date, made.message) for made in reversed(ahead))
        behind = sum(sha not in mine for sha in theirs)
        return Comparison(len(ahead), behind, shared[0] if shared else "", infos[-250:])

    # --- commits and branches -----------------------------------------------------------------------------------------

    @_port(write=True)
    def create_commit(self, parent: str | None, files: Mapping[str, FileWrite], message: str) -> str | Denied:
        if parent is not None and parent not in self.commits:
            return Denied(422, "Parent SHA does not exist or is not a commit object")
        return self.add_commit([] if parent is None else [parent], files, message, self.me.login)

    @_port(write=True)
    def create_branch(self, name: str, sha: str) -> bool | Denied:
        if sha not in self.commits:
            return Denied(422, "Object does not exist")
        if name in self.branches:
            return False
        self.branches[name] = sha
        return True

    @_port(write=True)
    def move_branch(self, name: str, sha: str) -> bool | Denied:
        if sha not in self.commits:
            return Denied(422, "Object does not exist")
        if name not in self.branches or self.branches[name] not in self._ancestors(sha):
            return False
        self.branches[name] = sha
        return True

    # --- pull requests, comments, checks ------------------------------------------------------------------------------

    @_port()
    def pull_request(self, number: int) -> PullRequest | None:
        return self._pull(number) if number in self.pulls else None

    @_port()
    def pull_requests(self, head_branch: str) -> tuple[PullRequest, ...]:
        return self._pulls_from(head_branch)

    @_port(write=True)
    def open_pull_request(self, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest | Denied:
        for branch in (head, base):
            if branch not in self.branches:
                return Denied(422, f"Validation Failed: there is no branch {branch}")
        for pull in self._pulls_from(head):
            if pull.state == "open" and pull.base_branch == base:
                return pull
        if self.branches[head] in self._ancestors(self.branches[base]):
            return Denied(422, f"Validation Failed: No commits between {base} and {head}")
        return self.add_pull(head, base, title=title, body=body, author=self.me.login, draft=draft)

    @_port(write=True)
    def edit_pull_request(self, number: int, title: str, body: str) -> Denied | None:
        if number not in self.pulls:
            return Denied(404, "Not Found")
        self.pulls[number] = replace(self.pulls[number], title=title, body=body)
        return None

    @_port(write=True)
    def add_labels(self, number: int, labels: Sequence[str]) -> Denied | None:
        if number not in self.threads:
            return Denied(404, "Not Found")
        kept = self.labels.setdefault(number, [])
        kept.extend(label for label in labels if label not in kept)
        return None

    @_port(write=True)
    def request_reviewers(self, number: int, logins: Sequence[str]) -> Denied | None:
        if number not in self.pulls:
            return Denied(404, "Not Found")
        if self.pulls[number].author in logins:
            return Denied(422, "Review cannot be requested from pull request author.")
        kept = self.reviewers.setdefault(number, [])
        kept.extend(login for login in logins if login not in kept)
        return None

    @_port()
    def comments(self, number: int) -> tuple[Comment, ...]:
        return tuple(self.threads.get(number, ()))

    @_port(write=True)
    def comment(self, number: int, body: str, marker: str) -> Comment | Denied:
        if number not in self.threads:
            return Denied(404, "Not Found")
        for comment in self.threads[number]:
            if comment.author == self.me.login and marker in comment.body:
                return self._edit(comment.id, body)
        return self.say(number, self.me.login, body)

    @_port(write=True)
    def edit_comment(self, comment_id: int, body: str) -> Denied | None:
        if not self._has_comment(comment_id):
            return Denied(404, "Not Found")
        self._edit(comment_id, body)
        return None

    @_port(write=True)
    def react(self, comment_id: int, content: str) -> Denied | None:
        if not self._has_comment(comment_id):
            return Denied(404, "Not Found")
        self.reactions.setdefault(comment_id, set()).add((self.me.login, content))
        return None

    @_port(write=True)
    def check(self, check: Check, check_id: int | None = None) -> int | Denied:
        if self.me.kind is TokenKind.USER:
            return Denied(403, "You must authenticate via a GitHub App.")
        if check.head_sha not in self.commits:
            return Denied(422, f"No commit found for SHA: {check.head_sha}")
        if check_id is not None and check_id not in self.checks:
            return Denied(404, "Not Found")
        number = self._next() + 400 if check_id is None else check_id
        self.checks[number] = check
        return number

    # --- inside -------------------------------------------------------------------------------------------------------

    def _resolve(self, ref: str) -> str | None:
        if ref in self.commits:
            return ref
        return self.branches.get(ref.removeprefix("refs/heads/")) or self.tags.get(ref.removeprefix("refs/tags/"))

    def _ancestors(self, sha: str) -> dict[str, None]:
        """The commit and all before it, children before parents."""
        reached: set[str] = set()
        waiting = [sha]
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting.extend(self.commits[one].parents)
        return dict.fromkeys(sorted(reached, key=lambda one: self.commits[one].date, reverse=True))

    def _pull(self, number: int) -> PullRequest:
        """As the host shows it now: its head and test merge follow the branches while it is open."""
        pull = self.pulls[number]
        if pull.state != "open":
            return pull
        head = self.branches.get(pull.head_branch, pull.head_sha)
        if pull.head_repository != self.repository:
            head = pull.head_sha
        base = self.branches.get(pull.base_branch, pull.base_sha)
        merge = pull.merge_sha
        if not merge or self.commits[merge].parents != (base, head):
            merge = self._merge(base, head)
        self.pulls[number] = replace(pull, head_sha=head, base_sha=base, merge_sha=merge)
        return self.pulls[number]

    def _merge(self, base: str, head: str) -> str:
        """The test merge: what head changed since both parted, on top of base (no conflicts here: head wins)."""
        theirs = self._ancestors(base)
        fork_point = next((sha for sha in self._ancestors(head) if sha in theirs), None)
        before = self.commits[fork_point].files if fork_point else {}
        after = self.commits[head].files
        changes = {
            path: FileWrite(data, mode) for path, (mode, data) in after.items() if before.get(path) != after[path]
        }
        changes |= {path: FileWrite(None) for path in before if path not in after}
        return self.add_commit([base, head], changes, f"Merge {head} into {base}")

    def _pulls_from(self, head_branch: str) -> tuple[PullRequest, ...]:
        mine = [pull for pull in self.pulls.values() if pull.head_branch == head_branch]
        newest_first = sorted(mine, key=lambda pull: pull.number, reverse=True)
        return tuple(self._pull(pull.number) for pull in newest_first if pull.head_repository == self.repository)

    def _has_comment(self, comment_id: int) -> bool:
        return any(comment.id == comment_id for thread in self.threads.values() for comment in thread)

    def _edit(self, comment_id: int, body: str) -> Comment:
        for thread in self.threads.values():
            for index, comment in enumerate(thread):
                if comment.id == comment_id:
                    thread[index] = replace(comment, body=body)
                    return thread[index]
        raise KeyError(comment_id)


def blob_sha(content: bytes) -> str:
    """A blob's id as git computes it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _writes(files: Contents) -> dict[str, FileWrite]:
    return {
        path: FileWrite(content.encode() if isinstance(content, str) else content) for path, content in files.items()
    }


def _time(serial: int) -> str:
    return datetime.fromtimestamp(_EPOCH + 60 * serial, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
