"""Code on which security rests is merged by a person who looked at it for that."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import dotted, fresh, functions, shape
from bot.vet.types import Grade, Objection

NAME = "security_sensitive"

_WORDS = re.compile(
    r"(?:^|[/_.])(?:auth(?!or)\w*|oauth\w*|login|logout|passw\w*|crypt\w*|\w*crypto\w*|cipher\w*|encrypt\w*|decrypt\w*|"
    r"signature|hmac|jwt|(?:access|auth|bearer|refresh|api|csrf|session|id)_?tokens?|session_(?:id|key|cookie)|"
    r"permissions?|acl|access_control|csrf|xss|cors|sanitiz\w*|saml|sso|secrets?|"
    r"privilege\w*|sandbox\w*|verify_\w+|validate_(?:token|signature|password|origin|host))(?=$|[/_.])",
    re.IGNORECASE,
)
_CALLS = re.compile(
    r"(?:subprocess\.\w+|os\.(?:system|popen|exec\w*|spawn\w*|chmod|chown|setuid|remove|unlink|rmdir)|shutil\.rmtree|eval|"
    r"exec|compile|__import__|(?:c?pickle|dill|marshal|shelve|jsonpickle)\.(?:loads?|open)|yaml\.(?:load|unsafe_load|full_load)|"
    r"(?:\w+\.)*(?:execute|executemany|executescript|raw|extra)|hashlib\.(?:md5|sha1)|random\.(?:random|randint|choice)s?|"
    r"ssl\.\w+|socket\.\w+|requests\.\w+|httpx\.\w+|urllib\.request\.\w+|urlopen|mark_safe|Markup|tempfile\.mktemp|"
    r"ctypes\.\w+|importlib\.import_module|tarfile\.open|extractall)"
)
_HARMLESS = frozenset({"subprocess.CalledProcessError", "subprocess.TimeoutExpired", "random.random", "socket.timeout"})
_UNSAFE = {"shell": True, "verify": False, "check_hostname": False, "autoescape": False}


def check(subject: Subject) -> Iterator[Objection]:
    """By the path, by the functions changed, and by calls that are new in source."""
    for file in subject.files():
        if file.is_test:
            continue
        if _WORDS.search(file.path.rpartition(".")[0]):
            yield Objection(NAME, file.path, f"{file.path} is about security by its name", Grade.REVIEW)
        elif file.is_python and file.after is not None:
            yield from _functions(file)
        if file.is_python and file.after is not None:
            yield from _calls(file)


def _functions(file: EditedFile) -> Iterator[Objection]:
    before = functions(file.tree_before)
    for name, function in functions(file.tree_after).items():
        changed = name not in before or shape(before[name]) != shape(function)
        if changed and _WORDS.search(name):
            message = f"{file.path}:{function.lineno} {name} is about security by its name"
            yield Objection(NAME, file.path, message, Grade.REVIEW, function.lineno)


def _calls(file: EditedFile) -> Iterator[Objection]:
    for call in fresh(file.tree_before, file.tree_after, ast.Call):
        word = dotted(call.func)
        unsafe = [
            keyword.arg
            for keyword in call.keywords
            if keyword.arg in _UNSAFE
            and isinstance(keyword.value, ast.Constant)
            and keyword.value.value is _UNSAFE[keyword.arg]
        ]
        if unsafe:
            message = f"{file.path}:{call.lineno} calls {word} with {unsafe[0]}={_UNSAFE[unsafe[0]]}"
            yield Objection(NAME, file.path, message, Grade.REVIEW, call.lineno)
        elif _CALLS.fullmatch(word) and word not in _HARMLESS:
            message = f"{file.path}:{call.lineno} has a new or changed call of {word}, on which security can rest"
            yield Objection(NAME, file.path, message, Grade.REVIEW, call.lineno)
