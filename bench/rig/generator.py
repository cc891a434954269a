# SPDX-License-Identifier: BSD-3-Clause
"""Driving a system: by bench/gen, or by dpdk-testpmd as an application people know."""
import signal
import time

from . import parse, steps
from .numbers import median
from .process import PATIENCE, RigError, run
from .setup import FLOOD_FIRST, mac_of

class Watch:
    """What the switch's core did between two moments."""

    def __init__(self, system):
        self.system = system
        self.before = self._look()
        self.after = None

    def _look(self):
        return time.monotonic(), self.system.counters()

    def stop(self):
        self.after = self._look()

    def cycles_per_frame(self, hz, frames_per_s, loss=0.0):
        """Busy cycles a delivered frame; None where the system has no counters or moved nothing.

        Systems count the frames that they took: those that they lost cost cycles too.
        """
        (begun, first), (ended, last) = self.before, self.after
        if first is None or last is None:
            return None
        if last.frames is None:
            share = (last.cycles - first.cycles) / (ended - begun)
            return share * hz / frames_per_s if frames_per_s else None
        frames = last.frames - first.frames
        if not frames or loss >= 1:
            return None
        return (last.cycles - first.cycles) / frames / (1 - loss)


class Generator:
    """One run of bench/gen against the ports of a system."""

    def __init__(self, rig, workspace, system, setup, ports):
        self.rig = rig
        self.workspace = workspace
        self.system = system
        self.setup = setup
        self.ports_file = workspace.dir / "ports"
        with open(self.ports_file, "w", encoding="ascii") as out:
            for i, port in enumerate(ports):
                out.write(f"{port} {mac_of(i)}\n")

    def _argv(self, mode, seconds, extra, warm):
        s = self.setup
        flags = [f for f, on in (("--both-ways", s.both_ways), ("--packed", s.packed),
                                 ("--tso", s.tso)) if on]
        if s.flood:
            flags += ["--flooder", FLOOD_FIRST + 1]
        return [
            *self.system.generator_prefix, self.rig.build / "bench/gen/gen", mode,
            "--ports", self.ports_file, "--cpu", self.rig.generator_cpu, "--size", s.size,
            "--busy", s.busy, "--pattern", s.pattern, "--queues", s.queues,
            "--ring-size", s.ring_size, "--rx-buffer", s.rx_buffer, "--seconds", seconds,
            "--warm", warm, *flags, *extra,
        ]

    def drive(self, mode, seconds, *extra, on_ready=None, on_measured=None):
        """Runs a mode; returns what it printed. The hooks are called while its load goes on."""
        return steps.drive(
            self.workspace, "gen", self._argv(mode, seconds, ("--steps", *extra), self.rig.warm), seconds + self.rig.warm,
            {"ready": on_ready, "measured": on_measured})

    def alone(self, mode, seconds, *extra):
        """The same without steps and a time to get warm: what it prints is all that it did, but for its first hello."""
        return steps.drive(self.workspace, "gen", self._argv(mode, seconds, extra, 0), seconds, {})

    def _profile(self):
        """Where the switch's CPU spends its time, by function, while the load goes on."""
        data = self.workspace.dir / "perf.data"
        run(["perf", "record", "-q", "-F", 4000, "-C", self.rig.switch_cpu, "-o", data,
             "--", "sleep", 1])
        said = run(["perf", "report", "--stdio", "-q", "--no-children", "--percent-limit", "0.5",
                    "--sort", "comm,dso,symbol", "-i", data])
        point = "-".join(f"{k}-{v}" for k, v in self.setup.key().items())
        self.rig.profile.mkdir(parents=True, exist_ok=True)
        (self.rig.profile / f"profile-{self.system.name}-{point}.txt").write_text(said)

    def throughput(self, seconds=None):
        watch = []

        def measured():
            watch[0].stop()
            if self.rig.profile:
                self._profile()

        said = self.drive(
            "throughput", seconds or self.rig.seconds,
            on_ready=lambda: watch.append(Watch(self.system)),
            on_measured=measured,
        )
        return {
            "frames_per_s": said["frames_per_s"],
            "gbit_per_s": said["gbit_per_s"],
            "loss": said["loss"],
            "cycles_per_frame": watch[0].cycles_per_frame(
                said["hz"], said["frames_per_s"], said["loss"]),
            "kicks": said["kicks"],
            "generator_spare": said["generator_spare"],
        }


def testpmd_argv(rig, setup, sockets):
    """dpdk-testpmd in mac mode between two virtio-user ports: a closed loop of frames."""
    memory = [] if rig.hugepages else ["--no-huge", "-m", 512]
    packed = ",packed_vq=1" if setup.packed else ""
    return [
        # By lines, although it writes into a file.
        "stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--no-telemetry", "--in-memory", "--single-file-segments", *memory,
        f"--lcores=(0,1)@{rig.generator_cpu}",
        *(f"--vdev=virtio_user{i},path={path},mac={mac_of(i)},queue_size=1024{packed}"
          for i, path in enumerate(sockets)),
        "--", "--forward-mode=mac", f"--eth-peer=0,{mac_of(1)}", f"--eth-peer=1,{mac_of(0)}",
        "--tx-first", "--burst=128", f"--txpkts={setup.size}", "--stats-period=1",
        "--total-num-mbufs=16384",
    ]


def testpmd_throughput(rig, workspace, system, setup, ports):
    """The same numbers with dpdk-testpmd as the generator: the median of its seconds."""
    process = workspace.start("generator", testpmd_argv(rig, setup, ports), cpus=rig.generator_cpus)

    def rates():
        if process.poll() is not None:
            raise RigError(f"dpdk-testpmd ended: {workspace.last_words('generator')}")
        return parse.testpmd_rates(workspace.log("generator"))

    _wait_running(rates)
    watch = Watch(system)
    first = len(rates())
    time.sleep(max(2.0, rig.seconds))
    watch.stop()
    rate = median(rates()[first:] or rates()[-1:])
    workspace.end(process, signal.SIGINT)
    hz = None
    return {
        "frames_per_s": rate,
        "gbit_per_s": rate * setup.size * 8 / 1e9,
        "cycles_per_frame": watch.cycles_per_frame(hz, rate),
    }


def _wait_running(rates):
    """Until frames went round for two of its seconds."""
    end = time.monotonic() + PATIENCE
    while sum(1 for r in rates() if r) < 2:
        if time.monotonic() > end:
            raise RigError(f"dpdk-testpmd forwarded no frames within {PATIENCE} s")
        time.sleep(0.1)
