# SPDX-License-Identifier: BSD-3-Clause
"""SVG plots by gnuplot. Where that is not installed there are none."""
import shutil
import subprocess

from . import report
from .numbers import ratio

STYLES = {"ringway": 1, "ovs": 2, "ovs-flows": 3, "testpmd": 4, "bridge": 5, "limit": 7, "null": 8, "macvlan": 4}


def _lines(summary, measure, x_of, value, factor=1.0, wanted=lambda e: True):
    """{system: [(x, y)]}, for the systems that have any."""
    lines = {}
    for e in summary:
        found = e["values"].get(value)
        if e["measure"] == measure and wanted(e) and found and found["median"] is not None:
            lines.setdefault(e["system"], []).append((x_of(e["point"]), found["median"] * factor))
    return {k: sorted(v) for k, v in lines.items()}


def _script(lines, title, x, y, path, log_y):
    blocks, plots = [], []
    for number, (system, points) in enumerate(lines.items()):
        rows = "\n".join(f"{a:g} {b:g}" for a, b in points)
        blocks.append(f"$d{number} << EOD\n{rows}\nEOD")
        style = STYLES.get(system, 6)
        plots.append(f"$d{number} with linespoints lt {style} lw 2 pt {style} title '{system}'")
    return "\n".join([
        "set terminal svg size 760,440 dynamic background '#ffffff' font 'sans-serif,12'",
        f"set output '{path}'", f"set title '{title}'", f"set xlabel '{x}'", f"set ylabel '{y}'",
        "set logscale x 2", "set logscale y" if log_y else "set yrange [0:*]",
        "set grid", "set key outside right top", *blocks, "plot " + ", ".join(plots), "",
    ])


def _charts(summary):
    def size(point):
        return point["size"]

    def ports(point):
        return point.get("ports", 2)

    plain = {"frames": lambda e: "tso" not in e["point"]}
    yield ("frames.svg", "Frames delivered, one pair, one switch core", "frame size, bytes",
           "million frames/s", _lines(summary, "frames", size, "frames_per_s", 1e-6, plain["frames"]), True)
    yield ("cycles.svg", "Switch cycles per frame (busy cycles only)", "frame size, bytes",
           "cycles", _lines(summary, "frames", size, "cycles_per_frame", 1, plain["frames"]), True)
    yield ("gbit.svg", "Delivered, one pair, one switch core", "frame size, bytes", "Gbit/s",
           _lines(summary, "frames", size, "gbit_per_s"), False)
    yield ("ports.svg", "Pairs of busy ports, 64-byte frames", "ports", "million frames/s",
           _lines(summary, "ports", ports, "frames_per_s", 1e-6), True)
    yield ("idle-ports.svg", "Two busy ports beside idle ones, 64-byte frames", "ports connected",
           "million frames/s", _lines(summary, "idle-ports", ports, "frames_per_s", 1e-6), False)
    for p in ("p50", "p99", "p99.9"):
        lines = {}
        for load in (10, 50, 90):
            found = _lines(summary, "latency", lambda _, at=load: at, f"one_way_{load}_{p}_us", 1,
                           lambda e: e["point"]["size"] == 64)
            for system, points in found.items():
                lines.setdefault(system, []).extend(points)
        yield (f"latency-{p}.svg", f"One-way latency {p}, 64-byte frames",
               "load, % of the rate without loss", "microseconds", lines, True)


# What is compared between two containers: (label, value, point); more is better, but for times.
BARS = (
    ("TCP", "gbit_per_s", {"traffic": "stream", "streams": 1, "congestion": None}),
    ("TCP, 8", "gbit_per_s", {"traffic": "stream", "streams": 8, "congestion": None}),
    ("UDP", "datagrams_per_s", {"traffic": "datagrams"}),
    ("1 / latency", "rtt_p50_us", {"traffic": "pingpong"}),
    ("connects", "connects_per_s", {"traffic": "connects"}),
)


def traffic_bars(summary, between):
    """{system: [its value as a multiple of the bridge's, or None, for each of BARS]}; only those that have any."""
    bars = {}
    for system in dict.fromkeys(e["system"] for e in summary if e["measure"] == "tcp"):
        values = []
        for _, name, point in BARS:
            own, other = (report.find(summary, "tcp", s, name, between=between, **point)
                          for s in (system, "bridge"))
            values.append(ratio(other, own) if name.endswith("_us") else ratio(own, other))
        if any(v is not None for v in values):
            bars[system] = values
    return bars


def _bar_script(bars, title, path):
    rows = [" ".join([f'"{label}"', *(f"{v[i]:g}" if v[i] is not None else "?" for v in bars.values())])
            for i, (label, _, _) in enumerate(BARS)]
    columns = ", ".join(f"$d using {n + 2}{':xtic(1)' if n == 0 else ''} lt {STYLES.get(system, 6)} "
                        f"title '{system}'" for n, system in enumerate(bars))
    return "\n".join([
        "set terminal svg size 760,440 dynamic background '#ffffff' font 'sans-serif,12'",
        f"set output '{path}'", f"set title \"{title}\"", "set style data histogram",
        "set style histogram clustered gap 1", "set style fill solid 0.8", "set yrange [0:*]",
        "set ylabel \"Docker's bridge = 1, more is better\"", "set datafile missing '?'", "set grid ytics",
        "set key outside right top", "$d << EOD", *rows, "EOD", f"plot {columns}", "",
    ])


def _gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True, capture_output=True)


def _draw_traffic(summary, out):
    drawn = []
    for between, title in (("containers", "Between two ordinary containers"),
                           ("host", "From the host to an ordinary container")):
        bars = traffic_bars(summary, between)
        if bars:
            name = f"tcp-{between}.svg"
            _gnuplot(_bar_script(bars, title, out / name))
            drawn.append((name, title))
    return drawn


def draw(summary, out):
    """Draws what the summary has data for; [(file name, title)]."""
    if not shutil.which("gnuplot"):
        return []
    drawn = _draw_traffic(summary, out)
    for name, title, x, y, lines, log_y in _charts(summary):
        if not any(len(points) > 1 for points in lines.values()):
            continue
        script = _script(lines, title, x, y, out / name, log_y)
        _gnuplot(script)
        drawn.append((name, title))
    return drawn
