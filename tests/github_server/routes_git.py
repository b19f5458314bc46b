"""The git data API: refs, commits, trees, blobs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.ports import TokenKind
from tests.github_server import objects
from tests.github_server.exchange import Problem, Response
from tests.github_server.git_data import ZERO, GitError, Person
from tests.github_server.router import Context, not_found, route

GIT = "/repos/{owner}/{repo}/git"


def person(data: Mapping[str, str], now: float) -> Person:
    when = datetime.fromisoformat(data["date"]).timestamp() if "date" in data else now
    return Person(data["name"], data["email"], int(when))


def people_of(context: Context) -> tuple[Person, Person, bool]:
    """Author, committer and whether GitHub signs: only a bot's commit that names neither is signed."""
    body, login, now = context.body, context.token.login, context.world.now()
    account = context.world.user(login)
    own = Person(login, f"{account.id}+{login}@users.noreply.github.com", int(now))
    author = person(body["author"], now) if "author" in body else own
    committer = person(body["committer"], now) if "committer" in body else author
    signed = context.token.kind is not TokenKind.USER and not {"author", "committer"} & set(body)
    if signed:
        committer = Person("GitHub", "noreply@github.com", int(now))
    return author, committer, signed


def refuse_by_rules(context: Context, name: str, sha: str, kind: str) -> None:
    """Protection and rules of a branch that forbid to create or update it with this commit."""
    branch = name.removeprefix("refs/heads/")
    if branch in context.repository.protected and kind == "update":
        raise Problem(422, "Cannot update this protected ref.")
    rules = context.repository.rules.get(branch, ())
    commit = context.repository.git.commit(sha)
    if kind in rules or ("required_signatures" in rules and commit is not None and not commit.signature):
        reasons = {"creation": "Cannot create ref due to creations being restricted."}
        reasons["update"] = "Cannot update this protected ref."
        told = reasons[kind] if kind in rules else "Commits must have verified signatures."
        raise Problem(422, f"Repository rule violations found\n\n{told}\n\n")


@route("GET", GIT + "/ref/{ref}", "contents:read")
def get_ref(context: Context) -> Response:
    name = f"refs/{context.text('ref')}"
    sha = context.repository.git.ref(name)
    if sha is None:
        raise not_found()
    return Response(200, objects.git_ref(context.repository, name, sha))


@route("GET", GIT + "/matching-refs/{ref}", "contents:read")
def get_matching_refs(context: Context) -> Response:
    asked = f"refs/{context.text('ref')}"
    found = context.repository.git.refs("refs/")
    return Response(
        200,
        [objects.git_ref(context.repository, name, sha) for name, sha in found.items() if name.startswith(asked)],
    )


@route("POST", GIT + "/refs", "contents:write")
def create_ref(context: Context) -> Response:
    repository, name, sha = context.repository, context.body["ref"], context.body["sha"]
    if not name.startswith("refs/") or name.count("/") < 2 or not repository.git.valid_ref(name):
        raise Problem(422, f"{name} is not a valid ref name.")
    if repository.git.commit(sha) is None:
        raise Problem(422, "Object does not exist")
    if repository.git.ref(name) is not None:
        raise Problem(422, "Reference already exists")
    refuse_by_rules(context, name, sha, "creation")
    if not repository.move(name, sha, ZERO):
        raise Problem(422, f"Reference cannot be created: {name}")
    return Response(201, objects.git_ref(repository, name, sha))


@route("PATCH", GIT + "/refs/{ref}", "contents:write")
def update_ref(context: Context) -> Response:
    """`force` false: a fast forward only. A protected branch takes nothing."""
    repository, name, sha = context.repository, f"refs/{context.text('ref')}", context.body["sha"]
    old = repository.git.ref(name)
    if old is None:
        raise Problem(422, "Reference does not exist")
    if repository.git.commit(sha) is None:
        raise Problem(422, "Object does not exist")
    refuse_by_rules(context, name, sha, "update")
    forward = repository.git.is_ancestor(old, sha)
    if not (context.body.get("force", False) or forward) or not repository.move(name, sha, old):
        raise Problem(422, "Update is not a fast forward")
    return Response(200, objects.git_ref(repository, name, sha))


@route("DELETE", GIT + "/refs/{ref}", "contents:write")
def delete_ref(context: Context) -> Response:
    repository, name = context.repository, f"refs/{context.text('ref')}"
    if repository.git.ref(name) is None:
        raise Problem(422, "Reference does not exist")
    repository.git.delete_ref(name)
    repository.refresh_pulls()
    return Response(204)


@route("GET", GIT + "/commits/{commit_sha}", "contents:read")
def get_commit(context: Context) -> Response:
    found = context.repository.git.commit(context.text("commit_sha"))
    if found is None:
        raise not_found()
    return Response(200, objects.git_commit(context.repository, found))


@route("POST", GIT + "/commits", "contents:write")
def create_commit(context: Context) -> Response:
    repository, body = context.repository, context.body
    tree = repository.git.read(body["tree"])
    if tree is None or tree[1] != "tree":
        raise Problem(422, "Tree SHA does not exist")
    for parent in body.get("parents", []):
        if repository.git.commit(parent) is None:
            raise Problem(422, "Parent SHA does not exist or is not a commit object")
    author, committer, signed = people_of(context)
    sha = repository.git.write_commit(
        body["tree"], body.get("parents", []), author, committer, body["message"], signed=signed
    )
    made = repository.git.commit(sha)
    assert made is not None
    return Response(201, objects.git_commit(repository, made))


def tree_of(context: Context, sha: str, *, recursive: bool) -> dict[str, Any]:
    repository = context.repository
    entries = repository.git.tree(sha, recursive=recursive)
    limit = repository.tree_limit
    return {
        "sha": sha,
        "url": objects.of(repository, f"/git/trees/{sha}"),
        "tree": [objects.tree_entry(repository, entry) for entry in entries[:limit]],
        "truncated": len(entries) > limit,
    }


@route("GET", GIT + "/trees/{tree_sha}", "contents:read")
def get_tree(context: Context) -> Response:
    """By the tree's SHA, or by a commit or a branch. Any value of `recursive` counts, "0" too."""
    asked = context.text("tree_sha")
    commit = context.repository.git.resolve(asked)
    found = context.repository.git.read(commit or asked, "tree")
    if found is None or (commit is None and found[0] != asked):
        raise not_found()
    return Response(200, tree_of(context, found[0], recursive="recursive" in context.request.query))


@route("POST", GIT + "/trees", "contents:write")
def create_tree(context: Context) -> Response:
    repository, body = context.repository, context.body
    base = body.get("base_tree")
    if base is not None and repository.git.read(base, "tree") is None:
        raise Problem(404, "base_tree is not a valid tree oid")
    if not body["tree"]:
        raise Problem(422, "Invalid tree info")
    known = {entry.path for entry in repository.git.tree(base, recursive=True)} if base else set()
    entries = []
    for entry in body["tree"]:
        path, mode = entry.get("path", ""), entry.get("mode", "100644")
        parts = path.split("/")
        if not path or {"", ".", ".."} & set(parts) or parts[0].lower() == ".git":
            raise Problem(422, "tree.path contains a malformed path component")
        if "content" in entry and entry.get("sha") is not None:
            raise Problem(422, "Must supply either tree.sha or tree.content, not both")
        sha = repository.git.write("blob", entry["content"].encode()) if "content" in entry else entry.get("sha")
        if sha is None and "sha" not in entry:
            raise Problem(422, "Must supply tree.sha or tree.content")
        if (sha is None and path not in known) or (
            sha is not None and mode != "160000" and repository.git.read(sha) is None
        ):
            raise Problem(422, "GitRPC::BadObjectState")
        entries.append((path, mode, sha))
    try:
        sha = repository.git.write_tree(base, entries)
    except GitError as error:
        raise Problem(422, "Invalid tree info") from error
    return Response(201, tree_of(context, sha, recursive=False))


@route("GET", GIT + "/blobs/{file_sha}", "contents:read")
def get_blob(context: Context) -> Response:
    found = context.repository.git.read(context.text("file_sha"))
    if found is None or found[1] != "blob":
        raise not_found()
    sha, _, data = found
    if "raw" in context.request.headers.get("accept", ""):
        return Response(200, data, {"Content-Type": "application/vnd.github.raw+json; charset=utf-8"})
    return Response(
        200,
        {
            "sha": sha,
            "node_id": objects.node_id("Blob", sha),
            "size": len(data),
            "url": objects.of(context.repository, f"/git/blobs/{sha}"),
            "content": base64.encodebytes(data).decode(),
            "encoding": "base64",
        },
    )


@route("POST", GIT + "/blobs", "contents:write")
def create_blob(context: Context) -> Response:
    body = context.body
    try:
        encoded = body.get("encoding", "utf-8") == "base64"
        data = base64.b64decode(body["content"]) if encoded else body["content"].encode()
    except ValueError as error:
        raise Problem(422, "content is not valid Base64") from error
    sha = context.repository.git.write("blob", data)
    return Response(201, {"sha": sha, "url": objects.of(context.repository, f"/git/blobs/{sha}")})
