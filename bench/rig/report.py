# SPDX-License-Identifier: BSD-3-Clause
"""Results as a summary, and the summary as text: medians and spreads over rounds."""
import re

from .numbers import in_words, median, ratio, spread

# A cell of a table that is text rather than a number.
WIDE = 24
# Value in a result -> (heading, factor).
COLUMNS = {
    "frames_per_s": ("Mframes/s", 1e-6),
    "gbit_per_s": ("Gbit/s", 1),
    "cycles_per_frame": ("cycles/frame", 1),
    "loss": ("loss %", 100),
    "generator_spare": ("generator spare %", 100),
    "flooder_frames_per_s": ("flooder's Mframes/s", 1e-6),
    "zero_loss_frames_per_s": ("no-loss Mframes/s", 1e-6),
    "little_loss_frames_per_s": ("0.1 %-loss Mframes/s", 1e-6),
    "open_loop_frames_per_s": ("open-loop Mframes/s", 1e-6),
    "idle_cpu_share": ("CPU %", 100),
    "resident_kib": ("MiB", 1 / 1024),
    "cycles_per_byte": ("cycles/byte", 1),
    "datagrams_per_s": ("k datagrams/s", 1e-3),
    "rtt_p50_us": ("there and back p50 us", 1),
    "rtt_p99_us": ("p99 us", 1),
    "connects_per_s": ("k connections/s", 1e-3),
    "connects_failed": ("failed", 1),
    "cpus": ("CPUs", 1),
    "gap_p50_ms": ("gap p50 ms", 1),
    "gap_p99_ms": ("gap p99 ms", 1),
    "gap_max_ms": ("gap max ms", 1),
    "calm_p99_ms": ("p99 ms without", 1),
    "handover_p99_ms": ("handover p99 ms", 1),
    "lost_frames": ("lost", 1),
    "frames_twice": ("twice", 1),
}
TRAFFIC = {
    "datagrams": "UDP, 64 B", "pingpong": "TCP, 1 B there and back", "connects": "TCP, short connections",
}
BETWEEN = {
    "containers": "two containers", "host": "host to container", "to-vhost": "container to vhost",
    "from-vhost": "vhost to container",
}


def _traffic_name(point):
    """{"traffic": "stream", "streams": 8, "between": "host"} -> "host to container, TCP, 8 streams"."""
    count = point["streams"]
    what = TRAFFIC.get(point["traffic"]) or f"TCP, {count} stream{'s' if count > 1 else ''}"
    congestion = f", {point['congestion']}" if point.get("congestion") else ""
    return f"{BETWEEN[point['between']]}, {what}{congestion}"


RESTARTS = {"kill": "kill -9", "restart": "planned handover"}


def point_name(point):
    """{"size": 64, "both_ways": True} -> "64 B, both ways"."""
    if "traffic" in point:
        return _traffic_name(point)
    if "how" in point:
        return f"{point['events']} x {RESTARTS[point['how']]}, {point['ports']} ports, {point['rate']} frames/s each"
    words = ["64 KiB TSO" if point.get("tso") else f"{point['size']} B"]
    for key, value in point.items():
        if key in ("size", "tso"):
            continue
        name = key.replace("_", " ")
        words.append(name if value is True else f"{name} {value}")
    return ", ".join(words)


def summarize(results):
    """[{measure, point, system, values: {name: {median, spread, n}}, unsupported?, errors}] in order of appearance."""
    groups = {}
    for r in results:
        key = (r["measure"], tuple(sorted(r["point"].items())), r["system"])
        groups.setdefault(key, []).append(r)
    summary = []
    for runs in groups.values():
        first = runs[0]
        entry = {k: first[k] for k in ("measure", "point", "system")}
        entry["unsupported"] = next((r["unsupported"] for r in runs if "unsupported" in r), None)
        entry["errors"] = [r["error"] for r in runs if "error" in r]
        names = dict.fromkeys(n for r in runs for n in r.get("values", {}))
        entry["values"] = {}
        for name in names:
            values = [r["values"].get(name) for r in runs if "values" in r]
            entry["values"][name] = {
                "median": median(values), "spread": spread(values), "n": len(values)
            }
        summary.append(entry)
    return summary


def find(summary, measure, system, name, **point):
    """The median of a value, at the first point that has all of `point`; None."""
    for entry in summary:
        if entry["measure"] != measure or entry["system"] != system:
            continue
        if all(entry["point"].get(k) == v for k, v in point.items()):
            value = entry["values"].get(name)
            return value["median"] if value else None
    return None


def _cell(value, factor):
    if value is None or value["median"] is None:
        return "-"
    text = in_words(value["median"] * factor)
    if value["n"] > 1 and value["spread"] is not None:
        text += f" ±{value['spread'] * 50:.0f}%"
    return text


def _by_load(entry):
    """An entry of latencies as several: what is the same for all loads, and one for each load."""
    parts = {}
    for name, value in entry["values"].items():
        load = re.search(r"_(\d+)(_|$)", name)
        plain = name.replace(f"_{load[1]}", "", 1) if load else name
        parts.setdefault(int(load[1]) if load else 0, {})[plain] = value
    for load, values in parts.items():
        point = {**entry["point"], **({"load": f"{load} %"} if load else {})}
        yield {**entry, "point": point, "values": values}
    if not parts:
        yield entry


def table(summary, measure):
    """(headings, rows) of a measure."""
    entries = [e for e in summary if e["measure"] == measure]
    if measure == "latency":
        entries = [part for e in entries for part in _by_load(e)]
        entries.sort(key=lambda e: (e["point"]["size"], e["point"].get("load", "")))
    names = list(dict.fromkeys(
        n for e in entries for n, v in e["values"].items() if v["median"] is not None and n != "kicks"))
    headings = [{"tcp": "traffic", "restart": "event"}.get(measure, "frames"), "system"] + [
        COLUMNS.get(n, (n.replace("_", " "), 1))[0] for n in names]
    rows = []
    for e in entries:
        row = [point_name(e["point"]), e["system"]]
        if e["unsupported"]:
            row += [e["unsupported"]] + [""] * (len(names) - 1)
        elif not e["values"]:
            row += ["failed: " + e["errors"][0]] + [""] * (len(names) - 1)
        else:
            row += [_cell(e["values"].get(n), COLUMNS.get(n, ("", 1))[1]) for n in names]
        rows.append(row)
    return headings, rows


def as_text(headings, rows):
    # What is not a number (why there is none) may be long: it does not widen its column.
    widths = [
        max(len(r[i]) for r in [headings, *rows] if i < 2 or r is headings or len(r[i]) < WIDE)
        for i in range(len(headings))
    ]
    lines = []
    for row in [headings, *rows]:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def goals(summary):
    """The design's numbers: [(what, against, goal, measured, met: True | False | None)]."""

    def cycles(system, measure="frames", **point):
        return find(summary, measure, system, "cycles_per_frame", **point)

    def row(what, against, goal, value, met, unit="x"):
        text = "not measured" if value is None else f"{in_words(value)} {unit}".strip()
        return what, against, goal, text, None if value is None else met(value)

    rows = []
    for measure, suffix in (("frames", ""), ("realistic", " (testpmd as generator)")):
        for size, system, title, goal in (
            (64, "ovs", "Open vSwitch + DPDK", 3.0), (64, "testpmd", "dpdk-testpmd io", 1.5),
            (1500, "ovs", "Open vSwitch + DPDK", 2.0),
        ):
            value = ratio(cycles(system, measure, size=size), cycles("ringway", measure, size=size))
            rows.append(row(f"{size} B, frames per switch cycle{suffix}", title, f">= {goal:g} x",
                            value, lambda v, g=goal: v >= g))
        sizes = sorted({e["point"]["size"] for e in summary if e["measure"] == measure})
        pairs = [ratio(cycles("ringway", measure, size=s), cycles("limit", measure, size=s))
                 for s in sizes]
        for size, value in zip(sizes, pairs):
            name = f"{size} B" if size <= 9216 else "64 KiB TSO"
            rows.append(row(f"{name}, cycles per frame{suffix}", "bare copy loop", "<= 1.25 x",
                            value, lambda v: v <= 1.25))
    alone = find(summary, "idle-ports", "ringway", "frames_per_s")
    beside = find(summary, "idle-ports", "ringway", "frames_per_s", ports=1002)
    rows.append(row("1,000 idle ports beside two busy ones", "two ports alone", ">= 95 %",
                    None if not alone or not beside else 100 * beside / alone,
                    lambda v: v >= 95, "%"))
    alone = find(summary, "fairness", "ringway", "frames_per_s")
    beside = find(summary, "fairness", "ringway", "frames_per_s", flood=True)
    rows.append(row("a sender beside one that floods 64 ports", "the same alone", ">= 45 %",
                    None if not alone or not beside else 100 * beside / alone,
                    lambda v: v >= 45, "%"))
    share = find(summary, "idle", "ringway", "idle_cpu_share")
    rows.append(row("idle switch", "", "< 1 % of a core", None if share is None else 100 * share,
                    lambda v: v < 1, "%"))
    rows.append(row("first frame after idle, p50", "", "< 100 us",
                    find(summary, "idle", "ringway", "wake_p50_us"), lambda v: v < 100, "us"))
    rows.append(row("first frame after idle, p99", "", "< 100 us",
                    find(summary, "idle", "ringway", "wake_p99_us"), lambda v: v < 100, "us"))
    none = find(summary, "memory", "ringway", "resident_kib", ports=0)
    many = find(summary, "memory", "ringway", "resident_kib", ports=1000)
    rows.append(row("switch memory without ports", "", "<= 64 MiB",
                    None if none is None else none / 1024, lambda v: v <= 64, "MiB"))
    rows.append(row("switch memory a port", "", "<= 64 KiB",
                    None if none is None or many is None else (many - none) / 1000,
                    lambda v: v <= 64, "KiB"))
    return rows + _traffic_goals(summary, row) + _restart_goals(summary, row)


def _restart_goals(summary, row):
    rows = []
    for how, most in (("kill", 100), ("restart", 10)):
        for ports in (2, 100):
            value = find(summary, "restart", "ringway", "gap_p99_ms", how=how, ports=ports)
            rows.append(row(f"{RESTARTS[how]} of the switch, {ports} ports: without a frame, p99", "", f"<= {most} ms",
                            value, lambda v, m=most: v <= m, "ms"))
    return rows


def _traffic_goals(summary, row):
    def gbit(system, between, streams, traffic="stream", congestion=None):
        return find(summary, "tcp", system, "gbit_per_s", traffic=traffic, between=between, streams=streams,
                    congestion=congestion)

    rows = []
    for streams, congestion in ((1, None), (8, None), (1, "cubic"), (8, "cubic")):
        value = ratio(*(gbit(system, "containers", streams, congestion=congestion)
                        for system in ("ringway", "bridge")))
        rows.append(row(f"TCP between two ordinary containers, {streams} stream{'s' if streams > 1 else ''}"
                        f"{', ' + congestion if congestion else ''}",
                        "Docker's bridge", ">= 1.1 x", value, lambda v: v >= 1.1))
    for way, traffic, name, congestion in (
        ("to-vhost", "stream", "from an ordinary container to", None),
        ("from-vhost", "fetch", "to an ordinary container from", None),
        ("to-vhost", "stream", "from an ordinary container to", "cubic"),
    ):
        value = ratio(gbit("ringway", way, 1, traffic, congestion),
                      gbit("bridge", "containers", 1, congestion=congestion))
        rows.append(row(f"TCP {name} a vhost port with TSO{', ' + congestion if congestion else ''}",
                        "Docker's bridge, two containers", ">= 0.7 x", value, lambda v: v >= 0.7))
    return rows


def goals_table(summary):
    words = {True: "met", False: "NOT MET", None: ""}
    return ["what", "against", "goal", "measured", ""], [
        [*r[:4], words[r[4]]] for r in goals(summary)]
