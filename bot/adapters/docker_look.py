"""What an engine is and whether an image could be had, without having it."""

from __future__ import annotations

from contextlib import closing

from docker.errors import NotFound

from bot.adapters.docker_engine import Engine, Foreign, brief
from bot.errors import SandboxError


def engine_version() -> str:
    """Version of the Docker engine that answers; SandboxError where none does."""
    with closing(Engine.connect()) as engine:
        try:
            return str(engine.client.version().get("Version", "of an unknown version"))
        except Foreign as error:
            raise SandboxError(f"the Docker engine does not say its version ({brief(error)})") from error


def find_image(reference: str) -> str:
    """Where the engine has the image, or would have it from. SandboxError where no engine answers or it has none."""
    with closing(Engine.connect()) as engine:
        try:
            engine.client.images.get(reference)
        except NotFound:
            pass
        except Foreign as error:
            raise SandboxError(f"looking for image {reference} failed: {brief(error)}") from error
        else:
            return "is present"
        try:
            engine.client.images.get_registry_data(reference)
        except Foreign as error:
            raise SandboxError(f"image {reference} is not here, and no registry gives it ({brief(error)})") from error
        return "can be pulled"
