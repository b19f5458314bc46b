"""The grammar of `/grok`: one command on a line of its own, strict, so that nothing starts a run by accident.

    /grok fix [TEST…] [--hint "TEXT"] [--attempts N] [--engine auto|model|search]
    /grok explain [TEST…]      /grok flaky [TEST…]
    /grok retry    /grok stop    /grok test    /grok help

Words are parted by blanks. A word in straight double quotes may hold blanks, and \\" and \\\\ inside.
"""

from __future__ import annotations

import re

from bot.trigger.comment_text import spoken_lines
from bot.trigger.types import Command, Explain, Fix, Flaky, Help, Retry, Stop, Test, WrongCommand

USAGE = """\
- `/grok fix [TEST…] [--hint "…"] [--attempts N] [--engine auto|model|search]`: repair the failing tests, or those named
- `/grok explain [TEST…]`: say what fails and why; change nothing
- `/grok retry`: try the last fix once more
- `/grok stop`: end what is running for this pull request
- `/grok flaky [TEST…]`: run the failing tests again and again on the same commit
- `/grok test`: write tests for the code that this pull request adds
- `/grok help`: this list
"""

MOST_TESTS = 20
LONGEST_TEST = 300
LONGEST_HINT = 500
MOST_ATTEMPTS = 20
ENGINES = ("auto", "model", "search")

_COMMAND = re.compile(r" {0,3}/grok(?:[ ]+(?P<verb>\S+)(?P<rest>.*)|[ ]*)$")
_WORD = re.compile(r'[ ]*(?:"(?P<quoted>(?:[^"\\]|\\["\\])*)"(?=[ ]|$)|(?P<bare>[^ "]+)(?=[ ]|$))')
_WITH_TESTS = ("fix", "explain", "flaky")
_ALONE: dict[str, Command] = {"retry": Retry(), "stop": Stop(), "test": Test(), "help": Help()}


def read_comment(body: str) -> Command | WrongCommand | None:
    """The command of a comment; None where there is none, and where the word after `/grok` is none of ours.

    The first counts; a second that says something else makes it wrong, for nobody could tell which was meant.
    """
    first: Command | WrongCommand | None = None
    for line in spoken_lines(body):
        command = _read_line(line)
        if command is None or command == first:
            continue
        if first is not None:
            return WrongCommand("There is more than one command in this comment; write one a comment.")
        first = command
    return first


def read_arguments(tests: str, hint: str) -> Fix | WrongCommand:
    """The same rules for values that come one by one: `tests` as one line of words, `hint` as it is."""
    words = _words(tests.strip(" "))
    if isinstance(words, WrongCommand):
        return words
    for text, _ in words:
        if wrong := wrong_test(text):
            return wrong
    if len(words) > MOST_TESTS:
        return _too_many()
    wrong = wrong_hint(hint) if hint else None
    return wrong or Fix(tuple(text for text, _ in words), hint)


def _read_line(line: str) -> Command | WrongCommand | None:
    match = _COMMAND.match(line)
    if match is None:
        return None
    verb, rest = match["verb"], match["rest"] or ""
    if verb is None:
        return WrongCommand("`/grok` needs a word after it that says what to do.")
    if verb not in _ALONE and verb not in _WITH_TESTS:
        return None
    words = _words(rest)
    if isinstance(words, WrongCommand):
        return words
    if verb in _ALONE:
        return WrongCommand(f"`/grok {verb}` takes nothing after it.") if words else _ALONE[verb]
    return _with_tests(verb, words)


def _words(text: str) -> list[tuple[str, bool]] | WrongCommand:
    """Words, and whether each was quoted."""
    words = []
    at, text = 0, text.rstrip(" ")
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            return WrongCommand(
                "A quotation mark stands where none can: put the whole word in straight double quotes, "
                'with `\\"` for one inside it.'
            )
        quoted = match["quoted"]
        words.append((match["bare"], False) if quoted is None else (re.sub(r"\\(.)", r"\1", quoted), True))
        at = match.end()
    return words


def _with_tests(verb: str, words: list[tuple[str, bool]]) -> Command | WrongCommand:
    tests: list[str] = []
    options: dict[str, str] = {}
    remaining = iter(words)
    for text, quoted in remaining:
        if quoted or not text.startswith("-"):
            if wrong := wrong_test(text):
                return wrong
            tests.append(text)
            continue
        if verb != "fix" or text not in {"--hint", "--attempts", "--engine"}:
            return _unknown(text, verb)
        if text in options:
            return WrongCommand(f"`{text}` is given twice.")
        value, value_quoted = next(remaining, ("", False))
        if not value_quoted and (not value or value.startswith("-")):
            return WrongCommand(f"`{text}` needs a value after it.")
        options[text] = value
    if len(tests) > MOST_TESTS:
        return _too_many()
    match verb:
        case "explain":
            return Explain(tuple(tests))
        case "flaky":
            return Flaky(tuple(tests))
    return _fix(tuple(tests), options)


def _fix(tests: tuple[str, ...], options: dict[str, str]) -> Fix | WrongCommand:
    hint, attempts, engine = options.get("--hint"), options.get("--attempts"), options.get("--engine", "")
    if hint is not None and (wrong := wrong_hint(hint)):
        return wrong
    if attempts is not None and not (re.fullmatch("[0-9]{1,2}", attempts) and 1 <= int(attempts) <= MOST_ATTEMPTS):
        return WrongCommand(f"`--attempts` takes a whole number from 1 to {MOST_ATTEMPTS}.")
    if "--engine" in options and engine not in ENGINES:
        return WrongCommand(f"`--engine` takes one of {', '.join(f'`{name}`' for name in ENGINES)}.")
    return Fix(tests, hint or "", None if attempts is None else int(attempts), engine)


def wrong_test(text: str) -> WrongCommand | None:
    """Why no test can be named so, None where one can."""
    if not text or len(text) > LONGEST_TEST:
        return WrongCommand(f"The name of a test has 1 to {LONGEST_TEST} characters.")
    if not text.isprintable():
        return WrongCommand("The name of a test holds a character that cannot be seen.")
    # Runners take a leading dash for an option and a leading @ for a file of options.
    if text[0] in "-@":
        return WrongCommand("The name of a test cannot begin with `-` or `@`.")
    path = text.partition("::")[0].replace("\\", "/")
    if path.startswith(("/", "~")) or ".." in path.split("/"):
        return WrongCommand("The name of a test is a path inside the repository, relative to its root.")
    return None


def wrong_hint(hint: str) -> WrongCommand | None:
    """Why this can be no hint, None where it can."""
    if not hint.strip() or len(hint) > LONGEST_HINT:
        return WrongCommand(f"`--hint` takes 1 to {LONGEST_HINT} characters of text in straight double quotes.")
    if not hint.isprintable():
        return WrongCommand("The hint holds a character that cannot be seen.")
    return None


def _unknown(text: str, verb: str) -> WrongCommand:
    name = text.partition("=")[0]
    if verb == "fix" and name in {"--hint", "--attempts", "--engine"}:
        return WrongCommand(f"Write `{name}` and its value with a blank between them.")
    # Only what is plainly an option's name is said back; the rest of it is a stranger's text.
    shown = f"`{name}`" if re.fullmatch("--?[A-Za-z][A-Za-z0-9_-]{0,39}", name) else "That"
    return WrongCommand(f"{shown} is no option of `/grok {verb}`.")


def _too_many() -> WrongCommand:
    return WrongCommand(f"At most {MOST_TESTS} tests can be named.")
