"""The parent of one command in the process sandbox: a small program of its own, run by path, never imported.

    python -I -S supervisor.py STATUS_FD FILE_SIZE OPEN_FILES DIRECTORY ARGV…

It makes itself a child subreaper, so that a daemon that did `setsid` and a double fork still comes back to it, starts
ARGV in a session of its own with resource limits, and kills whatever is left when the command has ended, when a byte
arrives on standard input, or when standard input closes (the bot was killed). Its environment is the command's.

It writes lines to STATUS_FD: the command's process id first, then either `exit N` (N as os.waitstatus_to_exitcode
gives it, negative for a signal) or `errno N` where the command could not be started, and `end` when nothing is left.

A separate process, because being a subreaper is a property of a whole process: inside the bot it would take the
children of unrelated rooms. Only quickly imported modules are used; this start is paid for by every run.
"""

import os
import resource
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
KILL_SECONDS = 10.0


def become_subreaper() -> None:
    """Linux only; elsewhere orphans go to process 1, and only the command's process group can be killed."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> set[int]:
    """Process ids of every descendant, from /proc; empty where there is no /proc.

    Zombies count: a program whose first thread has ended shows as one while its other threads run on.
    """
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 (pathlib costs as much as the rest of this program's start)
    except OSError:
        return set()
    for name in names:
        if not name.isdigit():
            continue
        try:
            descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:
            continue
        try:
            line = os.read(descriptor, 4096)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        # The name of the program stands in parentheses and may hold anything, parentheses and blanks too.
        fields = line[line.rfind(b")") + 1 :].split()
        if len(fields) > 1:
            children.setdefault(int(fields[1]), []).append(int(name))
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        for child in children.get(pending.pop(), ()):
            found.add(child)
            pending.append(child)
    return found


def signal_all(processes: set[int], number: int) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            pass  # it changed its user (a set-uid program); nothing here can end it


def kill_everything(group: int) -> None:
    """Stop the whole tree first and kill it then: what forks faster than it is found cannot run on meanwhile."""
    deadline = time.monotonic() + KILL_SECONDS
    while True:
        stopped: set[int] = set()
        while new := descendants() - stopped:
            signal_all(new, signal.SIGSTOP)
            stopped |= new
            if time.monotonic() > deadline:
                break
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        signal_all(stopped, signal.SIGKILL)
        if not stopped or time.monotonic() > deadline:
            return
        reap(0)
        time.sleep(0.002)


def reap(command: int) -> int | None:
    """Collect every ended child; the wait status of `command` where it was among them."""
    status = None
    while True:
        try:
            process, its_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if process == 0:
            return status
        if process == command:
            status = its_status


def limit(which: int, wanted: int) -> None:
    """Lower the soft and hard limit to `wanted`, never above the hard limit that is there."""
    _, hard = resource.getrlimit(which)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(which, (value, value))


def start(argv: list[str], directory: str, file_size: int, open_files: int, failure: int) -> int:
    """Fork and execute; errno goes to the `failure` pipe, which a successful exec closes."""
    command = os.fork()
    if command:
        return command
    try:
        os.setsid()
        os.chdir(directory)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        limit(resource.RLIMIT_FSIZE, file_size)
        limit(resource.RLIMIT_NOFILE, open_files)
        limit(resource.RLIMIT_CORE, 0)
        # Python ignores the first two, nohup and CI runners others, and what is ignored stays so across exec: the tests
        # would see an odd machine.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606 (argv, no shell: that is the point)
    except OSError as error:
        os.write(failure, str(error.errno).encode())
    finally:
        os._exit(127)


def main() -> int:
    status = int(sys.argv[1])
    file_size, open_files, directory = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    os.set_inheritable(status, False)
    become_subreaper()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    failed, failure = os.pipe()
    command = start(sys.argv[5:], directory, file_size, open_files, failure)
    os.close(failure)
    # The output pipe must be the command's alone, so that its end of file means that everything is dead.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.write(status, f"{command}\n".encode())
    errno = os.read(failed, 16)
    ended = None
    while ended is None:
        readable, _, _ = select.select([0, woken], [], [])
        if woken in readable:
            try:
                os.read(woken, 4096)
            except BlockingIOError:
                pass
            ended = reap(command)
        if 0 in readable:
            break
    kill_everything(command)
    if errno:
        os.write(status, b"errno " + errno + b"\n")
    elif ended is not None:
        os.write(status, f"exit {os.waitstatus_to_exitcode(ended)}\n".encode())
    os.write(status, b"end\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
