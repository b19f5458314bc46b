"""The connection to a Docker engine: errors translated, resources labelled, leftovers swept, cancellation.

Everything this program makes carries the labels of `Owner`, so that what a killed run left behind can be told from what
a live one still needs.
"""

from __future__ import annotations

import contextlib
import http.client
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
from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig
from docker.utils import kwargs_from_env, parse_host

from bot.adapters.docker_owner import RUN, Owner, left_over
from bot.errors import SandboxError
from bot.ports import Cancelled, Limits
from bot.publish import untrusted

UID = 1001  # of everything in a box; not 1000, which is a person on most machines
USER = f"{UID}:{UID}"
IDLE = ["sleep", "infinity"]
OWN_PROCESSES = 2  # the init and IDLE
REMOVE_SECONDS = 60.0
TIMEOUT = 120  # seconds between two bytes of an answer; a commit or a pull can be slow
OLDEST_API = "1.41"  # Docker 20.10

Foreign = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(slots=True)
class Engine:
    """One connection, and what this run made over it. Threads may share it."""

    client: docker.DockerClient
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    loopback6: bool = True  # whether the kernel takes the IPv6 sysctls; the first box finds out
    _owner: Owner = field(default_factory=Owner.current)
    _cancelled: bool = False
    _closed: bool = False
    _requests: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    _removed: threading.Event = field(default_factory=threading.Event)
    _reaper: threading.Thread | None = None

    @classmethod
    def connect(cls) -> Engine:
        """Connect as the docker command would (DOCKER_HOST and its kin); SandboxError where no daemon answers."""
        try:
            _knock()
            # Not the SDK's own negotiation: where it fails, it leaves its connection open.
            with contextlib.closing(docker.from_env(version=OLDEST_API, timeout=TIMEOUT)) as first:
                spoken = first.api.version(api_version=False)
            version = spoken.get("ApiVersion") if isinstance(spoken, dict) else None
            if not isinstance(version, str):
                raise DockerException("what answers there is not a Docker daemon")
            engine = cls(docker.from_env(version=version, timeout=TIMEOUT))
        except (*Foreign, ValueError) as error:
            raise SandboxError(
                f"no Docker daemon answers ({brief(error)}); start Docker and check that this user may use its socket "
                "(DOCKER_HOST, group docker), or ask for the process sandbox with --sandbox process"
            ) from error
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
        if self._closed:
            return
        self._closed = True
        self._requests.put(False)
        with contextlib.suppress(*Foreign):
            self.remove_all()
        self.client.close()

    # --- containers ---

    def create(
        self,
        purpose: str,
        image: str,
        host: Mapping[str, object],
        labels: Mapping[str, str] | None = None,
        **config: object,
    ) -> str:
        """Create a labelled container without capabilities (save `host["cap_add"]`), new privileges, health check,
        proxy settings of this user or unbounded log; its id. `host` and `config` are keywords of the SDK."""
        return str(
            self.api.create_container(
                image,
                labels={**self.labels(purpose), **(labels or {})},
                healthcheck={"test": ["NONE"]},
                host_config=self.api.create_host_config(
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    oom_score_adj=1000,
                    log_config=LogConfig(type="json-file", config={"max-size": "5m", "max-file": "1"}),
                    **host,  # type: ignore[arg-type]
                ),
                use_config_proxy=False,
                **config,  # type: ignore[arg-type]
            )["Id"]
        )

    def start(self, purpose: str, image: str, host: Mapping[str, object], **config: object) -> str:
        """`create` and start; nothing is left where it cannot start."""
        container = self.create(purpose, image, host, **config)  # type: ignore[arg-type]
        try:
            self.api.start(container)
        except BaseException:
            self.remove_container(container)
            raise
        return container

    def start_holder(self, image: str, host: Mapping[str, object], **config: object) -> str:
        """Start a container that does nothing but hold a network namespace for others."""
        idle = {"read_only": True, "init": True, "pids_limit": 16, "mem_limit": 64 << 20}
        return self.start("holder", image, {**idle, **host}, entrypoint=IDLE, user=USER, **config)

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

    def idle(self, container: str) -> bool:
        """Whether only what `start` itself started runs in it; False where the engine cannot tell."""
        try:
            return len(self.api.top(container, ps_args="-eo pid,comm")["Processes"] or ()) <= OWN_PROCESSES
        except NotFound:
            return True
        except APIError:  # it does not run any more, or its runtime has no list
            return False

    def remove_all(self) -> int:
        """Remove this run's containers and volumes; the number of containers."""
        return self._remove({"label": f"{RUN}={self.run}"}, lambda _labels, _created: True)

    def sweep(self) -> int:
        """Remove containers and volumes whose makers are dead; the number of both."""
        with self.doing("sweeping leftovers of killed runs"):
            return self._remove({"label": RUN}, left_over)

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
        except NotFound:
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


def _knock() -> None:
    """OSError where a Unix socket does not answer: the SDK would leave its own socket open then."""
    address = str(parse_host(kwargs_from_env().get("base_url")))
    if address.startswith("http+unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(address.removeprefix("http+unix://"))


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
