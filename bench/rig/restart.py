# SPDX-License-Identifier: BSD-3-Clause
"""How long receivers are without a frame when the switch is killed, and when it hands over."""
import dataclasses
import json
import subprocess
import sys

from .process import RigError

EVENTS = 100
EVENTS_QUICK = 10
# Waiting for a spare, frames on every port again, and a moment of rest.
SECONDS_EACH = 20


@dataclasses.dataclass(frozen=True)
class Restart:
    """One point: what is done to the switch, how often, and the ports that exchange frames meanwhile."""

    how: str
    ports: int
    # Frames a second of each port.
    rate: int
    events: int = EVENTS

    def key(self):
        return dataclasses.asdict(self)


def run_restart(rig, workspace, system, point):
    """Gaps of all receivers over all events, in milliseconds; what was lost or came twice."""
    system.start_daemon("--no-docker", "--switch-cores", rig.switch_cpu)
    system.add_network("bench")
    command = [
        sys.executable, rig.top / "tests/smoke/restart.py", "--run-dir", workspace.dir / "run", "--network", "bench",
        "--sequence", rig.build / "tests/tools/sequence", "--how", point.how, "--events", point.events,
        "--ports", point.ports, "--rate", point.rate, "--cpu", rig.generator_cpu, "--sequence-arg=--busy",
    ]
    process = workspace.start("restart", command, stdout=subprocess.PIPE)
    try:
        text, _ = process.communicate(timeout=point.events * SECONDS_EACH)
        said = json.loads(text)
    except (subprocess.TimeoutExpired, ValueError) as why:
        raise RigError(f"the test of restarts did not end well: {workspace.last_words('restart')}") from why
    if said["problems"]:
        raise RigError(said["problems"][0])
    values = {f"gap_{p}_ms": said["gap_ms"][p] for p in ("p50", "p99", "max")}
    values["calm_p99_ms"] = said["calm_gap_ms"]["p99"]
    if said["handover_ms"]:
        values["handover_p99_ms"] = said["handover_ms"]["p99"]
    values |= {"lost_frames": said["lost"], "frames_twice": said["duplicated"]}
    return values
