"""The code host that the environment gives access to."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports import Forge

TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")


def connect(environment: Mapping[str, str], repository: str) -> Forge | None:
    """`repository` ("owner/name") with the environment's token, on the server that it names; None without a token."""
    token = next((environment[name] for name in TOKENS if environment.get(name)), None)
    if token is None:
        return None
    from bot.adapters.clock import SystemClock
    from bot.adapters.github import GitHubForge

    api_url = environment.get("GITHUB_API_URL") or "https://api.github.com"
    return GitHubForge(
        token,
        repository,
        api_url=api_url,
        server_url=environment.get("GITHUB_SERVER_URL") or "https://github.com",
        graphql_url=environment.get("GITHUB_GRAPHQL_URL") or f"{api_url.removesuffix('/v3')}/graphql",
        clock=SystemClock(),
    )
