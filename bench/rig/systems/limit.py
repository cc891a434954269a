# SPDX-License-Identifier: BSD-3-Clause
"""The bare copy loop, and the null back end that shows the generator's own ceiling."""
import json
import subprocess

from .base import Counters, System, Unsupported


class Limit(System):
    name = "limit"
    title = "bare copy loop"
    options = ()

    def start(self, setup):
        if setup.ports != 2:
            raise Unsupported("copies between two ports only")
        if setup.packed or setup.queues > 1:
            raise Unsupported("one pair of split rings only")
        sockets = [self.workspace.dir / f"{end}.sock" for end in "ab"]
        self.process = self.workspace.start(
            self.name,
            [self.rig.build / "bench/limit/limit", "--cpu", self.rig.switch_cpu, *self.options,
             *sockets],
            cpus=self.rig.generator_cpus, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for path in sockets:
            self.workspace.wait_socket(path, self.process)
        return sockets

    def counters(self):
        self.process.stdin.write("stats\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return Counters(said["busy_cycles"], said["frames"])

    def pid(self):
        return self.process.pid


class Null(Limit):
    name = "null"
    title = "null back end"
    options = ("--null",)
