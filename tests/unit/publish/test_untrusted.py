"""Hostile text, in each place where it is shown."""

from __future__ import annotations

import re
import time

import pytest
from markdown_it import MarkdownIt

from bot.publish.untrusted import bounded, cell, code, code_cell, fence, html, log, markdown, one_line, plain, title

CONTROLS = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\t\n"]
BIDI = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("sign", [*CONTROLS, *BIDI, "\u2028", "\u2029", "\U000e0041", "\ud800"], ids=ascii)
def test_nothing_that_acts_survives_anywhere(sign: str) -> None:
    for shown in (plain, log, html, markdown, code, cell, code_cell, fence, title, one_line):
        out = shown(f"a{sign}b")
        assert sign not in out, shown
        assert out.startswith("a") or "a" in out
        out.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1bc\x1b(Bx", "x"),
        ("half \x1b[31", "half ␛[31"),
        ("a\r\nb\rc\x85d\x0ce", "a\nb\nc\nd\ne"),
        ("bell\x07 \x7f \x9b31m", "bell␇ ␡ [U+009B]31m"),
        ("if access\u202e \u2066// check\u2069", "if access[U+202E] [U+2066]// check[U+2069]"),
        ("ünï\tcödé\n👩‍👩‍👧", "ünï\tcödé\n👩‍👩‍👧"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


def _runner_commands(text: str) -> list[str]:
    """Lines that the Actions runner would take for commands (ActionCommand.cs: TryParseV2, TryParse)."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        trimmed = line.lstrip()  # str.lstrip knows every white space that TrimStart knows
        if (trimmed.startswith("::") and "::" in trimmed[2:]) or ("##[" in line and "]" in line):
            found.append(line)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "::add-mask::a",
        "  \t::error::x",
        "x ##[error]y",
        "###[group]x",
        "\x85::error::x",
        "ok\r::error::x",
        "\u2028::error::x",
        "\xa0\u3000::error::x",
        "\x1b[31m::error::x",
        "\x0b::stop-commands::t",
        "#\x1b[0m#[error]x",
        ":\x1b[0m:error::x",
        ":::error::x",
        ":: error::\n::error::",
        "##\x00[error]x",
    ],
)
def test_no_workflow_command_survives(text: str) -> None:
    assert not _runner_commands(log(text))
    assert not _runner_commands(log(f"before\n{text}\nafter"))


def test_log_leaves_ordinary_lines_alone() -> None:
    text = "tests/a.py::test_b[x::y] PASSED\n  # [comment]\n\tvalue: ::1"
    assert log(text) == text


HOSTILE = [
    "@org/team and a@b.example",
    "fixes #1, closes o/r#22 and GH-3, resolves https://github.com/o/r/issues/4",
    "/grok fix",
    "text\n/grok stop --now",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden --><details>",
    "<!--\nopen comment",
    "</details></td></table><script>1</script>",
    "```\nbreak out\n```\n# heading",
    "~~~\nfence",
    "[text](http://evil.example) ![image](http://evil.example/x.png)",
    "<http://evil.example> https://evil.example www.evil.example mailto:a@b.c",
    "[ref]\n\n[ref]: http://evil.example 'title'",
    "[^1]\n\n[^1]: note",
    "heading\n===\n\nheading\n---",
    "# one\n## two\n> quote\n- list\n+ list\n* list\n1. list\n2) list",
    "    code block\n\tcode block",
    "| a | b |\n| --- | --- |\n| c | d |",
    "**bold** _it_ __b__ ~~gone~~ `unclosed",
    "$x$ and $$y$$",
    "&lt;b&gt; &#64;org &amp;",
    "\\@org \\<b> \\`x`",
    "Co-authored-by: A <a@b.c>\nskip-checks: true",
    "[skip ci] [ci skip] [no ci] [skip actions] [actions skip]",
    "`[skip ci] fixes #1 @org`",
    "`` ` ``` `` <b>",
    "javascript:alert(1)",
    "a\u202eb\x1b[31m",
    "- - - -\n***\n___",
    "x\\\ny  \nz",
]
TAGS = {"p", "code", "br"}


def _acting(rendered: str) -> list[str]:
    """What a code host would act on in rendered Markdown, outside of code: mentions, references, links."""
    words = re.sub(r"<code>.*?</code>|<pre>.*?</pre>", "", rendered, flags=re.DOTALL)
    words = words.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    return re.findall(r"@\w|#\d|\bGH-\d|https?://|ftp://|\bwww\.|mailto:\w|/grok|javascript:\w", words)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_prose_is_inert(text: str) -> None:
    source = markdown(text)
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(source)
    assert set(re.findall(r"</?([a-z0-9]+)", rendered)) <= TAGS, rendered
    assert not _acting(rendered)
    assert not re.search(r"^\s*/grok|\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", source, re.M)
    assert not re.search(r"^(co-authored-by|skip-checks):", source, re.M | re.I)
    assert not re.search(
        r"(?:fix(?:es)?|close[sd]?|resolve[sd]?)\s+(?:\S*#\d|GH-\d|https?:/\S+/issues/\d)", source, re.I
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_code_and_fences_hold(text: str) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    inline = parser.render(f"before {code(text)} after")
    assert re.fullmatch(r"<p>before <code>[^<]*</code> after</p>\n", inline), inline
    block = parser.render(f"before\n\n{fence(text, 'diff')}\n\nafter")
    assert re.fullmatch(r'<p>before</p>\n<pre><code class="language-diff">[^<]*</code></pre>\n<p>after</p>\n', block)
    for source in (inline, block):
        assert "[skip ci]" not in source and not re.search(r"(fixes|closes) \S*#\d", source)


@pytest.mark.parametrize("text", HOSTILE)
def test_table_cells_hold(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {cell(text)} | {code_cell(text)} |\n"
    rendered = MarkdownIt("commonmark").enable("table").render(table)
    assert rendered.count("<td>") == 2 and rendered.count("<tr>") == 2, rendered
    assert set(re.findall(r"</?([a-z0-9]+)", rendered)) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert not _acting(rendered)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_has_no_markup_left(text: str) -> None:
    assert not re.search(r"[<>\"']", html(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`<` becomes `<=` in snake_case_name", "`<` becomes `<=` in snake_case_name"),
        ("one.\n\nTwo: 3 > 2 & 1 < 2.", "one.\n\nTwo: 3 &gt; 2 &amp; 1 &lt; 2."),
        ("a * b", "a \\* b"),
        ("2. second", "2\\. second"),
        ("", ""),
    ],
)
def test_ordinary_prose_stays_readable(text: str, expected: str) -> None:
    assert markdown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fix `total` [skip ci]", "Fix `total` (skip ci)"),
        ("[skip[skip\nci] ci]", "[skip(skip ci) ci]"),
        ("thank @org, fixes #1", "thank @\u200borg, fixes #\u200b1"),
        ("two\nlines  \x1b[31mred", "two lines red"),
        ("x" * 100, "x" * 71 + "…"),
    ],
)
def test_title(text: str, expected: str) -> None:
    assert title(text) == expected


@pytest.mark.parametrize(
    ("text", "limit", "tail", "expected"),
    [
        ("short", 10, False, "short"),
        ("one\ntwo\nthree\n", 9, False, "one\ntwo\n[… 7 characters cut; all of it is in x …]"),
        ("one\ntwo\nthree", 11, True, "[… 4 characters cut; all of it is in x …]\ntwo\nthree"),
        ("x" * 10, 5, False, "xxxxx\n[… 5 characters cut; all of it is in x …]"),
    ],
)
def test_bounded_says_what_it_cut(text: str, limit: int, tail: bool, expected: str) -> None:
    assert bounded(text, limit, whole="x", tail=tail) == expected


@pytest.mark.parametrize("unit", ["\n", " ", "`", "::", "@", "fix ", "\x1b]", "\x1b[", "[", "a/", "#", "|", "\\"])
def test_hostile_repetition_costs_linear_time(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    for shown in (plain, log, html, markdown, fence):
        shown(text)
    assert time.process_time() - began < 2.0
