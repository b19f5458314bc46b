"""The isolation contract of the Docker sandbox: hostile code is run for real, and what it could do is looked at."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from bot.adapters.docker import DockerEnvironment, DockerSandbox, _no_network
from bot.adapters.docker_box import DockerBox
from bot.adapters.docker_engine import Engine
from bot.errors import SandboxError
from bot.ports import Box, Cancelled, Command, Environment, Limits, Service, SetUp
from tests.contract.docker_cases import fresh, made_by, python, run_of

pytestmark = pytest.mark.docker

LIMITS = Limits(memory=192 << 20, pids=64, workspace=48 << 20, tmp=32 << 20, output=64 << 10)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sandbox(docker_image: str) -> Iterator[DockerSandbox]:
    with DockerSandbox.connect() as connected:
        yield connected


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "code.py").write_text("answer = 42\n")
    return root


@pytest.fixture(scope="module")
def environment(sandbox: DockerSandbox, docker_image: str, tree: Path) -> Iterator[DockerEnvironment]:
    with sandbox.set_up(SetUp(docker_image), tree, LIMITS) as made:
        yield made


@pytest.fixture
def box(environment: Environment) -> Iterator[Box]:
    with environment.open() as opened:
        yield opened


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as connected:
        yield connected


# --- case 39: processes ---------------------------------------------------------------------------------------------


def test_a_fork_bomb_is_held_and_dies_with_the_box(environment: Environment) -> None:
    code = """
import os, time
refused = 0
while True:
    try:
        if os.fork() == 0:
            continue
    except BlockingIOError:
        refused += 1
        if refused == 1:
            os.write(1, b'refused\\n')
        time.sleep(0.05)
"""
    with environment.open() as box:
        execution = python(box, code, 3.0)
    assert execution.timed_out
    assert execution.exit_code == -1
    assert "refused" in execution.output
    assert execution.seconds < 10


# --- case 40: memory ------------------------------------------------------------------------------------------------

ALLOCATE = "block = bytearray(2 << 30)"


def test_an_allocation_past_the_limit_is_killed_and_told(box: Box) -> None:
    execution = python(box, ALLOCATE)
    assert execution.exit_code == 137
    assert execution.oom_killed


def test_a_child_killed_for_memory_is_told_even_where_its_parent_ends_well(box: Box) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ALLOCATE!r}])"
    execution = python(box, code)
    assert execution.exit_code == 0
    assert execution.oom_killed
    assert not python(box, "pass").oom_killed  # of two commands in one box, the one that did it


# --- case 41: disk --------------------------------------------------------------------------------------------------


def filler(folder: str) -> str:
    return f"""
import errno
written = 0
try:
    for number in range(64):
        with open({folder!r} + f'/fill{{number}}', 'wb') as file:
            for _ in range(32):
                written += file.write(bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno], written >> 20)
"""


@pytest.mark.parametrize(("folder", "most"), [("/workspace", 48), ("/tmp", 32), ("/grokfix-run", 256)])
def test_filling_a_folder_meets_its_quota_and_not_the_hosts_disk(box: Box, folder: str, most: int) -> None:
    before = os.statvfs("/").f_bavail * os.statvfs("/").f_frsize
    name, written = python(box, filler(folder)).output.split()
    after = os.statvfs("/").f_bavail * os.statvfs("/").f_frsize
    assert name == "ENOSPC"
    assert int(written) <= most
    assert before - after < 1 << 30  # it asked for 2 GiB; other programs write too


def test_inodes_are_bounded(box: Box) -> None:
    code = """
import errno, itertools, os
os.mkdir('many')
try:
    for number in itertools.count():
        os.close(os.open(f'many/{number}', os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(errno.errorcode[error.errno], number <= 100_000)
"""
    assert python(box, code, 60.0).output.split() == ["ENOSPC", "True"]


def test_the_file_size_limit_holds(sandbox: DockerSandbox, docker_image: str, tree: Path) -> None:
    limits = Limits(memory=LIMITS.memory, workspace=48 << 20, tmp=32 << 20, file_size=1 << 20)
    with sandbox.set_up(SetUp(docker_image), tree, limits) as environment, environment.open() as box:
        code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); open('big', 'wb').write(bytes(4 << 20))"
        assert "File too large" in python(box, code).output


def test_nothing_else_can_be_written(box: Box) -> None:
    code = """
import os
for folder in ('/', '/etc', '/usr', '/var', '/home', '/grokfix', '/dev', '/sys', '/proc'):
    try:
        os.close(os.open(folder + '/probe', os.O_CREAT | os.O_WRONLY))
        print('written', folder)
    except OSError:
        pass
print('tried')
"""
    assert python(box, code).output == "tried\n"


def test_where_no_quota_can_be_had_the_disk_is_watched(
    sandbox: DockerSandbox, docker_image: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "free_memory", lambda self: 1 << 28)
    limits = Limits(memory=LIMITS.memory, workspace=64 << 20, tmp=32 << 20)
    with sandbox.set_up(SetUp(docker_image), tree, limits) as environment:
        assert "no disk quota" in environment.description
        with environment.open({"new.py": b"x = 1\n"}) as box:
            assert python(box, "import code, new; print(new.x)").output == "1\n"
            fill = "import time\nfor n in range(8): open(f'f{n}', 'wb').write(bytes(64 << 20))\ntime.sleep(30)"
            execution = python(box, fill, 40.0)
            assert "[killed: the disk lost more than 64 MiB" in execution.output
            assert execution.exit_code == 137
            with pytest.raises(SandboxError, match="was killed"):
                python(box, "pass")


# --- case 42: output ------------------------------------------------------------------------------------------------


def test_a_flood_of_output_keeps_head_and_tail(box: Box) -> None:
    code = "import sys\nprint('first')\nfor n in range(400_000): print('flood', n)\nprint('last')"
    execution = python(box, code)
    assert execution.truncated
    assert execution.output.startswith("first\n")
    assert execution.output.endswith("last\n")
    assert len(execution.output) < LIMITS.output + 100


def test_a_flood_into_the_engines_own_log_is_bounded(box: DockerBox, client: docker.DockerClient) -> None:
    python(box, "out = open('/proc/1/fd/1', 'w')\nfor n in range(300_000): out.write('x' * 99 + chr(10))")
    log = Path(client.api.inspect_container(box._container)["LogPath"])
    if not os.access(log.parent, os.R_OK):
        pytest.skip("the engine's log can only be seen by root on its own machine")
    assert sum(file.stat().st_size for file in log.parent.glob("*json.log*")) < 12 << 20


# --- case 43: survivors ---------------------------------------------------------------------------------------------


def test_a_process_that_left_its_session_is_gone_with_the_box(
    sandbox: DockerSandbox, environment: DockerEnvironment, client: docker.DockerClient
) -> None:
    marker = f"survivor-{os.getpid()}-{time.monotonic_ns()}"
    box = environment.open()
    code = f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    {marker!r}\n    time.sleep(60)"
    assert python(box, code).exit_code == 0
    container = box._container
    assert any(marker in " ".join(line) for line in client.api.top(container, ps_args="-eo pid,args")["Processes"])
    box.close()
    box.close()
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _read(path)]
    deadline = time.monotonic() + 20  # the empty container is removed while the next box is in use
    while container in made_by(client, run_of(sandbox)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_killing_every_process_of_the_user_is_a_result_and_not_an_accident(box: Box) -> None:
    execution = python(
        box, "import os, time; os.kill(-1, 9); time.sleep(20)"
    )  # spares the caller, who falls with the box
    assert execution.exit_code == 137
    assert execution.seconds < 10
    assert not execution.timed_out
    assert box.collect("report.xml") is None
    deadline = time.monotonic() + 20  # the engine learns a moment later that the container has ended
    with pytest.raises(SandboxError, match="not running"):
        while time.monotonic() < deadline:
            python(box, "pass")


# --- case 44: network -----------------------------------------------------------------------------------------------

REACH = """
import json, socket, sys
reached = {}
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), timeout=2).close()
        reached[f'{host}:{port}'] = True
    except ConnectionRefusedError:
        reached[f'{host}:{port}'] = True  # a packet came back from there
    except OSError as error:
        reached[f'{host}:{port}'] = False
print(json.dumps(reached))
"""


@pytest.fixture
def listener() -> Iterator[int]:
    """A service of this machine that listens on all its addresses, as careless ones do."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join()


@pytest.fixture
def neighbour(client: docker.DockerClient, docker_image: str) -> Iterator[tuple[str, str]]:
    """Addresses of a container on the default bridge that serves port 8000, and of the bridge's gateway."""
    server = client.containers.run(docker_image, ["python3", "-m", "http.server", "8000"], detach=True)
    try:
        server.reload()
        network = server.attrs["NetworkSettings"]["Networks"]["bridge"]
        yield network["IPAddress"], network["Gateway"]
    finally:
        server.remove(force=True)


def own_address() -> str:
    """The address of this machine that faces the default route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])


def test_a_run_reaches_nothing(box: Box, neighbour: tuple[str, str], listener: int) -> None:
    beside, gateway = neighbour
    targets = [("169.254.169.254", 80), (gateway, listener), (own_address(), listener), (beside, 8000)]
    execution = box.execute(Command(("python3", "-c", REACH, json.dumps([*targets, ("198.51.100.1", 443)])), 30))
    assert set(json.loads(execution.output).values()) == {False}
    assert python(box, "import socket; print(socket.gethostbyname(socket.gethostname()))").output == "127.0.0.1\n"
    assert python(box, "import socket; socket.create_server(('::1', 0), family=socket.AF_INET6)").exit_code == 0


# The index that pip is made for is a public address that set-up must reach; its name is pip's to say.
PUBLIC = """
import socket
from pip._internal.models.index import PyPI
socket.create_connection((PyPI.netloc, 443), timeout=10).close()
"""
# SIOCDELRT: what took NET_ADMIN to put up takes NET_ADMIN to take down.
UNDO = """
import fcntl, socket
try:
    fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x890C, bytes(120))
except PermissionError:
    pass
else:
    raise SystemExit('routes can be changed')
try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
except PermissionError:
    pass
else:
    raise SystemExit('packets can be made by hand')
"""


def test_set_up_reaches_the_internet_and_neither_metadata_nor_this_machine_nor_its_neighbours(
    sandbox: DockerSandbox,
    docker_image: str,
    tree: Path,
    client: docker.DockerClient,
    neighbour: tuple[str, str],
    listener: int,
) -> None:
    beside, gateway = neighbour
    near = [(gateway, listener), (own_address(), listener), (beside, 8000)]
    far = [("169.254.169.254", 80), ("10.1.2.3", 80), ("172.31.0.1", 80), ("192.168.1.1", 80), ("100.64.0.1", 80)]
    # From the default bridge all of the near ones answer: this test can fail.
    free = client.containers.run(docker_image, ["python3", "-c", REACH, json.dumps(near)], remove=True)
    assert set(json.loads(free).values()) == {True}
    report = ("sh", "-c", 'python3 -c "$0" "$1" > reached.json', REACH, json.dumps(near + far))
    commands = (report, ("python3", "-c", UNDO), ("python3", "-c", PUBLIC))
    with (
        fresh(client, SetUp(docker_image, commands)) as plan,
        sandbox.set_up(plan, tree, LIMITS) as environment,
        environment.open() as box,
    ):
        reached = json.loads(box.execute(Command(("cat", "reached.json"), 10)).output)
    assert len(reached) == len(near + far)
    assert {target for target, answered in reached.items() if answered} == set()


def test_set_up_reaches_what_is_allowed_and_no_more(
    sandbox: DockerSandbox,
    docker_image: str,
    tree: Path,
    client: docker.DockerClient,
    neighbour: tuple[str, str],
    listener: int,
) -> None:
    beside, gateway = neighbour
    report = (
        "sh",
        "-c",
        'python3 -c "$0" "$1" > reached.json',
        REACH,
        json.dumps([(beside, 8000), (gateway, listener)]),
    )
    with (
        fresh(client, SetUp(docker_image, (report,), allow=(beside,))) as plan,
        sandbox.set_up(plan, tree, LIMITS) as environment,
        environment.open() as box,
    ):
        reached = json.loads(box.execute(Command(("cat", "reached.json"), 10)).output)
    assert reached == {f"{beside}:8000": True, f"{gateway}:{listener}": False}


def test_a_network_that_cannot_be_closed_stops_set_up(
    sandbox: DockerSandbox, docker_image: str, tree: Path, client: docker.DockerClient
) -> None:
    with (
        fresh(client, SetUp(docker_image, (("true",),), allow=("no-such-host.invalid",))) as plan,
        pytest.raises(SandboxError, match=r"could not be closed.*no-such-host\.invalid cannot be resolved"),
    ):
        sandbox.set_up(plan, tree, LIMITS)


def test_a_box_that_is_lent_a_network_reaches_what_set_up_may_and_no_more(
    sandbox: DockerSandbox,
    docker_image: str,
    tree: Path,
    client: docker.DockerClient,
    neighbour: tuple[str, str],
    listener: int,
) -> None:
    beside, gateway = neighbour
    near = [(gateway, listener), (own_address(), listener)]
    targets = json.dumps([(beside, 8000), *near, ("169.254.169.254", 80), ("10.1.2.3", 80)])
    plan = SetUp(docker_image, allow=(beside,), trusted=True, network=True)
    reach = Command(("python3", "-c", REACH, targets), 30)
    before = set(made_by(client, run_of(sandbox)))
    with sandbox.set_up(plan, tree, LIMITS) as environment:
        assert environment.no_network == ""
        with environment.open(network=True) as box:
            reached = json.loads(box.execute(reach).output)
            assert python(box, UNDO).exit_code == 0
        assert {target for target, answered in reached.items() if answered} == {f"{beside}:8000"}
        with environment.open() as box:  # every other box has none
            assert set(json.loads(box.execute(reach).output).values()) == {False}
    assert set(made_by(client, run_of(sandbox))) <= before


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (SetUp("", trusted=False, network=True), "code of a proposed change never gets one"),
        (SetUp("", trusted=True), "triage.network: true"),
        (SetUp("", trusted=True, network=True, services=(Service("redis"),)), "of a suite with services"),
    ],
)
def test_who_is_lent_no_network(sandbox: DockerSandbox, docker_image: str, tree: Path, plan: SetUp, why: str) -> None:
    assert why in _no_network(plan)
    if not plan.services:
        with (
            sandbox.set_up(replace(plan, image=docker_image), tree, LIMITS) as environment,
            pytest.raises(SandboxError, match=why.partition(":")[0]),
        ):
            environment.open(network=True)


# --- case 45: what can be seen --------------------------------------------------------------------------------------


def test_nothing_of_this_machine_is_inside(
    environment: DockerEnvironment, monkeypatch: pytest.MonkeyPatch, client: docker.DockerClient
) -> None:
    secret = f"s3cret-{os.urandom(8).hex()}"
    monkeypatch.setenv("XAI_API_KEY", secret)
    code = """
import json, os
seen = {
    'environ': dict(os.environ), 'one': open('/proc/1/environ').read(), 'mounts': open('/proc/mounts').read(),
    'status': open('/proc/self/status').read(), 'ids': [os.getuid(), os.getgid(), os.getgroups()],
    'sockets': [path for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/secrets') if os.path.exists(path)],
    'devices': sorted(os.listdir('/dev')), 'processes': [p for p in os.listdir('/proc') if p.isdigit()],
}
print(json.dumps(seen))
"""
    with environment.open() as box:
        output = python(box, code).output
    seen = json.loads(output)
    assert secret not in output
    assert str(ROOT) not in seen["mounts"]
    assert seen["sockets"] == []
    assert seen["ids"] == [1001, 1001, [1001]]
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert len(seen["processes"]) <= 3  # init, sleep, this
    assert not {"sda", "vda", "kmsg", "mem"} & set(seen["devices"])
    base = client.images.get(environment._shape.image).attrs["Config"]["Env"]
    expected = {entry.partition("=")[0] for entry in base} | {"HOME", "HOSTNAME", "PWD", "LC_CTYPE"}
    assert set(seen["environ"]) <= expected


# --- cases 46 and 48: reports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        "os.mkfifo('/grokfix-run/report.xml')",
        "os.symlink('/etc/passwd', '/grokfix-run/report.xml')",
        "os.symlink('nowhere', '/grokfix-run/report.xml')",
        "os.mkdir('/grokfix-run/report.xml')",
        "import socket; socket.socket(socket.AF_UNIX).bind('/grokfix-run/report.xml')",
        "open('/grokfix-run/report.xml', 'wb').truncate(3 << 20)",
    ],
    ids=["fifo", "symlink", "dangling", "directory", "socket", "too-large"],
)
def test_a_report_that_is_no_plain_file_is_refused(box: Box, make: str) -> None:
    assert python(box, f"import os; {make}").exit_code == 0
    with pytest.raises(SandboxError, match=r"report\.xml in the sandbox"):
        box.collect("report.xml", limit=1 << 20)


def test_a_link_above_the_report_is_refused(box: Box) -> None:
    box.put({"out/report.xml": b"<testsuites/>"})
    assert box.collect("out/report.xml") == b"<testsuites/>"
    python(box, "import os; os.symlink('/etc', '/grokfix-run/l')")
    with pytest.raises(SandboxError, match="not a plain directory"):
        box.collect("l/passwd")


def test_no_report_is_none(box: Box) -> None:
    assert python(box, "import os; os._exit(0)").exit_code == 0
    assert box.collect("report.xml") is None
    assert box.collect("out/report.xml") is None


# --- case 50: this program killed -----------------------------------------------------------------------------------

VICTIM = """
import signal, sys
from pathlib import Path
from bot.adapters.docker import DockerSandbox
from bot.ports import Cancelled, Command, Limits, SetUp

sandbox = DockerSandbox.connect()
signal.signal(signal.SIGTERM, lambda number, frame: sandbox.cancel())
limits = Limits(memory=64 << 20, workspace=16 << 20, tmp=16 << 20)
with sandbox.set_up(SetUp(sys.argv[1]), Path(sys.argv[2]), limits) as environment:
    environment.prepare()
    with environment.open() as box:
        environment.prepare()
        print(sandbox._engine.run, flush=True)
        try:
            box.execute(Command(("sleep", "60"), 60))
        except Cancelled:
            print("cancelled", flush=True)
sandbox.close()
raise SystemExit(130)
"""


def victim(image: str, tree: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", VICTIM, image, str(tree)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_after_sigterm_nothing_is_left(docker_image: str, tree: Path, client: docker.DockerClient) -> None:
    with victim(docker_image, tree) as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "cancelled\n"
        assert process.wait(30) == 130
    assert made_by(client, run) == []


def test_after_sigkill_the_next_start_sweeps_and_leaves_the_living_alone(
    sandbox: DockerSandbox, docker_image: str, tree: Path, client: docker.DockerClient, box: Box
) -> None:
    with victim(docker_image, tree) as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        time.sleep(0.2)
        process.kill()
    assert made_by(client, run)
    assert sandbox.sweep() >= 1
    assert made_by(client, run) == []
    assert python(box, "print('alive')").output == "alive\n"


def test_cancelling_ends_a_run_and_gives_everything_back(
    docker_image: str, tree: Path, client: docker.DockerClient
) -> None:
    with DockerSandbox.connect() as sandbox, sandbox.set_up(SetUp(docker_image), tree, LIMITS) as environment:
        box = environment.open()
        environment.prepare()
        timer = threading.Timer(0.3, sandbox.cancel)
        timer.start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            box.execute(Command(("sleep", "60"), 60))
        assert time.monotonic() - start < 15
        with pytest.raises(Cancelled):
            environment.open()
        box.close()
        timer.join()
    assert made_by(client, run_of(sandbox)) == []
