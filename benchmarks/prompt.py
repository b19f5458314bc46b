"""What a conversation with the model costs beside what the model must say: bytes sent again, tokens, seconds a turn.

    python benchmarks/prompt.py [prefix] [first] [loop] [--container] [--mini PYTHON] [--runs 5]

Replies are scripted (tests/model_server.py), everything else is real: `grokfix repair` in the process sandbox, the
SDK, HTTP on loopback.

prefix: of each request of a whole repair, the share that is a byte-identical beginning of the next one.
first: tokens of the first request on real libraries (libraries.py) beside two baselines, with the same estimate.
loop: seconds from the end of one reply to the next request's arrival, beside mini-swe-agent whose scripted replies do
the same with bash; it is installed into a virtual environment of its own unless PYTHON has it. The floor is a loop of
SDK calls that does nothing at all. With --container both run their commands in one image. Exit status 1
where a goal is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from libraries import BUGS, Bug, prepare  # noqa: E402

from tests import repositories  # noqa: E402
from tests.e2e.test_model import CODEC, FIX, KEY, NEW_TEST, WRONG  # noqa: E402
from tests.model_server import ModelServer, Reply, Request, call, calls, submit  # noqa: E402

GOAL_PREFIX = 0.95
GOAL_LOOP = 0.5
BYTES_PER_TOKEN = 3
PEER = "mini-swe-agent==2.4.6"
LIBRARIES = tuple({bug.package: bug for bug in reversed(BUGS)}.values())[::-1]
"""One bug of each library."""

DRIVER = """\
import sys
from pathlib import Path

import yaml
from minisweagent import package_dir
from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.docker import DockerEnvironment
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.litellm_model import LitellmModel

url, folder, trajectory, image = sys.argv[1:]
config = yaml.safe_load((package_dir / "config" / "mini.yaml").read_text())
del config["agent"]["mode"]
endpoint = {"api_base": url, "api_key": "sk-scripted", "max_retries": 0}
config["model"]["model_kwargs"] |= endpoint
model = LitellmModel(model_name="openai/scripted", cost_tracking="ignore_errors", **config["model"])
if image:
    volume = ["--rm", "-v", folder + ":/project"]
    environment = DockerEnvironment(image=image, cwd="/project", run_args=volume, **config["environment"])
else:
    environment = LocalEnvironment(cwd=folder, **config["environment"])
agent = DefaultAgent(model, environment, output_path=Path(trajectory), **config["agent"])
agent.run("test_codec.py::test_encode fails")
if image:
    environment.cleanup()
"""


class Timed(ModelServer):
    """Notes when each request had come and when its reply had gone, seconds of one clock."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.came: list[float] = []
        self.went: list[float] = []
        super().__init__(replies, keeps=True)  # as endpoints do

    @property
    def gaps(self) -> list[float]:
        """Seconds from a reply's end to the next request: what the program did in between."""
        return [later - earlier for earlier, later in zip(self.went, self.came[1:], strict=False)]

    def take(self, request: Request) -> Reply:
        self.came.append(time.perf_counter())
        return super().take(request)

    def _handler(self) -> Any:
        server = self

        class Handler(super()._handler()):  # type: ignore[misc]
            def answer(self, reply: Reply) -> None:
                super().answer(reply)
                server.went.append(time.perf_counter())

        return Handler


def repair(root: Path, out: Path, server: ModelServer, *more: str, sandbox: str = "process") -> dict[str, Any]:
    """`grokfix repair` with the model alone; its result."""
    argv = [
        *(sys.executable, "-m", "bot", "repair", str(root), "--engine", "model", "--sandbox", sandbox),
        *("--base-url", server.base_url, "--model", "scripted", "--output", str(out), *more),
    ]
    environment = {**os.environ, "XAI_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if not (out / "result.json").exists():
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    loaded: dict[str, Any] = json.loads((out / "result.json").read_text())
    return loaded


def prompt_of(body: Any) -> bytes:
    """What of a request a model reads, in the order in which templates have it: tools, then the messages as sent."""
    parts = [*body.get("tools", ()), *body["messages"]]
    return b"".join(json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for part in parts)


def shared(one: bytes, other: bytes) -> int:
    """Bytes that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


# --- prefix ----------------------------------------------------------------------------------------------------------

LOOKS = (
    ("list_files", {}),
    ("search_code", {"pattern": "def encode"}),
    ("read_file", {"path": "rotation.py"}),
    ("read_file", {"path": "test_codec.py"}),
    ("outline", {"path": "rotation.py"}),
    ("git_log", {}),
)
TEST = {"path": NEW_TEST[0], "source": NEW_TEST[1], "explanation": "fails without the fix"}


def whole_repair() -> list[Reply]:
    """Looks, drafts, submits what is wrong, hears it, and repairs: thirteen requests."""
    return [
        *(call(name, given, id=f"look_{at}", reasoning="I look.") for at, (name, given) in enumerate(LOOKS)),
        call("try_patch", {"patch": WRONG, "new_test": TEST}, id="draft"),
        call("run_tests", {"ids": ["test_codec.py"]}, id="run"),
        submit("rotation is missing", WRONG, NEW_TEST, id="wrong"),
        calls([("read_file", {"path": "rotation.py"}), ("search_code", {"pattern": "encode"})], ids=["a", "b"]),
        call("try_patch", {"patch": FIX, "new_test": TEST}, id="better"),
        call("run_tests", {"ids": ["test_codec.py"]}, id="again"),
        submit("rotation by thirteen was never written", FIX, NEW_TEST, id="right"),
    ]


def stale_repair() -> list[Reply]:
    """Three wrong patches that come no nearer, so that a fresh conversation begins; it repairs."""
    wrong = [FIX.replace("+ 13) % 26", f"+ {turn}) % 26") for turn in (12, 11, 10)]
    return [
        *(submit(f"guess {at}", patch, NEW_TEST, id=f"guess_{at}") for at, patch in enumerate(wrong)),
        submit("rotation by thirteen was never written", FIX, NEW_TEST, id="right"),
    ]


def prefix(_: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as name:
        root = repositories.make(Path(name) / "codec", CODEC)
        talks = []
        for number, script in enumerate((whole_repair(), whole_repair(), stale_repair())):
            with ModelServer(script) as server:
                result = repair(root, Path(name) / f"out-{number}", server)
                assert result["outcome"] == "repaired", result
            assert len(server.requests) == len(script), f"{len(server.requests)} requests instead of {len(script)}"
            talks.append([prompt_of(request.body) for request in server.requests])
    first, again, stale = talks
    kept = [shared(one, other) / len(one) for one, other in itertools.pairwise(first)]
    sent_before = [shared(one, other) / len(other) for one, other in itertools.pairwise(first)]
    *_, last, fresh = stale
    print(f"| a whole repair, {len(first)} requests, {len(first[0])} to {len(first[-1])} bytes | smallest | median |")
    print("| --- | ---: | ---: |")
    print(f"| of a request, a byte-identical beginning of the next | {min(kept):.1%} | {statistics.median(kept):.1%} |")
    median = statistics.median(sent_before)
    print(f"| of a request, sent before (what a cache can hold) | {min(sent_before):.1%} | {median:.1%} |")
    same = shared(first[0], again[0]) / len(first[0])
    print(f"| of the first request, the same in a second run on this commit | {same:.1%} | |")
    print(f"| of a fresh conversation's first request, sent before | {shared(last, fresh) / len(fresh):.1%} | |\n")
    return min(kept) >= GOAL_PREFIX


# --- first request ---------------------------------------------------------------------------------------------------


def tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def first_of(bug: Bug) -> str:
    with tempfile.TemporaryDirectory() as name:
        root = prepare(bug, Path(name))
        surrender = call("give_up", {"reason": "it is only counted", "kind": "needs_human"})
        with ModelServer([surrender] * 5) as server:
            result = repair(root, Path(name) / "out", server, "--max-minutes", "10")
        if not server.requests:
            raise SystemExit(f"{bug.package}: no request was made: {result['outcome']}, {result['message']}")
        body = server.requests[0].body
        tests = {root / test.partition("::")[0] for test in result["repairs"][0]["targets"]}
        sources = run_git(root, "ls-files", "-z", "*.py").split("\0")[:-1]
        every = sum((root / source).stat().st_size for source in sources)
        whole = sum(path.stat().st_size for path in tests | {root / bug.path})
    ours = len(prompt_of(body))
    opening = len(body["messages"][1]["content"].encode())
    return (
        f"| {bug.package} {bug.version} | {len(sources)} | {tokens(ours):,} | {tokens(opening):,} | {tokens(whole):,} "
        f"| {tokens(every):,} | {ours / whole:.2f}× | {ours / every:.3f}× |"
    )


def run_git(root: Path, *arguments: str) -> str:
    return subprocess.run(("git", *arguments), cwd=root, check=True, capture_output=True, text=True).stdout


def first(_: argparse.Namespace) -> bool:
    print("| library | Python files | first request | of it, this failure | whole files | whole repository | | |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for bug in LIBRARIES:
        print(first_of(bug), flush=True)
    print()
    return True


# --- loop ------------------------------------------------------------------------------------------------------------

TURNS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("list_files", {}, "ls -R"),
    ("search_code", {"pattern": "def encode"}, "grep -rn 'def encode' --include='*.py' ."),
    ("read_file", {"path": "rotation.py"}, "nl -ba rotation.py"),
    ("read_file", {"path": "test_codec.py"}, "nl -ba test_codec.py"),
    ("search_code", {"pattern": "shout"}, "grep -rn shout --include='*.py' ."),
    ("git_log", {}, "git log -n 10"),
    ("find_references", {"name": "encode"}, "grep -rnw encode --include='*.py' ."),
    ("read_file", {"path": "rotation.py", "first": 4, "last": 6}, "sed -n 4,6p rotation.py"),
    ("try_patch", {"patch": WRONG}, "printf '%s' '{patch}' | git apply"),
    ("run_tests", {"ids": ["test_codec.py"]}, "{python} -m pytest -q -p no:cacheprovider test_codec.py"),
    ("run_tests", {"ids": ["test_codec.py"]}, "{python} -m pytest -q -p no:cacheprovider test_codec.py"),
)
"""(tool, arguments, what mini-swe-agent does with bash instead)."""


BASE = "python:3.13-slim"
IMAGE = "grokfix-benchmark-loop"
DOCKERFILE = f"""\
FROM {BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends git && python3 -m pip install --quiet pytest
"""


def build() -> None:
    """The base image with git and pytest, which the turns that edit and run need."""
    argv = ("docker", "build", "--quiet", "--network", "host", "--tag", IMAGE, "-")
    subprocess.run(argv, input=DOCKERFILE, check=True, capture_output=True, text=True)


@dataclass(frozen=True)
class Gaps:
    """Seconds of turns: those that look or edit, and those that run tests."""

    looking: list[float]
    testing: list[float]

    def __add__(self, other: Gaps) -> Gaps:
        return Gaps(self.looking + other.looking, self.testing + other.testing)


def split(gaps: list[float]) -> Gaps:
    named = [(name == "run_tests", gap) for (name, _, _), gap in zip(TURNS, gaps, strict=True)]
    return Gaps([gap for tests, gap in named if not tests], [gap for tests, gap in named if tests])


def our_turns(root: Path, out: Path, image: str) -> Gaps:
    script = [call(name, given, id=f"turn_{at}") for at, (name, given, _) in enumerate(TURNS)]
    with Timed([*script, submit("rotation was never written", FIX, NEW_TEST, id="end")]) as server:
        config = root.parent / "grokfix.yml"
        config.write_text(f"version: 1\nsuites:\n  - image: {IMAGE}\n")
        result = repair(root, out, server, "--config", str(config), sandbox="docker" if image else "process")
    assert result["outcome"] == "repaired", result
    refused = [text for text in server.requests[-1].results.values() if text.startswith("The call of")]
    assert not refused, refused
    return split(server.gaps)


def their_turns(python: Path, root: Path, scratch: Path, image: str) -> Gaps:
    interpreter = "python3" if image else sys.executable
    commands = [line.replace("{python}", interpreter).replace("{patch}", WRONG) for _, _, line in TURNS]
    commands.append("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")
    script = [
        call("bash", {"command": command}, id=f"turn_{at}", text="On.", streamed=False)
        for at, command in enumerate(commands)
    ]
    environment = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nothing is fetched
        "MSWEA_GLOBAL_CONFIG_DIR": str(scratch),
        "MSWEA_SILENT_STARTUP": "1",
    }
    with Timed(script) as server:
        argv = (str(python), "-c", DRIVER, server.base_url, str(root), str(scratch / "trajectory.json"), image)
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mini-swe-agent ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    failed = [text for text in server.requests[-1].results.values() if not re.search(r'"returncode": [01],', text)]
    assert not failed, failed
    return split(server.gaps)


def bare_turns() -> list[float]:
    """The SDK and nothing else."""
    from openai import OpenAI

    messages: list[Any] = [{"role": "user", "content": "Go on."}]
    script = [call(name, given, id=f"turn_{at}") for at, (name, given, _) in enumerate(TURNS)]
    with Timed([*script, script[-1]]) as server, OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        for _ in range(len(TURNS) + 1):
            for _chunk in client.chat.completions.create(model="scripted", messages=messages, stream=True):
                pass
            messages.append({"role": "user", "content": "Go on."})
    return server.gaps


def bare_tests(root: Path) -> float:
    began = time.perf_counter()
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_codec.py")
    subprocess.run(argv, cwd=root, capture_output=True, check=False)
    return time.perf_counter() - began


def peer(folder: Path) -> Path:
    """A Python that has mini-swe-agent."""
    subprocess.run((sys.executable, "-m", "venv", str(folder)), check=True)
    python = folder / "bin/python"
    subprocess.run((str(python), "-m", "pip", "install", "--quiet", PEER), check=True)
    return python


def loop(options: argparse.Namespace) -> bool:
    ours, theirs = Gaps([], []), Gaps([], [])
    image = IMAGE if options.container else ""
    bare: list[float] = []
    tests: list[float] = []
    if image:
        build()
    with tempfile.TemporaryDirectory() as name:
        python = options.mini or peer(Path(name) / "peer")
        for number in range(options.runs):  # in turns, so that a noisy neighbour meets all
            folder = Path(name) / str(number)
            root = repositories.make(folder / "codec", CODEC)
            ours += our_turns(root, folder / "out", image)
            bare += bare_turns()
            tests += [] if image else [bare_tests(root) for _ in range(2)]
            (folder / "peer").mkdir()
            theirs += their_turns(python, root, folder / "peer", image)
    print(f"| seconds a turn, medians of {options.runs} conversations | grokfix | mini-swe-agent | ratio | floor |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(row("looks or edits; floor: the SDK in a bare loop", ours.looking, theirs.looking, bare))
    alone = "floor: the same command alone" if tests else "floor: not measured in a container"
    print(row(f"runs the tests, these included; {alone}", ours.testing, theirs.testing, tests))
    return statistics.median(ours.looking) <= GOAL_LOOP * statistics.median(theirs.looking)


def row(what: str, ours: list[float], theirs: list[float], floor: list[float]) -> str:
    low, high = statistics.median(ours), statistics.median(theirs)
    least = f"{statistics.median(floor):.3f}" if floor else "—"
    return f"| {what} | {low:.3f} | {high:.3f} | {low / high:.2f}× | {least} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"prefix": prefix, "first": first, "loop": loop}
    parser.add_argument("parts", nargs="*", metavar="PART", help="prefix, first, loop; default: all")
    parser.add_argument("--mini", type=Path, metavar="PYTHON", help="an interpreter that has mini-swe-agent")
    parser.add_argument("--container", action="store_true", help=f"loop: commands run in {BASE} with git and pytest")
    parser.add_argument("--runs", type=int, default=5, help="conversations each")
    options = parser.parse_args()
    wanted = options.parts or list(parts)
    if unknown := [name for name in wanted if name not in parts]:
        parser.error(f"there is no part {unknown[0]!r}: {', '.join(parts)}")
    met = [parts[name](options) for name in wanted]
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
