"""flaky.html in a real browser: sorting, filtering, a test's page, hostile names, a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bot.evidence.types import TestId
from bot.flaky.course import Course, FailedRun, Week
from bot.flaky.quarantine import Entry
from bot.flaky.types import Counts, Failed, State, StateChange
from bot.flaky.verdict import Kind, Triage, Verdict
from bot.publish.flaky_page import render_page
from bot.publish.flaky_report import NOTHING, Background, to_json
from tests.unit.publish.flaky_sample import background, hostile, night, verdict

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


def shown(page: Page, file: Path, triage: Triage, known: Background = NOTHING) -> None:
    file.write_text(render_page(triage, to_json(triage, known)), "utf-8")
    page.goto(file.as_uri())


def test_a_night_is_sorted_filtered_and_opened(page: Page, tmp_path: Path) -> None:
    shown(page, tmp_path / "flaky.html", night(), background())
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("test_total[3-items]")
    expect(rows.first).to_contain_text("quarantined until 2025-12-08")
    expect(page.locator("main")).to_contain_text("2025-11-24 · commit ec26c3e57ca3 · sandbox python:3.13 · 164 runs")
    page.get_by_role("button", name="is", exact=True).click()
    expect(rows.first).to_contain_text("broken")
    expect(rows.last).to_contain_text("test_push")
    page.keyboard.press("/")
    page.keyboard.type("victim")
    expect(rows).to_have_count(1)
    page.locator("tbody a").click()
    main = page.locator("main")
    for part in (
        "polluter first: failed 10 of 10 (in this order), runs rerun:n1/1/40 to 41",
        "The 2 tests in their order; this one is number 2",
        "first on 2025-10-25, last on 2025-11-23",
        "quarantined until 2025-12-08, by dev: asked for",
        "since 2025-11-20, until 2025-12-08; owner @org/cart",
        "number 17 of 120, after tests/test_admin.py::test_rates_can_be_set",
        "AssertionError: assert 12 == 10",
        "number 1 of 2 that the report names; it passed on a retry",
        "41.5 a week, expected",
    ):
        expect(main).to_contain_text(part)
    expect(page.locator("svg circle")).to_have_count(9)
    page.keyboard.press("Escape")
    expect(rows).to_have_count(1)
    page.locator("input").fill("no such test")
    expect(main).to_contain_text("No test is like that.")
    page.locator("input").fill("test_greeting")
    page.locator("tbody a").click()
    expect(main).to_contain_text("failed 0 of 10 at aaaaaaaaaaaa, 10 of 10 at bbbbbbbbbbbb, in turns (p = 0.000010)")
    expect(main).to_contain_text(f"first bad commit {'c' * 40} by dev")
    page.keyboard.press("Escape")
    page.locator("input").fill("quarantined")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("tests/test_quiet.py::test_waits")


def test_hostile_names_are_text_and_a_phone_does_not_scroll_sideways(page: Page, tmp_path: Path) -> None:
    cruel = hostile()
    page.set_viewport_size({"width": 390, "height": 800})
    shown(page, tmp_path / "flaky.html", night(*cruel), hostile_background(cruel))
    expect(page.locator("tbody tr")).to_have_count(9)
    for place in range(-1, 9):
        page.evaluate(f"location.hash = '{place if place >= 0 else ''}'")
        expect(page.locator("dl" if place >= 0 else "table")).to_have_count(1)
        assert page.locator("main script, main img, main iframe").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("location.hash = '#99999999'")
    expect(page.locator("table")).to_have_count(1)


def hostile_background(cruel: tuple[Verdict, ...]) -> Background:
    """All that is told beside a verdict, in the words of a hostile name."""
    told = {}
    for each in cruel:
        name = each.test.node_id
        run = FailedRun(name, 0.0, name, name, 1, 1, each.test, Failed(name, name, name))
        weeks = tuple(Week(monday, Counts(9, 3)) for monday in ("0001-01-01", "2025-01-06", "9999-12-27"))
        told[each.test] = Course(weeks, (run,), (StateChange(each.test, State.QUARANTINED, 0.0, name, name, name),))
    entries = tuple(Entry(each.test, *([each.test.node_id] * 6)) for each in cruel)
    return Background(told, entries)


def test_ten_thousand_tests_one_and_none(page: Page, tmp_path: Path) -> None:
    many = [verdict(TestId.from_node_id(f"tests/test_{n}.py::test_x"), Kind.FLAKY, 3) for n in range(10_000)]
    for name, triage, rows in (
        ("one", night(verdicts=(many[0],)), 1),
        ("none", night(verdicts=()), 0),
        ("many", night(*many), 200),
    ):
        shown(page, tmp_path / f"{name}.html", triage)
        expect(page.locator("tbody tr")).to_have_count(rows)
        expect(page.get_by_text("No test is flaky, broken or suspected.")).to_have_count(0 if rows else 1)
    page.locator("input").fill("test_9999.py")
    expect(page.locator("tbody tr")).to_have_count(1)
