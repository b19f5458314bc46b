"""A code host in memory: it keeps commits, runs, pull requests and comments, and answers from them.

Beside the port (bot.ports.Forge) it has builders for what other people do (`push`, `add_run`, `say`, …), its whole
state is public, and it can be told to deny, to fail, to crash and to have somebody act in the middle of a call.
It is thread-safe: one call at a time, as a database would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from bot.ports import (
    ActionsSettings,
    ArtifactInfo,
    Check,
    Comment,
    CommitInfo,
    Comparison,
    Denied,
    FileWrite,
    Issue,
    Missing,
    NotModified,
    Permission,
    PullRequest,
    RunsPage,
    TokenKind,
    TreeEntry,
    Viewer,
    WorkflowJob,
    WorkflowRun,
)
from tests.fake_forge_state import Call, Dispatched, FakeCommit, FakeForgeState, blob_sha, zipped

__all__ = ["Call", "Dispatched", "FakeCommit", "FakeForge", "blob_sha", "zipped"]

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


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


class FakeForge(FakeForgeState):
    """Implements bot.ports.Forge."""

    # --- the port: who ------------------------------------------------------------------------------------------------

    @_port()
    def viewer(self) -> Viewer:
        return self.me

    @_port()
    def default_branch(self) -> str:
        return self.main

    @_port()
    def calls_left(self) -> int | None:
        return self.left

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
    def runs_page(self, created: str, *, workflow: str = "", page: int = 1, etag: str = "") -> RunsPage | NotModified:
        first, _, last = created.partition("..")
        found = [
            run
            for run in self.workflow_runs.values()
            if workflow in ("", run.path.rpartition("/")[2])
            and first in ("*", min(first, run.created_at))
            and last in ("*", max(last, run.created_at))
        ]
        found.sort(key=lambda run: (run.created_at, run.id), reverse=True)
        shown = tuple(found[:1000][(page - 1) * 100 : page * 100])
        now = hashlib.sha256(repr((shown, len(found))).encode()).hexdigest()
        if etag == now:
            return NotModified()
        return RunsPage(shown, len(found), now, min(len(found), 1000) > page * 100)

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
    def create_commit(
        self, parent: str | None, files: Mapping[str, FileWrite], message: str, also: str | None = None
    ) -> str | Denied:
        parents = [sha for sha in (parent, also) if sha is not None]
        if any(sha not in self.commits for sha in parents):
            return Denied(422, "Parent SHA does not exist or is not a commit object")
        return self.add_commit(parents, files, message, self.me.login)

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
    def issues(self, labels: Sequence[str] = (), *, state: str = "open") -> tuple[Issue, ...]:
        shown = (self._issue(number) for number in sorted(self.plain_issues, reverse=True))
        return tuple(
            each for each in shown if state in ("all", each.state) and set(labels) <= set(self.labels[each.number])
        )

    @_port()
    def issue(self, number: int) -> Issue | None:
        return self._issue(number) if number in self.plain_issues else None

    @_port(write=True)
    def open_issue(self, title: str, body: str, labels: Sequence[str], marker: str) -> Issue | Denied:
        for number in sorted(self.plain_issues):
            known = self._issue(number)
            ours = known.state == "open" and known.author == self.me.login and marker in known.body
            if ours and set(labels) <= set(known.labels):
                self.plain_issues[number] = replace(self.plain_issues[number], title=title, body=body)
                return self._issue(number)
        number = self.add_issue(title, body=body, author=self.me.login)
        self.labels[number].extend(dict.fromkeys(labels))
        return self._issue(number)

    @_port(write=True)
    def edit_issue(self, number: int, title: str, body: str) -> Denied | None:
        if number not in self.plain_issues:
            return Denied(404, "Not Found")
        self.plain_issues[number] = replace(self.plain_issues[number], title=title, body=body)
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

    # --- settings -----------------------------------------------------------------------------------------------------

    @_port()
    def actions_settings(self) -> ActionsSettings:
        return self.settings

    @_port()
    def branch_rules(self, branch: str) -> tuple[str, ...] | None:
        return None if self.rules is None else self.rules.get(branch, ())

    @_port()
    def has_secret(self, name: str) -> bool | None:
        return None if self.secrets is None else name in self.secrets
