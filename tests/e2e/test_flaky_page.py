"""flaky.html in a real browser: sorting, filtering, a test's page, hostile names, a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bot.evidence.types import TestId
from bot.flaky.verdict import Kind
from bot.publish.flaky_page import render_page
from tests.unit.publish.flaky_sample import WEEKS, hostile, night, verdict

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    said: list[str] = []
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    yield opened
    opened.close()
    assert said == []


def test_a_night_is_sorted_filtered_and_opened(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "flaky.html"
    file.write_text(render_page(night(), WEEKS), "utf-8")
    page.goto(file.as_uri())
    expect(page.locator("tbody tr").first).to_contain_text("test_total[3-items]")
    page.get_by_role("button", name="is", exact=True).click()
    expect(page.locator("tbody tr").first).to_contain_text("broken")
    page.keyboard.press("/")
    page.keyboard.type("victim")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").click()
    expect(page.locator("main")).to_contain_text("polluter first: failed 10 of 10 (in this order), runs rerun:n1/1/40")
    expect(page.locator("svg circle")).to_have_count(12)
    page.keyboard.press("Escape")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_hostile_names_are_text_and_a_phone_does_not_scroll_sideways(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "flaky.html"
    file.write_text(render_page(night(*hostile())), "utf-8")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(file.as_uri())
    expect(page.locator("tbody tr")).to_have_count(9)
    assert page.locator("main script, main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_ten_thousand_tests_and_none(page: Page, tmp_path: Path) -> None:
    many = [verdict(TestId.from_node_id(f"tests/test_{n}.py::test_x"), Kind.FLAKY, 3) for n in range(10_000)]
    for name, triage, rows in (("many", night(*many), 500), ("none", night(verdicts=()), 0)):
        file = tmp_path / f"{name}.html"
        file.write_text(render_page(triage), "utf-8")
        page.goto(file.as_uri())
        expect(page.locator("tbody tr")).to_have_count(rows)
    file = tmp_path / "many.html"
    page.goto(file.as_uri())
    page.locator("input").fill("test_9999.py")
    expect(page.locator("tbody tr")).to_have_count(1)
