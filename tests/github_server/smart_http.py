"""git's smart HTTP protocol: fetch and clone by git's own http-backend; pushes are refused."""

from __future__ import annotations

import base64
import binascii
import gzip
import re

from bot import process
from tests.github_server.exchange import Request, Response
from tests.github_server.git_data import environment_of_git
from tests.github_server.repository import Repository

PATH = re.compile(r"/(?P<name>[^/]+/[^/]+?)(\.git)?/(?P<service>info/refs|git-upload-pack|git-receive-pack)")


def password(authorization: str) -> str | None:
    """The token of a basic or bearer Authorization header; None where it is neither."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None


def serve(repository: Repository, request: Request, service: str, query: str) -> Response:
    """One request of the protocol, through git's CGI program."""
    if "receive-pack" in service or "receive-pack" in query:
        return Response(
            403, b"pushes are not taken: commits are made through the API\n", {"Content-Type": "text/plain"}
        )
    headers = request.headers
    body = gzip.decompress(request.body) if headers.get("content-encoding") == "gzip" else request.body
    environment = {
        **environment_of_git(),
        "GIT_PROJECT_ROOT": str(repository.git.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{service}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = process.run(("git", "http-backend"), environment=environment, stdin=body)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    answer = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(answer.pop("Status", "200").split()[0])
    return Response(status, content, answer)
