"""What GitHub says when it will not: told without the token, with what it takes and what to do; how long to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.adapters.github_objects import items, text
from bot.errors import ForgeError
from bot.evidence.text import one_line
from bot.ports import Denied, JsonValue

_WORDS = 400  # characters of GitHub's own words that are shown
_BLIND_WAIT = 60.0  # seconds after a secondary limit that names none (GitHub: "wait for at least one minute")
_LIMIT = re.compile(r"\brate limit\b|abuse detection|wait a few minutes", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"resource not accessible by|must have admin rights|requires authentication", re.IGNORECASE)
_SAML = re.compile(r"\bSAML\b|single sign-on", re.IGNORECASE)


def limited(status: int, headers: Mapping[str, str], body: JsonValue, now: float) -> float | None:
    """Seconds to wait where the answer is a rate limit's, primary or secondary; None where it is another.

    Source: GitHub, "Rate limits for the REST API": 403 or 429, `retry-after` first, else `x-ratelimit-reset` where
    nothing remains, else a minute.
    """
    spent = headers.get("x-ratelimit-remaining") == "0"
    asked = headers.get("retry-after", "").strip()
    if status != 429 and not (status == 403 and (spent or asked or _LIMIT.search(words(body)))):
        return None
    if re.fullmatch(r"\d{1,9}", asked):
        return float(asked)
    reset = headers.get("x-ratelimit-reset", "").strip()
    if spent and re.fullmatch(r"\d{1,12}", reset):
        return max(0.0, int(reset) - now) + 1.0  # its clock and ours differ by a little
    return _BLIND_WAIT


def remaining(headers: Mapping[str, object]) -> tuple[int, int] | None:
    """Requests that are left of the primary limit, and until when (seconds since the epoch); None where not told."""
    left, until = (str(headers.get(f"x-ratelimit-{name}", "")) for name in ("remaining", "reset"))
    core = headers.get("x-ratelimit-resource", "core") == "core"
    told = core and re.fullmatch(r"\d{1,9}", left) and re.fullmatch(r"\d{1,12}", until)
    return (int(left), int(until)) if told else None


def words(body: JsonValue) -> str:
    """GitHub's sentence, and what a 422 lists below it."""
    said = [text(body, "message")]
    for error in items(body, "errors"):
        if isinstance(error, str):
            said.append(error)
        else:
            field = " ".join(filter(None, (text(error, "resource"), text(error, "field"), text(error, "code"))))
            said.append(text(error, "message") or field)
    return one_line("; ".join(filter(None, said)), _WORDS)


class Faults:
    """Makes errors of answers. `token` is cut out of every text; `place`: the API's address without credentials."""

    def __init__(self, token: str, place: str) -> None:
        self._token = token
        self._place = place

    def hide(self, said: str) -> str:
        return said.replace(self._token, "[token]") if self._token else said

    def no_answer(self, what: str, cause: BaseException) -> ForgeError:
        why = one_line(self.hide(f"{type(cause).__name__}: {cause}"), _WORDS)
        return ForgeError(
            f"GitHub at {self._place} did not answer {what} ({why}); check the network and GITHUB_API_URL"
        )

    def limit(self, what: str, status: int, wait: float) -> ForgeError:
        minutes = wait / 60
        when = f"{wait:.0f} s" if minutes < 2 else f"{minutes:.0f} minutes"
        return ForgeError(
            f"GitHub's rate limit stops {what} ({status}) and asks to wait {when}; run it again after that",
            status=status,
        )

    def error(self, what: str, status: int, headers: Mapping[str, str], body: JsonValue, need: str) -> ForgeError:
        """An answer that is no value of the port: `what` was asked, `need` is the permission it takes."""
        said = self.hide(words(body))
        where = f"GitHub answered {what} with {status}" + (f": {said}" if said else "")
        return ForgeError(f"{where}; {self._advice(status, headers, said, need)}", status=status)

    def denied(self, status: int, headers: Mapping[str, str], body: JsonValue, need: str) -> Denied:
        """GitHub's own words, and behind them the permission where that is what is missing."""
        said = self.hide(words(body)) or f"GitHub answered {status} without a word"
        if status == 403 and _NOT_ALLOWED.search(said):
            said = f"{said} ({_permission(headers, need)})"
        elif status == 404:
            said = f"{said} (it is not there, or this token may not see it: {_permission(headers, need)})"
        return Denied(status, said)

    def _advice(self, status: int, headers: Mapping[str, str], said: str, need: str) -> str:
        if status == 401:
            return "the token is wrong or has expired (an App's after 60 minutes, a job's with the job): give a new one"
        if status == 403 and _SAML.search(said):
            return "authorise the token for the organisation's single sign-on"
        if status == 403:
            return f"{_permission(headers, need)}: give it under `permissions:` of the job, or to the App"
        if status == 404:
            return f"check its name; a token that may not see it is told the same ({_permission(headers, need)})"
        if status in (301, 307, 308):
            return "the repository was renamed or moved: use its new name"
        if status >= 500:
            return "GitHub is in trouble (githubstatus.com): try again later"
        return "this request is not as GitHub wants it: please report it as a defect of grokfix"


def _permission(headers: Mapping[str, str], need: str) -> str:
    """The permission by GitHub's own header where it sent one ("contents=write,workflows=write; …": any group)."""
    told = headers.get("x-accepted-github-permissions", "")
    if re.fullmatch(r"[a-z_=,; ]{3,200}", told):
        groups = (
            " and ".join(f"`{one.strip().replace('=', ': ')}`" for one in group.split(",")) for group in told.split(";")
        )
        return f"the token needs {' or '.join(groups).replace('_', '-')}"
    return f"the token needs `{need}`"
