"""Code on which security rests is merged by a person who looked at it for that."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from bot.vet.subject import EditedFile, Subject
from bot.vet.syntax import Function, bound_names, dotted, fresh, functions, origins, resolved, shape
from bot.vet.types import Grade, Objection

NAME = "security_sensitive"

_WORDS = re.compile(
    r"(?:^|[/_.])(?:auth(?!or)\w*|oauth\w*|login|logout|passw\w*|crypt\w*|\w*crypto\w*|cipher\w*|encrypt\w*|decrypt\w*|"
    r"signature|hmac|jwt|(?:access|auth|bearer|refresh|api|csrf|session|id)_?tokens?|session_(?:id|key|cookie)|"
    r"permissions?|acl|access_control|csrf|xss|cors|sanitiz\w*|saml|sso|secrets?|"
    r"privilege\w*|sandbox\w*|verify_\w+|validate_(?:token|signature|password|origin|host)|has_perms?|compare_digest|"
    r"allowed_hosts)(?=$|[/_.])",
    re.IGNORECASE,
)
_DANGER = (
    r"subprocess\.\w+|os\.(?:system|popen|exec\w*|spawn\w*|chmod|chown|setuid|setgid)|eval|exec|"
    r"(?:c?pickle|dill|marshal|shelve|jsonpickle|joblib)\.(?:loads?|open)|yaml\.(?:load|unsafe_load|full_load)|"
    r"(?:hashlib|hmac|secrets|ssl|jwt|bcrypt|argon2|nacl|passlib|cryptography|Crypto|OpenSSL|ctypes)\.\S+"
)
_IN_FUNCTION = re.compile(_DANGER)
"""Calls that make every change of their function a matter of security, whatever line it is in."""
_CHANGED = re.compile(
    rf"(?:{_DANGER}|os\.(?:remove|unlink|rmdir)|shutil\.rmtree|compile|__import__|(?:\w+\.)*(?:raw|extra)|"
    r"random\.(?:randint|choices?)|socket\.\w+|requests\.\w+|httpx\.\w+|urllib\.request\.\w+|urlopen|mark_safe|Markup|"
    r"(?:\w+\.)*(?:mark_safe|Markup)|tempfile\.mktemp|importlib\.import_module|tarfile\.open|(?:\w+\.)*extractall)"
)
"""Calls that are looked at where they are new, changed or gone."""
_SQL_CALL = re.compile(
    r"(?:(?:\w+\.)*(?:cursor|cur|conn|connection|db|session|engine)\.)?(?:execute|executemany|executescript)"
)
_SQL = re.compile(
    r"\b(?:select\b[^;]*\bfrom|insert\s+into|update\s+\S+\s+set|delete\s+from|(?:create|alter|drop|grant|truncate)\s+table)\b",
    re.IGNORECASE,
)
_HARMLESS = frozenset({"subprocess.CalledProcessError", "subprocess.TimeoutExpired", "socket.timeout", "ssl.SSLError"})
_MODULES = frozenset(
    {
        "subprocess",
        "pickle",
        "cPickle",
        "dill",
        "marshal",
        "shelve",
        "jsonpickle",
        "joblib",
        "hashlib",
        "hmac",
        "secrets",
    }
    | {"ssl", "jwt", "bcrypt", "argon2", "nacl", "passlib", "cryptography", "Crypto", "OpenSSL", "ctypes", "sqlite3"}
)
_UNSAFE = {"shell": True, "verify": False, "check_hostname": False, "autoescape": False}
_LONGEST_TEXT = 2_000  # the pattern for SQL is not linear


def check(subject: Subject) -> Iterator[Objection]:
    """By the path, by what the changed functions are called and call, and by calls, names and SQL that change."""
    for file in subject.files():
        if file.is_test:
            continue
        if _WORDS.search(file.path.rpartition(".")[0]):
            yield Objection(NAME, file.path, f"{file.path} is about security by its name", Grade.REVIEW)
        elif file.is_python:
            found = [*_functions(file), *_calls(file), *_texts(file), *_names(file)]
            yield from found or _imports(file)


def _functions(file: EditedFile) -> Iterator[Objection]:
    before, after = functions(file.tree_before), functions(file.tree_after)
    known = origins(file.tree_before) | origins(file.tree_after)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is not None and new is not None and shape(old) == shape(new):
            continue
        function = new or old
        assert function is not None
        change = "is new" if old is None else "is removed" if new is None else "changes"
        reason = _reason(name, [each for each in (old, new) if each is not None], known)
        if reason is not None:
            yield _objection(file, function.lineno, f"{name} {change} and {reason}")


def _reason(name: str, versions: list[Function], known: Mapping[str, str]) -> str | None:
    if _WORDS.search(name):
        return "is about security by its name"
    for function in versions:
        for decorator in function.decorator_list:
            if _WORDS.search(dotted(decorator)):
                return f"is under @{dotted(decorator)}"
    for function in versions:
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            word = resolved(call.func, known)
            if (_IN_FUNCTION.fullmatch(word) and word not in _HARMLESS) or (_SQL_CALL.fullmatch(word) and call.args):
                return f"calls {word}"
    return None


def _calls(file: EditedFile) -> Iterator[Objection]:
    known = origins(file.tree_before) | origins(file.tree_after)
    for one, other, what in (
        (file.tree_before, file.tree_after, "has a new or changed"),
        (file.tree_after, file.tree_before, "no longer has the"),
    ):
        for call in fresh(one, other, ast.Call):
            word = resolved(call.func, known)
            unsafe = [
                f"{keyword.arg}={_UNSAFE[keyword.arg]}"
                for keyword in call.keywords
                if keyword.arg in _UNSAFE
                and isinstance(keyword.value, ast.Constant)
                and keyword.value.value is _UNSAFE[keyword.arg]
            ]
            if unsafe:
                yield _objection(file, call.lineno, f"{what} call of {word} with {unsafe[0]}")
            elif word in _HARMLESS:
                continue
            elif _CHANGED.fullmatch(word) or (_SQL_CALL.fullmatch(word) and call.args) or _WORDS.search(word):
                yield _objection(file, call.lineno, f"{what} call of {word}, on which security can rest")


def _texts(file: EditedFile) -> Iterator[Objection]:
    """SQL that changes, in a plain text or around what is put into one."""
    docstrings = {id(n.value) for n in ast.walk(file.tree_after) if isinstance(n, ast.Expr)}
    for node in fresh(file.tree_before, file.tree_after, (ast.Constant, ast.JoinedStr)):
        if id(node) in docstrings:
            continue
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = " x ".join(p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str))
        if _SQL.search(text[:_LONGEST_TEXT]):
            yield _objection(file, node.lineno, "has new or changed SQL")


def _names(file: EditedFile) -> Iterator[Objection]:
    """Settings that are about security by their name."""
    kinds: tuple[type[ast.stmt], ...] = (ast.Assign, ast.AnnAssign)
    for statement in fresh(file.tree_before, file.tree_after, kinds):
        name = next((name for name in sorted(bound_names(statement)) if _WORDS.search(name)), None)
        if name is not None:
            yield _objection(file, statement.lineno, f"{name} is about security by its name and changes")


def _imports(file: EditedFile) -> Iterator[Objection]:
    """What such a change could be for, where nothing else tells: the import alone."""
    before = set(origins(file.tree_before).values())
    for origin in sorted(set(origins(file.tree_after).values()) - before):
        if origin.partition(".")[0] in _MODULES and origin not in _HARMLESS:
            yield _objection(file, None, f"imports {origin}, on which security can rest")


def _objection(file: EditedFile, line: int | None, what: str) -> Objection:
    where = file.path if line is None else f"{file.path}:{line}"
    return Objection(NAME, file.path, f"{where} {what}", Grade.REVIEW, line)
