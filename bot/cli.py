"""The command line: parse, run the command, map what happened to an exit status.

0 repaired or nothing failing · 1 an honest stop · 2 usage or configuration · 3 infrastructure · 130 interrupted.
Nothing heavy is imported here: every command imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import traceback
from collections.abc import Callable, Sequence

from bot import __version__
from bot.errors import BotError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        command = importlib.import_module(f"bot.commands.{options.command}")
        return int(command.execute(options))
    except BotError as error:
        print(f"grokfix: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("grokfix: interrupted; everything was cleaned up", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing is left to say, and nobody to say it to
        return 1
    except Exception:
        traceback.print_exc()
        print(
            f"grokfix {__version__}: this is a defect of grokfix, not of your project; please report the lines above",
            file=sys.stderr,
        )
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grokfix",
        description="Repairs failing tests: reproduces them in a sandbox, finds the cause, patches it, proves it.",
        epilog="exit status: 0 repaired or nothing failing, 1 honest stop, 2 usage, 3 infrastructure, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"grokfix {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _repair(commands.add_parser("repair", help="repair the failing tests of a checkout"))
    _demo(commands.add_parser("demo", help="repair a bundled project with a real bug; no key and no Docker needed"))
    _explain(commands.add_parser("explain", help="say what failed, where and why; no patch"))
    _report(
        commands.add_parser("report", help="read JUnit XML and console output: totals, failures, faults of the files")
    )
    _triage(commands.add_parser("triage", help="find flaky tests, prove why they are, say what they cost"))
    _testgen(commands.add_parser("testgen", help="write tests for changed functions that no test reaches"))
    _replay(commands.add_parser("replay", help="the same run again from its trace, no model called; say what differs"))
    _trace(commands.add_parser("trace", help="render a trace as one self-contained page"))
    _init(commands.add_parser("init", help="write grokfix's workflow and settings into a repository"))
    _doctor(commands.add_parser("doctor", help="say what a repository lacks for grokfix on GitHub, and what to do"))
    _action(commands.add_parser("action", help="entry point inside GitHub Actions; not for people"))
    return parser


def _repair(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Repairs the failing tests of a checkout. Without --junit or --log the suite is run to see what fails."
    )
    _target(parser)
    _evidence(parser)
    parser.add_argument(
        "--engine", choices=("auto", "model", "search"), help="auto: search first, then the model if there is a key"
    )
    parser.add_argument("--model", metavar="NAME", help="model to ask for")
    parser.add_argument("--base-url", metavar="URL", help="OpenAI-compatible endpoint")
    parser.add_argument("--max-attempts", type=_count, metavar="N", help="proposals judged per repair (default 5)")
    parser.add_argument("--max-cost", type=_amount, metavar="USD", help="money for the model (default 1.00)")
    parser.add_argument(
        "--candidates", type=_count, metavar="N", help="conversations that look side by side; the smallest fix wins"
    )
    parser.add_argument("--hint", default="", metavar="TEXT", help="what you suspect; goes to the model")
    parser.add_argument("--output", metavar="DIR", help="new folder for the results (default: below .grokfix/runs)")
    parser.add_argument("--apply", action="store_true", help="apply the repair to the work tree")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.description = "Copies a small project with a real bug to a new folder and repairs it there."
    parser.add_argument(
        "--output", metavar="DIR", help="new folder for the project and the results (default: a temporary one)"
    )
    parser.add_argument(
        "--sandbox", choices=("process", "docker"), default="process", help="default: process; the code is our own"
    )
    parser.add_argument("--replay", action="store_true", help="let a model repair it, whose replies were recorded")
    parser.add_argument("--verbose", action="store_true", help="show every run")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.description = "Reproduces the failing tests and ranks where the fault probably is."
    _target(parser)
    _evidence(parser)
    _format(parser)


def _report(parser: argparse.ArgumentParser) -> None:
    parser.description = "Reads test reports: JUnit XML or pytest's console output, told apart by content."
    parser.add_argument("files", nargs="+", metavar="FILE", help="report, or a glob; - is standard input")
    _format(parser)


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Does a recorded run again at its commit: tests run for real, the model's replies come from the trace. "
        "Where the two runs part, it says at which step."
    )
    parser.add_argument("trace", metavar="TRACE", help="trace.jsonl of a run")
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="checkout that has the run's commit")
    parser.add_argument("--config", metavar="FILE", help="settings (default: .github/grokfix.yml of the checkout)")
    parser.add_argument(
        "--sandbox", choices=("auto", "docker", "process"), help="where tests run; process is no isolation"
    )
    parser.add_argument("--output", metavar="DIR", help="new folder for the replay's own results (default: none kept)")
    parser.add_argument("--verbose", action="store_true", help="show every run")
    _format(parser)


def _trace(parser: argparse.ArgumentParser) -> None:
    parser.description = "Checks a trace's hash chain and renders it."
    parser.add_argument("trace", metavar="TRACE", help="trace.jsonl of a run")
    parser.add_argument("--html", required=True, metavar="FILE", help="page to write")


def _init(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes .github/workflows/grokfix.yml and a commented .github/grokfix.yml; with --mode step shows the step to "
        "add to your own workflow. With GITHUB_TOKEN or GH_TOKEN set, grokfix is pinned by commit instead of by tag."
    )
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="checkout (default: this folder)")
    parser.add_argument(
        "--mode", choices=("step", "one-job", "three-jobs"), help="asked on a terminal, else three-jobs"
    )
    parser.add_argument(
        "--workflow", action="append", default=[], metavar="NAME", help="workflow to follow (default: those with tests)"
    )
    parser.add_argument(
        "--triage",
        action="store_true",
        help="write .github/workflows/grokfix-triage.yml instead: flaky tests, every night",
    )
    parser.add_argument(
        "--shards",
        type=_count,
        metavar="N",
        help="with --triage: jobs that share a night's runs (default: 2, at most 20)",
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing, take the defaults")
    parser.add_argument("--force", action="store_true", help="replace a workflow of grokfix's that is there")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Checks a repository's set-up for grokfix on GitHub: files, settings, token, key, Docker. Changes nothing. "
        "What the code host alone knows is asked with GITHUB_TOKEN or GH_TOKEN."
    )
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="checkout (default: this folder)")
    parser.add_argument(
        "--repository", default="", metavar="OWNER/NAME", help="default: GITHUB_REPOSITORY, else the remote origin"
    )
    parser.add_argument("--probe", action="store_true", help="ask the model for a word, which costs a few tokens")
    _format(parser)


def _action(parser: argparse.ArgumentParser) -> None:
    parser.description = "Runs as a step of GitHub Actions. Its inputs are those of action.yml, from the environment."


def _triage(parser: argparse.ArgumentParser) -> None:
    parser.usage = "grokfix triage [PATH] [TEST…] [option…]\n       grokfix triage merge DIR… [--output DIR] [--of N]"
    parser.description = (
        "Runs the tests again and again, in the recorded and in random orders, until it is known which are flaky; then "
        "proves by experiment what makes each of them fail. `merge` puts together what the shards of one session found."
    )
    parser.add_argument(
        "path", nargs="?", default=".", metavar="PATH", help="checkout (default: this folder), or the word merge"
    )
    parser.add_argument("tests", nargs="*", metavar="TEST", help="only these tests; after merge: folders of shards")
    parser.add_argument("--runs", type=_count, metavar="N", help="most test runs of the session (default 400)")
    parser.add_argument(
        "--history",
        nargs="+",
        default=[],
        metavar="FILE",
        help="earlier runs: JUnit XML, night.jsonl of earlier sessions, or one NAME.db that is kept and added to",
    )
    parser.add_argument("--good", default="", metavar="REV", help="revision at which all was green: dates regressions")
    parser.add_argument("--shard", metavar="I/N", help="do part I of N; the parts are put together by merge")
    parser.add_argument("--session", default="", metavar="NAME", help="what the shards of one session share")
    parser.add_argument("--fix", action="store_true", help="repair the tests whose cause was proven (below DIR/fix)")
    parser.add_argument("--of", type=_count, metavar="N", help="merge: how many shards there were")
    parser.add_argument("--output", metavar="DIR", help="new folder for the results (default: below .grokfix/runs)")
    _checkout(parser, minutes=60)
    _format(parser)


def _testgen(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Finds the functions that a change adds or alters and that no test reaches, writes tests for them, and keeps "
        "those that pass every time and were seen to fail when the function is changed. Without a key the tests record "
        "what the code does today."
    )
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="checkout (default: this folder)")
    parser.add_argument("--since", required=True, metavar="REV", help="commit, branch or tag before the change")
    parser.add_argument(
        "--engine", choices=("auto", "model", "search"), help="auto: the model if there is a key, then plain calls"
    )
    parser.add_argument("--model", metavar="NAME", help="model to ask for")
    parser.add_argument("--base-url", metavar="URL", help="OpenAI-compatible endpoint")
    parser.add_argument("--max-cost", type=_amount, metavar="USD", help="money for the model (default 1.00)")
    parser.add_argument("--output", metavar="DIR", help="new folder for the results (default: below .grokfix/runs)")
    parser.add_argument("--apply", action="store_true", help="write the new test files into the work tree")
    _checkout(parser)
    _format(parser)


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="checkout (default: this folder)")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="node ids, files or names of tests to look at")
    _checkout(parser)


def _checkout(parser: argparse.ArgumentParser, *, minutes: int = 30) -> None:
    parser.add_argument("--config", metavar="FILE", help="settings (default: .github/grokfix.yml of the checkout)")
    parser.add_argument(
        "--sandbox", choices=("auto", "docker", "process"), help="where tests run; process is no isolation"
    )
    parser.add_argument(
        "--test-command", metavar="COMMAND", help='how tests are run, e.g. "python -m pytest tests/unit"'
    )
    parser.add_argument(
        "--max-minutes", type=_amount_above_zero, metavar="M", help=f"wall-clock limit (default {minutes})"
    )
    parser.add_argument(
        "--allow-dirty", action="store_true", help="take uncommitted changes along; they are never touched"
    )
    parser.add_argument("--verbose", action="store_true", help="show every run")


def _evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--junit", nargs="+", default=[], metavar="GLOB", help="JUnit XML files of the failed run")
    parser.add_argument("--log", metavar="FILE", help="pytest's console output of the failed run; - is standard input")
    parser.add_argument("--good", default="", metavar="REV", help="revision at which all was green")


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def _count(text: str) -> int:
    return int(_number(text, lambda value: value >= 1 and value == int(value), "a whole number from 1"))


def _amount(text: str) -> float:
    return _number(text, lambda value: value >= 0, "a number from 0")


def _amount_above_zero(text: str) -> float:
    return _number(text, lambda value: value > 0, "a number above 0")


def _number(text: str, allowed: Callable[[float], bool], expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and allowed(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value
