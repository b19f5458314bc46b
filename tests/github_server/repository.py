"""A repository of the server: what tests build and look at. The HTTP routes change the same objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tests.github_server import runs
from tests.github_server.discussions import Discussions
from tests.github_server.state import Artifact, CheckRun, Job, Run, Workflow, packed

if TYPE_CHECKING:
    from tests.github_server.world import World

WORKFLOWS = ".github/workflows"


class Repository(Discussions):
    """State and builders (more of them in Code and Discussions). Logins that builders name exist from then on.

    collaborators: login → none, read, triage, write, maintain or admin (the owner is admin).
    actions_may_create_pull_requests: the setting "Allow GitHub Actions to create and approve pull requests".
    protected: names of protected branches, which take no update. rules: types of the rules that hold for a branch,
    existing or not; those named creation, update and required_signatures are enforced. secrets, organization_secrets:
    names of Actions secrets. tree_limit: entries after which a tree's listing is truncated. deleted: answers 404.
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
        super().__init__(world, owner, name, default_branch)
        self.id = number
        self.private = private
        self.fork_of = fork_of
        self.deleted = False
        self.created = world.now()
        self.collaborators: dict[str, str] = {owner: "admin"}
        self.protected: set[str] = set()
        self.rules: dict[str, tuple[str, ...]] = {}
        self.secrets: set[str] = set()
        self.organization_secrets: set[str] = set()
        self.tree_limit = 100_000
        self.actions_may_create_pull_requests = True
        self.workflows: dict[str, Workflow] = {}
        self.runs: list[Run] = []
        self.checks: list[CheckRun] = []

    def role(self, login: str) -> str:
        """Role of a login; strangers read public repositories."""
        known = {name.lower(): role for name, role in self.collaborators.items()}
        return known.get(login.lower(), "none" if self.private else "read")

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
            started=now,
            updated=now,
            pull_requests=list(pull_requests),
        )
        self._fill(run, jobs, logs, artifacts)
        self.runs.append(run)
        return run

    def rerun(
        self,
        run: Run,
        *,
        conclusion: str = "failure",
        triggering_actor: str = "octocat",
        artifacts: Mapping[str, bytes | Mapping[str, bytes | str]] | None = None,
        logs: Mapping[str, str | bytes] | None = None,
        jobs: Sequence[runs.JobSpec] = (),
        started: float | None = None,
    ) -> Run:
        """One more attempt of a run, started by `triggering_actor`; what earlier attempts left stays.

        started: seconds since the epoch; by default now."""
        self.world.user(triggering_actor)
        run.attempt += 1
        run.status, run.conclusion, run.triggering_actor = "completed", conclusion, triggering_actor
        run.started = run.updated = max(self.world.now() if started is None else started, run.started + 1)
        self._fill(run, jobs, logs, artifacts)
        return run

    def _fill(
        self,
        run: Run,
        jobs: Sequence[runs.JobSpec],
        logs: Mapping[str, str | bytes] | None,
        artifacts: Mapping[str, bytes | Mapping[str, bytes | str]] | None,
    ) -> None:
        """Jobs and artifacts of a run's present attempt."""
        for spec in runs.complete(jobs, logs or {}, run.conclusion):
            self.add_job(run, spec)
        for name, contents in (artifacts or {}).items():
            run.artifacts.append(Artifact(self.world.next_id(), name, packed(contents), run.started + 1))

    def add_job(self, run: Run, spec: runs.JobSpec) -> Job:
        """One more job, in the run's present attempt."""
        job = runs.job_of(spec, self.world.next_id(), run)
        run.jobs.append(job)
        return job

    def known_workflows(self) -> list[Workflow]:
        """Those that ran, and those whose files stand on the default branch."""
        tip = self.branches.get(self.default_branch)
        paths = [entry.path for entry in self.git.tree(tip, recursive=True, path=WORKFLOWS)] if tip else []
        for path in paths:
            if path.endswith((".yml", ".yaml")) and path not in [one.path for one in self.workflows.values()]:
                name = re.search(rb"^name:\s*(.+?)\s*$", self.file(self.default_branch, path) or b"", re.MULTILINE)
                self.workflow(name[1].decode(errors="replace") if name else path, path)
        return list(self.workflows.values())

    def workflow_named(self, name: str) -> Workflow | None:
        """By number, or by the workflow's file name."""
        for workflow in self.known_workflows():
            if name in (str(workflow.id), workflow.path, PurePosixPath(workflow.path).name):
                return workflow
        return None
