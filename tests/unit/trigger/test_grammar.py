"""The grammar of `/grok`, and which lines of a comment are their author's own."""

from __future__ import annotations

import random
import time

import pytest
from markdown_it import MarkdownIt

from bot.trigger.comment_text import LONGEST, spoken_lines
from bot.trigger.grammar import USAGE, read_arguments, read_comment
from bot.trigger.types import Explain, Fix, Flaky, Help, Retry, Stop, Test, WrongCommand


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/grok fix", Fix()),
        ("   /grok   fix  ", Fix()),
        ("/grok fix tests/a.py::test_b", Fix(("tests/a.py::test_b",))),
        ("/grok fix t.py::test[a-b] t.py::test_c", Fix(("t.py::test[a-b]", "t.py::test_c"))),
        ('/grok fix "t.py::test[a b]" --hint "is \\"x\\" \\\\ right?"', Fix(("t.py::test[a b]",), 'is "x" \\ right?')),
        ("/grok fix --attempts 20 --engine search t.py", Fix(("t.py",), "", 20, "search")),
        ("/grok fix --hint one", Fix(hint="one")),
        ('/grok fix --hint "--attempts 3"', Fix(hint="--attempts 3")),
        ("/grok fix\tt.py", Fix(("t.py",))),
        ("/grok explain", Explain()),
        ("/grok explain a.py b.py", Explain(("a.py", "b.py"))),
        ("/grok flaky a.py", Flaky(("a.py",))),
        ("/grok retry", Retry()),
        ("/grok stop", Stop()),
        ("/grok test", Test()),
        ("/grok help", Help()),
        ("Could you?\r\n\r\n/grok stop\r\n\r\nThanks", Stop()),
        ("a line\n/grok fix\nanother", Fix()),
        ("/grok fix\n\n/grok fix", Fix()),
        ("> what they said\n\n/grok fix", Fix()),
        ("```\nlog\n```\n/grok fix", Fix()),
        ("<!-- note -->\n\n/grok fix", Fix()),
        ("- a point\n- another\n\n/grok fix", Fix()),
        ("a stray ` tick\n/grok fix", Fix()),
        ("`<!--` opens one\n/grok fix", Fix()),
        ("<details>\n<summary>log</summary>\n\n```\nx\n```\n</details>\n\n/grok fix", Fix()),
    ],
)
def test_commands(body: str, command: object) -> None:
    assert read_comment(body) == command


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nothing here",
        "please /grok fix this",
        "/grokfix",
        "/grokk fix",
        "/grok fixx",
        "/grok Fix",
        "/Grok fix",
        "/grok-fix",
        "/grok what does this do?",
        "\u200b/grok fix",
        "/grok\u00a0fix",
        "    /grok fix",
        "\t/grok fix",
        "   \t/grok fix",
        "> /grok fix",
        "   > /grok fix",
        ">/grok fix",
        "> they said\n/grok fix",
        "- > they said\n/grok fix",
        "* /grok fix",
        "# /grok fix",
        "```\n/grok fix",
        "```\n/grok fix\n```",
        "~~~ text\n```\n/grok fix\n~~~",
        "````\n```\n/grok fix\n````",
        "```\n/grok fix\n``` no end\n/grok fix",
        "- ```\n  /grok fix\n  ```",
        "- ```\n```\n/grok fix\n```",
        "a\n\n    /grok fix",
        "<!--\n/grok fix\n-->",
        "<!--\n/grok fix",
        "text <!--\n/grok fix\n-->",
        "<pre>\n\n/grok fix\n</pre>",
        "see <code>\n/grok fix\n</code>",
        "<blockquote>\n\n/grok fix\n\n</blockquote>",
        '<div title="\n/grok fix\n">',
        'see <a title="\n/grok fix\n">x</a>',
        'see [x](y "\n/grok fix\n")',
        '[x]: /y "\n/grok fix\n"',
        "see ![\n/grok fix\n](y)",
        "see `\n/grok fix\n`",
        "see ``\n/grok fix ` \n``",
    ],
)
def test_no_command(body: str) -> None:
    assert read_comment(body) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/grok", "needs a word"),
        ("/grok fix --base_url=http://x", "`--base_url` is no option"),
        ("/grok fix --base-url http://x", "`--base-url` is no option"),
        ("/grok fix --model x", "`--model` is no option"),
        ("/grok fix -k x", "`-k` is no option"),
        ("/grok fix --\x1b[31m@everyone", "That is no option"),
        ("/grok explain --hint x", "`--hint` is no option of `/grok explain`"),
        ("/grok fix --hint=x", "Write `--hint` and its value with a blank"),
        ("/grok fix --hint", "needs a value"),
        ("/grok fix --hint --attempts 3", "`--hint` needs a value"),
        ("/grok fix --hint a --hint b", "given twice"),
        ('/grok fix --hint ""', "1 to 500"),
        (f'/grok fix --hint "{"x" * 501}"', "1 to 500"),
        ('/grok fix --hint "a\u202eb"', "cannot be seen"),
        ('/grok fix --hint "open', "quotation mark"),
        ('/grok fix a"b"', "quotation mark"),
        ('/grok fix "a"b', "quotation mark"),
        ('/grok fix "a\\nb"', "quotation mark"),
        ("/grok fix --attempts 0", "from 1 to 20"),
        ("/grok fix --attempts 21", "from 1 to 20"),
        ("/grok fix --attempts -1", "needs a value"),
        ("/grok fix --attempts \u0663", "from 1 to 20"),
        ("/grok fix --attempts 1e1", "from 1 to 20"),
        ("/grok fix --engine gpt", "`auto`, `model`, `search`"),
        ('/grok fix "--deselect"', "cannot begin with"),
        ("/grok fix @options.txt", "cannot begin with"),
        ("/grok fix /etc/passwd", "inside the repository"),
        ("/grok fix ~/x.py", "inside the repository"),
        ("/grok fix a/../../x.py::test", "inside the repository"),
        ("/grok fix a\\..\\..\\x.py", "inside the repository"),
        ("/grok fix a\u200bb", "cannot be seen"),
        ("/grok fix a\x00b", "cannot be seen"),
        ('/grok fix ""', "1 to 300"),
        (f"/grok fix {'x' * 301}", "1 to 300"),
        (f"/grok fix {'a ' * 21}", "At most 20"),
        ("/grok stop now", "`/grok stop` takes nothing"),
        ("/grok test a.py", "`/grok test` takes nothing"),
        ("/grok fix\n\n/grok stop", "more than one command"),
        ("/grok fix a.py\n/grok fix b.py", "more than one command"),
        ("/grok fix\n/grok fix --nonsense", "more than one command"),
    ],
)
def test_wrong_commands(line: str, said: str) -> None:
    wrong = read_comment(line)
    assert isinstance(wrong, WrongCommand)
    assert said in wrong.message
    assert wrong.message.isascii() and wrong.message.isprintable() and "everyone" not in wrong.message


def test_arguments_of_a_dispatch_obey_the_same_rules() -> None:
    assert read_arguments('a.py "b.py::t[x y]"', "look at b") == Fix(("a.py", "b.py::t[x y]"), "look at b")
    assert read_arguments("", "") == Fix()
    assert isinstance(read_arguments("--collect-only", ""), WrongCommand)
    assert isinstance(read_arguments("", "x" * 501), WrongCommand)
    assert isinstance(read_arguments("a " * 21, ""), WrongCommand)


def test_the_usage_is_no_command() -> None:
    """Our own replies show it: were a line of it a command, we would answer ourselves."""
    assert read_comment(USAGE) is None


PIECES = ["```", "~~~", "````", "`", "``", "<!--", "-->", "<pre>", "</pre>", "> ", ">", "- ", "1. ", "  ", "    ", "\t",
          "text", "- ```", "> ```", "  - ", "<!-- a -->", "`x`", "# h", "---", "<div>", "</div>", "> - ", "- > "]  # fmt: skip


def shown_as_text(body: str) -> set[str]:
    """Lines that a CommonMark parser puts at the start of a line of ordinary text outside quotes."""
    found: set[str] = set()
    depth = 0
    for token in MarkdownIt("commonmark").parse(body):
        depth += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        if token.type != "inline" or depth:
            continue
        at_start = True
        for child in token.children or ():
            if child.type in {"softbreak", "hardbreak"}:
                at_start = True
            elif child.content or child.type != "text":
                if at_start and child.type == "text":
                    found.add(child.content.strip())
                at_start = False
    return found


@pytest.mark.parametrize("seed", range(8))
def test_what_is_taken_is_text_to_a_markdown_parser_too(seed: int) -> None:
    """Never the other way round: a line that we leave out can be written again."""
    rng = random.Random(seed)
    taken = 0
    for _ in range(400):
        lines = [
            rng.choice(["", "  ", "> ", "- ", "    "]) * (rng.random() < 0.3) + f"/grok fix t{number}"
            if rng.random() < 0.5
            else "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 2)))
            for number in range(rng.randint(2, 8))
        ]
        body = "\n".join(lines)
        ours = {line.strip() for line in spoken_lines(body) if line.lstrip().startswith("/grok") and line[:4].strip()}
        visible = shown_as_text(body)
        # Inside an element like <div> the text is shown as well, though to the parser the whole is HTML.
        if "<div>" not in body and "</div>" not in body:
            assert ours <= visible, body
            taken += len(ours)
    assert taken > 100


HOSTILE = {
    "ticks": "`" * LONGEST,
    "runs of ticks": " ".join("`" * (length % 300) for length in range(460)),
    "comments": "<!--" * (LONGEST // 4),
    "tags": '<a b="' * (LONGEST // 6),
    "open tags": "x <a " * (LONGEST // 5),
    "elements": "x <code> " * (LONGEST // 9),
    "targets": "](" * (LONGEST // 2),
    "images": "![" * (LONGEST // 2),
    "brackets": "[" * LONGEST,
    "items": "- " * (LONGEST // 2),
    "numbers": "1. " * (LONGEST // 3),
    "quotes": "> " * (LONGEST // 2),
    "blanks": " " * LONGEST,
    "tabs": "\t" * LONGEST,
    "backslashes": "\\" * LONGEST,
    "commands": '/grok fix "\n' * (LONGEST // 12),
    "one long command": "/grok fix " + '"\\\\" ' * (LONGEST // 6),
    "half quoted": '/grok fix "' + "\\" * (LONGEST - 11),
    "code lines": "`a\n/grok fix\n" * (LONGEST // 13),
    "nested": "\n".join(" " * depth + "- x" for depth in range(340)),
    "too long": "x" * (LONGEST * 20) + "\n/grok fix",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_take_linear_time(name: str) -> None:
    """Twice the text takes about twice the time, by the processor's count; the factor leaves room for a busy machine."""
    whole = HOSTILE[name][:LONGEST]

    def cost(body: str) -> float:
        times = []
        for _ in range(3):
            start = time.process_time()
            read_comment(body)
            times.append(time.process_time() - start)
        return min(times)

    assert cost(whole) < 12 * cost(whole[: len(whole) // 4]) + 0.05


def test_what_lies_past_the_longest_comment_is_not_read() -> None:
    assert read_comment(HOSTILE["too long"]) is None
