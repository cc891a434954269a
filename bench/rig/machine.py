# SPDX-License-Identifier: BSD-3-Clause
"""The machine: what it is, whether something else keeps it busy, hugepages, what a process uses."""
import os
import pathlib
import platform
import re
import subprocess
import time

from . import parse

PROC = pathlib.Path("/proc")
HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
TICKS = os.sysconf("SC_CLK_TCK")
# A process that takes more than this of a CPU disturbs the measurement.
BUSY_SHARE = 0.25


def _read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _all_ticks():
    ticks = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            text = _read(entry / "stat")
            if text:
                ticks[int(entry.name)] = parse.process_ticks(text)
    return ticks


def busy_processes(seconds=1.0):
    """[(pid, command, share of a CPU)] of processes other than this one that keep a CPU busy."""
    before = _all_ticks()
    time.sleep(seconds)
    found = []
    for pid, ticks in _all_ticks().items():
        share = (ticks - before.get(pid, ticks)) / TICKS / seconds
        if pid != os.getpid() and share > BUSY_SHARE:
            command = _read(PROC / str(pid) / "cmdline").replace("\0", " ").strip()
            found.append((pid, command or _read(PROC / str(pid) / "comm").strip(), share))
    return found


def _first_line(*command):
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0].strip() if lines else None


def _package_version(name):
    run = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or None


def describe(top, build):
    """What is recorded with the results."""
    cpu = re.search(r"model name\s*:\s*(.*)", _read("/proc/cpuinfo"))
    flags = re.search(r"flags\s*:\s*(.*)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    widest = [f for f in ("avx512f", "avx2", "avx") if flags and f in flags[1].split()]
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cpus": os.cpu_count(),
        "vectors": widest[0] if widest else None,
        "virtual": bool(flags and "hypervisor" in flags[1].split()),
        "memory_mib": int(memory[1]) // 1024 if memory else None,
        "kernel": platform.release(),
        "congestion": _read("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
        "mitigations": {p.name: _read(p).strip() for p in
                        sorted(pathlib.Path("/sys/devices/system/cpu/vulnerabilities").glob("*"))},
        "versions": {
            "ringway": _first_line("git", "-C", str(top), "describe", "--always", "--dirty"),
            "build": _first_line("meson", "introspect", "--projectinfo", str(build)),
            "compiler": _first_line("gcc", "--version"),
            "dpdk": _package_version("dpdk-dev") or _package_version("dpdk"),
            "openvswitch": _package_version("openvswitch-switch-dpdk"),
        },
    }


def free_hugepages():
    return int(_read(HUGEPAGES / "free_hugepages").strip() or 0)


class Hugepages:
    """Reserves 2 MiB pages for as long as it is entered, as far as the kernel finds them."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.before = None

    def __enter__(self):
        path = HUGEPAGES / "nr_hugepages"
        have = _read(path).strip()
        if self.wanted and have and int(have) < self.wanted and os.access(path, os.W_OK):
            self.before = have
            path.write_text(str(self.wanted))
        return self

    def __exit__(self, *_):
        if self.before is not None:
            (HUGEPAGES / "nr_hugepages").write_text(self.before)


def stolen_ticks():
    """(ticks that a hypervisor gave to others, all ticks) since the machine began."""
    return parse.stolen_times(_read("/proc/stat"))


def stolen_share(since):
    """The part of the CPUs' time that a hypervisor gave to others since stolen_ticks() was asked."""
    stolen, total = stolen_ticks()
    return (stolen - since[0]) / max(1, total - since[1])


def cpu_busy_seconds(cpu):
    """Seconds that a CPU was busy since the machine began."""
    return parse.cpu_times(_read("/proc/stat"), cpu)[0] / TICKS


def busy_seconds():
    """Seconds that all CPUs together were busy since the machine began."""
    return parse.cpu_times(_read("/proc/stat"), "")[0] / TICKS


def process_seconds(pid):
    """CPU seconds of a process and all its threads."""
    return parse.process_ticks((PROC / str(pid) / "stat").read_text()) / TICKS


def process_kib(pid):
    """Resident KiB of a process, without the memory of the generator's ports."""
    return parse.resident_kib((PROC / str(pid) / "smaps").read_text())[0]
