"""What the parts of the GitHub adapter share."""

from __future__ import annotations

from bot.adapters.github_api import Api


class Part:
    """A part of `GitHubForge`: one repository through one `Api`."""

    def __init__(self, api: Api, repository: str) -> None:
        self.repository = repository
        self._api = api
        self._repo = f"/repos/{repository}"
