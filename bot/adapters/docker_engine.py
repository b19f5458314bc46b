"""The connection to a Docker engine: errors translated, resources labelled, leftovers swept, cancellation.

Everything this program makes carries the labels of `Owner`, so that what a killed run left behind can be told from what
a live one still needs.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from bot.errors import SandboxError
from bot.ports import Cancelled, Limits
from bot.publish import untrusted

RUN = "grokfix.run"
FOREIGN_HOURS = (
    24.0  # a leftover whose owner cannot be looked up (another PID namespace or machine) is swept after this
)
REMOVE_SECONDS = 60.0

Foreign = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Owner:
    """Which process made a resource. PIDs mean nothing across boots and PID namespaces, and are used again."""

    pid: int
    started: str
    boot: str
    namespace: str

    @classmethod
    def current(cls) -> Owner:
        pid = os.getpid()
        return cls(pid, _start_ticks(pid), _boot(), _namespace())

    @property
    def alive(self) -> bool | None:
        """Whether the process runs; None where this process cannot know."""
        if self.boot != _boot() or self.namespace != _namespace():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return _start_ticks(self.pid) == self.started

    def labels(self) -> dict[str, str]:
        return {
            "grokfix.pid": str(self.pid),
            "grokfix.started": self.started,
            "grokfix.boot": self.boot,
            "grokfix.namespace": self.namespace,
        }

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Owner:
        pid = labels.get("grokfix.pid", "")
        return cls(
            int(pid) if pid.isdecimal() else -1,
            labels.get("grokfix.started", ""),
            labels.get("grokfix.boot", ""),
            labels.get("grokfix.namespace", ""),
        )


@dataclass(slots=True)
class Engine:
    """One connection, and what this run made over it. Threads may share it."""

    client: docker.DockerClient
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    loopback6: bool = True  # whether the kernel takes the IPv6 sysctls; the first box finds out
    _owner: Owner = field(default_factory=Owner.current)
    _cancelled: bool = False
    _requests: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    _removed: threading.Event = field(default_factory=threading.Event)
    _reaper: threading.Thread | None = None

    @classmethod
    def connect(cls) -> Engine:
        """Connect as the docker command would (DOCKER_HOST and its kin); SandboxError where no daemon answers."""
        client = None
        try:
            client = docker.from_env(timeout=120)
            client.ping()
        except Foreign as error:
            if client is not None:
                client.close()
            raise SandboxError(
                f"no Docker daemon answers ({brief(error)}); start Docker and check that this user may use its socket "
                "(DOCKER_HOST, group docker), or ask for the process sandbox with --sandbox process"
            ) from error
        engine = cls(client)
        # Started ahead of need: a signal handler must not start threads or talk to the daemon itself.
        engine._reaper = threading.Thread(target=engine._reap, name="grokfix-docker-reaper", daemon=True)
        engine._reaper.start()
        return engine

    @property
    def api(self) -> docker.APIClient:
        return self.client.api

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def labels(self, purpose: str) -> dict[str, str]:
        return {RUN: self.run, "grokfix.purpose": purpose, **self._owner.labels()}

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Translate the SDK's errors into SandboxError("<what> failed: …"), or Cancelled once cancelled."""
        self.raise_if_cancelled()
        try:
            yield
        except Foreign as error:
            self.raise_if_cancelled()
            raise SandboxError(f"{what} failed: {brief(error)}{_advice(error)}") from error

    # --- cancellation ---

    def cancel(self) -> None:
        """Safe in a signal handler: takes no lock that the interrupted code could hold."""
        self._cancelled = True
        self._requests.put(True)

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled once cancelled, after everything has been given back."""
        if self._cancelled:
            self._removed.wait(REMOVE_SECONDS)
            with contextlib.suppress(*Foreign):  # what was being made while the reaper went through
                self.remove_all()
            raise Cancelled

    def _reap(self) -> None:
        if self._requests.get():
            with contextlib.suppress(*Foreign):
                self.remove_all()
            self._removed.set()

    def close(self) -> None:
        """Remove what is left of this run and hang up; idempotent."""
        self._requests.put(False)
        with contextlib.suppress(*Foreign):
            self.remove_all()
        self.client.close()

    # --- removal ---

    def remove_container(self, container: str) -> None:
        """Kill and remove it with its volumes; silent where it is gone."""
        for _ in range(50):
            try:
                self.api.remove_container(container, force=True, v=True)
                return
            except NotFound:
                return
            except APIError as error:
                if error.status_code != http.client.CONFLICT:  # conflict: another thread is removing it
                    raise
                time.sleep(0.1)

    def remove_all(self) -> int:
        """Remove this run's containers and volumes; the number of containers."""
        return self._remove({"label": f"{RUN}={self.run}"}, lambda _labels, _created: True)

    def sweep(self) -> int:
        """Remove containers and volumes whose makers are dead; the number of both."""
        with self.doing("sweeping leftovers of killed runs"):
            return self._remove({"label": RUN}, _left_over)

    def _remove(self, filters: dict[str, str], wanted: Callable[[Mapping[str, str], float], bool]) -> int:
        count = 0
        for container in self.api.containers(all=True, filters=filters):
            if wanted(container.get("Labels") or {}, float(container["Created"])):
                self.remove_container(container["Id"])
                count += 1
        for volume in self.api.volumes(filters=filters).get("Volumes") or ():
            created = datetime.fromisoformat(volume["CreatedAt"].replace("Z", "+00:00")).timestamp()
            if wanted(volume.get("Labels") or {}, created):
                with contextlib.suppress(NotFound):
                    self.api.remove_volume(volume["Name"], force=True)
                count += 1
        return count

    # --- what the engine has ---

    def image(self, reference: str) -> Mapping[str, object]:
        """Inspection of an image, pulled when absent; SandboxError where it cannot be had."""
        self.raise_if_cancelled()
        try:
            return self._inspect_image(reference)
        except ImageNotFound:
            pass
        except Foreign as error:
            raise SandboxError(f"looking for image {reference} failed: {brief(error)}{_advice(error)}") from error
        try:
            self.client.images.pull(reference)
            return self._inspect_image(reference)
        except Foreign as error:
            raise SandboxError(
                f"image {reference} is not on this engine and cannot be pulled ({brief(error)}); check its name and "
                "the network, or load it with docker load"
            ) from error

    def _inspect_image(self, reference: str) -> Mapping[str, object]:
        found: Mapping[str, object] = self.client.images.get(reference).attrs
        return found

    def check(self, limits: Limits) -> None:
        """SandboxError where the engine cannot enforce memory, process or CPU limits, unless `allow_missing`."""
        with self.doing("asking the engine what it can enforce"):
            info = self.client.info()
        wanted = (
            ("MemoryLimit", "a memory limit"),
            ("PidsLimit", "a limit of processes"),
            ("CpuCfsQuota", "a CPU quota"),
        )
        missing = [name for key, name in wanted if not info.get(key)]
        if missing and not limits.allow_missing:
            raise SandboxError(
                f"this Docker engine cannot enforce {' or '.join(missing)} (see docker info); enable the cgroup "
                "controllers, or accept it by setting sandbox.allow_missing"
            )

    def free_memory(self) -> int:
        """Bytes of memory free on the engine's machine, or its total where the engine is elsewhere."""
        if self.local:
            with contextlib.suppress(OSError):
                for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
                    if line.startswith("MemAvailable:"):
                        return int(line.split()[1]) << 10
        with self.doing("asking the engine for its memory"):
            return int(self.client.info().get("MemTotal", 0))

    @property
    def local(self) -> bool:
        """Whether the engine is reached over a socket of this machine."""
        return str(self.api.base_url).startswith("http+docker://localhost")


def _left_over(labels: Mapping[str, str], created: float) -> bool:
    if not labels.get(RUN):
        return False
    alive = Owner.of(labels).alive
    if alive is None:
        return time.time() - created > FOREIGN_HOURS * 3600
    return not alive


def brief(error: BaseException) -> str:
    """One bounded line of an error of the SDK, without control characters."""
    return untrusted.one_line(str(getattr(error, "explanation", None) or error) or type(error).__name__, 400)


def _advice(error: BaseException) -> str:
    text = str(error).lower()
    if "no space left" in text:
        return "; the engine's disk is full: free some with docker system prune, then run again"
    if isinstance(error, (requests.ConnectionError, urllib3.exceptions.ProtocolError, ConnectionError)):
        return "; the Docker daemon went away: check that it runs (docker info), then run again"
    return ""


def _start_ticks(pid: int) -> str:
    """Start time of a process in clock ticks since boot (proc(5), stat field 22); "" where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
