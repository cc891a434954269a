#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Linux' virtio_net as a front end, in virtual machines: tests/vm/virtio.py BUILD IMAGE

Three guests on one network of an instance of their own: `split` and `packed` with two queue pairs, the kind of ring
that they are called after and all offloads; `plain` with one pair and no offloads, no merged buffers. So a large TCP
segment passes whole between the first two, and the switch cuts it up, with checksums that Linux verifies, for the third.
Prints a line a test in TAP; exit status 1 when one failed. Several workers: RINGWAYD_ARGS=--switch-cores=0-1.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile

from guest import VirtioGuest
from tap import PATIENCE_SECONDS, Tests, expect, wait_for

MTU = 4000  # Jumbo frames: Linux learns it from the device.
STREAM_BYTES = 48 << 20
FILE_BYTES = 8 << 20
NO_OFFLOADS = ",".join(f"{name}=off" for name in (
    "csum", "guest_csum", "gso", "host_tso4", "host_tso6", "host_ecn", "host_ufo", "guest_tso4", "guest_tso6",
    "guest_ecn", "guest_ufo", "mrg_rxbuf"))


class Instance:
    """A ringwayd with its switch."""

    def __init__(self, build, directory):
        self.build = build
        self.run_dir = os.path.join(directory, "run")
        self.log_path = os.path.join(directory, "ringwayd.log")
        with open(self.log_path, "w", encoding="utf-8") as log:
            # pylint: disable-next=consider-using-with # stop() ends it
            self.process = subprocess.Popen(
                [os.path.join(build, "src/daemon/ringwayd"), "--run-dir", self.run_dir, "--state-dir",
                 os.path.join(directory, "state"), "--no-docker", *os.environ.get("RINGWAYD_ARGS", "").split(),
                 "--switch-binary", os.path.join(build, "src/switch/ringway-switch")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for("the switch runs", lambda: self.ask("version")["switch"]["state"] == "running")
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}; ringwayd says: {self.last_log()}") from error

    def ringway(self, *words):
        result = subprocess.run(
            [os.path.join(self.build, "src/cli/ringway"), "--run-dir", self.run_dir, *words],
            check=False, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(result.stderr.strip())
        return result.stdout.strip()

    def ask(self, *words):
        return json.loads(self.ringway(*words, "--json"))

    def port(self, name):
        return json.loads(self.ringway("port", "inspect", name))

    def counters(self, name):
        """(frames, bytes) that were delivered to the port."""
        delivered = self.ask("stats", name)["ports"][0]["tx"]
        return delivered["frames"], delivered["bytes"]

    def last_log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return "\n".join(line.rstrip() for line in log.readlines()[-20:])

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Bed:
    """The network, its guests and the tests on them."""

    def __init__(self, build, image, directory):
        self.instance = Instance(build, directory)
        self.guests = {}
        self.addresses = {}
        try:
            self.instance.ringway("network", "create", "vm", "--subnet", "10.77.0.0/24", "--mtu", str(MTU))
            self.add(image, directory, "split", 2, "packed=off")
            self.add(image, directory, "packed", 2, "packed=on")
            self.add(image, directory, "plain", 1, NO_OFFLOADS)
        except BaseException:
            self.stop()
            raise

    def add(self, image, directory, name, queues, device):
        path = self.instance.ringway("port", "add", name, "--network", "vm", "--attach", "vhost", "--queues", str(queues))
        mac = self.instance.port(name)["mac"]
        guest = VirtioGuest(image, directory, name, path, mac, queues, f"{device},host_mtu={MTU}")
        self.guests[name] = guest
        self.addresses[name] = f"10.77.0.{10 + len(self.guests)}"
        guest.start()

    def stop(self):
        for guest in self.guests.values():
            guest.stop()
        self.instance.stop()

    def boot(self):
        for name, guest in self.guests.items():
            guest.wait_ready()
            number = self.addresses[name].rsplit(".", 1)[1]
            guest.run("echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; "
                      "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; "
                      f"ip addr add {self.addresses[name]}/24 dev eth0 && ip -6 addr add fd77::{number}/64 dev eth0 && "
                      "ip link set eth0 up && iperf3 -s -D && httpd -h /tmp")
        for name in self.guests:
            wait_for(f"port {name} runs", lambda name=name: self.instance.port(name)["state"] == "running")

    def negotiated(self, name):
        return set(self.instance.port(name)["negotiated"])

    def test_features_are_negotiated(self):
        both = {"version_1", "mrg_rxbuf", "csum", "guest_csum", "host_tso4", "host_tso6", "guest_tso4", "guest_tso6",
                "event_idx", "mq", "mtu"}
        split, packed, plain = (self.negotiated(name) for name in ("split", "packed", "plain"))
        expect(both <= split, f"split lacks {both - split}")
        expect(both | {"packed"} <= packed, f"packed lacks {(both | {'packed'}) - packed}")
        expect("packed" not in split, "split has packed rings")
        expect(not plain & {"csum", "guest_csum", "host_tso4", "guest_tso4", "mrg_rxbuf", "mq"}, f"plain has {plain}")

    def test_linux_segments_late_and_has_its_queues(self):
        for name in ("split", "packed"):
            features = self.guests[name].run("ethtool -k eth0")
            for feature in ("tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-checksum-ip-generic"):
                expect(f"{feature}: on" in features, f"{name}: {feature} is not on:\n{features}")
            channels = self.guests[name].run("ethtool -l eth0").split("Current hardware settings:")
            expect("Combined:\t2" in channels[-1].replace(" ", ""), f"{name}: not two queue pairs: {channels[-1]}")

    def test_mtu_is_the_networks(self):
        for name, guest in self.guests.items():
            mtu = guest.run("cat /sys/class/net/eth0/mtu").strip()
            expect(mtu == str(MTU), f"{name}: the MTU is {mtu}")

    def test_all_reach_all(self):
        for name, guest in self.guests.items():
            for other, address in self.addresses.items():
                if other != name:
                    guest.run(f"ping -c 3 -i 0.2 -W 10 {address}")
                    guest.run(f"ping -c 2 -i 0.2 -W 10 -s 9000 {address}")  # In fragments.

    def stream(self, source, target, options=""):
        """TCP from source to target. Returns the average size of the frames that the target got."""
        address = self.addresses[target]
        if "-6" in options:
            address = "fd77::" + address.rsplit(".", 1)[1]
        frames, size = self.instance.counters(target)
        report = self.guests[source].run(f"timeout 50 iperf3 -c {address} -n {STREAM_BYTES} -J {options}")
        after_frames, after_size = self.instance.counters(target)
        report = json.loads(report)
        expect("error" not in report, f"iperf3: {report.get('error')}")
        received = report["end"]["sum_received"]["bytes"]
        expect(received >= STREAM_BYTES / 2, f"{source} to {target} {options}: {received} bytes arrived")
        return (after_size - size) / (after_frames - frames)

    def test_large_segments_pass_whole(self):
        for source, target in (("split", "packed"), ("packed", "split")):
            for options in ("", "-6", "-P 4"):
                average = self.stream(source, target, options)
                expect(average > 2 * MTU, f"{source} to {target} {options}: {average:.0f} bytes a frame on average")
                print(f"# {source} to {target} {options or '-4'}: {average:.0f} bytes a frame")

    def test_segments_are_cut_for_who_does_not_take_them(self):
        for source in ("split", "packed"):
            for options in ("", "-6"):
                average = self.stream(source, "plain", options)
                expect(average <= MTU + 18, f"{source} to plain: {average:.0f} bytes a frame on average")
                expect(average > MTU / 2, f"{source} to plain: {average:.0f} bytes a frame on average")

    def test_who_has_no_offloads_sends(self):
        for target in ("split", "packed"):
            self.stream("plain", target)

    def fetch_file(self, target, source):
        """Offloads leave checksums undone within the host, so that only the bytes themselves tell."""
        address = self.addresses[source]
        wanted = self.guests[source].run(f"head -c {FILE_BYTES} /dev/urandom >/tmp/file && sha256sum </tmp/file")
        got = self.guests[target].run(f"timeout 50 wget -q -O - http://{address}/file | sha256sum")
        expect(got == wanted, f"{source} to {target}: {FILE_BYTES} bytes arrived as other ones")

    def test_bytes_arrive_as_they_were(self):
        for source, target in (("split", "packed"), ("packed", "split"), ("split", "plain"), ("plain", "packed")):
            self.fetch_file(target, source)

    def test_queues_come_and_go(self):
        split = self.guests["split"]
        for count in (1, 2):
            split.run(f"ethtool -L eth0 combined {count}")
            split.run(f"ping -c 2 -i 0.2 -W 10 {self.addresses['packed']}")
            self.stream("packed", "split", "-P 4")

    def test_driver_starts_again(self):
        for name in ("split", "packed"):
            number = self.addresses[name].rsplit(".", 1)[1]
            self.guests[name].run(
                "d=$(basename $(readlink /sys/class/net/eth0/device)); cd /sys/bus/virtio/drivers/virtio_net; "
                "echo $d >unbind; echo $d >bind; cd /; "
                f"ip addr add 10.77.0.{number}/24 dev eth0 && ip link set eth0 up")
            wait_for(f"port {name} runs", lambda name=name: self.instance.port(name)["state"] == "running")
            self.guests[name].run(f"ping -c 3 -i 0.2 -W 10 {self.addresses['plain']}")
        self.stream("split", "packed")

    def test_nobody_broke_a_rule(self):
        for name in self.guests:
            port = self.instance.port(name)
            expect(port["state"] == "running", f"{name} is {port['state']}: {port.get('reason')}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, image = (os.path.abspath(path) for path in sys.argv[1:])
    tests = ["boot"] + [name for name in vars(Bed) if name.startswith("test_")]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # So that what was started is stopped.
    # Under /run, because a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="ringway-vm.", dir="/run") as directory:
        bed = Bed(build, image, directory)
        results = Tests(len(tests))
        try:
            for name in tests:
                if not results.run(name.removeprefix("test_").replace("_", " "), getattr(bed, name)) and name == "boot":
                    break
        finally:
            bed.stop()
        if results.failed:
            print("# ringwayd says: " + bed.instance.last_log().replace("\n", "\n# "))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
