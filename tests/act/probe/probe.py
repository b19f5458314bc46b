"""Prints as one line of JSON what this container sees, writes an output and a summary, and ends as it is told."""

import hashlib
import json
import os
import socket
import stat
import sys

SOCKET = "/var/run/docker.sock"


def engine(request, body=None):
    """The engine's answer over the mounted socket."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{request} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET)
        connection.sendall(head.encode() + content)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def leave(name):
    """A container as the sandbox makes them, never removed."""
    labels = {"grokfix.run": "probe", "grokfix.namespace": os.readlink("/proc/self/ns/pid")}
    engine(f"POST /containers/create?name={name}", {"Image": "python:3.13-slim", "Labels": labels})


def main():
    with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as file:
        event = json.load(file)
    seen = {
        "environment": {
            name: value for name, value in os.environ.items() if name.startswith(("GITHUB_", "RUNNER_", "EXTRA_"))
        },
        "inputs": {name: value for name, value in os.environ.items() if name.startswith("INPUT_")},
        "token": hashlib.sha256(os.environ["INPUT_GITHUB-TOKEN"].encode()).hexdigest(),  # the log masks the token
        "event": event,
        "socket": stat.S_ISSOCK(os.stat(SOCKET).st_mode),
        "engine": engine("GET /version")["Version"],
        "user": os.getuid(),
        "folder": os.getcwd(),
        "files": sorted(os.listdir(".")),
    }
    print("seen " + json.dumps(seen))
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        file.write(f"outcome<<limit\n{os.environ['INPUT_OUTCOME']}\nlimit\n")
    with open(os.environ["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as file:
        file.write("# Probed\n")
    if os.environ["INPUT_LEAVE"]:
        leave(os.environ["INPUT_LEAVE"])
    print("::notice title=Probe::looked around")
    return int(os.environ["INPUT_EXIT-CODE"])


if __name__ == "__main__":
    sys.exit(main())
