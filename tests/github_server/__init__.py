"""A stateful GitHub for tests, over real HTTP, with real git data; every request and answer is checked against GitHub's
own description of its API.

    with GitHubServer(tmp_path / "github") as server:
        shop = server.create("octo/shop", {"shop.py": "…"})
        shop.collaborators["maintainer"] = "write"
        run = shop.add_run("CI", conclusion="failure", artifacts={"reports": {"junit.xml": JUNIT}}, logs={"test": LOG})
        token = server.token(TokenKind.ACTIONS, {"contents": "write", "pull-requests": "write"})
        …                                     # server.api_url, server.server_url, server.graphql_url, shop.clone_url
        assert shop.pulls[1].title == "…" and shop.file("grokfix/main/0123456789ab", "shop.py") == b"…"
        assert [str(entry) for entry in server.writes] == […]

Leaving the block fails when a request or an answer broke the description (`server.violations`).
"""

from bot.ports import TokenKind
from tests.github_server.code import SeenCommit
from tests.github_server.faults import Call, Cut, Delay, DoneBut, Fault, Hang, JournalEntry, Refuse
from tests.github_server.repository import Repository
from tests.github_server.runs import JobSpec
from tests.github_server.server import GitHubServer

__all__ = [
    "Call",
    "Cut",
    "Delay",
    "DoneBut",
    "Fault",
    "GitHubServer",
    "Hang",
    "JobSpec",
    "JournalEntry",
    "Refuse",
    "Repository",
    "SeenCommit",
    "TokenKind",
]
