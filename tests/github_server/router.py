"""Which function answers which operation, and what the token needs for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from tests.github_server.exchange import Problem, Request, Response
from tests.github_server.openapi import pattern_of
from tests.github_server.repository import Repository
from tests.github_server.tokens import Token
from tests.github_server.world import World

if TYPE_CHECKING:
    from tests.github_server.server import GitHubServer

Handler = Callable[["Context"], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """needs: alternatives "permission:level", one of which the token must have; empty: any token."""

    method: str
    template: str
    needs: tuple[str, ...]
    handler: Handler
    pattern: re.Pattern[str]

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler gets. `parameters`: of the path, decoded."""

    server: GitHubServer
    request: Request
    parameters: dict[str, str]
    token: Token
    optional_repository: Repository | None

    @property
    def world(self) -> World:
        return self.server.world

    @property
    def repository(self) -> Repository:
        assert self.optional_repository is not None
        return self.optional_repository

    @property
    def body(self) -> Any:
        return self.request.json() or {}

    def text(self, name: str) -> str:
        return self.parameters[name]

    def number(self, name: str) -> int:
        return int(self.parameters[name])

    def page(
        self,
        items: Sequence[Any],
        key: str = "",
        *,
        shown: Callable[[Any], Any] = lambda item: item,
        total: int | None = None,
    ) -> Response:
        """One page of `items`, each as `shown`, with its Link header; with `key` in an envelope that tells the total
        (of the items, unless it is given)."""
        query = self.request.query
        size = min(int(query.get("per_page", "30")), 100)
        at = max(int(query.get("page", "1")), 1)
        last = max(-(-len(items) // size), 1)
        links: dict[str, int] = {}
        if at > 1:
            links |= {"prev": at - 1, "first": 1}
        if at < last:
            links |= {"next": at + 1, "last": last}
        address = f"{self.world.api_url}{self.request.path}"
        header = ", ".join(
            f'<{address}?{urlencode({**query, "page": number})}>; rel="{name}"' for name, number in links.items()
        )
        chosen = [shown(item) for item in items[(at - 1) * size : at * size]]
        content = {"total_count": len(items) if total is None else total, key: chosen} if key else chosen
        return Response(200, content, {"Link": header} if header else {})


ROUTES: list[Route] = []


def route(method: str, template: str, *needs: str) -> Callable[[Handler], Handler]:
    """Register a handler for an operation of GitHub's description (by its very template)."""

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, template, needs, handler, pattern_of(template)))
        ROUTES.sort(key=lambda one: -len(re.sub(r"\{\w+\}", "", one.template)))  # the most literal first
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path and its parameters, still encoded."""
    for one in ROUTES:
        found = one.pattern.fullmatch(path) if one.method == method else None
        if found:
            return one, found.groupdict()
    return None


def decoded(parameters: dict[str, str]) -> dict[str, str]:
    return {name: unquote(value) for name, value in parameters.items()}


def not_found() -> Problem:
    return Problem(404, "Not Found")
