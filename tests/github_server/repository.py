"""A repository of the server: what tests build and look at. The HTTP routes change the same objects."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tests.github_server import runs
from tests.github_server.git_data import ZERO, GitData, Person
from tests.github_server.state import (
    Artifact,
    CheckRun,
    Comment,
    Issue,
    Job,
    Label,
    Pull,
    Reaction,
    Run,
    Workflow,
    packed,
)

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


class Repository:
    """State and builders. Logins that builders name exist from then on.

    collaborators: login → none, read, triage, write, maintain or admin (the owner is admin).
    actions_may_create_pull_requests: the setting "Allow GitHub Actions to create and approve pull requests".
    protected: names of protected branches. deleted: answers 404.
    """

    def __init__(
        self,
        world: World,
        number: int,
        owner: str,
        name: str,
        default_branch: str,
        private: bool,
        fork_of: Repository | None,
    ) -> None:
        self.world = world
        self.id = number
        self.owner = owner
        self.name = name
        self.default_branch = default_branch
        self.private = private
        self.fork_of = fork_of
        self.deleted = False
        self.created = world.now()
        self.git = GitData(world.folder / owner / f"{name}.git")
        self.collaborators: dict[str, str] = {owner: "admin"}
        self.protected: set[str] = set()
        self.tree_limit = 100_000
        self.actions_may_create_pull_requests = True
        self.workflows: dict[str, Workflow] = {}
        self.runs: list[Run] = []
        self.issues: dict[int, Issue] = {}
        self.pulls: dict[int, Pull] = {}
        self.checks: list[CheckRun] = []
        self.labels: dict[str, Label] = {}
        self._comments: dict[int, Comment] = {}
        self._issue_numbers = itertools.count(1)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def clone_url(self) -> str:
        return f"{self.world.server_url}/{self.full_name}.git"

    # --- git ----------------------------------------------------------------------------------------------------

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

    # --- people -------------------------------------------------------------------------------------------------

    def role(self, login: str) -> str:
        """Role of a login; strangers read public repositories."""
        known = {name.lower(): role for name, role in self.collaborators.items()}
        return known.get(login.lower(), "none" if self.private else "read")

    # --- runs ---------------------------------------------------------------------------------------------------

    def workflow(self, name: str, path: str = "") -> Workflow:
        """The workflow of that name, made on first use; the path is made from the name unless given."""
        if name not in self.workflows:
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            path = path or f".github/workflows/{slug}.yml"
            self.workflows[name] = Workflow(self.world.next_id(), name, path, self.world.now())
        return self.workflows[name]

    def add_run(
        self,
        workflow: str = "CI",
        *,
        head_sha: str = "",
        branch: str = "",
        event: str = "push",
        conclusion: str = "failure",
        status: str = "completed",
        artifacts: Mapping[str, bytes | Mapping[str, bytes | str]] | None = None,
        logs: Mapping[str, str | bytes] | None = None,
        jobs: Sequence[runs.JobSpec] = (),
        pull_requests: Sequence[int] = (),
        head_repository: str | None = None,
        actor: str = "octocat",
        triggering_actor: str = "",
        attempt: int = 1,
        created: float | None = None,
    ) -> Run:
        """A run with its jobs and artifacts.

        logs: text by job name; a job that `jobs` does not describe failed in its step "Run tests" where the run failed.
        created: seconds since the epoch; by default now, never before the run that was added last.
        """
        branch = branch or self.default_branch
        now = max(self.world.now(), self.runs[-1].created if self.runs else 0.0) if created is None else created
        found = self.workflow(workflow)
        for login in (actor, triggering_actor or actor):
            self.world.user(login)
        run = Run(
            id=self.world.next_id(),
            workflow=found,
            number=1 + sum(other.workflow is found for other in self.runs),
            attempt=attempt,
            event=event,
            status=status,
            conclusion=conclusion if status == "completed" else "",
            head_sha=head_sha or self.branches[branch],
            head_branch=branch,
            head_repository=self.full_name if head_repository is None else head_repository,
            actor=actor,
            triggering_actor=triggering_actor or actor,
            created=now,
            updated=now,
            pull_requests=list(pull_requests),
        )
        for spec in runs.complete(jobs, logs or {}, run.conclusion):
            self.add_job(run, spec)
        for name, contents in (artifacts or {}).items():
            run.artifacts.append(Artifact(self.world.next_id(), name, packed(contents), now))
        self.runs.append(run)
        return run

    def add_job(self, run: Run, spec: runs.JobSpec) -> Job:
        """One more job, in the run's present attempt."""
        job = runs.job_of(spec, self.world.next_id(), run.attempt)
        run.jobs.append(job)
        return job

    # --- pull requests, issues, comments -------------------------------------------------------------------------

    def next_number(self) -> int:
        return next(self._issue_numbers)

    def add_pull(
        self,
        head: str,
        base: str = "",
        *,
        title: str = "A change",
        body: str = "",
        user: str = "octocat",
        draft: bool = False,
        from_fork: Repository | None = None,
    ) -> Pull:
        """A pull request from branch `head` of this repository, or of a fork, to `base` (default: the default branch)."""
        source = from_fork or self
        base = base or self.default_branch
        now = self.world.now()
        self.world.user(user)
        pull = Pull(
            self.next_number(),
            self.world.next_id(),
            title,
            body,
            user,
            head,
            source.branches[head],
            source.full_name,
            base,
            self.branches[base],
            now,
            now,
            draft,
        )
        self.pulls[pull.number] = pull
        self.refresh_pulls()
        return pull

    def refresh_pulls(self) -> None:
        """What follows from moved branches: heads, test merges, refs/pull/N/*; a deleted head closes (as GitHub does).

        The base's SHA moves with the base branch here; GitHub moves it with the next push to the head.
        """
        for pull in self.pulls.values():
            source = self.world.find(pull.head_repository)
            if pull.state != "open":
                continue
            head = source.branches.get(pull.head_branch) if source else None
            base = self.branches.get(pull.base_branch)
            if head is None or base is None:
                self.close_pull(pull.number, by=pull.user)
                continue
            refs = f"refs/pull/{pull.number}"
            if (head, base) == (pull.head_sha, pull.base_sha) and pull.merge_sha and self.git.ref(f"{refs}/head"):
                continue
            pull.head_sha, pull.base_sha = head, base
            if source is not self and source is not None:
                self.git.fetch(source.git, f"refs/heads/{pull.head_branch}", f"{refs}/head")
            else:
                self.git.git("update-ref", f"{refs}/head", head)
            tree = self.git.merged_tree(base, head)
            pull.merge_sha = ""
            if tree is None:
                self.git.delete_ref(f"{refs}/merge")
                continue
            person = Person("GitHub", "noreply@github.com", int(self.world.now()))
            message = f"Merge {head} into {base}"
            pull.merge_sha = self.git.write_commit(tree, (base, head), person, person, message, signed=True)
            self.git.git("update-ref", f"{refs}/merge", pull.merge_sha)
        if self.fork_of is not None:
            self.fork_of.refresh_pulls()

    def close_pull(self, number: int, *, by: str = "octocat") -> None:
        pull = self.pulls[number]
        pull.state, pull.closed, pull.closed_by, pull.merge_sha = "closed", self.world.now(), by, ""

    def merge_pull(self, number: int, *, by: str = "octocat") -> str:
        """Merge it as the green button does; returns the merge's SHA."""
        pull = self.pulls[number]
        assert pull.merge_sha, f"pull request {number} cannot be merged"
        merge, old = pull.merge_sha, self.branches[pull.base_branch]
        pull.state, pull.merged, pull.closed, pull.closed_by = "closed", True, self.world.now(), by
        assert self.move(f"refs/heads/{pull.base_branch}", merge, old)
        return merge

    def add_issue(self, title: str = "An issue", *, body: str = "", user: str = "octocat") -> Issue:
        """A plain issue: no pull request."""
        now = self.world.now()
        self.world.user(user)
        issue = Issue(self.next_number(), self.world.next_id(), title, body, user, now, now)
        self.issues[issue.number] = issue
        return issue

    def add_comment(self, number: int, user: str, body: str) -> Comment:
        """A comment on an issue or a pull request."""
        now = self.world.now()
        assert number in self.pulls or number in self.issues, f"there is no number {number}"
        self.world.user(user)
        comment = Comment(self.world.next_id(), number, user, body, now, now)
        self._comments[comment.id] = comment
        return comment

    def comments(self, number: int) -> list[Comment]:
        """Comments of an issue or a pull request, oldest first."""
        return [comment for comment in self._comments.values() if comment.number == number]

    def comment(self, comment_id: int) -> Comment | None:
        return self._comments.get(comment_id)

    def delete_comment(self, comment_id: int) -> None:
        del self._comments[comment_id]

    def reactions(self, comment_id: int) -> list[Reaction]:
        return self._comments[comment_id].reactions

    def label(self, name: str) -> Label:
        """The label of that name, made on first use."""
        return self.labels.setdefault(name.lower(), Label(self.world.next_id(), name))

    def workflow_named(self, name: str) -> Workflow | None:
        """By number, or by the workflow's file name."""
        for workflow in self.workflows.values():
            if name in (str(workflow.id), workflow.path, PurePosixPath(workflow.path).name):
                return workflow
        return None
