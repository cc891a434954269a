# SPDX-License-Identifier: BSD-3-Clause
"""Ringway by its command line: an instance of its own, without an engine."""
import json

from ..process import RigError, keep_off, run, wait_until
from ..setup import FLOOD_FIRST, mac_of
from .base import Counters, System


class Ringway(System):
    name = "ringway"
    title = "Ringway"

    def _command(self, *args):
        return run(
            [self.rig.build / "src/cli/ringway", "--run-dir", self.workspace.dir / "run", *args]
        )

    def _answers(self):
        if self.daemon.poll() is not None:
            raise RigError(f"ringwayd ended: {self.workspace.last_words('ringwayd')}")
        try:
            return json.loads(self._command("version", "--json"))["switch"]["state"] == "running"
        except RigError:
            return False

    def start_daemon(self, *options):
        build = self.rig.build
        self.daemon = self.workspace.start(
            "ringwayd",
            [build / "src/daemon/ringwayd", "--run-dir", self.workspace.dir / "run",
             "--state-dir", self.workspace.dir / "state", "--switch-binary",
             build / "src/switch/ringway-switch", *options, *self.rig.ringwayd_args],
        )
        wait_until(self._answers, "ringwayd answering")

    def add_network(self, name, *options):
        self._command("network", "create", name, "--no-docker", *options)

    def start(self, setup):
        self.start_daemon("--no-docker", "--switch-cores", self.rig.switch_cpu)
        # The switch picks its own CPU and needs to be allowed there; all other threads give way.
        for pid in (self.daemon.pid, self.pid()):
            keep_off(pid, self.rig.generator_cpus)
        self.add_network("bench", "--mtu", setup.mtu)
        if setup.flood:
            self.add_network("flood", "--mtu", setup.mtu)
        return [self._add(i, setup) for i in range(setup.ports)]

    def _add(self, index, setup):
        network = "flood" if setup.flood and index >= FLOOD_FIRST else "bench"
        said = self._command(
            "port", "add", f"p{index}", "--network", network, "--attach", "vhost", "--mac",
            mac_of(index), "--queues", setup.queues, "--json",
        )
        return json.loads(said)["socket"]

    def stats(self):
        """What the switch counted, as the API has it."""
        return json.loads(self._command("stats", "--json"))

    def frames_from(self, index):
        """What the switch took from a port."""
        stats = json.loads(self._command("stats", f"p{index}", "--json"))
        return stats["ports"][0]["rx"]["frames"]

    def counters(self):
        workers = self.stats()["switch"]["workers"]
        return Counters(
            sum(w["busy_cycles"] for w in workers), sum(w["frames"] for w in workers)
        )

    def pid(self):
        return json.loads(self._command("version", "--json"))["switch"]["pid"]
