"""Redaction: every form in which a secret may show, and nothing else."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.trace.redact import MARK, Redactor, StreamRedactor

KEY = "xai-k9v2QpL7mNsR4tYw8ZaB3cD6eFgH1jU5oPqRsT0u"
PASSWORD = "Tr0ub4dor&3/horse staple+"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7vX3kq9\nJbq8s0Yd2Lr5tUfW1hGzXcVb\n-----END RSA PRIVATE KEY-----"
)
SECRETS = (KEY, PASSWORD, PEM)

FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": lambda secret: json.dumps({"key": secret}),
    "json twice": lambda secret: json.dumps(json.dumps(secret)),
    "repr": repr,
    "url": lambda secret: quote(secret, safe=""),
    "url, every byte": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "base64, alignment 0": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64, alignment 1": lambda secret: base64.b64encode(b"u" + secret.encode() + b"!").decode(),
    "base64, alignment 2": lambda secret: base64.b64encode(b"u:" + secret.encode()).decode(),
    "base64, for URLs": lambda secret: base64.urlsafe_b64encode(b"u:" + secret.encode()).decode(),
    "base64, wrapped": lambda secret: base64.encodebytes(b"x" * 50 + secret.encode() + b"x" * 50).decode(),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal, upper": lambda secret: secret.encode().hex().upper(),
    "hex dump": lambda secret: secret.encode().hex(" "),
    "C escapes": lambda secret: "".join(f"\\x{byte:02x}" for byte in secret.encode()),
    "C array": lambda secret: ", ".join(f"0x{byte:02x}" for byte in secret.encode()),
    "byte values": lambda secret: str(list(secret.encode())),
    "spread": " ".join,
    "one a line": "\n".join,
    "wrapped with a gutter": lambda secret: "\n  | ".join(secret[at : at + 7] for at in range(0, len(secret), 7)),
    "coloured": "\x1b[31m".join,
    "concatenated": lambda secret: '" + "'.join(secret[at : at + 9] for at in range(0, len(secret), 9)),
    "upper case": str.upper,
    "its first two thirds": lambda secret: secret[: len(secret) * 2 // 3],
    "its last two thirds": lambda secret: secret[len(secret) // 3 :],
}


def _leaks(text: str, secret: str) -> list[str]:
    """Runs of 16 letters and digits of the secret, in any case, that are still there."""
    needle = "".join(filter(str.isalnum, secret)).lower()
    reduced = "".join(filter(str.isalnum, text)).lower()
    width = min(16, len(needle))
    return [part for at in range(len(needle) - width + 1) if (part := needle[at : at + width]) in reduced]


@pytest.mark.parametrize("secret", SECRETS, ids=["key", "password", "pem"])
@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_survives(form: str, secret: str) -> None:
    shown = FORMS[form](secret)
    out = Redactor(SECRETS).redact(f"before the output: {shown} and after it")
    assert MARK in out
    assert not _leaks(out, secret)
    assert out.startswith("before the output: ") and out.endswith(" and after it")
    for undo in (base64.b64decode, bytes.fromhex):
        for word in out.replace(MARK, " ").split():
            try:
                decoded = undo(word).decode(errors="ignore")  # type: ignore[operator]
            except ValueError:
                continue
            assert not _leaks(decoded, secret)


SHAPES = [
    "ghp_" + "a1B2" * 9,
    "ghs_" + "a1B2" * 9,
    "github_pat_11ABCDEFG0" + "x9Y8" * 15,
    "glpat-" + "q1W2e3R4t5" * 2,
    "sk-proj-" + "Zz9_" * 12,
    "xai-" + "Qq7" * 20,
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefABCDEF",
    "npm_" + "a1B2c3" * 6,
    "AIza" + "Sy9" * 11 + "Ab",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    PEM,
    PEM.rsplit("\n", 1)[0],
]


@pytest.mark.parametrize("token", SHAPES, ids=[token[:12] for token in SHAPES])
def test_token_shapes_are_known_without_the_secret(token: str) -> None:
    redactor = Redactor()
    assert redactor.redact(f"found {token}\nnext: words") == f"found {MARK}\nnext: words"
    assert redactor.redact(f'x={token!r}, "{token}"').count(MARK) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", f"Authorization: Basic {MARK}"),
        ('{"authorization": "token 0123456789abcdef"}', f'{{"authorization": "token {MARK}"}}'),
        ("curl -H 'authorization: BEARER abcdef.ghijkl-mnop_q'", f"curl -H 'authorization: BEARER {MARK}'"),
        ("bearer  AbCdEfGhIjKlMnOp rest", f"bearer  {MARK} rest"),
        ("postgres://app:s3cr3tpw@db:5432/x", f"postgres://app:{MARK}@db:5432/x"),
    ],
)
def test_credentials_in_headers_and_addresses(text: str, expected: str) -> None:
    assert Redactor().redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "AssertionError: assert 3 == 4",
        "tests/test_task-runner.py::test_risk-assessment-of-a-very-long-name-indeed PASSED",
        "https://example.org:8080/path?x=1",
        "commit 4dd2ac0b8b1f4c6e9d0a7f52e3c81b96d7e0f412",
        "bearer of bad news",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "ünïcödé \U0001f600 \ud800 text\n\ttab",
        "",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor(SECRETS).redact(text) == text


@pytest.mark.parametrize("secret", ["", "x", "abc", "  \n", "12345"])
def test_values_too_short_to_be_secrets_are_passed_over(secret: str) -> None:
    assert Redactor([secret]).redact("x abc 12345") == "x abc 12345"


@pytest.mark.parametrize("secret", ["!?&%$#!?&%$#", "päßwörtchen-é", "👍👍👍👍👍👍👍", "a b c d e f g"])
def test_secrets_of_few_letters_are_found_as_they_are(secret: str) -> None:
    assert Redactor([secret]).redact(f"<{secret}>") == f"<{MARK}>"
    shown = base64.b64encode(secret.encode()).decode()
    assert MARK in Redactor([secret]).redact(shown)


def test_json_keeps_its_shape() -> None:
    value = {
        "output": f"key {KEY}",
        KEY: {"n": 1, "f": 2.5, "t": True, "none": None},
        f"{KEY} ": "second key that becomes the same",
        "split": [KEY[:20], KEY[20:]],
        "untouched": ["a", ["b"]],
    }
    out = Redactor([KEY]).redact_json(value)
    assert json.loads(json.dumps(out)) == {
        "output": f"key {MARK}",
        MARK: {"n": 1, "f": 2.5, "t": True, "none": None},
        f"{MARK} ": "second key that becomes the same",
        "split": [MARK, MARK],
        "untouched": ["a", ["b"]],
    }
    assert Redactor([KEY]).redact_json({KEY: 1, KEY.upper(): 2}) == {MARK: 1, f"{MARK} (2)": 2}
    plain = {"a": [1, "b"]}
    assert Redactor([KEY]).redact_json(plain) is plain


def test_json_that_is_too_deep_ends_in_a_mark() -> None:
    value: list[object] = [KEY]
    for _ in range(5_000):
        value = [value]
    out = json.dumps(Redactor([KEY]).redact_json(value))  # type: ignore[arg-type]
    assert MARK in out and KEY not in out and len(out) < 500


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_stream_hides_what_the_whole_text_would_hide(cuts: list[int], seed: int) -> None:
    redactor = Redactor([KEY])
    # Small enough to turn over many buffers in a short test; still several times the longest form of the secret.
    redactor.holdback = 1_000
    noise = random.Random(seed)
    forms = [FORMS[name](KEY) for name in noise.sample(list(FORMS), 3)]
    text = "".join(form + noise.choice([" ", "\n"]) + "ä lorem ipsum " * noise.randrange(200) for form in forms)
    stream = StreamRedactor(redactor)
    positions = sorted({len(text) * cut // 60 for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *positions], [*positions, len(text)], strict=True)]
    out = "".join([*(stream.feed(piece) for piece in pieces), stream.flush()])
    assert out == redactor.redact(text)


def test_a_stream_lets_go_of_what_is_safe() -> None:
    redactor = Redactor([KEY])
    stream = StreamRedactor(redactor)
    given_out = len(stream.feed("word " * 20_000))
    assert 100_000 - given_out <= 2 * redactor.holdback
    assert len(stream.flush()) + given_out == 100_000


HOSTILE = {
    "a log": "def test_x(): assert total == 3 and foo(bar)  # é 12\n" * 19_000,
    "one letter": "a" * 1_000_000,
    "the secret, over and over": (KEY + " ") * 22_000,
    "its beginning, over and over": (KEY[:12] + " ") * 75_000,
    "JWT heads": "eyJ" * 330_000,
    "addresses": "://" * 330_000,
    "key heads": "-----BEGIN PRIVATE KEY-----" * 37_000,
    "headers": "authorization: " * 68_000,
    "escapes": "\x1b[" * 500_000,
    "noise": base64.b64encode(random.Random(1).randbytes(750_000)).decode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_is_read_in_linear_time(name: str) -> None:
    redactor = Redactor(SECRETS)
    began = time.process_time()
    redactor.redact(HOSTILE[name])
    assert time.process_time() - began < 2.0  # measured 0.03 to 0.3 s; a quadratic step would take minutes
