"""Contents, commits and comparisons."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from tests.github_server import objects
from tests.github_server.exchange import Problem, Response
from tests.github_server.git_data import ZERO, Entry
from tests.github_server.repository import Repository
from tests.github_server.router import Context, not_found, route
from tests.github_server.routes_git import people_of, refuse_by_rules

REPOSITORY = "/repos/{owner}/{repo}"
CONTENTS = REPOSITORY + "/contents/{path}"
KINDS = {"blob": "file", "tree": "dir", "commit": "submodule"}


def content(repository: Repository, ref: str, path: str, entry: Entry) -> dict[str, Any]:
    """A file or folder as the contents API names it, without its contents."""
    place, at = quote(path), quote(ref)
    url = objects.of(repository, f"/contents/{place}?ref={at}")
    kind = "symlink" if entry.mode == "120000" else KINDS[entry.kind]
    git = objects.of(repository, f"/git/{entry.kind}s/{entry.sha}")
    page = objects.on_page(repository, f"/{'tree' if kind == 'dir' else 'blob'}/{at}/{place}")
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": url,
        "html_url": page,
        "git_url": git,
        "download_url": None if kind == "dir" else objects.on_page(repository, f"/raw/{at}/{place}"),
        "type": kind,
        "_links": {"self": url, "git": git, "html": page},
    }


@route("GET", CONTENTS, "contents:read")
def get_contents(context: Context) -> Response:
    """A file with its contents (over 1 MB: without, as GitHub does), raw where that is accepted, a folder as a list."""
    repository, path = context.repository, context.text("path").strip("/")
    ref = context.request.query.get("ref", repository.default_branch)
    commit = repository.git.resolve(ref)
    if commit is None:
        raise Problem(404, f"No commit found for the ref {ref}")
    found = repository.git.read(f"{commit}:{path}")
    if found is None:
        raise not_found()
    sha, kind, data = found
    if kind == "tree":
        entries = repository.git.tree(sha, recursive=False)
        return Response(200, [content(repository, ref, f"{path}/{one.path}", one) for one in entries])
    entry = repository.git.tree(commit, recursive=False, path=path)[0]
    if "raw" in context.request.headers.get("accept", ""):
        return Response(200, data, {"Content-Type": "application/vnd.github.raw+json; charset=utf-8"})
    described = content(repository, ref, path, entry)
    if described["type"] == "symlink":
        return Response(200, {**described, "target": data.decode(errors="replace")})
    small = len(data) <= 1_000_000
    text = base64.encodebytes(data).decode() if small else ""
    return Response(200, {**described, "encoding": "base64" if small else "none", "content": text})


@route("PUT", CONTENTS, "contents:write")
def put_contents(context: Context) -> Response:
    """Commits one file; `sha` must be the replaced blob's, 409 where it is not."""
    repository, path, body = context.repository, context.text("path"), context.body
    branch = body.get("branch", repository.default_branch)
    tip = repository.branches.get(branch)
    if tip is None and repository.branches:
        raise Problem(404, f"Branch {branch} not found")
    old = repository.git.read(f"{tip}:{path}") if tip else None
    if old is not None and "sha" not in body:
        raise Problem(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if (old[0] if old else None) != body.get("sha"):
        raise Problem(409, f"{path} does not match {body.get('sha')}")
    try:
        data = base64.b64decode(body["content"])
    except ValueError as error:
        raise Problem(422, "content is not valid Base64") from error
    blob = repository.git.write("blob", data)
    tree = repository.git.write_tree(tip, [(path, "100644", blob)])
    author, committer, signed = people_of(context)
    commit = repository.git.write_commit(tree, [tip] if tip else [], author, committer, body["message"], signed=signed)
    refuse_by_rules(context, f"refs/heads/{branch}", commit, "update" if tip else "creation")
    if not repository.move(f"refs/heads/{branch}", commit, tip or ZERO):
        raise Problem(409, f"is at another commit but expected {tip}")
    entry = Entry(path, "100644", "blob", blob, len(data))
    made = repository.git.commit(commit)
    assert made is not None
    answer = {"content": content(repository, branch, path, entry), "commit": objects.git_commit(repository, made)}
    return Response(200 if old else 201, answer)


@route("GET", REPOSITORY + "/commits/{ref}", "contents:read")
def get_commit(context: Context) -> Response:
    repository, ref = context.repository, context.text("ref")
    sha = repository.git.resolve(ref)
    commit = repository.git.commit(sha) if sha else None
    if commit is None:
        raise Problem(422, f"No commit found for SHA: {ref}")
    if context.request.headers.get("accept", "").startswith("application/vnd.github.sha"):
        return Response(200, commit.sha.encode(), {"Content-Type": "application/vnd.github.sha; charset=utf-8"})
    return Response(200, objects.commit(repository, commit))


@route("GET", REPOSITORY + "/commits", "contents:read")
def list_commits(context: Context) -> Response:
    repository, query = context.repository, context.request.query
    ref = query.get("sha", repository.default_branch)
    sha = repository.git.resolve(ref)
    if sha is None:
        raise not_found()
    paths = ("--", f":(literal){query['path']}") if "path" in query else ()
    found = [repository.git.commit(one) for one in repository.git.commits(sha, *paths)]
    return context.page([objects.commit(repository, one) for one in found if one])


@route("GET", REPOSITORY + "/compare/{basehead}", "contents:read")
def compare(context: Context) -> Response:
    """Three dots; the commits of head that base lacks, oldest first, and the files that changed since the merge base."""
    repository = context.repository
    base_ref, _, head_ref = context.text("basehead").partition("...")
    base, head = (repository.git.resolve(ref.rpartition(":")[2]) for ref in (base_ref, head_ref))
    merge_base = repository.git.merge_base(base, head) if base and head else None
    if base is None or head is None or merge_base is None:
        raise not_found()
    ahead = repository.git.commits(f"{base}..{head}", limit=10_000)[::-1]
    behind = repository.git.commits(f"{head}..{base}", limit=10_000)
    words = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    found = {sha: repository.git.commit(sha) for sha in (base, merge_base, *ahead[:250])}
    shown = {sha: objects.commit(repository, one) for sha, one in found.items() if one}
    asked = quote(context.text("basehead"))
    page = objects.on_page(repository, f"/compare/{asked}")
    statuses = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
    return Response(
        200,
        {
            "url": objects.of(repository, f"/compare/{asked}"),
            "html_url": page,
            "permalink_url": objects.on_page(repository, f"/compare/{base}...{head}"),
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "base_commit": shown[base],
            "merge_base_commit": shown[merge_base],
            "status": words[bool(ahead), bool(behind)],
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [shown[sha] for sha in ahead[:250]],
            "files": [
                {
                    "sha": (repository.git.read(f"{head}:{path}") or (ZERO,))[0],
                    "filename": path,
                    "status": statuses[letter],
                    "additions": added,
                    "deletions": deleted,
                    "changes": added + deleted,
                    "blob_url": objects.on_page(repository, f"/blob/{head}/{quote(path)}"),
                    "raw_url": objects.on_page(repository, f"/raw/{head}/{quote(path)}"),
                    "contents_url": objects.of(repository, f"/contents/{quote(path)}?ref={head}"),
                }
                for path, letter, added, deleted in repository.git.changes(merge_base, head)
            ],
        },
    )
