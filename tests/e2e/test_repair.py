"""`grokfix repair` as its user runs it: a subprocess on a real repository, the process sandbox, real pytest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot import process
from tests import repositories
from tests.command_line import BUGGY, grokfix, result_of, text


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repositories.make(tmp_path / "shop", BUGGY)


def test_search_repairs_and_proves(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--sandbox", "process", "--output", out, cwd=shop)
    assert done.exit_code == 0, text(done)
    result = result_of(out)
    assert result["outcome"] == "repaired"
    repair = result["repairs"][0]
    assert repair["targets"] == ["tests/test_cart.py::test_cheapest"]
    assert [gate["name"] for gate in repair["gates"]] == [
        "reproduced",
        "applies",
        "vetted",
        "red",
        "green",
        "minimal",
        "suite",
        "stable",
    ]
    assert {gate["status"] for gate in repair["gates"]} <= {"passed", "not_applicable"}
    assert result["sandbox"]["isolated"] is False
    assert {path.name for path in out.iterdir()} >= {"result.json", "fix.patch", "trace.jsonl", "trace.html", "pr.md"}
    # The work tree is as it was, and the patch really applies and really repairs.
    assert repositories.git(shop, "status", "--porcelain") == ""
    repositories.git(shop, "apply", str(out / "fix.patch"))
    again = process.run((sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"), cwd=shop, seconds=60)
    assert again.exit_code == 0, again.stdout.decode()


def test_apply_changes_the_work_tree(shop: Path) -> None:
    done = grokfix("repair", ".", "--sandbox", "process", "--apply", cwd=shop)
    assert done.exit_code == 0, text(done)
    assert "price < best" in (shop / "shop/cart.py").read_text()
    runs = list((shop / ".grokfix/runs").iterdir())
    assert len(runs) == 1
    assert ".grokfix" not in repositories.git(shop, "status", "--porcelain")


def test_nothing_failing_is_a_good_end(tmp_path: Path) -> None:
    root = repositories.make(tmp_path / "r", {"test_ok.py": "def test_ok():\n    assert True\n"})
    done = grokfix("repair", ".", "--sandbox", "process", cwd=root)
    assert done.exit_code == 0, text(done)
    assert "nothing fails" in text(done).lower()


def test_junit_of_a_run_names_the_targets(shop: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    process.run((sys.executable, "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider"), cwd=shop)
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--junit", report, "--sandbox", "process", "--output", out, cwd=shop)
    assert done.exit_code == 0, text(done)
    assert result_of(out)["outcome"] == "repaired"


def test_log_of_a_run_names_the_targets(shop: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(process.run((sys.executable, "-m", "pytest", "-p", "no:cacheprovider"), cwd=shop).stdout)
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--log", log, "--sandbox", "process", "--output", out, cwd=shop)
    assert done.exit_code == 0, text(done)
    assert result_of(out)["outcome"] == "repaired"


def test_report_of_another_project_is_not_reproduced(shop: Path, tmp_path: Path) -> None:
    report = tmp_path / "other.xml"
    report.write_text(
        '<testsuite tests="1"><testcase classname="other.tests" name="test_other">'
        '<failure message="AssertionError">x</failure></testcase></testsuite>'
    )
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--junit", report, "--sandbox", "process", "--output", out, cwd=shop)
    assert done.exit_code == 1, text(done)
    assert result_of(out)["outcome"] == "not_reproduced"
    assert "no such test" in text(done)


def test_flaky_test_is_told_before_anything_is_spent(tmp_path: Path) -> None:
    counter = tmp_path / "count"
    source = f"""\
import pathlib

def test_sometimes():
    path = pathlib.Path({str(counter)!r})
    seen = int(path.read_text()) if path.exists() else 0
    path.write_text(str(seen + 1))
    assert seen % 2 == 1
"""
    root = repositories.make(tmp_path / "r", {"test_flaky.py": source})
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--sandbox", "process", "--output", out, cwd=root)
    assert done.exit_code == 1, text(done)
    result = result_of(out)
    assert result["outcome"] == "flaky"
    assert result["repairs"][0]["attempts"] == []


def test_import_error_of_the_project_is_a_failure_to_repair(tmp_path: Path) -> None:
    files = {
        **BUGGY,
        "tests/test_more.py": "from shop.cart import totals\n\n\ndef test_more():\n    assert totals([1]) == 1\n",
    }
    root = repositories.make(tmp_path / "r", files)
    out = tmp_path / "out"
    done = grokfix("repair", ".", "tests/test_more.py", "--sandbox", "process", "--output", out, cwd=root)
    assert done.exit_code in (0, 1), text(done)
    repair = result_of(out)["repairs"][0]
    assert repair["exception"] == "ImportError"


def test_two_bugs_are_two_repairs_and_one_patch(tmp_path: Path) -> None:
    files = dict(BUGGY)
    files["shop/stock.py"] = "def left(stock, sold):\n    return stock + sold\n"
    files["tests/test_stock.py"] = (
        "from shop.stock import left\n\n\ndef test_left():\n    if left(5, 2) != 3:\n        raise ValueError('stock')\n\n\n"
        "def test_none_sold():\n    assert left(4, 0) == 4\n"
    )
    root = repositories.make(tmp_path / "r", files)
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--sandbox", "process", "--output", out, cwd=root)
    assert done.exit_code == 0, text(done)
    result = result_of(out)
    assert [repair["outcome"] for repair in result["repairs"]] == ["repaired", "repaired"]
    repositories.git(root, "apply", str(out / "fix.patch"))
    again = process.run((sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"), cwd=root)
    assert again.exit_code == 0


def test_bug_that_search_cannot_repair_is_an_honest_stop(tmp_path: Path) -> None:
    root = repositories.make(
        tmp_path / "r",
        {
            "codec.py": "def encode(text):\n    raise NotImplementedError\n",
            "test_codec.py": "from codec import encode\n\n\ndef test_encode():\n    assert encode('abc') == 'nop'\n    assert encode('xyz') == 'klm'\n",
        },
    )
    out = tmp_path / "out"
    done = grokfix("repair", ".", "--sandbox", "process", "--output", out, cwd=root)
    assert done.exit_code == 1, text(done)
    result = result_of(out)
    assert (result["outcome"], result["reason"]) == ("gave_up", "no_candidate")
    assert not (out / "fix.patch").exists()
    assert (out / "pr.md").read_text()


def test_dirty_work_tree_is_refused_and_never_lost(shop: Path) -> None:
    changed = (shop / "shop/cart.py").read_text() + "# mine\n"
    (shop / "shop/cart.py").write_text(changed)
    (shop / "note.txt").write_text("mine")
    done = grokfix("repair", ".", "--sandbox", "process", cwd=shop)
    assert done.exit_code == 2
    assert "shop/cart.py" in text(done)
    assert "--allow-dirty" in text(done)
    allowed = grokfix("repair", ".", "--sandbox", "process", "--allow-dirty", "--apply", cwd=shop)
    assert allowed.exit_code == 0, text(allowed)
    now = (shop / "shop/cart.py").read_text()
    assert "# mine" in now
    assert "price < best" in now
    assert (shop / "note.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("repair", "/"), 2, "repository"),
        (("repair", ".", "no_such_test", "--sandbox", "process"), 2, "no_such_test"),
        (("repair", ".", "--junit", "nothing-*.xml", "--sandbox", "process"), 2, "nothing-*.xml"),
        (("repair", ".", "--log", "absent.log", "--sandbox", "process"), 2, "absent.log"),
        (("repair", ".", "--config", "absent.yml"), 2, "absent.yml"),
        (("repair", ".", "--good", "no-such-revision", "--sandbox", "process"), 2, "no-such-revision"),
        (("repair", ".", "--engine", "model", "--sandbox", "process"), 2, "XAI_API_KEY"),
        (("repair", ".", "--max-attempts", "0"), 2, "whole number"),
        (("repair", ".", "--output", "pyproject.toml/x", "--sandbox", "process"), 2, "output"),
        (("repair", ".", "--test-command", "no-such-program", "--sandbox", "process"), 1, "no-such-program"),
        (("report", "absent.xml"), 2, "absent.xml"),
        (("trace", "absent.jsonl", "--html", "x.html"), 2, "absent.jsonl"),
    ],
)
def test_bad_input_gets_a_clear_word_and_status(shop: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = grokfix(*arguments, cwd=shop)
    assert done.exit_code == status, text(done)
    assert said in text(done)
    assert "Traceback" not in text(done)
    assert repositories.git(shop, "status", "--porcelain") == ""


def test_no_docker_is_an_infrastructure_error_with_a_way_out(shop: Path) -> None:
    done = grokfix("repair", ".", cwd=shop, environment={"DOCKER_HOST": "unix:///nonexistent/docker.sock"})
    assert done.exit_code == 3, text(done)
    assert "--sandbox process" in text(done)


def test_interrupt_cleans_up_and_says_so(tmp_path: Path) -> None:
    root = repositories.make(
        tmp_path / "r", {"test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(300)\n"}
    )
    out = tmp_path / "out"
    with subprocess.Popen(
        (sys.executable, "-m", "bot", "repair", ".", "--sandbox", "process", "--output", str(out)),
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as child:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and b'"purpose":"base"' not in _trace(out).replace(b" ", b""):
            time.sleep(0.1)
        time.sleep(1.0)
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=30)
    assert child.returncode == 130, (output + errors).decode()
    assert result_of(out)["outcome"] == "stopped"
    left = [path for path in tmp_path.iterdir() if path.name.startswith("grokfix-")]
    assert [path.name for path in left] in ([], [f"grokfix-boxes-{os.getuid()}"])
    assert not [entry for path in left for entry in path.iterdir()]


def _trace(folder: Path) -> bytes:
    path = folder / "trace.jsonl"
    return path.read_bytes() if path.exists() else b""


def test_trace_is_readable_after_a_kill(tmp_path: Path) -> None:
    from bot.trace.read import read_trace

    root = repositories.make(
        tmp_path / "r", {"test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(300)\n"}
    )
    out = tmp_path / "out"
    with subprocess.Popen(
        (sys.executable, "-m", "bot", "repair", ".", "--sandbox", "process", "--output", str(out)),
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as child:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and b'"purpose":"base"' not in _trace(out).replace(b" ", b""):
            time.sleep(0.1)
        child.kill()
        child.wait()
    trace = read_trace(out / "trace.jsonl")
    assert [event.kind for event in trace.events][:2] == ["run", "sandbox_run"]
    page = tmp_path / "page.html"
    done = grokfix("trace", out / "trace.jsonl", "--html", page, cwd=root)
    assert done.exit_code == 0, text(done)
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_demo_repairs_and_shows_its_proof(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = grokfix("demo", "--output", out, cwd=tmp_path)
    assert done.exit_code == 0, text(done)
    result = result_of(out / "result")
    assert result["outcome"] == "repaired"
    assert len(result["repairs"][0]["targets"]) == 3
    assert "weight <= limit" in (out / "result/fix.patch").read_text()


def test_explain_names_the_faulty_line(shop: Path) -> None:
    done = grokfix("explain", ".", "--sandbox", "process", "--format", "json", cwd=shop)
    assert done.exit_code == 0, text(done)
    told = json.loads(done.stdout)
    assert "shop/cart.py" in json.dumps(told)


def test_report_tells_totals(shop: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    process.run((sys.executable, "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider"), cwd=shop)
    done = grokfix("report", report, "--format", "json", cwd=shop)
    assert done.exit_code == 0, text(done)
    totals = json.loads(done.stdout)["totals"]
    assert (totals["tests"], totals["failed"]) == (4, 1)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom bot.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'docker', 'openai', 'pydantic', 'rich', 'github', 'yaml', 'junitparser', 'unidiff'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = process.run((sys.executable, "-c", program), cwd=Path(__file__).parents[2])
    assert b"HEAVY []" in done.stdout
