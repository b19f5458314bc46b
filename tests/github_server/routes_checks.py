"""Check runs: only apps may write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.github_server import objects_runs
from tests.github_server.exchange import Problem, Response, invalid
from tests.github_server.router import Context, not_found, route
from tests.github_server.state import CheckRun

REPOSITORY = "/repos/{owner}/{repo}"
CHECK = REPOSITORY + "/check-runs/{check_run_id}"


def the_check(context: Context) -> CheckRun:
    for check in context.repository.checks:
        if check.id == context.number("check_run_id"):
            return check
    raise not_found()


def apply(check: CheckRun, body: dict[str, Any], now: float) -> None:
    """What a request says of a check run; annotations are added to those that it has."""
    if body.get("status") == "completed" and not body.get("conclusion", check.conclusion):
        raise invalid("CheckRun", "conclusion", "missing_field")
    check.name = body.get("name", check.name)
    check.status = body.get("status", check.status)
    check.details_url = body.get("details_url", check.details_url)
    check.external_id = body.get("external_id", check.external_id)
    if "conclusion" in body:
        check.status, check.conclusion = "completed", body["conclusion"]
    if check.status == "completed":
        ended = body.get("completed_at")
        check.completed = datetime.fromisoformat(ended).timestamp() if ended else now
    output = body.get("output", {})
    check.title = output.get("title", check.title)
    check.summary = output.get("summary", check.summary)
    check.text = output.get("text", check.text)
    check.annotations += output.get("annotations", [])


def refuse_people(context: Context) -> None:
    if not context.token.is_integration:
        raise Problem(403, "You must authenticate via a GitHub App.")


@route("POST", REPOSITORY + "/check-runs", "checks:write")
def create_check(context: Context) -> Response:
    refuse_people(context)
    repository, body, now = context.repository, context.body, context.world.now()
    if repository.git.commit(body["head_sha"]) is None:
        raise Problem(422, f"No commit found for SHA: {body['head_sha']}")
    made = CheckRun(
        context.world.next_id(), body["name"], body["head_sha"], "queued", "", "", "", now, None, context.token.login
    )
    apply(made, body, now)
    repository.checks.append(made)
    return Response(201, objects_runs.check_run(repository, made))


@route("GET", CHECK, "checks:read")
def get_check(context: Context) -> Response:
    return Response(200, objects_runs.check_run(context.repository, the_check(context)))


@route("PATCH", CHECK, "checks:write")
def update_check(context: Context) -> Response:
    refuse_people(context)
    check = the_check(context)
    apply(check, context.body, context.world.now())
    return Response(200, objects_runs.check_run(context.repository, check))


@route("GET", REPOSITORY + "/commits/{ref}/check-runs", "checks:read")
def list_checks(context: Context) -> Response:
    repository, query = context.repository, context.request.query
    sha = repository.git.resolve(context.text("ref"))
    if sha is None:
        raise Problem(422, f"No commit found for SHA: {context.text('ref')}")
    chosen = [
        objects_runs.check_run(repository, check)
        for check in repository.checks
        if check.head_sha == sha
        and query.get("check_name", check.name) == check.name
        and query.get("status", check.status) == check.status
    ]
    return context.page(chosen[::-1], "check_runs")
