"""What GitHub's refusals become: how long to wait, in which words to say it, and never the token."""

from __future__ import annotations

import pytest

from bot.adapters.github_faults import Faults, limited, words
from bot.adapters.github_objects import number, permission, required
from bot.errors import ForgeError
from bot.ports import JsonValue, Permission

NOW = 1_800_000_000.0
TOKEN = "ghs_abcdefghijklmnopqrstuvwxyz0123456789"
FAULTS = Faults(TOKEN, "https://api.github.com")
SECONDARY: JsonValue = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you …"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (403, {"retry-after": "7"}, SECONDARY, 7.0),
        (429, {"retry-after": "7"}, None, 7.0),
        (403, {}, SECONDARY, 60.0),
        (429, {}, None, 60.0),
        (403, {}, {"message": "You have triggered an abuse detection mechanism."}, 60.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 30)}, None, 31.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) - 30)}, None, 1.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None, 60.0),
        (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, 60.0),
        (429, {"retry-after": "9" * 400}, None, 60.0),
        (403, {"x-ratelimit-remaining": "4999"}, {"message": "Resource not accessible by integration"}, None),
        (404, {"retry-after": "7"}, SECONDARY, None),
        (200, {"x-ratelimit-remaining": "0"}, None, None),
        (500, {"retry-after": "7"}, None, None),
    ],
)
def test_rate_limits_are_told_from_refusals(
    status: int, headers: dict[str, str], body: JsonValue, seconds: float | None
) -> None:
    assert limited(status, headers, body, NOW) == seconds


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, ""),
        ({"message": "Not Found"}, "Not Found"),
        (
            {
                "message": "Validation Failed",
                "errors": [{"resource": "PullRequest", "field": "head", "code": "invalid"}],
            },
            "Validation Failed; PullRequest head invalid",
        ),
        (
            {
                "message": "Validation Failed",
                "errors": [{"message": "A pull request already exists", "code": "custom"}],
            },
            "Validation Failed; A pull request already exists",
        ),
        ({"message": "Rules", "errors": ["Changes must be made through a pull request."]}, None),
        ({"message": ["not", "a", "text"], "errors": {"not": "a list"}}, ""),
        (["no", "object"], ""),
        ({"message": "a\x1b[31mred\r\n::error::x\u202e"}, None),
    ],
)
def test_words_are_one_plain_line(body: JsonValue, said: str | None) -> None:
    found = words(body)
    assert said is None or found == said
    assert not set(found) & {"\x1b", "\r", "\n", "\u202e"}


def test_words_are_bounded() -> None:
    assert len(words({"message": "x" * 1_000_000})) <= 400


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (401, {}, "expired"),
        (403, {}, "the token needs `contents: write`"),
        (
            403,
            {"x-accepted-github-permissions": "contents=write,workflows=write"},
            "`contents: write` and `workflows: write`",
        ),
        (
            403,
            {"x-accepted-github-permissions": "issues=write; pull_requests=write"},
            "`issues: write` or `pull-requests: write`",
        ),
        (403, {"x-accepted-github-permissions": "`::error::`"}, "the token needs `contents: write`"),
        (404, {}, "may not see it"),
        (307, {}, "renamed or moved"),
        (502, {}, "try again later"),
        (418, {}, "report it as a defect"),
    ],
)
def test_errors_say_what_to_do(status: int, headers: dict[str, str], says: str) -> None:
    body = {"message": f"Resource not accessible by integration {TOKEN}"}
    error = FAULTS.error("POST /repos/octo/shop/git/refs", status, headers, body, "contents: write")
    assert says in str(error)
    assert f"POST /repos/octo/shop/git/refs with {status}" in str(error)
    assert TOKEN not in str(error)
    assert error.status == status


def test_single_sign_on_is_told_apart() -> None:
    body = {"message": "Resource protected by organization SAML enforcement."}
    assert "single sign-on" in str(FAULTS.error("GET /repos/octo/shop", 403, {}, body, "metadata: read"))


def test_a_denial_keeps_githubs_words_and_names_the_permission_where_that_is_it() -> None:
    setting = {"message": "GitHub Actions is not permitted to create or approve pull requests."}
    assert FAULTS.denied(403, {}, setting, "pull-requests: write").message == setting["message"]
    missing = FAULTS.denied(403, {}, {"message": "Resource not accessible by integration"}, "checks: write")
    assert missing.message == "Resource not accessible by integration (the token needs `checks: write`)"
    assert "checks: write" in FAULTS.denied(404, {}, {"message": "Not Found"}, "checks: write").message
    assert FAULTS.denied(409, {}, None, "checks: write").message
    assert TOKEN not in FAULTS.denied(422, {}, {"message": f"no {TOKEN}"}, "checks: write").message


def test_no_answer_names_the_cause_without_the_token() -> None:
    error = FAULTS.no_answer("GET /user", ConnectionError(f"header Bearer {TOKEN} is odd"))
    assert error.status == 0
    assert TOKEN not in str(error)
    assert "GITHUB_API_URL" in str(error)


def test_a_long_limit_is_told_in_minutes() -> None:
    assert "asks to wait 43 minutes" in str(FAULTS.limit("GET /user", 403, 2580.0))


@pytest.mark.parametrize(
    ("coarse", "role", "expected"),
    [
        ("admin", "admin", Permission.ADMIN),
        ("write", "maintain", Permission.MAINTAIN),
        ("write", "write", Permission.WRITE),
        ("write", "release-captain", Permission.WRITE),
        ("read", "triage", Permission.TRIAGE),
        ("read", "read", Permission.READ),
        ("read", "admin", Permission.READ),
        ("none", "admin", Permission.NONE),
        ("none", "", Permission.NONE),
    ],
)
def test_a_role_never_counts_for_more_than_its_permission(coarse: str, role: str, expected: Permission) -> None:
    assert permission({"permission": coarse, "role_name": role}) is expected


def test_answers_that_lack_what_must_be_there_are_no_empty_values() -> None:
    with pytest.raises(ForgeError, match=r"without object\.sha"):
        required({"object": {"sha": None}}, "object", "sha")
    with pytest.raises(ForgeError, match="without id"):
        number({"id": True}, "id")
    with pytest.raises(ForgeError, match="none of those known"):
        permission({"permission": "owner"})
