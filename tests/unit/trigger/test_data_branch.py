"""Many writers, one branch, nothing lost."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.errors import ForgeError
from bot.ports import Denied
from bot.trigger import data_branch
from bot.trigger.data_branch import BRANCH, Change, Read
from tests.fake_forge import FakeForge
from tests.fakes import FakeClock
from tests.unit.trigger.sample import shop


def appended(line: str, path: str = "log.txt") -> Change:
    def change(read: Read) -> Mapping[str, bytes]:
        content = read(path) or b""
        return {} if line.encode() in content.splitlines() else {path: content + line.encode() + b"\n"}

    return change


def update(forge: FakeForge, change: Change, clock: FakeClock | None = None) -> bool:
    return data_branch.update(forge, clock or FakeClock(), change, "Write", jitter=lambda: 1.0)


def lines(forge: FakeForge, path: str = "log.txt") -> list[str]:
    return forge.commits[forge.branches[BRANCH]].files[path][1].decode().splitlines()


def test_the_branch_is_made_an_orphan_that_says_what_it_is() -> None:
    forge = shop()
    assert update(forge, appended("one"))
    commit = forge.commits[forge.branches[BRANCH]]
    assert commit.parents == ()
    assert set(commit.files) == {"README.md", "log.txt"}
    assert [call.method for call in forge.calls] == ["branch", "create_commit", "create_branch"]


def test_a_write_is_four_calls_and_repeated_none() -> None:
    forge = shop()
    update(forge, appended("one"))
    forge.calls.clear()
    assert update(forge, appended("two"))
    assert [call.method for call in forge.calls] == ["branch", "file", "create_commit", "move_branch"]
    forge.calls.clear()
    assert not update(forge, appended("two"))
    assert [call.method for call in forge.calls] == ["branch", "file"]
    assert lines(forge) == ["one", "two"]


def test_what_is_there_already_is_not_written_again() -> None:
    forge = shop()
    update(forge, appended("one"))

    def same(read: Read) -> Mapping[str, bytes]:
        return {"log.txt": read("log.txt") or b""}

    assert not update(forge, same)


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("moment", ["create_commit", "last"])
def test_somebody_faster_is_read_again(existing: bool, moment: str) -> None:
    forge = shop()
    if existing:
        update(forge, appended("zero"))
    last = "move_branch" if existing else "create_branch"
    clock = FakeClock()
    for nth in (1, 2):
        forge.before(
            last if moment == "last" else moment,
            lambda nth=nth: forge.push(BRANCH, {"log.txt": "".join(f"{each}\n" for each in seen(forge)) + f"x{nth}\n"}),  # type: ignore[misc]
            nth=nth,
        )
    if not existing:
        forge._plans = forge._plans[:1]  # the second round finds the branch
    started = clock.monotonic()
    assert update(forge, appended("mine"), clock)
    assert lines(forge)[-1] == "mine"
    assert set(lines(forge)) >= {"mine", "x1"}
    assert clock.monotonic() > started  # it waited, by the clock that it was given


def seen(forge: FakeForge) -> list[str]:
    return lines(forge) if BRANCH in forge.branches else []


def test_writers_at_once_lose_nothing() -> None:
    forge = shop()
    writers, each = 8, 5

    def write(writer: int) -> None:
        for number in range(each):
            assert update(forge, appended(f"{writer}-{number}"))

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    assert sorted(lines(forge)) == sorted(f"{writer}-{number}" for writer in range(writers) for number in range(each))
    sha: str | None = forge.branches[BRANCH]
    length = 0
    while sha:
        length += 1
        sha = next(iter(forge.commits[sha].parents), None)
    assert length == writers * each  # one commit a write, in one line


def test_it_gives_up_where_somebody_is_always_faster() -> None:
    forge = shop()
    update(forge, appended("one"))
    for nth in range(1, data_branch.TRIES + 1):
        forge.before("move_branch", lambda nth=nth: forge.push(BRANCH, {"x": str(nth)}), nth=nth)  # type: ignore[misc]
    with pytest.raises(ForgeError, match="moved by somebody else 40 times"):
        update(forge, appended("two"))
    assert lines(forge) == ["one"]


@pytest.mark.parametrize("method", ["create_commit", "create_branch"])
def test_a_token_that_may_not_write_is_said(method: str) -> None:
    forge = shop()
    forge.denied[method] = Denied(403, "Resource not accessible by integration")
    with pytest.raises(ForgeError, match="contents: write") as error:
        update(forge, appended("one"))
    assert error.value.status == 403


def test_a_write_that_landed_without_an_answer_is_found_by_the_next_run() -> None:
    forge = shop()
    update(forge, appended("one"))
    forge.fail("move_branch", ForgeError("no answer"), after=True)
    with pytest.raises(ForgeError):
        update(forge, appended("two"))
    assert not update(forge, appended("two"))
    assert lines(forge) == ["one", "two"]
