# SPDX-License-Identifier: BSD-3-Clause
"""Virtual machines under software emulation."""
import os
import socket
import subprocess
import time

BOOT_SECONDS = int(os.environ.get("VM_BOOT_SECONDS", "60"))
COMMAND_SECONDS = 60
MEMORY = "192M"


class Guest:
    """Boots a command line of QEMU's; run() runs a shell command in it.

    The guest reads commands from its second serial line, each behind a number, and answers with the output and a line of
    the number and the exit status."""

    def __init__(self, directory, name):
        self.name = name
        self.console = os.path.join(directory, f"{name}.console")
        self.control_path = os.path.join(directory, f"{name}.control")
        self.number = 0
        self.control = None
        self.received = b""
        self.process = None
        self.boot_end = 0
        self.command = []

    def options(self, qemu, memory, kernel_options):
        """Of every guest: QEMU's program, the kernel's command line and both serial lines."""
        return [
            qemu, "-name", self.name, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-cpu", "max,la57=off", "-smp", "2", "-m", memory,
            "-append", f"console=ttyS0 panic=-1 nokaslr no_timer_check mitigations=off random.trust_cpu=on {kernel_options}",
            "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=control,path={self.control_path},server=on,wait=off", "-serial", "chardev:control",
        ]

    def spawn(self):
        # pylint: disable-next=consider-using-with # stop() ends it
        return subprocess.Popen(self.command, stdin=subprocess.DEVNULL)

    def start(self):
        """Only begins: wait_ready() waits, so that guests boot beside each other."""
        if os.path.exists(self.control_path):
            os.unlink(self.control_path)
        self.process = self.spawn()
        self.boot_end = time.monotonic() + BOOT_SECONDS
        # At once: what the guest says while nobody is connected is lost.
        while True:
            try:
                self.connect()
                break
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > self.boot_end:
                    raise RuntimeError(f"{self.name}: QEMU does not start: {error}") from error
                time.sleep(0.05)

    def connect(self):
        self.received = b""
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.connect(self.control_path)

    def wait_ready(self):
        """A boot under emulation hangs once in a while, which is not what these tests are about: one more try."""
        try:
            self.wait_boot()
        except (OSError, RuntimeError) as error:
            print(f"# {error}; once more", flush=True)
            self.stop()
            os.replace(self.console, f"{self.console}.hung")
            self.start()
            self.wait_boot()

    def wait_boot(self):
        while self.read_line(self.boot_end) != "ready":
            pass

    def read_line(self, end):
        while b"\n" not in self.received:
            left = end - time.monotonic()
            if left <= 0:
                raise RuntimeError(f"{self.name} does not answer; its console ends: {self.last_words()}")
            self.control.settimeout(left)
            try:
                data = self.control.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise RuntimeError(f"{self.name} ended; its console ends: {self.last_words()}")
            self.received += data
        line, self.received = self.received.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def last_words(self):
        try:
            with open(self.console, encoding="utf-8", errors="replace") as console:
                return console.read()[-300:].strip() or "(nothing)"
        except OSError:
            return "(there is none)"

    def try_run(self, command, seconds=COMMAND_SECONDS):
        """The exit status and the output."""
        self.number += 1
        self.control.sendall(f"{self.number} {command}\n".encode())
        end = time.monotonic() + seconds
        lines = []
        while True:
            line = self.read_line(end)
            words = line.split()
            if len(words) == 2 and words[0] == str(self.number):
                return int(words[1]), "\n".join(lines)
            lines.append(line)

    def run(self, command, seconds=COMMAND_SECONDS):
        """The output of a command that has to succeed."""
        status, output = self.try_run(command, seconds)
        if status:
            raise RuntimeError(f"{self.name}: '{command}' ended with {status}: {output[-600:]}")
        return output

    def stop(self):
        if self.control:
            self.control.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class VirtioGuest(Guest):
    """With one network interface on a vhost-user socket. Boots the image of virtio-image.sh."""

    def __init__(self, image, directory, name, port_socket, mac, queues=1, device=""):
        super().__init__(directory, name)
        # No vectors: QEMU 7.2 takes KVM's way to deliver a vhost-user port's MSI-X, without asking whether there is KVM,
        # and ends. A single interrupt line serves all queues instead.
        self.command = self.options("qemu-system-x86_64", MEMORY, "") + [
            "-machine", "q35,memory-backend=memory", "-accel", "tcg,thread=multi",
            "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
            "-kernel", os.path.join(image, "vmlinuz"), "-initrd", os.path.join(image, "initrd"),
            "-chardev", f"socket,id=port,path={port_socket}",
            "-netdev", f"vhost-user,id=net,chardev=port,queues={queues}",
            "-device", f"virtio-net-pci,netdev=net,mac={mac},mq={'on' if queues > 1 else 'off'},vectors=0,"
                       f"disable-legacy=on,romfile={',' + device if device else ''}",
        ]
