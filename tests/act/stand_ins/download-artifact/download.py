"""Take one artifact out of the run's store, as download-artifact does from its version 4 on."""

import io
import os
import sys
import urllib.request
import zipfile
from pathlib import Path

from results import call


def main() -> int:
    name = os.environ["NAME"]
    known = [artifact["name"] for artifact in call("ListArtifacts", {}).get("artifacts", ())]
    if name not in known:
        print(f"no artifact {name!r} in this run; there are: {known}")
        return 1
    url = call("GetSignedArtifactURL", {"name": name})["signedUrl"]
    with urllib.request.urlopen(url) as answer:
        content = answer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(Path(os.environ["FOLDER"]))
        print(f"downloaded {len(archive.namelist())} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
