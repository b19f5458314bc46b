"""Services of a suite (databases, brokers) in one network namespace with the box: loopback only, no way out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from bot.adapters import docker_stream
from bot.adapters.docker_box import HOSTNAME, SYSCTLS6
from bot.adapters.docker_engine import Engine
from bot.errors import SandboxError
from bot.ports import Service
from bot.publish import untrusted

MEMORY = 1 << 30
TMPFS = 512 << 20  # for each volume that its image declares: bounded, and gone with the box
PIDS = 512
# What a database's entry point needs to hand its folder to its own user and become it.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
POLL_SECONDS = 0.1


def start_services(engine: Engine, image: str, services: Sequence[Service]) -> tuple[str, ...]:
    """Start `services` and wait until they are ready; ids of the network's holder and of their containers, in order.

    image: what the holder is made of. SandboxError, with the service's log, where one ends or is not ready in time.
    """
    started: list[str] = []
    try:
        with engine.doing("creating the network of the suite's services"):
            sysctls = SYSCTLS6 if engine.loopback6 else {}
            host = {"network_mode": "none", "extra_hosts": {HOSTNAME: "127.0.0.1"}, "sysctls": sysctls}
            started.append(engine.start_holder(image, host, hostname=HOSTNAME))
        for service in services:
            started.append(_start(engine, service, started[0]))
        for service, container in zip(services, started[1:], strict=True):
            _await_ready(engine, service, container)
    except BaseException:
        if not engine.cancelled:
            for container in reversed(started):
                engine.remove_container(container)
        raise
    return tuple(started)


def _start(engine: Engine, service: Service, holder: str) -> str:
    config = cast("dict[str, object]", engine.image(service.image).get("Config") or {})
    volumes = cast("dict[str, object]", config.get("Volumes") or {})
    with engine.doing(f"starting service {service.image}"):
        return engine.start(
            "service",
            service.image,
            {
                "network_mode": f"container:{holder}",
                "cap_add": CAPABILITIES,
                "init": True,
                "ipc_mode": "private",
                "pids_limit": PIDS,
                "mem_limit": MEMORY + TMPFS * len(volumes),
                "memswap_limit": MEMORY + TMPFS * len(volumes),
                "tmpfs": dict.fromkeys(volumes, f"rw,nosuid,nodev,size={TMPFS}"),
            },
            environment=dict(service.environment),
        )


def _await_ready(engine: Engine, service: Service, container: str) -> None:
    deadline = time.monotonic() + service.ready_seconds
    while True:
        with engine.doing(f"looking at service {service.image}"):
            state = engine.api.inspect_container(container)["State"]
        if not state["Running"]:
            raise SandboxError(
                f"service {service.image} ended with {state['ExitCode']} before it was ready; check its image and "
                f"environment\n{_log(engine, container)}"
            )
        if not service.ready:
            return
        left = deadline - time.monotonic()
        if left > 0:
            try:
                ran = docker_stream.run(engine, container, service.ready, user="", seconds=left, limit=4096)
            except SandboxError:
                with engine.doing(f"looking at service {service.image}"):
                    if engine.api.inspect_container(container)["State"]["Running"]:
                        raise
                continue  # it ended while it was being asked: the next look says with what
            if ran.exit_code == 0 and not ran.timed_out:
                return
        if time.monotonic() + POLL_SECONDS >= deadline:
            raise SandboxError(
                f"service {service.image} was not ready within {service.ready_seconds:g} s; check its ready command or "
                f"raise ready_seconds\n{_log(engine, container)}"
            )
        time.sleep(POLL_SECONDS)


def _log(engine: Engine, container: str) -> str:
    with engine.doing("reading a service's log"):
        log = engine.api.logs(container, tail=40).decode("utf-8", "replace")
    return untrusted.log(untrusted.bounded(log, 4000, tail=True))
