#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills ringwayd at every system call of every change: tests/faults/points.py BUILD [--points N] [--seconds S] [CASE...]

Each case is a change and the one that takes it back. kill-at kills ringwayd (SIGKILL) at the first system call of the
change, then at the second, and so on until the change is through; of all threads, from the request to its answer. After
each kill ringwayd starts anew. All that it holds must then be what it was before the change or after it: rows, objects,
files, interfaces, addresses, rules, the kernel's maps, its descriptors and the switch's. Then the change is completed
and taken back, in the same way, so that what one kill left shows at all that come after it.
The last case is a start itself, after a change that was killed half way. With --points N, so many points of each way are
tried, evenly spread, and with --seconds S as many of those as there is time for, but one. Lines are TAP (Test Anything
Protocol); exit status 1 when a point failed.
"""
import argparse
import difflib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from instance import Failure, Instance, poll  # noqa: E402

SETTLE_SECONDS = 10  # Until descriptors of calls that have ended are closed, and the spare is ready.
NET, NET_ID = "n", "ab" * 32
ENDPOINT = "cd" * 32


class Counter:
    """kill-at on a process: counts its system calls and kills it at one."""

    def __init__(self, program, pid, point):
        self.process = subprocess.Popen(
            [program, str(pid), str(point)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Failure("kill-at does not start")

    def end(self):
        """(killed, count, call)"""
        text, _ = self.process.communicate()
        word, count, number = text.split()
        return word == "killed", int(count), int(number)


def expect(result, status):
    if result[0] != status:
        raise Failure(f"wanted status {status}, got {result}")


class Case:
    """A change (up) and the one that takes it back (down), on an instance that prepare() has made ready."""

    name = ""
    runner = None  # Runner.
    unsettled = None  # Of lines in states: what a change may leave behind, or not, until reset().
    reset = None

    def __init__(self, instance):
        self.i = instance

    def prepare(self):
        pass

    def cleanup(self):
        pass

    def up(self):
        raise NotImplementedError

    def down(self):
        raise NotImplementedError

    # What the cases are made of.
    def network(self, **more):
        expect(self.i.api("POST", "/v1/networks", {"name": NET, "docker": False, **more}), 201)

    def remove_network(self):
        expect(self.i.api("DELETE", "/v1/networks/" + NET), 200)

    def port(self, name, attach, last, **more):
        body = {"name": name, "network": NET, "attach": attach, "mac": f"02:00:00:00:00:0{last}",
                "ip": f"{self.i.net}.{last}/24", **more}
        expect(self.i.api("POST", "/v1/ports", body), 201)

    def remove_port(self, name):
        expect(self.i.api("DELETE", "/v1/ports/" + name), 200)

    def driver(self, name, **more):
        expect(self.i.driver_call(name, {"NetworkID": NET_ID, **more}), 200)

    def docker_network(self, name=NET, subnet=".0/24"):
        prefix = subnet.split("/")[1]
        gateway = f"{self.i.net}.{int(subnet.split('/')[0][1:]) + 1}/{prefix}"
        self.driver("CreateNetwork", Options={"com.docker.network.generic": {"ringway.name": name}},
                    IPv4Data=[{"Pool": self.i.net + subnet, "Gateway": gateway}], IPv6Data=[])

    def endpoint(self, address=".2/24", **options):
        self.driver("CreateEndpoint", EndpointID=ENDPOINT, Options=options,
                    Interface={"Address": self.i.net + address, "AddressIPv6": "", "MacAddress": "02:00:00:00:00:02"})

    def delete_endpoint(self):
        self.driver("DeleteEndpoint", EndpointID=ENDPOINT)

    def join(self):
        self.driver("Join", EndpointID=ENDPOINT, SandboxKey=self.i.netns, Options={})

    def leave(self):
        self.driver("Leave", EndpointID=ENDPOINT)


class PlainNetwork(Case):
    name = "network"

    def up(self):
        self.network(gateway_port=False)

    def down(self):
        self.remove_network()


class GatewayNetwork(PlainNetwork):
    name = "network-gateway"

    def up(self):
        self.network(subnet=self.i.net + ".0/24", subnet6=f"fd00:{os.getpid() % 65536:x}::/64", proxy_neighbors=True)


class VhostPort(Case):
    name = "port-vhost"

    def prepare(self):
        self.network(subnet=self.i.net + ".0/24", proxy_neighbors=True)
        self.port("stays", "vhost", 9)  # So that the network has its trunk all the time.

    def cleanup(self):
        self.remove_port("stays")
        self.remove_network()

    def up(self):
        self.port("p", "vhost", 3, limits={"rx_fps": 1000})

    def down(self):
        self.remove_port("p")


class KernelPort(VhostPort):
    name = "port-kernel"

    def up(self):
        self.port("k", "kernel", 4, netns=self.i.netns, interface="eth0", pin_address=True)

    def down(self):
        self.remove_port("k")


class TrunkPort(KernelPort):
    """The first kernel port beside a vhost port: the network gets its trunk, and keeps it."""

    name = "port-trunk"
    # The trunk, which stays until the next start, or the network's end.
    unsettled = re.compile(r"nt-|network \S+ tap|/dev/net/tun|/memfd:ringway-port")

    def prepare(self):
        self.network(gateway_port=False)
        self.port("p", "vhost", 3)

    def cleanup(self):
        self.remove_port("p")
        self.remove_network()

    def reset(self):
        self.cleanup()
        self.prepare()


class Limits(VhostPort):
    name = "port-limits"

    def prepare(self):
        super().prepare()
        self.port("p", "vhost", 3)

    def cleanup(self):
        self.remove_port("p")
        super().cleanup()

    def change(self, rate):
        expect(self.i.api("PATCH", "/v1/ports/p", {"limits": {"rx_fps": rate}}), 200)

    def up(self):
        self.change(1000)

    def down(self):
        self.change(0)


class DockerNetwork(Case):
    name = "docker-network"

    def up(self):
        self.docker_network()

    def down(self):
        self.driver("DeleteNetwork")


class Endpoint(Case):
    name = "endpoint-kernel"

    def prepare(self):
        self.docker_network()

    def cleanup(self):
        self.driver("DeleteNetwork")

    def up(self):
        self.endpoint()

    def down(self):
        self.delete_endpoint()


class Join(Endpoint):
    name = "join-kernel"

    def prepare(self):
        super().prepare()
        self.endpoint()

    def cleanup(self):
        self.delete_endpoint()
        super().cleanup()

    def up(self):
        self.join()

    def down(self):
        self.leave()


class Publish(Join):
    name = "publish"

    def prepare(self):
        super().prepare()
        self.join()

    def cleanup(self):
        self.leave()
        super().cleanup()

    def up(self):
        first = self.i.host_port
        ports = [{"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": first, "HostPortEnd": first},
                 {"Proto": 17, "IP": "", "Port": 53, "HostIP": "", "HostPort": first + 1, "HostPortEnd": first + 1}]
        self.driver("ProgramExternalConnectivity", EndpointID=ENDPOINT,
                    Options={"com.docker.network.portmap": ports})

    def down(self):
        self.driver("RevokeExternalConnectivity", EndpointID=ENDPOINT)


class Place(Endpoint):
    """The place that `ringway run` reserves."""

    name = "place"

    def up(self):
        expect(self.i.api("POST", "/v1/containers", {"networks": [{"network": NET}]}), 201)

    def key(self):
        return self.i.api("GET", "/v1/containers")[1]["containers"][0]["key"]

    def down(self):
        expect(self.i.api("DELETE", "/v1/containers/" + self.key()), 200)


class PlaceEndpoint(Place):
    name = "endpoint-vhost"

    def prepare(self):
        super().prepare()
        self.port("stays", "vhost", 9)
        Place.up(self)
        PlaceEndpoint.up(self)  # From now on there is a manifest.
        self.delete_endpoint()

    def cleanup(self):
        Place.down(self)
        self.remove_port("stays")
        super().cleanup()

    def up(self):
        self.endpoint(**{"ringway.key": self.key(), "ringway.attach": "vhost"})

    def down(self):
        self.delete_endpoint()


class PlaceJoin(PlaceEndpoint):
    name = "join-vhost"

    def prepare(self):
        super().prepare()
        PlaceEndpoint.up(self)

    def cleanup(self):
        self.delete_endpoint()
        super().cleanup()

    def up(self):
        self.join()

    def down(self):
        self.leave()


def differences(state, others):
    """What tells a state from the nearest of others."""
    best = None
    for name, other in others.items():
        lines = []
        for part in other:
            if state[part] != other[part]:
                lines += [f"  {part}:"] + ["    " + line for line in difflib.unified_diff(
                    other[part], state[part], name, "now", lineterm="", n=0)]
        if best is None or len(lines) < len(best):
            best = lines
    return "\n".join(best)


class Runner:
    """One case: its two states, and all points of the ways between them."""

    def __init__(self, instance, case, program, points, deadline):
        self.i = instance
        self.case = case(instance)
        self.program = program
        self.points = points
        self.deadline = deadline
        self.states = {}
        self.at = "down"
        self.killed = 0

    def settled(self, state):
        if not self.case.unsettled:
            return state
        return {part: [line for line in lines if not self.case.unsettled.match(line)] for part, lines in state.items()}

    def which(self):
        """The state that all is in, once what has ended is closed; None where it is neither."""
        def look():
            state = self.settled(self.i.snapshot())
            for name, known in self.states.items():
                if state == self.settled(known):
                    return name
            return None
        return poll(look, SETTLE_SECONDS, 0.05)

    def check_at(self, wanted, when):
        found = self.which()
        if found is None or (wanted and found != wanted):
            others = {wanted: self.states[wanted]} if wanted else self.states
            raise Failure(f"{when}: neither the old state nor the new one\n"
                          + differences(self.i.snapshot(), others))
        self.at = found

    def act(self, way):
        getattr(self.case, way)()
        self.at = way

    def learn(self):
        """The two states, after a restart each, as they are compared later."""
        for way in ("down", "up"):
            if way == "up":
                self.act("up")
            self.restart()
            last = self.i.snapshot()
            for _ in range(40):  # Until nothing is on its way any more.
                time.sleep(0.05)
                state = self.i.snapshot()
                if state == last:
                    break
                last = state
            self.states[way] = last
        self.act("down")
        self.check_at("down", "taken back")

    def restart(self):
        self.i.kill()
        self.i.start()

    def strike(self, way, point):
        """The change, killed at a point of it. Whether it was."""
        counter = Counter(self.program, self.i.process.pid, point)
        try:
            getattr(self.case, way)()
            whole = True
        except (OSError, http.client.HTTPException):
            whole = False
        killed, count, number = counter.end()
        if not killed:
            if not whole:
                raise Failure(f"{way}: the call failed without a kill")
            self.at = way
            return False, count
        self.i.process.wait()
        self.killed += 1
        self.i.start()
        self.check_at(way if whole else None, f"{way} killed at call {count} (number {number})")
        return True, count

    def go_to(self, way):
        if self.at != way:
            self.act(way)
            self.check_at(way, f"{way} after a kill")
        if way == "down" and self.case.reset:
            self.case.reset()
            if not poll(lambda: self.i.snapshot() == self.states["down"], SETTLE_SECONDS, 0.05):
                raise Failure("down again\n" + differences(self.i.snapshot(), {"down": self.states["down"]}))

    def count(self):
        """How many calls each way has."""
        return {way: self.strike(way, 0)[1] for way in ("up", "down")}

    def plan(self):
        """The points of each way, the last one first."""
        if not self.points:
            return None
        plan = {}
        for way, count in self.count().items():
            number = min(self.points, count)
            plan[way] = [int((one + 0.5) * count / number) + 1 for one in range(number)]
            random.Random(1).shuffle(plan[way])
        return plan

    def is_late(self):
        return self.killed >= 2 and self.deadline and time.monotonic() > self.deadline

    def run(self):
        self.case.prepare()
        self.learn()
        plan = self.plan()
        tried = {"up": 0, "down": 0}
        while tried and not self.is_late():
            for way, back in (("up", "down"), ("down", "up")):
                self.go_to(back)
                if way not in tried:
                    continue
                if plan and not plan[way]:
                    del tried[way]
                    continue
                tried[way] += 1
                killed, _ = self.strike(way, plan[way].pop() if plan else tried[way])
                if not killed and not plan:
                    del tried[way]
        self.go_to("down")
        self.case.cleanup()
        return self.killed


class StartRunner(Runner):
    """A change is killed half way, and then the start that has to settle it, at each of its calls."""

    def start_killed(self, point):
        """Whether it was; how many calls it had otherwise."""
        self.i.spawn(stopped=True)
        counter = Counter(self.program, self.i.process.pid, point)
        self.i.process.send_signal(signal.SIGCONT)
        if not poll(lambda: self.i.process.poll() is not None or self.i.serves()):
            raise Failure("the start does not end")
        killed, count, number = counter.end()
        if killed:
            self.i.process.wait()
        return killed, count, number

    def half_way(self, number, middle):
        """The change ends anywhere in its second half."""
        way = "up" if self.at == "down" else "down"
        counter = Counter(self.program, self.i.process.pid, middle[way] // 2 + 1 + number % (middle[way] // 2))
        try:
            getattr(self.case, way)()
        except (OSError, http.client.HTTPException):
            pass
        if counter.end()[0]:
            self.i.process.wait()
        else:
            self.i.kill()

    def run(self):
        self.case.prepare()
        self.learn()
        middle = self.count()
        self.i.kill()
        total = self.start_killed(0)[1]
        number = min(self.points or total, total)
        points = [int((one + 0.5) * total / number) + 1 for one in range(number)]
        random.Random(1).shuffle(points)
        for number, point in enumerate(points):
            self.check_at(None, "before")
            self.half_way(number, middle)
            killed, count, call = self.start_killed(point)
            if killed:
                self.killed += 1
                self.i.start()
            self.check_at(None, f"a start killed at call {count} (number {call})")
            if self.is_late():
                break
        self.go_to("down")
        self.case.cleanup()
        return self.killed


class Start(GatewayNetwork):
    """Beside the change, there is something to take up of each kind."""

    name = "start"
    runner = StartRunner

    def prepare(self):
        self.docker_network("other", ".64/26")
        self.endpoint(".66/26")
        self.join()
        expect(self.i.api("POST", "/v1/ports", {
            "name": "p", "network": "other", "attach": "vhost", "mac": "02:00:00:00:00:07"}), 201)

    def cleanup(self):
        self.remove_port("p")
        self.leave()
        self.delete_endpoint()
        self.driver("DeleteNetwork")

    def up(self):
        self.network(subnet=self.i.net + ".0/26", subnet6=f"fd00:{os.getpid() % 65536:x}::/64")


CASES = (PlainNetwork, GatewayNetwork, VhostPort, KernelPort, TrunkPort, Limits, DockerNetwork, Endpoint, Join, Publish,
         Place, PlaceEndpoint, PlaceJoin, Start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    arguments = parser.parse_intermixed_args()
    program = os.path.join(arguments.build, "tests/faults/kill-at")
    cases = [case for case in CASES if not arguments.cases or case.name in arguments.cases]
    print(f"1..{len(cases)}", flush=True)
    failed = total = 0
    first = time.monotonic()
    instance = None
    for number, case in enumerate(cases, 1):
        begin = time.monotonic()
        deadline = first + arguments.seconds * number / len(cases) if arguments.seconds else 0
        try:
            if not instance:
                instance = Instance(arguments.build)
                instance.start()
            runner = case.runner or Runner
            killed = runner(instance, case, program, arguments.points, deadline).run()
            total += killed
            print(f"ok {number} {case.name}: killed at {killed} points, {time.monotonic() - begin:.0f} s", flush=True)
        except (Failure, OSError, subprocess.SubprocessError, http.client.HTTPException) as failure:
            failed += 1
            print(f"not ok {number} {case.name}: {failure}".replace("\n", "\n# "), flush=True)
            if instance:
                print("# " + instance.log_tail().replace("\n", "\n# "), flush=True)
                instance.close()  # What it has left is nothing to go on with.
                instance = None
    if instance:
        instance.close()
    print(f"# ringwayd was killed at {total} points", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
