"""Complete JSON objects of GitHub's API: people, repositories, git data. Others are in objects_runs, objects_pulls."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from tests.github_server.git_data import Entry, GitCommit, Person
from tests.github_server.repository import Repository
from tests.github_server.state import Label, iso
from tests.github_server.world import World

PLAIN_URLS = [
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "hooks",
    "languages",
    "merges",
    "stargazers",
    "subscribers",
    "subscription",
    "tags",
    "teams",
]
TEMPLATED_URLS = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "statuses": "/statuses/{sha}",
    "trees": "/git/trees{/sha}",
}


def node_id(kind: str, number: object) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def of(repository: Repository, path: str) -> str:
    """Address of something below a repository in the API."""
    return f"{repository.world.api_url}/repos/{repository.full_name}{path}"


def on_page(repository: Repository, path: str = "") -> str:
    """Address of something below a repository for people."""
    return f"{repository.world.server_url}/{repository.full_name}{path}"


def user(world: World, login: str) -> dict[str, Any]:
    """A simple user; who has no account of that login gets one."""
    found = world.user(login)
    url = f"{world.api_url}/users/{quote(found.login)}"
    return {
        "login": found.login,
        "id": found.id,
        "node_id": node_id("User", found.id),
        "avatar_url": f"{world.server_url}/avatars/{found.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{world.server_url}/{quote(found.login)}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": found.kind,
        "site_admin": False,
    }


def public_user(world: World, login: str) -> dict[str, Any]:
    created = iso(world.user(login).created)
    return {
        **user(world, login),
        **dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio")),
        **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
        "created_at": created,
        "updated_at": created,
    }


def minimal_repository(repository: Repository) -> dict[str, Any]:
    world = repository.world
    return {
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": user(world, repository.owner),
        "private": repository.private,
        "html_url": on_page(repository),
        "description": None,
        "fork": repository.fork_of is not None,
        "url": of(repository, ""),
        **{f"{name}_url": of(repository, f"/{name}") for name in PLAIN_URLS},
        **{f"{name}_url": of(repository, path) for name, path in TEMPLATED_URLS.items()},
    }


def full_repository(repository: Repository) -> dict[str, Any]:
    """Fits `repository` and `full-repository` alike."""
    states = [issue.state for issue in repository.issues.values()] + [pull.state for pull in repository.pulls.values()]
    open_issues = states.count("open")
    when = iso(repository.created)
    return {
        **minimal_repository(repository),
        "git_url": f"git://{repository.clone_url.partition('//')[2]}",
        "ssh_url": f"git@{repository.clone_url.partition('//')[2]}",
        "clone_url": repository.clone_url,
        "svn_url": on_page(repository),
        **dict.fromkeys(("mirror_url", "homepage", "language", "license")),
        **dict.fromkeys(("forks_count", "stargazers_count", "watchers_count", "size", "forks", "watchers"), 0),
        **dict.fromkeys(("subscribers_count", "network_count"), 0),
        "default_branch": repository.default_branch,
        "open_issues_count": open_issues,
        "open_issues": open_issues,
        **dict.fromkeys(("has_issues", "has_projects", "has_downloads"), True),
        **dict.fromkeys(("has_wiki", "has_pages", "has_discussions", "archived", "disabled"), False),
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), when),
        "visibility": "private" if repository.private else "public",
        "permissions": {"admin": False, "maintain": False, "push": False, "triage": False, "pull": True},
    }


def label(repository: Repository, one: Label) -> dict[str, Any]:
    return {
        "id": one.id,
        "node_id": node_id("Label", one.id),
        "url": of(repository, f"/labels/{quote(one.name)}"),
        "name": one.name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


# --- git data ---------------------------------------------------------------------------------------------------------


def git_person(person: Person) -> dict[str, Any]:
    return {"name": person.name, "email": person.email, "date": iso(person.when)}


def git_ref(repository: Repository, name: str, sha: str) -> dict[str, Any]:
    return {
        "ref": name,
        "node_id": node_id("Ref", name),
        "url": of(repository, f"/git/{quote(name)}"),
        "object": {"sha": sha, "type": "commit", "url": of(repository, f"/git/commits/{sha}")},
    }


def verification(commit: GitCommit) -> dict[str, Any]:
    signed = bool(commit.signature)
    return {
        "verified": signed,
        "reason": "valid" if signed else "unsigned",
        "signature": commit.signature or None,
        "payload": commit.payload or None,
        "verified_at": iso(commit.committer.when) if signed else None,
    }


def git_commit(repository: Repository, commit: GitCommit) -> dict[str, Any]:
    return {
        "sha": commit.sha,
        "node_id": node_id("Commit", commit.sha),
        "url": of(repository, f"/git/commits/{commit.sha}"),
        "html_url": on_page(repository, f"/commit/{commit.sha}"),
        "author": git_person(commit.author),
        "committer": git_person(commit.committer),
        "message": commit.message,
        "tree": {"sha": commit.tree, "url": of(repository, f"/git/trees/{commit.tree}")},
        "parents": [
            {
                "sha": parent,
                "url": of(repository, f"/git/commits/{parent}"),
                "html_url": on_page(repository, f"/commit/{parent}"),
            }
            for parent in commit.parents
        ],
        "verification": verification(commit),
    }


def commit(repository: Repository, found: GitCommit) -> dict[str, Any]:
    """A commit as the repository API shows it, with the account behind each person where there is one."""
    data = git_commit(repository, found)
    url = of(repository, f"/commits/{found.sha}")
    people = {}
    for role, person in (("author", found.author), ("committer", found.committer)):
        known = repository.world.users.get(person.name.lower())
        people[role] = user(repository.world, known.login) if known else None
    return {
        "sha": found.sha,
        "node_id": data["node_id"],
        "url": url,
        "html_url": data["html_url"],
        "comments_url": f"{url}/comments",
        "commit": {
            **{key: data[key] for key in ("url", "author", "committer", "message", "tree", "verification")},
            "comment_count": 0,
        },
        **people,
        "parents": [{**parent, "url": of(repository, f"/commits/{parent['sha']}")} for parent in data["parents"]],
    }


def tree_entry(repository: Repository, entry: Entry) -> dict[str, Any]:
    data: dict[str, Any] = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
    if entry.kind != "commit":
        data["url"] = of(repository, f"/git/{entry.kind}s/{entry.sha}")
    return data if entry.size is None else {**data, "size": entry.size}
