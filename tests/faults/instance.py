# SPDX-License-Identifier: BSD-3-Clause
"""A ringwayd with a switch of its own, and all that it holds, as text that two moments can be compared by."""
import collections
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time

PATIENCE = 30  # Seconds for what has to come; far more than needed.
BPF = {"x86_64": 321, "aarch64": 280}  # The number of bpf(2).
BPF_MAP_LOOKUP_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET = 1, 4, 7
OWN_COLUMNS = {"id", "created", "netns_inode", "sandbox_seen"}  # Of rows: not what a change is about.


class Failure(Exception):
    """A test failed, with the reason."""


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("ringway", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


def call(path, method, url, body=None):
    """(status, answer); OSError or HTTPException where ringwayd ends meanwhile."""
    connection = Connection(path)
    try:
        connection.request(method, url, None if body is None else json.dumps(body), {"Connection": "close"})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else {}
    finally:
        connection.close()


def poll(what, seconds=PATIENCE, pause=0.01):
    """Until what() is true; False where it never is."""
    end = time.monotonic() + seconds
    while True:
        result = what()
        if result or time.monotonic() > end:
            return result
        time.sleep(pause)


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


class Maps:
    """Reads the kernel's maps that an instance has pinned."""

    def __init__(self, directory):
        self.directory = directory
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.number = BPF[os.uname().machine]

    def bpf(self, command, attributes):
        buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
        return self.libc.syscall(self.number, command, buffer, 128)

    def open(self, name):
        path = ctypes.create_string_buffer(os.path.join(self.directory, name).encode())
        return self.bpf(BPF_OBJ_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))

    def keys(self, name, size):
        fd = self.open(name)
        if fd < 0:
            return []
        found, last = [], None
        while True:
            key = ctypes.create_string_buffer(last or b"", size)
            after = ctypes.create_string_buffer(size)
            at = ctypes.addressof(key) if last else 0
            if self.bpf(BPF_MAP_GET_NEXT_KEY, struct.pack("IIQQ", fd, 0, at, ctypes.addressof(after))):
                break
            last = after.raw
            found.append(last)
        os.close(fd)
        return found

    def values(self, name, count, size):
        """Those of an array whose first word is not 0."""
        fd = self.open(name)
        if fd < 0:
            return []
        found = []
        value = ctypes.create_string_buffer(size)
        for index in range(count):
            key = ctypes.c_uint32(index)
            attributes = struct.pack("IIQQ", fd, 0, ctypes.addressof(key), ctypes.addressof(value))
            if self.bpf(BPF_MAP_LOOKUP_ELEM, attributes) == 0 and value.raw[:4] != b"\0\0\0\0":
                found.append(value.raw)
        os.close(fd)
        return found


class Instance:
    """Directories, a driver's name and a network namespace of its own; its processes come and go."""

    def __init__(self, build, arguments=()):
        self.build = build
        self.arguments = list(arguments)
        self.work = tempfile.mkdtemp(prefix="ringway-faults.", dir="/run")
        os.chmod(self.work, 0o755)
        self.run_dir = os.path.join(self.work, "run")
        self.state_dir = os.path.join(self.work, "state")
        self.driver = f"ringway-f{os.getpid()}"
        self.plugin = f"/run/docker/plugins/{self.driver}.sock"
        self.log = os.path.join(self.work, "log")
        self.net = f"10.201.{os.getpid() % 250}"  # Its subnet's first three bytes.
        self.host_port = 20000 + os.getpid() % 5000 * 2
        self.process = None
        self.limit = None  # Of descriptors.
        self.environment = {}
        self.holder = self.netns = None
        self.new_holder()

    def new_holder(self):
        """A process in a network namespace of its own, as a container's."""
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        self.netns = f"/proc/{self.holder.pid}/ns/net"
        poll(lambda: os.readlink(self.netns) != os.readlink("/proc/self/ns/net"))

    def command(self):
        return [
            os.path.join(self.build, "src/daemon/ringwayd"), "--run-dir", self.run_dir, "--state-dir", self.state_dir,
            "--docker-name", self.driver, "--engine-socket", os.path.join(self.work, "no-engine.sock"),
            *self.arguments]

    def spawn(self, stopped=False, **options):
        """`stopped`: before its first instruction, until SIGCONT."""
        log = open(self.log, "ab")
        limit = ["prlimit", f"--nofile={self.limit}:{self.limit}"] if self.limit else []
        self.process = subprocess.Popen(
            limit + (["sh", "-c", 'kill -STOP $$; exec "$@"', "sh"] if stopped else []) + self.command(), env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options)
        log.close()
        if stopped and not poll(self.is_stopped):  # A SIGCONT before the SIGSTOP would be for nothing.
            raise Failure("ringwayd's shell does not stop")

    def is_stopped(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"

    def start(self, **options):
        self.spawn(**options)
        if not poll(lambda: self.process.poll() is not None or self.serves()) or self.process.poll() is not None:
            raise Failure("ringwayd does not serve:\n" + self.log_tail())

    def log_tail(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as log:
            return "".join(log.readlines()[-15:])

    def serves(self):
        try:
            status, switch = call(self.api_path(), "GET", "/v1/switch")
        except (OSError, http.client.HTTPException):
            return False
        spare = not switch.get("spare_wanted") or switch.get("spare_pid")
        return status == 200 and switch["state"] == "running" and spare

    def api_path(self):
        return os.path.join(self.run_dir, "api.sock")

    def api(self, method, url, body=None):
        return call(self.api_path(), method, url, body)

    def driver_call(self, name, body):
        return call(self.plugin, "POST", "/NetworkDriver." + name, body)

    def switch_pid(self):
        return self.api("GET", "/v1/version")[1]["switch"]["pid"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """With its switch."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)

    def close(self):
        """All of it goes, also what a ringwayd that has ended has left."""
        try:
            if self.process and self.process.poll() is not None:
                self.start()
        except (Failure, OSError):
            pass  # Then it cannot be removed, and is seen.
        self.stop()
        self.holder.kill()
        self.holder.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def rows(self):
        """The store's rows, by names where those have numbers."""
        db = sqlite3.connect(f"file:{self.state_dir}/ringway.db?mode=ro", uri=True, timeout=PATIENCE)
        db.row_factory = sqlite3.Row
        tables = [row[0] for row in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1")]
        rows = {table: [dict(row) for row in db.execute(f"SELECT * FROM {table}")] for table in tables}
        db.close()
        return rows

    def snapshot(self):
        """{part: sorted lines}. Numbers of networks and ports are replaced by names, keys of places by KEY."""
        rows = self.rows()
        networks = {row["id"]: row["name"] for row in rows["networks"]}
        ports = {row["id"]: row["name"] for row in rows["ports"]}
        keys = [row["key"] for row in rows["containers"]]
        made_up = [row["mac"] for row in rows["ports"] if row["of_network"]]

        def plain(text):
            for key in keys:
                text = text.replace(key, "KEY")
            text = re.sub(r"\bkp(\d+)\b", lambda m: "kp-" + ports.get(int(m[1]), "?"), text)
            text = re.sub(r"\brwc(\d+)-", lambda m: "rwc-" + ports.get(int(m[1]), "?") + "-", text)
            for mac in made_up:
                text = text.replace(mac.replace(":", ""), "MADE-UP")
            return re.sub(r"\b(nt|rwg)(\d+)\b", lambda m: m[1] + "-" + networks.get(int(m[2]), "?"), text)

        parts = {
            "rows": self.row_lines(rows, networks, ports),
            "objects": self.object_lines(),
            "files": output("find", self.run_dir, "-mindepth", "1", "-printf", "%y %m %P\n").splitlines(),
            "manifests": self.manifest_lines(),
            "links": self.links_of(f"{self.run_dir}/netns/own"),
            "inside": self.links_of(self.netns) + output("nsenter", f"--net={self.netns}", "ip", "route").splitlines(),
            "host": self.host_lines(),
            "maps": self.map_lines(networks, ports),
            "descriptors of ringwayd": self.descriptors(self.process.pid),
            "descriptors of the switch": self.descriptors(self.switch_pid()),
        }
        return {part: sorted(plain(line) for line in lines) for part, lines in parts.items()}

    def manifest_lines(self):
        lines = []
        for directory, _, names in os.walk(os.path.join(self.run_dir, "ports")):
            for name in names:
                if name in ("manifest.json", "eal-args"):
                    with open(os.path.join(directory, name), encoding="utf-8") as file:
                        place = os.path.basename(directory)
                        lines += [f"{place} {name} {' '.join(line.split())}" for line in file]
        return lines

    @staticmethod
    def links_of(netns):
        """Interfaces with their flags and addresses, without what the kernel makes up for them."""
        lines = []
        for link in json.loads(output("nsenter", f"--net={netns}", "ip", "-j", "address") or "[]"):
            addresses = [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "link"]
            lines.append(f"{link['ifname']} mtu {link['mtu']} {'up' if 'UP' in link['flags'] else 'down'} "
                         f"{' '.join(addresses)}")
        return lines

    @staticmethod
    def row_lines(rows, networks, ports):
        lines = []
        for table, entries in rows.items():
            for row in entries:
                fields = {name: value for name, value in row.items() if name not in OWN_COLUMNS}
                if row.get("of_network"):
                    fields.pop("mac")
                if table == "ports":
                    fields["network"] = networks.get(row["network"])
                if table == "published":
                    fields["port"] = ports.get(row["port"])
                lines.append(table + " " + json.dumps(fields, sort_keys=True))
        return lines

    def object_lines(self):
        lines = []
        for kind in ("networks", "ports", "containers"):
            for item in self.api("GET", "/v1/" + kind)[1][kind]:
                for name in ("id", "created", "receive_queues"):
                    item.pop(name, None)
                for port in item.get("ports", []) if kind == "containers" else []:
                    for name in ("id", "created"):
                        port.pop(name, None)
                if item.get("owner"):
                    item.pop("mac")
                lines.append(kind + " " + json.dumps(item, sort_keys=True))
        return lines

    def host_lines(self):
        tag = self.tag()
        lines = [line for line in output("ip", "-br", "address").splitlines() if tag in line]
        lines += output("nft", "list", "table", "inet", "ringway_" + tag).splitlines()
        for command in ("iptables-save", "ip6tables-save"):
            if shutil.which(command):
                lines += [line for line in output(command).splitlines() if tag in line]
        return [re.sub(r"(packets|bytes) \d+|@if?\d+|\[\d+:\d+\]|fe80::\S+", "N", line) for line in lines]

    def tag(self):
        """What tells the instance's interfaces and rules from others': 32 bits of FNV-1a, folded."""
        value = 2166136261
        for byte in self.run_dir.encode():
            value = (value ^ byte) * 16777619 & 0xFFFFFFFF
        return f"{(value ^ value >> 16) & 0xFFFF:04x}"

    def map_lines(self, networks, ports):
        bpf = os.path.join(self.run_dir, "bpf")
        pins = [name for name in os.listdir(bpf)] if os.path.isdir(bpf) else []
        if not pins:
            return []
        maps = Maps(os.path.join(bpf, pins[0]))
        lines = []
        for name, size in (("fdb", 12), ("stations", 12), ("learned", 12), ("members", 8), ("neighbors", 24)):
            for key in maps.keys(name, size):
                network, = struct.unpack_from("I", key)
                lines.append(f"{name} {networks.get(network, '?')} {'' if name == 'members' else key[4:].hex()}")
        for value in maps.values("ports", 4096, 68):
            port, network = struct.unpack_from("II", value)
            lines.append(f"port {ports.get(port, '?')} of {networks.get(network, '?')}")
        for value in maps.values("networks", 1024, 20):
            network, _, tap = struct.unpack_from("III", value)
            lines.append(f"network {networks.get(network, '?')} tap {tap != 0}")
        return lines

    @staticmethod
    def descriptors(pid):
        kinds = collections.Counter()
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                kind = os.readlink(f"/proc/{pid}/fd/{fd}")
                kinds[re.sub(r":?\[\d+\]", "", kind)] += 1
        except OSError:
            pass  # It has ended, or this one has.
        return [f"{kind} {count}" for kind, count in kinds.items()]
