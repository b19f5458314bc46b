"""What goes wrong at a model's endpoint: read from any shape of error, told without the key, retried or not."""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.config import ModelSettings
from bot.evidence.text import one_line
from bot.ports import JsonValue

_EXPLANATION = 400  # characters of an endpoint's own words that are shown
_BODY = 4000  # characters of an error body in which its kind is looked for
_RETRYABLE = frozenset({408, 409, 429})
# A spent account answers 403 or 429 like an overloaded one. "billing" alone is no sign: rate limits advertise it too.
_OUT_OF_CREDIT = re.compile(
    r"insufficient[_ ](quota|credit|balance|funds)|exceeded your current quota"
    r"|(no|any|all available|more|of) credits?\b|spending limit|payment required",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"maximum (prompt|context) length|context[_ ](length|window|size)|exceed_context_size"
    r"|prompt is too long|too many tokens",
    re.IGNORECASE,
)
_KEY = re.compile(r"api[- _]?key|credential|authenticat|unauthori[sz]ed|bearer", re.IGNORECASE)
# Parameters that some endpoints refuse, and what in a refusal names them.
OPTIONAL = {
    "response_format": re.compile(
        r"response[_ ]format|json[_ ]schema|structured[_ ]output|guided|grammar|schema", re.IGNORECASE
    ),
    "stream_options": re.compile(r"stream_options|include_usage", re.IGNORECASE),
    "max_completion_tokens": re.compile(r"max_completion_tokens", re.IGNORECASE),
    "reasoning_content": re.compile(r"reasoning_content", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed call. `message`: what, where, what to do. `wait`: seconds the endpoint asked for, None where none.

    refused: names of optional parameters that the endpoint may not know; leaving them out may mend it.
    """

    message: str
    retryable: bool
    wait: float | None = None
    refused: tuple[str, ...] = ()


def redact(text: str, settings: ModelSettings) -> str:
    """The endpoint's words in one bounded line, without the key and without terminal codes."""
    if settings.api_key:
        text = text.replace(settings.api_key, "[key]")
    return one_line(text, _EXPLANATION)


def place(settings: ModelSettings) -> str:
    """The endpoint's address without a password in it."""
    return re.sub(r"//[^/@]*@", "//", settings.base_url)


def status_fault(status: int, headers: Mapping[str, str], body: str, settings: ModelSettings, now: float) -> Fault:
    """An answer with an error status; `body` is its text, JSON or not. now: seconds since the Unix epoch."""
    said = redact(_explanation(body), settings)
    where = f"{place(settings)} answered {status}" + (f": {said}" if said else " without a word")
    if status in (402, 403, 429) and _OUT_OF_CREDIT.search(body[:_BODY]):
        return Fault(f"{where}; the account is out of credit: add some, or name another model or endpoint", False)
    if status in (400, 413, 422) and _TOO_LONG.search(body[:_BODY]):
        return Fault(
            f"{where}; this is longer than model {settings.name!r} takes: name one with a longer context",
            False,
        )
    if status == 401 or (status in (400, 403) and _KEY.search(said)):
        state = "was refused" if settings.api_key else "is not set"
        return Fault(f"{where}; the key in {settings.api_key_env} {state}: put a valid one there", False)
    if status == 403:
        return Fault(f"{where}; the key in {settings.api_key_env} may not use model {settings.name!r}", False)
    if status == 404:
        return Fault(f"{where}; check model.name ({settings.name!r}) and model.base_url (it often ends in /v1)", False)
    if status in (400, 422):
        refused = tuple(name for name, pattern in OPTIONAL.items() if pattern.search(said))
        return Fault(f"{where}; the endpoint does not take this request", False, refused=refused)
    if status in _RETRYABLE or status >= 500:
        return Fault(f"{where}; try again later", True, retry_after(headers, now))
    return Fault(f"{where}; check model.base_url", False)


def stream_fault(frame: JsonValue, settings: ModelSettings) -> Fault | None:
    """An error in the middle of a stream, or an error body under status 200; None where `frame` is no error."""
    if not isinstance(frame, Mapping) or not frame.get("error"):
        return None
    whole = json.dumps(frame, default=str)[:_BODY]
    said = redact(_sentence(frame) or "an error without a message", settings)
    lasting = _OUT_OF_CREDIT.search(whole) or _TOO_LONG.search(whole)
    return Fault(f"{place(settings)} broke off its reply: {said}", not lasting)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the endpoint asks to wait (RFC 9110 section 10.2.3, and OpenAI's milliseconds); None without."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return float(value) * unit
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _explanation(body: str) -> str:
    """The sentence in an error body: OpenAI's {"error": {"message"}}, xAI's {"code", "error"}, and their relatives."""
    stripped = body.strip()
    if not stripped:
        return ""
    try:
        content: JsonValue = json.loads(stripped)
    except (ValueError, RecursionError):
        return "an HTML page" if stripped[:200].lstrip().lower().startswith(("<!doctype", "<html")) else stripped
    found = _sentence(content)
    return found or stripped


def _sentence(content: JsonValue) -> str:
    for _ in range(4):  # how deep any known endpoint nests it
        if isinstance(content, str):
            return content
        if isinstance(content, list) and content:
            content = content[0]
        elif isinstance(content, Mapping):
            content = next((content[name] for name in ("error", "message", "detail", "msg") if content.get(name)), None)
        else:
            return ""
    return ""
