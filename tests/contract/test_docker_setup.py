"""Set-up images of the Docker sandbox: what is cached under which key, what stays in them and what must not."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from bot.adapters.docker import DockerSandbox
from bot.adapters.docker_setup import image_key
from bot.errors import ConfigError, SandboxError
from bot.ports import Limits, SetUp
from tests.contract.docker_cases import fresh, made_by, python, run_of

pytestmark = pytest.mark.docker

LIMITS = Limits(memory=192 << 20, pids=64, workspace=48 << 20, tmp=32 << 20)


@pytest.fixture(scope="module")
def sandbox(docker_image: str) -> Iterator[DockerSandbox]:
    with DockerSandbox.connect() as connected:
        yield connected


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as connected:
        yield connected


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "package").mkdir(parents=True)
    (root / "package" / "__init__.py").write_text("answer = 42\n")
    (root / "requirements.lock").write_text("one==1\n")
    (root / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("package")
    return root


def shell(*lines: str) -> tuple[str, ...]:
    return ("sh", "-ec", "\n".join(lines))


def stamp(sandbox: DockerSandbox, plan: SetUp, tree: Path) -> str:
    """A random word that set-up wrote: the same word means the same image."""
    with sandbox.set_up(plan, tree, LIMITS) as environment, environment.open() as box:
        return python(box, "print(open('stamp').read())").output.strip()


STAMP = shell("cat /proc/sys/kernel/random/uuid > stamp")


# --- the cache ------------------------------------------------------------------------------------------------------


def test_a_set_up_is_made_once_per_key(
    sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, tree: Path
) -> None:
    with fresh(client, SetUp(docker_image, (STAMP,), key_files=("requirements.lock",))) as plan:
        first = stamp(sandbox, plan, tree)
        assert stamp(sandbox, plan, tree) == first
        (tree / "package" / "__init__.py").write_text("answer = 43\n")  # the checkout itself is not in the key
        assert stamp(sandbox, plan, tree) == first
        assert stamp(sandbox, replace(plan, domain="fork:somebody"), tree) != first
        (tree / "requirements.lock").write_text("one==2\n")
        assert stamp(sandbox, plan, tree) != first


def test_the_key_covers_everything_that_set_up_may_depend_on(tree: Path) -> None:
    plan = SetUp("base", (("make",),), ("requirements.lock",), {"A": "b"}, {"TOKEN": b"x"}, trusted=True)
    base = {"Id": "sha256:1", "Architecture": "amd64"}
    others = [
        (replace(plan, commands=(("make", "all"),)), base),
        (replace(plan, environment={"A": "c"}), base),
        (replace(plan, secrets={"OTHER": b"x"}), base),
        (replace(plan, domain="fork:somebody"), base),
        (replace(plan, key_files=()), base),
        (plan, base | {"Id": "sha256:2"}),
        (plan, base | {"Architecture": "arm64"}),
    ]
    keys = [image_key(plan, base, tree), *(image_key(other, of, tree) for other, of in others)]
    (tree / "requirements.lock").write_text("one==2\n")
    keys.append(image_key(plan, base, tree))
    (tree / "requirements.lock").unlink()
    keys.append(image_key(plan, base, tree))
    (tree / "requirements.lock").symlink_to("/etc/passwd")
    keys.append(image_key(plan, base, tree))
    assert len(set(keys)) == len(keys)
    assert image_key(replace(plan, secrets={"TOKEN": b"rotated"}), base, tree) == keys[-1]


def test_images_are_kept_as_archives(
    sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, tree: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with DockerSandbox.connect(cache) as caching, fresh(client, SetUp(docker_image, (STAMP,))) as plan:
        first = stamp(caching, plan, tree)
        (archive,) = cache.iterdir()
        tag = f"grokfix/setup:{archive.stem}"
        assert archive.suffix == ".tar"
        client.images.remove(tag, force=True)
        assert stamp(caching, plan, tree) == first
        client.images.remove(tag, force=True)
        archive.write_bytes(b"not a tar")
        with pytest.raises(SandboxError, match="is no image archive"):
            stamp(caching, plan, tree)
        client.images.get(docker_image).tag("grokfix/forged", "latest")
        try:
            with archive.open("wb") as file:
                file.writelines(client.api.get_image("grokfix/forged:latest"))
        finally:
            client.images.remove("grokfix/forged:latest")
        with pytest.raises(SandboxError, match="holds another image"):
            stamp(caching, plan, tree)


# --- what is in them ------------------------------------------------------------------------------------------------


def test_what_set_up_generated_comes_into_every_box_and_never_over_the_checkout(
    sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, tree: Path
) -> None:
    commands = (
        shell(
            "mkdir -p package/build generated/__pycache__ empty",
            "echo built > package/build/module.so",
            "echo 1.0 > package/_version.py",
            "echo stale > generated/__pycache__/x.pyc",
            "echo tampered > package/__init__.py",
            "rm run.sh link; mkdir link; echo hidden > link/below",
            "mv package/build package/_version.py generated; rm -r package; ln -s /etc package",
            "ln -s /etc/passwd generated/passwd",
            "mkfifo generated/pipe",
            "echo space > 'generated/a name'",
        ),
        ("python3", "-m", "venv", "--without-pip", ".venv"),
    )
    with (
        fresh(client, SetUp(docker_image, commands)) as plan,
        sandbox.set_up(plan, tree, LIMITS) as environment,
        environment.open() as box,
    ):
        code = """
import json, os
found = {}
for folder, _, names in os.walk('.'):
    for name in names:
        path = os.path.join(folder, name)
        found[path] = os.readlink(path) if os.path.islink(path) else open(path).read().strip()
print(json.dumps([found, os.path.isdir('link'), os.access('run.sh', os.X_OK), os.readlink('.venv')]))
"""
        found, linked, executable, kept = json.loads(python(box, code).output)
        assert found == {
            "./package/__init__.py": "answer = 42",
            "./generated/_version.py": "1.0",
            "./generated/build/module.so": "built",
            "./requirements.lock": "one==1",
            "./run.sh": "#!/bin/sh\necho ran",
            "./generated/passwd": "/etc/passwd",
            "./generated/a name": "space",
        }
        assert linked
        assert executable
        assert kept == "/grokfix/kept/.venv"
        assert (
            python(
                box, "import subprocess; subprocess.run(['.venv/bin/python', '-c', 'import sys; print(sys.prefix)'])"
            ).output
            == "/workspace/.venv\n"
        )


def test_a_box_has_a_user_a_home_and_a_clean_tree(sandbox: DockerSandbox, docker_image: str, tree: Path) -> None:
    os.mkfifo(tree / "pipe")  # no test suite needs it, and opening it would hang
    with sandbox.set_up(SetUp(docker_image, environment={"LANGUAGE": "C"}), tree, LIMITS) as environment:
        overlay = {"package/new/deep.py": b"x = 1\n", "requirements.lock": None, "package/__init__.py": b"answer = 1\n"}
        with environment.open(overlay) as box:
            code = """
import getpass, os, package.new.deep, package
print(getpass.getuser(), os.path.expanduser('~'), package.answer, package.new.deep.x, os.environ['LANGUAGE'])
print(sorted(os.listdir('.')))
open('package/new/by_test', 'w').close()
"""
            assert python(box, code).output.splitlines() == [
                "sandbox /tmp 1 1 C",
                "['link', 'package', 'run.sh']",
            ]
        with environment.open() as box:
            assert python(box, "import os; print(os.listdir('package'))").output == "['__init__.py']\n"


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a/../../b", "", "a//b", "./a"])
def test_paths_that_leave_their_folder_are_refused(
    sandbox: DockerSandbox, docker_image: str, tree: Path, path: str
) -> None:
    with sandbox.set_up(SetUp(docker_image), tree, LIMITS) as environment:
        with pytest.raises(ValueError, match="not a plain relative path"):
            environment.open({path: b""})
        with environment.open() as box:
            with pytest.raises(ValueError, match="not a plain relative path"):
                box.put({path: b""})
            with pytest.raises(ValueError, match="not a plain relative path"):
                box.collect(path)


# --- secrets --------------------------------------------------------------------------------------------------------


def test_secrets_are_files_of_set_up_alone(
    sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, tree: Path, tmp_path: Path
) -> None:
    secret = f"tok-{os.urandom(12).hex()}"
    commands = (shell("test $(wc -c < /run/secrets/TOKEN) = 28", "stat -c %a /run/secrets/TOKEN > mode"),)
    plan = SetUp(docker_image, commands, secrets={"TOKEN": secret.encode()}, trusted=True)
    with fresh(client, plan) as marked, sandbox.set_up(marked, tree, LIMITS) as environment:
        with environment.open() as box:
            assert (
                python(box, "import os; print(open('mode').read(), os.path.exists('/run/secrets/TOKEN'))").output
                == "400\n False\n"
            )
        saved = tmp_path / "image.tar"
        with saved.open("wb") as file:
            file.writelines(client.api.get_image(environment._shape.image))
        with tarfile.open(saved) as layers:
            for member in layers:
                if member.isfile():
                    content = layers.extractfile(member)
                    assert content is not None
                    assert secret.encode() not in content.read()


def test_secrets_are_refused_where_the_commit_is_not_trusted(
    sandbox: DockerSandbox, docker_image: str, tree: Path
) -> None:
    with pytest.raises(ConfigError, match="trusted commits only"):
        sandbox.set_up(SetUp(docker_image, (("true",),), secrets={"TOKEN": b"x"}), tree, LIMITS)


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_failing_command_says_which_and_shows_its_end_tamed(
    sandbox: DockerSandbox, client: docker.DockerClient, docker_image: str, tree: Path
) -> None:
    commands = (
        ("true",),
        shell(
            "seq 10000", "echo '::error::x ##[group]y' $(cat /run/secrets/TOKEN)", "printf '\\033[31mred\\n'", "exit 7"
        ),
    )
    plan = SetUp(docker_image, commands, secrets={"TOKEN": b"hunter2secret\n"}, trusted=True)
    with fresh(client, plan) as marked, pytest.raises(SandboxError, match="ended with 7") as caught:
        sandbox.set_up(marked, tree, LIMITS)
    text = str(caught.value)
    assert text.startswith("set-up command `sh -ec ")
    assert "10000" in text
    assert len(text) < 6000
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "##[" not in text
    assert "\x1b" not in text
    assert "hunter2secret" not in text
    assert made_by(client, run_of(sandbox)) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("sleep", "30"), "did not end within 1 s"),
        (("no-such-program",), "ended with 12[67]"),
        (("python3", "-c", "block = bytearray(2 << 30)"), "ended with 137"),
    ],
    ids=["never-ends", "not-there", "memory"],
)
def test_set_up_that_cannot_end_well(
    sandbox: DockerSandbox,
    client: docker.DockerClient,
    docker_image: str,
    tree: Path,
    command: tuple[str, ...],
    message: str,
) -> None:
    with (
        fresh(client, SetUp(docker_image, (command,), seconds=1.0 if command[0] == "sleep" else 60.0)) as plan,
        pytest.raises(SandboxError, match=message),
    ):
        sandbox.set_up(plan, tree, LIMITS)
    assert made_by(client, run_of(sandbox)) == []


def test_an_image_that_cannot_be_had(sandbox: DockerSandbox, tree: Path) -> None:
    with pytest.raises(SandboxError, match=r"localhost:1/nothing:1 is not on this engine and cannot be pulled"):
        sandbox.set_up(SetUp("localhost:1/nothing:1"), tree, LIMITS)


def test_a_checkout_that_is_not_there(sandbox: DockerSandbox, docker_image: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no checkout at"):
        sandbox.set_up(SetUp(docker_image), tmp_path / "nothing", LIMITS)


def test_a_runtime_that_is_not_installed(
    sandbox: DockerSandbox, docker_image: str, tree: Path, client: docker.DockerClient
) -> None:
    limits = replace(LIMITS, runtime="no-such-runtime")
    with sandbox.set_up(SetUp(docker_image), tree, LIMITS):
        pass  # the image is there: the box is what fails
    with (
        sandbox.set_up(SetUp(docker_image), tree, limits) as environment,
        pytest.raises(SandboxError, match="no-such-runtime"),
    ):
        environment.open()
    assert made_by(client, run_of(sandbox)) == []
