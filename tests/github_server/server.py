"""The server itself: HTTP, tokens, rate limits, ETags, the checks against GitHub's description, faults, journal."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlencode

from bot.ports import TokenKind
from tests.github_server import (  # noqa: F401 (the routes register themselves)
    openapi,
    router,
    routes_account,
    routes_checks,
    routes_contents,
    routes_git,
    routes_issues,
    routes_pulls,
    routes_repository,
    routes_runs,
    smart_http,
)
from tests.github_server.exchange import Problem, Request, Response
from tests.github_server.faults import Effect, Fault, Faults, JournalEntry
from tests.github_server.listener import Listener
from tests.github_server.repository import Repository
from tests.github_server.tokens import Token
from tests.github_server.world import World

GIT_ROUTES = ("/repos/{owner}/{repo}/git/", "/repos/{owner}/{repo}/commits")
SERVER_ERROR = "the tests' GitHub server: "


class GitHubServer:
    """Context manager. Two ports: API, GraphQL and git on one; logs and artifacts on another, under another host name.

    folder: where the bare repositories go. api_prefix: "/api/v3" as on GitHub Enterprise, "" as on api.github.com; git
    is served beside it, GraphQL at /graphql (on Enterprise /api/graphql). violations: requests and answers that
    GitHub's description does not allow; a test that leaves one has failed.
    """

    def __init__(self, folder: Path, *, api_prefix: str = "/api/v3") -> None:
        self.description = openapi.load()
        self.world = World(folder)
        self.violations: list[str] = []
        self.journal: list[JournalEntry] = []
        self.faults = Faults()
        self.secondary_limit: tuple[int, int, int] | None = None  # (requests left to refuse, status, seconds)
        self._prefix = api_prefix
        self._graphql = "/api/graphql" if api_prefix else "/graphql"
        self._lock = threading.RLock()
        self._blobs: dict[str, bytes] = {}
        self._main = Listener(self._answer, self.faults, self.journal, api_prefix)
        self._blob_host = Listener(self._answer_blob, self.faults, self.journal)
        self.world.server_url = f"http://127.0.0.1:{self._main.port}"
        self.world.api_url = self.world.server_url + api_prefix

    @property
    def server_url(self) -> str:
        return self.world.server_url

    @property
    def api_url(self) -> str:
        return self.world.api_url

    @property
    def graphql_url(self) -> str:
        return self.world.server_url + self._graphql

    def __enter__(self) -> Self:
        self._main.start()
        self._blob_host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._main.close()
        self._blob_host.close()
        if kind is None and self.violations:
            raise AssertionError("violations of GitHub's API:\n" + "\n".join(self.violations))

    # --- what tests say -----------------------------------------------------------------------------------------

    def create(
        self,
        full_name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        default_branch: str = "main",
        private: bool = True,
    ) -> Repository:
        """A new repository; with `files` it has one commit, without it is empty."""
        with self._lock:
            return self.world.create(full_name, files, default_branch=default_branch, private=private)

    def fork(self, repository: Repository, owner: str) -> Repository:
        """A fork with the same branches."""
        with self._lock:
            name = f"{owner}/{repository.name}"
            return self.world.create(name, default_branch=repository.default_branch, private=False, fork_of=repository)

    def repository(self, full_name: str) -> Repository:
        """KeyError where there is none."""
        return self.world.repositories[full_name.lower()]

    def token(
        self,
        kind: TokenKind = TokenKind.ACTIONS,
        permissions: Mapping[str, str] | None = None,
        login: str = "",
        repositories: tuple[str, ...] = (),
    ) -> str:
        """A new token with these grants (names as in a workflow's `permissions`, hyphen or underscore) and no other."""
        return self.world.add_token(kind, permissions or {}, login, repositories).value

    def token_state(self, value: str) -> Token:
        """The token behind its text: `expired`, `used` and `limit` may be set."""
        return self.world.tokens[value]

    def fault(self, method: str, path: str, effect: Effect, *, nth: int = 1, times: int = 1) -> Fault:
        """Put a fault in the way (faults.Fault says how it is chosen)."""
        return self.faults.add(Fault(method, path, effect, nth, times))

    def limit_secondary(self, requests: int = 1, *, status: int = 403, retry_after: int = 1) -> None:
        """The next requests meet the secondary rate limit."""
        self.secondary_limit = (requests, status, retry_after)

    @property
    def writes(self) -> tuple[JournalEntry, ...]:
        return tuple(entry for entry in self.journal if entry.write)

    def offer_blob(self, contents: bytes) -> Response:
        """A redirect to `contents` on the other host, as for artifacts and logs."""
        key = secrets.token_hex(12)
        self._blobs[key] = contents
        return Response(302, None, {"Location": f"http://localhost:{self._blob_host.port}/blobs/{key}?sig=signed"})

    def violation(self, text: str) -> Response:
        """Record what the description does not allow; the answer says so, with a status that nobody tries again after."""
        self.violations.append(text)
        return Problem(418, SERVER_ERROR + text).response

    # --- answering ----------------------------------------------------------------------------------------------

    def _answer(self, request: Request, entry: JournalEntry) -> Response:
        entry.conditional = "if-none-match" in request.headers
        git = smart_http.PATH.fullmatch(unquote(request.path))
        if git and not request.path.startswith((f"{self._prefix}/repos/", "/repos/")):
            entry.host = "git"
            return self._answer_git(request, entry, git)
        with self._lock:
            try:
                if request.path == self._graphql:
                    entry.host = "graphql"
                    return self._guarded(request, entry, None, {})
                return self._answer_api(replace(request, path=entry.path), entry)
            except Exception:  # noqa: BLE001 (a defect of this server must fail the test that met it)
                return self.violation(f"{request.method} {request.path}: {traceback.format_exc()}")

    def _answer_api(self, request: Request, entry: JournalEntry) -> Response:
        found = router.find(request.method, request.path)
        if found is None:
            template = self.description.template_of(request.method, request.path)
            known = f"no route for {template} in the tests' server" if template else "GitHub has no such operation"
            return self.violation(f"{request.method} {request.path}: {known}")
        route, parameters = found
        operation = self.description.operation(route.method, route.template)
        assert operation is not None, f"GitHub has no operation {route.method} {route.template}"
        wrong = list(self.description.faults_of_request(operation, request, parameters))
        if wrong:
            return self.violation(f"request {request.method} {request.path}: {'; '.join(wrong)}")
        response = self._guarded(request, entry, route, router.decoded(parameters))
        wrong = list(self.description.faults_of_response(operation, response))
        if wrong:
            return self.violation(f"own answer {response.status} to {operation.name}: {'; '.join(wrong[:5])}")
        return response

    def _guarded(
        self, request: Request, entry: JournalEntry, route: router.Route | None, parameters: dict[str, str]
    ) -> Response:
        """The token's checks, then the route (None: GraphQL), then rate headers and ETag."""
        token = None
        try:
            token = self._token_of(request)
            entry.login = token.login
            self._refuse_by_limits(token)
            response = self._routed(request, route, parameters, token)
        except Problem as problem:
            response = problem.response
        response = with_etag(request, response)
        if token is not None:
            token.used += response.status != 304 and token.used < token.limit
            response = response.with_headers(rate_headers(token))
        return response

    def _routed(
        self, request: Request, route: router.Route | None, parameters: dict[str, str], token: Token
    ) -> Response:
        repository = None
        if "repo" in parameters:
            name = f"{parameters['owner']}/{parameters['repo']}"
            repository = self.world.find(name)
            if repository is None or repository.deleted or not token.reaches(name):
                raise router.not_found()
        context = router.Context(self, request, parameters, token, repository)
        if route is None:
            return routes_account.graphql(context)
        if not token.grants(route.needs):
            accepted = "; ".join(need.replace(":", "=") for need in route.needs)
            raise Problem(403, token.refusal, headers={"X-Accepted-GitHub-Permissions": accepted})
        if repository is not None and route.template.startswith(GIT_ROUTES) and not repository.git.refs("refs/"):
            raise Problem(409, "Git Repository is empty.")
        return route.handler(context)

    def _token_of(self, request: Request) -> Token:
        value = smart_http.password(request.headers.get("authorization", ""))
        if value is None:
            raise Problem(401, "Requires authentication")
        token = self.world.tokens.get(value)
        if token is None or token.expired:
            raise Problem(401, "Bad credentials")
        return token

    def _refuse_by_limits(self, token: Token) -> None:
        if self.secondary_limit is not None:
            left, status, seconds = self.secondary_limit
            self.secondary_limit = (left - 1, status, seconds) if left > 1 else None
            message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            raise Problem(status, message, headers={"Retry-After": str(seconds)})
        if token.reset_at <= self.world.now():
            token.used, token.reset_at = 0, int(self.world.now()) + 3600
        if token.used >= token.limit:
            raise Problem(403, f"API rate limit exceeded for {token.login}.")

    def _answer_git(self, request: Request, entry: JournalEntry, git: re.Match[str]) -> Response:
        repository = self.world.find(git["name"])
        try:
            token = self._token_of(request)
        except Problem:
            challenge = {"WWW-Authenticate": 'Basic realm="GitHub"', "Content-Type": "text/plain"}
            return Response(401, b"Authentication is needed\n", challenge)
        entry.login = token.login
        if repository is None or repository.deleted or not token.reaches(git["name"]):
            return Response(404, b"Repository not found.\n", {"Content-Type": "text/plain"})
        if not token.grants(("contents:read",)):
            return Response(403, b"Write access to repository not granted.\n", {"Content-Type": "text/plain"})
        return smart_http.serve(repository, request, git["service"], urlencode(request.query))

    def _answer_blob(self, request: Request, entry: JournalEntry) -> Response:
        entry.host = "blobs"
        if "authorization" in request.headers:
            return self.violation(f"{request.path}: the API's credential was sent to the storage host")
        contents = self._blobs.get(request.path.removeprefix("/blobs/"))
        if contents is None or dict(request.query).get("sig") != "signed":
            return Response(403, b"AuthenticationFailed", {"Content-Type": "text/plain"})
        return Response(200, contents, {"Content-Type": "application/octet-stream"})


def with_etag(request: Request, response: Response) -> Response:
    """The answer with its ETag, or 304 where the client has it already."""
    if request.method != "GET" or response.status != 200:
        return response
    etag = f'W/"{hashlib.sha256(response.encoded()).hexdigest()}"'
    headers = {**response.headers, "ETag": etag, "Cache-Control": "private, max-age=60, s-maxage=60"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(304, None, headers)
    return Response(response.status, response.content, headers)


def rate_headers(token: Token) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(token.limit),
        "X-RateLimit-Remaining": str(token.limit - token.used),
        "X-RateLimit-Used": str(token.used),
        "X-RateLimit-Reset": str(token.reset_at),
        "X-RateLimit-Resource": "core",
        "X-GitHub-Request-Id": secrets.token_hex(8),
    }
