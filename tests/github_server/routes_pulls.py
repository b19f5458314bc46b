"""Pull requests and their reviewers."""

from __future__ import annotations

from bot.ports import TokenKind
from tests.github_server import objects_pulls
from tests.github_server.exchange import Problem, Response, invalid
from tests.github_server.router import Context, not_found, route
from tests.github_server.state import Pull

PULLS = "/repos/{owner}/{repo}/pulls"
PULL = PULLS + "/{pull_number}"
NOT_PERMITTED = "GitHub Actions is not permitted to create or approve pull requests."
BODY_LIMIT = 65536
TITLE_LIMIT = 256


def the_pull(context: Context) -> Pull:
    found = context.repository.pulls.get(context.number("pull_number"))
    if found is None:
        raise not_found()
    return found


def check_texts(title: str, body: str) -> None:
    if not title:
        raise invalid("PullRequest", "title", "missing_field")
    if len(title) > TITLE_LIMIT:
        raise invalid("PullRequest", "title", "custom", f"title is too long (maximum is {TITLE_LIMIT} characters)")
    if len(body) > BODY_LIMIT:
        raise invalid("PullRequest", "body", "custom", f"body is too long (maximum is {BODY_LIMIT} characters)")


@route("GET", PULLS, "pull_requests:read")
def list_pulls(context: Context) -> Response:
    """`head` filters only in the form OWNER:BRANCH, as on GitHub: anything else is ignored there."""
    query, repository = context.request.query, context.repository
    state, head = query.get("state", "open"), query.get("head", "")
    chosen = [
        pull
        for pull in repository.pulls.values()
        if state in ("all", pull.state)
        and query.get("base", pull.base_branch) == pull.base_branch
        and (":" not in head or head == f"{pull.head_repository.partition('/')[0]}:{pull.head_branch}")
    ]
    key = (lambda pull: (pull.updated, pull.number)) if query.get("sort") == "updated" else (lambda pull: pull.number)
    newest_first = query.get("direction", "asc" if query.get("sort") not in (None, "created") else "desc") == "desc"
    chosen.sort(key=key, reverse=newest_first)
    return context.page([objects_pulls.pull_simple(repository, pull) for pull in chosen])


@route("POST", PULLS, "pull_requests:write")
def create_pull(context: Context) -> Response:
    repository, body, login = context.repository, context.body, context.token.login
    if context.token.kind is TokenKind.ACTIONS and not repository.actions_may_create_pull_requests:
        raise Problem(403, NOT_PERMITTED)
    check_texts(body.get("title", ""), body.get("body") or "")
    owner, _, branch = body["head"].rpartition(":")
    source = repository
    if owner and owner.lower() != repository.owner.lower():
        forks = (one for one in context.world.repositories.values() if one.fork_of is repository)
        source = next((one for one in forks if one.owner.lower() == owner.lower()), repository)
    if branch not in source.branches:
        raise invalid("PullRequest", "head")
    if body["base"] not in repository.branches:
        raise invalid("PullRequest", "base")
    for pull in repository.pulls.values():
        same = (pull.head_branch, pull.head_repository, pull.base_branch) == (branch, source.full_name, body["base"])
        if same and pull.state == "open":
            label = f"{source.owner}:{branch}"
            raise Problem(
                422,
                "Validation Failed",
                (
                    {
                        "resource": "PullRequest",
                        "code": "custom",
                        "message": f"A pull request already exists for {label}.",
                    },
                ),
            )
    if source is repository and repository.git.is_ancestor(branch, repository.branches[body["base"]]):
        message = f"No commits between {body['base']} and {branch}"
        raise Problem(422, "Validation Failed", ({"resource": "PullRequest", "code": "custom", "message": message},))
    made = repository.add_pull(
        branch,
        body["base"],
        title=body["title"],
        body=body.get("body") or "",
        user=login,
        draft=body.get("draft", False),
        from_fork=None if source is repository else source,
    )
    return Response(201, objects_pulls.pull_full(repository, made))


@route("GET", PULL, "pull_requests:read")
def get_pull(context: Context) -> Response:
    return Response(200, objects_pulls.pull_full(context.repository, the_pull(context)))


@route("PATCH", PULL, "pull_requests:write")
def update_pull(context: Context) -> Response:
    repository, body, pull = context.repository, context.body, the_pull(context)
    check_texts(body.get("title", pull.title), body.get("body") or "")
    pull.title = body.get("title", pull.title)
    pull.body = (body["body"] or "") if "body" in body else pull.body
    pull.updated = context.world.now()
    if "base" in body:
        if body["base"] not in repository.branches:
            raise invalid("PullRequest", "base")
        pull.base_branch = body["base"]
    if body.get("state") == "closed" and pull.state == "open":
        repository.close_pull(pull.number, by=context.token.login)
    elif body.get("state") == "open" and not pull.merged:
        pull.state, pull.closed, pull.closed_by = "open", None, ""
    repository.refresh_pulls()
    return Response(200, objects_pulls.pull_full(repository, pull))


@route("POST", PULL + "/requested_reviewers", "pull_requests:write")
def request_reviewers(context: Context) -> Response:
    """Only people who may read the repository and are not its author; the whole request is refused otherwise."""
    repository, body, pull = context.repository, context.body, the_pull(context)
    for login in body.get("reviewers", []):
        if login.lower() == pull.user.lower():
            raise Problem(422, "Review cannot be requested from pull request author.")
        if login.lower() not in (name.lower() for name in repository.collaborators):
            raise Problem(
                422,
                "Reviews may only be requested from collaborators. "
                f"One or more of the users or teams you specified is not a collaborator of the {repository.full_name} repository.",
            )
    pull.reviewers += [login for login in body.get("reviewers", []) if login not in pull.reviewers]
    pull.teams += [team for team in body.get("team_reviewers", []) if team not in pull.teams]
    return Response(201, objects_pulls.pull_simple(repository, pull))
