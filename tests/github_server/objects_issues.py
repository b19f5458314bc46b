"""JSON objects of issues; a pull request is one too."""

from __future__ import annotations

from typing import Any

from tests.github_server.objects import label, node_id, of, on_page, user
from tests.github_server.objects_pulls import CONTENTS, association
from tests.github_server.repository import Repository
from tests.github_server.state import Issue, Pull, iso


def issue(repository: Repository, subject: Issue | Pull) -> dict[str, Any]:
    """As it is listed, as it is asked for by its number, and as events carry it."""
    url = of(repository, f"/issues/{subject.number}")
    page = on_page(repository, f"/{'pull' if isinstance(subject, Pull) else 'issues'}/{subject.number}")
    shown = {
        "id": subject.id,
        "node_id": node_id("Issue", subject.id),
        "number": subject.number,
        "url": url,
        "repository_url": of(repository, ""),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": page,
        "title": subject.title,
        "body": subject.body or None,
        "user": user(repository.world, subject.user),
        "labels": [label(repository, one) for one in subject.labels],
        "state": subject.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(repository.comments(subject.number)),
        "created_at": iso(subject.created),
        "updated_at": iso(subject.updated),
        "closed_at": None,
        "author_association": association(repository, subject.user),
        "active_lock_reason": None,
        "reactions": {**dict.fromkeys(CONTENTS, 0), "url": f"{url}/reactions", "total_count": 0},
    }
    if isinstance(subject, Pull):
        links = {"url": of(repository, f"/pulls/{subject.number}"), "html_url": page}
        patches = {"diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "merged_at": None}
        shown |= {"pull_request": {**links, **patches}, "draft": subject.draft}
    return shown
