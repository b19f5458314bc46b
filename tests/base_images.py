"""Base images for the sandbox tests: the official ones where they can be pulled, else Debian's own Python.

`python -m tests.base_images TAG…` makes them ahead of a test run (CI does).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import requests
from docker.errors import APIError, ImageNotFound

from bot.process import minimal_environment, run

PULL_SECONDS = 30  # between two bytes of the registry's answer; a machine without a registry refuses at once
SUITES = {"python:3.13-slim": "trixie", "python:3.11-slim": "bookworm"}
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
CHANGES = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    f"ENV PIP_CERT={BUNDLE}",
    f"ENV SSL_CERT_FILE={BUNDLE}",
    "ENV PIP_BREAK_SYSTEM_PACKAGES=1",
    "ENV PIP_DISABLE_PIP_VERSION_CHECK=1",
    "ENV PIP_ROOT_USER_ACTION=ignore",
    'CMD ["python3"]',
)


def ensure(client: docker.DockerClient, tag: str) -> str:
    """Return `tag` once the engine has such an image: pulled, or built from Debian packages (as root)."""
    with _one_at_a_time():
        if not _present(client, tag) and not _pull(tag):
            _bootstrap(client, tag)
    return tag


def _present(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _pull(tag: str) -> bool:
    with closing(docker.from_env(timeout=PULL_SECONDS)) as client:
        try:
            client.images.pull(tag)
        except (APIError, requests.RequestException):
            return False
    return True


def _bootstrap(client: docker.DockerClient, tag: str) -> None:
    suite = SUITES.get(tag)
    if suite is None:
        raise RuntimeError(f"{tag} cannot be pulled, and only {', '.join(SUITES)} can be built from Debian packages")
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise RuntimeError(f"{tag} cannot be pulled; to build it, run as root with debootstrap installed")
    with tempfile.TemporaryDirectory(prefix="grokfix-base-") as folder:
        root = Path(folder, "root")
        root.mkdir(mode=0o755)
        _must_run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root))
        _fit_out(root)
        archive = Path(folder, "root.tar")
        _must_run("tar", "--numeric-owner", "--one-file-system", "-C", str(root), "-cf", str(archive), ".")
        repository, _, version = tag.partition(":")
        with closing(docker.from_env(timeout=600)) as importer:
            importer.api.import_image_from_file(str(archive), repository=repository, tag=version, changes=list(CHANGES))
    client.images.get(tag)


def _fit_out(root: Path) -> None:
    """Make it look like the official image: `python` on PATH, pip allowed, and this machine's certificates."""
    bundle = Path(os.environ.get("SSL_CERT_FILE", BUNDLE))
    if bundle.is_file():
        shutil.copyfile(bundle, root / BUNDLE.lstrip("/"))
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / leftover, ignore_errors=True)


def _must_run(*argv: str) -> None:
    done = run(argv, environment=minimal_environment() | {"DEBIAN_FRONTEND": "noninteractive"}, seconds=900)
    if done.exit_code != 0:
        tail = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise RuntimeError(f"{argv[0]} ended with {done.exit_code}:\n{tail}")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two test runs on one machine build an image once."""
    with Path(tempfile.gettempdir(), "grokfix-base-images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(tags: list[str]) -> int:
    with closing(docker.from_env()) as client:
        for tag in tags or list(SUITES):
            print(ensure(client, tag))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
