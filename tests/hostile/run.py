#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plays hostile front ends against a switch: tests/hostile/run.py BUILD [CASE...]

Starts BUILD's ringway-switch alone, without ringwayd, with three ports of one network. While two good front ends
exchange frames both ways, the third port gets one case of `hostile` after the other. After each the switch must
answer, the exchange must be whole, and the switch's descriptors and guest memory must be what they were before.
As root the network has a TAP too, in a network namespace of the run's, so that the kernel reads guest memory as well.
Prints a line a case in TAP (Test Anything Protocol); exit status 1 when one failed. A switch under sanitizers:
SWITCH_ARGS=--no-sandbox.
"""
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

WAITING, RUNNING, QUARANTINED = 0, 2, 3  # enum wire_port_state
TRUNK = 0x40000000 | 1  # WIRE_TRUNK_ID(1)
ANSWER_SECONDS = 15
CASE_SECONDS = 120


def open_tap():
    """A queue of a TAP that is up, in a network namespace that is this process' own from now on; None: not here."""
    if ctypes.CDLL(None).unshare(0x40000000):  # CLONE_NEWNET
        return None
    queue = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    flags = 0x0002 | 0x1000 | 0x4000 | 0x0100  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE
    fcntl.ioctl(queue, 0x400454CA, struct.pack("16sH22x", b"tap0", flags))  # TUNSETIFF
    fcntl.ioctl(queue, 0x400454D8, struct.pack("i", 12))  # TUNSETVNETHDRSZ
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH22x", b"tap0", 1))  # SIOCSIFFLAGS, IFF_UP
    return queue


class Switch:
    """A switch, its control connection, and the sockets that its ports' front ends connect to."""

    def __init__(self, program, directory, ports, tap):
        control = os.path.join(directory, "control")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(control)
        listener.listen(1)
        self.process = self.start(program, listener)
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.connect(control)
        listener.close()
        self.changed = threading.Condition()
        self.last_id = 0
        self.replies = {}
        self.states = {}  # Port: (state, reason), by its last event.
        self.listeners = {}
        threading.Thread(target=self.read_replies, daemon=True).start()
        self.ask("hello", {"version": 2, "program": "run.py", "pid": os.getpid(), "start_ns": "0x1"})
        self.ask("network_add", {"network": 1, "name": "net", "mtu": 9000})
        if tap is not None:  # First, so that it comes first in every broadcast.
            self.ask("port_add", {
                "port": TRUNK, "network": 1, "name": "tap", "queues": 1, "kind": 1, "learning": False}, [tap])
            # The hostile port's address but for one bit: what goes there goes to the TAP alone.
            self.ask("station_add", {"port": TRUNK, "network": 1, "mac": "02:00:00:00:01:82", "epoch": 1})
        for port in range(1, ports + 1):
            self.add_port(port)
            path = os.path.join(directory, f"port{port}")
            self.listeners[port] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listeners[port].bind(path)
            self.listeners[port].listen(8)
        self.ask("start", {})
        threading.Thread(target=self.pass_connections, daemon=True).start()

    @staticmethod
    def start(program, listener):
        """The socket becomes descriptor 3, as sd_listen_fds(3) has it; the shell knows the pid to be."""
        script = 'exec 3<&"$1"; shift; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
        arguments = os.environ.get("SWITCH_ARGS", "").split()
        number = listener.fileno()
        return subprocess.Popen(
            ["bash", "-c", script, "bash", str(number), program, *arguments], pass_fds=[number])

    def read_replies(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, 1 << 17, 253)
            for fd in fds:
                os.close(fd)
            if not data:
                return
            message = json.loads(data)
            with self.changed:
                if message.get("id"):
                    self.replies[message["id"]] = message
                elif message["op"] == "port_event":
                    event = message["args"]
                    self.states[event["port"]] = (event["state"], event.get("reason", ""))
                self.changed.notify_all()

    def ask(self, op, args, fds=()):
        with self.changed:
            self.last_id += 1
            number = self.last_id
            text = json.dumps({"op": op, "id": number, "args": args})
            socket.send_fds(self.control, [text.encode()], fds)
            if not self.changed.wait_for(lambda: number in self.replies, ANSWER_SECONDS):
                raise RuntimeError(f"the switch does not answer to {op}")
            reply = self.replies.pop(number)
        if "error" in reply:
            raise RuntimeError(reply["error"]["message"])
        return reply["args"]

    def add_port(self, port):
        self.ask("port_add", {
            "port": port, "network": 1, "name": f"port{port}", "mac": f"02:00:00:00:01:0{port - 1}",
            "queues": 1, "learning": False})
        self.states[port] = (WAITING, "")

    def pass_connections(self):
        ports = {listener.fileno(): port for port, listener in self.listeners.items()}
        while True:
            for fd in select.select(list(ports), [], [])[0]:
                connection, _ = self.listeners[ports[fd]].accept()
                try:
                    self.ask("conn_add", {"id": ports[fd]}, [connection.fileno()])
                except (RuntimeError, OSError):
                    pass  # Refused: its front end sees the end.
                connection.close()

    def wait_for_state(self, port, state):
        with self.changed:
            if not self.changed.wait_for(lambda: self.states[port][0] >= state, ANSWER_SECONDS):
                raise RuntimeError(f"port {port} does not come to run")

    def drops(self, port, reason):
        ports = self.ask("stats", {"after": port - 1})["ports"]
        return next(int(drop["count"], 16) for drop in ports[0]["drops"] if drop["reason"] == reason)

    def holds(self):
        """Descriptors, and mappings of front ends' memory."""
        base = f"/proc/{self.process.pid}"
        with open(f"{base}/maps", encoding="utf-8") as maps:
            return len(os.listdir(f"{base}/fd")), sum("/memfd:front" in line for line in maps)

    def settle(self, before):
        """Whether it holds what it held before, after a moment at most."""
        end = time.monotonic() + ANSWER_SECONDS
        while self.holds() != before and time.monotonic() < end:
            time.sleep(0.02)
        return self.holds() == before

    def stop(self):
        self.ask("stop", {})
        return self.process.wait(ANSWER_SECONDS)


def start_victims(tools, paths, options):
    """Two good front ends that exchange frames, every byte of which they check."""
    command = [f"{tools}/front-exchange", "--regions", "2", *options, *paths]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start_hostile(tools, path, case):
    command = [f"{tools}/hostile", "--mac", "02:00:00:00:01:02", path, case]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def play(switch, tools, directory, case, before, has_tap):
    """Why the case failed, or nothing."""
    paths = [os.path.join(directory, f"port{port}") for port in (1, 2, 3)]
    switch.states[3] = (WAITING, "")
    if case.removeprefix("packed-").startswith("rx-"):
        # What it receives is the point: broadcasts, once its rings run.
        hostile = start_hostile(tools, paths[2], case)
        switch.wait_for_state(3, RUNNING)
        victim = start_victims(tools, paths[:2], ["--frames", "20000", "--broadcast"])
    else:
        # It may fill their rings with broadcasts: loss there is no fault, damage is.
        victim = start_victims(tools, paths[:2], ["--frames", "50000", "--loss-ok"])
        hostile = start_hostile(tools, paths[2], case)
    hostile_said, _ = hostile.communicate(timeout=CASE_SECONDS)
    victim_said, _ = victim.communicate(timeout=CASE_SECONDS)
    if hostile.returncode:
        return hostile_said.strip() or "not played"
    if victim.returncode:
        return f"the others' exchange failed: {victim_said.strip()}"
    switch.ask("ping", {})
    if case == "shrunk-payload":
        switch.wait_for_state(3, QUARANTINED)
        if has_tap and not switch.drops(3, "memory_lost"):
            return "the kernel found nothing lost"
    if not switch.settle(before):
        return f"descriptors and mappings: {before} before, {switch.holds()} after"
    return ""


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = sys.argv[1]
    tools = f"{build}/tests/hostile"
    listing = subprocess.run([f"{tools}/hostile", "--list"], capture_output=True, text=True, check=True)
    cases = sys.argv[2:] or [line.split()[0] for line in listing.stdout.splitlines()]
    bad = 0
    tap = open_tap()
    if tap is None:
        print("# no TAP: not root")
    with tempfile.TemporaryDirectory(prefix="hostile-") as directory:
        switch = Switch(f"{build}/src/switch/ringway-switch", directory, 3, tap)
        try:
            before = switch.holds()
            print(f"1..{len(cases)}")
            for number, case in enumerate(cases, 1):
                reason = play(switch, tools, directory, case, before, tap is not None)
                bad += bool(reason)
                state = switch.states[3]
                print("not ok" if reason else "ok", number, "-", case, state[1], flush=True)
                if reason:
                    print("# " + reason.replace("\n", "\n# "), flush=True)
                if state[0] == QUARANTINED:
                    switch.ask("port_del", {"id": 3})
                    switch.add_port(3)
            bad += switch.stop() != 0
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
            print(f"Bail out! {error}", flush=True)
            bad += 1
        finally:
            switch.process.kill()
            switch.process.wait()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
