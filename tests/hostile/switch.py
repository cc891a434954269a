# SPDX-License-Identifier: BSD-3-Clause
"""A ringway-switch that runs alone, without ringwayd: its control connection, its ports' sockets, and what it holds."""
import atexit
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time

WAITING, RUNNING, QUARANTINED = 0, 2, 3  # enum wire_port_state
TRUNK = 0x40000000 | 1  # WIRE_TRUNK_ID(1)
ANSWER_SECONDS = 15


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


def mac_of(port):
    return f"02:00:00:00:01:0{port - 1}"


class Switch:
    """A switch, its control connection, and the sockets that its ports' front ends connect to."""

    def __init__(self, program, directory, ports, tap):
        control = os.path.join(directory, "control")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(control)
        listener.listen(1)
        self.log = os.path.join(directory, "log")
        self.process = self.start(program, listener)
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.connect(control)
        listener.close()
        atexit.register(self.process.kill)
        self.changed = threading.Condition()
        self.gone = False
        self.last_id = 0
        self.replies = {}
        self.states = {}  # Port: (state, reason), by its last event.
        self.listeners = {}
        self.paths = {}
        threading.Thread(target=self.read_replies, daemon=True).start()
        self.ask("hello", {"version": 2, "program": "run.py", "pid": os.getpid(), "start_ns": "0x1"})
        self.ask("network_add", {"network": 1, "name": "net", "mtu": 9000})
        if tap is not None:  # First, so that it comes first in every broadcast.
            self.ask("port_add", {
                "port": TRUNK, "network": 1, "name": "tap", "queues": 1, "kind": 1, "learning": False}, [tap])
            for port in ports:  # The port's address but for one bit: what goes there goes to the TAP alone.
                self.ask("station_add", {"port": TRUNK, "network": 1, "mac": mac_of(port)[:-2] + f"8{port - 1}",
                                         "epoch": 1})
        for port, limits in ports.items():
            self.add_port(port, limits)
            self.paths[port] = os.path.join(directory, f"port{port}")
            self.listeners[port] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listeners[port].bind(self.paths[port])
            self.listeners[port].listen(64)
        threading.Thread(target=self.pass_connections, daemon=True).start()
        self.ask("start", {})

    def start(self, program, listener):
        """The socket becomes descriptor 3, as sd_listen_fds(3) has it; the shell knows the pid to be."""
        script = 'exec 3<&"$1"; shift; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
        arguments = ["--cores", str(max(os.sched_getaffinity(0))), *os.environ.get("SWITCH_ARGS", "").split()]
        number = listener.fileno()
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                ["bash", "-c", script, "bash", str(number), program, *arguments], pass_fds=[number], stderr=log)

    def read_replies(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, 1 << 18, 253)
            for fd in fds:
                os.close(fd)
            if not data:
                with self.changed:
                    self.gone = True
                    self.changed.notify_all()
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
            self.changed.wait_for(lambda: number in self.replies or self.gone, ANSWER_SECONDS)
            if number not in self.replies:
                with open(self.log, encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"the switch does not answer to {op}: {log.read()[-4000:]}")
            reply = self.replies.pop(number)
        if "error" in reply:
            raise RuntimeError(reply["error"]["message"])
        return reply["args"]

    def add_port(self, port, limits):
        self.ask("port_add", {
            "port": port, "network": 1, "name": f"port{port}", "mac": mac_of(port), "queues": 16, "learning": False,
            **limits})
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

    def wait_for_state(self, port, *states):
        """The port's last state and reason, of which the state is one of these unless it did not come to one."""
        with self.changed:
            self.changed.wait_for(lambda: self.states[port][0] in states, ANSWER_SECONDS)
            return self.states[port]

    def stats(self):
        """Of each port: its counters, and those of what was dropped, by reason."""
        ports = self.ask("stats", {"after": 0})["ports"]
        number = lambda text: int(text, 16)
        return {port["port"]: {
            "rx": number(port["rx_frames"]), "tx": number(port["tx_frames"]),
            "drops": {drop["reason"]: number(drop["count"]) for drop in port["drops"]}} for port in ports}

    def holds(self):
        """Descriptors, and mappings of front ends' memory."""
        base = f"/proc/{self.process.pid}"
        with open(f"{base}/maps", encoding="utf-8") as maps:
            return len(os.listdir(f"{base}/fd")), sum("/memfd:front" in line for line in maps)

    def resident(self):
        """KiB of memory that are its own or shared with front ends."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            fields = dict(line.split(":", 1) for line in status)
        return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem"))

    def settle(self, before):
        """Whether it holds what it held before, after a moment at most."""
        end = time.monotonic() + ANSWER_SECONDS
        while self.holds() != before and time.monotonic() < end:
            time.sleep(0.005)
        return self.holds() == before

    def log_size(self):
        return os.path.getsize(self.log)

    def stop(self):
        self.ask("stop", {})
        return self.process.wait(ANSWER_SECONDS)
