# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK, started by hand with a database and directories of its own."""
import os
import pathlib

from .. import parse
from ..process import keep_off, run, wait_until
from .base import Counters, System, Unsupported

PROGRAM = pathlib.Path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
# A port is a listening and a connected socket of the 1,024 that librte_vhost has room for.
PORTS_MOST = 500
SCHEMA = pathlib.Path("/usr/share/openvswitch/vswitch.ovsschema")


class OpenVSwitch(System):
    name = "ovs"
    title = "Open vSwitch NORMAL"
    needs = (("ovs-vsctl", "openvswitch-switch-dpdk"), (str(PROGRAM), "openvswitch-switch-dpdk"))

    def _vsctl(self, *args):
        return run(["ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--timeout=60", "--retry", *args])

    def _appctl(self, *args):
        return run(["ovs-appctl", f"--target={self.dir}/vswitchd.ctl", *args])

    def start(self, setup):
        if setup.queues > 1:
            raise Unsupported("measured with one queue pair only")
        if setup.ports > PORTS_MOST:
            raise Unsupported("librte_vhost serves 1,024 sockets, listening and connected, at most")
        self.dir = self.workspace.dir
        self._start_database()
        self._start_switch(setup)
        self._vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        ports = [f"p{i}" for i in range(setup.ports)]
        for first in range(0, len(ports), 50):
            self._add_ports(ports[first:first + 50], setup)
        for port in ports:
            self.workspace.wait_socket(self.dir / port, self.process)
        self._set_flows(ports)
        keep_off(self.process.pid, self.rig.generator_cpus)
        return [self.dir / port for port in ports]

    def _start_database(self):
        run(["ovsdb-tool", "create", self.dir / "conf.db", SCHEMA])
        server = self.workspace.start(
            "ovsdb", ["ovsdb-server", self.dir / "conf.db", f"--remote=punix:{self.dir}/db.sock",
                      f"--unixctl={self.dir}/ovsdb.ctl", "--no-chdir"],
            cpus=self.rig.generator_cpus,
        )
        self.workspace.wait_socket(self.dir / "db.sock", server)
        self._vsctl("--no-wait", "init")

    def _start_switch(self, setup):
        # All at once at the start: taken page by page later, it holds up the thread that serves sockets.
        memory = "" if self.memory_as_needed else " -m 2048"
        if not self.rig.hugepages:
            memory = " --no-huge -m 2048"
        self._vsctl(
            "--no-wait", "set", "Open_vSwitch", ".",
            "other_config:dpdk-init=true",
            f"other_config:dpdk-extra=--no-pci --no-telemetry --in-memory{memory}",
            f"other_config:dpdk-lcore-mask={1 << self.rig.generator_cpu:#x}",
            f"other_config:pmd-cpu-mask={1 << self.rig.switch_cpu:#x}",
            f"other_config:userspace-tso-enable={'true' if setup.tso else 'false'}",
        )
        self.process = self.workspace.start(
            "vswitchd", [PROGRAM, f"unix:{self.dir}/db.sock", f"--unixctl={self.dir}/vswitchd.ctl",
                         "--no-chdir", "-vconsole:info"],
            env={"OVS_RUNDIR": str(self.dir), "OVS_LOGDIR": str(self.dir), "OVS_DBDIR": str(self.dir)},
        )
        self.workspace.wait_socket(self.dir / "vswitchd.ctl", self.process)
        wait_until(
            lambda: self._vsctl("get", "Open_vSwitch", ".", "dpdk_initialized").strip() == "true",
            "Open vSwitch starting DPDK",
        )

    def _add_ports(self, ports, setup):
        args = []
        for port in ports:
            args += ["--", "add-port", "br0", port, "--", "set", "Interface", port,
                     "type=dpdkvhostuser", f"mtu_request={setup.mtu}"]
        self._vsctl(*args[1:])

    def _set_flows(self, ports):
        """A new bridge has one flow, with action NORMAL."""

    def counters(self):
        return Counters(*parse.ovs_pmd_stats(self._appctl("dpif-netdev/pmd-stats-show")))

    def pid(self):
        return self.process.pid


class OpenVSwitchFlows(OpenVSwitch):
    name = "ovs-flows"
    title = "Open vSwitch flows"

    def _set_flows(self, ports):
        flows = self.dir / "flows"
        pairs = zip(ports[::2], ports[1::2])
        with open(flows, "w", encoding="ascii") as out:
            for a, b in pairs:
                out.write(f"in_port={a},actions=output:{b}\nin_port={b},actions=output:{a}\n")
        env = {**os.environ, "OVS_RUNDIR": str(self.dir)}
        run(["ovs-ofctl", "--names", "del-flows", f"unix:{self.dir}/br0.mgmt"], env=env)
        run(["ovs-ofctl", "--names", "add-flows", f"unix:{self.dir}/br0.mgmt", flows], env=env)
