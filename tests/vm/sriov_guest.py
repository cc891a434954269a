#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A virtual machine with SR-IOV: NICs with virtual functions, an IOMMU and this machine's packages.

By hand (make vm-image makes IMAGE, build-vm/sriov; DIR is any short path of your own):
  tests/vm/sriov_guest.py IMAGE BUILD DIR start [KERNEL-OPTION..]   boots; returns when it takes commands
  tests/vm/sriov_guest.py IMAGE BUILD DIR run 'COMMAND'             a shell command's output and exit status
  tests/vm/sriov_guest.py IMAGE BUILD DIR stop

In the guest: the NICs eth0 and eth1 (igb, after "modprobe igb"), both and eth2 (e1000e, no SR-IOV) on one segment; /project
and /build are the source and build directories, read-only, with the programs in PATH; /ctl is DIR/shared, writable on both sides.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

from guest import COMMAND_SECONDS, Guest

# The high half of functions' addresses is lost by QEMU 10.0: all of the memory has to lie below them.
MEMORY_MIB = 2560
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class SriovGuest(Guest):
    """Boots the image of sriov-image.sh. Commands may have several lines; files pass through the directory `shared`."""

    def __init__(self, image, build, directory, name, kernel_options="", memory=MEMORY_MIB, extra=()):
        super().__init__(directory, name)
        self.shared = os.path.join(directory, f"{name}.shared")
        os.makedirs(self.shared, mode=0o755, exist_ok=True)
        programs = os.path.join(image, "qemu/usr")
        libraries = os.path.join(programs, "lib/x86_64-linux-gnu")
        # Without it QEMU looks for its modules where another version's are.
        self.environment = dict(os.environ, LD_LIBRARY_PATH=libraries, QEMU_MODULE_DIR=os.path.join(libraries, "qemu"))
        self.command = self.options(
            os.path.join(programs, "bin/qemu-system-x86_64"), str(memory),
            f"quiet intel_iommu=on iommu=pt {kernel_options}".strip()) + [
            "-L", os.path.join(programs, "share/qemu"), "-L", os.path.join(programs, "share/seabios"),
            "-machine", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi,tb-size=512",
            "-kernel", os.path.join(image, "vmlinuz"), "-initrd", os.path.join(image, "initrd"),
            "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-drive", f"file={os.path.join(image, 'root.squashfs')},if=virtio,format=raw,readonly=on",
            *self.share("ctl", self.shared, ""), *self.share("project", TOP, ",readonly=on"),
            *self.share("build", build, ",readonly=on"), *nics(), *extra]

    @staticmethod
    def share(name, path, options):
        return ["-fsdev", f"local,id={name},path={path},security_model=none,multidevs=remap{options}",
                "-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]

    def spawn(self):
        # pylint: disable-next=consider-using-with # stop() ends it
        return subprocess.Popen(self.command, stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)

    def try_run(self, command, seconds=COMMAND_SECONDS):
        name = str(time.time_ns())
        path = os.path.join(self.shared, name)
        with open(f"{path}.sh", "w", encoding="utf-8") as script:
            script.write(command + "\n")
        status, _ = super().try_run(f"timeout -k 5 {seconds} bash /ctl/{name}.sh >/ctl/{name}.out 2>&1", seconds + 20)
        with open(f"{path}.out", encoding="utf-8", errors="replace") as output:
            said = output.read()
        for ending in (".sh", ".out"):
            os.unlink(path + ending)
        if status == 124:
            said += f"(took longer than {seconds} s)"
        return status, said


def nics():
    """Two igb and one e1000e on one hub, each behind a root port of its own."""
    words = []
    for number, (device, mac) in enumerate((("igb", "52:54:00:00:01:00"), ("igb", "52:54:00:00:02:00"),
                                            ("e1000e", "52:54:00:00:03:00"))):
        words += ["-netdev", f"hubport,id=net{number},hubid=0",
                  "-device", f"pcie-root-port,id=port{number},chassis={number + 1},slot={number + 1}",
                  "-device", f"{device},bus=port{number},netdev=net{number},mac={mac}"]
    return words


def main():
    if len(sys.argv) < 5 or sys.argv[4] not in ("start", "run", "stop"):
        sys.exit(__doc__)
    image, build, directory = (os.path.abspath(path) for path in sys.argv[1:4])
    verb, words = sys.argv[4], sys.argv[5:]
    pid_path = os.path.join(directory, "pid")
    os.makedirs(directory, exist_ok=True)
    guest = SriovGuest(image, build, directory, "guest", " ".join(words) if verb == "start" else "")
    if verb == "start":
        if os.path.exists(pid_path):
            sys.exit(f"{directory}: there is a guest already, or it was not stopped: {pid_path}")
        guest.start()
        try:
            guest.wait_ready()
        except RuntimeError as error:
            guest.stop()
            sys.exit(f"{error}")
        with open(pid_path, "w", encoding="utf-8") as file:
            file.write(str(guest.process.pid))
    elif verb == "run":
        guest.connect()
        status, output = guest.try_run(" ".join(words), int(os.environ.get("VM_COMMAND_SECONDS", "120")))
        print(output, end="")
        sys.exit(status)
    else:
        with open(pid_path, encoding="utf-8") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        os.unlink(pid_path)
        shutil.rmtree(guest.shared)


if __name__ == "__main__":
    main()
