#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plays hostile front ends against a switch: tests/hostile/run.py BUILD [CASE...]

Starts BUILD's ringway-switch alone, without ringwayd, with two good front ends as neighbours and three ports for the
cases of `hostile --list`, which are played one after the other: once with the neighbours idle, once while they
exchange frames at 90 % of the rate that they exchange without loss here. After each case the port must be what the
list says (quarantined for that reason; frames dropped by that counter; a request refused; or nothing), the switch must
answer, its descriptors, mappings, memory and log must be what they were, and every frame of the neighbours' must be
accounted for. They may lose no more than without the case, at the same rate and for as long: one that shows more is played again,
in turns with such control runs, and fails if it is so each time. Every entry of the catalogue must have a case.
As root the network has a TAP too, in a network namespace of the run's, so that the kernel reads guest memory as well.
Prints a line a case in TAP (Test Anything Protocol); exit status 1 when one failed.

Environment: HOSTILE_FULL=1 plays each case as often as the catalogue says; HOSTILE_MODES="idle load" or one of them;
HOSTILE_RATE: frames each way in a second, instead of the search; SWITCH_ARGS: for a switch under sanitizers --no-sandbox.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from switch import ANSWER_SECONDS, QUARANTINED, RUNNING, WAITING, Switch, mac_of, open_tap  # noqa: E402

FULL = os.environ.get("HOSTILE_FULL") == "1"
CASE_SECONDS = 900 if FULL else 60
ENTRIES = 46  # Of the catalogue; what comes behind them is our own.
VICTIMS = (1, 2)
HOSTILES = (3, 4, 5)
# What an operator gives a port that is not to disturb others: so many broadcasts in a second.
LIMITS = {"flood_fps": "0x2710", "flood_burst": "0x100"}
SOURCE_DROPS = ("short", "long", "source_address", "mtu", "offload", "flood_rate", "same_port", "memory_lost", "no_port")
SPRAY = 600
RESIDENT_SLACK = 8192  # KiB that the switch may keep for the next case.
LOG_SLACK = 4096  # Bytes that a case may add to the log: some lines for each port.
ROUNDS = 8


class Failure(Exception):
    """A case is not as it has to be."""


class Neighbors:
    """Two good front ends that exchange frames and check every byte of them."""

    def __init__(self, tools, paths):
        self.process = subprocess.Popen(
            [f"{tools}/front-neighbors", *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.sums = self.read()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the neighbours' exchange ended")
        return json.loads(line)

    def ask(self, line):
        """The sums of each side."""
        self.tell(line)
        self.sums = self.read()
        return self.sums

    def run_for(self, seconds):
        """Frames lost or refused in this time."""
        before = lost(self.sums)
        self.tell("run")
        time.sleep(seconds)
        return lost(self.ask("stop")) - before

    def find_rate(self):
        """The most frames in a second, each way, without loss; within a tenth."""
        good, bad = 0, 0
        rate = 50000
        while not bad or good * 1.1 < bad:
            self.tell(f"rate {rate}")
            if any(self.run_for(0.06) == 0 for _ in range(3)):
                good = rate
            else:
                bad = rate
            if good == 0 and rate < 2000:
                raise RuntimeError("the neighbours exchange nothing without loss")
            rate = (good + bad) // 2 if bad else good * 2
        return good


def lost(sums):
    return sum(side["lost"] + side["refused"] for side in sums)


class Runner:
    """Plays cases against one switch."""

    def __init__(self, build, directory):
        self.tools = f"{build}/tests/hostile"
        self.tap = open_tap()
        ports = {**{port: {} for port in VICTIMS}, **{port: LIMITS for port in HOSTILES}}
        self.switch = Switch(f"{build}/src/switch/ringway-switch", directory, ports, self.tap)
        # The worker's CPU is the worker's alone: how two processes share one says nothing about the switch.
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(0, os.sched_getaffinity(0) - {max(os.sched_getaffinity(0))})
        self.neighbors = Neighbors(self.tools, [self.switch.paths[port] for port in VICTIMS])
        self.neighbors.ask("send 5000")  # Every buffer of theirs was in use once.
        self.slow = "asan" in build or bool(os.environ.get("SWITCH_ARGS"))
        self.before = self.switch.holds()
        self.resident = self.switch.resident()
        self.new_account()
        self.worst_resident = 0

    def start(self, port, case):
        command = [f"{self.tools}/hostile", "--mac", mac_of(port), "--hold", str(CASE_SECONDS)]
        command += ["--full"] if FULL else []
        return subprocess.Popen([*command, self.switch.paths[port], case["name"]],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def await_outcome(self, port, case, counters):
        """Waits for what has to become of the port."""
        if case["outcome"] == "quarantined":
            state, reason = self.switch.wait_for_state(port, QUARANTINED)
            if state != QUARANTINED:
                raise Failure("the port is not quarantined")
            if not any(text in reason for text in case["what"].split("|")):
                raise Failure(f"quarantined, but because {reason}")
        elif case["outcome"] == "dropped":
            end = time.monotonic() + ANSWER_SECONDS
            while self.switch.stats()[port]["drops"][case["what"]] == counters[port]["drops"][case["what"]]:
                if time.monotonic() > end:
                    raise Failure(f"nothing was counted as {case['what']}")
                time.sleep(0.005)

    def play_on(self, ports, case, load):
        """Plays the case to its end and looks at its ports."""
        counters = self.switch.stats() if case["outcome"] == "dropped" else None
        started = {port: self.start(port, case) for port in ports}
        try:
            for hostile in started.values():
                line = hostile.stdout.readline().strip()
                if line.startswith("skipped"):
                    return line
                if line != "played":
                    raise Failure(line or "it ended without a word")
            if "spray" in case["flags"]:
                for port in ports:
                    self.neighbors.tell(f"spray {mac_of(port)} {SPRAY} 1000")
                self.neighbors.ask("stop")
                if load:
                    self.neighbors.tell("run")
            for port in ports:
                self.await_outcome(port, case, counters)
            for port, hostile in started.items():
                said, _ = hostile.communicate("\n", timeout=CASE_SECONDS)
                if hostile.returncode:
                    said = said.strip() or f"it ended with status {hostile.returncode}"
                    raise Failure(f"{said} ({self.switch.states[port][1]})")
                state, reason = self.switch.wait_for_state(
                    port, *((QUARANTINED,) if case["outcome"] == "quarantined" else (WAITING, QUARANTINED)))
                if state == QUARANTINED and case["outcome"] != "quarantined" and "either" not in case["flags"]:
                    raise Failure(f"the port is quarantined: {reason}")
        finally:
            for hostile in started.values():
                hostile.kill()
                hostile.wait()
        return ""

    def new_account(self):
        self.sums, self.stats = self.neighbors.sums, self.switch.stats()

    def account(self, command):
        """Every frame of the neighbours' since the account began. Raises where one is missing without a reason."""
        sums = [{key: side[key] - old[key] for key in side}
                for side, old in zip(self.neighbors.ask(command), self.sums)]
        before, self.stats = self.stats, self.switch.stats()
        grown = lambda port, key: self.stats[port][key] - before[port][key]
        drops = lambda port: sum(self.stats[port]["drops"].values()) - sum(before[port]["drops"].values())
        for side in sums:
            for key in ("misordered", "malformed", "misrouted", "forged"):
                if side[key]:
                    raise Failure(f"{side[key]} frames of the neighbours' are {key}")
        alien = sum(grown(port, "rx") for port in HOSTILES if port in before)
        for port, side, peer in ((1, sums[0], sums[1]), (2, sums[1], sums[0])):
            if grown(port, "rx") != side["sent"] + side["sprayed"]:
                raise Failure(f"port {port} sent {side['sent']} frames, the switch took {grown(port, 'rx')}")
            if grown(port, "tx") != side["received"] + side["foreign"]:
                raise Failure(f"port {port} got {side['received'] + side['foreign']}, not {grown(port, 'tx')}")
            if side["received"] + side["lost"] != peer["sent"]:
                raise Failure(f"{peer['sent']} frames for port {port}, {side['received']} came, {side['lost']} missed")
        missing, dropped = sum(side["lost"] for side in sums), drops(1) + drops(2)
        # A broadcast of the hostile ports' may have been dropped as well, on its way to either.
        if not missing <= dropped <= missing + 2 * alien:
            raise Failure(f"{missing} frames lost, {dropped} dropped with a reason")

    def renew(self, ports):
        for port in ports:
            if self.switch.states[port][0] == QUARANTINED:
                self.switch.ask("port_del", {"id": port})
                self.switch.add_port(port, LIMITS)
        self.new_account()

    def check_rest(self, log_before, ports):
        self.switch.ask("ping", {})
        if not self.switch.settle(self.before):
            raise Failure(f"descriptors and mappings: {self.before} before, {self.switch.holds()} after")
        grown = self.switch.resident() - self.resident
        self.worst_resident = max(self.worst_resident, grown)
        if grown > RESIDENT_SLACK and not self.slow:
            raise Failure(f"{grown} KiB of memory more than before")
        logged = self.switch.log_size() - log_before
        if logged > LOG_SLACK * len(ports):
            raise Failure(f"{logged} bytes in the log")

    def play_once(self, case, load):
        """Whether it was skipped, frames lost meanwhile, and seconds."""
        ports = HOSTILES if "several" in case["flags"] else HOSTILES[:1]
        log_before = self.switch.log_size()
        begin = time.monotonic()
        lost_before = lost(self.neighbors.sums)
        if load:
            self.neighbors.tell("run")
        skipped = self.play_on(ports, case, load)
        self.account("stop" if load else "send 500")
        seconds = time.monotonic() - begin
        self.check_rest(log_before, ports)
        self.renew(ports)
        return skipped, lost(self.neighbors.sums) - lost_before, seconds

    def play(self, case, load):
        """Why it was skipped, or nothing. Raises Failure."""
        with_case, without = [], []
        for _ in range(ROUNDS):
            skipped, missing, seconds = self.play_once(case, load)
            if skipped or missing == 0:
                return skipped
            if not load:
                raise Failure(f"{missing} frames lost by idle neighbours")
            with_case.append(missing)
            without.append(self.neighbors.run_for(seconds))
            self.new_account()
            if min(with_case) <= max(without):
                return skipped
        raise Failure(f"the neighbours lost {with_case} frames, without the case {without}")

    def set_rate(self):
        rate = int(os.environ.get("HOSTILE_RATE", "0"))
        if not rate:
            found = self.neighbors.find_rate()
            rate = found * 9 // 10
            print(f"# without loss: {found} frames a second each way; played at {rate}")
        self.neighbors.tell(f"rate {rate}")
        self.neighbors.run_for(0.05)
        self.new_account()


def list_cases(tools):
    listing = subprocess.run([f"{tools}/hostile", "--list"], capture_output=True, text=True, check=True)
    keys = ("entry", "name", "outcome", "what", "flags", "text")
    cases = [dict(zip(keys, line.split("\t"))) for line in listing.stdout.splitlines()]
    missing = set(range(1, ENTRIES + 1)) - {int(case["entry"]) for case in cases}
    if missing:
        sys.exit(f"run.py: no case for the catalogue's {sorted(missing)}")
    return cases


def report(number, case, mode, reason, skipped, runner, seconds):
    word = "not ok" if reason else "ok"
    name = f"{case['entry']} {case['name']} ({mode}): {case['outcome']} {case['what']}, {seconds:.1f} s"
    print(word, number, "-", name, f"# skip {skipped}" if skipped else "", flush=True)
    if reason:
        print("# " + str(reason).replace("\n", "\n# "), flush=True)
        runner.renew(HOSTILES)


def run_all(runner, cases, modes):
    bad = number = 0
    print(f"1..{len(cases) * len(modes)}")
    for mode in modes:
        if mode == "load":
            runner.set_rate()
        begin = time.monotonic()
        for case in cases:
            number += 1
            reason, skipped, case_begin = "", "", time.monotonic()
            try:
                if "tap" in case["flags"] and runner.tap is None:
                    skipped = "no TAP: not root"
                else:
                    skipped = runner.play(case, mode == "load")
            except Failure as failure:
                reason = failure
                runner.neighbors.ask("stop")
            bad += bool(reason)
            report(number, case, mode, reason, skipped, runner, time.monotonic() - case_begin)
        print(f"# {mode}: {time.monotonic() - begin:.0f} s")
    return bad


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = sys.argv[1]
    cases = list_cases(f"{build}/tests/hostile")
    if sys.argv[2:]:
        cases = [case for case in cases if case["name"] in sys.argv[2:]]
    with tempfile.TemporaryDirectory(prefix="hostile-") as directory:
        runner = Runner(build, directory)
        process = runner.switch.process
        try:
            bad = run_all(runner, cases, os.environ.get("HOSTILE_MODES", "idle load").split())
            print(f"# descriptors and mappings {runner.before}, at most {runner.worst_resident} KiB more than before, "
                  f"{runner.switch.log_size()} bytes logged")
            runner.neighbors.process.stdin.close()
            runner.neighbors.process.wait(ANSWER_SECONDS)
            bad += runner.switch.stop() != 0
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
            print(f"Bail out! {error}; the switch's status: {process.poll()}", flush=True)
            with open(runner.switch.log, encoding="utf-8", errors="replace") as log:
                print("# " + log.read()[-4000:].replace("\n", "\n# "))
            bad = 1
        finally:
            runner.neighbors.process.kill()
            process.kill()
            process.wait()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
