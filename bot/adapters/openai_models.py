"""What models an OpenAI-compatible endpoint offers: one small request that costs nothing."""

from __future__ import annotations

import json

import httpx2

from bot.adapters.openai_faults import place, redact, status_fault
from bot.config import ModelSettings
from bot.errors import ModelError
from bot.ports import Clock

_SECONDS = 20.0
_BYTES = 4 << 20
_NO_SUCH_LIST = frozenset({404, 405, 501})


def list_models(settings: ModelSettings, clock: Clock) -> tuple[str, ...] | None:
    """Names at `base_url`/models, in its order; None where the endpoint has no such list. ModelError otherwise."""
    address = f"{settings.base_url.rstrip('/')}/models"
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    if settings.api_key:
        headers["authorization"] = f"Bearer {settings.api_key.strip()}"
    deadline = clock.monotonic() + _SECONDS
    body = b""
    try:
        with (
            httpx2.Client(timeout=_SECONDS, headers=headers) as client,
            client.stream("GET", address) as response,
        ):
            for part in response.iter_raw():
                body += part
                if len(body) > _BYTES or clock.monotonic() > deadline:
                    raise ModelError(f"{place(settings)}/models sent more than a list of models; check model.base_url")
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
        why = redact(f"{type(error).__name__}: {error}", settings)
        raise ModelError(f"{place(settings)} cannot be reached ({why}); check model.base_url") from error
    if response.status_code in _NO_SUCH_LIST:
        return None
    if not response.is_success:
        text = body.decode("utf-8", "replace")
        raise ModelError(status_fault(response.status_code, response.headers, text, settings, clock.now()).message)
    return _names(body)


def _names(body: bytes) -> tuple[str, ...] | None:
    """Of `{"data": [{"id": NAME}, …]}`; anything else is no list."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    entries = told.get("data") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        return None
    return tuple(name for entry in entries if isinstance(entry, dict) and isinstance(name := entry.get("id"), str))
