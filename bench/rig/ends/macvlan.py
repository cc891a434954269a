# SPDX-License-Identifier: BSD-3-Clause
"""macvlan in bridge mode on a veth pair. The host takes part by a macvlan interface of its own, since the
interface below does not reach those on it."""
from .. import places
from ..places import HOST, NAME, SUBNET
from ..process import RigError, run, run_anyway, run_whole
from ..systems.base import Unsupported
from .base import Network

PARENT = f"{NAME}d"
OWN = f"{NAME}h"


class Macvlan(Network):
    name = "macvlan"
    title = "macvlan"
    needs = (("ip", "iproute2"),)

    def make(self, traffic):
        # The host's own end goes first at the end, the network before what it is on.
        self.workspace.at_end(run_anyway, ["ip", "link", "del", PARENT])
        run(["ip", "link", "add", PARENT, "type", "veth", "peer", "name", f"{PARENT}p"])
        run(["ip", "link", "set", f"{PARENT}p", "up"])
        run(["ip", "link", "set", PARENT, "up"])
        self._interface(OWN)
        if self.rig.image:
            self.workspace.at_end(run_anyway, ["docker", "network", "rm", NAME])
            run_whole(["docker", "network", "create", "--driver", "macvlan", "--subnet", SUBNET,
                       "--gateway", HOST, "--opt", f"parent={PARENT}", NAME])

    def _interface(self, name):
        self.workspace.at_end(run_anyway, ["ip", "link", "del", name])
        try:
            run(["ip", "link", "add", "link", PARENT, name, "type", "macvlan", "mode", "bridge"])
        except RigError as why:
            raise Unsupported("the kernel has no macvlan") from why

    def join(self, letter, address):
        if self.rig.image:
            return places.container(
                self.rig, self.workspace, letter, "--network", NAME, "--ip", address)
        place = places.namespace(self.rig, self.workspace, letter)
        name = f"{NAME}m{letter}"
        self._interface(name)
        places.move_in(place, name, address)
        return place

    def join_host(self):
        run(["ip", "address", "add", f"{HOST}/24", "dev", OWN])
        run(["ip", "link", "set", OWN, "up"])
        return super().join_host()
