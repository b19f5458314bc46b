"""The Docker sandbox: set-up with a closed network, then a fresh hardened container without network for every run."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.adapters import docker_box
from bot.adapters.docker_box import WORKSPACE, DockerBox, Shape
from bot.adapters.docker_engine import Engine
from bot.adapters.docker_events import OomWatch
from bot.adapters.docker_extras import add_extras
from bot.adapters.docker_files import Packed, pack_files, pack_tree, put, split
from bot.adapters.docker_network import closed
from bot.adapters.docker_services import start_services
from bot.adapters.docker_setup import Image, setup_image
from bot.errors import SandboxError
from bot.ports import Limits, Overlay, Service, SetUp

LEAST_WORKSPACE = 1 << 30
LEAST_INODES = 100_000
MOST_REMOVALS = 2


class DockerSandbox:
    """ports.Sandbox on a Docker engine. `connect` makes one; `close` hangs up."""

    name = "docker"
    isolated = True

    def __init__(self, engine: Engine, image_cache: Path | None = None) -> None:
        self._engine = engine
        self._image_cache = image_cache

    @classmethod
    def connect(cls, image_cache: Path | None = None) -> DockerSandbox:
        """Connect to the engine that the docker command uses; SandboxError with advice where none answers.

        image_cache: folder in which set-up images are kept as `<key>.tar`, for the cache of a CI service.
        """
        return cls(Engine.connect(), image_cache)

    def set_up(self, plan: SetUp, tree: Path, limits: Limits) -> DockerEnvironment:
        engine = self._engine
        engine.check(limits)
        packed = pack_tree(tree)
        try:
            image = setup_image(engine, plan, tree, packed, limits, self._image_cache)
            for service in plan.services:
                engine.image(service.image)
            if image.extras:
                add_extras(engine, image.tag, packed)
            shape = _shape(engine, plan, image, packed, limits)
            return DockerEnvironment(engine, shape, packed, plan)
        except BaseException:
            packed.close()
            raise

    def sweep(self) -> int:
        return self._engine.sweep()

    def cancel(self) -> None:
        self._engine.cancel()

    def close(self) -> None:
        """Remove what is left of this run and hang up; idempotent."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shape(engine: Engine, plan: SetUp, image: Image, packed: Packed, limits: Limits) -> Shape:
    workspace = limits.workspace if limits.workspace is not None else max(LEAST_WORKSPACE, 3 * packed.size)
    environment_id = os.urandom(8).hex()
    shape = Shape(
        image=image.tag,
        limits=limits,
        workspace=workspace,
        quota=True,
        inodes=max(LEAST_INODES, 4 * len(packed.paths)),
        environment=plan.environment,
        volumes=image.volumes,
        label=f"grokfix.environment.{environment_id}",
    )
    return shape if shape.memory <= engine.free_memory() // 2 else shape.without_quota()


class DockerEnvironment:
    """ports.Environment: one set-up image, one tree, a fresh container for every box."""

    name = "docker"
    isolated = True

    def __init__(self, engine: Engine, shape: Shape, packed: Packed, plan: SetUp) -> None:
        self._engine = engine
        self._shape = shape
        self._packed = packed
        self._services = services = plan.services
        self._allow = plan.allow
        self.no_network = _no_network(plan)
        self._oom = OomWatch(engine, shape.label)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="grokfix-prepare")
        self._next: Future[DockerBox] | None = None
        self._remover = ThreadPoolExecutor(max_workers=1, thread_name_prefix="grokfix-remove")
        self._removals: deque[Future[None]] = deque()
        self._closed = False
        self.description = _describe(shape, services)

    def open(self, overlay: Overlay | None = None, *, network: bool = False) -> DockerBox:
        if self._closed:
            raise SandboxError("this environment is closed; set it up again")
        self._engine.raise_if_cancelled()
        written, deleted = split(overlay or {})
        if network:
            if self.no_network:
                raise SandboxError(self.no_network)
            return self._make(written, deleted, network=True)
        prepared, self._next = self._next, None
        if prepared is None:
            return self._make(written, deleted)
        box = prepared.result()
        try:
            box.delete(deleted)
            box.write(written, self._packed.executables)
        except BaseException:
            box.close()
            raise
        return box

    def prepare(self) -> None:
        if self._next is None and not self._closed:
            self._next = self._executor.submit(self._make, {}, ())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        prepared, self._next = self._next, None
        self._executor.shutdown(wait=True)
        try:
            if prepared is not None and prepared.exception() is None:
                prepared.result().close()
            self._remover.shutdown(wait=True)
            self._removed_down_to(0)
        finally:
            self._remover.shutdown(wait=True)
            self._oom.close()
            self._packed.close()

    def _give_back(self, containers: Sequence[str]) -> None:
        """Remove them in the background, so that the next run need not wait; not more than a few at a time, for each
        holds its memory until it is gone."""
        if self._closed:  # a box that outlived its environment
            return self._remove(containers)
        self._removals.append(self._remover.submit(self._remove, tuple(containers)))
        return self._removed_down_to(MOST_REMOVALS)

    def _removed_down_to(self, count: int) -> None:
        while len(self._removals) > count:
            self._removals.popleft().result()

    def _remove(self, containers: Sequence[str]) -> None:
        if self._engine.cancelled:
            return  # the engine gives everything back
        with self._engine.doing("removing a sandbox"):
            for container in containers:
                self._engine.remove_container(container)

    def _make(self, written: Mapping[str, bytes], deleted: Sequence[str], *, network: bool = False) -> DockerBox:
        """A box with the tree, what set-up generated and `written` in one copy, and without `deleted`."""
        engine, shape = self._engine, self._shape
        others: tuple[str, ...] = ()
        if network:
            others = (closed(engine, shape.image, self._allow),)
        elif self._services:
            others = start_services(engine, shape.image, self._services)
        container = ""
        try:
            container = docker_box.start(engine, shape, others[0] if others else None)
            added = pack_files(written, executables=self._packed.executables)
            put(engine, container, WORKSPACE, self._packed.chunks(added))
            box = DockerBox(engine, shape, container, self._oom, self._give_back, others)
            box.delete(deleted)
        except BaseException:
            if not engine.cancelled:
                for made in filter(None, (container, *others)):
                    engine.remove_container(made)
            raise
        return box

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _no_network(plan: SetUp) -> str:
    """Why no box of this set-up gets a way out. Who is not trusted gets none, whatever is asked for."""
    if not plan.trusted:
        return "runs in Docker have no network, and code of a proposed change never gets one"
    if not plan.network:
        return "runs in Docker have no network; with triage.network: true in grokfix.yml the experiment gets one"
    if plan.services:
        return "runs in Docker have no network, and those of a suite with services cannot be given one"
    return ""


def _describe(shape: Shape, services: tuple[Service, ...]) -> str:
    limits = shape.limits
    quota = f"{shape.workspace >> 20} MiB workspace" if shape.quota else "no disk quota"
    with_services = f", services {', '.join(service.image for service in services)}" if services else ""
    return (
        f"docker, image {shape.image.rpartition(':')[0]}:{shape.image.rpartition(':')[2][:12]}, no network, "
        f"{limits.memory >> 20} MiB memory, {limits.cpus:g} CPUs, {limits.pids} processes, {quota}{with_services}"
    )
