"""JSON objects of GitHub Actions and of checks."""

from __future__ import annotations

from typing import Any

from tests.github_server.objects import git_person, minimal_repository, node_id, of, on_page, user
from tests.github_server.repository import Repository
from tests.github_server.state import Artifact, CheckRun, Job, Run, Workflow, iso

APP = {"github-actions[bot]": ("github-actions", "GitHub Actions")}


def workflow(repository: Repository, one: Workflow) -> dict[str, Any]:
    return {
        "id": one.id,
        "node_id": node_id("Workflow", one.id),
        "name": one.name,
        "path": one.path,
        "state": "active",
        "created_at": iso(one.created),
        "updated_at": iso(one.created),
        "url": of(repository, f"/actions/workflows/{one.id}"),
        "html_url": on_page(repository, f"/blob/{repository.default_branch}/{one.path}"),
        "badge_url": on_page(repository, f"/workflows/{one.id}/badge.svg"),
    }


def pull_of_run(repository: Repository, number: int) -> dict[str, Any]:
    pull = repository.pulls[number]
    source = repository.world.find(pull.head_repository) or repository

    def side(ref: str, sha: str, where: Repository) -> dict[str, Any]:
        return {"ref": ref, "sha": sha, "repo": {"id": where.id, "url": of(where, ""), "name": where.name}}

    return {
        "id": pull.id,
        "number": pull.number,
        "url": of(repository, f"/pulls/{pull.number}"),
        "head": side(pull.head_branch, pull.head_sha, source),
        "base": side(pull.base_branch, pull.base_sha, repository),
    }


def run(repository: Repository, one: Run) -> dict[str, Any]:
    url = of(repository, f"/actions/runs/{one.id}")
    head = repository.git.commit(one.head_sha)
    head_commit = None
    if head is not None:
        people = {role: git_person(getattr(head, role)) for role in ("author", "committer")}
        head_commit = {
            "id": head.sha,
            "tree_id": head.tree,
            "message": head.message,
            "timestamp": iso(head.committer.when),
            **{role: {key: person[key] for key in ("name", "email")} for role, person in people.items()},
        }
    source = repository.world.find(one.head_repository)
    return {
        "id": one.id,
        "name": one.workflow.name,
        "node_id": node_id("WorkflowRun", one.id),
        "check_suite_id": one.id + 1,
        "check_suite_node_id": node_id("CheckSuite", one.id + 1),
        "head_branch": one.head_branch,
        "head_sha": one.head_sha,
        "path": one.workflow.path,
        "run_number": one.number,
        "run_attempt": one.attempt,
        "event": one.event,
        "display_title": head.message.split("\n")[0] if head else one.workflow.name,
        "status": one.status,
        "conclusion": one.conclusion or None,
        "workflow_id": one.workflow.id,
        "url": url,
        "html_url": on_page(repository, f"/actions/runs/{one.id}"),
        "pull_requests": [pull_of_run(repository, number) for number in one.pull_requests],
        "created_at": iso(one.created),
        "updated_at": iso(one.updated),
        "run_started_at": iso(one.started),
        "actor": user(repository.world, one.actor),
        "triggering_actor": user(repository.world, one.triggering_actor),
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": of(repository, f"/check-suites/{one.id + 1}"),
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{one.attempt - 1}" if one.attempt > 1 else None,
        "workflow_url": of(repository, f"/actions/workflows/{one.workflow.id}"),
        "head_commit": head_commit,
        "repository": minimal_repository(repository),
        # null where the fork is gone: openapi.BECOMES_NULL
        "head_repository": minimal_repository(source) if source is not None and not source.deleted else None,
    }


def job(repository: Repository, of_run: Run, one: Job) -> dict[str, Any]:
    done = one.conclusion != ""
    when = {"created_at": iso(one.started), "started_at": iso(one.started)}
    completed = iso(one.completed) if done else None
    return {
        "id": one.id,
        "run_id": of_run.id,
        "run_attempt": one.attempt,
        "run_url": of(repository, f"/actions/runs/{of_run.id}"),
        "node_id": node_id("Job", one.id),
        "workflow_name": of_run.workflow.name,
        "head_branch": of_run.head_branch,
        "head_sha": of_run.head_sha,
        "url": of(repository, f"/actions/jobs/{one.id}"),
        "html_url": on_page(repository, f"/actions/runs/{of_run.id}/job/{one.id}"),
        "status": "completed" if done else "in_progress",
        "conclusion": one.conclusion or None,
        **when,
        "completed_at": completed,
        "name": one.name,
        "steps": [
            {
                "name": step.name,
                "status": "completed" if step.conclusion else "in_progress",
                "conclusion": step.conclusion or None,
                "number": step.number,
                "started_at": when["started_at"],
                "completed_at": completed if step.conclusion else None,
            }
            for step in one.steps
        ],
        "check_run_url": of(repository, f"/check-runs/{one.id}"),
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "GitHub Actions 1",
        "runner_group_id": 0,
        "runner_group_name": "GitHub Actions",
    }


def artifact(repository: Repository, of_run: Run, one: Artifact) -> dict[str, Any]:
    url = of(repository, f"/actions/artifacts/{one.id}")
    return {
        "id": one.id,
        "node_id": node_id("Artifact", one.id),
        "name": one.name,
        "size_in_bytes": len(one.archive),
        "url": url,
        "archive_download_url": f"{url}/zip",
        "expired": one.expired,
        "created_at": iso(one.created),
        "updated_at": iso(one.created),
        "expires_at": iso(one.created + 90 * 86400),
        "workflow_run": {
            "id": of_run.id,
            "repository_id": repository.id,
            "head_repository_id": repository.id,
            "head_branch": of_run.head_branch,
            "head_sha": of_run.head_sha,
        },
    }


def app(repository: Repository, login: str) -> dict[str, Any]:
    slug, name = APP.get(login, (login.removesuffix("[bot]"),) * 2)
    when = iso(repository.created)
    return {
        "id": repository.world.user(login).id,
        "slug": slug,
        "node_id": node_id("Integration", slug),
        "owner": user(repository.world, repository.owner),
        "name": name,
        "description": None,
        "external_url": repository.world.server_url,
        "html_url": f"{repository.world.server_url}/apps/{slug}",
        "created_at": when,
        "updated_at": when,
        "permissions": {"checks": "write"},
        "events": [],
    }


def check_run(repository: Repository, one: CheckRun) -> dict[str, Any]:
    url = of(repository, f"/check-runs/{one.id}")
    return {
        "id": one.id,
        "head_sha": one.head_sha,
        "node_id": node_id("CheckRun", one.id),
        "external_id": one.external_id,
        "url": url,
        "html_url": on_page(repository, f"/runs/{one.id}"),
        "details_url": one.details_url or on_page(repository, f"/runs/{one.id}"),
        "status": one.status,
        "conclusion": one.conclusion or None,
        "started_at": iso(one.started),
        "completed_at": iso(one.completed) if one.completed is not None else None,
        "output": {
            "title": one.title or None,
            "summary": one.summary or None,
            "text": one.text or None,
            "annotations_count": len(one.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "name": one.name,
        "check_suite": {"id": repository.id},
        "app": app(repository, one.app),
        "pull_requests": [
            pull_of_run(repository, pull.number)
            for pull in repository.pulls.values()
            if pull.head_sha == one.head_sha and pull.state == "open"
        ],
    }
