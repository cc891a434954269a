# SPDX-License-Identifier: BSD-3-Clause
"""The soak: slices of load on one switch that stays, in turns with slices of the bare copy loop at the same rate.

Every frame has to be accounted for, the loss must not be more than the copy loop's, and what the processes hold must
not grow.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import signal
import sys
import threading
import time

from . import machine, steps
from .generator import Generator
from .measures import LITTLE_LOSS, loss_at
from .numbers import in_words, median, search_rate
from .process import INTERRUPTS, RigError, Workspace
from .setup import Rig, Setup
from .systems.limit import Limit
from .systems.ringway import Ringway

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# Rings that outlast a moment without the CPU.
SETUP = Setup(ring_size=1024)
# The hypervisor takes the CPU from one more often than from the other by chance: so much more loss is not the switch's.
LOSS_FACTOR = 1.5
LOSS_FLOOR = 1e-6
# What a process may hold more at the end than at the beginning.
RSS_SLACK_KIB = 1024


@dataclasses.dataclass
class Slice:
    """One run of the generator: frames by its own count, and what the switch counted meanwhile."""

    system: str
    offered: int
    sent: int
    received: int
    missed: int
    wrong: int
    dropped: int = 0
    taken: int = 0
    given: int = 0

    @property
    def lost(self):
        return self.offered - self.received

    def problems(self):
        """Why not every frame of it is accounted for."""
        found = []
        if self.offered != self.sent + self.missed:
            found.append(f"{self.offered} were due, {self.sent} were sent and {self.missed} found no room")
        if self.wrong:
            found.append(f"{self.wrong} frames were foreign or out of order")
        if self.system == "ringway" and self.sent != self.received + self.dropped:
            found.append(f"{self.sent} were sent, {self.received} received, {self.dropped} counted as dropped")
        if self.system == "ringway" and self.taken != self.given + self.dropped:
            found.append(f"the switch took {self.taken}, gave {self.given} and dropped {self.dropped}")
        if self.system != "ringway" and self.sent != self.received:
            found.append(f"{self.sent} were sent, {self.received} received")
        return found


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a process holds at one moment."""

    rss_kib: int
    descriptors: int
    mappings: int


def sample(pid):
    """A Sample; None when the process is gone."""
    proc = pathlib.Path(f"/proc/{pid}")
    try:
        status = (proc / "status").read_text()
        rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return Sample(rss, len(os.listdir(proc / "fd")), len((proc / "maps").read_text().splitlines()))
    except (OSError, StopIteration):
        return None


def growth(name, samples):
    """Why what a process holds has grown: the last third of its samples against the first."""
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    found = []
    for what in ("descriptors", "mappings"):
        before, after = (max(getattr(s, what) for s in part) for part in (first, last))
        if after > before:
            found.append(f"{name} has {after} {what} at the end, {before} at the beginning")
    before, after = (median([s.rss_kib for s in part]) for part in (first, last))
    if after > before + RSS_SLACK_KIB:
        found.append(f"{name} has {after:.0f} KiB at the end, {before:.0f} at the beginning")
    return found


class Watcher:
    """Samples processes while a slice is under way, always at the same part of it."""

    def __init__(self, pids):
        self.pids = pids
        self.samples = {name: [] for name in pids}

    def during(self, seconds):
        timer = threading.Timer(seconds * 2 / 3, self._look)
        timer.daemon = True
        timer.start()
        return timer

    def _look(self):
        for name, pid in self.pids.items():
            seen = sample(pid)
            if seen:
                self.samples[name].append(seen)

    def problems(self):
        # The first slice is where buffers are made that stay.
        return [p for name, seen in self.samples.items() if len(seen) > 2 for p in growth(name, seen[1:])]


class Soak:
    def __init__(self, options, workspace):
        self.options = options
        self.workspace = workspace
        self.rig = Rig(
            top=TOP, build=options.build, switch_cpu=options.switch_cpu, generator_cpu=options.generator_cpu,
            seconds=2.0, trial=options.trial, warm=0.0, keep=options.keep)
        self.system = Ringway(self.rig, workspace)
        self.slices = []
        self.problems = []

    def _stats(self):
        """(taken, given, dropped) of all ports."""
        ports = self.system.stats()["ports"]
        return (sum(p["rx"]["frames"] for p in ports), sum(p["tx"]["frames"] for p in ports),
                sum(p["dropped"] for p in ports))

    def _run(self, generator, seconds):
        said = generator.alone("paced", seconds, "--rate", f"{self.rate:.0f}")
        return Slice(generator.system.name, said["offered"], said["sent"], said["received"], said["missed"],
                     said["alien"] + said["disorder"])

    def _ringway_slice(self, generator, watcher, seconds):
        before = self._stats()
        timer = watcher.during(seconds)
        done = self._run(generator, seconds)
        timer.join()
        done.taken, done.given, done.dropped = (b - a for a, b in zip(before, self._stats()))
        return done

    def _limit_slice(self, seconds):
        with Workspace(self.rig.keep) as workspace:
            system = Limit(self.rig, workspace)
            return self._run(Generator(self.rig, workspace, system, SETUP, system.start(SETUP)), seconds)

    def _find_rate(self, generator):
        most = generator.throughput(2.0)["frames_per_s"]
        for tolerance, words in ((0.0, "without loss"), (LITTLE_LOSS, f"with {LITTLE_LOSS * 100:g} % of loss")):
            rate = search_rate(lambda r, t=tolerance: loss_at(generator, r, self.rig.trial) <= t, most, 1 / 64,
                               retries=2)
            if rate:
                say(f"rate {words}: {in_words(rate / 1e6)} M frames/s of {in_words(most / 1e6)}; "
                    f"load: {self.options.load:g} % of it")
                return rate * self.options.load / 100
        raise RigError("no rate at all is without loss on this machine now")

    def _note(self, done):
        self.slices.append(done)
        problems = [f"slice {len(self.slices)}, {done.system}: {p}" for p in done.problems()]
        self.problems += problems
        say(f"{done.system:8} offered {done.offered} sent {done.sent} received {done.received} "
            f"dropped {done.dropped} no room {done.missed}{''.join('; ' + p for p in problems)}")

    def run(self):
        options = self.options
        generator = Generator(self.rig, self.workspace, self.system, SETUP, self.system.start(SETUP))
        self.rate = self._find_rate(generator)
        watcher = Watcher({"ringway-switch": self.system.pid(), "ringwayd": self.system.daemon.pid})
        total = options.minutes * 60
        # A third of the time is the control's.
        seconds = min(options.slice, total / 6)
        end = time.monotonic() + total
        while time.monotonic() < end:
            self._note(self._ringway_slice(generator, watcher, seconds))
            self._note(self._limit_slice(seconds / 2))
        self.problems += watcher.problems()
        if self.system.pid() != watcher.pids["ringway-switch"]:
            self.problems.append("the switch is not the one that it was at the beginning")
        return self._summary(watcher)

    def _summary(self, watcher):
        loss = {}
        for name in ("ringway", "limit"):
            of = [s for s in self.slices if s.system == name]
            loss[name] = sum(s.lost for s in of) / sum(s.offered for s in of)
        if loss["ringway"] > LOSS_FACTOR * loss["limit"] + LOSS_FLOOR:
            self.problems.append(f"{loss['ringway']:.2e} of the frames are lost, of the bare copy loop's {loss['limit']:.2e}")
        of = [s for s in self.slices if s.system == "ringway"]
        return {
            "minutes": self.options.minutes, "rate": round(self.rate), "slices": len(self.slices),
            "offered": sum(s.offered for s in of), "sent": sum(s.sent for s in of),
            "received": sum(s.received for s in of), "dropped": sum(s.dropped for s in of),
            "no_room": sum(s.missed for s in of), "loss": loss,
            "held": {name: [dataclasses.asdict(s) for s in (seen[0], seen[-1])]
                     for name, seen in watcher.samples.items() if seen},
            "problems": self.problems,
        }


def say(text):
    print(text, flush=True)


def _parser():
    parser = argparse.ArgumentParser(
        prog="bench/soak", description="The switch under load for a long time, every frame accounted for.")
    cpus = os.cpu_count() or 1
    parser.add_argument("--minutes", type=float, default=30, help="length, without the search for the rate (30)")
    parser.add_argument("--slice", type=float, default=20, help="seconds of load at a time; the control has half (20)")
    parser.add_argument("--load", type=float, default=90, help="percent of the rate without loss (90)")
    parser.add_argument("--trial", type=float, default=2, help="seconds of a trial for that rate (2)")
    parser.add_argument("--switch-cpu", type=int, default=cpus - 1, help="the switch's CPU (the last one)")
    parser.add_argument("--generator-cpu", type=int, default=0, help="the generator's CPU (0)")
    parser.add_argument("--build", type=pathlib.Path, help="build directory (build)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the summary there")
    parser.add_argument("--force", action="store_true", help="run beside busy processes")
    parser.add_argument("--keep", action="store_true", help="keep the logs in /tmp")
    return parser


def _interrupt(*_):
    # Once: what follows is the cleaning up.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _check(options):
    if os.geteuid():
        raise RigError("it starts a switch: run it as root")
    busy = [] if options.force else machine.busy_processes()
    if busy:
        pid, command, share = busy[0]
        raise RigError(f"'{command[:80]}' (pid {pid}) keeps {share * 100:.0f} % of a CPU busy: end it first, or say --force")


def _report(summary, options):
    text = json.dumps(summary, indent=1)
    if options.json:
        options.json.write_text(text + "\n")
    say(text)
    for problem in summary["problems"]:
        say(f"FAILED: {problem}")
    say(f"{summary['offered']} frames, {'every one' if not summary['problems'] else 'NOT every one'} accounted for")
    return 1 if summary["problems"] else 0


def main(argv):
    options = _parser().parse_args(argv)
    options.build = (options.build or pathlib.Path(os.environ.get("BUILD", TOP / "build"))).resolve()
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        _check(options)
        with Workspace(options.keep) as workspace:
            return _report(Soak(options, workspace).run(), options)
    except (RigError, steps.Unsupported) as why:
        print(f"bench/soak: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench/soak: interrupted: all that was started is ended", file=sys.stderr)
        return 130
