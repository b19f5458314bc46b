"""The SDK's client of one model: made with the first request, its connections kept from one to the next."""

from __future__ import annotations

import ssl
import threading
import weakref
from collections.abc import Callable
from functools import cache

import httpx2  # what the SDK runs on: its event hook is the one place that sees every byte of every answer
import openai

from bot.adapters.openai_watch import Deadlines, watched
from bot.config import ModelSettings

_CONNECT_SECONDS = 30.0
_IDLE_SECONDS = 4.0  # common servers close after 5: a connection they close as it is used costs a try
_MOST_IDLE = 8
_NO_KEY = "no-key"  # the SDK wants one; a server on one's own machine does not, and is sent none
_ORDINARY = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
_HEADERS = _ORDINARY | {"x-grok-conv-id"}
"""All that is sent, beside the key. The SDK would add a description of this machine, and OPENAI_CUSTOM_HEADERS,
OPENAI_ORG_ID and such from the environment: what is meant for one vendor is none of another's business. Nor are
cookies."""


class Client:
    """Threads may share it. Its connections end with the last reference to it, at the latest with the program."""

    def __init__(self, settings: ModelSettings) -> None:
        self.deadlines = Deadlines()
        self._settings = settings
        self._lock = threading.Lock()
        self._made: openai.OpenAI | None = None
        weakref.finalize(self, self.deadlines.close)

    def sdk(self) -> openai.OpenAI:
        """The SDK's client; it retries nothing."""
        with self._lock:
            if self._made is None:
                http = openai.DefaultHttpxClient(
                    limits=httpx2.Limits(max_keepalive_connections=_MOST_IDLE, keepalive_expiry=_IDLE_SECONDS),
                    event_hooks={"request": [_own_headers(self._settings)], "response": [watched]},
                    verify=_certificates(),
                )
                weakref.finalize(self, http.close)
                key, address = self._settings.api_key or _NO_KEY, self._settings.base_url
                self._made = openai.OpenAI(api_key=key, base_url=address, max_retries=0, http_client=http)
            return self._made


def timeout_of(seconds: float) -> httpx2.Timeout:
    """For each step of a request that has so many seconds in all."""
    return httpx2.Timeout(max(0.1, seconds), connect=min(_CONNECT_SECONDS, max(0.1, seconds)))


def _own_headers(settings: ModelSettings) -> Callable[[httpx2.Request], None]:
    """Event hook that leaves what is ours, and adds the key: not where a redirection leads to another server."""
    home = _server(httpx2.URL(settings.base_url))

    def own(request: httpx2.Request) -> None:
        for name in set(request.headers.keys()) - _HEADERS:
            del request.headers[name]
        if settings.api_key and _server(request.url) == home:
            request.headers["authorization"] = f"Bearer {settings.api_key}"

    return own


def _server(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: a client that reads them for itself spends a tenth of a second on that."""
    return httpx2.create_ssl_context()
