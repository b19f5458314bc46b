"""Case 49: a repository whose own configuration would run programs. None of them runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.patch.apply import apply
from bot.patch.types import Applied
from bot.workspace.git import Repository
from tests.unit.workspace.repositories import Origin, git

HOOKS = (
    "post-checkout",
    "post-index-change",
    "pre-commit",
    "reference-transaction",
    "post-applypatch",
    "fsmonitor-watchman",
    "post-merge",
    "pre-auto-gc",
)


def trap(origin: Origin, marker: Path) -> None:
    """Every way known to us by which .git makes git run something; each would create `marker`."""
    script = origin.root.parent / "trap.sh"
    script.write_text(f'#!/bin/sh\necho "$0 $@" >> {marker}\nexec cat\n')
    script.chmod(0o755)
    included = origin.root / ".git" / "included"
    included.write_text(f"[core]\n\tfsmonitor = {script}\n\tpager = {script}\n")
    config = f"""
[core]
	repositoryformatversion = 0
	fsmonitor = {script}
	hooksPath = {origin.root}/.git/hooks
	sshCommand = {script}
	pager = {script}
	editor = {script}
	askPass = {script}
	gitProxy = {script}
	alternateRefsCommand = {script}
	worktree = /
	attributesFile = {origin.root}/.git/attributes
	autocrlf = true
[include]
	path = included
[includeIf "gitdir:**"]
	path = included
[filter "evil"]
	clean = {script}
	smudge = {script}
	process = {script}
	required = true
[filter "lfs"]
	clean = {script}
	smudge = {script}
	process = {script}
	required = true
[diff]
	external = {script}
[diff "evil"]
	textconv = {script}
	command = {script}
	cachetextconv = true
[merge "evil"]
	driver = {script}
[credential]
	helper = !{script}
[gpg]
	program = {script}
[log]
	showSignature = true
[alias]
	diff-tree = !{script}
	checkout-index = !{script}
	ls-files = !{script}
[uploadpack]
	packObjectsHook = {script}
[trailer "x"]
	command = {script}
[interactive]
	diffFilter = {script}
[extensions]
	partialClone = origin
[remote "origin"]
	url = ext::{script}
	promisor = true
[submodule "x"]
	update = !{script}
[protocol]
	allow = always
"""
    (origin.root / ".git/config").write_text(config)
    attributes = "* filter=evil diff=evil merge=evil\n"
    (origin.root / ".git/info").mkdir(exist_ok=True)
    (origin.root / ".git/info/attributes").write_text(attributes)
    (origin.root / ".git/attributes").write_text(attributes)
    for name in HOOKS:
        hook = origin.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(script.read_bytes())
        hook.chmod(0o755)


@pytest.fixture
def trapped(origin: Origin, tmp_path: Path) -> tuple[Origin, Path]:
    origin.commit({".gitattributes": "*.py filter=evil diff=evil merge=evil\n*.bin filter=lfs\n", "big.bin": "x\n"})
    origin.commit({"app.py": "a = 1\nb = 3\nc = 3\n"})
    marker = tmp_path / "marker"
    trap(origin, marker)
    return origin, marker


def test_the_trap_works(trapped: tuple[Origin, Path]) -> None:
    """With git as everybody runs it the marker is there: without this, the test below would prove nothing."""
    origin, marker = trapped
    (origin.root / "app.py").write_text("a = 2\n")
    subprocess.run(
        ["git", "-c", "core.worktree=", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "--work-tree=.",
         "diff", "--no-ext-diff", "--no-textconv"],
        cwd=origin.root, capture_output=True, check=False,
    )  # fmt: skip
    assert marker.exists()


def test_nothing_of_it_runs(trapped: tuple[Origin, Path], scratch: Path) -> None:
    origin, marker = trapped
    (origin.root / "new.py").write_text("n = 1\n")
    repository = Repository.open(origin.root, scratch)
    assert repository.root == origin.root
    assert repository.dirty() == ("new.py",)
    (origin.root / "app.py").write_text("a = 7\nb = 3\nc = 3\n")
    assert repository.dirty() == ("app.py", "new.py")
    checkout = repository.checkout(include_work_tree=True)
    applied = apply("--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,2 @@\n-a = 7\n+a = 8\n b = 3\n", checkout)
    assert isinstance(applied, Applied)
    ranges, text = repository.changed_since("HEAD~1", checkout)
    assert ranges and "-b = 2" in text and "+a = 7" in text
    repository.checkout("HEAD~1")
    repository.apply_to_work_tree(applied.overlay, checkout)
    assert (origin.root / "app.py").read_text() == "a = 8\nb = 3\nc = 3\n"
    assert not marker.exists()


def test_environment_of_the_user_is_not_asked(
    trapped: tuple[Origin, Path], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, marker = trapped
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(origin.root.parent / "trap.sh"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(origin.root.parent / "trap.sh"))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    repository = Repository.open(origin.root, scratch)
    repository.checkout().diff({"app.py": b"x\n"})
    repository.dirty()
    assert not marker.exists()


def test_configuration_of_a_submodule_is_not_read(origin: Origin, tmp_path: Path, scratch: Path) -> None:
    library = Origin(tmp_path / "library")
    library.commit({"lib.py": "x = 1\n"})
    origin.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "sub")
    origin.commit({})
    marker = tmp_path / "marker"
    script = tmp_path / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    git(origin.root / "sub", "config", "core.fsmonitor", str(script))
    (origin.root / "sub/lib.py").write_text("x = 2\n")
    repository = Repository.open(origin.root, scratch)
    assert repository.dirty() == ()
    repository.checkout(include_work_tree=True)
    assert not marker.exists()
