"""Evidence from a CI run: artifacts and logs of a code host, hostile ones included (SECURITY cases 13 to 22)."""

from __future__ import annotations

import io
import stat
import tracemalloc
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.evidence import ci
from bot.evidence.ci import Budget, CiEvidence, collect
from bot.evidence.types import Outcome, TestId
from bot.ports import JobStep, WorkflowJob, WorkflowRun
from tests.fake_forge import FakeForge
from tests.unit.evidence.ci_logs import HEAD, MERGE, action, checkout, clean_up, sample, script, set_up, stamped

GLOBS = ("*junit*", "*test*")
STEPS = (
    JobStep(1, "Set up job", "success"),
    JobStep(2, "Run actions/checkout@v4", "success"),
    JobStep(3, "Run actions/setup-python@v5", "success"),
    JobStep(4, "Unit tests", "failure"),
    JobStep(9, "Complete job", "success"),
)


@pytest.fixture
def forge() -> FakeForge:
    return FakeForge()


@pytest.fixture
def run(forge: FakeForge) -> WorkflowRun:
    return forge.add_run(forge.push("main", {"app.py": "a = 1\n"}))


def case(name: str, *, failure: str = "", text: str = "", extra: str = "") -> str:
    inner = f'<failure message="{failure}">{text or f"E   {failure}"}</failure>' if failure else ""
    return f'<testcase classname="tests.test_cart" file="tests/test_cart.py" name="{name}">{inner}{extra}</testcase>'


def report(*cases: str) -> bytes:
    return f'<testsuite name="pytest" tests="{len(cases)}">{"".join(cases)}</testsuite>'.encode()


def cart(name: str) -> TestId:
    return TestId("tests/test_cart.py", "tests.test_cart", name)


def log(*output: str, commit: str = MERGE, exit_code: int = 1) -> bytes:
    return stamped(
        [
            *set_up(),
            *checkout(commit),
            *action("actions/setup-python@v5"),
            *script(["pytest -q"], output, exit_code),
            *clean_up(),
        ]
    )


def summary(*names: str) -> list[str]:
    """The end of a quiet pytest run without tracebacks."""
    lines = [f"FAILED tests/test_cart.py::{name} - ValueError: by the log" for name in names]
    return ["=========== short test summary info ============", *lines, f"{len(names)} failed, 3 passed in 0.10s"]


def add_job(forge: FakeForge, run: WorkflowRun, name: str, *output: str, commit: str = MERGE) -> WorkflowJob:
    return forge.add_job(run, name, log=log(*output, commit=commit), steps=STEPS)


def failing(evidence: CiEvidence) -> dict[str, str]:
    return {each.id.node_id: each.message for each in evidence.report.failures()}


def said(evidence: CiEvidence) -> str:
    return "\n".join(f"{each.source}: {each.message}" for each in evidence.problems)


# --- both sources ---------------------------------------------------------------------------------------------------


def test_artifact_and_log_together(forge: FakeForge, run: WorkflowRun) -> None:
    add_job(forge, run, "test", *summary("test_a", "test_b"))
    forge.add_artifact(run, "junit", {"out/junit.xml": report(case("test_a", failure="KeyError: 1"), case("test_ok"))})
    evidence = collect(forge, run, GLOBS)
    assert failing(evidence) == {
        "tests/test_cart.py::test_a": "KeyError: 1",  # the artifact's word
        "tests/test_cart.py::test_b": "ValueError: by the log",
    }
    assert evidence.tests == 3
    assert evidence.tested_sha == MERGE
    (step,) = evidence.steps
    assert (step.job, step.step, step.command, step.exit_code) == ("test", "Unit tests", "pytest -q", 1)
    assert "by the log" in step.tail
    assert evidence.variants == {cart("test_a"): ("test",), cart("test_b"): ("test",)}
    assert evidence.problems == ()
    assert [call.method for call in forge.calls] == ["jobs", "artifacts", "download", "job_log"]


def test_real_output_is_read_with_its_tracebacks(forge: FakeForge, run: WorkflowRun) -> None:
    add_job(forge, run, "test", *sample("long"))
    evidence = collect(forge, run, GLOBS)
    assert len(evidence.report.failures()) == 14
    assert all(each.traceback for each in evidence.report.failures())


def test_matrix_variants_from_logs_and_from_the_names_of_artifacts(forge: FakeForge, run: WorkflowRun) -> None:
    old, new = "test (3.11, ubuntu-latest)", "test (3.12, ubuntu-latest)"
    add_job(forge, run, old, *summary("test_both"))
    add_job(forge, run, new, *summary("test_both"))
    forge.add_job(run, "test (3.13, ubuntu-latest)", conclusion="success")
    both, only = case("test_both", failure="A: 1"), case("test_new", failure="B: 2")
    forge.add_artifact(run, "junit-py3.11-ubuntu-latest", {"junit.xml": report(both)})
    forge.add_artifact(run, "junit-py3.12-ubuntu-latest", {"junit.xml": report(both, only)})
    passed = forge.add_artifact(run, "junit-py3.13-ubuntu-latest", {"junit.xml": report(case("test_both"))})
    evidence = collect(forge, run, GLOBS)
    assert evidence.variants == {cart("test_both"): (old, new), cart("test_new"): (new,)}
    assert failing(evidence) == {"tests/test_cart.py::test_both": "A: 1", "tests/test_cart.py::test_new": "B: 2"}
    downloaded = [call.arguments[0] for call in forge.calls if call.method == "download"]
    assert passed not in downloaded  # a job that passed has nothing to tell
    assert len(evidence.steps) == 2


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [
        ("junit-3.12-ubuntu-latest", "test (3.12, ubuntu-latest)"),
        ("JUnit_Python3.12_Ubuntu-Latest", "test (3.12, ubuntu-latest)"),
        ("junit-3.1-ubuntu-latest", None),
        ("junit-3.12", None),
        ("junit", None),
        ("test", None),
        ("junit-3.9", None),  # two jobs have that value
        ("junit-3.12-windows-latest", "test (3.12, windows-latest)"),
        ("junit-3.12-ubuntu-latest-slow", "test (3.12, ubuntu-latest, slow)"),
    ],
)
def test_the_job_an_artifact_is_named_after(
    artifact: str, expected: str | None, forge: FakeForge, run: WorkflowRun
) -> None:
    for name in (
        "test",
        "lint",
        "test (3.12, ubuntu-latest)",
        "test (3.12, windows-latest)",
        "test (3.12, ubuntu-latest, slow)",
        "test (3.9)",
        "lint (3.9)",
    ):
        forge.add_job(run, name)
    forge.add_artifact(run, artifact, {"junit.xml": report(case("test_a", failure="A"))})
    variants = collect(forge, run, GLOBS).variants
    assert variants == ({} if expected is None else {cart("test_a"): (expected,)})


def test_ids_of_the_log_are_found_under_the_artifacts_names(forge: FakeForge, run: WorkflowRun) -> None:
    """The artifact comes from another root folder and has no `file` attributes."""
    add_job(forge, run, "test", *summary("test_a"))
    xml = b'<testsuite tests="1"><testcase classname="shop.tests.test_cart" name="test_a"><failure message="K: 1"/></testcase></testsuite>'
    forge.add_artifact(run, "junit", {"junit.xml": xml})
    evidence = collect(forge, run, GLOBS)
    (found,) = evidence.report.failures()
    assert found.id == TestId("", "shop.tests.test_cart", "test_a")
    assert evidence.variants == {found.id: ("test",)}


def test_flaky_cases_are_kept_and_are_no_failure(forge: FakeForge, run: WorkflowRun) -> None:
    flaky = case("test_a", extra='<flakyFailure message="once"/>')
    forge.add_artifact(run, "junit", {"junit.xml": report(flaky)})
    evidence = collect(forge, run, GLOBS)
    assert [each.outcome for each in evidence.report] == [Outcome.FLAKY]
    assert evidence.variants == {}


def test_a_step_that_runs_no_tests_is_told_and_shows_none(forge: FakeForge, run: WorkflowRun) -> None:
    add_job(forge, run, "build", "error: no compiler")
    evidence = collect(forge, run, GLOBS)
    assert evidence.report.failures() == ()
    assert evidence.steps[0].tail.startswith("error: no compiler")
    assert "no test result" in said(evidence)


# --- which artifacts ------------------------------------------------------------------------------------------------


def test_only_names_that_match_are_tried(forge: FakeForge, run: WorkflowRun) -> None:
    xml = {"junit.xml": report(case("test_a", failure="A"))}
    forge.add_artifact(run, "coverage\x1b[31m", xml)
    evidence = collect(forge, run, GLOBS)
    assert failing(evidence) == {}
    assert "triggers.artifacts" in said(evidence)
    assert "\x1b" not in said(evidence)
    forge.add_artifact(run, "JUnit results", xml)
    assert len(failing(collect(forge, run, GLOBS))) == 1
    assert failing(collect(forge, run, ())) == {}


def test_newest_of_a_name_and_nothing_of_an_earlier_attempt(forge: FakeForge, run: WorkflowRun) -> None:
    for name, artifact, created in (
        ("test_old", "junit", "2026-10-04T06:00:00Z"),
        ("test_stale", "junit-other", "2026-10-04T06:00:00Z"),
        ("test_new", "junit", "2026-10-04T08:00:00Z"),
    ):
        xml = {"junit.xml": report(case(name, failure="A"))}
        made = replace(forge.add_artifact(run, artifact, xml), created_at=created)
        forge.run_artifacts[run.id][-1] = made
    again = replace(run, attempt=2, started_at="2026-10-04T07:00:00Z")
    assert list(failing(collect(forge, again, GLOBS))) == ["tests/test_cart.py::test_new"]


def test_expired_too_large_gone_and_too_many_are_said(forge: FakeForge, run: WorkflowRun) -> None:
    small = {"junit.xml": report(case("test_a", failure="A"))}
    forge.add_artifact(run, "junit-expired", small, expired=True)
    forge.add_artifact(
        run, "junit-large", {"junit.xml": report(case("test_b", failure="A")), "x.bin": Path(__file__).read_bytes()}
    )
    gone = forge.add_artifact(run, "junit-gone", small)
    del forge.artifact_bytes[gone.id]
    forge.add_artifact(run, "junit-ok", small)
    evidence = collect(forge, run, GLOBS, budget=Budget(packed=2_000))
    assert list(failing(evidence)) == ["tests/test_cart.py::test_a"]
    for name, why in (("expired", "has expired"), ("large", "bytes"), ("gone", "was not read")):
        assert any(name in each.source and why in each.message for each in evidence.problems), name
    assert "1 are read at most" in said(collect(forge, run, GLOBS, budget=Budget(artifacts=1)))


def test_what_is_downloaded_is_bounded_for_all_artifacts_together(forge: FakeForge, run: WorkflowRun) -> None:
    xml = {"junit.xml": report(case("test_a", failure="A"))}
    one = forge.add_artifact(run, "junit-1", xml)
    forge.add_artifact(run, "junit-2", xml)
    evidence = collect(forge, run, GLOBS, budget=Budget(packed=2 * one.size - 1))
    assert f"more than the {one.size - 1:,} that are left" in said(evidence)
    assert forge.count("download") == 1


def test_one_budget_for_all_artifacts_smallest_first(forge: FakeForge, run: WorkflowRun) -> None:
    for name, padding in (("b", 4_000), ("a", 10), ("c", 8_000)):
        xml = report(case(f"test_{name}", failure="A"), f"<!--{'x' * padding}-->")
        forge.add_artifact(run, f"junit-{name}", {"junit.xml": xml})
    evidence = collect(forge, run, GLOBS, budget=Budget(unpacked=5_000))
    assert list(failing(evidence)) == ["tests/test_cart.py::test_a", "tests/test_cart.py::test_b"]
    assert "unpacks to more than" in said(evidence)


# --- which logs -----------------------------------------------------------------------------------------------------


def test_logs_of_failed_jobs_only_and_not_too_many(forge: FakeForge, run: WorkflowRun) -> None:
    forge.add_job(run, "lint", conclusion="success", log=log(*summary("test_never")))
    for number in range(5):
        add_job(forge, run, f"test ({number})", *summary(f"test_{number}"))
    evidence = collect(forge, run, GLOBS, budget=Budget(jobs=3))
    assert set(failing(evidence)) == {f"tests/test_cart.py::test_{number}" for number in range(3)}
    assert "2 of 5 failed jobs were left out" in said(evidence)
    assert forge.count("job_log") == 3


def test_a_log_that_is_gone(forge: FakeForge, run: WorkflowRun) -> None:
    forge.add_job(run, "test", steps=STEPS)
    evidence = collect(forge, run, GLOBS)
    assert evidence.steps == ()
    assert "was not read" in said(evidence)


def test_a_large_log_is_read_at_its_head_and_tail(forge: FakeForge, run: WorkflowRun) -> None:
    noise = [f"line {number}" for number in range(20_000)]
    add_job(forge, run, "test", *noise, *summary("test_a"))
    evidence = collect(forge, run, GLOBS, budget=Budget(log=50_000))
    assert list(failing(evidence)) == ["tests/test_cart.py::test_a"]
    assert evidence.tested_sha == MERGE
    assert evidence.steps[0].exit_code == 1
    assert "head and its tail" in said(evidence)


def test_logs_that_disagree_on_the_commit_name_none(forge: FakeForge, run: WorkflowRun) -> None:
    add_job(forge, run, "one", *summary("test_a"))
    add_job(forge, run, "two", *summary("test_a"), commit=HEAD)
    evidence = collect(forge, run, GLOBS)
    assert evidence.tested_sha == ""
    assert "different commits" in said(evidence)


# --- hostile artifacts ----------------------------------------------------------------------------------------------


def packed(entries: Mapping[str, bytes], link: str = "") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
    return stream.getvalue()


GOOD = report(case("test_good", failure="A"))
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(20))
    + b']><testsuite><testcase classname="x" name="&u;"><failure message="&u;"/></testcase></testsuite>'
)
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<testsuite><testcase classname="x" name="a"><failure message="&x;"/></testcase></testsuite>'
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (packed({"../../x.xml": GOOD, "/abs.xml": GOOD, "ok.xml": GOOD}), "leads out of the archive"),
        (packed({"ok.xml": GOOD}, link="link.xml"), "symbolic link"),
        (packed({"ok.xml": GOOD, "bomb.xml": b" " * (200 << 20)}), "reading of the archive stopped"),
        (packed({"bad.xml": LAUGHS, "ok.xml": GOOD}), "bad.xml"),
        (packed({"bad.xml": EXTERNAL, "ok.xml": GOOD}), "bad.xml"),
        (packed({"ok.xml": GOOD.replace(b'"A"', b'"\x1b[31mA"')}), "control characters"),
        (packed({"ok.xml": GOOD.replace(b'"A"', b'"\xff\xfe"')}), "UTF-8"),
    ],
)
def test_hostile_archives(
    content: bytes, expected: str, forge: FakeForge, run: WorkflowRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something is refused and said, the good report in the same archive is read, and so are the logs."""
    monkeypatch.chdir(tmp_path)
    add_job(forge, run, "test", *summary("test_log"))
    forge.add_artifact(run, "junit", content)
    evidence = collect(forge, run, GLOBS)
    assert set(failing(evidence)) == {"tests/test_cart.py::test_good", "tests/test_cart.py::test_log"}
    assert expected in said(evidence)
    assert "root:" not in "".join(failing(evidence).values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no zip", packed({f"{number}.xml": b"" for number in range(20_001)})])
def test_archives_that_are_not_read_at_all(content: bytes, forge: FakeForge, run: WorkflowRun) -> None:
    add_job(forge, run, "test", *summary("test_log"))
    forge.add_artifact(run, "junit", content)
    evidence = collect(forge, run, GLOBS)
    assert list(failing(evidence)) == ["tests/test_cart.py::test_log"]
    assert len(evidence.problems) == 1


def many(count: int) -> bytes:
    return (
        b"<testsuite>" + b"".join(b'<testcase classname="t" name="t%d"/>' % n for n in range(count)) + b"</testsuite>"
    )


def test_half_a_million_cases(forge: FakeForge, run: WorkflowRun) -> None:
    forge.add_artifact(run, "junit", packed({"junit.xml": many(500_000)}))
    evidence = collect(forge, run, GLOBS)
    assert (evidence.tests, len(evidence.report)) == (500_000, 0)


def test_memory_does_not_grow_with_the_cases(forge: FakeForge, run: WorkflowRun) -> None:
    xml = many(50_000)
    forge.add_artifact(run, "junit", packed({"junit.xml": xml}))
    tracemalloc.start()
    try:
        assert collect(forge, run, GLOBS).tests == 50_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(xml) + (4 << 20)  # the archive's bytes once joined and once as a stream, and no cases


def test_failures_and_their_names_are_bounded(
    forge: FakeForge, run: WorkflowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ci, "FAILURES", 100)
    cases = [case(f"test_{number}", failure="A") for number in range(150)]
    xml = report(case("x" * 10_000, failure="A"), *cases)
    forge.add_artifact(run, "junit", {"junit.xml": xml})
    evidence = collect(forge, run, GLOBS)
    assert len(evidence.report.failures()) == 100
    assert "51 failing tests were left out" in said(evidence)


def test_problems_are_bounded(forge: FakeForge, run: WorkflowRun) -> None:
    forge.add_artifact(run, "junit", {f"../{number}{'x' * 300}.xml": b"" for number in range(500)})
    problems = collect(forge, run, GLOBS).problems
    assert len(problems) == ci.PROBLEMS + 1
    assert "450 more" in problems[-1].message
    assert all(len(each.message) <= 500 for each in problems)


def test_what_an_artifact_claims_to_be_is_not_asked(forge: FakeForge, run: WorkflowRun) -> None:
    """Another pull request's number and commit, in every place where actions put them."""
    other = "ab" * 20
    xml = GOOD.replace(
        b'name="pytest"',
        f'name="pytest"><properties><property name="sha" value="{other}"/><property name="pr" value="1"/></properties><x y="'.encode(),
    )
    forge.add_artifact(
        run,
        "junit",
        {
            "pr_number": b"1",
            "pr.txt": b"1",
            "sha.txt": other.encode(),
            "event.json": b'{"number": 1}',
            "junit.xml": xml,
        },
    )
    forge.add_artifact(run, f"test-pr-1-{other}", {"junit.xml": GOOD})
    add_job(forge, run, "test", *summary("test_good"))
    evidence = collect(forge, run, GLOBS)
    assert evidence.tested_sha == MERGE
    assert other not in repr(evidence)
    assert {call.method: call.arguments[0] for call in forge.calls if call.method in ("jobs", "artifacts")} == {
        "jobs": run.id,
        "artifacts": run.id,
    }


def test_a_line_of_a_hundred_megabytes(forge: FakeForge, run: WorkflowRun) -> None:
    job = add_job(forge, run, "test", *summary("test_log"))
    forge.logs[job.id] = b"\xff" * (100 << 20) + b"\n" + forge.logs[job.id]
    evidence = collect(forge, run, GLOBS)
    assert list(failing(evidence)) == ["tests/test_cart.py::test_log"]
    assert "longer than" in said(evidence)
    assert "not UTF-8" in said(evidence)
