# SPDX-License-Identifier: BSD-3-Clause
"""The measures: which points, which systems, and what one run of one system at one point gives."""
import dataclasses
import time

from . import machine
from .ends import ENDS
from .generator import Generator, testpmd_throughput
from .numbers import search_rate
from .restart import EVENTS_QUICK, Restart, run_restart
from .setup import FLOOD_FIRST, Setup
from .systems import SYSTEMS, Unsupported
from .traffic import Traffic, run_traffic

SIZES = (64, 128, 256, 512, 1024, 1500, 9000)
# The most segments of 1460 bytes that are less than 64 KiB with their headers: Linux takes no whole 64 KiB.
TSO_SIZE = 44 * 1460 + 54
VHOST = ("ringway", "ovs", "ovs-flows", "testpmd", "limit")
ALL = ("ringway", "ovs", "ovs-flows", "testpmd", "bridge", "limit")
LOADS = (10, 50, 90)
# A trial in which the generator itself did not keep up says nothing about the switch.
ACHIEVED = 0.9
# Taken as the base of loads where no rate is without loss.
LITTLE_LOSS = 0.001


@dataclasses.dataclass(frozen=True)
class Measure:
    """run(rig, workspace, system, setup) gives numbers by name. Systems are looked up in `registry`."""

    name: str
    title: str
    systems: tuple
    points: tuple
    quick: tuple
    run: object
    registry: dict = dataclasses.field(default_factory=lambda: SYSTEMS)


def _generator(rig, workspace, system, setup):
    return Generator(rig, workspace, system, setup, system.start(setup))


def run_throughput(rig, workspace, system, setup):
    if setup.generator == "testpmd":
        return testpmd_throughput(rig, workspace, system, setup, system.start(setup))
    return _generator(rig, workspace, system, setup).throughput()


def loss_at(generator, rate, trial):
    """Part of the frames that did not arrive; 1 when the generator itself did not keep up."""
    # At high rates every eighth frame's number is read: all are counted.
    every = 1 if rate < 2e6 else 8
    said = generator.drive("paced", trial, "--rate", f"{rate:.0f}", "--read-every", every)
    if said["offered"] < ACHIEVED * rate * trial:
        return 1.0
    return said["lost"] / said["offered"]


def run_latency(rig, workspace, system, setup):
    """RFC 2544: the rate without loss (26.1), and latencies at parts of it."""
    generator = _generator(rig, workspace, system, setup)
    most = generator.throughput(min(rig.seconds, 2.0))["frames_per_s"]

    def search(tolerance):
        return search_rate(
            lambda r: loss_at(generator, r, rig.trial) <= tolerance, most, 1 / 64, retries=2)

    rate = search(rig.tolerance)
    values = {"zero_loss_frames_per_s": rate, "open_loop_frames_per_s": most}
    if not rate:
        # A machine that is disturbed all the time: latencies are still worth knowing.
        rate = values["little_loss_frames_per_s"] = search(LITTLE_LOSS) or most / 64
    for load in LOADS:
        one_way = generator.drive(
            "paced", rig.seconds, "--rate", f"{max(1, rate * load / 100):.0f}")
        # Both directions together are as many frames as one way alone.
        both = generator.drive(
            "paced", rig.seconds, "--rate", f"{max(1, rate * load / 200):.0f}", "--round-trip")
        for name, hist in (("one_way", one_way["one_way_us"]), ("round_trip", both["round_trip_us"])):
            for p in ("p50", "p99", "p99.9"):
                values[f"{name}_{load}_{p}_us"] = hist[p]
        values[f"loss_{load}"] = one_way["lost"] / one_way["offered"]
    return values


def run_fairness(rig, workspace, system, setup):
    """Frames taken from the first sender and, beside it, from one that floods. Both send all they can."""
    generator = _generator(rig, workspace, system, setup)
    senders = (0, FLOOD_FIRST) if setup.flood else (0,)
    looks = []

    def look():
        looks.append((time.monotonic(), [system.frames_from(i) for i in senders]))

    generator.drive("throughput", rig.seconds, on_ready=look, on_measured=look)
    (begun, first), (ended, last) = looks
    rates = [(b - a) / (ended - begun) for a, b in zip(first, last)]
    return dict(zip(("frames_per_s", "flooder_frames_per_s"), rates))


def run_idle(rig, workspace, system, setup):
    generator = _generator(rig, workspace, system, setup)
    seconds = max(2.0, rig.seconds)
    pid = system.pid()
    looks = []

    def look():
        used = (machine.process_seconds(pid) if pid
                else machine.cpu_busy_seconds(rig.switch_cpu))
        looks.append((time.monotonic(), used))

    # A while after the last frame, so that an adaptive switch has gone to sleep.
    said = generator.drive(
        "idle", seconds, "--wakes", 200, "--gap", 20,
        on_ready=lambda: (time.sleep(1.0), look()), on_measured=look,
    )
    (begun, first), (ended, last) = looks
    return {
        "idle_cpu_share": (last - first) / (ended - begun),
        "wake_p50_us": said["wake_us"]["p50"],
        "wake_p99_us": said["wake_us"]["p99"],
        "wake_max_us": said["wake_us"]["max"],
        "wake_lost": said["lost"],
    }


def run_memory(rig, workspace, system, setup):
    system.memory_as_needed = True
    if not setup.ports:
        system.start(setup)
        time.sleep(1.0)
        return {"resident_kib": machine.process_kib(system.pid())}
    values = {}

    def look():
        values["resident_kib"] = machine.process_kib(system.pid())

    _generator(rig, workspace, system, setup).drive("throughput", 0.2, on_ready=look)
    return values


def _each(*points, **same):
    return tuple(Setup(**{**same, **p}) for p in points)


# Rings hold several bursts of 32 frames, of all sizes.
_sizes = (*_each(*({"size": s} for s in SIZES[:-1])), Setup(size=SIZES[-1], ring_size=1024))
_segments = Setup(size=TSO_SIZE, tso=True, ring_size=1024, rx_buffer=16384)
_few_sizes = _each({"size": 64}, {"size": 1500})
# Whoever lacks the CPU for 50 microseconds must not lose frames for that.
_long_rings = _each({"size": 64}, {"size": 1500}, ring_size=1024)
_ports = _each(*({"ports": n, "busy": n} for n in (2, 8, 100, 1000)))
_idle_ports = _each(*({"ports": n} for n in (2, 102, 1002)))
_fairness = (Setup(), Setup(ports=66, busy=4, flood=True))

_restarts = tuple(
    Restart(how, ports, rate) for how in ("kill", "restart") for ports, rate in ((2, 10000), (100, 1000)))
_few_restarts = tuple(dataclasses.replace(r, events=EVENTS_QUICK) for r in _restarts)

# What Linux has for congestion control where nobody says otherwise; the machine may have another one.
CUBIC = "cubic"
# What containers exchange, and what the host and a container do.
_traffic = tuple(
    Traffic(kind, streams, between) for between in ("containers", "host")
    for kind, streams in (("stream", 1), ("stream", 8), ("datagrams", 1), ("pingpong", 1), ("connects", 1))
) + (Traffic("stream", 1, "to-vhost"), Traffic("fetch", 1, "from-vhost")) + tuple(
    Traffic("stream", streams, between, CUBIC)
    for streams, between in ((1, "containers"), (8, "containers"), (1, "to-vhost")))

MEASURES = {m.name: m for m in (
    Measure("frames", "One pair, one way, open loop", ALL, (*_sizes, _segments), _few_sizes,
            run_throughput),
    Measure("both-ways", "One pair, both ways", ALL,
            _each({"size": 64}, {"size": 512}, {"size": 1500}, both_ways=True),
            _each({"size": 64}, both_ways=True), run_throughput),
    Measure("realistic", "One pair, dpdk-testpmd in mac mode as the generator",
            VHOST, _each({"size": 64}, {"size": 1500}, generator="testpmd"),
            _each({"size": 64}, generator="testpmd"), run_throughput),
    Measure("packed", "One pair, packed rings", ("ringway", "ovs", "ovs-flows", "testpmd"),
            _each({"size": 64}, {"size": 1500}, packed=True), _each({"size": 64}, packed=True),
            run_throughput),
    Measure("queues", "One pair with four queue pairs each, one switch core", ("ringway", "testpmd"),
            _each({"size": 64}, {"size": 1500}, queues=4), _each({"size": 64}, queues=4),
            run_throughput),
    Measure("ports", "Pairs of ports, all of them busy", ("ringway", "ovs", "ovs-flows", "testpmd",
            "bridge"), _ports, _ports[:2], run_throughput),
    Measure("idle-ports", "Two busy ports beside idle ones", ("ringway", "ovs"),
            _idle_ports, _idle_ports[:2], run_throughput),
    Measure("fairness", "A sender on a saturated worker, alone and beside one that floods 64 ports",
            ("ringway",), _fairness, _fairness, run_fairness),
    Measure("latency", "Rate without loss, and latency at parts of it", ALL,
            _long_rings, _long_rings[:1], run_latency),
    Measure("idle", "Two connected ports without a frame", ("ringway", "ovs", "testpmd", "bridge"),
            _few_sizes[:1], _few_sizes[:1], run_idle),
    Measure("memory", "Resident memory of the switch", ("ringway", "ovs"),
            tuple(Setup(ports=n) for n in (0, 100, 1000)), tuple(Setup(ports=n) for n in (0, 100)),
            run_memory),
    Measure("tcp", "Ordinary containers: TCP and UDP between two, with the host, with a vhost front end",
            tuple(ENDS), _traffic, (_traffic[0], _traffic[3], _traffic[10]), run_traffic, ENDS),
    Measure("restart", "The switch killed, and handed over: time without a frame, of each receiver", ("ringway",),
            _restarts, _few_restarts, run_restart),
    Measure("ceiling", "The generator against a null back end", ("null",),
            _sizes[:-1], _few_sizes, run_throughput),
)}


def measure_once(measure, rig, workspace, system_class, setup):
    """Numbers of one run, {"unsupported": why} or, after a failure, {"error": why}."""
    system = system_class(rig, workspace)
    try:
        return measure.run(rig, workspace, system, setup)
    except Unsupported as why:
        return {"unsupported": str(why)}
    finally:
        system.stop()
