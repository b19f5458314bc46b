"""Whose token it is, what is left of its requests, and the one GraphQL query that is known."""

from __future__ import annotations

import re

from tests.github_server import objects
from tests.github_server.exchange import Problem, Response
from tests.github_server.router import Context, route

VIEWER = re.compile(r"\s*(query(\s+\w+)?\s*)?\{\s*viewer\s*\{\s*login\s*\}\s*\}\s*")


@route("GET", "/user")
def get_user(context: Context) -> Response:
    if context.token.is_integration:
        raise Problem(403, context.token.refusal)
    return Response(200, objects.public_user(context.world, context.token.login))


@route("GET", "/rate_limit")
def get_rate_limit(context: Context) -> Response:
    token = context.token
    rate = {"limit": token.limit, "remaining": token.limit - token.used, "used": token.used, "reset": token.reset_at}
    return Response(200, {"resources": {"core": rate, "search": rate}, "rate": rate})


def graphql(context: Context) -> Response:
    """Outside of the description: only the query that is needed, word for word."""
    body = context.request.json()
    query = body.get("query", "") if isinstance(body, dict) else ""
    if context.request.method != "POST" or not VIEWER.fullmatch(query):
        return context.server.violation(f"the only GraphQL query known here is {{ viewer {{ login }} }}, not {query!r}")
    return Response(200, {"data": {"viewer": {"login": context.token.login}}})
