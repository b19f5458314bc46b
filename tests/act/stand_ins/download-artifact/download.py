"""Take artifacts out of the run's store, as download-artifact does from its version 4 on."""

import fnmatch
import io
import os
import sys
import urllib.request
import zipfile
from pathlib import Path

from results import call


def main() -> int:
    name, folder = os.environ["NAME"], Path(os.environ["FOLDER"])
    known = [artifact["name"] for artifact in call("ListArtifacts", {}).get("artifacts", ())]
    if name and name not in known:
        print(f"no artifact {name!r} in this run; there are: {known}")
        return 1
    if name:
        return take(name, folder)
    for each in fnmatch.filter(known, os.environ["PATTERN"]):
        take(each, folder / each)
    return 0


def take(name: str, folder: Path) -> int:
    url = call("GetSignedArtifactURL", {"name": name})["signedUrl"]
    with urllib.request.urlopen(url) as answer:
        content = answer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
        print(f"downloaded {len(archive.namelist())} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
