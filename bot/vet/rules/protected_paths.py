"""Paths that decide what runs with which rights: nobody's patch changes them without a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from bot.vet.subject import Subject
from bot.vet.types import Grade, Objection
from bot.workspace import paths

NAME = "protected_paths"

_FOLDERS = frozenset(
    {".github", ".gitea", ".forgejo", ".gitlab", ".circleci", ".buildkite", ".woodpecker", ".ci", ".git", ".grokfix"}
    | {".husky", ".githooks", ".devcontainer", ".vscode", ".idea", ".azure-pipelines", ".teamcity"}
)
_FILES = re.compile(
    r"""
      action\.ya?ml | grokfix\.ya?ml | \.gitlab-ci.*\.ya?ml | azure-pipelines.*\.ya?ml | bitbucket-pipelines\.ya?ml
    | \.?appveyor\.ya?ml | \.travis\.ya?ml | \.drone\.(?:ya?ml|star|jsonnet) | \.woodpecker\.ya?ml | \.cirrus\.ya?ml
    | jenkinsfile.* | codeowners | \.pre-commit-config\.ya?ml | \.pre-commit-hooks\.ya?ml | lefthook\.ya?ml
    | \.gitattributes | \.gitmodules | \.gitignore | \.mailmap | \.envrc | \.env(?:\..*)? | \.npmrc | \.pypirc | \.netrc
    | renovate\.json5? | dependabot\.ya?ml
    """,
    re.VERBOSE,
)


def check(subject: Subject) -> Iterator[Objection]:
    """Every protected path that git says is changed, compared without case, for some file systems have none."""
    for change in subject.applied.changes:
        reason = _reason(change.path, subject.protect)
        if reason is not None:
            yield Objection(NAME, change.path, f"{change.path} {reason}", Grade.BLOCKED)


def _reason(path: str, protect: tuple[str, ...]) -> str | None:
    wrong = paths.problem(path)
    if wrong is not None:
        return wrong
    folded = path.casefold()
    folders = folded.split("/")
    name = folders.pop()
    if any(folder in _FOLDERS for folder in folders) or name in _FOLDERS:
        return "belongs to the repository's automation, which no patch may change"
    if _FILES.fullmatch(name):
        return "configures automation or the repository itself, which no patch may change"
    for pattern in protect:
        if _matches(folded, pattern.casefold()):
            return f"is protected by the setting protect ({pattern!r})"
    return None


def _matches(path: str, pattern: str) -> bool:
    """`*` crosses folders, a pattern with a slash at its end is a folder, one without any slash fits any file name."""
    if pattern.endswith("/"):
        return path.startswith(pattern.lstrip("/"))
    if "/" not in pattern and fnmatchcase(path.rpartition("/")[2], pattern):
        return True
    pattern = pattern.lstrip("/")
    return fnmatchcase(path, pattern) or (pattern.startswith("**/") and fnmatchcase(path, pattern[3:]))
