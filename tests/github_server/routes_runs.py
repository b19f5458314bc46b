"""Workflows, their runs, jobs, logs and artifacts."""

from __future__ import annotations

import re

from tests.github_server import objects_runs, runs
from tests.github_server.exchange import Problem, Response
from tests.github_server.router import Context, not_found, route
from tests.github_server.state import Artifact, Job, Run, iso

ACTIONS = "/repos/{owner}/{repo}/actions"
RUN = ACTIONS + "/runs/{run_id}"
LISTED = 1000
COMPARED = re.compile(r"(>=|<=|>|<)?(\d{4}-\d\d-\d\d(?:T[^.\s]+)?)|(\S+)\.\.(\S+)")


def the_run(context: Context) -> Run:
    for run in context.repository.runs:
        if run.id == context.number("run_id"):
            return run
    raise not_found()


def fits(run: Run, context: Context) -> bool:
    """Whether a run passes the filters of the query."""
    query = context.request.query
    return (
        query.get("branch", run.head_branch) == run.head_branch
        and query.get("head_sha", run.head_sha) == run.head_sha
        and query.get("event", run.event) == run.event
        and query.get("actor", run.actor).lower() == run.actor.lower()
        and query.get("status", run.status) in (run.status, run.conclusion)
        and was_created(iso(run.created), query.get("created", ""))
    )


def was_created(when: str, asked: str) -> bool:
    """GitHub's search syntax for dates: a day, a comparison or a range, `*` for an open end."""
    found = COMPARED.fullmatch(asked)
    if not found:
        return asked == ""
    sign, day, first, last = found.groups()
    if day is None:
        return (first == "*" or first <= when) and (last == "*" or when[: len(last)] <= last)
    cut = when[: len(day)]
    return {">=": cut >= day, "<=": cut <= day, ">": cut > day, "<": cut < day, None: cut == day}[sign]


def listed(context: Context, chosen: list[Run]) -> Response:
    """total_count tells of all, and pages end at LISTED where a filter was given, as GitHub says of this listing."""
    newest = sorted((run for run in chosen if fits(run, context)), key=lambda run: (run.created, run.id), reverse=True)
    filtered = not context.request.query.keys() <= {"page", "per_page"}
    return context.page(
        newest[:LISTED] if filtered else newest,
        "workflow_runs",
        shown=lambda run: objects_runs.run(context.repository, run),
        total=len(newest),
    )


@route("GET", ACTIONS + "/workflows", "actions:read")
def list_workflows(context: Context) -> Response:
    found = [objects_runs.workflow(context.repository, one) for one in context.repository.known_workflows()]
    return context.page(found, "workflows")


@route("GET", ACTIONS + "/runs", "actions:read")
def list_runs(context: Context) -> Response:
    return listed(context, context.repository.runs)


@route("GET", ACTIONS + "/workflows/{workflow_id}/runs", "actions:read")
def list_runs_of_workflow(context: Context) -> Response:
    workflow = context.repository.workflow_named(context.text("workflow_id"))
    if workflow is None:
        raise not_found()
    return listed(context, [run for run in context.repository.runs if run.workflow is workflow])


@route("GET", RUN, "actions:read")
def get_run(context: Context) -> Response:
    return Response(200, objects_runs.run(context.repository, the_run(context)))


def listed_jobs(context: Context, attempt: int | None) -> Response:
    run = the_run(context)
    jobs = [job for job in run.jobs if attempt is None or job.attempt == attempt]
    return context.page([objects_runs.job(context.repository, run, job) for job in jobs], "jobs")


@route("GET", RUN + "/jobs", "actions:read")
def list_jobs(context: Context) -> Response:
    every = context.request.query.get("filter") == "all"
    return listed_jobs(context, None if every else the_run(context).attempt)


@route("GET", RUN + "/attempts/{attempt_number}/jobs", "actions:read")
def list_jobs_of_attempt(context: Context) -> Response:
    if not 1 <= context.number("attempt_number") <= the_run(context).attempt:
        raise not_found()
    return listed_jobs(context, context.number("attempt_number"))


@route("GET", ACTIONS + "/jobs/{job_id}/logs", "actions:read")
def get_job_log(context: Context) -> Response:
    found: Job | None = None
    for run in context.repository.runs:
        found = next((job for job in run.jobs if job.id == context.number("job_id")), found)
    if found is None or not found.conclusion:
        raise not_found()
    if found.log_gone:
        raise Problem(410, "Gone")
    return context.server.offer_blob(found.log)


@route("GET", RUN + "/logs", "actions:read")
def get_run_logs(context: Context) -> Response:
    return context.server.offer_blob(runs.log_archive(the_run(context)))


@route("GET", RUN + "/artifacts", "actions:read")
def list_artifacts(context: Context) -> Response:
    run, name = the_run(context), context.request.query.get("name")
    chosen = [one for one in run.artifacts if name in (None, one.name)]
    return context.page([objects_runs.artifact(context.repository, run, one) for one in chosen], "artifacts")


@route("GET", ACTIONS + "/artifacts/{artifact_id}/{archive_format}", "actions:read")
def get_archive(context: Context) -> Response:
    found: Artifact | None = None
    for run in context.repository.runs:
        found = next((one for one in run.artifacts if one.id == context.number("artifact_id")), found)
    if found is None or context.text("archive_format") != "zip":
        raise not_found()
    if found.expired:
        raise Problem(410, "Artifact has expired")
    return context.server.offer_blob(found.archive)


@route("POST", RUN + "/cancel", "actions:write")
def cancel(context: Context) -> Response:
    run = the_run(context)
    if run.status == "completed":
        raise Problem(409, "Cannot cancel a workflow run that is completed.")
    run.status, run.conclusion, run.updated = "completed", "cancelled", context.world.now()
    return Response(202, {})


@route("POST", ACTIONS + "/workflows/{workflow_id}/dispatches", "actions:write")
def dispatch(context: Context) -> Response:
    """Starts a run that stays queued. The workflow's file on that ref must take workflow_dispatch."""
    repository, body = context.repository, context.body
    ref = body["ref"].removeprefix("refs/heads/")
    workflow = repository.workflow_named(context.text("workflow_id"))
    if workflow is None:
        raise not_found()
    if repository.git.resolve(ref) is None:
        raise Problem(422, f"No ref found for: {ref}")
    if b"workflow_dispatch" not in (repository.file(ref, workflow.path) or b""):
        raise Problem(422, "Workflow does not have 'workflow_dispatch' trigger")
    run = repository.add_run(
        workflow.name,
        head_sha=repository.git.resolve(ref) or "",
        branch=ref,
        event="workflow_dispatch",
        status="queued",
        actor=context.token.login,
    )
    run.inputs = dict(body.get("inputs", {}))
    return Response(204)
