"""Set-up images as archives in a folder, for the cache of a CI service."""

from __future__ import annotations

import contextlib
import json
import tarfile
from pathlib import Path

from bot.adapters.docker_engine import Engine, Foreign, brief
from bot.errors import SandboxError


def save(engine: Engine, archive: Path, tag: str) -> None:
    """Write the image beside its name first, so that a killed run leaves no half an archive."""
    partial = archive.with_suffix(".partial")
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with engine.doing("saving the set-up image"), partial.open("wb") as file:
            for chunk in engine.api.get_image(tag):
                file.write(chunk)
        partial.replace(archive)
    except OSError as error:
        raise SandboxError(f"the set-up image cannot be saved to {archive}: {error}; check image_cache") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def load(engine: Engine, archive: Path, tag: str) -> None:
    """Load an archive that names this image and no other: a forged one could replace any image of the engine."""
    try:
        with tarfile.open(archive) as opened:
            manifest = opened.extractfile("manifest.json")
            names = (
                [name for entry in json.loads(manifest.read(1 << 20)) for name in entry["RepoTags"]] if manifest else []
            )
            repositories = "repositories" in opened.getnames()
            legacy = opened.extractfile("repositories") if repositories else None
            tagged = json.loads(legacy.read(1 << 20)) if legacy else {}
        if names != [tag] or any(f"{name}:{version}" != tag for name, of in tagged.items() for version in of):
            raise SandboxError(f"{archive} holds another image than {tag}; delete it, and it will be made again")
        with archive.open("rb") as file:
            engine.client.images.load(file)
    except (tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise SandboxError(f"{archive} is no image archive ({error}); delete it, and it will be made again") from error
    except Foreign as error:
        raise SandboxError(
            f"{archive} cannot be loaded: {brief(error)}; delete it, and it will be made again"
        ) from error
