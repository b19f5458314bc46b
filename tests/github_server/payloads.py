"""What GitHub would send to a workflow about the server's state: the files behind GITHUB_EVENT_PATH.

Each is complete by the description's schema of that webhook (tests/contract/test_github_server.py holds it to that).
"""

from __future__ import annotations

from typing import Any

from tests.github_server import objects, objects_issues, objects_pulls, objects_runs
from tests.github_server.git_data import ZERO, GitCommit
from tests.github_server.repository import Repository
from tests.github_server.state import Comment, Pull, Run, iso


def of_run(repository: Repository, run: Run, sender: str = "") -> dict[str, Any]:
    """workflow_run, completed."""
    return {
        "action": "completed",
        "workflow_run": objects_runs.run(repository, run),
        "workflow": objects_runs.workflow(repository, run.workflow),
        **_common(repository, sender or run.triggering_actor),
    }


def of_comment(repository: Repository, comment: Comment, action: str = "created") -> dict[str, Any]:
    """issue_comment, on an issue or a pull request."""
    subject = repository.pulls.get(comment.number) or repository.issues[comment.number]
    shown = objects_pulls.comment(repository, comment)
    issue = objects_issues.issue(repository, subject)
    changes = {"changes": {"body": {"from": (comment.edits or [""])[-1]}}} if action == "edited" else {}
    return {"action": action, **changes, "issue": issue, "comment": shown, **_common(repository, comment.user)}


def of_pull(repository: Repository, pull: Pull, action: str = "opened") -> dict[str, Any]:
    """pull_request."""
    shown = objects_pulls.pull_full(repository, pull)
    return {"action": action, "number": pull.number, "pull_request": shown, **_common(repository, pull.user)}


def of_push(repository: Repository, branch: str, sender: str = "tester") -> dict[str, Any]:
    """push of a branch's newest commit."""
    sha = repository.branches[branch]
    commit = repository.git.commit(sha)
    assert commit is not None
    before = commit.parents[0] if commit.parents else ZERO
    shown = objects.full_repository(repository)
    return {
        "ref": f"refs/heads/{branch}",
        "before": before,
        "after": sha,
        "base_ref": None,
        "created": before == ZERO,
        "deleted": False,
        "forced": False,
        "compare": objects.on_page(repository, f"/compare/{before[:12]}...{sha[:12]}"),
        "commits": [_pushed(repository, commit)],
        "head_commit": _pushed(repository, commit),
        "pusher": {"name": sender, "email": f"{sender}@users.noreply.example"},
        **_common(repository, sender),
        "repository": {**shown, "topics": [], "created_at": int(repository.created)},
    }


def of_dispatch(
    repository: Repository, workflow: str, ref: str, inputs: dict[str, str], sender: str = "octocat"
) -> dict[str, Any]:
    """workflow_dispatch. workflow: path of its file."""
    return {"inputs": inputs, "ref": f"refs/heads/{ref}", "workflow": workflow, **_common(repository, sender)}


def _common(repository: Repository, sender: str) -> dict[str, Any]:
    return {
        "repository": {**objects.full_repository(repository), "topics": []},
        "sender": objects.user(repository.world, sender),
    }


def _pushed(repository: Repository, commit: GitCommit) -> dict[str, Any]:
    people = {
        role: {"name": person.name, "email": person.email}
        for role, person in (("author", commit.author), ("committer", commit.committer))
    }
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": iso(commit.committer.when),
        "url": objects.on_page(repository, f"/commit/{commit.sha}"),
        **people,
        **{key: [] for key in ("added", "removed", "modified")},
    }
