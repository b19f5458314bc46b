"""Requests to GitHub's REST API through PyGithub's requester: counted, conditional, and repeated only where that is
safe.

PyGithub's objects are left aside: they ask more often than the port does, and drop the ETags that make an unchanged
answer free. Its own retries are off, for they repeat POSTs.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from github import Auth, Github

from bot import __version__
from bot.adapters.github_faults import Faults, limited, remaining
from bot.adapters.github_objects import at, items
from bot.errors import ConfigError, ForgeError
from bot.ports import Clock, Denied, JsonValue

_log = logging.getLogger(__name__)
_PAUSES = (1.0, 4.0, 15.0)
"""Seconds before each repetition of a read: one more than these are the tries."""

_LONGEST_WAIT = (
    150.0  # seconds that a rate limit may ask for; a primary one may take an hour, and nobody waits for that
)
_SECONDS = 30  # GitHub gives a request up after 10: what timed out here has landed, or never will
_PAGE = 100
_PAGES = 50
_KEPT = 256  # answers whose ETags are remembered
_KEPT_CHARACTERS = 1 << 20  # of one of them
_REFUSALS = frozenset({403, 404, 405, 409, 410, 422, 451})

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request as it was answered; `status` 0: not at all. 304 costs nothing of the rate limit."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's status, headers (names in lower case) and JSON; `body` None where it had none. size: characters."""

    status: int
    headers: Mapping[str, str]
    body: JsonValue
    size: int = 0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class _Lost:
    """No usable answer came: a write may have landed or not."""

    error: ForgeError


class Api:
    """One token's access to one GitHub. Thread-safe: requests go one after the other."""

    def __init__(self, token: str, api_url: str, graphql_url: str, clock: Clock) -> None:
        token = token.strip()  # a secret pasted with its line end
        if not token or not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigError("the GitHub token is empty or holds characters no token has; set github-token again")
        url = urlsplit(api_url)
        if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None:
            shown = f"{url.scheme}://{url.hostname or ''}"
            raise ConfigError(f"GITHUB_API_URL must be an https:// address without a password in it, not {shown!r}…")
        self.api_url = api_url.rstrip("/")
        self.calls: list[ApiCall] = []
        self._left: tuple[int, int] | None = (
            None  # requests that the limit allows, until when (seconds since the epoch)
        )
        self.clock = clock
        self.faults = Faults(token, f"{url.scheme}://{url.netloc}")
        self._github = Github(
            base_url=self.api_url,
            auth=Auth.Token(token),
            timeout=_SECONDS,
            per_page=_PAGE,
            user_agent=f"grokfix/{__version__}",
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        )
        own = self._github.requester.graphql_url
        self._graphql = own if graphql_url.rstrip("/") == own else ""
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()  # PyGithub's connection keeps the request it is about to send on itself

    def close(self) -> None:
        """Let the connection go; a later request opens another."""
        self._github.close()

    # --- reads --------------------------------------------------------------------------------------------------------

    def get(
        self,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        *,
        need: str,
        absent: tuple[int, ...] = (404,),
        fixed: bool = False,
    ) -> JsonValue:
        """The JSON at `path`; None where the status is one of `absent`. Asked with the ETag of the last time.

        fixed: what is there never changes (it is named by a hash), so that it is asked for once.
        """
        answer = self.read(path, parameters, need=need, also=absent, fixed=fixed)
        return answer.body if answer.ok else None

    def pages(
        self, path: str, parameters: Mapping[str, str | int] | None = None, *, key: str = "", need: str
    ) -> Iterator[JsonValue]:
        """Every item of a paged list (at `key` of each page); none where there is no such list."""
        for page in range(1, _PAGES + 1):
            asked = {**(parameters or {}), "per_page": _PAGE, "page": page}
            answer = self.read(path, asked, need=need, also=(404,))
            yield from items(answer.body, *filter(None, (key,)))
            if 'rel="next"' not in answer.headers.get("link", ""):
                return
        raise ForgeError(f"GitHub lists more than {_PAGES * _PAGE} items at {path}, which is more than is read")

    def read(
        self,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        *,
        need: str,
        also: tuple[int, ...] = (),
        conditional: bool = True,
        fixed: bool = False,
        etag: str = "",
    ) -> Answer:
        """A GET, repeated within bounds; answers other than 2xx and those of `also` are ForgeError.

        etag: the caller's own, kept from another process; where it still holds, the answer is the 304.
        """
        url = f"{path}?{urlencode(sorted(parameters.items()))}" if parameters else path
        kept = self._kept.get(url) if conditional and not etag else None
        if kept is not None and fixed:
            return kept
        asked = etag if kept is None else kept.headers["etag"]
        answer = self._repeated("GET", url, {"If-None-Match": asked} if asked else {}, None)
        if answer.status == 304 and etag:
            return answer
        if answer.status == 304 and kept is not None:
            self._kept.move_to_end(url)
            return kept
        if answer.ok or answer.status in also:
            if conditional:
                self._keep(url, answer)
            return answer
        raise self._error("GET", path, answer, need)

    def query(self, query: str) -> JsonValue:
        """`data` of a GraphQL query without variables, which changes nothing; None where it was refused.

        Asked only where GraphQL is this API's: the token is no other host's business (a tool that sets GITHUB_API_URL
        and forgets GITHUB_GRAPHQL_URL leaves the public one there).
        """
        if not self._graphql:
            return None
        try:
            answer = self._repeated("POST", self._graphql, {}, {"query": query})
        except ForgeError as error:
            _log.debug("GraphQL: %s", error)
            return None
        return at(answer.body, "data") if answer.ok else None

    # --- writes -------------------------------------------------------------------------------------------------------

    def write(self, method: str, path: str, body: JsonValue, *, landed: Callable[[], Found | None]) -> Answer | Found:
        """Sent once, and once more where no usable answer came and `landed` does not find what it did.

        `landed` gives what the write made, or None; one that may simply be repeated passes `repeatable`. A rate limit
        is waited for: what it stopped was not done.
        """
        lost = None
        for again in (False, True):
            outcome = self._sent(method, path, body)
            if isinstance(outcome, Answer):
                return outcome
            lost = outcome
            if (found := landed()) is not None:
                return found
            if not again:
                self.clock.sleep(_PAUSES[0])
        assert lost is not None
        raise lost.error

    def denial(self, method: str, path: str, answer: Answer, need: str) -> Denied:
        """An answer to a write that is not 2xx: a refusal is a value, the rest ForgeError."""
        if answer.status in _REFUSALS:
            return self.faults.denied(answer.status, answer.headers, answer.body, need)
        raise self._error(method, path, answer, need)

    def _sent(self, method: str, path: str, body: JsonValue) -> Answer | _Lost:
        for last in (False, False, True):
            outcome = self._once(method, path, {}, body)
            if isinstance(outcome, _Lost):
                return outcome
            if outcome.status >= 500:
                return _Lost(self._error(method, path, outcome, ""))
            if (wait := self._limit(outcome)) is None:
                return outcome
            self._wait(f"{method} {path}", outcome.status, wait, last=last)
        raise AssertionError("the last wait raises")

    # --- one request --------------------------------------------------------------------------------------------------

    def _repeated(self, method: str, url: str, headers: Mapping[str, str], body: JsonValue) -> Answer:
        """What changes nothing may be asked again."""
        for pause in (*_PAUSES, None):
            outcome = self._once(method, url, headers, body)
            if isinstance(outcome, _Lost):
                if pause is None:
                    raise outcome.error
                self.clock.sleep(pause)
            elif (wait := self._limit(outcome)) is not None:
                self._wait(f"{method} {url}", outcome.status, max(wait, pause or 0.0), last=pause is None)
            elif outcome.status < 500 or pause is None:
                return outcome
            else:
                self.clock.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _limit(self, answer: Answer) -> float | None:
        return limited(answer.status, answer.headers, answer.body, self.clock.now())

    def _wait(self, what: str, status: int, seconds: float, *, last: bool) -> None:
        if last or seconds > _LONGEST_WAIT:
            raise self.faults.limit(what, status, seconds)
        _log.info("GitHub's rate limit: waiting %.0f s", seconds)
        self.clock.sleep(seconds)

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: JsonValue) -> Answer | _Lost:
        path = urlsplit(url).path
        began = self.clock.monotonic()
        sent = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", **headers}
        status = 0
        try:
            with self._lock:
                status, received, content = self._github.requester.requestJson(method, url, None, sent, body)
        except (OSError, RuntimeError) as error:  # of requests; and PyGithub's, when it is redirected elsewhere
            return _Lost(self.faults.no_answer(f"{method} {path}", error))
        finally:
            self.calls.append(ApiCall(method, path, status))
            _log.debug("%s %s: %d, %.2f s", method, url, status, self.clock.monotonic() - began)
        try:
            value: JsonValue = json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            if status < 300:  # a proxy's page, or one that is cut
                return _Lost(self.faults.no_answer(f"{method} {path} with JSON", error))
            value = None
        self._left = remaining(received) or self._left
        return Answer(status, {name: str(header) for name, header in received.items()}, value, len(content))

    def left(self) -> int | None:
        """Requests that the limit still allows, by the last answer; None where none told it since it was renewed."""
        return self._left[0] if self._left is not None and self.clock.now() < self._left[1] else None

    def _keep(self, url: str, answer: Answer) -> None:
        if answer.status != 200 or not answer.headers.get("etag") or answer.size > _KEPT_CHARACTERS:
            return
        self._kept[url] = answer
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _error(self, method: str, path: str, answer: Answer, need: str) -> ForgeError:
        return self.faults.error(f"{method} {path}", answer.status, answer.headers, answer.body, need)


def repeatable() -> None:
    """For `Api.write`: doing it twice is doing it once."""
    return


def quoted(name: str) -> str | None:
    """A path or ref for the path of a URL; None where no repository can hold it: dots lead to other endpoints."""
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        return None
    return quote(name, safe="/")
