"""What people see on GitHub, drawn from a real run: `python -m docs.github_pictures` writes images/comment.png,
images/pull-request.png and images/pull-request-rest.png.

`grokfix action` answers `/grok fix` in the tests' shop, with Docker as its sandbox, against the stateful GitHub server
and the model server of the tests. The model's two replies are scripted (the first one bends the test, and is refused);
all else that is shown was said by the program and kept by the server. Changed in the pictures alone: the server's
address reads github.com. The frame around the texts is ours, and roughly GitHub's. Needs Docker and Chromium.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import FloatRect, sync_playwright

from tests.action_world import PATCH, World
from tests.command_line import BUGGY
from tests.github_server import GitHubServer
from tests.github_server.payloads import of_comment
from tests.model_server import ModelServer, answer, say

IMAGES = Path(__file__).with_name("images")
STYLE = Path(__file__).with_name("github_pictures.css")
WIDTH = 960
CUT = "Gates"

BENT = """\
--- a/tests/test_cart.py
+++ b/tests/test_cart.py
@@ -11,5 +11,5 @@
 def test_cheapest():
-    assert cheapest([3, 1, 2]) == 1
+    assert cheapest([3, 1, 2]) == 3
"""
NEW_TEST = (
    "tests/test_cheapest_order.py",
    "from shop.cart import cheapest\n\n\ndef test_the_cheapest_stands_last():\n    assert cheapest([2, 3, 1]) == 1\n",
)
# Suites take their time, and the comment has something to tell in between.
SLOW = """\
import time

import pytest


@pytest.fixture(autouse=True, scope="session")
def database():
    time.sleep(2)
"""
FIRST = answer("`test_cheapest` expects the wrong price: `cheapest([3, 1, 2])` is 3.", BENT, confidence=0.4)
SECOND = answer(
    "The comparison in `cheapest` was turned round: `price > best` keeps the dearest price, not the cheapest. The "
    "commit that this pull request adds changed `<` to `>` in that line.",
    PATCH,
    NEW_TEST,
    confidence=0.97,
    risks="None known; an empty list raises IndexError as it did before.",
).replace("fails without the fix", "The cheapest price stands last, where neither the first nor the largest will do.")
REPLIES = tuple(replace(say(each), delay=0.4) for each in (FIRST, SECOND))


@dataclass(frozen=True)
class Seen:
    """What stands on the server in the end. asked: the comment that asked, and its reactions."""

    asked: str
    reactions: tuple[str, ...]
    halfway: str
    ended: str
    title: str
    body: str
    number: int
    base: str
    branch: str
    server: str


def play() -> Seen:
    with (
        tempfile.TemporaryDirectory() as folder,
        GitHubServer(Path(folder) / "git") as server,
        ModelServer(REPLIES) as model,
    ):
        settings = f"version: 1\nengine: model\nmodel: {{name: grok-code-fast-1, base_url: {model.base_url}}}\n"
        given = World.make(server, Path(folder) / "steps", settings)
        shop = given.shop
        right = BUGGY["shop/cart.py"].replace("price > best", "price < best")
        shop.commit("main", {"shop/cart.py": right, "tests/conftest.py": SLOW}, "Mend the cart")
        given.failed_run(conclusion="success", artifacts={}, jobs=())
        shop.commit("faster-cart", {"shop/cart.py": BUGGY["shop/cart.py"]}, "Make the cart faster", start="main")
        pull = shop.add_pull("faster-cart", "main", title="Make the cart faster", user="maintainer")
        given.failed_run("faster-cart", event="pull_request", pull_requests=[pull.number])
        comment = shop.add_comment(pull.number, "maintainer", "/grok fix")
        step = given.action("issue_comment", of_comment(shop, comment), engine="model", api_key="xai-not-a-key")
        assert step.outputs.get("outcome") == "repaired", step.log
        [asked, progress] = shop.comments(pull.number)
        made = shop.pulls[pull.number + 1]
        return Seen(
            asked=asked.body,
            reactions=tuple(each.content for each in shop.reactions(asked.id)),
            halfway=max(progress.edits, key=lambda body: ("attempt 2" in body, body.count("✓") < 8, body.count("✓"))),
            ended=progress.body,
            title=made.title,
            body=made.body,
            number=made.number,
            base=made.base_branch,
            branch=made.head_branch,
            server=server.server_url,
        )


# --- pages ------------------------------------------------------------------------------------------------------------

EYES = (
    '<svg viewBox="0 0 22 14" width="20"><g fill="#fff" stroke="#57606a"><ellipse cx="6" cy="7" rx="4.6" ry="6"/>'
    '<ellipse cx="16" cy="7" rx="4.6" ry="6"/></g><circle cx="7" cy="8" r="2.2"/><circle cx="17" cy="8" r="2.2"/></svg>'
)
ROCKET = (
    '<svg viewBox="0 0 14 16" width="14"><path d="M7 0c3 2 4 5 4 8l2 3-2 1H3l-2-1 2-3c0-3 1-6 4-8z" fill="#8c959f"/>'
    '<circle cx="7" cy="6" r="1.6" fill="#fff"/><path d="M5 13h4l-2 3z" fill="#cf5b1b"/></svg>'
)
DRAWN = {"eyes": EYES, "rocket": ROCKET}


def shown(text: str) -> str:
    """Markdown as GitHub shows it: tables, folds, bare addresses and numbers of pull requests as links."""
    linked = re.sub(r"(?<=[ \n])(https?://[^\s,)]+[^\s,.)])", r"<\1>", text)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(linked)
    page = re.sub(r'(?s)(?<=<code class="language-diff">).*?(?=</code>)', lambda diff: coloured(diff[0]), page)
    return re.sub(r"(?<=[ >])#(\d+)\b(?![^<]*>)", r'<a href="#">#\1</a>', page)


def coloured(diff: str) -> str:
    kinds = {"+": "added", "-": "removed", "@": "hunk"}
    lines = ((kinds.get(line[:1], ""), line) for line in diff.split("\n"))
    return "\n".join(f'<span class="{kind}">{line}</span>' if kind else line for kind, line in lines)


def box(author: str, does: str, text: str, *, bot: bool = True, below: str = "") -> str:
    label = ' <span class="label">bot</span>' if bot else ""
    face = f'<div class="face {"bot" if bot else ""}">{author[0].upper()}</div>'
    head = f'<div class="head"><b>{author}</b>{label} {does}</div>'
    return f'<div class="row">{face}<div class="box">{head}<div class="body">{shown(text)}{below}</div></div></div>'


def comment_page(seen: Seen) -> str:
    pills = "".join(f'<span class="pill">{DRAWN[each]} 1</span>' for each in seen.reactions)
    return (
        box("maintainer", "commented", seen.asked, bot=False, below=f"<p>{pills}</p>")
        + '<p class="when">while it runs</p>'
        + box("github-actions", "commented · edited", seen.halfway)
        + '<p class="when">the same comment at the end</p>'
        + box("github-actions", "commented · edited", seen.ended)
    )


def pull_request_page(seen: Seen) -> str:
    return (
        f'<h1 class="title">{escape(seen.title)} <span>#{seen.number}</span></h1>'
        f'<p class="state"><span class="draft">Draft</span> <b>github-actions</b> wants to merge 1 commit into '
        f"<code>{escape(seen.base)}</code> from <code>{escape(seen.branch)}</code></p>"
        + box("github-actions", "commented", seen.body)
    )


def draw(seen: Seen) -> None:
    """The page of the pull request is long: it is cut in two before the heading CUT."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("no chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-lcd-text"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 400}, java_script_enabled=False)
        page.set_content(framed(comment_page(seen), seen.server))
        page.screenshot(path=IMAGES / "comment.png", full_page=True)
        page.set_content(framed(pull_request_page(seen), seen.server))
        place = page.get_by_role("heading", name=CUT, exact=True).bounding_box()
        assert place is not None
        height = page.locator("body").bounding_box()
        assert height is not None
        cut = place["y"] - 8
        rest = height["y"] + height["height"] + 16 - cut
        for name, top, tall in (("pull-request.png", 0.0, cut), ("pull-request-rest.png", cut, rest)):
            clip: FloatRect = {"x": 0, "y": top, "width": WIDTH, "height": tall}
            page.screenshot(path=IMAGES / name, full_page=True, clip=clip)
        browser.close()


def framed(content: str, server: str) -> str:
    style = STYLE.read_text(encoding="utf-8")
    html = f"<!doctype html><meta charset=utf-8><style>{style}</style>{content}"
    return html.replace(server, "https://github.com")


def main() -> None:
    draw(play())


if __name__ == "__main__":
    main()
