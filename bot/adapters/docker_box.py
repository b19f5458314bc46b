"""A box: one hardened container, its workspace and control directory on volumes of bounded size."""

from __future__ import annotations

import contextlib
import posixpath
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from docker.errors import APIError
from docker.types import DriverConfig, Mount, Ulimit

from bot.adapters import docker_stream
from bot.adapters.docker_engine import IDLE, UID, USER, Engine
from bot.adapters.docker_events import OomWatch
from bot.adapters.docker_files import pack_files, put, refuse_links, relative_path, take, take_folder
from bot.errors import SandboxError
from bot.ports import Command, Execution, Limits
from bot.publish import untrusted

WORKSPACE = "/workspace"
CONTROL = "/grokfix-run"
TMP = "/tmp"  # noqa: S108 (the container's own)
SHM = 256 << 20
CONTROL_SIZE = 256 << 20
CONTROL_INODES = 20_000
HOSTNAME = "sandbox"
SYSCTLS6 = {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.lo.disable_ipv6": "0"}
MOST_COLLECTED = 4 << 20  # bytes that are taken at once; larger files are taken one by one
WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What every box of an environment is made of. quota None: the workspace is a plain volume, watched instead."""

    image: str
    limits: Limits
    workspace: int
    quota: bool
    inodes: int
    environment: Mapping[str, str]
    volumes: tuple[str, ...]  # where the image declares volumes of its own: unbounded unless covered
    label: str

    @property
    def memory(self) -> int:
        """Bytes of the container's memory limit: tmpfs is charged to it."""
        tmpfs = self.limits.tmp * (1 + len(self.volumes)) + SHM + CONTROL_SIZE
        return self.limits.memory + tmpfs + (self.workspace if self.quota else 0)

    def without_quota(self) -> Shape:
        return replace(self, quota=False)


def start(engine: Engine, shape: Shape, holder: str | None = None, argv: Sequence[str] = IDLE) -> str:
    """Create and start a box's container, which runs `argv`; its id. `holder`: container whose network it joins."""
    if not engine.loopback6 or holder is not None:
        return _start(engine, shape, holder, argv, {})
    try:
        return _start(engine, shape, holder, argv, SYSCTLS6)
    except SandboxError as error:
        if not isinstance(error.__cause__, APIError) or "sysctl" not in str(error.__cause__).lower():
            raise
    engine.loopback6 = False
    return _start(engine, shape, holder, argv, {})


def _start(engine: Engine, shape: Shape, holder: str | None, argv: Sequence[str], sysctls: Mapping[str, str]) -> str:
    limits = shape.limits
    labels = {**engine.labels("box"), shape.label: "1"}
    host = {
        "network_mode": f"container:{holder}" if holder else "none",
        "extra_hosts": None if holder else {HOSTNAME: "127.0.0.1"},  # the holder's, where there is one
        "read_only": True,
        "init": True,
        "ipc_mode": "private",
        "shm_size": SHM,
        "pids_limit": limits.pids,
        "mem_limit": shape.memory,
        "memswap_limit": shape.memory,
        "nano_cpus": int(limits.cpus * 1e9),
        "tmpfs": dict.fromkeys((TMP, *shape.volumes), f"rw,exec,nosuid,nodev,size={limits.tmp},mode=1777"),
        "sysctls": dict(sysctls),
        "ulimits": [
            Ulimit(name="nofile", soft=4096, hard=4096),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=limits.file_size, hard=limits.file_size),
        ],
        "mounts": [
            _volume(WORKSPACE, labels, shape.workspace if shape.quota else None, shape.inodes),
            _volume(CONTROL, labels, CONTROL_SIZE, CONTROL_INODES),
        ],
        "runtime": limits.runtime,
    }
    with engine.doing("starting a sandbox"):
        return engine.start(
            "box",
            shape.image,
            host,
            labels=labels,
            entrypoint=list(argv),
            user=USER,
            working_dir=WORKSPACE,
            hostname=None if holder else HOSTNAME,
            environment={**shape.environment, "HOME": TMP},
        )


def _volume(target: str, labels: Mapping[str, str], size: int | None, inodes: int) -> Mount:
    """An anonymous volume, removed with its container; `size` None: on disk, unbounded.

    Docker copies what the image has there into a new volume: on disk that gives the folder its owner, on tmpfs it takes
    time and is lost.
    """
    options = {
        "type": "tmpfs",
        "device": "tmpfs",
        "o": f"size={size},nr_inodes={inodes},uid={UID},gid={UID},mode=0755,nosuid,nodev",
    }
    driver = DriverConfig("local", options) if size is not None else None
    return Mount(
        target=target, source=None, type="volume", no_copy=size is not None, labels=dict(labels), driver_config=driver
    )


class DockerBox:
    """ports.Box. Made by the environment, which has put the tree into it."""

    workspace = WORKSPACE
    control = CONTROL

    def __init__(
        self,
        engine: Engine,
        shape: Shape,
        container: str,
        oom: OomWatch,
        give_back: Callable[[Sequence[str]], None],
        others: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._shape = shape
        self._container = container
        self._oom = oom
        self._give_back = give_back  # removes containers in which nothing foreign runs any more
        self._others = tuple(others)  # services and the holder of their network
        self._waiting: dict[str, dict[str, bytes]] = {}  # by folder: files that go in with the next command
        self._executables: Set[str] = frozenset()
        self._collected: dict[str, bytes] | None = None  # what lay in control when the last command had ended
        self._dead = ""
        self._closed = False

    def put(self, files: Mapping[str, bytes]) -> None:
        self._must_live()
        self._wait(CONTROL, {relative_path(path): content for path, content in files.items()})

    def write(self, files: Mapping[str, bytes], executables: Set[str]) -> None:
        """Write files of the workspace, those named in `executables` so that they can be run."""
        self._executables = frozenset(path for path in files if path in executables)
        self._wait(WORKSPACE, files)

    def _wait(self, folder: str, files: Mapping[str, bytes]) -> None:
        self._waiting.setdefault(folder, {}).update(files)
        self._collected = None

    def _waiting_packed(self) -> str:
        """What waits, for the next command to unpack; "" after what is too much for that has been copied in."""
        named = {
            f"{folder[1:]}/{path}": content
            for folder, files in self._waiting.items()
            for path, content in files.items()
        }
        packed = docker_stream.pack(named, {f"{WORKSPACE[1:]}/{path}" for path in self._executables})
        if not packed:
            self._flush()
        self._waiting.clear()
        return packed

    def _flush(self) -> None:
        """Copy what waits through the engine."""
        for folder, files in self._waiting.items():
            if files:
                executables = self._executables if folder == WORKSPACE else frozenset()
                put(self._engine, self._container, folder, pack_files(files, executables=executables))
        self._waiting.clear()

    def delete(self, paths: Sequence[str]) -> None:
        """Delete files of the workspace; silent where they are gone."""
        if not paths:
            return
        command = ["rm", "-f", "--", *paths]
        ran = docker_stream.run(self._engine, self._container, command, user=USER, seconds=60, cwd=WORKSPACE)
        if ran.exit_code != 0:
            raise SandboxError(f"files could not be deleted in the sandbox: {untrusted.one_line(ran.output)}")

    def execute(self, command: Command) -> Execution:
        self._must_live()
        cwd = posixpath.normpath(posixpath.join(WORKSPACE, command.cwd))
        if not f"{cwd}/".startswith(f"{WORKSPACE}/"):
            raise SandboxError(f"working directory {command.cwd!r} lies outside the repository; give a path below it")
        self._collected = None
        ran = docker_stream.run(
            self._engine,
            self._container,
            command.argv,
            user=USER,
            seconds=command.seconds,
            environment=command.environment,
            cwd=cwd,
            limit=self._shape.limits.output,
            watch=self._disk_watch(),
            packed=self._waiting_packed(),
        )
        if ran.timed_out:
            self._dead = f"was killed at its time limit of {command.seconds:g} s"
        output = ran.output
        if ran.stopped:
            self._dead = f"was killed: {ran.stopped}"
            output += f"\n[killed: {ran.stopped}]\n"
        oom_killed = ran.id is not None and self._oom.take(self._container, ran.id)
        self._engine.raise_if_cancelled()
        return Execution(ran.exit_code, output, ran.seconds, ran.timed_out, oom_killed, ran.truncated)

    def _disk_watch(self) -> Callable[[], str]:
        """Where the workspace has no quota: a reason to kill once the disk has lost more than its share."""
        if self._shape.quota:
            return lambda: ""
        return disk_watch(self._engine, self._container, WORKSPACE, self._shape.workspace)

    def collect(self, path: str, *, limit: int = 64 << 20) -> bytes | None:
        if self._closed:
            raise SandboxError("this sandbox is closed; collect files before closing it")
        if self._dead:
            return None  # the volume went with the container
        self._flush()
        if self._collected is None:
            self._collected = take_folder(self._engine, self._container, CONTROL, MOST_COLLECTED)
        content = self._collected.get(relative_path(path))
        if content is not None and len(content) <= limit:
            return content
        refuse_links(self._engine, self._container, CONTROL, relative_path(path))
        return take(self._engine, self._container, posixpath.join(CONTROL, path), limit)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._engine.cancelled:
            return  # the engine gives everything back
        with self._engine.doing("removing a sandbox"):
            if not self._engine.idle(self._container):
                docker_stream.kill(self._engine, self._container)
        self._give_back((self._container, *self._others))

    def _must_live(self) -> None:
        self._engine.raise_if_cancelled()
        if self._closed:
            raise SandboxError("this sandbox is closed; open another")
        if self._dead:
            raise SandboxError(f"this sandbox {self._dead}; open another")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def disk_watch(engine: Engine, container: str, path: str, allowed: int) -> Callable[[], str]:
    """A watch that gives a reason once the free space at `path` has fallen by more than `allowed` bytes.

    Coarse: whatever else fills the disk counts too. It stands in where no quota can be had.
    """
    first = _free_space(engine, container, path)
    last = time.monotonic()

    def watch() -> str:
        nonlocal last
        if time.monotonic() - last < WATCH_SECONDS:
            return ""
        free = _free_space(engine, container, path)
        last = time.monotonic()
        if first is None or free is None or first - free <= allowed:
            return ""
        return f"the disk lost more than {allowed >> 20} MiB while it ran"

    return watch


def _free_space(engine: Engine, container: str, path: str) -> int | None:
    """Free bytes of the file system at `path`; None where the container can no longer tell."""
    ran = docker_stream.run(engine, container, ["df", "-Pk", path], user="0:0", seconds=10, limit=4096)
    with contextlib.suppress(ValueError, IndexError):
        return int(ran.output.splitlines()[1].split()[3]) << 10
    return None
