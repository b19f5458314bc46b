"""The trace page of a model repair in a real browser: folds, links, search, keys, a narrow screen, scripts off."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bot.commands.demo import RECORDING
from bot.trace.html import render_trace
from bot.trace.read import read_trace

pytestmark = pytest.mark.chromium
IN_VIEW = "node => { const r = node.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight }"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the demo's recording: two attempts, five requests, five tool calls."""
    target = tmp_path_factory.mktemp("page") / "trace.html"
    with resources.as_file(resources.files("bot") / "demo" / RECORDING) as recording:
        target.write_text(render_trace(read_trace(recording)), "utf-8")
    return target


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    said: list[str] = []
    opened = browser.new_page(viewport={"width": 1200, "height": 800})
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(file.as_uri())
    yield opened
    opened.close()
    assert said == []


def test_tool_calls_are_folded_into_their_step(page: Page) -> None:
    first = page.locator("details.step").first
    call = first.locator("details.call").first
    expect(first.locator("> summary")).to_contain_text("2,900 in, 160 out read_file, search_code")
    expect(call).to_be_hidden()
    first.locator("> summary").click()
    expect(call.locator("summary")).to_contain_text("read_file")
    expect(call.locator("pre").first).to_be_hidden()
    call.locator("summary").click()
    expect(call).to_contain_text("def band_for(weight):")
    expect(first).not_to_contain_text("role")  # the answers to the calls stand with the calls, not a second time
    assert page.locator("details.message summary", has_text="tool ").count() == 0


def test_a_hunk_leads_to_its_hypothesis_and_to_the_tests_it_changed(page: Page) -> None:
    why = page.locator("#fix-1-1 + .why")
    expect(why).to_contain_text("compares with")
    expect(why).to_contain_text("failed → passed")
    why.locator("a", has_text="test_limit_belongs_to_the_band[0.5-letter]").click()
    row = page.locator("#test-1-0")
    expect(row).to_have_text("tests/test_bands.py::test_limit_belongs_to_the_band[0.5-letter]")
    assert row.evaluate(IN_VIEW)
    own = page.locator("#fix-1-2 + .why")
    expect(own).to_contain_text("test_a_parcel_at_its_limit_pays_the_price_of_its_band")
    expect(own).not_to_contain_text("test_limit_belongs")
    failed = page.locator("#patch-1-1-1 + .why")
    expect(failed).to_contain_text("Came to: red failed")


def test_the_diff_is_side_by_side_and_one_column_on_a_phone(page: Page) -> None:
    removed, added = page.locator("#fix-1-1 ~ .change .removed").first, page.locator("#fix-1-1 ~ .change .added").first
    expect(removed).to_have_text("-        if weight < limit:")
    left, right = removed.bounding_box(), added.bounding_box()
    assert left and right and left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    page.set_viewport_size({"width": 390, "height": 800})
    above, below = removed.bounding_box(), added.bounding_box()
    assert above and below and above["x"] == below["x"] and above["y"] < below["y"]
    expect(page.locator(".same .old").first).to_be_hidden()
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_search_finds_what_is_folded_away(page: Page) -> None:
    page.keyboard.press("/")
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    page.keyboard.type("DIES OF THE valueerror")
    expect(page.locator("output")).to_have_text("5 found")  # the reasoning and its fold; events of the timeline
    page.keyboard.press("Enter")
    hit = page.locator(".hit")
    expect(hit).to_be_visible()
    expect(page.locator("output")).to_have_text("1 of 5")
    assert hit.evaluate(IN_VIEW)
    page.keyboard.press("Shift+Enter")
    expect(page.locator("output")).to_have_text("5 of 5")  # round, backwards
    page.keyboard.press("Escape")
    expect(page.locator(".hit")).to_have_count(0)
    expect(box).not_to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("<nothing like it>")
    expect(page.locator("output")).to_have_text("nothing found")


def test_keys_move_and_open(page: Page) -> None:
    page.keyboard.press("j")
    expect(page.locator(".current")).to_contain_text("Failure 1")
    page.keyboard.press("j")
    expect(page.locator(".current")).to_have_id("fix-1-1")
    page.keyboard.press("k")
    page.keyboard.press("k")  # there is nothing before the first
    expect(page.locator(".current")).to_contain_text("Failure 1")
    for _ in range(3):
        page.keyboard.press("j")
    attempt = page.locator("#attempt-1-1")
    expect(attempt).to_have_class("attempt stop current")
    page.keyboard.press("Enter")
    assert attempt.evaluate("node => node.open")
    page.keyboard.press("j")
    expect(page.locator(".current")).to_have_id("patch-1-1-1")  # what was opened can be moved into
    page.keyboard.press("Escape")
    expect(page.locator(".current")).to_have_count(0)
    page.keyboard.press("Control+j")
    expect(page.locator(".current")).to_have_count(0)


def test_time_and_money_are_told_for_every_step(page: Page) -> None:
    fold = page.locator("details", has=page.locator("summary", has_text="Where time and money went"))
    fold.locator("summary").click()
    rows = fold.locator("tbody tr")
    expect(rows.filter(has_text="Step 2")).to_contain_text("3,900 in (2,880 cached), 420 out")
    expect(rows.filter(has_text="suite")).to_contain_text("21 tests")
    rows.filter(has_text="Step 5").locator("a").click()
    assert page.locator("#step-1-5").evaluate("node => node.open")


def test_without_scripts_all_of_it_is_still_there(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(file.as_uri())
        expect(page.locator("h1")).to_have_text("Repaired")
        expect(page.locator("input")).to_have_count(0)  # no search box that does nothing
        page.locator("#attempt-1-1 > summary").click()
        expect(page.locator("#attempt-1-1")).to_contain_text("31.5 kg is too heavy")
        page.locator("#fix-1-1 + .why a").first.click()
        expect(page.locator("#cause-1")).to_be_in_viewport()
    finally:
        context.close()
