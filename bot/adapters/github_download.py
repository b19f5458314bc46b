"""Artifacts and logs: GitHub answers with the address of a storage host, which gets no token and is held to a budget.

PyGithub cannot follow there: its stream refuses the foreign host.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import requests
import urllib3

from bot.adapters.capped import CappedOutput
from bot.adapters.github_api import Api
from bot.ports import Missing

_log = logging.getLogger(__name__)
_PAUSES = (1.0, 4.0)
"""Seconds before each repetition; each begins with a new address, for they expire within minutes."""

_SILENCE = 30.0  # seconds without a byte
_SECONDS = 300.0  # for one download as a whole
_STREAMED = 512 << 20  # bytes of a log that are read to find its end
_PART = 1 << 16
_MARKS = 160  # bytes at most of the lines that say what was cut
_UNREAD = "\n[… the rest, too long or too slow to be read, left out …]\n".encode()


class _BrokenError(Exception):
    """The storage host failed; a new address and another try may do."""


class _LateError(Exception):
    """The budget of time is used up."""


def log(api: Api, path: str, limit: int, *, need: str) -> bytes | Missing:
    """The text at `path`: in at most `limit` bytes its head and its tail."""

    def once(address: str) -> bytes | Missing:
        whole, cut = CappedOutput(limit), CappedOutput(max(0, limit - _MARKS))  # the mark of a cut has to fit too
        size = 0
        try:
            for part in _parts(api, address):
                whole.write(part)
                cut.write(part)
                size += len(part)
                if size > _STREAMED:
                    raise _LateError
        except _LateError:
            return (cut.data() + _UNREAD)[:limit]
        return (cut.data() if whole.truncated else whole.data())[:limit]

    return _repeated(api, path, need, once)


def archive(api: Api, path: str, limit: int, *, need: str) -> bytes | Missing:
    """The bytes at `path`; Missing as soon as they are more than `limit`."""

    def once(address: str) -> bytes | Missing:
        kept = bytearray()
        try:
            for part in _parts(api, address):
                kept += part
                if len(kept) > limit:
                    return Missing(f"it is larger than the {limit} bytes that are read")
        except _LateError:
            return Missing(f"it did not arrive within {_SECONDS:.0f} s")
        return bytes(kept)

    return _repeated(api, path, need, once)


def _repeated(api: Api, path: str, need: str, once: Callable[[str], bytes | Missing]) -> bytes | Missing:
    for pause in (*_PAUSES, None):
        address = _address(api, path, need)
        if isinstance(address, Missing):
            return address
        try:
            return once(address)
        except _BrokenError as error:
            if pause is None:
                return Missing(str(error))
            _log.debug("%s; once more in %.0f s", error, pause)
            api.clock.sleep(pause)
    raise AssertionError("the last try returns")


def _address(api: Api, path: str, need: str) -> str | Missing:
    """Where GitHub says the bytes are, if that is a place to go to."""
    answer = api.read(path, need=need, also=(302, 403, 404, 410), conditional=False)
    if answer.status == 404:
        return Missing("it is not there (any more), or this token may not see it")
    if answer.status == 410:
        return Missing("it has expired")
    if answer.status == 403:
        return Missing(api.faults.denied(answer.status, answer.headers, answer.body, need).message)
    address = answer.headers.get("location", "")
    if (objection := refused(address, api.api_url)) is not None:
        return Missing(f"GitHub sends to {objection}, where nothing is fetched from")
    return address


def refused(address: str, api_url: str) -> str | None:
    """What is wrong with the address of a download, None where it is good.

    It comes from GitHub's API, which is trusted; this holds where a proxy or a fault made it: never from TLS to none,
    and on the public GitHub never to an address inside this machine's network. A server of one's own may keep its
    files there.
    """
    try:
        url, own = urlsplit(address), urlsplit(api_url)
        host, _ = url.hostname, url.port
    except ValueError:
        return "no address at all"
    if not host:
        return "no address at all"
    if url.scheme not in ({"https", "http"} if own.scheme == "http" else {"https"}):
        return f"an address of scheme {url.scheme!r}"
    if url.username is not None:
        return "an address with a password in it"
    public = own.hostname in {"api.github.com"} or (own.hostname or "").endswith(".ghe.com")
    if public and _is_inside(host):
        return f"the private address {host}"
    return None


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def _parts(api: Api, address: str) -> Iterator[bytes]:
    """The body in parts as they arrive. No Authorization, no .netrc, no second redirect; proxies as configured."""
    deadline = api.clock.monotonic() + _SECONDS
    host = urlsplit(address).netloc
    with requests.Session() as session:
        session.auth = _nobody
        headers = {"Accept-Encoding": "identity"}
        try:
            with session.get(
                address, headers=headers, stream=True, allow_redirects=False, timeout=_SILENCE
            ) as response:
                if response.status_code != 200:
                    raise _BrokenError(f"the storage host {host} answered {response.status_code}")
                # read1 gives what is there: a host that drips would hold a whole part up for hours
                while part := response.raw.read1(_PART, decode_content=True):
                    yield part
                    if api.clock.monotonic() > deadline:
                        raise _LateError
        except (OSError, urllib3.exceptions.HTTPError) as error:  # their texts have the signed address in them
            raise _BrokenError(f"the storage host {host} broke off ({type(error).__name__})") from error


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Credentials of nobody: without any, requests would look for some in .netrc."""
    return request
