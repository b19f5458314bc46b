"""Issues; labels, comments and reactions, on issues and pull requests alike."""

from __future__ import annotations

from collections.abc import Mapping

from tests.github_server import objects, objects_issues, objects_pulls
from tests.github_server.exchange import Problem, Response, invalid
from tests.github_server.router import Context, not_found, route
from tests.github_server.state import Comment, Issue, Pull, Reaction, iso

REPOSITORY = "/repos/{owner}/{repo}"
ISSUE = REPOSITORY + "/issues/{issue_number}"
COMMENT = REPOSITORY + "/issues/comments/{comment_id}"
READS = ("issues:read", "pull_requests:read")
WRITES = ("issues:write", "pull_requests:write")
BODY_LIMIT = 65536
LABEL_LIMIT = 50


def the_subject(context: Context) -> Issue | Pull:
    number = context.number("issue_number")
    found = context.repository.pulls.get(number) or context.repository.issues.get(number)
    if found is None:
        raise not_found()
    return found


def the_comment(context: Context) -> Comment:
    found = context.repository.comment(context.number("comment_id"))
    if found is None:
        raise not_found()
    return found


def checked_body(context: Context) -> str:
    body: str = context.body["body"]
    if not body.strip():
        raise invalid("IssueComment", "body", "custom", "Body can't be blank")
    if len(body) > BODY_LIMIT:
        raise invalid("IssueComment", "body", "custom", f"Body is too long (maximum is {BODY_LIMIT} characters)")
    return body


def checked_length(body: Mapping[str, object]) -> None:
    if len(str(body.get("body") or "")) > BODY_LIMIT:
        raise invalid("Issue", "body", "custom", f"body is too long (maximum is {BODY_LIMIT} characters)")


@route("GET", REPOSITORY + "/issues", *READS)
def list_issues(context: Context) -> Response:
    """Pull requests among them; newest first, as the only order that is asked for here."""
    query, repository = context.request.query, context.repository
    wanted = {name.strip().lower() for name in query.get("labels", "").split(",") if name.strip()}
    state = query.get("state", "open")
    chosen = [
        one
        for one in sorted((*repository.issues.values(), *repository.pulls.values()), key=lambda one: -one.number)
        if state in ("all", one.state) and wanted <= {label.name.lower() for label in one.labels}
    ]
    return context.page([objects_issues.issue(repository, one) for one in chosen])


@route("POST", REPOSITORY + "/issues", "issues:write")
def create_issue(context: Context) -> Response:
    repository, body = context.repository, context.body
    if not str(body["title"]).strip():
        raise invalid("Issue", "title", "missing_field")
    checked_length(body)
    made = repository.add_issue(str(body["title"]), body=body.get("body") or "", user=context.token.login)
    made.labels += [repository.label(one if isinstance(one, str) else one["name"]) for one in body.get("labels", [])]
    return Response(201, objects_issues.issue(repository, made))


@route("GET", ISSUE, *READS)
def get_issue(context: Context) -> Response:
    return Response(200, objects_issues.issue(context.repository, the_subject(context)))


@route("PATCH", ISSUE, "issues:write")
def update_issue(context: Context) -> Response:
    """Title, body and state; GitHub ignores what is not named."""
    subject, body = the_subject(context), context.body
    checked_length(body)
    subject.title = str(body.get("title", subject.title))
    subject.body = body.get("body", subject.body) or ""
    subject.state = body.get("state", subject.state)
    subject.updated = context.world.now()
    return Response(200, objects_issues.issue(context.repository, subject))


@route("GET", ISSUE + "/labels", *READS)
def list_labels(context: Context) -> Response:
    return context.page([objects.label(context.repository, one) for one in the_subject(context).labels])


@route("POST", ISSUE + "/labels", *WRITES)
def add_labels(context: Context) -> Response:
    """Labels that the repository does not have are made."""
    subject, body = the_subject(context), context.body
    given = body if isinstance(body, list) else body.get("labels", [])
    for name in (one if isinstance(one, str) else one["name"] for one in given):
        if not name or len(name) > LABEL_LIMIT:
            raise invalid("Label", "name")
        label = context.repository.label(name)
        if label not in subject.labels:
            subject.labels.append(label)
    return Response(200, [objects.label(context.repository, one) for one in subject.labels])


@route("GET", ISSUE + "/comments", *READS)
def list_comments(context: Context) -> Response:
    subject, since = the_subject(context), context.request.query.get("since", "")
    found = [one for one in context.repository.comments(subject.number) if iso(one.updated) >= since]
    return context.page([objects_pulls.comment(context.repository, one) for one in found])


@route("POST", ISSUE + "/comments", *WRITES)
def create_comment(context: Context) -> Response:
    subject, body = the_subject(context), checked_body(context)
    made = context.repository.add_comment(subject.number, context.token.login, body)
    return Response(201, objects_pulls.comment(context.repository, made))


@route("GET", COMMENT, *READS)
def get_comment(context: Context) -> Response:
    return Response(200, objects_pulls.comment(context.repository, the_comment(context)))


@route("PATCH", COMMENT, *WRITES)
def update_comment(context: Context) -> Response:
    found, body = the_comment(context), checked_body(context)
    found.edits.append(found.body)
    found.body, found.updated = body, context.world.now()
    return Response(200, objects_pulls.comment(context.repository, found))


@route("DELETE", COMMENT, *WRITES)
def delete_comment(context: Context) -> Response:
    context.repository.delete_comment(the_comment(context).id)
    return Response(204)


@route("GET", COMMENT + "/reactions", *READS)
def list_reactions(context: Context) -> Response:
    content = context.request.query.get("content")
    found = [one for one in the_comment(context).reactions if content in (None, one.content)]
    return context.page([objects_pulls.reaction(context.repository, one) for one in found])


@route("POST", COMMENT + "/reactions", *WRITES)
def create_reaction(context: Context) -> Response:
    """200 with the one that is there already, 201 with a new one."""
    found, content, login = the_comment(context), context.body["content"], context.token.login
    if content not in objects_pulls.CONTENTS:
        raise Problem(422, "Validation Failed")
    for one in found.reactions:
        if (one.user, one.content) == (login, content):
            return Response(200, objects_pulls.reaction(context.repository, one))
    made = Reaction(context.world.next_id(), login, content, context.world.now())
    found.reactions.append(made)
    return Response(201, objects_pulls.reaction(context.repository, made))
