"""The action's image as the root Dockerfile makes it: what is in it, what is not, and what it cannot be talked into."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest
import yaml
from docker.models.images import Image
from docker.utils.build import exclude_paths

from bot import __version__
from tests.act import images

pytestmark = pytest.mark.docker

PYTHON = "/opt/grokfix/bin/python"
OWN_LAYERS_LIMIT = 130_000_000  # bytes over the base: git, the dependencies, our code
Inside = Callable[..., str]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as engine:
        yield engine


@pytest.fixture(scope="module")
def image(client: docker.DockerClient, docker_image: str) -> Image:
    return images.action(client)


@pytest.fixture(scope="module")
def inside(client: docker.DockerClient, image: Image) -> Inside:
    """Run argv in a new container without a network; its output, or CalledProcessError."""

    def run(*argv: str, **options: object) -> str:
        settings = {"network_mode": "none", "remove": True, "entrypoint": list(argv), **options}
        try:
            return client.containers.run(image, **settings).decode()  # type: ignore[arg-type, no-any-return]
        except docker.errors.ContainerError as error:
            output = error.stderr.decode() if isinstance(error.stderr, bytes) else str(error.stderr)
            raise subprocess.CalledProcessError(error.exit_status, argv, output) from error

    return run


def shell(script: str) -> tuple[str, ...]:
    return ("sh", "-euc", script)


def test_our_program_and_git_run(inside: Inside) -> None:
    assert inside("/opt/grokfix/bin/grokfix", "--version") == f"grokfix {__version__}\n"
    cycle = """
        export HOME=/tmp GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        git init -q /tmp/one && cd /tmp/one && echo 1 > file && git add file && git commit -qm one
        git clone -q file:///tmp/one /tmp/two && cd /tmp/two && echo 2 > file && git diff > /tmp/patch
        git checkout -q file && git apply --index /tmp/patch && git write-tree && git cat-file -p :file
    """
    assert inside(*shell(cycle)).endswith("\n2\n")


def test_git_speaks_http(inside: Inside) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        inside("git", "ls-remote", "https://127.0.0.1:9/octo/shop")
    assert "unable to access 'https://127.0.0.1:9/octo/shop/'" in caught.value.output


def test_nothing_to_build_with_and_no_leftovers(inside: Inside) -> None:
    look = """
        for name in cc gcc g++ c++ clang make ld as cargo; do command -v "$name" || true; done
        find /var/lib/apt/lists /var/cache/apt /root/.cache /source /wheels /project 2>/dev/null -type f || true
        ls /opt/grokfix/lib/python3*/site-packages | grep -iE '^(pip|setuptools|wheel)' || true
        find / -xdev -name '*.whl' -newer /opt/grokfix/pyvenv.cfg || true
    """
    assert inside(*shell(look)) == ""


def test_everything_is_compiled(inside: Inside) -> None:
    missing = """
import importlib.util, pathlib
for path in pathlib.Path("/opt/grokfix/lib").rglob("*.py"):
    compiled = pathlib.Path(importlib.util.cache_from_source(path))
    if not compiled.is_file():
        print(path)
    elif compiled.read_bytes()[4] != 1:
        print(compiled, "is compared with its source")
"""
    assert inside(PYTHON, "-c", missing) == ""


def test_the_package_is_whole(inside: Inside) -> None:
    """Data files too: prompts, schemas, templates."""
    listed = inside(*shell("cd /opt/grokfix/lib/python3*/site-packages && find bot -type f ! -name '*.pyc'"))
    tracked = subprocess.run(
        ["git", "-C", str(images.ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "bot"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert sorted(listed.split()) == sorted(path for path in tracked.split() if (images.ROOT / path).is_file())


def test_how_it_starts(image: Image) -> None:
    settings = image.attrs["Config"]
    assert settings["Entrypoint"] == [PYTHON, "-I", "-u", "/opt/grokfix/bin/grokfix", "action"]
    assert settings["Cmd"] is None
    assert settings["User"] == ""  # root: the socket's owner
    assert settings["Labels"]["org.opencontainers.image.licenses"] == "MIT"


def test_the_size_of_its_own_layers(client: docker.DockerClient, image: Image) -> None:
    base = client.images.get(images.BASE)
    own = image.attrs["Size"] - base.attrs["Size"]
    print(f"\nown layers {own / 1e6:.0f} MB over a base of {base.attrs['Size'] / 1e6:.0f} MB")
    assert 0 < own < OWN_LAYERS_LIMIT


def test_inputs_reach_the_program_with_their_hyphens(image: Image, inside: Inside) -> None:
    given = {"INPUT_MAX-ATTEMPTS": "seven", "INPUT_FAIL-ON": "rain"}
    with pytest.raises(subprocess.CalledProcessError) as caught:
        inside(*image.attrs["Config"]["Entrypoint"], environment=given)
    assert caught.value.returncode == 2
    assert "input max-attempts is 'seven'" in caught.value.output
    assert "input fail-on names 'rain'" in caught.value.output


@pytest.mark.parametrize("name", ["sitecustomize.py", "usercustomize.py", "bot/__init__.py", "json.py", "argparse.py"])
def test_the_checkout_brings_no_code_in(image: Image, inside: Inside, tmp_path: Path, name: str) -> None:
    bait = tmp_path / name
    bait.parent.mkdir(exist_ok=True)
    bait.write_text("print('taken over', flush=True)\n")
    surroundings = {
        "volumes": {str(tmp_path): {"bind": "/github/workspace"}},
        "working_dir": "/github/workspace",
        "environment": {"PYTHONPATH": "/github/workspace", "PYTHONUSERBASE": "/github/workspace"},
    }
    *start, _ = image.attrs["Config"]["Entrypoint"]
    assert inside(*start, "--version", **surroundings) == f"grokfix {__version__}\n"
    if name != "usercustomize.py":  # of the others it is certain that they would have been taken up
        bare = inside(PYTHON, "-c", "import json, argparse, bot", **surroundings)
        assert "taken over" in bare


def test_the_sandbox_is_reached_through_the_socket(inside: Inside, client: docker.DockerClient) -> None:
    code = """
from bot.adapters.docker import DockerSandbox
import docker
with DockerSandbox.connect() as sandbox:
    print(docker.from_env().version()["Version"])
"""
    volumes = {"/var/run/docker.sock": {"bind": "/var/run/docker.sock"}}
    assert inside(PYTHON, "-I", "-c", code, volumes=volumes) == f"{client.version()['Version']}\n"


def test_the_context_is_what_the_image_needs() -> None:
    rules = (images.ROOT / ".dockerignore").read_text().splitlines()
    sent = {
        path
        for path in exclude_paths(str(images.ROOT), [rule for rule in rules if rule and not rule.startswith("#")])
        if (images.ROOT / path).is_file()
    }
    # The engine drops the first two itself unless they are copied; the client always sends them.
    outside = {path for path in sent if not path.startswith("bot/")}
    assert outside <= {"Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE"}
    assert not [path for path in sent if "__pycache__" in path]


def test_act_is_handed_the_same_files(tmp_path: Path) -> None:
    staged = images.stage_action(tmp_path / "action")
    assert yaml.safe_load((staged / "action.yml").read_text())["runs"] == {"using": "docker", "image": "Dockerfile"}
    assert not list(staged.rglob("__pycache__"))
