#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Replaces the switch again and again while front ends exchange numbered frames: tests/smoke/restart.py --help

Makes ports on a network of a running instance, starts `sequence` on them (tests/tools/sequence.c), and for each event
ends, stops or hands over the switch, waits until frames come again on every port, and judges: connections, frames
lost, twice, out of order or damaged, and counters of ports that went back. Prints a line of JSON: the sums and, in
milliseconds, how long receivers were without a frame, beside windows in which nothing was done (`calm`). Exit status 1
when a rule was broken; times are not judged. bench/run uses the same for its measure `restart`.
"""
import argparse
import ctypes
import http.client
import itertools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

# Far more than anything takes.
PATIENCE = 60
# Frames that one turn of the switch takes from a queue: what may be in the air when it ends.
BURST = 32
SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP}


class Failed(Exception):
    """What went wrong, in one line."""


def fault(pid):
    """A fault as a worker would have one: the kernel would give a signal for the process to its main thread."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if "worker" in (task / "comm").read_text():
            if ctypes.CDLL(None).tgkill(pid, int(task.name), signal.SIGSEGV):
                raise Failed("the worker cannot be signalled")
            return
    raise Failed(f"process {pid} has no worker")


class Api(http.client.HTTPConnection):
    """ringwayd's API, a connection for each call."""

    def __init__(self, run_dir):
        super().__init__("ringway", timeout=PATIENCE)
        self.path = os.path.join(run_dir, "api.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)

    def call(self, method, url, body=None):
        try:
            self.request(method, url, json.dumps(body) if body is not None else None)
            answer = self.getresponse()
            said = json.loads(answer.read())
        finally:
            self.close()
        if answer.status >= 300:
            raise Failed(said["error"]["message"])
        return said


def until(what, ready):
    """Calls ready() until it returns something true, and returns that."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            value = ready()
        except (OSError, http.client.HTTPException):
            value = None  # ringwayd is being started.
        if value:
            return value
        time.sleep(0.005)
    raise Failed(f"{what}: not within {PATIENCE} s")


class Sequence:
    """The front ends. Commands go in, lines of JSON come out."""

    def __init__(self, options, sockets):
        self.process = subprocess.Popen(
            ["taskset", "-c", str(options.cpu), options.sequence, "--rate", str(options.rate), "--queues",
             str(options.queues), "--rings", options.rings, "--size", str(options.size), *options.sequence_arg,
             *sockets],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.answer("ready")

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self, member):
        """The next line, which has to have this member."""
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise Failed(f"the front ends did not say '{member}' within {PATIENCE} s: frames do not come on every port")
        line = self.process.stdout.readline()
        said = json.loads(line) if line else {}
        if member not in said:
            raise Failed(f"the front ends said '{line.strip()}' instead of '{member}'")
        return said

    def mark(self, name):
        self.say(f"mark {name}")
        return self.answer("window")

    def settle(self):
        self.say("settle")
        return self.answer("settled_us")["settled_us"]

    def end(self):
        self.say("end")
        totals = self.answer("end")
        self.process.wait(PATIENCE)
        return totals

    def kill(self):
        self.process.kill()
        self.process.wait()


class Run:
    """One run: the instance, its switch, and what was seen."""

    def __init__(self, options):
        self.options = options
        self.api = Api(options.run_dir)
        self.sequence = None
        self.names = [f"{options.prefix}{i}" for i in range(options.ports)]
        self.gaps = {"event": [], "calm": []}
        self.stalls = {"event": 0, "calm": 0}
        self.settled = []
        self.handover_gaps = []
        self.problems = []
        self.went_back = 0
        self.upgrades = itertools.cycle(options.path) if options.path else None

    def add_ports(self):
        return [self.api.call("POST", "/v1/ports", {
            "name": name, "network": self.options.network, "attach": "vhost", "queues": self.options.queues,
            "mac": f"02:00:00:00:{1 + (i >> 8):02x}:{i & 255:02x}"})["socket"] for i, name in enumerate(self.names)]

    def remove_ports(self):
        for name in self.names:
            try:
                self.api.call("DELETE", f"/v1/ports/{name}")
            except (Failed, OSError):
                pass  # There is none, or nobody to remove it.

    def ports(self):
        """Counters of our ports by name; None while no switch answers."""
        try:
            stats = self.api.call("GET", "/v1/stats")["ports"]
        except Failed:
            return None
        return {p["name"]: p for p in stats if p["name"] in self.names}

    def switch_pid(self):
        switch = self.api.call("GET", "/v1/version")["switch"]
        return switch["pid"] if switch["state"] == "running" else 0

    def spare_pid(self):
        return self.api.call("GET", "/v1/switch").get("spare_pid", 0)

    def replaced(self, old):
        pid = self.switch_pid()
        return pid if pid not in (0, old) else 0

    def act(self, old):
        """One event; returns when another switch runs."""
        how = self.options.how
        if how in ("restart", "upgrade"):
            body = {"path": next(self.upgrades)} if how == "upgrade" else {}
            said = self.api.call("POST", "/v1/switch/restart", body)
            self.handover_gaps.append(said["gap_us"])
        elif how == "daemon":
            self.restart_daemon()
            os.kill(old, signal.SIGKILL)
        elif how == "spare":
            os.kill(until("a spare", self.spare_pid), signal.SIGKILL)
            return
        elif how == "pair":
            # The spare first: there is none when the switch ends.
            os.kill(until("a spare", self.spare_pid), signal.SIGKILL)
            os.kill(old, signal.SIGKILL)
        elif how == "fault":
            fault(old)
        else:
            os.kill(old, SIGNALS[how])
        until("another switch", lambda: self.replaced(old))

    def restart_daemon(self):
        with open(self.options.daemon_pid, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.sequence.settle()  # Frames go on without it.
        subprocess.run(self.options.daemon_start, shell=True, check=True)
        until("ringwayd", self.switch_pid)

    def note_problems(self, number, said):
        """The rules for one window."""
        planned = self.options.how in ("restart", "upgrade", "spare")
        most = 0 if planned or said["window"] == "calm" else BURST
        at = f"{said['window']} {number}"
        for member in ("corrupted", "misrouted", "broken", "disconnected", "misordered"):
            if said[member]:
                self.problems.append(f"{at}: {member} {said[member]}")
        if said["silent"] and said["window"] != "calm":  # Which may be shorter than from one frame to the next.
            self.problems.append(f"{at}: no frame came at {said['silent']} ports")
        if said["most_lost"] > most:
            self.problems.append(f"{at}: {said['most_lost']} frames of one queue are lost, {said['lost']} in all")
        if said["most_duplicated"] > most:
            self.problems.append(f"{at}: {said['most_duplicated']} frames of one queue came twice")

    def compare_counters(self, number, before, after):
        for name in self.names:
            old, new = before[name], after[name]
            pairs = [(old[way][what], new[way][what]) for way in ("rx", "tx") for what in ("frames", "bytes")]
            if any(b < a for a, b in pairs) or new["dropped"] < old["dropped"]:
                self.went_back += 1
                self.problems.append(f"event {number}: the counters of {name} went back: {old} {new}")
            if new["state"] != "running":
                self.problems.append(f"event {number}: {name} is {new['state']}")

    def close_window(self, kind, said):
        self.gaps[kind] += said["gaps_us"]
        self.stalls[kind] = max(self.stalls[kind], said["stall_us"])

    def one(self, number):
        old = until("a switch", self.switch_pid)
        if self.options.wait_spare:
            until("a spare", self.spare_pid)
        said = self.sequence.mark("event")
        before = until("counters", self.ports)
        self.close_window("calm", said)
        said["window"] = "calm"
        self.note_problems(number, said)
        self.act(old)
        self.settled.append(self.sequence.settle())
        said = self.sequence.mark("calm")
        self.close_window("event", said)
        self.compare_counters(number, before, until("counters", self.ports))
        self.note_problems(number, said)
        time.sleep(self.options.calm)

    def play(self):
        self.remove_ports()
        self.sequence = Sequence(self.options, self.add_ports())
        self.sequence.settle()
        self.sequence.mark("calm")  # What was before is the start.
        first = until("counters", self.ports)
        for number in range(self.options.events):
            self.one(number)
        totals = self.sequence.end()
        last = until("counters", self.ports)
        reasons = {}
        for name in self.names:
            for reason, count in last[name]["drops"].items():
                if count != first[name]["drops"].get(reason, 0):
                    reasons[reason] = reasons.get(reason, 0) + count - first[name]["drops"].get(reason, 0)
        return self.summary(totals, reasons)

    def summary(self, totals, reasons):
        crashes = self.options.how in ("kill", "hang", "fault", "daemon", "pair")
        if totals["lost"] > (BURST * totals["streams"] * self.options.events if crashes else 0):
            self.problems.append(f"{totals['lost']} frames are lost in all")
        # There is room for each frame, and each goes where it should.
        self.problems += [f"{count} frames were dropped: {reason}" for reason, count in reasons.items()]
        del totals["end"]
        return {
            "how": self.options.how, "events": self.options.events, "ports": self.options.ports,
            "rate": self.options.rate, **totals, "drops": reasons, "counters_went_back": self.went_back,
            "gap_ms": percentiles(self.gaps["event"]), "calm_gap_ms": percentiles(self.gaps["calm"]),
            "own_stall_ms": {k: v / 1000 for k, v in self.stalls.items()},
            "handover_ms": percentiles(self.handover_gaps), "problems": self.problems,
        }


def percentiles(values):
    """In milliseconds, of microseconds: the nearest rank."""
    if not values:
        return {}
    values = sorted(values)
    rank = lambda part: values[max(0, -(-len(values) * part // 100) - 1)] / 1000  # noqa: E731
    return {"count": len(values), "p50": rank(50), "p99": rank(99), "max": values[-1] / 1000}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--run-dir", required=True, help="of the instance")
    parser.add_argument("--network", required=True, help="where the ports are made, and removed again")
    parser.add_argument("--sequence", required=True, help="the program")
    parser.add_argument("--how", required=True,
                        choices=("kill", "hang", "fault", "restart", "upgrade", "daemon", "spare", "pair"),
                        help="kill, hang, fault: signals, the last to a worker; restart, upgrade: handovers; daemon: ringwayd is killed and "
                        "started, then the switch killed; spare: the spare is killed; pair: both are")
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--ports", type=int, default=2)
    parser.add_argument("--queues", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000, help="frames a second of each queue")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rings", default="mixed")
    parser.add_argument("--cpu", type=int, default=0, help="of the front ends")
    parser.add_argument("--calm", type=float, default=0.2, help="seconds between events")
    parser.add_argument("--prefix", default="seq", help="of the ports' names")
    parser.add_argument("--path", action="append", help="upgrade: to these programs in turn")
    parser.add_argument("--daemon-pid", help="daemon: the file with ringwayd's process id")
    parser.add_argument("--daemon-start", help="daemon: the command that starts it again")
    parser.add_argument("--no-spare", dest="wait_spare", action="store_false", help="do not wait for a spare first")
    parser.add_argument("--sequence-arg", action="append", default=[])
    return parser.parse_args(argv)


def main(argv):
    run = Run(parse(argv))
    try:
        summary = run.play()
    except (Failed, OSError, subprocess.SubprocessError) as why:
        summary = {"how": run.options.how, "problems": run.problems + [str(why)]}
    finally:
        if run.sequence:
            run.sequence.kill()
        run.remove_ports()
    print(json.dumps(summary))
    return 1 if summary["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
