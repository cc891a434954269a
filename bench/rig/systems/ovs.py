# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK, started by hand with a database and directories of its own, in a network namespace of its own:
the TAP interfaces that its userspace datapath makes for itself, and leaves when it is killed, go with that."""
import os
import pathlib

from .. import parse
from ..process import RigError, keep_off, run, run_anyway, wait_until
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
        self.start_switch(setup.tso)
        ports = [f"p{i}" for i in range(setup.ports)]
        for first in range(0, len(ports), 50):
            self._add_ports(ports[first:first + 50], setup)
        for port in ports:
            self.workspace.wait_socket(self.dir / port, self.process)
        self._set_flows(ports)
        keep_off(self.process.pid, self.rig.generator_cpus)
        return [self.dir / port for port in ports]

    def start_switch(self, tso, pinned=True):
        """The processes, and a bridge without ports. Not pinned: it has no PMD thread and runs where it likes."""
        self.dir = self.workspace.dir
        namespace = f"rwb{os.getpid()}-ovs"
        self.inside = ("ip", "netns", "exec", namespace)
        self.workspace.at_end(run_anyway, ["ip", "netns", "del", namespace])
        run(["ip", "netns", "add", namespace])
        self._start_database(self.rig.generator_cpus if pinned else None)
        self._start_process(tso, pinned)
        self._vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")

    def _start_database(self, cpus):
        run(["ovsdb-tool", "create", self.dir / "conf.db", SCHEMA])
        server = self.workspace.start(
            "ovsdb", ["ovsdb-server", self.dir / "conf.db", f"--remote=punix:{self.dir}/db.sock",
                      f"--unixctl={self.dir}/ovsdb.ctl", "--no-chdir"],
            cpus=cpus,
        )
        self.workspace.wait_socket(self.dir / "db.sock", server)
        self._vsctl("--no-wait", "init")

    def _start_process(self, tso, pinned):
        # All at once at the start: taken page by page later, it holds up the thread that serves sockets.
        memory = "--in-memory" if self.memory_as_needed else "--in-memory -m 2048"
        if not self.rig.hugepages:
            # Without the second, it adds --in-memory, which needs hugepages.
            memory = "--no-huge --legacy-mem --no-shconf -m 2048"
        self._vsctl(
            "--no-wait", "set", "Open_vSwitch", ".",
            "other_config:dpdk-init=true",
            f"other_config:dpdk-extra=--no-pci --no-telemetry {memory}",
            *([f"other_config:dpdk-lcore-mask={1 << self.rig.generator_cpu:#x}",
               f"other_config:pmd-cpu-mask={1 << self.rig.switch_cpu:#x}"] if pinned else []),
            f"other_config:userspace-tso-enable={'true' if tso else 'false'}",
        )
        self.process = self.workspace.start(
            "vswitchd", [*self.inside, PROGRAM, f"unix:{self.dir}/db.sock", f"--unixctl={self.dir}/vswitchd.ctl",
                         "--no-chdir", "-vconsole:info"],
            env={"OVS_RUNDIR": str(self.dir), "OVS_LOGDIR": str(self.dir), "OVS_DBDIR": str(self.dir)},
        )
        self.workspace.wait_socket(self.dir / "vswitchd.ctl", self.process)
        wait_until(self._initialized, "Open vSwitch starting DPDK")

    def _initialized(self):
        if self.process.poll() is not None:
            raise RigError(f"Open vSwitch ended: {self.workspace.last_words('vswitchd')}")
        return self._vsctl("get", "Open_vSwitch", ".", "dpdk_initialized").strip() == "true"

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
