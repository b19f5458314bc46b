"""Says what stands in this box: interpreter, pytest, plugins."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib import metadata

from . import settings


def main(_arguments: list[str]) -> int:
    version = ""
    if importlib.util.find_spec("pytest") is not None:
        try:
            version = metadata.version("pytest")
        except metadata.PackageNotFoundError:  # a checkout of pytest itself on the path
            version = "0"
    plugins: set[str] = set()
    for distribution in metadata.distributions():
        plugins.update(entry.name for entry in distribution.entry_points if entry.group == "pytest11")
    told = {"python": list(sys.version_info[:3]), "pytest": version, "plugins": sorted(plugins)}
    settings.write("probe.json", json.dumps(told))
    return 0
