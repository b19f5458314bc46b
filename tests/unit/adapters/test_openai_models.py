"""Listing an endpoint's models: good answers, none, and hostile ones."""

from __future__ import annotations

import pytest

from bot.adapters.openai_models import list_models
from bot.config import ModelSettings
from bot.errors import ModelError
from tests.fakes import FakeClock
from tests.model_list import endpoint, listed

KEY = "xai-0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, listed("a", "b"), ("a", "b")),
        (200, listed(), ()),
        (200, b'{"data": [1, {"id": 2}, {}, {"id": "c"}]}', ("c",)),
        (200, b"<html>", None),
        (200, b"[" * 100_000, None),
        (200, b'{"data": {}}', None),
        (404, b"not found", None),
        (405, b"", None),
    ],
)
def test_what_is_listed(status: int, body: bytes, expected: tuple[str, ...] | None) -> None:
    with endpoint(status, body, KEY) as url:
        assert list_models(ModelSettings(base_url=url, api_key=KEY), FakeClock()) == expected


@pytest.mark.parametrize(
    ("status", "body", "key", "says"),
    [
        (500, b"oops \x1b[2J", KEY, "answered 500"),
        (429, b"slow down", KEY, "answered 429"),
        (200, b"x" * 5_000_000, KEY, "sent more than a list"),
        (200, b"", "xai-wrong", "put a valid one there"),
    ],
)
def test_what_goes_wrong(status: int, body: bytes, key: str, says: str) -> None:
    with endpoint(status, body, KEY) as url, pytest.raises(ModelError) as caught:
        list_models(ModelSettings(base_url=url, api_key=key), FakeClock())
    assert says in str(caught.value)
    assert key not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_an_endpoint_that_dribbles_is_left() -> None:
    """A clock that runs fast stands for an endpoint that sends for ever."""
    with endpoint(200, b" " * 1_000_000, KEY) as url, pytest.raises(ModelError, match="sent more than a list"):
        list_models(ModelSettings(base_url=url, api_key=KEY), FakeClock(step=30.0))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://[::", "ftp://x/v1", "nonsense"])
def test_addresses_where_nothing_is(url: str) -> None:
    with pytest.raises(ModelError, match=r"check model\.base_url"):
        list_models(ModelSettings(base_url=url, api_key=KEY), FakeClock())


@pytest.mark.parametrize("key", ["a\nb", "schlüssel"])
def test_keys_that_no_header_takes(key: str) -> None:
    with endpoint(200, listed("a"), KEY) as url, pytest.raises(ModelError):
        list_models(ModelSettings(base_url=url, api_key=key), FakeClock())
