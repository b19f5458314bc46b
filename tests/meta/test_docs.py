"""The documentation says what the code takes: tables against action.yml, schema and template; links and files exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config_action import CONFIG_PATH

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
SETTINGS = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SCHEMA = json.loads((ROOT / "bot/config.schema.json").read_text(encoding="utf-8"))
TEMPLATE = (ROOT / "bot/setup/templates/grokfix.yml").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """The cells behind the first of each row of the table under a heading."""
    part = SETTINGS.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in part.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert len({row[0] for row in cells}) == len(cells), "a row stands twice"
    return {row[0].strip("`"): row[1:] for row in cells}


def leaves(node: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    """Keys of grokfix.yml by the schema, with their defaults (None: none is told)."""
    for key, value in resolved(node)["properties"].items():
        path = f"{name}.{key}" if name else key
        within = [
            (path + joint, resolved(part))
            for joint, part in (
                ("", value),
                ("[]", value.get("items")),
                (".NAME", value.get("additionalProperties")),
            )
            if isinstance(part, Mapping) and "properties" in resolved(part)
        ]
        for below, part in within:
            yield from leaves(part, below)
        if not within:
            yield path, value.get("default")


def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref")
    return node if reference is None else SCHEMA["$defs"][reference.rpartition("/")[2]]


def defaults() -> Mapping[str, Any]:
    """The template with its comments taken for what they are: the defaults."""
    lines = (line.removeprefix("#") for line in TEMPLATE.splitlines() if not re.match("# [^ ]", line))
    loaded = yaml.safe_load("\n".join(lines))
    assert isinstance(loaded, dict)
    return loaded


def at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data[name.removesuffix("[]")]
        data = data[0] if name.endswith("[]") and data else data
    return data


def test_inputs() -> None:
    told = {name: cells[0].strip("`") for name, cells in table("Inputs of the action").items()}
    assert told == {name: str(given["default"]) for name, given in ACTION["inputs"].items()}
    assert told["config"] == CONFIG_PATH


def test_outputs() -> None:
    assert set(table("Outputs of the action")) == set(ACTION["outputs"])


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(table("Settings")) == {path for path, _ in leaves(SCHEMA)}


def test_defaults_of_settings() -> None:
    template, told = defaults(), table("Settings")
    wrong = []
    for path, schema_default in leaves(SCHEMA):
        try:
            expected = at(template, path)
        except (KeyError, TypeError, IndexError):
            expected = schema_default
        shown = yaml.safe_load(told[path][0].strip("`")) if told[path][0] else None
        if shown != expected:
            wrong.append(f"{path}: {shown!r} is told, {expected!r} it is")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_linked_and_every_picture_shown() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [page.name for page in (ROOT / "docs").glob("*.md")]
    pictures = [picture.name for picture in (ROOT / "docs/images").iterdir()]
    assert [name for name in (*pages, *pictures) if name not in readme] == []


def test_every_figure_has_its_script_and_page() -> None:
    figures = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    parts = (
        "flaky_repair_projects.py",
        "quixbugs_inputs.py",
        "integrity_cheats.py",
        "integrity_honest.py",
        "integrity_projects.py",
    )
    parts += ("diffs_corpus.py", "diffs_damages.py", "diffs_oracle.py")
    parts += ("integrity_later.py", "integrity_later_honest.py", "integrity_fifth.py", "integrity_fifth_honest.py")
    parts += ("flaky_repair_projects.py",)
    scripts = [path.name for path in (ROOT / "benchmarks").glob("*.py") if path.name not in parts]
    missing = [
        name for name in scripts if f"benchmarks/{name}" not in figures and f"benchmarks.{name[:-3]}" not in figures
    ]
    pages = [page.name for page in (ROOT / "docs/benchmarks").glob("*.md")]
    assert missing + [name for name in pages if f"benchmarks/{name}" not in figures] == []
