# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's bridge with veth pairs, in a network namespace of its own.

The generator's ends are ordinary interfaces; frames are sent and received over AF_PACKET sockets. Receive packet
steering moves the bridge's work to the switch's CPU, as far as the kernel can: building a frame and handing it
over stay with the sender.
"""
import os

from .. import machine
from ..process import run
from ..setup import mac_of
from .base import Counters, System, Unsupported


class Bridge(System):
    name = "bridge"
    title = "kernel bridge, veth"
    needs = (("ip", "iproute2"),)

    def start(self, setup):
        if setup.packed or setup.queues > 1 or setup.generator != "gen":
            raise Unsupported("has no virtio rings")
        if setup.ports > 100:
            raise Unsupported("measured with up to 100 ports")
        self.hz = None
        self.namespace = f"rwb-{os.getpid()}"
        run(["ip", "netns", "add", self.namespace])
        self.workspace.at_end(run, ["ip", "netns", "del", self.namespace])
        self.generator_prefix = ("ip", "netns", "exec", self.namespace)
        lines = [
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            "ip link add br0 type bridge", f"ip link set br0 mtu {setup.mtu} up",
        ]
        for i in range(setup.ports):
            lines += self._port_lines(i, setup)
        self._run_lines(lines)
        return [f"if:g{i}" for i in range(setup.ports)]

    def _port_lines(self, index, setup):
        mask = f"{1 << self.rig.switch_cpu:x}"
        return [
            f"ip link add g{index} address {mac_of(index)} type veth peer name b{index}",
            f"ip link set g{index} mtu {setup.mtu} up",
            f"ip link set b{index} mtu {setup.mtu} master br0 up",
            f"echo {mask} >/sys/class/net/b{index}/queues/rx-0/rps_cpus",
            f"echo {mask} >/sys/class/net/g{index}/queues/rx-0/rps_cpus",
        ]

    def _run_lines(self, lines):
        run([*self.generator_prefix, "sh", "-ec", "\n".join(lines)])

    def counters(self):
        # By the clock: the kernel counts no cycles for a bridge.
        return Counters(machine.cpu_busy_seconds(self.rig.switch_cpu), None)
