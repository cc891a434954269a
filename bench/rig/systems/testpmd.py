# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd in io mode between vhost PMD ports: two by two, no lookup at all."""
import subprocess

from .. import parse
from ..process import keep_off, wait_until
from .base import Counters, System, Unsupported


class Testpmd(System):
    name = "testpmd"
    title = "dpdk-testpmd io"
    needs = (("dpdk-testpmd", "dpdk-dev"),)

    def start(self, setup):
        if setup.pattern != "pairs" or setup.ports != setup.busy:
            raise Unsupported("forwards between pairs of ports only")
        if setup.ports > 32:
            raise Unsupported("has 32 ports at most")
        # One more lcore, for its command line, on the generator's CPU.
        memory = [] if self.rig.hugepages else ["--no-huge", "-m", 1024]
        iface = [self.workspace.dir / f"v{i}.sock" for i in range(setup.ports)]
        tso = ",tso=1" if setup.tso else ""
        argv = [
            # By lines, although it writes into a file.
            "stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--no-telemetry", "--in-memory", *memory,
            f"--lcores=0@{self.rig.generator_cpu},1@{self.rig.switch_cpu}",
            *(f"--vdev=net_vhost{i},iface={path},queues={setup.queues}{tso}"
              for i, path in enumerate(iface)),
            "--", "--interactive", "--forward-mode=io", "--record-core-cycles",
            f"--rxq={setup.queues}", f"--txq={setup.queues}",
            f"--total-num-mbufs={max(16384, 4096 * setup.ports)}", "--burst=32",
        ]
        if setup.size > 1518:
            argv.append(f"--max-pkt-len={setup.size + 4}")
        self.process = self.workspace.start("testpmd", argv, stdin=subprocess.PIPE)
        for path in iface:
            self.workspace.wait_socket(path, self.process)
        self._say("start")
        keep_off(self.process.pid, self.rig.generator_cpus)
        return iface

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def counters(self):
        before = self.workspace.log("testpmd").count("total cycles=")
        self._say("show fwd stats all")
        wait_until(
            lambda: self.workspace.log("testpmd").count("total cycles=") > before,
            "testpmd showing its cycles", 20,
        )
        return Counters(*parse.testpmd_cycles(self.workspace.log("testpmd")))

    def pid(self):
        return self.process.pid
