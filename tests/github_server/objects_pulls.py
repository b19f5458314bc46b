"""JSON objects of pull requests, comments and reactions."""

from __future__ import annotations

from typing import Any

from tests.github_server.objects import full_repository, label, node_id, of, on_page, user
from tests.github_server.repository import Repository
from tests.github_server.state import Comment, Pull, Reaction, iso

ASSOCIATION = {"admin": "OWNER", "maintain": "COLLABORATOR", "write": "COLLABORATOR", "triage": "COLLABORATOR"}


def association(repository: Repository, login: str) -> str:
    return ASSOCIATION.get(repository.role(login), "NONE")


def pull_simple(repository: Repository, pull: Pull) -> dict[str, Any]:
    """As in a list. The head's repository is null where a fork is gone."""
    url = of(repository, f"/pulls/{pull.number}")
    issue = of(repository, f"/issues/{pull.number}")
    page = on_page(repository, f"/pull/{pull.number}")
    source = repository.world.find(pull.head_repository)
    gone = source is None or source.deleted
    links = {
        "self": url,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": of(repository, "/pulls/comments{/number}"),
        "commits": f"{url}/commits",
        "statuses": of(repository, f"/statuses/{pull.head_sha}"),
    }
    head_owner = pull.head_repository.partition("/")[0] or "unknown"
    return {
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "number": pull.number,
        "url": url,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        **{f"{name}_url": links[name] for name in ("comments", "review_comments", "review_comment", "commits")},
        "statuses_url": links["statuses"],
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": user(repository.world, pull.user),
        "body": pull.body or None,
        "labels": [label(repository, one) for one in pull.labels],
        "milestone": None,
        "created_at": iso(pull.created),
        "updated_at": iso(pull.updated),
        "closed_at": iso(pull.closed) if pull.closed is not None else None,
        "merged_at": iso(pull.closed) if pull.merged and pull.closed is not None else None,
        "merge_commit_sha": pull.merge_sha or None,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [user(repository.world, login) for login in pull.reviewers],
        "requested_teams": [],
        "head": {
            "label": f"{head_owner}:{pull.head_branch}",
            "ref": pull.head_branch,
            "sha": pull.head_sha,
            "user": user(repository.world, head_owner),
            "repo": None if gone or source is None else full_repository(source),
        },
        "base": {
            "label": f"{repository.owner}:{pull.base_branch}",
            "ref": pull.base_branch,
            "sha": pull.base_sha,
            "user": user(repository.world, repository.owner),
            "repo": full_repository(repository),
        },
        "_links": {name: {"href": address} for name, address in links.items()},
        "author_association": association(repository, pull.user),
        "auto_merge": None,
        "draft": pull.draft,
    }


def pull_full(repository: Repository, pull: Pull) -> dict[str, Any]:
    """As asked for by its number."""
    changes = repository.git.changes(pull.base_sha, pull.head_sha)
    mergeable = bool(pull.merge_sha) if pull.state == "open" else None
    return {
        **pull_simple(repository, pull),
        "merged": pull.merged,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
        "merged_by": user(repository.world, pull.closed_by) if pull.merged else None,
        "comments": len(repository.comments(pull.number)),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(repository.git.commits(f"{pull.base_sha}..{pull.head_sha}")),
        "additions": sum(added for _, _, added, _ in changes),
        "deletions": sum(deleted for _, _, _, deleted in changes),
        "changed_files": len(changes),
    }


def comment(repository: Repository, one: Comment) -> dict[str, Any]:
    url = of(repository, f"/issues/comments/{one.id}")
    kind = "pull" if one.number in repository.pulls else "issues"
    counts = {name: sum(reaction.content == name for reaction in one.reactions) for name in CONTENTS}
    return {
        "id": one.id,
        "node_id": node_id("IssueComment", one.id),
        "url": url,
        "html_url": on_page(repository, f"/{kind}/{one.number}#issuecomment-{one.id}"),
        "issue_url": of(repository, f"/issues/{one.number}"),
        "user": user(repository.world, one.user),
        "created_at": iso(one.created),
        "updated_at": iso(one.updated),
        "author_association": association(repository, one.user),
        "body": one.body,
        "performed_via_github_app": None,
        "reactions": {"url": f"{url}/reactions", "total_count": len(one.reactions), **counts},
    }


CONTENTS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def reaction(repository: Repository, one: Reaction) -> dict[str, Any]:
    return {
        "id": one.id,
        "node_id": node_id("Reaction", one.id),
        "user": user(repository.world, one.user),
        "content": one.content,
        "created_at": iso(one.created),
    }
