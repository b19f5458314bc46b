"""Set-up images: what a suite needs installed, once per cache key.

The image holds the installed packages and, at /grokfix/extras, what set-up generated inside the checkout (egg-info,
built extensions, version files) without the checkout itself, so that one image serves every commit with the same key
files. Virtual environments stay at /grokfix/kept and are linked, for copying one into every box would cost seconds.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from docker.errors import NotFound
from docker.types import DriverConfig, Mount

import bot
from bot.adapters import docker_stream
from bot.adapters.docker_box import WORKSPACE, disk_watch
from bot.adapters.docker_cache import load, save
from bot.adapters.docker_engine import IDLE, UID, Engine
from bot.adapters.docker_extras import EXTRAS
from bot.adapters.docker_files import Packed, pack_files, pack_folder, put, take
from bot.adapters.docker_network import guarded
from bot.errors import ConfigError, SandboxError
from bot.ports import Limits, SetUp
from bot.publish import untrusted

REPOSITORY = "grokfix/setup"
LAYOUT = 2  # raise it when what this module puts into an image changes
EXTRAS_LABEL = "grokfix.extras"
SECRETS = "/run/secrets"
LOG_TAIL = 4000  # characters of a failing command's output in the error
DISK = 10 << 30  # bytes a set-up may write
# What package managers running as root need; neither NET_ADMIN nor NET_RAW is among them.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID", "SYS_CHROOT"]

# Leaves in the layer what set-up generated in the workspace, and nothing of the checkout.
FINISH = f"""
set -e
cd {WORKSPACE}
xargs -0 rm -f -- < /grokfix/tree 2> /dev/null || true  # what set-up put a folder in place of stays with it
find . -name __pycache__ -type d -prune -exec rm -rf {{}} +
find . -mindepth 2 -name pyvenv.cfg -type f | while read -r found; do
    inside=${{found#./}}; inside=${{inside%/pyvenv.cfg}}; outside=/grokfix/kept/$inside
    mkdir -p "$(dirname "$outside")"; mv "$inside" "$outside"; ln -s "$outside" "$inside"
done
cd /
find {WORKSPACE} -depth -mindepth 1 -type d -empty -exec rmdir {{}} ';'
rm -rf /grokfix/tree /tmp/* /root/.cache {EXTRAS}
mkdir {EXTRAS}
find {WORKSPACE} -mindepth 1 -maxdepth 1 -exec mv {{}} {EXTRAS}/ ';'
if [ -n "$(ls -A {EXTRAS})" ]; then echo yes > /grokfix/has-extras; else echo no > /grokfix/has-extras; fi
"""


@dataclass(frozen=True, slots=True)
class Image:
    """A set-up image: its tag, whether boxes need its extras, and the volumes that it declares."""

    tag: str
    extras: bool
    volumes: tuple[str, ...]
    built: bool


def image_key(plan: SetUp, base: Mapping[str, object], tree: Path) -> str:
    """64 hex digits over everything that set-up's result may depend on, and the trust domain."""
    key = {
        "layout": LAYOUT,
        "version": bot.__version__,
        "base": base["Id"],
        "architecture": base.get("Architecture"),
        "commands": plan.commands,
        "environment": sorted(plan.environment.items()),
        "secrets": sorted(plan.secrets),
        "domain": plan.domain,
        "files": [(path, _digest(tree, path)) for path in sorted(set(plan.key_files))],
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _digest(tree: Path, path: str) -> str:
    """SHA-256 of a key file, "" where there is none. A link counts as its target's name, never as what it names."""
    file = tree / path
    if file.is_symlink():
        return hashlib.sha256(b"link:" + str(file.readlink()).encode()).hexdigest()
    if not file.is_file() or not file.resolve().is_relative_to(tree.resolve()):
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def setup_image(
    engine: Engine, plan: SetUp, tree: Path, packed: Packed, limits: Limits, image_cache: Path | None
) -> Image:
    """The set-up image of `plan`: on the engine, in `image_cache`, or built now."""
    if plan.secrets and not plan.trusted:
        raise ConfigError(
            "set-up secrets are given to trusted commits only, and this one is not trusted; remove setup_secrets or "
            "run on the default branch"
        )
    base = engine.image(plan.image)
    key = image_key(plan, base, tree)
    tag = f"{REPOSITORY}:{key}"
    archive = image_cache / f"{key}.tar" if image_cache is not None else None
    found = _find(engine, tag)
    if found is None and archive is not None and archive.is_file():
        load(engine, archive, tag)
        found = _find(engine, tag)
    built = found is None
    if found is None:
        _build(engine, plan, packed, limits, tag)
        found = engine.image(tag)
    if archive is not None and not archive.exists():
        save(engine, archive, tag)
    config = cast("dict[str, dict[str, str] | None]", found.get("Config") or {})
    volumes = tuple(sorted(config.get("Volumes") or {}))
    return Image(tag, (config.get("Labels") or {}).get(EXTRAS_LABEL) == "yes", volumes, built)


def _find(engine: Engine, tag: str) -> Mapping[str, object] | None:
    with engine.doing("looking for the set-up image"):
        try:
            found: Mapping[str, object] = engine.client.images.get(tag).attrs
        except NotFound:
            return None
    return found


# --- building -------------------------------------------------------------------------------------------------------


def _build(engine: Engine, plan: SetUp, packed: Packed, limits: Limits, tag: str) -> None:
    if not plan.commands:
        container = _create(engine, plan, limits, network="none")
        try:
            _add_user(engine, container)
            _commit(engine, container, tag, extras=False)
        finally:
            _remove(engine, container)
        return
    with guarded(engine, plan.image, plan.allow) as holder:
        container = _create(engine, plan, limits, network=f"container:{holder}")
        try:
            with engine.doing("starting set-up"):
                engine.api.start(container)
            _add_user(engine, container)
            put(engine, container, WORKSPACE, packed.chunks())
            names = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in packed.paths)
            put(engine, container, "/", pack_files({"grokfix/tree": names}, uid=0))
            if plan.secrets:
                put(engine, container, SECRETS, pack_files(plan.secrets, uid=0, mode=0o400))
            _run_commands(engine, plan, container)
            extras = _finish(engine, container)
            docker_stream.kill(engine, container)
            _commit(engine, container, tag, extras=extras)
        finally:
            _remove(engine, container)


def _remove(engine: Engine, container: str) -> None:
    if not engine.cancelled:
        with engine.doing("removing the set-up container"):
            engine.remove_container(container)


def _create(engine: Engine, plan: SetUp, limits: Limits, network: str) -> str:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=0700,nosuid,nodev,noexec"}
    secrets = Mount(
        target=SECRETS,
        source=None,
        type="volume",
        no_copy=True,
        labels=engine.labels("set-up"),
        driver_config=DriverConfig("local", options),
    )
    host = {
        "network_mode": network,
        "cap_add": CAPABILITIES,
        "init": True,
        "ipc_mode": "private",
        "pids_limit": max(limits.pids, 1024),
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": int(limits.cpus * 1e9),
        "mounts": [secrets] if plan.secrets else [],
        "runtime": limits.runtime,
    }
    with engine.doing("creating the set-up container"):
        return engine.create(
            "set-up",
            plan.image,
            host,
            entrypoint=IDLE,
            user="0:0",
            working_dir=WORKSPACE,
            environment=dict(plan.environment),
        )


def _add_user(engine: Engine, container: str) -> None:
    """Name the box's user and group (without an entry getpass.getuser() fails), and give the user the workspace."""
    files = {}
    for path, line in (
        ("etc/passwd", f"sandbox:x:{UID}:{UID}::/tmp:/bin/sh\n"),
        ("etc/group", f"sandbox:x:{UID}:\n"),
    ):
        text = (take(engine, container, f"/{path}", 1 << 20) or b"").decode("utf-8", "replace")
        if any(entry.split(":")[2:3] == [str(UID)] for entry in text.splitlines()):
            continue
        files[path] = (text.rstrip("\n") + "\n" + line).lstrip("\n").encode()
    if files:
        put(engine, container, "/", pack_files(files, uid=0))
    put(engine, container, "/", pack_folder(WORKSPACE.lstrip("/")))


def _run_commands(engine: Engine, plan: SetUp, container: str) -> None:
    deadline = time.monotonic() + plan.seconds
    watch = disk_watch(engine, container, "/", DISK)
    for command in plan.commands:
        left = deadline - time.monotonic()
        ran = docker_stream.run(
            engine, container, command, user="0:0", seconds=max(left, 0.0), cwd=WORKSPACE, limit=1 << 20, watch=watch
        )
        if ran.exit_code == 0 and not ran.timed_out and not ran.stopped:
            continue
        if ran.timed_out:
            how = f"did not end within {plan.seconds:g} s; raise the limit or use an image with the packages in it"
        elif ran.stopped:
            how = f"was killed: {ran.stopped}"
        else:
            how = f"ended with {ran.exit_code}; see its last lines"
        text = _without_secrets(ran.output, plan.secrets.values())
        tail = untrusted.bounded(text, LOG_TAIL, tail=True)
        shown = untrusted.one_line(_without_secrets(shlex.join(command), plan.secrets.values()))
        raise SandboxError(untrusted.log(f"set-up command `{shown}` {how}\n{tail}".rstrip()))


def _without_secrets(text: str, secrets: Iterable[bytes]) -> str:
    for secret in secrets:
        for form in {secret.decode("utf-8", "replace"), secret.decode("utf-8", "replace").strip()}:
            if form:
                text = text.replace(form, "***")
    return text


def _finish(engine: Engine, container: str) -> bool:
    """Strip the checkout from the layer; whether set-up generated anything in it."""
    ran = docker_stream.run(engine, container, ["sh", "-c", FINISH], user="0:0", seconds=300, limit=1 << 16)
    if ran.exit_code != 0:
        raise SandboxError(
            "what set-up generated in the checkout could not be kept (the image needs sh, find and xargs): "
            f"{untrusted.one_line(ran.output)}"
        )
    return take(engine, container, "/grokfix/has-extras", 16) == b"yes\n"


def _commit(engine: Engine, container: str, tag: str, *, extras: bool) -> None:
    repository, _, version = tag.partition(":")
    with engine.doing("keeping the set-up image"):
        # The empty run label keeps the sweep away from containers that somebody starts from this image by hand.
        engine.api.commit(
            container,
            repository=repository,
            tag=version,
            pause=False,
            changes=f"LABEL {EXTRAS_LABEL}={'yes' if extras else 'no'} grokfix.run=",
        )
