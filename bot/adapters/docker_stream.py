"""One command in a container: output streamed and capped, wall clock kept, the container killed at its end."""

from __future__ import annotations

import base64
import contextlib
import gzip
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import requests
from docker.errors import APIError, NotFound

from bot.adapters.docker_engine import Engine, Foreign
from bot.adapters.docker_files import pack_files
from bot.errors import SandboxError
from bot.publish import untrusted

HEADER = struct.Struct(">BxxxL")  # Docker Engine API, "Stream format" of container attach
# Two pipes would lose the order of what came out of them. argv stays argv: the shell sees it as parameters.
ONE_STREAM = ("sh", "-c", 'exec "$@" 2>&1', "sh")
# As above, after files have been unpacked: in the command's own exec they cost 10 ms, through the engine's archive 45.
UNPACK_FIRST = """
printf %s "$1" | base64 -d | gzip -d | tar -xmf - -C / || exit 125
cd -- "$2" 2>&1 || exit 126
shift 2
exec "$@" 2>&1
"""
NOT_UNPACKED = 125
MOST_PACKED = 120_000  # characters; Linux takes at most 128 KiB in one argument
STDERR = 2
ASIDE = 400  # bytes
TICK = 0.25  # seconds between looks at the clock, the cancel flag and the watch
KILLED = 137  # 128 + SIGKILL


@dataclass(slots=True)
class Capped:
    """Head and tail of a stream: what lies between is counted and dropped."""

    limit: int
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)
    _dropped: int = 0

    def add(self, data: bytes) -> None:
        room = self.limit // 2 - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        keep = self.limit - self.limit // 2
        if len(self._tail) > 2 * keep:  # trimmed rarely, so that a flood costs one copy per `keep` bytes
            self._trim(keep)

    def _trim(self, keep: int) -> None:
        excess = len(self._tail) - keep
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def text(self) -> tuple[str, bool]:
        """Decoded with replacement, and whether something was left out."""
        self._trim(self.limit - self.limit // 2)
        head, tail = (bytes(part).decode("utf-8", "replace") for part in (self._head, self._tail))
        if not self._dropped:
            return bytes(self._head + self._tail).decode("utf-8", "replace"), False
        return f"{head}\n[… {self._dropped} bytes of output left out …]\n{tail}", True


@dataclass(frozen=True, slots=True)
class Ran:
    """How an exec went. exit_code: its own, -1 where it was killed for time. stopped: the watch's reason to kill.

    id: the exec's, None where it never became a process (no such working directory).
    """

    id: str | None
    exit_code: int
    output: str
    truncated: bool
    seconds: float
    timed_out: bool
    stopped: str = ""


def run(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    *,
    user: str,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    cwd: str = "/",
    limit: int = 4 << 20,
    watch: Callable[[], str] = lambda: "",
    packed: str = "",
) -> Ran:
    """Run `argv`; at its limit, or where `watch` gives a reason, the whole container is killed (an exec cannot be).

    packed: files to unpack at / before it, as `pack` made them.
    """
    wrapper = ("sh", "-c", UNPACK_FIRST, "sh", packed, cwd) if packed else ONE_STREAM
    with engine.doing("starting a command in the sandbox"):
        created = engine.api.exec_create(
            container,
            [*wrapper, *argv],
            user=user,
            environment=dict(environment or {}),
            workdir="/" if packed else cwd,
        )["Id"]
        start = time.monotonic()
        # Not the SDK's exec_start: it asks for an upgrade and then reads past what http.client has buffered.
        response = engine.api.post(
            f"{engine.api.base_url}/v{engine.api.api_version}/exec/{created}/start",
            json={"Detach": False, "Tty": False},
            stream=True,
            timeout=None,
        )
        response.raise_for_status()
    reader = _Reader(response, Capped(limit))
    reader.start()
    timed_out, stopped = False, ""
    try:
        while reader.is_alive():
            left = start + seconds - time.monotonic()
            reader.join(min(TICK, max(left, 0.0)))
            if not reader.is_alive():
                break
            engine.raise_if_cancelled()
            timed_out = time.monotonic() >= start + seconds
            stopped = "" if timed_out else watch()
            if timed_out or stopped:
                kill(engine, container)
                reader.join(10.0)
                break
    finally:
        response.close()
    elapsed = time.monotonic() - start
    engine.raise_if_cancelled()
    if reader.error is not None and not (timed_out or stopped):
        with engine.doing("reading a command's output"):
            raise reader.error
    output, truncated = reader.output.text()
    exit_code, became = _ending(engine, created)
    if packed and exit_code == NOT_UNPACKED and reader.aside:
        raise SandboxError(
            "files could not be put into the sandbox (the image needs tar, gzip and base64): "
            f"{untrusted.one_line(reader.aside.decode('utf-8', 'replace'))}"
        )
    return Ran(
        created if became else None,
        -1 if timed_out else exit_code,
        output,
        truncated,
        elapsed,
        timed_out,
        stopped,
    )


def pack(files: Mapping[str, bytes], executables: Set[str] = frozenset()) -> str:
    """Files by path below /, for `run`; "" where they are none or too many for it."""
    if not files:
        return ""
    packed = base64.b64encode(gzip.compress(pack_files(files, executables=executables), 6)).decode("ascii")
    return packed if len(packed) <= MOST_PACKED else ""


def kill(engine: Engine, container: str) -> None:
    """SIGKILL to everything in the container; silent where it does not run."""
    with engine.doing("stopping a sandbox"), contextlib.suppress(NotFound):
        try:
            engine.api.kill(container)
        except APIError as error:
            if error.status_code != requests.codes.conflict:
                raise


def _ending(engine: Engine, created: str) -> tuple[int, bool]:
    """The exec's exit code (of a killed process where the container died under it), and whether it became a process."""
    with engine.doing("asking how a command ended"):
        try:
            state = engine.api.exec_inspect(created)
        except NotFound:
            return KILLED, True
    code = state["ExitCode"]
    return (KILLED if code is None else int(code)), code is None or bool(state["Pid"])


class _Reader(threading.Thread):
    """Reads the multiplexed stream of an exec to its end; a thread, so that no transport needs to know of deadlines.

    aside: the start of what came on stderr, where a command's wrapper complains; the command itself has one stream.
    """

    def __init__(self, response: requests.Response, output: Capped) -> None:
        super().__init__(name="grokfix-docker-output", daemon=True)
        self.response = response
        self.output = output
        self.aside = b""
        self.error: Exception | None = None

    def run(self) -> None:
        raw = self.response.raw
        try:
            while len(header := raw.read(HEADER.size)) == HEADER.size:
                kind, left = HEADER.unpack(header)
                while left:
                    data = raw.read(min(left, 1 << 16))
                    if not data:
                        return
                    left -= len(data)
                    self.output.add(data)
                    if kind == STDERR and len(self.aside) < ASIDE:
                        self.aside += data[:ASIDE]
        except (*Foreign, ValueError) as error:  # ValueError: the response was closed under the read
            self.error = error
