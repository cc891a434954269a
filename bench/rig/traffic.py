# SPDX-License-Identifier: BSD-3-Clause
"""What ordinary containers exchange, and one measurement of it."""
import dataclasses
import time

from . import machine, steps
from .process import RigError

DATAGRAM = 64
CONNECTIONS = 16


@dataclasses.dataclass(frozen=True)
class Traffic:
    """One point: what is sent, and between whom: two containers, or the host and a container."""

    traffic: str = "stream"
    streams: int = 1
    between: str = "containers"
    # TCP congestion control of the sender; "": the machine's.
    congestion: str = ""

    @property
    def front_end(self):
        """Whether one end is a vhost front end."""
        return self.between in ("to-vhost", "from-vhost")

    def key(self):
        return {k: v for k, v in dataclasses.asdict(self).items() if v != ""}


def _options(traffic):
    if traffic.traffic == "datagrams":
        return ["--size", DATAGRAM]
    if traffic.traffic == "connects":
        return ["--streams", CONNECTIONS]
    return ["--streams", traffic.streams,
            *(["--congestion", traffic.congestion] if traffic.congestion else [])]


def _stream(said, cpus):
    rate = said["bytes"] / said["seconds"]
    return {"gbit_per_s": said["gbit_per_s"],
            "cycles_per_byte": cpus * said["hz"] / rate if rate else None}


def _datagrams(said, _):
    return {"datagrams_per_s": said["received_per_s"], "loss": said["loss"]}


def _pingpong(said, _):
    return {f"rtt_{p}_us": said["rtt_us"][p] for p in ("p50", "p99")}


def _connects(said, _):
    return {"connects_per_s": said["connects_per_s"], "connects_failed": said["failed"]}


# What has to be more than 0: a system that carries nothing has failed.
_MOVED = {"stream": "bytes", "fetch": "bytes", "datagrams": "received_per_s", "pingpong": "per_s",
          "connects": "connects_per_s"}
_VALUES = {"stream": _stream, "fetch": _stream, "datagrams": _datagrams, "pingpong": _pingpong, "connects": _connects}


def run_traffic(rig, workspace, system, traffic):
    """Numbers of one run: what arrived, and the CPUs that all of the machine used meanwhile."""
    ends = system.start(traffic)
    looks = []

    def look():
        looks.append((time.monotonic(), machine.busy_seconds()))

    said = steps.drive(
        workspace, "client",
        [*ends.client.inet, traffic.traffic, "--to", ends.address,
         "--port", ends.port, *_options(traffic), "--seconds",
         rig.seconds, "--warm", rig.warm, "--steps"],
        rig.seconds + rig.warm, {"ready": look, "measured": look})
    if not said[_MOVED[traffic.traffic]]:
        raise RigError(f"nothing arrived at {ends.address}, port {ends.port}")
    (begun, first), (ended, last) = looks
    cpus = (last - first) / (ended - begun)
    return {**_VALUES[traffic.traffic](said, cpus), "cpus": cpus}
