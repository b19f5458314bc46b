"""flaky.html: every test of a triage in one self-contained page; a sortable table and a page a test. Pure.

The data stands in the page as JSON with every `<` escaped, and the script builds the page with textContent alone. The
policy allows this one script and this one style, and no network.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from bot.flaky.verdict import Triage
from bot.publish.flaky_text import headline
from bot.publish.untrusted import html


def render_page(triage: Triage, report: str) -> str:
    """One HTML document. report: of the same triage, as `flaky_report.to_json` writes it."""
    data = report.replace("<", "\\u003c").replace("&", "\\u0026")  # nothing in it ends the block or opens a comment
    folder = resources.files("bot.publish")
    style = (folder / "flaky_page.css").read_text("utf-8")
    script = (folder / "flaky_page.js").read_text("utf-8")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Flaky tests</title>
<style>{style}</style>
<h1>Flaky tests</h1>
<p>{html(headline(triage))}</p>
<main><noscript>This page needs JavaScript; triage.json has the same in full.</noscript></main>
<script id="data" type="application/json">{data}</script>
<script>{script}</script>
</html>
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
