"""Everything that the server holds: users, tokens, repositories; its addresses, its clock and its numbers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from pathlib import Path

from bot.ports import TokenKind
from tests.github_server import tokens
from tests.github_server.repository import Repository
from tests.github_server.state import User
from tests.github_server.tokens import Token


class World:
    """The state behind the HTTP server. `api_url`, `server_url`: set when the server knows its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api_url = ""
        self.server_url = ""
        self.repositories: dict[str, Repository] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self._numbers = itertools.count(100_001)

    def now(self) -> float:
        return time.time()

    def next_id(self) -> int:
        return next(self._numbers)

    def user(self, login: str, kind: str = "") -> User:
        """The user of that login, who exists from now on."""
        found = self.users.get(login.lower())
        if found is None:
            kind = kind or ("Bot" if login.endswith("[bot]") else "User")
            found = self.users[login.lower()] = User(login, self.next_id(), kind, self.now())
        return found

    def create(
        self,
        full_name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        default_branch: str = "main",
        private: bool = True,
        fork_of: Repository | None = None,
    ) -> Repository:
        """A repository with one commit that holds `files` (None: empty), owned by the login in its name."""
        owner, name = full_name.split("/")
        self.user(owner)
        repository = Repository(self, self.next_id(), owner, name, default_branch, private, fork_of)
        self.repositories[full_name.lower()] = repository
        repository.git.create(default_branch)
        if files is not None:
            repository.commit(default_branch, files, "first")
        elif fork_of is not None:
            repository.git.fetch(fork_of.git, "refs/heads/*", "refs/heads/*")
        return repository

    def find(self, full_name: str) -> Repository | None:
        return self.repositories.get(full_name.lower())

    def add_token(
        self, kind: TokenKind, permissions: Mapping[str, str], login: str, repositories: tuple[str, ...]
    ) -> Token:
        token = tokens.make(kind, permissions, login, repositories)
        token.reset_at = int(self.now()) + 3600
        self.user(token.login)
        self.tokens[token.value] = token
        return token
