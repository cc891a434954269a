# SPDX-License-Identifier: BSD-3-Clause
"""Where the ends of the traffic are: containers of an engine, network namespaces without one, the host."""
import dataclasses
import io
import os
import shutil
import subprocess
import tarfile

from .process import RigError, run, run_anyway, run_whole, wait_until

# All that a run makes on the host is called by this, or by its first letters where names are short.
NAME = f"rwb{os.getpid()}"
# Its networks, one at a time: 10.231.N.0/24.
NET = f"10.231.{os.getpid() % 250}"
SUBNET, HOST, CLIENT, SERVER = f"{NET}.0/24", f"{NET}.1", f"{NET}.11", f"{NET}.12"

FRONT_MAC = "02:00:00:00:00:12"


@dataclasses.dataclass(frozen=True)
class Place:
    """`inet` starts bench/inet there; `inside` runs a command of the host's in its network namespace, whose name
    or process `netns` is, as ip-link(8) takes it."""

    inet: tuple
    inside: tuple
    netns: str


@dataclasses.dataclass(frozen=True)
class Ends:
    """Who sends to whom, at which address."""

    client: Place
    address: str
    port: int = 5201


def program(rig):
    return rig.build / "bench/inet/inet"


def host(rig):
    return Place((program(rig),), (), "1")


def front_end(rig, workspace, socket):
    """A vhost front end that speaks TCP at the server's address: its ports, that takes a stream and that sends one."""
    peer = rig.build / "tests/tools/tcp-peer"
    if not peer.exists():
        raise RigError(f"{rig.build} has no TCP peer: run 'make' first, or say --build")
    process = workspace.start("peer", ["stdbuf", "-oL", peer, socket, "--mac", FRONT_MAC, "--ip", SERVER,
                                        "--ring", 64])
    wait_until(lambda: process.poll() is not None or "ready" in workspace.log("peer"),
               "the TCP peer connecting")
    if process.poll() is not None:
        raise RigError(f"the TCP peer ended: {workspace.last_words('peer')}")
    return {"to-vhost": 5001, "from-vhost": 5002}


def engine_version():
    """Of the engine that runs on this machine; "" where none answers."""
    if not shutil.which("docker"):
        return ""
    try:
        return run(["docker", "version", "--format", "{{.Server.Version}}"]).strip()
    except (RigError, subprocess.TimeoutExpired):
        return ""


class Image:
    """An image of bench/inet alone, for as long as it is entered."""

    def __init__(self, path):
        self.path = path
        self.name = f"{NAME}:latest"

    def __enter__(self):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as out:
            out.add(self.path, "inet", filter=lambda info: info.replace(mode=0o755, deep=False))
        done = subprocess.run(
            ["docker", "import", "-", self.name], input=tar.getvalue(), capture_output=True, check=False)
        if done.returncode:
            raise RigError(f"docker import: {done.stderr.decode(errors='replace').strip()}")
        return self

    def __exit__(self, *_):
        run_anyway(["docker", "rmi", "-f", self.name])


def container(rig, workspace, letter, *options):
    """A container that serves. `options` are docker run's."""
    name = f"{NAME}-{letter}"
    workspace.at_end(run_anyway, ["docker", "rm", "-f", name])
    run_whole(["docker", "run", "-d", "--name", name, *options, rig.image, "/inet", "serve"])
    pid = run(["docker", "inspect", "--format", "{{.State.Pid}}", name]).strip()
    return Place(
        ("docker", "exec", "-i", name, "/inet"), ("nsenter", f"--net=/proc/{pid}/ns/net"), pid)


def namespace(rig, workspace, letter):
    """The same without an engine. Its server starts when it is asked for, by serve()."""
    name = f"{NAME}-{letter}"
    workspace.at_end(run_anyway, ["ip", "netns", "del", name])
    run(["ip", "netns", "add", name])
    inside = ("ip", "netns", "exec", name)
    run([*inside, "ip", "link", "set", "lo", "up"])
    place = Place((*inside, program(rig)), inside, name)
    workspace.start(f"serve-{letter}", [*place.inet, "serve"])
    return place


def closed(rig, workspace, letter):
    """A place without any interface but lo."""
    if rig.image:
        return container(rig, workspace, letter, "--network", "none")
    return namespace(rig, workspace, letter)


def move_in(place, interface, address, netns_from=()):
    """Moves an interface into a place and gives it its address there. Only the loopback's side is up before."""
    run([*netns_from, "ip", "link", "set", interface, "netns", place.netns])
    run([*place.inside, "ip", "address", "add", f"{address}/24", "dev", interface])
    run([*place.inside, "ip", "link", "set", interface, "up"])
