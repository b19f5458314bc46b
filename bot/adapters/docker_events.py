"""Out-of-memory kills, from the engine's event stream.

A killed child need not fail its parent, so exit codes tell nothing, and before Docker 24 `State.OOMKilled` is set only
once the container is dead. The stream carries `oom` and `exec_die` in the order they happened: once a command's end has
come through, so has every kill before it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from typing import cast

from bot.adapters.docker_engine import Engine, Foreign
from bot.errors import SandboxError

WAIT = 5.0  # seconds for a command's end to come through; measured: it comes before the command's output ends


class OomWatch:
    """Follows the containers that carry one label. Close it, or its thread lives as long as the connection."""

    def __init__(self, engine: Engine, label: str) -> None:
        self._changed = threading.Condition()
        self._killed: set[str] = set()
        self._ended: set[str] = set()
        self._over = False
        with engine.doing("following the engine's events"):
            self._stream = engine.api.events(
                filters={"label": [label], "event": ["oom", "exec_die", "die"]}, decode=True
            )
        self._thread = threading.Thread(target=self._follow, name="grokfix-docker-events", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for event in cast(Iterable[Mapping[str, object]], self._stream):
                self._note(event)
        except (*Foreign, ValueError, AttributeError):  # closed under the read, here or by the daemon
            pass
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _note(self, event: Mapping[str, object]) -> None:
        actor = cast(Mapping[str, object], event.get("Actor") or {})
        attributes = cast(Mapping[str, str], actor.get("Attributes") or {})
        container = str(actor.get("ID"))
        with self._changed:
            if event.get("Action") == "oom":
                self._killed.add(container)
            else:
                self._ended.add(attributes.get("execID") or container)
            self._changed.notify_all()

    def take(self, container: str, ended: str) -> bool:
        """Whether anything in `container` was killed for memory before `ended` (an exec or container) ended.

        Each kill is told once, so that of two commands in one box the right one has it.
        """
        with self._changed:
            arrived = self._changed.wait_for(lambda: self._over or bool({ended, container} & self._ended), WAIT)
            if container in self._killed:
                self._killed.discard(container)
                return True
            if not arrived or self._over:
                raise SandboxError(
                    "the Docker engine's event stream broke off, so memory kills cannot be seen; check the daemon "
                    "(docker info), then run again"
                )
            self._ended.discard(ended)
            return False

    def close(self) -> None:
        with contextlib.suppress(*Foreign, AttributeError):
            self._stream.close()
        self._thread.join(5.0)
