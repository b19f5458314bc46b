"""Commits from a code host over HTTP, into a repository that `Repository.open` takes.

The server, its redirects and its words are not trusted with the token: it goes to the one address that was given, by
git's own configuration in the environment of the one command, and is in no argument list, file or message.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import process_environment
from bot.errors import ConfigError, ForgeError
from bot.evidence.text import one_line
from bot.process import Completed, ProcessError, minimal_environment, run

PACK_LIMIT = 4 << 30
"""Bytes that one fetch may write into its pack."""

_COMMIT = re.compile(r"[0-9a-f]{40}|refs/pull/[1-9][0-9]{0,9}/(?:merge|head)")
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "fetch.unpackLimit=1",  # always one pack, never loose objects: the limit of a file's size is then one of the fetch
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    # Git sends its extra headers along when it follows a redirect, whatever host that names.
    "http.followRedirects=false",
    "protocol.allow=never",
)
# What the network of a company needs; git's other variables stay outside.
_NETWORK = (
    *(name for word in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (word, word.upper())),
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
)
# A limit of resources is set by a process for itself: this one sets it and becomes git.
_LIMITED = (
    "import os, resource, sys; limit = int(sys.argv[1]); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); os.execvp(sys.argv[2], sys.argv[2:])"
)
_STATUS = re.compile(r"The requested URL returned error: (\d{3})")
_UNKNOWN = re.compile(
    r"not our ref ([0-9a-f]{40})|couldn't find remote ref (refs/\S+)|unadvertised object ([0-9a-f]{40})"
)


def fetch(
    url: str, commits: Sequence[str], token: str, folder: Path, *, seconds: float, limit: int = PACK_LIMIT
) -> Path:
    """Fetch commits without their history into a new repository at `folder`, its HEAD detached at the first.

    url: of the repository, http or https, without a user. commits: full hashes, or `refs/pull/N/merge` and `…/head`;
    the n-th is also `refs/fetched/n`. token: "" for none. seconds: of the whole fetch. limit: bytes of the pack.
    The work tree stays empty: checkouts are made with `Repository.checkout`. Returns `folder`.

    ConfigError: a wrong argument, a folder that is not empty, no git. ForgeError: refused (401, 403), no such
    repository or commit (404), redirected (3xx), too large (413), or no answer in time (0).
    """
    _check(url, commits, folder)
    wanted = tuple(dict.fromkeys(commits))
    folder.mkdir(parents=True, exist_ok=True)
    git = _Git(url, token, folder, seconds, limit)
    git.local("init", "--quiet", "--template=", str(folder))
    refspecs = [f"+{commit}:refs/fetched/{number}" for number, commit in enumerate(wanted)]
    git.remote(refspecs)
    head = git.local("rev-parse", "--verify", "--quiet", "refs/fetched/0^{commit}").decode("ascii", "replace").strip()
    git.local("update-ref", "--no-deref", "HEAD", head)
    return folder


class _Git:
    def __init__(self, url: str, token: str, folder: Path, seconds: float, limit: int) -> None:
        self.url = url
        self.folder = folder
        self.seconds = seconds
        self.limit = limit
        self.basic = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii") if token else ""
        self.secrets = tuple(filter(None, (token, self.basic)))

    def local(self, *arguments: str) -> bytes:
        """A command that needs no network, and gets no token."""
        completed = self._run(arguments, _environment(self.folder), 60.0)
        if completed.exit_code != 0:
            raise ConfigError(f"git {arguments[0]} failed in {self.folder}: {self._words(completed)}")
        return completed.stdout

    def remote(self, refspecs: Sequence[str]) -> None:
        arguments = ("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        environment = dict(_environment(self.folder))
        for name in _NETWORK:
            if name in process_environment():
                environment[name] = process_environment()[name]
        if self.basic:
            environment["GIT_CONFIG_COUNT"] = "1"
            environment["GIT_CONFIG_KEY_0"] = f"http.{self.url}.extraHeader"
            environment["GIT_CONFIG_VALUE_0"] = f"AUTHORIZATION: basic {self.basic}"
        completed = self._run((*arguments, self.url, *refspecs), environment, self.seconds)
        if completed.timed_out:
            raise ForgeError(
                f"fetching from {self.url} took longer than {self.seconds:.0f} s; "
                "try again, or give the run more minutes (limits.minutes)"
            )
        if completed.exit_code != 0:
            raise self._error(completed)

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str], seconds: float) -> Completed:
        limited = [sys.executable, "-I", "-S", "-c", _LIMITED, str(self.limit)]
        argv = [*limited, "git", f"--git-dir={self.folder / '.git'}"]
        for setting in (*_SETTINGS, f"protocol.{urlsplit(self.url).scheme}.allow=always"):
            argv += ["-c", setting]
        try:
            return run([*argv, *arguments], cwd=self.folder, environment=environment, seconds=seconds)
        except ProcessError as error:
            raise ConfigError(f"git is needed and cannot be run: {error}") from error

    def _error(self, completed: Completed) -> ForgeError:
        said = completed.stderr.decode("utf-8", "replace")
        words = f"git says: {self._words(completed)}"
        unknown = _UNKNOWN.search(said)
        if unknown is not None:
            name = next(filter(None, unknown.groups()))
            return ForgeError(
                f"{self.url} has no commit {name}: it was never pushed there, or is gone since a forced push. {words}",
                status=404,
            )
        status = _STATUS.search(said)
        number = int(status[1]) if status is not None else 0
        if "Authentication failed" in said or "could not read Username" in said or number == 401:
            return ForgeError(
                f"{self.url} wants other credentials: the token is missing, wrong or expired "
                f"(an App's lives 60 minutes). {words}",
                status=401,
            )
        if number == 403:
            return ForgeError(f"{self.url} refuses the token, which needs `contents: read` there. {words}", status=403)
        if number == 404 or ("repository '" in said and "not found" in said):
            return ForgeError(
                f"there is no repository at {self.url}, or the token may not see it (`contents: read`). {words}",
                status=404,
            )
        if 300 <= number < 400:
            return ForgeError(
                f"{self.url} redirects elsewhere, which is not followed because the token would go along; "
                f"has the repository been renamed, or is GITHUB_SERVER_URL wrong? {words}",
                status=number,
            )
        if "File too large" in said or "signal 25" in said or ("index-pack failed" in said and self._is_full()):
            return ForgeError(f"{self.url} sends more than the {self.limit:,} bytes that a fetch may write", status=413)
        return ForgeError(f"fetching from {self.url} failed (status {completed.exit_code}). {words}", status=number)

    def _is_full(self) -> bool:
        packs = (self.folder / ".git" / "objects" / "pack").glob("tmp_pack_*")
        return any(pack.stat().st_size >= self.limit for pack in packs)

    def _words(self, completed: Completed) -> str:
        """The end of what git said, on one line, with nothing secret in it: a server may echo what it was sent."""
        said = completed.stderr[-20_000:].decode("utf-8", "replace")
        for secret in self.secrets:
            said = said.replace(secret, "***")
        return one_line(said.strip()[-600:], 600) or "nothing"


def _check(url: str, commits: Sequence[str], folder: Path) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not url.isprintable():
        raise ConfigError(f"{one_line(url, 200)!r} is no address to fetch from; give http(s)://HOST/OWNER/NAME")
    if not commits:
        raise ConfigError(f"nothing to fetch from {url}: no commit was given")
    for commit in commits:
        if _COMMIT.fullmatch(commit) is None:
            raise ConfigError(
                f"{one_line(commit, 80)!r} cannot be fetched from {url}: "
                "give a full hash of 40 hex digits, or refs/pull/N/merge"
            )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder; give another one for the fetched repository")


def _environment(folder: Path) -> Mapping[str, str]:
    return minimal_environment() | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
