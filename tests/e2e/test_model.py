"""`grokfix repair` with a model behind a real HTTP server that speaks the OpenAI protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import process
from tests import model_server, repositories
from tests.command_line import BUGGY, grokfix, result_of, text
from tests.model_server import ModelServer

KEY = "sk-grokfix-test-0123456789abcdef"
# Search has no rule that writes an alphabet: only the model can repair this one.
CODEC = {
    "rotation.py": '''\
"""Rotation by thirteen letters."""


def encode(text):
    raise NotImplementedError("encode")


def shout(text):
    return text.upper()
''',
    "test_codec.py": """\
from rotation import encode, shout


def test_encode():
    assert encode("abc") == "nop"
    assert encode("xyz") == "klm"


def test_shout():
    assert shout("a") == "A"
""",
}
FIX = """\
--- a/rotation.py
+++ b/rotation.py
@@ -1,8 +1,8 @@
 \"\"\"Rotation by thirteen letters.\"\"\"
 
 
 def encode(text):
-    raise NotImplementedError("encode")
+    return "".join(chr((ord(letter) - 97 + 13) % 26 + 97) for letter in text)
 
 
 def shout(text):
"""
WRONG = FIX.replace("+ 13) % 26", "+ 12) % 26")
NEW_TEST = (
    "test_codec_rotation.py",
    "from rotation import encode\n\n\ndef test_rotation_wraps():\n    assert encode('z') == 'm'\n",
)


@pytest.fixture
def codec(tmp_path: Path) -> Path:
    return repositories.make(tmp_path / "codec", CODEC)


def repair(root: Path, out: Path, server: ModelServer, *more: str) -> process.Completed:
    return grokfix(
        *("repair", ".", "--sandbox", "process", "--engine", "model", "--base-url", server.base_url),
        *("--model", "scripted", "--output", str(out), *more),
        cwd=root,
        environment={"XAI_API_KEY": KEY},
    )


def everything(out: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(out.rglob("*")) if path.is_file())


def test_second_attempt_learns_from_the_first(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    replies = [
        model_server.fix("rotation is missing", WRONG, NEW_TEST),
        model_server.fix("rotation by thirteen was never written", FIX, NEW_TEST, match="klm"),
    ]
    with ModelServer(replies) as server:
        done = repair(codec, out, server)
        asked = [request.text for request in server.requests]
    assert done.exit_code == 0, text(done)
    result = result_of(out)
    assert result["outcome"] == "repaired"
    assert (result["model"], result["served_model"]) == ("scripted", "scripted-1")
    assert [attempt["verdict"] for attempt in result["repairs"][0]["attempts"]] == ["failing", "plausible"]
    assert result["repairs"][0]["new_tests"] == ["test_codec_rotation.py::test_rotation_wraps"]
    red = next(gate for gate in result["repairs"][0]["gates"] if gate["name"] == "red")
    assert red["status"] == "passed"
    assert result["usage"]["requests"] == 2
    assert result["cost_usd"] is None  # nobody knows what "scripted-1" costs, and unknown is not zero
    assert "No price is known for model scripted, so limits.cost_usd (1) cannot be held" in text(done)
    assert "model scripted-1 (asked for scripted)" in text(done)
    assert "test_encode" in asked[0]
    assert asked[1].startswith(asked[0])  # append-only
    assert KEY not in everything(out) + text(done) + "".join(asked)
    repositories.git(codec, "apply", "--check", str(out / "fix.patch"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}),
        (400, {"code": "Client specified an invalid argument", "error": f"Incorrect API key provided: {KEY}."}),
    ],
)
def test_wrong_key_is_an_infrastructure_error_without_the_key(
    codec: Path, tmp_path: Path, status: int, body: object
) -> None:
    out = tmp_path / "out"
    with ModelServer([model_server.error(status, body)]) as server:
        done = repair(codec, out, server)
    assert done.exit_code == 3, text(done)
    assert "XAI_API_KEY" in text(done)
    assert KEY not in text(done) + everything(out)
    assert result_of(out)["outcome"] == "stopped"
    assert repositories.git(codec, "status", "--porcelain") == ""


def test_nonsense_is_an_honest_stop(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ModelServer([model_server.say("I like turtles.")] * 20) as server:
        done = repair(codec, out, server, "--max-attempts", "2")
    assert done.exit_code == 1, text(done)
    result = result_of(out)
    assert result["outcome"] == "gave_up"
    assert result["usage"]["requests"] >= 1
    assert not (out / "fix.patch").exists()


def test_patch_that_edits_the_test_is_refused_and_named(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cheat = """\
--- a/test_codec.py
+++ b/test_codec.py
@@ -4,3 +4,2 @@
 def test_encode():
-    assert encode("abc") == "nop"
-    assert encode("xyz") == "klm"
+    pass
"""
    with ModelServer([model_server.fix("the test asks too much", cheat)]) as server:
        done = repair(codec, out, server, "--max-attempts", "1")
    assert done.exit_code == 1, text(done)
    attempt = result_of(out)["repairs"][0]["attempts"][0]
    assert attempt["verdict"] == "rejected"
    assert "assert" in attempt["message"]


def test_model_that_blames_the_test_is_quoted_and_nothing_is_changed(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ModelServer([model_server.fix("the test expects ROT13 of nothing", "", verdict="test_is_wrong")]) as server:
        done = repair(codec, out, server)
    assert done.exit_code == 1, text(done)
    assert (result_of(out)["outcome"], result_of(out)["reason"]) == ("gave_up", "test_is_wrong")


def test_import_error_is_repaired_like_a_failing_test(tmp_path: Path) -> None:
    files = {**BUGGY, "shop/cart.py": BUGGY["shop/cart.py"].replace("price > best", "price < best")}
    files["tests/test_more.py"] = "from shop.cart import mean\n\n\ndef test_mean():\n    assert mean([1, 3]) == 2\n"
    root = repositories.make(tmp_path / "r", files)
    patch = """\
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -13,3 +13,7 @@
             best = price
     return best
+
+
+def mean(prices):
+    return sum(prices) / len(prices)
"""
    out = tmp_path / "out"
    with ModelServer([model_server.fix("mean was never written", patch)]) as server:
        done = repair(root, out, server)
    assert done.exit_code == 0, text(done)
    repair_result = result_of(out)["repairs"][0]
    assert (repair_result["exception"], repair_result["outcome"]) == ("ImportError", "repaired")


def test_secrets_of_the_environment_reach_neither_tests_nor_prompt(tmp_path: Path) -> None:
    files = {
        "test_leak.py": "import os\n\n\ndef test_leak():\n    print(sorted(os.environ.items()))\n    assert 'DEPLOY' in 'x'\n"
    }
    root = repositories.make(tmp_path / "r", files)
    out = tmp_path / "out"
    with ModelServer([model_server.fix("?", "", verdict="needs_human")]) as server:
        done = grokfix(
            *("repair", ".", "--sandbox", "process", "--engine", "model", "--base-url", server.base_url),
            *("--output", out),
            cwd=root,
            environment={"XAI_API_KEY": KEY, "DEPLOY_TOKEN": "deploy-0123456789"},
        )
        asked = "".join(request.text for request in server.requests)
    for secret in (KEY, "deploy-0123456789"):
        assert secret not in asked + text(done) + everything(out)


def test_auto_lets_search_go_first_and_tells_the_model_what_it_tried(codec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ModelServer([model_server.fix("rotation was never written", FIX, NEW_TEST, match="candidates")]) as server:
        done = grokfix(
            *("repair", ".", "--sandbox", "process", "--base-url", server.base_url, "--model", "scripted"),
            *("--output", out),
            cwd=codec,
            environment={"XAI_API_KEY": KEY},
        )
    assert done.exit_code == 0, text(done)
    assert result_of(out)["repairs"][0]["attempts"][0]["engine"] == "model"
