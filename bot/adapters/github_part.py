"""What the parts of the GitHub adapter share."""

from __future__ import annotations

from bot.adapters.github_api import Api
from bot.ports import TokenKind, Viewer

ACTIONS = "github-actions[bot]"
BOT = "[bot]"
"""How the login of an App ends, and no person's."""


class Part:
    """A part of `GitHubForge`: one repository through one `Api`."""

    def __init__(self, api: Api, repository: str) -> None:
        self.repository = repository
        self._api = api
        self._repo = f"/repos/{repository}"
        self._viewer: Viewer | None = None

    def _seen_as(self, login: str) -> Viewer:
        """Remember whose token it is; some answers tell it by the way. "" where nobody would say."""
        kind = TokenKind.APP if login.endswith(BOT) else TokenKind.USER
        if login in ("", ACTIONS):
            kind = TokenKind.ACTIONS if login else TokenKind.UNKNOWN
        self._viewer = Viewer(login, kind)
        return self._viewer
