# SPDX-License-Identifier: BSD-3-Clause
"""Docker's bridge: the engine's own, or one made as the engine makes it."""
from .. import places
from ..places import HOST, NAME, SUBNET
from ..process import run, run_anyway, run_whole
from .base import Network


def _rules(bridge):
    """What the engine's rules come to for one network, as (table, chain, rule)."""
    return [
        ("nat", "POSTROUTING", ["-s", SUBNET, "!", "-o", bridge, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", ["-i", bridge, "-o", bridge, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-i", bridge, "!", "-o", bridge, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED",
                               "-j", "ACCEPT"]),
    ]


class Bridge(Network):
    name = "bridge"
    title = "Docker's bridge"
    needs = (("ip", "iproute2"),)

    def make(self, traffic):
        if self.rig.image:
            self.workspace.at_end(run_anyway, ["docker", "network", "rm", NAME])
            run_whole(["docker", "network", "create", "--driver", "bridge", "--subnet", SUBNET,
                       "--gateway", HOST, NAME])
            return
        bridge = NAME
        self.workspace.at_end(run_anyway, ["ip", "link", "del", bridge])
        run(["ip", "link", "add", bridge, "type", "bridge"])
        run(["ip", "address", "add", f"{HOST}/24", "dev", bridge])
        run(["ip", "link", "set", bridge, "up"])
        for table, chain, rule in _rules(bridge):
            self.workspace.at_end(run_anyway, ["iptables", "-w", "-t", table, "-D", chain, *rule])
            run(["iptables", "-w", "-t", table, "-I", chain, *rule])

    def join(self, letter, address):
        if self.rig.image:
            return places.container(
                self.rig, self.workspace, letter, "--network", NAME, "--ip", address)
        place = places.namespace(self.rig, self.workspace, letter)
        outside, inside = f"{NAME}v{letter}", f"{NAME}w{letter}"
        run(["ip", "link", "add", outside, "type", "veth", "peer", "name", inside])
        self.workspace.at_end(run_anyway, ["ip", "link", "del", outside])
        run(["ip", "link", "set", outside, "master", NAME, "up"])
        places.move_in(place, inside, address)
        return place
