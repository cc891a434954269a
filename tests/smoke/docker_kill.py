#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills parts of a container's start: tests/smoke/docker_kill.py --help

Containers with a vhost port and with a kernel port take turns. Each is started, and at a moment of its start

    runtime   its shim, runc or its first process gets SIGKILL,
    engine    `docker kill` or `docker rm -f` comes: after `docker create`, during and after `docker start`,
    client    `ringway run` or `docker run` gets SIGKILL.

Moments are spread evenly over the time that a start takes, which is measured first. Then what is left has to be removed
by `docker rm -f`, and a container of the same name has to start and to reach the network. Prints a line of JSON: what
was hit. Exit status 1 when a rule was broken; times are not judged.
"""
import argparse
import collections
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

# Far more than anything takes.
PATIENCE = 60
# Of linux/prctl.h.
PR_SET_CHILD_SUBREAPER = 36
ATTACHMENTS = ("vhost", "kernel")
VICTIMS = ("runc", "shim", "init")
# In the place of docker: makes all of a container and does not start it.
NO_START = '#!/bin/sh\n[ "$1" = start ] || exec docker "$@"\n'
# The DPDK port is opened and started, and no time is waited for.
LISTEN = """exchange listen -- --idle 60 2>/dev/shm/said &
until grep listening /dev/shm/said; do kill -0 $! || exit 1; sleep 0.05; done
kill $! && wait $!"""


class Failed(Exception):
    """What went wrong, in one line."""


def until(what, ready):
    """Calls ready() until it returns something true, and returns that."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = ready()
        if value:
            return value
        time.sleep(0.002)
    raise Failed(f"{what}: not within {PATIENCE} s")


def run(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)


class Processes:
    """Those that there are, each read once."""

    def __init__(self):
        self.words, self.parents = {}, {}

    def look(self):
        """Reads what is new. runc becomes another program, so only its words are read again."""
        numbers = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        for pid in self.words.keys() - numbers:
            del self.words[pid], self.parents[pid]
        for pid in numbers:
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue  # It ended between the two.
            self.words[pid], self.parents[pid] = words, int(stat[1])

    def of_container(self, container):
        """The container's processes by what they are."""
        self.look()
        found = collections.defaultdict(list)
        for pid, words in self.words.items():
            if container not in words:
                continue
            program = os.path.basename(words[0])
            if program.startswith("containerd-shim"):
                found["shim"].append(pid)
            elif program == "runc":
                found["runc"].append(pid)
        parents = set(found["shim"]) | set(found["runc"])
        found["init"] = [
            pid for pid, parent in self.parents.items() if parent in parents and pid not in parents and self.words[pid][0]
        ]
        return {what: pids for what, pids in found.items() if pids}


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def contained(container):
    """The processes in the container's control group, whoever is their parent now, and those that serve it."""
    found = []
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "cgroup").read_bytes() + (directory / "cmdline").read_bytes()
        except OSError:
            continue  # It ended between the two.
        if container.encode() in text:
            found.append(directory.name)
    return found


class Starts:
    """Containers of one name on one network, and what is done to them."""

    def __init__(self, options):
        self.options = options
        self.name = f"{options.id}-killed"
        self.id_file = pathlib.Path(options.work, "killed.id")
        self.no_start = pathlib.Path(options.work, "docker-no-start")
        self.no_start.write_text(NO_START)
        self.no_start.chmod(0o755)
        self.hits = collections.Counter()

    def words(self, attachment, *more):
        if attachment == "vhost":
            program = [self.options.ringway, "--run-dir", self.options.run_dir, "run"]
        else:
            program = ["docker", "run"]
        return [*program, *more, "--name", self.name, "--network", self.options.network]

    def client(self, attachment):
        """A start in the background, as a process group of its own."""
        command = {"vhost": [self.options.image, "sleep", "600"], "kernel": ["--init", self.options.image, "sleep", "600"]}
        self.id_file.unlink(missing_ok=True)
        return subprocess.Popen(
            self.words(attachment, "-d", "--cidfile", str(self.id_file)) + command[attachment],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def container(self):
        try:
            return self.id_file.read_text().strip()
        except OSError:
            return ""

    def runtime_of(self):
        """Waits for the first process of the container's runtime."""
        processes = Processes()
        container = until("the container's id", self.container)
        until("the container's runtime", lambda: processes.of_container(container))
        return processes, container

    def works(self, attachment):
        """A container of the same name starts, and reaches the network."""
        if attachment == "vhost":
            command = [self.options.image, "sh", "-c", LISTEN]
        else:
            command = [self.options.image, "ping", "-c", "1", "-W", "10", self.options.gateway]
        said = run(*self.words(attachment, "--rm"), *command)
        if "is already in use by container" in said.stderr:
            # The engine made what a killed client had asked for after it was told to remove it.
            self.remove()
            said = run(*self.words(attachment, "--rm"), *command)
        if said.returncode:
            raise Failed(f"a new container does not work, status {said.returncode}: {said.stdout} {said.stderr}")

    def remove(self):
        """An engine that is still at a killed request may need another one."""
        said = None

        def removed():
            nonlocal said
            said = run("docker", "rm", "-f", self.name)
            return said.returncode == 0 and run("docker", "container", "inspect", self.name).returncode

        try:
            until("docker rm -f", removed)
        except Failed as failed:
            raise Failed(f"{failed}: {said.stderr if said else ''}") from failed
        container = self.container()
        if container:
            until("the end of the container's processes", lambda: not contained(container))

    def ended(self, client):
        """Clients end, whatever happened to the container. Some leave children that end later."""
        client.wait(PATIENCE)
        until("the end of the client's children", lambda: not group_lives(client.pid))

    def measure(self):
        """Seconds of a start, from its begin and from the first process of the runtime, for each attachment."""
        self.whole, self.runtime = {}, {}
        for attachment in ATTACHMENTS:
            begin = time.monotonic()
            client = self.client(attachment)
            self.runtime_of()
            first = time.monotonic()
            client.wait(PATIENCE)
            end = time.monotonic()
            if client.returncode:
                raise Failed(f"a start of kind {attachment} fails when nothing is killed: {client.returncode}")
            self.whole[attachment], self.runtime[attachment] = end - begin, end - first
            self.remove()

    def kill_runtime(self, attachment, part, turn):
        client = self.client(attachment)
        processes, container = self.runtime_of()
        time.sleep(part * self.runtime[attachment])
        found = until("a process of the container", lambda: processes.of_container(container))
        # Of the wanted kind, or of the next one that there is.
        order = VICTIMS[turn % len(VICTIMS):] + VICTIMS[:turn % len(VICTIMS)]
        what = next(kind for kind in order if kind in found)
        if any([kill(pid) for pid in found[what]]):
            self.hits[what] += 1
        self.ended(client)

    def kill_client(self, attachment, part, turn):
        client = self.client(attachment)
        time.sleep(part * self.whole[attachment])
        # With its child or without: docker then goes on alone.
        with_child = attachment == "vhost" and turn % 2
        if client.poll() is None:
            os.killpg(client.pid, signal.SIGKILL) if with_child else client.kill()
            self.hits["client and child" if with_child else "client"] += 1
        self.ended(client)

    def create(self):
        """A container with ports of both kinds that was not started yet."""
        self.id_file.unlink(missing_ok=True)
        said = subprocess.run(
            self.words("vhost", "-d", "--cidfile", str(self.id_file)) + ["--network", f"{self.options.other},attach=kernel", self.options.image, "sleep", "600"],
            env={**os.environ, "RINGWAY_DOCKER": str(self.no_start)}, capture_output=True, text=True, timeout=PATIENCE)
        if said.returncode:
            raise Failed(f"a container is not made: {said.stderr}")

    def command(self, attachment, part, turn):
        """`docker kill` or `docker rm -f`: `part` is before 0, between them, or after 1."""
        words = (["docker", "kill", "-s", "KILL", self.name], ["docker", "rm", "-f", self.name])[turn // 3 % 2]
        self.create()
        if part > 0:
            client = subprocess.Popen(
                ["docker", "start", self.name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True)
            if part >= 1:
                client.wait(PATIENCE)
            else:
                time.sleep(part * self.whole[attachment])
        run(*words)
        if part > 0:
            self.ended(client)
        self.hits[words[1]] += 1

    def play(self, scenario, points):
        """All points of one scenario, attachments and victims in turn."""
        act = {"runtime": self.kill_runtime, "client": self.kill_client, "engine": self.command}[scenario]
        for i in range(points):
            attachment = ATTACHMENTS[i % 2]
            part = (-1, (i // 3 + 0.5) / max(points // 3, 1) * 0.8, 1)[i % 3] if scenario == "engine" else (i + 0.5) / points
            try:
                act(attachment, part, i // 2 if scenario != "engine" else i)
                self.remove()
                self.works(attachment)
            except (Failed, subprocess.TimeoutExpired) as failed:
                raise Failed(f"{scenario} {i} of {points}, {attachment}: {failed}") from failed


def adopt_orphans():
    """What clients leave behind becomes this process's child, which so sees its end."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise Failed("cannot become the parent of orphans")


def group_lives(group):
    try:
        os.waitpid(-group, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ringway", required=True, help="the program")
    parser.add_argument("--run-dir", required=True)
    parser.add_argument("--work", required=True, help="a directory for files")
    parser.add_argument("--id", required=True, help="what names of containers begin with")
    parser.add_argument("--network", required=True)
    parser.add_argument("--gateway", required=True, help="of the network")
    parser.add_argument("--other", required=True, help="another network")
    parser.add_argument("--image", required=True)
    parser.add_argument("scenario", choices=("runtime", "engine", "client"))
    parser.add_argument("points", type=int)
    options = parser.parse_args()
    try:
        adopt_orphans()
        starts = Starts(options)
        starts.measure()
        starts.play(options.scenario, options.points)
    except (Failed, subprocess.TimeoutExpired) as failed:
        print(f"docker_kill: {failed}", file=sys.stderr)
        return 1
    print(json.dumps({"scenario": options.scenario, "points": options.points, "hits": starts.hits}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
