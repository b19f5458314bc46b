"""What is installed and how it is built is a person's decision."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection

NAME = "dependencies"

_LOCKS = re.compile(
    r"(?:poetry|uv|pdm|Pipfile|pixi|conda|Cargo|Gemfile|composer|flake|mix|pubspec|Podfile|bun|deno)\.lockb?"
    r"|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|go\.sum|gradle\.lockfile|packages\.lock\.json"
)
_MANIFESTS = re.compile(
    r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|environment\.ya?ml|"
    r"package\.json|go\.mod|Cargo\.toml|Gemfile|.+\.gemspec|composer\.json|pom\.xml|build\.gradle(?:\.kts)?|.+\.csproj|"
    r"MANIFEST\.in|(?:.+\.)?Dockerfile(?:\..+)?|(?:docker-)?compose[\w.-]*\.ya?ml|Makefile|makefile|GNUmakefile|justfile|"
    r"CMakeLists\.txt|meson\.build|.+\.spec|Vagrantfile|\.python-version|\.nvmrc|\.tool-versions|runtime\.txt"
)


def check(subject: Subject) -> Iterator[Objection]:
    """Manifests, lock files and build recipes, by name."""
    for change in subject.applied.changes:
        folders, _, name = change.path.rpartition("/")
        if _LOCKS.fullmatch(name):
            what = "is a lock file"
        elif _MANIFESTS.fullmatch(name) or (folders.endswith("requirements") and name.endswith((".txt", ".in"))):
            what = "says what is installed or how it is built"
        else:
            continue
        yield Objection(NAME, change.path, f"{change.path} {what}", Grade.REVIEW)
