"""GitHub's own description of its API (npm package @octokit/openapi), and the check of requests and answers by it.

The description is fetched once a machine by the npm client, never committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote

from tests import npm
from tests.github_server.exchange import Request, Response

PACKAGE = "@octokit/openapi@23.0.2"
MEMBER = "generated/api.github.com.json"
# The description lists few of the errors that every operation can give.
UNLISTED = frozenset({401, 403, 404, 410, 422, 429, 500, 502, 503})
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
URI = re.compile(r"[a-z][a-z0-9+.-]*:\S*", re.IGNORECASE)
# What GitHub takes beyond its description: labels as a bare array, as every client library sends them.
ALSO_TAKEN = {
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels"): {"type": "array", "items": {"type": "string"}}
}
SEARCHED = frozenset({"created"})  # takes the search syntax (">=2024-01-01"), though described as one time
# What GitHub answers with null against its description, by component and path of properties: forks that are gone.
BECOMES_NULL = {
    "pull-request": ("head", "repo"),
    "pull-request-simple": ("head", "repo"),
    "workflow-run": ("head_repository",),
}
SPANS_SLASHES = frozenset({"path", "ref", "branch", "basehead"})


@cache
def load() -> Description:
    """Once a session; the test is skipped where npm cannot get it."""
    return Description(json.loads(npm.member(PACKAGE, MEMBER).read_bytes()))


def pattern_of(template: str) -> re.Pattern[str]:
    """Matches a still encoded path; parameters that may hold slashes are greedy."""
    parts = []
    for part in re.split(r"(\{\w+\})", template):
        name = part.strip("{}")
        if part.startswith("{"):
            parts.append(f"(?P<{name}>{'.+' if name in SPANS_SLASHES else '[^/]+'})")
        else:
            parts.append(re.escape(part))
    return re.compile("".join(parts))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the description, with references of parameters and answers resolved."""

    method: str
    template: str
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]  # (in, name) → parameter
    body: Mapping[str, Any] | None
    body_required: bool
    responses: Mapping[int, Mapping[str, Any] | None] = field(default_factory=dict)  # status → schema of its JSON

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


class Description:
    """The description, compiled operation by operation as they are asked for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT202012

        self._document = document

        @cache
        def retrieve(uri: str) -> Resource[Any]:
            name = uri.removeprefix("schema:")
            schema = translated(document["components"]["schemas"][name])
            if name in BECOMES_NULL:
                *outer, last = BECOMES_NULL[name]
                part = schema
                for step in outer:
                    part = part["properties"][step]
                part["properties"][last] = {"anyOf": [{"type": "null"}, part["properties"][last]]}
            return Resource.from_contents(schema, default_specification=DRAFT202012)

        self._registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
        self._operations: dict[tuple[str, str], Operation] = {}
        self._validators: dict[str, Any] = {}

    def operation(self, method: str, template: str) -> Operation | None:
        """None where GitHub has no such operation."""
        key = (method, template)
        if key not in self._operations:
            item = self._document["paths"].get(template, {})
            if method.lower() not in item:
                return None
            self._operations[key] = self._read(method, template, item)
        return self._operations[key]

    def template_of(self, method: str, path: str) -> str | None:
        """The template that a path of GitHub's API fits, the most literal one."""
        fitting = [
            template
            for template, item in self._document["paths"].items()
            if method.lower() in item and pattern_of(template).fullmatch(path)
        ]
        return max(fitting, key=lambda template: len(re.sub(r"\{\w+\}", "", template)), default=None)

    def faults_of_request(self, operation: Operation, request: Request, path: Mapping[str, str]) -> Iterator[str]:
        """What the client did that the description does not allow."""
        given = {("path", name): unquote(value) for name, value in path.items()}
        given |= {("query", name): value for name, value in request.query.items()}
        for (place, name), value in given.items():
            parameter = operation.parameters.get((place, name))
            if parameter is None:
                yield f"{place} parameter {name!r} is unknown to {operation.name}"
            else:
                schema = parameter["schema"] if name not in SEARCHED else {"type": "string"}
                yield from self._faults(schema, converted(value, schema), f"{place} {name}")
        for (place, name), parameter in operation.parameters.items():
            if place == "query" and parameter.get("required") and (place, name) not in given:
                yield f"query parameter {name!r} is missing"
        yield from self._faults_of_body(operation, request)

    def _faults_of_body(self, operation: Operation, request: Request) -> Iterator[str]:
        try:
            body = request.json()
        except ValueError as error:
            yield f"the body is no JSON: {error}"
            return
        if body is None:
            if operation.body_required:
                yield "the body is missing"
            return
        if operation.body is None:
            if body != {}:
                yield f"{operation.name} takes no body"
            return
        also = ALSO_TAKEN.get((operation.method, operation.template))
        if also is not None and not list(self._faults(also, body, "body")):
            return
        yield from self._faults(operation.body, body, "body")
        known = self._properties(operation.body)
        if known and isinstance(body, dict):
            yield from (f"body: {name!r} is unknown to {operation.name}" for name in body if name not in known)

    def faults_of_response(self, operation: Operation, response: Response) -> Iterator[str]:
        """What the server itself answered against the description."""
        if response.status == 304:
            return
        if response.status not in operation.responses:
            if response.status in UNLISTED:
                yield from self._faults({"$ref": "#/components/schemas/basic-error"}, response.content, "answer")
            else:
                yield f"{operation.name} does not answer {response.status}"
            return
        schema = operation.responses[response.status]
        if isinstance(response.content, bytes):
            return
        if schema is None:
            if response.content is not None and response.status < 400:
                yield f"{operation.name} answers {response.status} without a body"
        else:
            yield from self._faults(schema, response.content, "answer")

    def faults_of(self, component: str, value: Any) -> list[str]:
        """What is wrong with a value by one of the description's schemas (webhook payloads)."""
        return list(self._faults({"$ref": f"#/components/schemas/{component}"}, value, component))

    def _faults(self, schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            from jsonschema import Draft202012Validator, FormatChecker

            formats = FormatChecker(())
            formats.checks("date-time")(lambda text: not isinstance(text, str) or bool(DATE_TIME.fullmatch(text)))
            formats.checks("uri")(lambda text: not isinstance(text, str) or bool(URI.fullmatch(text)))
            self._validators[key] = Draft202012Validator(
                translated(schema), registry=self._registry, format_checker=formats
            )
        for error in self._validators[key].iter_errors(value):
            best = max((error, *error.context), key=lambda one: len(one.absolute_path)) if error.context else error
            yield f"{where}{best.json_path.removeprefix('$')}: {best.message[:300]}"

    def _read(self, method: str, template: str, item: Mapping[str, Any]) -> Operation:
        raw = item[method.lower()]
        parameters = [self._resolved(one) for one in (*item.get("parameters", ()), *raw.get("parameters", ()))]
        body = raw.get("requestBody", {})
        responses: dict[int, Mapping[str, Any] | None] = {}
        for status, response in raw["responses"].items():
            content = self._resolved(response).get("content", {})
            responses[int(status)] = content.get("application/json", {}).get("schema")
        return Operation(
            method,
            template,
            {(one["in"], one["name"]): one for one in parameters},
            body.get("content", {}).get("application/json", {}).get("schema"),
            bool(body.get("required")),
            responses,
        )

    def _resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            found: Any = self._document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value

    def _properties(self, schema: Mapping[str, Any]) -> frozenset[str]:
        """Names that a body may hold; empty where it may hold any."""
        schema = self._resolved(schema)
        names = set(schema.get("properties", ()))
        for kind in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(kind, ()):
                names |= self._properties(part)
        return frozenset(names)


def translated(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as one of JSON Schema: `nullable`, and references to components by name."""
    if isinstance(schema, list):
        return [translated(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:  # what stands beside a reference has no meaning in OpenAPI 3.0
        return {"$ref": "schema:" + schema["$ref"].rpartition("/")[2]}
    done = {
        # Alternatives of the description overlap (every error is also another one's): one at least, not one exactly.
        ("anyOf" if key == "oneOf" else key): (
            {name: translated(part) for name, part in value.items()} if key == "properties" else translated(value)
        )
        for key, value in schema.items()
        if key
        not in ("example", "examples", "description", "nullable", "title", "default", "x-github-breaking-changes")
    }
    return {"anyOf": [{"type": "null"}, done]} if schema.get("nullable") else done


def converted(value: str, schema: Mapping[str, Any]) -> Any:
    """A parameter's text as the type that its schema names, where it can be read as one."""
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if schema.get("type") == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
