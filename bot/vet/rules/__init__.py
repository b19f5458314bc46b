"""The rules, in the order in which a person would ask: where, what kind, tests, source, then what needs a look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from bot.vet.rules import (
    binary_files,
    branch_on_tests,
    dependencies,
    file_modes,
    flaky_masking,
    generated_files,
    migrations,
    module_state,
    narrow_conditions,
    process_exits,
    protected_paths,
    public_signatures,
    runner_patching,
    secrets,
    security_sensitive,
    size,
    special_cases,
    suppressions,
    swallowed_exceptions,
    syntax_errors,
    test_assertions,
    test_configuration,
    test_data,
    test_mocks,
    test_removal,
    test_scaffolding,
    test_skips,
)
from bot.vet.subject import Subject
from bot.vet.types import Objection


class Rule(Protocol):
    """A rule is a module with these two names."""

    NAME: str

    def check(self, subject: Subject) -> Iterator[Objection]:
        """What the rule holds against the patch."""
        ...


RULES: tuple[Rule, ...] = (
    protected_paths,
    file_modes,
    binary_files,
    size,
    generated_files,
    syntax_errors,
    test_removal,
    test_skips,
    test_assertions,
    test_scaffolding,
    test_mocks,
    test_configuration,
    test_data,
    flaky_masking,
    branch_on_tests,
    special_cases,
    narrow_conditions,
    swallowed_exceptions,
    module_state,
    process_exits,
    runner_patching,
    secrets,
    security_sensitive,
    public_signatures,
    dependencies,
    migrations,
    suppressions,
)
