"""A repository, its people, its branches and its settings."""

from __future__ import annotations

from urllib.parse import quote

from tests.github_server import objects
from tests.github_server.exchange import Problem, Response
from tests.github_server.router import Context, not_found, route
from tests.github_server.state import iso

REPOSITORY = "/repos/{owner}/{repo}"
LEGACY = {"maintain": "write", "triage": "read"}  # roles that the older field has no word for


@route("GET", REPOSITORY)
def get_repository(context: Context) -> Response:
    return Response(200, objects.full_repository(context.repository))


@route("GET", REPOSITORY + "/collaborators/{username}/permission")
def get_permission(context: Context) -> Response:
    login = context.text("username")
    if login.lower() not in context.world.users:
        raise Problem(404, f"{login} is not a user")
    role = context.repository.role(login)
    permissions = {
        name: role in roles
        for name, roles in {
            "pull": ("read", "triage", "write", "maintain", "admin"),
            "triage": ("triage", "write", "maintain", "admin"),
            "push": ("write", "maintain", "admin"),
            "maintain": ("maintain", "admin"),
            "admin": ("admin",),
        }.items()
    }
    user = {**objects.user(context.world, login), "permissions": permissions, "role_name": role}
    return Response(200, {"permission": LEGACY.get(role, role), "role_name": role, "user": user})


@route("GET", REPOSITORY + "/branches/{branch}", "contents:read")
def get_branch(context: Context) -> Response:
    repository, name = context.repository, context.text("branch")
    sha = repository.branches.get(name)
    commit = repository.git.commit(sha) if sha else None
    if commit is None:
        raise Problem(404, "Branch not found")
    url = objects.of(repository, f"/branches/{quote(name)}")
    return Response(
        200,
        {
            "name": name,
            "commit": objects.commit(repository, commit),
            "_links": {"html": objects.on_page(repository, f"/tree/{quote(name)}"), "self": url},
            "protected": name in repository.protected,
            "protection": {"enabled": name in repository.protected},
            "protection_url": f"{url}/protection",
        },
    )


@route("GET", REPOSITORY + "/branches/{branch}/protection", "administration:read")
def get_protection(context: Context) -> Response:
    name = context.text("branch")
    if name not in context.repository.branches:
        raise Problem(404, "Branch not found")
    if name not in context.repository.protected:
        raise Problem(404, "Branch not protected")
    url = objects.of(context.repository, f"/branches/{quote(name)}/protection")
    return Response(
        200,
        {
            "url": url,
            "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": False},
            "allow_force_pushes": {"enabled": False},
            "allow_deletions": {"enabled": False},
        },
    )


@route("GET", REPOSITORY + "/actions/permissions", "administration:read")
def get_actions_permissions(context: Context) -> Response:
    return Response(200, {"enabled": True, "allowed_actions": "all"})


@route("GET", REPOSITORY + "/actions/permissions/workflow", "administration:read")
def get_workflow_permissions(context: Context) -> Response:
    allowed = context.repository.actions_may_create_pull_requests
    return Response(200, {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": allowed})


@route("GET", REPOSITORY + "/rules/branches/{branch}")
def get_rules(context: Context) -> Response:
    """Of every ruleset that holds for the branch; it need not exist."""
    source = {"ruleset_source_type": "Repository", "ruleset_source": context.repository.full_name, "ruleset_id": 1}
    return context.page([{"type": kind, **source} for kind in context.repository.rules.get(context.text("branch"), ())])


def secret(context: Context, name: str) -> dict[str, str]:
    when = iso(context.repository.created)
    return {"name": name, "created_at": when, "updated_at": when}


@route("GET", REPOSITORY + "/actions/secrets/{secret_name}", "secrets:read")
def get_secret(context: Context) -> Response:
    """That there is one; its value is told to nobody."""
    name = context.text("secret_name")
    if name not in context.repository.secrets:
        raise not_found()
    return Response(200, secret(context, name))


@route("GET", REPOSITORY + "/actions/organization-secrets", "secrets:read")
def list_organization_secrets(context: Context) -> Response:
    return context.page([secret(context, name) for name in sorted(context.repository.organization_secrets)], "secrets")


@route("GET", REPOSITORY + "/labels/{name}", "issues:read", "pull_requests:read")
def get_label(context: Context) -> Response:
    found = context.repository.labels.get(context.text("name").lower())
    if found is None:
        raise not_found()
    return Response(200, objects.label(context.repository, found))
