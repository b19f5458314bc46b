"""The network of set-up: the public internet without this machine, its neighbours and the cloud's metadata service.

Set-up runs the checkout's own code with a network. It joins the network namespace of a holder container, in which a
helper with NET_ADMIN has first put reject routes; set-up itself has neither NET_ADMIN nor NET_RAW to undo them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.adapters.docker_engine import Engine
from bot.errors import SandboxError
from bot.publish import untrusted

GUARD_SECONDS = 60
PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)

# Runs in the helper: the base image's own python3 through the routing ioctl of route(8), for slim images have no
# iproute2. A connected network is rejected as its two halves, since the more specific route wins; the default route
# goes on working, for a next hop is not itself routed.
GUARD = r"""
import fcntl, ipaddress, json, os, socket, struct, sys
plan = json.loads(sys.argv[1])
UP, GATEWAY, HOST, REJECT, SIOCADDRT = 1, 2, 4, 0x200, 0x890B
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def address(ip):
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(str(ip)))
def add(network, gateway=None, device=None, flags=0):
    import ctypes
    name = ctypes.create_string_buffer(device.encode()) if device else None
    flags |= UP | (GATEWAY if gateway else 0) | (HOST if network.prefixlen == 32 else 0)
    try:
        fcntl.ioctl(control, SIOCADDRT, struct.pack("L16s16s16sHhLPhPLLH", 0, address(network.network_address),
            address(gateway or "0.0.0.0"), address(network.netmask), flags, 0, 0, 0, 0,
            ctypes.addressof(name) if name else 0, 0, 0, 0))
    except FileExistsError:
        pass
def little(text):
    return ipaddress.ip_address(struct.pack("<L", int(text, 16)))
connected, gateway = [], None
for line in open("/proc/net/route").read().splitlines()[1:]:
    device, destination, hop, flags, _, _, _, mask = line.split()[:8]
    if int(flags, 16) & GATEWAY:
        gateway = little(hop)
    else:
        connected.append((device, ipaddress.ip_network(f"{little(destination)}/{little(mask)}")))
if gateway is None:
    sys.exit("the engine's bridge has no default route")
allowed = []
for line in open("/etc/resolv.conf"):
    words = line.split()
    if len(words) > 1 and words[0] == "nameserver" and ":" not in words[1]:
        allowed.append(ipaddress.ip_network(words[1]))
for entry in plan["allow"]:
    try:
        allowed.append(ipaddress.ip_network(entry, strict=False))
    except ValueError:
        try:
            found = socket.getaddrinfo(entry, None, socket.AF_INET)
        except OSError as error:
            sys.exit(f"allowed host {entry} cannot be resolved: {error}")
        allowed.extend(ipaddress.ip_network(item[4][0]) for item in found)
allowed = [network for network in allowed if network.version == 4 and not network.is_loopback]
for network in allowed:
    near = [device for device, subnet in connected if network.subnet_of(subnet)]
    add(network, device=near[0]) if near else add(network, gateway=gateway)
rejected = [ipaddress.ip_network(item) for item in plan["reject"]]
for _, subnet in connected:
    rejected += subnet.subnets() if subnet.prefixlen < 32 else [subnet]
rejected.append(ipaddress.ip_network(str(gateway)))
for network in rejected:
    if network not in allowed:
        add(network, flags=REJECT)
probes = [network.network_address + (1 if network.num_addresses > 1 else 0) for network in rejected]
for probe in [*probes, ipaddress.ip_address("169.254.169.254")]:
    if probe.is_multicast or any(probe in network for network in allowed) or int(probe) >> 24 == 0:
        continue
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
        try:
            test.connect((str(probe), 80))
        except OSError:
            continue
        if test.getsockname()[0] != str(probe):
            sys.exit(f"{probe} is still routed")
if os.path.exists("/proc/net/if_inet6"):
    for line in open("/proc/net/if_inet6"):
        if line.split()[5] != "lo":
            sys.exit("IPv6 is on in the set-up network, where only IPv4 is closed")
"""


@contextlib.contextmanager
def guarded(engine: Engine, image: str, allow: Sequence[str]) -> Iterator[str]:
    """Id of a holder container in whose network namespace set-up may run; removed at the end.

    SandboxError where the network cannot be closed: set-up does not run then.
    """
    holder = closed(engine, image, allow)
    try:
        yield holder
    finally:
        if not engine.cancelled:
            with engine.doing("removing the set-up network"):
                engine.remove_container(holder)


def closed(engine: Engine, image: str, allow: Sequence[str]) -> str:
    """As `guarded`, for a caller that removes the holder itself."""
    with engine.doing("creating a closed network"):
        sysctls = {"net.ipv6.conf.all.disable_ipv6": "1"} if engine.loopback6 else {}
        holder = engine.start_holder(image, {"network_mode": "bridge", "sysctls": sysctls})
    try:
        _close(engine, image, holder, allow)
    except BaseException:
        if not engine.cancelled:
            engine.remove_container(holder)
        raise
    return holder


def _close(engine: Engine, image: str, holder: str, allow: Sequence[str]) -> None:
    plan = json.dumps({"allow": list(allow), "reject": [*PRIVATE, *host_addresses(engine)]})
    helper = ""
    try:
        with engine.doing("closing a network (the image needs python3 for it)"):
            helper = engine.start(
                "guard",
                image,
                {
                    "network_mode": f"container:{holder}",
                    "cap_add": ["NET_ADMIN"],
                    "read_only": True,
                    "pids_limit": 16,
                    "mem_limit": 128 << 20,
                },
                entrypoint=["python3", "-I", "-c", GUARD, plan],
                user="0:0",
            )
            code = int(engine.api.wait(helper, timeout=GUARD_SECONDS)["StatusCode"])
            log = engine.api.logs(helper, tail=1).decode("utf-8", "replace")[-300:]
    finally:
        if helper and not engine.cancelled:
            engine.remove_container(helper)
    if code != 0:
        raise SandboxError(f"the network could not be closed, so nothing was run in it: {untrusted.one_line(log, 300)}")


def host_addresses(engine: Engine) -> list[str]:
    """This machine's own addresses, where the engine runs on it: its services listen there too (fib_trie of proc)."""
    if not engine.local:
        return []
    try:
        lines = Path("/proc/net/fib_trie").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    found = {
        above.split()[1]
        for above, line in itertools.pairwise(lines)
        if line.strip() == "/32 host LOCAL" and above.split()[0] == "|--"
    }
    return sorted(f"{address}/32" for address in found if not address.startswith("127."))
