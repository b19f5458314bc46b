"""Tokens of the server: whose they are, what they were granted, and how GitHub refuses the rest."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.ports import TokenKind

ORDER = ("read", "write", "admin")
PREFIX = {TokenKind.ACTIONS: "ghs_", TokenKind.APP: "ghs_", TokenKind.USER: "ghp_"}
LOGIN = {
    TokenKind.ACTIONS: "github-actions[bot]",
    TokenKind.APP: "grokfix-app[bot]",
    TokenKind.USER: "octocat",
}
REQUESTS_AN_HOUR = {TokenKind.ACTIONS: 1000, TokenKind.APP: 5000, TokenKind.USER: 5000}


@dataclass(slots=True, eq=False)
class Token:
    """A credential. `permissions`: name → read, write or admin; what is not named was not granted.

    repositories: full names it reaches; empty: all. expired: answered with 401. limit, used: requests of the hour.
    """

    value: str
    kind: TokenKind
    login: str
    permissions: Mapping[str, str] = field(default_factory=dict)
    repositories: tuple[str, ...] = ()
    expired: bool = False
    limit: int = 5000
    used: int = 0
    reset_at: int = 0  # seconds since the epoch

    @property
    def is_integration(self) -> bool:
        return self.kind is not TokenKind.USER

    @property
    def refusal(self) -> str:
        """How GitHub words a missing permission."""
        return f"Resource not accessible by {'integration' if self.is_integration else 'personal access token'}"

    def grants(self, needs: tuple[str, ...]) -> bool:
        """Whether one of the alternatives "name:level" is granted; none asked is granted to everybody."""
        return not needs or any(self._grants(*need.split(":")) for need in needs)

    def _grants(self, name: str, level: str) -> bool:
        granted = self.permissions.get(name)
        return granted is not None and ORDER.index(granted) >= ORDER.index(level)

    def reaches(self, full_name: str) -> bool:
        return not self.repositories or full_name.lower() in (name.lower() for name in self.repositories)


def make(
    kind: TokenKind,
    permissions: Mapping[str, str],
    login: str,
    repositories: tuple[str, ...],
) -> Token:
    """A fresh token. ValueError where a level is none of read, write, admin."""
    wrong = {name: level for name, level in permissions.items() if level not in ORDER}
    if wrong:
        raise ValueError(f"levels are {', '.join(ORDER)}; got {wrong}")
    value = PREFIX[kind] + secrets.token_hex(18)
    known = {name.replace("-", "_"): level for name, level in permissions.items()}
    return Token(value, kind, login or LOGIN[kind], known, repositories, limit=REQUESTS_AN_HOUR[kind])
