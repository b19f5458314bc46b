"""Put files into the run's artifact store as one zip, as upload-artifact does from its version 4 on."""

import hashlib
import io
import os
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

from results import call


def put(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")):
        pass


def files(root: Path, hidden: bool) -> Iterator[tuple[Path, str]]:
    """Every file with its name in the archive: a folder's content goes to the top, as the real action has it."""
    if root.is_file():
        yield root, root.name
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and (hidden or not any(part.startswith(".") for part in name.parts)):
            yield path, name.as_posix()


def main() -> int:
    hidden = os.environ["INCLUDE_HIDDEN_FILES"] == "true"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for line in filter(None, os.environ["PATHS"].splitlines()):
            for path, name in files(Path(line.strip()), hidden):
                writer.write(path, name)
        count = len(writer.namelist())
    if not count:
        mode = os.environ["IF_NO_FILES_FOUND"]
        print(f"no files in {os.environ['PATHS']!r}")
        return 1 if mode == "error" else 0
    name, content = os.environ["NAME"], archive.getvalue()
    url = call("CreateArtifact", {"name": name, "version": 4})["signedUploadUrl"]
    put(f"{url}&comp=block&blockid=AAAA", content)
    put(f"{url}&comp=blocklist", b"<BlockList><Latest>AAAA</Latest></BlockList>")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    done = call("FinalizeArtifact", {"name": name, "size": str(len(content)), "hash": digest})
    with open(os.environ["GITHUB_OUTPUT"], "a") as output:
        output.write(f"artifact-id={done['artifactId']}\n")
    print(f"uploaded {count} files, {len(content)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
