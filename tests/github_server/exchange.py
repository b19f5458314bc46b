"""One request and its answer, as the routes see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. `path`: still percent-encoded, without the API's prefix; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Any:
        """The body; None where it is empty. ValueError where it is no JSON."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Response:
    """What goes out. `content`: JSON unless it is bytes; None is no body."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.content is None:
            return b""
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        return Response(self.status, self.content, {**self.headers, **headers})


class Problem(Exception):
    """An error answer in GitHub's form. `errors`: the details of a 422."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: tuple[Mapping[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        content: dict[str, Any] = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
        if errors:
            content["errors"] = list(errors)
        self.response = Response(status, content, headers or {})


def invalid(resource: str, field_name: str, code: str = "invalid", message: str = "") -> Problem:
    """The 422 of a field that will not do."""
    detail = {"resource": resource, "code": code, "field": field_name}
    return Problem(422, "Validation Failed", ({**detail, "message": message} if message else detail,))
