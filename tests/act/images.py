"""The runner's image, the action's sources as act takes them, and what a run left on the engine."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.images import Image

from tests import base_images

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BASE = "python:3.13-slim"
RUNNER = "grokfix-test/runner:1"
ACTION = "grokfix-test/action:1"
RUN_LABEL = "grokfix.act"
ACTION_FILES = ("action.yml", "Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
RUNNER_FILE = f"""\
FROM {BASE}
RUN apt-get update -qq \\
 && apt-get install -qq --yes --no-install-recommends git \\
 && apt-get clean && rm -rf /var/lib/apt/lists/* \\
 && pip install --quiet --no-cache-dir pytest
"""
SHARED_CACHE = "act-toolcache"  # one empty volume that act keeps for all runs


@dataclass(frozen=True, slots=True)
class Resource:
    """kind: container, network or volume."""

    kind: str
    name: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def runner(client: docker.DockerClient) -> str:
    """Tag of the image that stands for `ubuntu-latest`: Python, git and pytest; the engine's cache makes it once."""
    base_images.ensure(client, BASE)
    client.images.build(fileobj=io.BytesIO(RUNNER_FILE.encode()), tag=RUNNER, rm=True, forcerm=True)
    return RUNNER


def action(client: docker.DockerClient) -> Image:
    """The action's image from the root Dockerfile. Kept: its layers are those that act's builds find in the cache."""
    image, _ = client.images.build(path=str(ROOT), tag=ACTION, rm=True, forcerm=True)
    return image


def stage_action(folder: Path) -> Path:
    """Copy what the action is made of into a new `folder`: act packs a folder whole, a work tree with its history."""
    folder.mkdir(parents=True)
    for name in ACTION_FILES:
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "bot", folder / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def stage_stand_ins(folder: Path) -> dict[str, str]:
    """Copy the stand-ins below a new `folder`; their folders by the names that workflows use."""
    folder.mkdir(parents=True)
    staged = {}
    for source in (HERE / "stand_ins").iterdir():
        if source.is_dir() and (source / "action.yml").is_file():
            shutil.copytree(source, folder / source.name)
            shutil.copyfile(HERE / "stand_ins" / "results.py", folder / source.name / "results.py")
            staged[f"actions/{source.name}"] = str(folder / source.name)
    return staged


def on_engine(client: docker.DockerClient, label: str) -> frozenset[Resource]:
    """What an act run with `label` and the actions in it may have made and is there now.

    Those of a sandbox are told from the ones that tests on this machine make by their maker's PID namespace.
    """
    ours = os.readlink("/proc/self/ns/pid")
    found = set()
    for resource, labels in _resources(client):
        foreign = "grokfix.run" in labels and labels.get("grokfix.namespace") != ours
        named = resource.name.startswith("act-") and resource.name != SHARED_CACHE
        if labels.get(RUN_LABEL) == label or foreign or named:
            found.add(resource)
    return frozenset(found)


def _resources(client: docker.DockerClient) -> Iterator[tuple[Resource, Mapping[str, str]]]:
    for container in client.api.containers(all=True):
        name = container["Names"][0].lstrip("/")
        yield Resource("container", name, container["Id"]), container["Labels"] or {}
    for volume in client.api.volumes()["Volumes"] or ():
        yield Resource("volume", volume["Name"], volume["Name"]), volume["Labels"] or {}
    for network in client.api.networks():
        yield Resource("network", network["Name"], network["Id"]), network["Labels"] or {}


def remove(client: docker.DockerClient, resources: Iterable[Resource]) -> None:
    """Containers first: what they use cannot go before them."""
    for resource in sorted(resources, key=lambda resource: resource.kind):
        match resource.kind:
            case "container":
                client.api.remove_container(resource.id, force=True, v=True)
            case "network":
                client.api.remove_network(resource.id)
            case "volume":
                client.api.remove_volume(resource.id, force=True)
