"""The log of a CI job: steps, commands, exit codes, and the commit that was under test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evidence.ci_log import STEPS, TAIL_LIMIT, checked_out, failed_steps, read_log
from bot.ports import JobStep
from tests.unit.evidence.ci_logs import MERGE, action, checkout, clean_up, sample, script, set_up, stamped

OTHER = "ab" * 20
TESTS = ["pip install -e .", "pytest -q --junitxml=reports/junit.xml"]
STEPS_OF_JOB = (
    JobStep(1, "Set up job", "success"),
    JobStep(2, "Run actions/checkout@v4", "success"),
    JobStep(3, "Python", "success"),
    JobStep(4, "Lint", "success"),
    JobStep(5, "Unit tests", "failure"),
    JobStep(6, "Coverage", "skipped"),
    JobStep(11, "Post Run actions/checkout@v4", "success"),
    JobStep(12, "Complete job", "success"),
)


def job(*, lint: int = 0, colour: bool = True) -> list[str]:
    return [
        *set_up(),
        *checkout(),
        *action(
            "actions/setup-python@v5",
            ["##[group]Installed versions", "Successfully set up CPython (3.12.7)", "##[endgroup]"],
        ),
        *script(["ruff check"], ["app.py:1:1: E501"], lint, colour=colour),
        *script(TESTS, sample("long"), 1, colour=colour),
        *clean_up(),
    ]


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_failing_step(colour: bool, newline: str) -> None:
    log = read_log(stamped(job(colour=colour), newline=newline))
    assert log.problems == ()
    (output,) = failed_steps(log, "test (3.12)", STEPS_OF_JOB)
    assert (output.step.job, output.step.step, output.step.exit_code) == ("test (3.12)", "Unit tests", 1)
    assert output.step.command == "\n".join(TESTS)
    assert output.text.splitlines()[:-1] == sample("long")
    assert output.step.tail.endswith("##[error]Process completed with exit code 1.")
    assert len(output.step.tail) <= TAIL_LIMIT


def test_a_step_that_may_fail_is_left_out() -> None:
    outputs = failed_steps(read_log(stamped(job(lint=2))), "test", STEPS_OF_JOB)
    assert [output.step.step for output in outputs] == ["Unit tests"]


def test_a_step_that_may_fail_after_the_failing_one() -> None:
    lines = [*set_up(), *script(TESTS, ["boom"], 1), *script(["upload"], ["no network"], 3), *clean_up()]
    steps = (JobStep(1, "Set up job", "success"), JobStep(2, "Tests", "failure"), JobStep(3, "Upload", "success"))
    (output,) = failed_steps(read_log(stamped(lines)), "test", steps)
    assert (output.step.step, output.step.exit_code) == ("Tests", 1)


def test_steps_that_do_not_add_up() -> None:
    """A composite action shows headers of its steps: the last failed ones are those that failed."""
    inner = [*action("./.github/actions/test"), *script(["echo hello"], ["hello"])]
    lines = [*set_up(), *checkout(), *inner, *script(["ruff check"], ["E501"], 2), *script(TESTS, ["boom"], 7)]
    steps = (JobStep(2, "Checkout", "success"), JobStep(3, "Test it", "failure"))
    (output,) = failed_steps(read_log(stamped(lines)), "test", steps)
    assert (output.step.step, output.step.exit_code, output.step.command) == ("Test it", 7, "\n".join(TESTS))


def test_without_the_jobs_steps_the_command_names_it() -> None:
    outputs = failed_steps(read_log(stamped(job(lint=2))), "test", ())
    assert [(output.step.step, output.step.exit_code) for output in outputs] == [("ruff check", 2), (TESTS[0], 1)]


@pytest.mark.parametrize(
    ("lines", "command", "exit_code"),
    [
        (action("octo/check@v1", ["##[error]Input required and not supplied: path"]), "octo/check@v1", None),
        (script(["sleep 1d"], ["##[error]The operation was canceled."]), "sleep 1d", None),
        (script(["kill -9 $$"], [], 137), "kill -9 $$", 137),
        (
            [
                "##[group]Run tox",
                "tox",
                "shell: C:\\Program Files\\Git\\bin\\bash.EXE -e {0}",
                "##[endgroup]",
                "##[error]Process completed with exit code -1073741819.",
            ],
            "tox",
            -1073741819,
        ),
    ],
)
def test_how_a_step_ends(lines: list[str], command: str, exit_code: int | None) -> None:
    steps = (JobStep(1, "Set up job", "success"), JobStep(2, "It", "failure"))
    (output,) = failed_steps(read_log(stamped([*set_up(), *lines, *clean_up()])), "job", steps)
    assert (output.step.step, output.step.command, output.step.exit_code) == ("It", command, exit_code)
    assert "Post job" not in output.text


def test_a_group_that_a_test_prints_stays_in_its_step() -> None:
    printed = ["before", "##[group]Run pytest", "inside", "##[endgroup]", "##[error]printed by a test", "after"]
    (output,) = failed_steps(read_log(stamped([*set_up(), *script(TESTS, printed, 1)])), "test", ())
    assert output.text.splitlines() == [*printed, "##[error]Process completed with exit code 1."]


def test_a_log_without_any_header_is_one_step() -> None:
    (output,) = failed_steps(read_log(b"F\n1 failed in 1s\n"), "test", STEPS_OF_JOB)
    assert (output.step.step, output.step.command, output.step.exit_code) == ("Unit tests", "", None)
    assert output.text == "F\n1 failed in 1s\n"


def test_what_was_cut_away_belongs_to_no_step() -> None:
    lines = stamped([*set_up(), *checkout(), *action("actions/setup-python@v5")]).decode()
    tail = stamped([*sample("short_quiet")[-5:], "##[error]Process completed with exit code 1."], mark="").decode()
    log = read_log(f"{lines}\n[… 1000 bytes or more of this log left out …]\n{tail}".encode())
    assert any("head and its tail" in problem for problem in log.problems)
    (output,) = failed_steps(log, "test", STEPS_OF_JOB)
    assert (output.step.step, output.step.command, output.step.exit_code) == ("Unit tests", "", 1)
    assert "Syncing" not in output.text


def test_invalid_utf8_and_endless_lines_are_said() -> None:
    data = stamped(script(TESTS, ["ok"], 1)) + b"\xff\xfe" + b"x" * 3_000_000
    log = read_log(data)
    assert any("not UTF-8" in problem for problem in log.problems)
    assert any("1 line is longer" in problem for problem in log.problems)
    assert sum(len(line) for section in log.sections for line in section.lines) < 50_000


def test_a_hundred_failing_steps_are_bounded() -> None:
    log = read_log(stamped([line for number in range(100) for line in script([f"run {number}"], [], 1)]))
    outputs = failed_steps(log, "test", ())
    assert len(outputs) == STEPS
    assert outputs[-1].step.command == "run 99"


# --- the commit under test ------------------------------------------------------------------------------------------


def commit_of(*lines: list[str]) -> str:
    return checked_out(read_log(stamped([line for part in lines for line in part])), "octo/shop")


@pytest.mark.parametrize("quoted", [True, False])
def test_the_merge_is_read_from_the_checkout(quoted: bool) -> None:
    assert commit_of(set_up(), checkout(quoted=quoted), script(TESTS, ["boom"], 1)) == MERGE


def test_where_the_checkout_does_not_tell_the_fetch_does() -> None:
    assert commit_of([line for line in checkout() if "log -1" not in line and line != MERGE]) == MERGE
    assert commit_of(checkout(OTHER, ref="origin/main")) == OTHER


def test_debug_lines_are_passed_over() -> None:
    lines = [line for line in checkout() if " fetch " not in line]
    assert commit_of([*lines[:-1], "##[debug]exec tool: /usr/bin/git", lines[-1]]) == MERGE


@pytest.mark.parametrize(
    "lines",
    [
        [],
        checkout(repository="octo/other"),
        checkout(told=OTHER),  # "HEAD is now at" says another one
        [line for line in checkout() if MERGE not in line],
        [line.replace(MERGE, MERGE[:39]) for line in checkout()],
        [line.replace(MERGE, MERGE.upper()) for line in checkout()],
        [*checkout(), "[command]/usr/bin/git log -1 --format=%H", OTHER],
    ],
)
def test_a_checkout_that_does_not_tell_or_contradicts_itself(lines: list[str]) -> None:
    assert commit_of(set_up(), lines, script(TESTS, ["boom"], 1)) == ""


def test_what_the_code_under_test_prints_is_no_checkout() -> None:
    assert commit_of(set_up(), checkout(), script(TESTS, checkout(OTHER), 1)) == MERGE
    assert commit_of(set_up(), script(TESTS, ["[command]/usr/bin/git log -1 --format=%H", OTHER], 1)) == ""


def test_the_first_checkout_of_this_repository_counts() -> None:
    assert commit_of(checkout(OTHER, repository="octo/tools"), checkout(), checkout(OTHER)) == MERGE


MARKS = [
    "##[group]Run ",
    "##[group]Run a/b@c",
    "##[endgroup]",
    "shell: sh",
    "##[error]",
    "Post job cleanup.",
    "\ufeff",
    "\x1b[36m",
    "\r",
]


@given(st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=30)), max_size=60), st.binary(max_size=50))
def test_no_log_makes_it_raise(lines: list[str], rest: bytes) -> None:
    log = read_log("\n".join(lines).encode("utf-8", "surrogatepass") + rest)
    outputs = failed_steps(log, "job", STEPS_OF_JOB)
    assert outputs
    assert checked_out(log, "octo/shop") == ""
