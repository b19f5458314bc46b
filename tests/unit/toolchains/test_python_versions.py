"""Which Python a project asks for."""

from __future__ import annotations

import pytest

from bot.toolchains.python_versions import MINORS, allows, choose


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("", {9, 10, 11, 12, 13, 14}),
        (">=3.10", {10, 11, 12, 13, 14}),
        (">=3.9,<3.12", {9, 10, 11}),
        (">=3.8,<4", {9, 10, 11, 12, 13, 14}),
        (">=3.10, !=3.12.*", {10, 11, 13, 14}),
        ("~=3.10", {10, 11, 12, 13, 14}),
        ("~=3.10.2", {10}),
        ("==3.11.*", {11}),
        ("==3.11", {11}),
        ("^3.11", {11, 12, 13, 14}),
        ("~3.11", {11}),
        ("~3.10 || ^3.12", {10, 12, 13, 14}),
        ("<=3.11", {9, 10}),  # 3.11.50 is above 3.11: installers refuse it too
        (">3.11,<=3.13.1", {11, 12}),
        ("<3", set()),
        ("what is this", {9, 10, 11, 12, 13, 14}),
    ],
)
def test_allowed_minor_versions(specifier: str, expected: set[int]) -> None:
    assert {minor for minor in MINORS if allows(specifier, minor)} == expected


@pytest.mark.parametrize(
    ("specifier", "listed", "pinned", "expected"),
    [
        ("", (), "", "3.13"),
        (">=3.9", (9, 10, 11), "", "3.11"),  # never tried on later ones
        (">=3.9", (), "3.12.4\n", "3.12"),
        (">=3.9", (), "cpython-3.12.4", "3.12"),
        (">=3.13", (), "3.9", "3.13"),  # a pin that the project itself forbids
        ("==3.11.4", (), "", "3.11.4"),
        (">=3.14", (), "", "3.14"),
        (">=3.15", (), "", None),
        (">=3.12", (9, 10), "", "3.13"),  # classifiers that were forgotten
    ],
)
def test_choice(specifier: str, listed: tuple[int, ...], pinned: str, expected: str | None) -> None:
    assert choose(specifier, listed, pinned) == expected
