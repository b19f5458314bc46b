"""What the in-memory code host keeps, and what other people do to it (see fake_forge.py)."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import RLock

from bot.ports import (
    ActionsSettings,
    ArtifactInfo,
    Check,
    Comment,
    Denied,
    FileWrite,
    Issue,
    JobStep,
    Permission,
    PullRequest,
    TokenKind,
    Viewer,
    WorkflowJob,
    WorkflowRun,
)

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


@dataclass
class FakeForgeState:
    """Runs, jobs, comments and checks are keyed by their id, the rest as named.

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
    plain_issues: dict[int, Issue] = field(default_factory=dict)  # their labels are in `labels`
    threads: dict[int, list[Comment]] = field(default_factory=dict)  # by issue or pull request
    reactions: dict[int, set[tuple[str, str]]] = field(default_factory=dict)  # by comment: (login, content)
    checks: dict[int, Check] = field(default_factory=dict)
    labels: dict[int, list[str]] = field(default_factory=dict)
    reviewers: dict[int, list[str]] = field(default_factory=dict)
    dispatches: list[Dispatched] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    settings: ActionsSettings = field(default_factory=ActionsSettings)
    rules: dict[str, tuple[str, ...]] | None = field(default_factory=dict)  # by branch; None: may not be read
    secrets: set[str] | None = None  # names; None: may not be read
    left: int | None = None  # what calls_left answers
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
        started_at: str = "",
        completed_at: str = "",
    ) -> WorkflowJob:
        """In the run's attempt. started_at: the run's own time unless given."""
        with self._lock:
            job = WorkflowJob(
                self._next() + 500,
                name,
                conclusion,
                f"{run.url}/job",
                tuple(steps),
                "completed" if conclusion else "in_progress",
                started_at or run.started_at or run.created_at,
                completed_at,
                run.attempt,
            )
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

    def add_issue(self, title: str = "An issue", *, body: str = "", author: str = "dev") -> int:
        """Somebody opens a plain issue: it has comments and is no pull request."""
        with self._lock:
            number = self._next()
            self.threads[number] = []
            self.labels[number] = []
            url = f"{self.server_url}/{self.repository}/issues/{number}"
            self.plain_issues[number] = Issue(number, title, body, "open", author, url)
            return number

    def close_issue(self, number: int) -> None:
        """Somebody closes it."""
        with self._lock:
            self.plain_issues[number] = replace(self.plain_issues[number], state="closed")

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
            number = self._next()
            self.threads[number] = []
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

    def _issue(self, number: int) -> Issue:
        return replace(self.plain_issues[number], labels=tuple(self.labels[number]))

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
