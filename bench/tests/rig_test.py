#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The pure parts of bench/rig: numbers, parsers, summaries."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rig import measures, numbers, parse, plots, report, soak  # noqa: E402 (the path comes first)
from rig.restart import Restart  # noqa: E402
from rig.setup import Setup  # noqa: E402
from rig.traffic import Traffic  # noqa: E402

OVS = """pmd thread numa_id 0 core_id 1:
  packets received: 1000
  packet recirculations: 0
  emc hits: 900
  processing cycles: 50000 (80.00%)
  avg processing cycles per packet: 50.00 (50000/1000)
  idle cycles: 12500 (20.00%)
main thread:
  packets received: 7
  processing cycles: 900 (80.00%)
"""
TESTPMD = """
  ######################## NIC statistics for port 0  ########################
  Throughput (since last show)
"""
RATES = """
Port statistics ====================================
  Throughput (since last show)
  Rx-pps:            0          Rx-bps:            0
  Rx-pps:            0          Rx-bps:            0

Port statistics ====================================
  Rx-pps:          100          Rx-bps:         1000
  Rx-pps:          250          Rx-bps:         1000
"""


class Soak(unittest.TestCase):
    def slice(self, **changed):
        return soak.Slice(**{"system": "ringway", "offered": 100, "sent": 90, "received": 88, "missed": 10, "wrong": 0,
                             "dropped": 2, "taken": 95, "given": 93, **changed})

    def test_a_slice_is_accounted_for(self):
        self.assertEqual(self.slice().problems(), [])
        self.assertEqual(self.slice().lost, 12)
        self.assertEqual(self.slice(system="limit", received=90, dropped=0).problems(), [])

    def test_what_is_missing_is_said(self):
        for changed in ({"missed": 9}, {"wrong": 1}, {"dropped": 1}, {"received": 89}, {"given": 94},
                        {"system": "limit"}):
            self.assertTrue(self.slice(**changed).problems(), changed)

    def test_growth(self):
        flat = [soak.Sample(1000 + i % 3, 20, 50) for i in range(9)]
        self.assertEqual(soak.growth("p", flat), [])
        for what, by in (("rss_kib", 2000), ("descriptors", 1), ("mappings", 1)):
            grown = [soak.Sample(**{**s.__dict__, what: getattr(s, what) + (by if i > 6 else 0)})
                     for i, s in enumerate(flat)]
            # The last third's median, where one sample may be off.
            if what == "rss_kib":
                grown[6] = grown[7]
            self.assertEqual(len(soak.growth("p", grown)), 1, what)

    def test_own_process(self):
        self.assertGreater(soak.sample("self").mappings, 5)
        self.assertIsNone(soak.sample(0))


class Numbers(unittest.TestCase):
    def test_median_leaves_out_what_is_missing(self):
        self.assertEqual(numbers.median([3, None, 1, 2]), 2)
        self.assertIsNone(numbers.median([None]))

    def test_spread(self):
        self.assertEqual(numbers.spread([9, 10, 12]), 0.3)
        self.assertEqual(numbers.spread([5]), 0)
        self.assertIsNone(numbers.spread([0, 0]))

    def test_ratio(self):
        self.assertEqual(numbers.ratio(6, 3), 2)
        self.assertIsNone(numbers.ratio(None, 3))
        self.assertIsNone(numbers.ratio(3, 0))

    def test_search_finds_the_edge(self):
        rate = numbers.search_rate(lambda r: r <= 700, 1000, 0.01, 0)
        self.assertTrue(690 <= rate <= 700)

    def test_search_takes_the_most_when_it_passes(self):
        tried = []
        self.assertEqual(numbers.search_rate(lambda r: tried.append(r) or True, 1000), 1000)
        self.assertEqual(tried, [1000])

    def test_search_of_nothing(self):
        self.assertEqual(numbers.search_rate(lambda r: False, 1000), 0)

    def test_search_forgives_one_failure(self):
        seen = set()

        def passes(rate):
            first = rate not in seen
            seen.add(rate)
            return rate <= 700 and not first

        self.assertTrue(690 <= numbers.search_rate(passes, 1000, 0.01, 1) <= 700)
        seen.clear()
        self.assertEqual(numbers.search_rate(passes, 1000, 0.01, 0), 0)

    def test_words(self):
        self.assertEqual([numbers.in_words(v) for v in (None, 0, 0.01234, 1.2345, 98.76, 1234.5)],
                         ["-", "0", "0.0123", "1.23", "98.8", "1234"])


class Parsers(unittest.TestCase):
    def test_ovs_counts_pmd_threads_only(self):
        self.assertEqual(parse.ovs_pmd_stats(OVS), (50000, 1000))

    def test_testpmd_cycles_are_the_last(self):
        text = ("CPU cycles/packet=2.00 (total cycles=200 / total RX packets=100) at 2600 MHz Clock\n"
                "CPU cycles/packet=3.00 (total cycles=900 / total RX packets=300) at 2600 MHz Clock\n")
        self.assertEqual(parse.testpmd_cycles(text), (900, 300))
        self.assertIsNone(parse.testpmd_cycles(TESTPMD))

    def test_testpmd_rates_add_ports(self):
        self.assertEqual(parse.testpmd_rates(RATES), [0, 350])

    def test_cpu_times(self):
        text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 10 0 5 100 20 1 4 2 0 0\n"
        self.assertEqual(parse.cpu_times(text, 1), (22, 142))
        self.assertRaises(ValueError, parse.cpu_times, text, 3)
        self.assertEqual(parse.cpu_times(text, ""), (54, 72))

    def test_stolen_times(self):
        self.assertEqual(parse.stolen_times("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1\n"), (8, 36))

    def test_process_ticks_of_an_odd_name(self):
        text = "42 (a ) b) S 1 1 1 0 -1 0 0 0 0 0 30 12 0 0 20 0 1 0 0\n"
        self.assertEqual(parse.process_ticks(text), 42)

    def test_resident_kib_sets_guest_memory_apart(self):
        text = ("7f00-7f10 rw-s 00000000 00:01 5   /memfd:gen (deleted)\nRss:   512 kB\n"
                "7f20-7f30 rw-p 00000000 00:00 0 \nRss:    40 kB\nPrivate_Dirty: 40 kB\n"
                "7f40-7f50 r-xp 00000000 00:00 0  /usr/lib/libc.so.6\nRss:    2 kB\n")
        self.assertEqual(parse.resident_kib(text), (42, 512))


def _result(system, cycles, size=64, measure="frames", **more):
    return {"measure": measure, "point": {"size": size}, "system": system,
            "values": {"cycles_per_frame": cycles}, **more}


class Reports(unittest.TestCase):
    def setUp(self):
        self.summary = report.summarize([
            _result("ringway", 100), _result("ovs", 310), _result("ringway", 110),
            _result("ovs", 330), _result("ringway", 90), _result("ovs", 320),
            _result("limit", 75),
            {"measure": "frames", "point": {"size": 64}, "system": "bridge", "unsupported": "why not"},
        ])

    def test_medians_over_rounds(self):
        self.assertEqual(report.find(self.summary, "frames", "ringway", "cycles_per_frame", size=64), 100)
        self.assertIsNone(report.find(self.summary, "frames", "ringway", "frames_per_s", size=64))
        self.assertIsNone(report.find(self.summary, "frames", "ringway", "cycles_per_frame", size=65))

    def test_table_has_all_systems(self):
        headings, rows = report.table(self.summary, "frames")
        self.assertEqual(headings, ["frames", "system", "cycles/frame"])
        self.assertEqual([r[1] for r in rows], ["ringway", "ovs", "limit", "bridge"])
        self.assertEqual(rows[0][2], "100 ±10%")
        self.assertEqual(rows[3][2], "why not")

    def test_goals_judge_both_ways(self):
        found = {(r[0], r[1]): r for r in report.goals(self.summary)}
        ovs = found["64 B, frames per switch cycle", "Open vSwitch + DPDK"]
        limit = found["64 B, cycles per frame", "bare copy loop"]
        self.assertEqual((ovs[3], ovs[4]), ("3.20 x", True))
        self.assertEqual((limit[3], limit[4]), ("1.33 x", False))
        self.assertIsNone(found["switch memory a port", ""][4])

    def test_latencies_have_a_row_for_each_load(self):
        values = {"zero_loss_frames_per_s": 4e6, "one_way_10_p50_us": 1.0, "one_way_90_p50_us": 9.0,
                  "one_way_10_p99.9_us": 3.0, "loss_90": 0.5}
        summary = report.summarize([{"measure": "latency", "point": {"size": 64}, "system": "ringway",
                                     "values": values}])
        headings, rows = report.table(summary, "latency")
        self.assertEqual(headings[2:], ["no-loss Mframes/s", "one way p50 us", "one way p99.9 us",
                                        "loss %"])
        self.assertEqual([r[0] for r in rows], ["64 B", "64 B, load 10 %", "64 B, load 90 %"])
        self.assertEqual([r[2:] for r in rows], [["4.00", "-", "-", "-"], ["-", "1.00", "3.00", "-"],
                                                 ["-", "9.00", "-", "50.0"]])

    def test_points_by_name(self):
        self.assertEqual(report.point_name(Setup(both_ways=True).key()), "64 B, both ways")
        self.assertEqual(report.point_name(Setup(size=1500, ports=102).key()), "1500 B, ports 102")
        self.assertEqual(report.point_name(Restart("kill", 2, 10000).key()),
                         "100 x kill -9, 2 ports, 10000 frames/s each")


def _traffic_result(system, point, **values):
    return {"measure": "tcp", "point": point.key(), "system": system, "values": values}


class TrafficReports(unittest.TestCase):
    def setUp(self):
        one, eight = Traffic(), Traffic(streams=8)
        self.summary = report.summarize([
            _traffic_result("ringway", one, gbit_per_s=24, cpus=1.5),
            _traffic_result("bridge", one, gbit_per_s=20, cpus=1.75),
            _traffic_result("ringway", eight, gbit_per_s=20),
            _traffic_result("bridge", eight, gbit_per_s=20),
            _traffic_result("ringway", Traffic(congestion="cubic"), gbit_per_s=30),
            _traffic_result("bridge", Traffic(congestion="cubic"), gbit_per_s=20),
            _traffic_result("ringway", Traffic("pingpong"), rtt_p50_us=10),
            _traffic_result("bridge", Traffic("pingpong"), rtt_p50_us=15),
            _traffic_result("ringway", Traffic(between="to-vhost"), gbit_per_s=16),
            {"measure": "tcp", "point": Traffic(between="to-vhost").key(), "system": "bridge",
             "unsupported": "why not"},
        ])

    def test_points_have_names(self):
        names = [report.point_name(p.key()) for p in measures.MEASURES["tcp"].points]
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual(names[:2], ["two containers, TCP, 1 stream", "two containers, TCP, 8 streams"])
        self.assertIn("host to container, UDP, 64 B", names)
        self.assertIn("vhost to container, TCP, 1 stream", names)

    def test_goals(self):
        found = {r[0]: r for r in report.goals(self.summary)}
        one = found["TCP between two ordinary containers, 1 stream"]
        eight = found["TCP between two ordinary containers, 8 streams"]
        cubic = found["TCP between two ordinary containers, 1 stream, cubic"]
        self.assertEqual((cubic[3], cubic[4]), ("1.50 x", True))
        vhost = found["TCP from an ordinary container to a vhost port with TSO"]
        back = found["TCP to an ordinary container from a vhost port with TSO"]
        self.assertEqual((one[3], one[4]), ("1.20 x", True))
        self.assertEqual((eight[3], eight[4]), ("1.00 x", False))
        self.assertEqual((vhost[3], vhost[4]), ("0.800 x", True))
        self.assertEqual((back[3], back[4]), ("not measured", None))

    def test_table(self):
        headings, rows = report.table(self.summary, "tcp")
        self.assertEqual(headings, ["traffic", "system", "Gbit/s", "CPUs", "there and back p50 us"])
        self.assertEqual(rows[0], ["two containers, TCP, 1 stream", "ringway", "24.0", "1.50", "-"])
        self.assertEqual(rows[-1][:3], ["container to vhost, TCP, 1 stream", "bridge", "why not"])

    def test_bars_are_multiples_of_the_bridge(self):
        bars = plots.traffic_bars(self.summary, "containers")
        self.assertEqual(bars["bridge"], [1, 1, None, 1, None])
        self.assertEqual(bars["ringway"], [1.2, 1, None, 1.5, None])
        self.assertEqual(plots.traffic_bars(self.summary, "host"), {})

    def test_other_goals_do_not_mind(self):
        self.assertTrue(all(r[4] is None for r in report.goals(self.summary) if "TCP" not in r[0]))


if __name__ == "__main__":
    unittest.main()
