"""Whose a container or volume is: labels that tell what a killed run left behind from what a live one needs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RUN = "grokfix.run"
FOREIGN_HOURS = 24.0  # a leftover whose owner cannot be looked up (another PID namespace, another machine) goes then


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


def left_over(labels: Mapping[str, str], created: float) -> bool:
    """Whether the maker of a resource with these labels, made at epoch second `created`, is dead."""
    if not labels.get(RUN):
        return False
    alive = Owner.of(labels).alive
    if alive is None:
        return time.time() - created > FOREIGN_HOURS * 3600
    return not alive


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
