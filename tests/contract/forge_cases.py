"""Two code hosts with the same people in front of them: one in memory, one behind HTTP.

A host gives the forge under test, does what other people do, and is looked at. Cases use nothing else, so that both
are held to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bot.adapters.github import GitHubForge
from bot.ports import Denied, Forge, Permission, TokenKind, Viewer
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.github_server import GitHubServer

NAME = "octo/shop"
LOGINS = {TokenKind.ACTIONS: "github-actions[bot]", TokenKind.APP: "grokfix-app[bot]", TokenKind.USER: "maintainer"}
EVERYTHING = {
    "actions": "write",
    "administration": "read",
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "pull-requests": "write",
    "secrets": "read",
}
Contents = Mapping[str, str | bytes | None]


class Host(Protocol):
    """What other people do, and what stands there in the end."""

    @property
    def forge(self) -> Forge: ...
    def push(self, branch: str, files: Contents, start: str = "") -> str: ...
    def delete_branch(self, name: str) -> None: ...
    def person(self, login: str, permission: Permission) -> None: ...
    def add_run(
        self,
        sha: str,
        *,
        workflow: str = "tests",
        branch: str = "main",
        conclusion: str = "failure",
        status: str = "completed",
        log: bytes = b"",
        artifacts: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> int: ...
    def expire(self, artifact_id: int) -> None: ...
    def add_pull(self, head: str, base: str = "main") -> int: ...
    def close(self, number: int) -> None: ...
    def merge(self, number: int) -> None: ...
    def add_issue(self) -> int: ...
    def say(self, number: int, login: str, body: str) -> int: ...
    def reactions(self, comment_id: int) -> list[tuple[str, str]]: ...
    def annotations(self, check_id: int) -> int: ...
    def conclusion(self, check_id: int) -> str: ...
    def labels(self, number: int) -> list[str]: ...
    def reviewers(self, number: int) -> list[str]: ...
    def dispatched(self) -> list[tuple[str, str, Mapping[str, str]]]: ...
    def message(self, sha: str) -> str: ...
    def parents(self, sha: str) -> tuple[str, ...]: ...
    def forbid_pull_requests(self) -> None: ...


class FakeHost:
    """The host in memory."""

    def __init__(self, kind: TokenKind = TokenKind.ACTIONS) -> None:
        self.forge = FakeForge(repository=NAME, me=Viewer(LOGINS[kind], kind))

    def push(self, branch: str, files: Contents, start: str = "") -> str:
        if branch not in self.forge.branches and (start or "main") in self.forge.branches:
            self.forge.branches[branch] = self.forge.branches[start or "main"]
        return self.forge.push(branch, files, author="tester")

    def delete_branch(self, name: str) -> None:
        del self.forge.branches[name]

    def person(self, login: str, permission: Permission) -> None:
        self.forge.permissions[login] = permission

    def add_run(
        self,
        sha: str,
        *,
        workflow: str = "tests",
        branch: str = "main",
        conclusion: str = "failure",
        status: str = "completed",
        log: bytes = b"",
        artifacts: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> int:
        number = {"tests": 7, "lint": 8}[workflow]
        run = self.forge.add_run(
            sha, workflow=workflow, workflow_id=number, branch=branch, conclusion=conclusion, status=status
        )
        self.forge.add_job(run, "test (3.12)", log=log)
        for name, files in (artifacts or {}).items():
            self.forge.add_artifact(run, name, files)
        return run.id

    def expire(self, artifact_id: int) -> None:
        del self.forge.artifact_bytes[artifact_id]

    def add_pull(self, head: str, base: str = "main") -> int:
        return self.forge.add_pull(head, base).number

    def close(self, number: int) -> None:
        self.forge.close(number)

    def merge(self, number: int) -> None:
        self.forge.close(number, merged=True)

    def add_issue(self) -> int:
        return self.forge.add_issue()

    def say(self, number: int, login: str, body: str) -> int:
        return self.forge.say(number, login, body).id

    def reactions(self, comment_id: int) -> list[tuple[str, str]]:
        return sorted(self.forge.reactions.get(comment_id, ()))

    def annotations(self, check_id: int) -> int:
        return len(self.forge.checks[check_id].annotations)

    def conclusion(self, check_id: int) -> str:
        return self.forge.checks[check_id].conclusion

    def labels(self, number: int) -> list[str]:
        return sorted(self.forge.labels.get(number, ()))

    def reviewers(self, number: int) -> list[str]:
        return sorted(self.forge.reviewers.get(number, ()))

    def dispatched(self) -> list[tuple[str, str, Mapping[str, str]]]:
        return [(one.workflow, one.ref, one.inputs) for one in self.forge.dispatches]

    def message(self, sha: str) -> str:
        return self.forge.commits[sha].message

    def parents(self, sha: str) -> tuple[str, ...]:
        return self.forge.commits[sha].parents

    def forbid_pull_requests(self) -> None:
        words = "GitHub Actions is not permitted to create or approve pull requests."
        self.forge.denied["open_pull_request"] = Denied(403, words)


class ServerHost:
    """The tests' GitHub server, and the adapter in front of it."""

    def __init__(
        self,
        server: GitHubServer,
        kind: TokenKind = TokenKind.ACTIONS,
        permissions: Mapping[str, str] | None = None,
    ) -> None:
        self.server = server
        self.shop = server.create(NAME)
        self.shop.add_issue()  # numbers of pull requests and ids are no small numbers by chance
        self.token = server.token(kind, EVERYTHING if permissions is None else permissions, LOGINS[kind])
        self.clock = FakeClock()
        self.forge = self.new_forge()

    def new_forge(self) -> GitHubForge:
        """As a new process has it: nothing remembered."""
        return GitHubForge(
            self.token,
            NAME,
            api_url=self.server.api_url,
            server_url=self.server.server_url,
            graphql_url=self.server.graphql_url,
            clock=self.clock,
        )

    @property
    def asked(self) -> list[str]:
        return [str(entry) for entry in self.server.journal]

    def push(self, branch: str, files: Contents, start: str = "") -> str:
        return self.shop.commit(branch, files, "Change", start=start)

    def delete_branch(self, name: str) -> None:
        self.shop.git.delete_ref(f"refs/heads/{name}")

    def person(self, login: str, permission: Permission) -> None:
        self.server.world.user(login)
        self.shop.collaborators[login] = permission.value

    def add_run(
        self,
        sha: str,
        *,
        workflow: str = "tests",
        branch: str = "main",
        conclusion: str = "failure",
        status: str = "completed",
        log: bytes = b"",
        artifacts: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> int:
        return self.shop.add_run(
            workflow,
            head_sha=sha,
            branch=branch,
            conclusion=conclusion,
            status=status,
            logs={"test (3.12)": log},
            artifacts=artifacts,
            actor="dev",
        ).id

    def expire(self, artifact_id: int) -> None:
        for run in self.shop.runs:
            for artifact in run.artifacts:
                artifact.expired = artifact.expired or artifact.id == artifact_id

    def add_pull(self, head: str, base: str = "main") -> int:
        return self.shop.add_pull(head, base, user="dev").number

    def close(self, number: int) -> None:
        self.shop.close_pull(number)

    def merge(self, number: int) -> None:
        self.shop.merge_pull(number)

    def add_issue(self) -> int:
        return self.shop.add_issue().number

    def say(self, number: int, login: str, body: str) -> int:
        return self.shop.add_comment(number, login, body).id

    def reactions(self, comment_id: int) -> list[tuple[str, str]]:
        return sorted((one.user, one.content) for one in self.shop.reactions(comment_id))

    def annotations(self, check_id: int) -> int:
        return next(len(check.annotations) for check in self.shop.checks if check.id == check_id)

    def conclusion(self, check_id: int) -> str:
        return next(check.conclusion for check in self.shop.checks if check.id == check_id)

    def labels(self, number: int) -> list[str]:
        return sorted(label.name for label in self.shop.pulls[number].labels)

    def reviewers(self, number: int) -> list[str]:
        pull = self.shop.pulls[number]
        return sorted((*pull.reviewers, *(f"octo/{team}" for team in pull.teams)))

    def dispatched(self) -> list[tuple[str, str, Mapping[str, str]]]:
        started = [run for run in self.shop.runs if run.event == "workflow_dispatch"]
        return [(run.workflow.path.rpartition("/")[2], run.head_branch, run.inputs) for run in started]

    def message(self, sha: str) -> str:
        return self.shop.seen(sha).message

    def parents(self, sha: str) -> tuple[str, ...]:
        return self.shop.seen(sha).parents

    def forbid_pull_requests(self) -> None:
        self.shop.actions_may_create_pull_requests = False
