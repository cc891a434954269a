# SPDX-License-Identifier: BSD-3-Clause
"""What other programs and /proc print, as numbers. Pure."""
import re


def ovs_pmd_stats(text):
    """(busy cycles, packets) of all PMD threads in `ovs-appctl dpif-netdev/pmd-stats-show`."""
    cycles = packets = 0
    in_pmd = False
    for line in text.splitlines():
        if not line.startswith(" "):
            in_pmd = line.startswith("pmd thread")
            continue
        name, _, value = line.strip().partition(":")
        number = re.match(r"\s*(\d+)", value)
        if not in_pmd or not number:
            continue
        if name == "packets received":
            packets += int(number[1])
        elif name == "processing cycles":
            cycles += int(number[1])
    return cycles, packets


def testpmd_cycles(text):
    """(busy cycles, packets) as `show fwd stats all` said last; None when it did not."""
    found = re.findall(r"total cycles=(\d+) / total \w+ packets=(\d+)", text)
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def testpmd_rates(text):
    """Frames/s received by all ports together, one number for each period of --stats-period."""
    rates = []
    for block in text.split("Port statistics ====")[1:]:
        found = re.findall(r"Rx-pps:\s+(\d+)", block)
        if found:
            rates.append(sum(int(n) for n in found))
    return rates


def cpu_times(text, cpu):
    """(busy, all) clock ticks of a CPU in /proc/stat; of all together for ""."""
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == f"cpu{cpu}":
            ticks = [int(w) for w in words[1:9]]
            return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    raise ValueError(f"/proc/stat has no CPU {cpu}")


def stolen_times(text):
    """(stolen, all) clock ticks of all CPUs together in /proc/stat."""
    ticks = [int(w) for w in text.split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)


def process_ticks(text):
    """Clock ticks that a process used, from /proc/PID/stat. Its name may hold anything."""
    words = text.rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def resident_kib(text, apart=r"/memfd:gen\b"):
    """KiB of a process in /proc/PID/smaps, (its own, of mappings whose name matches `apart`)."""
    own = other = 0
    is_other = False
    for line in text.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_other = re.search(apart, line) is not None
        elif line.startswith(("Rss:", "Private_Hugetlb:", "Shared_Hugetlb:")):
            kib = int(line.split()[1])
            own, other = (own, other + kib) if is_other else (own + kib, other)
    return own, other
