# SPDX-License-Identifier: BSD-3-Clause
"""Ringway's ordinary containers: Docker's driver of an instance of its own, or kernel ports in namespaces."""
from .. import places
from ..places import FRONT_MAC, HOST, NAME, SERVER, SUBNET
from ..process import run_anyway
from ..systems.ringway import Ringway as Instance
from .base import Network

DRIVER = f"ringway-{NAME}"


class Ringway(Network, Instance):
    name = "ringway"
    title = "Ringway"
    no_front_ends = ""

    def make(self, traffic):
        engine = ["--docker-name", DRIVER] if self.rig.image else ["--no-docker"]
        self.start_daemon(*engine)
        if self.rig.image:
            # Before the instance is gone, who answers for it.
            self.workspace.at_end(run_anyway, ["docker", "network", "rm", NAME])
        self._command("network", "create", NAME, "--subnet", SUBNET, "--gateway", HOST,
                      *([] if self.rig.image else ["--no-docker"]))

    def join_front_end(self):
        return self._command("port", "add", "v", "--network", NAME, "--attach", "vhost", "--mac",
                             FRONT_MAC, "--ip", f"{SERVER}/24").strip()

    def join(self, letter, address):
        if self.rig.image:
            return places.container(
                self.rig, self.workspace, letter, "--network", NAME, "--ip", address)
        place = places.namespace(self.rig, self.workspace, letter)
        self._command("port", "add", letter, "--network", NAME, "--attach", "kernel",
                      "--netns", place.netns, "--ip", f"{address}/24")
        return place
