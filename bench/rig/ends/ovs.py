# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch's userspace datapath with TAP interfaces (its internal ports), which its main thread serves, with
segments left whole. It lives in a namespace of its own, where its TAPs are made, and from where they are moved."""
from .. import places
from ..places import HOST
from ..process import run_anyway, wait_until
from ..systems.ovs import OpenVSwitch as Switch
from .base import Network


class OpenVSwitch(Network, Switch):
    name = "ovs"
    title = "Open vSwitch, TAP"
    no_front_ends = "offers no segmentation to front ends that are clients"

    def make(self, traffic):
        self.start_switch(tso=True, pinned=False)

    def _tap(self, name):
        self._vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=internal")
        wait_until(lambda: self._vsctl("get", "Interface", name, "ofport").strip().isdigit(),
                   f"Open vSwitch making {name}")

    def join(self, letter, address):
        place = places.closed(self.rig, self.workspace, letter)
        name = f"{places.NAME}t{letter}"
        self._tap(name)
        places.move_in(place, name, address, self.inside)
        return place

    def join_host(self):
        place = super().join_host()
        name = f"{places.NAME}th"
        self._tap(name)
        self.workspace.at_end(run_anyway, ["ip", "link", "del", name])
        places.move_in(place, name, HOST, self.inside)
        return place

    def counters(self):
        return None



