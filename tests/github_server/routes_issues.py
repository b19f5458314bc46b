"""Labels, comments and reactions, on issues and pull requests alike."""

from __future__ import annotations

from tests.github_server import objects, objects_pulls
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
