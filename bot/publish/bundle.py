"""What the job that analyzes hands to the job that publishes: a folder, in which nothing is trusted.

`bundle.json` is `{"format": "grokfix-bundle/1", "claim": …, "findings": …, "files": {name: SHA-256}}`; beside it
`result.json`, `trace.jsonl`, and where there are any `explanation.json`, `night.jsonl` (reruns and experiments) and
`fix.patch`, which is for people.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from bot.errors import BotError, ConfigError, SandboxError
from bot.flaky import nights
from bot.flaky.redacted import without_secrets
from bot.flaky.types import Night
from bot.ports import JsonValue
from bot.propose.types import StopReason
from bot.publish import fields
from bot.publish.bundle_claims import inconsistency
from bot.result import Result, to_json
from bot.result_file import from_json
from bot.trace.read import read_trace
from bot.trigger import wire
from bot.trigger.types import Claim

FORMAT = "grokfix-bundle/1"
MANIFEST = "bundle.json"
RESULT = "result.json"
TRACE = "trace.jsonl"
EXPLANATION = "explanation.json"
PATCH = "fix.patch"
NIGHT = "night.jsonl"
LARGEST: Mapping[str, int] = {
    MANIFEST: 256 << 10,
    RESULT: 16 << 20,
    TRACE: 64 << 20,
    EXPLANATION: 4 << 20,
    PATCH: 2 << 20,
    NIGHT: nights.LIMIT_BYTES,
}
"""Bytes of each file that are read; a larger one is refused."""

_IDENTITY = ("trigger", "attempt", "diagnosis_only")
"""What makes two claims one: where its comment and check stand, and which run works on it, may change on the way."""
_NEEDED = frozenset({RESULT, TRACE})
_COMMIT = re.compile(r"(?:[0-9a-f]{40})?")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was learnt from CI besides the result. All texts are untrusted.

    tested: commit that was under test, "" where it is the head itself. merged_with: base commit of that merge, "" =
    unknown. merge_only: the failure shows on the merge alone. on_base: a sentence where the base branch fails alike,
    "" = it does not. notes: what else a reader should know.
    """

    tested: str = ""
    merged_with: str = ""
    merge_only: bool = False
    on_base: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """trace: bytes of trace.jsonl, empty where it cannot be shown. explanation: see bot.publish.explain.render_json.

    night: what reruns and experiments showed, for `/grok flaky` and where a flaky test's repair was asked for.
    """

    claim: Claim
    result: Result
    trace: bytes = field(default=b"", repr=False)
    findings: Findings = field(default_factory=Findings)
    explanation: Mapping[str, JsonValue] | None = None
    night: Night | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no bundle that could be published. `message`: a sentence for a person, of untrusted parts."""

    message: str
    reason: StopReason = StopReason.INFRASTRUCTURE


def write(bundle: Bundle, folder: Path) -> None:
    """Fill `folder`, which is made where it is missing; SandboxError where the disk refuses."""
    files = {RESULT: to_json(bundle.result).encode(), TRACE: bundle.trace}
    if bundle.explanation is not None:
        files[EXPLANATION] = (json.dumps(bundle.explanation, indent=2) + "\n").encode()
    if bundle.night is not None:
        files[NIGHT] = nights.dump(bundle.night)
    if bundle.result.patch is not None:
        files[PATCH] = bundle.result.patch.encode()
    manifest: Mapping[str, JsonValue] = {
        "format": FORMAT,
        "claim": wire.claim_data(bundle.claim),
        "findings": dataclasses.asdict(bundle.findings),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii")
    except OSError as error:
        raise SandboxError(f"cannot write the bundle to {folder}: {error.strerror}; free disk space") from error


def read(
    folder: Path, claim: Claim, redact: Callable[[str], str] = lambda text: text, *, clusters: int = 20
) -> Bundle | Refused:
    """The bundle in `folder` if it is whole, is of `claim`, and claims no repair that its own gates do not carry.

    redact: takes secrets out of every text. clusters: most fixes that one run may bring (limits.clusters). The claim of
    the returned bundle is the one given. Nothing is raised for what may be in the folder.
    """
    try:
        return _read(folder, claim, redact, clusters)
    except BotError as error:
        return Refused(str(error))


def _read(folder: Path, claim: Claim, redact: Callable[[str], str], clusters: int) -> Bundle | Refused:
    manifest = _manifest(_bytes(folder / MANIFEST))
    told, ours = manifest["claim"], json.loads(json.dumps(wire.claim_data(claim)))
    if not isinstance(told, dict) or any(told.get(name) != ours[name] for name in _IDENTITY):
        return Refused("the bundle belongs to another claim (attempt, commit or repository differ)")
    contents = _contents(folder, manifest["files"])
    findings = _findings(manifest["findings"])
    try:
        text = contents[RESULT].decode("ascii")
    except UnicodeDecodeError as error:
        raise ConfigError("result.json in the bundle is not ASCII") from error
    result = from_json(text)
    wrong = inconsistency(result, findings.tested, claim, clusters)
    if wrong:
        return Refused(wrong)
    trace = contents[TRACE]
    if result.trace_sha256 != (hashlib.sha256(trace).hexdigest() if trace else ""):
        return Refused("the trace is not the one whose SHA-256 the result gives")
    if trace:
        problems = read_trace(folder / TRACE).problems
        if problems:
            return Refused(f"the trace is damaged: {problems[0]}")
    clean = result.with_texts(redact)
    if any(mine.patch != theirs.patch for mine, theirs in zip(clean.repairs, result.repairs, strict=True)):
        return Refused("a patch holds what looks like a secret")
    # The figures and hashes are checked ones; a secret's look-alike in them must not tear them.
    clean = replace(clean, commit=result.commit, trace_sha256=result.trace_sha256)
    explanation = None
    if EXPLANATION in contents:
        told = contents[EXPLANATION].decode("utf-8", "replace")
        explanation = _object(redact(told), EXPLANATION)
        patch = fields.text(_object(told, EXPLANATION), "patch")  # of new tests; redacted it would be another one
        if not patch == redact(patch) == fields.text(explanation, "patch"):
            return Refused("a patch holds what looks like a secret")
    night = None
    if NIGHT in contents:
        read = nights.load(contents[NIGHT], NIGHT)
        if not isinstance(read, Night):
            return Refused(f"{NIGHT} is not as a triage writes it: {read.why}")
        if read.commit != (findings.tested or claim.trigger.sha):
            return Refused(f"{NIGHT} tells of another commit than the one that was claimed")
        night = without_secrets(read, redact)
    return Bundle(
        claim,
        clean,
        trace if all(_is_clean(line, redact) for line in trace.split(b"\n") if line) else b"",
        replace(findings, on_base=redact(findings.on_base), notes=tuple(map(redact, findings.notes))),
        explanation,
        night,
    )


# --- reading what is not trusted ------------------------------------------------------------------------------------


def _contents(folder: Path, told: JsonValue) -> dict[str, bytes]:
    if not isinstance(told, dict) or not told.keys() <= LARGEST.keys() - {MANIFEST} or not told.keys() >= _NEEDED:
        raise ConfigError(f"{MANIFEST} names other files than a bundle has")
    contents = {name: _bytes(folder / name) for name in told}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != told[name]:
            raise ConfigError(f"{name} in the bundle is not what {MANIFEST} gives the SHA-256 of")
    return contents


def _bytes(path: Path) -> bytes:
    """A regular file within its cap; ConfigError for all else. Non-blocking: a FIFO must not hang the job."""
    largest = LARGEST[path.name]
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"the bundle has no readable file {path.name} ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path.name} in the bundle is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ConfigError(f"{path.name} in the bundle is larger than {largest >> 10:,} KiB")
    return content


def _manifest(content: bytes) -> Mapping[str, JsonValue]:
    data = _object(content.decode("utf-8", "replace"), MANIFEST)
    if data.get("format") != FORMAT or data.keys() != {"format", "claim", "findings", "files"}:
        raise ConfigError(f"{MANIFEST} is not of the format {FORMAT!r}")
    return data


def _object(text: str, name: str) -> Mapping[str, JsonValue]:
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} in the bundle is not JSON") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{name} in the bundle is not a JSON object")
    return data


def _is_clean(line: bytes, redact: Callable[[str], str]) -> bool:
    """Whether an event of the trace, found readable before, holds no secret. Its strings are looked at and not its
    bytes: an escape would hide a secret in those, and make a line of a log run on into the next one."""
    held = "\n".join(fields.strings(json.loads(line)))
    return redact(held) == held


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _findings(data: JsonValue) -> Findings:
    """Every field there, of its type and within bounds."""
    named = {each.name for each in dataclasses.fields(Findings)}
    if not isinstance(data, dict) or data.keys() != named:
        raise ConfigError(f"{MANIFEST}: findings are not as they are written")
    notes, merge_only = data["notes"], data["merge_only"]
    texts = {name: value for name, value in data.items() if isinstance(value, str) and len(value) <= 2_000}
    if (
        not isinstance(merge_only, bool)
        or not isinstance(notes, list)
        or len(notes) > 100
        or texts.keys() != named - {"notes", "merge_only"}
    ):
        raise ConfigError(f"{MANIFEST}: a finding is not of its type, or too long")
    if not all(_COMMIT.fullmatch(texts[name]) for name in ("tested", "merged_with")):
        raise ConfigError(f"{MANIFEST}: a commit in the findings is no hash")
    sentences = tuple(note[:2_000] for note in notes if isinstance(note, str))
    return Findings(**texts, merge_only=merge_only, notes=sentences)
