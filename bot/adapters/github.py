"""GitHub, github.com and GitHub Enterprise alike, as the bot's code host."""

from __future__ import annotations

import re
from urllib.parse import quote

from bot.adapters.github_api import Api, ApiCall
from bot.adapters.github_checks import Checks
from bot.adapters.github_commits import Commits
from bot.adapters.github_conversation import Conversation
from bot.adapters.github_issues import Issues
from bot.adapters.github_objects import permission, required
from bot.adapters.github_runs import Runs
from bot.adapters.github_settings import RepositorySettings
from bot.errors import ConfigError
from bot.ports import Clock, Permission


class GitHubForge(Runs, Commits, Issues, Conversation, Checks, RepositorySettings):
    """Implements bot.ports.Forge for `repository` ("owner/name").

    api_url, server_url, graphql_url: as GITHUB_API_URL, GITHUB_SERVER_URL and GITHUB_GRAPHQL_URL have them.
    ConfigError for a token, repository or address that no request could be made with. Asks nothing until it is used.
    """

    def __init__(
        self, token: str, repository: str, *, api_url: str, server_url: str, graphql_url: str, clock: Clock
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+/(?!\.{1,2}$)[A-Za-z0-9_.-]+", repository):
            raise ConfigError(f'a repository is named "owner/name", not {repository!r}')
        super().__init__(Api(token, api_url, graphql_url, clock), repository)
        self.server_url = server_url.rstrip("/")

    @property
    def calls(self) -> tuple[ApiCall, ...]:
        """Every request so far, in order; downloads from storage hosts are none."""
        return tuple(self._api.calls)

    def close(self) -> None:
        """Let the connection go."""
        self._api.close()

    def default_branch(self) -> str:
        return required(self._api.get(self._repo, need="metadata: read", absent=()), "default_branch")

    def calls_left(self) -> int | None:
        return self._api.left()

    def permission(self, login: str) -> Permission:
        """404 is nobody: no collaborator, no such person."""
        path = f"{self._repo}/collaborators/{quote(login, safe='')}/permission"
        found = self._api.get(path, need="metadata: read")
        return Permission.NONE if found is None else permission(found)
