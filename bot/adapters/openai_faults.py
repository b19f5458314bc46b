"""What goes wrong at a model's endpoint: read from any shape of error, told without the key, retried or not."""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.config import ModelSettings
from bot.errors import ModelFault
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
    r"|context limit|prompt is too long|too many tokens|input token count",
    re.IGNORECASE,
)
# How endpoints and models say that they take no tools: OpenRouter (404), Ollama, vLLM, llama.cpp (500), Mistral, Groq …
_NO_TOOLS = re.compile(
    r"no endpoints found that support tool use"
    r"|\b(tools?|functions?)([ _](calls?|calling|use|param\w*))*['\"`]? (is|are) (not |un)(supported|enabled|available)"
    r"|does(n't| not) support (the )?(native )?['\"`]?(tools?|functions?)\b"
    r"|requires? --(jinja|enable-auto-tool-choice)"
    r"|(unsupported|unknown|unrecognized)( request)? (parameter|name|field|key|argument)s?( supplied)?:? ['\"`]?tools\b"
    r"|extra inputs are not permitted (\S+, )*body\.tools(,|$)",
    re.IGNORECASE,
)
# How endpoints say that they have no such model, those that do not just answer 404: OpenRouter, DeepSeek, Mistral …
_NO_MODEL = re.compile(
    r"\bmodel[_ ](?:not[_ ](?:found|exist)|does(?: not|n't) exist)|\bno such model\b|\bnot a valid model\b"
    r"|\b(?:invalid|unknown) model(?: name| id)?:|\bmodel:? ['\"`]?[\w./:-]{1,100}['\"`]?,? "
    r"(?:(?:is |was )?not found|does(?: not|n't) exist)",
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
    "tool_choice": re.compile(r"tool_choice|tool choice", re.IGNORECASE),
    "strict": re.compile(r"\bstrict\b|invalid schema for function|additionalProperties", re.IGNORECASE),
}


# How endpoints say how long a reply may be, whatever the prompt: "at most 16384 completion tokens" and its relatives.
_LONGEST_REPLY = re.compile(
    r"at most (\d{1,9}) (?:completion|output) tokens|range of max_tokens (?:is|should be) \[1, ?(\d{1,9})\]"
    r"|max_(?:completion_)?tokens\W{1,3}\d{1,9} > (\d{1,9}), which"
    r"|max_(?:completion_)?tokens\W{1,3}must be less than or equal to \W?(\d{1,9})",
    re.IGNORECASE,
)
# And how they say that prompt and reply together go over the context: vLLM's and OpenAI's sums.
_CONTEXT_SUM = re.compile(
    r"\(\d{1,9} > (?P<all>\d{1,9}) - (?P<prompt>\d{1,9})\)"
    r"|maximum context length is (?P<context>\d{1,9}) tokens.{1,80}?\((?P<messages>\d{1,9}) in the messages"
    r"(?:, (?P<functions>\d{1,9}) in the functions)?,? (?:and )?\d{1,9} in the completion",
    re.IGNORECASE | re.DOTALL,
)
_LEAST_REPLY = 1_000  # tokens: in less there is no room for a fix, the prompt has to shrink


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed call. `message`: what, where, what to do. `wait`: seconds the endpoint asked for, None where none.

    kind: of an error that repeating did not mend.
    longest_reply: completion tokens that the endpoint would have taken, where it told; `lasting`: of any request to it.
    refused: names of optional parameters that the endpoint may not know; leaving them out may mend it.
    """

    message: str
    retryable: bool
    wait: float | None = None
    kind: ModelFault = ModelFault.OTHER
    refused: tuple[str, ...] = ()
    longest_reply: int | None = None
    lasting: bool = False


def redact(text: str, settings: ModelSettings) -> str:
    """The endpoint's words in one bounded line, without the key and without terminal codes."""
    if settings.api_key:
        text = text.replace(settings.api_key, "[key]")
    return one_line(text, _EXPLANATION)


def place(settings: ModelSettings) -> str:
    """The endpoint's address without a password in it."""
    return re.sub(r"//[^/@]*@", "//", settings.base_url)


def status_fault(
    status: int, headers: Mapping[str, str], body: str, settings: ModelSettings, now: float, *, called: str = ""
) -> Fault:
    """An answer with an error status; `body` is its text, JSON or not. now: seconds since the Unix epoch.

    called: what to call the status, where the protocol is not HTTP and `status` is the nearest one of HTTP's.
    """
    said = redact(_explanation(body), settings)
    where = f"{place(settings)} answered {called or status}" + (f": {said}" if said else " without a word")
    whole = body[:_BODY]
    if status in (402, 403, 429) and _OUT_OF_CREDIT.search(whole):
        advice = "the account is out of credit: add some, or name another model or endpoint"
        return Fault(f"{where}; {advice}", False, kind=ModelFault.CREDIT)
    if status in (400, 422) and (room := _room(whole, where)) is not None:
        return room
    if status in (400, 413, 422) and _TOO_LONG.search(whole):
        return Fault(
            f"{where}; this is longer than model {settings.name!r} takes: name one with a longer context",
            False,
            kind=ModelFault.CONTEXT_TOO_LONG,
        )
    pointed = f"{said} {_pointed_at(body)}"
    if (status in (400, 404, 405, 422) or status >= 500) and _NO_TOOLS.search(f"{whole} {pointed}"):
        # A refused value of tool_choice reads alike, and is mended by leaving that out: it is tried first.
        return Fault(
            f"{where}; model {settings.name!r} takes no tools there: name one that does",
            False,
            kind=ModelFault.TOOLS_REFUSED,
            refused=("tool_choice",) if OPTIONAL["tool_choice"].search(said) else (),
        )
    if status == 401 or (status in (400, 403) and _KEY.search(said)):
        state = "was refused" if settings.api_key else "is not set"
        variable = settings.api_key_env or "a variable that api_key_env names"
        return Fault(
            f"{where}; the key in {variable} {state}: put a valid one there", False, kind=ModelFault.AUTHENTICATION
        )
    if status == 403:
        return Fault(
            f"{where}; the key in {settings.api_key_env} may not use model {settings.name!r}",
            False,
            kind=ModelFault.AUTHENTICATION,
        )
    if status == 404 or (status in (400, 422) and _NO_MODEL.search(f"{whole} {said}")):
        return Fault(
            f"{where}; check model.name ({settings.name!r}) and model.base_url (it often ends in /v1)",
            False,
            kind=ModelFault.NOT_FOUND,
        )
    if status in (400, 422):
        refused = tuple(name for name, pattern in OPTIONAL.items() if pattern.search(pointed))
        return Fault(f"{where}; the endpoint does not take this request", False, refused=refused)
    if status in _RETRYABLE or status >= 500:
        kind = ModelFault.RATE_LIMIT if status == 429 else ModelFault.UNAVAILABLE
        return Fault(f"{where}; try again later", True, retry_after(headers, now), kind)
    return Fault(f"{where}; check model.base_url", False)


def stream_fault(frame: JsonValue, settings: ModelSettings) -> Fault | None:
    """An error in the middle of a stream, or an error body under status 200; None where `frame` is no error."""
    if not isinstance(frame, Mapping) or not frame.get("error"):
        return None
    whole = json.dumps(frame, default=str)[:_BODY]
    said = redact(_sentence(frame) or "an error without a message", settings)
    kinds = (
        (_OUT_OF_CREDIT, ModelFault.CREDIT),
        (_TOO_LONG, ModelFault.CONTEXT_TOO_LONG),
        (_NO_TOOLS, ModelFault.TOOLS_REFUSED),
    )
    kind = next((kind for pattern, kind in kinds if pattern.search(whole)), ModelFault.UNAVAILABLE)
    return Fault(f"{place(settings)} broke off its reply: {said}", kind is ModelFault.UNAVAILABLE, kind=kind)


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


def _room(said: str, where: str) -> Fault | None:
    """Too long a reply was asked for, and the endpoint tells how long it may be; None where it is not about that."""
    found = _LONGEST_REPLY.search(said)
    if found is not None:
        longest, lasting = int(next(filter(None, found.groups()))), True
    elif (found := _CONTEXT_SUM.search(said)) is not None:
        whole, prompt = found["all"] or found["context"], found["prompt"] or found["messages"]
        longest, lasting = int(whole) - int(prompt) - int(found["functions"] or 0), False
    else:
        return None
    if longest < _LEAST_REPLY:
        return None
    return Fault(f"{where}; the endpoint does not take this request", False, longest_reply=longest, lasting=lasting)


def _pointed_at(body: str) -> str:
    """Names of the parameters that an error points at beside its sentence: OpenAI's `param`, FastAPI's `loc`."""
    try:
        content: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(content, Mapping):
        return ""
    error, detail = content.get("error"), content.get("detail")
    names = [error.get("param")] if isinstance(error, Mapping) else []
    for each in detail[:20] if isinstance(detail, list) else ():
        location = each.get("loc") if isinstance(each, Mapping) else None
        if isinstance(location, list):
            names.append(".".join(part[:100] for part in location[:10] if isinstance(part, str)))
    return ", ".join(name[:200] for name in names if isinstance(name, str))


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
