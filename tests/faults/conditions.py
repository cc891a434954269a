#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong around ringwayd: tests/faults/conditions.py BUILD [CASE...]

Full disks, locked and damaged databases, directories that vanish, too few descriptors, clocks that jump, a host that was
restarted. Each case says so in one line to the user, changes nothing by half, and goes on when the fault is gone.
Lines are TAP (Test Anything Protocol); exit status 1 when one failed.
"""
import argparse
import glob
import hashlib
import http.client
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from instance import PATIENCE, Failure, Instance, output, poll  # noqa: E402
from points import GatewayNetwork, differences  # noqa: E402

PAGE = 4096


def check(condition, what):
    if not condition:
        raise Failure(what)


class Skip(Exception):
    """The case cannot be played here, with the reason."""


class Play(Instance):
    """An instance that faults happen to."""

    def ringway(self, *arguments):
        """(status, stdout, lines of stderr) of the command line."""
        run = subprocess.run(
            [os.path.join(self.build, "src/cli/ringway"), "--run-dir", self.run_dir, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        return run.returncode, run.stdout, run.stderr.splitlines()

    def do(self, *arguments):
        status, _, lines = self.ringway(*arguments)
        check(status == 0, f"{arguments}: {lines}")

    def refused(self, part, *arguments):
        """The command fails with one line that has this part."""
        status, text, lines = self.ringway(*arguments)
        check(status == 1 and len(lines) == 1 and not text and part in lines[0],
              f"{arguments}: wanted a line with '{part}', got status {status} and {lines}")

    def refuses_to_start(self, part):
        """ringwayd ends with status 1, and says why with this part."""
        before = os.path.getsize(self.log)
        self.spawn()
        check(self.process.wait(PATIENCE) == 1, "ringwayd has started, or ended otherwise")
        with open(self.log, encoding="utf-8") as log:
            log.seek(before)
            said = log.read()
        check(part in said, f"wanted '{part}' in:\n{said}")

    def said(self, part):
        with open(self.log, encoding="utf-8") as log:
            return log.read().count(part)

    def mount_state(self, size):
        os.makedirs(self.state_dir, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "ringway-faults", self.state_dir], check=True)

    def close(self):
        super().close()
        if os.path.ismount(self.state_dir):
            subprocess.run(["umount", self.state_dir], check=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def restarted(self):
        """All that it holds after a restart: one that has started its switch has descriptors of that, too."""
        self.kill()
        self.start()
        last = None
        while True:
            state = self.snapshot()
            if state == last:
                return state
            last = state
            time.sleep(0.1)

    def database(self):
        return sqlite3.connect(os.path.join(self.state_dir, "ringway.db"), timeout=PATIENCE, isolation_level=None)

    def same(self, wanted, when, *without, seconds=10):
        wanted = {part: lines for part, lines in wanted.items() if part not in without}

        def look():
            state = self.snapshot()
            return {part: state[part] for part in wanted} == wanted
        found = poll(look, seconds, 0.05)
        check(found, when + "\n" + ("" if found else differences(self.snapshot(), {"wanted": wanted})))


class Filler:
    """A file that takes what a file system has left."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "filler")

    def fill(self, leave=0):
        """All but so many bytes."""
        with open(self.path, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError:
                pass
            file.truncate(max(0, file.tell() - leave))

    def empty(self):
        if os.path.exists(self.path):
            os.unlink(self.path)


def disk_full(play):
    """At every write of a change: as many pages are left as there are writes before it."""
    play.mount_state("1m")
    play.start()
    case = GatewayNetwork(play)
    case.up()
    case.down()
    down = play.snapshot()
    case.up()
    up = play.snapshot()
    case.down()
    filler = Filler(play.state_dir)
    refused = 0
    for way, back, states in (("up", "down", (down, up)), ("down", "up", (up, down))):
        for pages in range(0, 24, 2):
            play.same(states[0], f"before {way} with {pages} pages")
            db = play.database()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.close()
            filler.fill(pages * PAGE)
            try:
                getattr(case, way)()
                done = True
            except Failure as failure:
                check("full" in str(failure) and "free space" in str(failure), f"says: {failure}")
                refused += 1
                done = False
            objects = play.snapshot()["objects"]
            check(objects == states[done]["objects"], f"{way}, {pages} pages, done {done}: {objects}")
            filler.empty()
            if done:
                getattr(case, back)()
            else:  # There is space again.
                getattr(case, way)()
                play.same(states[1], f"{way} once there was space")
                getattr(case, back)()
        if way == "up":
            case.up()
    case.down()
    check(refused > 4, f"refused {refused} times only")
    # Full when it ends, and when it starts.
    filler.fill()
    play.refused("free space", "network", "create", "n", "--no-docker")
    play.kill()
    play.start()
    play.refused("free space", "network", "create", "n", "--no-docker")
    filler.empty()
    play.same(down, "started with a full disk", "descriptors of ringwayd")
    case.up()


def database_locked(play):
    play.start()
    play.do("network", "create", "kept", "--no-docker")
    before = play.snapshot()
    other = play.database()
    other.execute("BEGIN IMMEDIATE")
    play.refused("locked", "network", "create", "n", "--no-docker")
    play.refused("end it", "network", "rm", "kept")
    other.execute("ROLLBACK")
    other.close()
    play.same(before, "locked and let go")
    play.do("network", "create", "n", "--no-docker")
    play.stop()
    other = play.database()
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    play.refuses_to_start("locked: end it")
    other.close()
    play.start()
    play.do("network", "rm", "kept")


def files_of(directory):
    """{name: hash}, without the index and the empty log that every reader of a database may make."""
    result = {}
    for path in glob.glob(os.path.join(directory, "*")):
        if not path.endswith("-shm") and os.path.getsize(path):
            with open(path, "rb") as file:
                result[path] = hashlib.sha256(file.read()).hexdigest()
    return result


def database_refused(play):
    """Files that are not ours, or not any more, stay as they are to the byte."""
    play.start()
    for number in range(8):
        play.do("network", "create", f"n{number}", "--no-docker")
    play.kill()  # So that its log is there, too.
    good = os.path.join(play.work, "good")
    shutil.copytree(play.state_dir, good)

    def overwrite(name, offset, data):
        with open(os.path.join(play.state_dir, name), "r+b") as file:
            file.seek(offset)
            file.write(data)

    def newer():
        db = play.database()
        db.execute("PRAGMA user_version = 99")
        db.close()

    def no_database():
        for name in ("ringway.db-wal", "ringway.db-shm"):
            os.unlink(os.path.join(play.state_dir, name))
        overwrite("ringway.db", 0, b"This is a letter to my aunt, and no database. " * 100)

    def damaged():
        db = play.database()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        overwrite("ringway.db", 2 * PAGE, b"\x5a" * PAGE)

    def other_state():
        db = play.database()
        db.execute("UPDATE networks SET state = 9 WHERE id = 3")
        db.close()

    for spoil, part in ((newer, "start the newer ringwayd"), (no_database, "restore a copy"),
                        (damaged, "restore a copy"), (other_state, "a row makes no sense")):
        shutil.rmtree(play.state_dir)
        shutil.copytree(good, play.state_dir)
        spoil()
        before = files_of(play.state_dir)
        play.refuses_to_start(part)
        check(files_of(play.state_dir) == before, f"{spoil.__name__}: the files have changed")
    shutil.rmtree(play.state_dir)
    os.makedirs(os.path.join(play.state_dir, "ringway.db"))
    play.refuses_to_start("cannot open the state")
    shutil.rmtree(play.state_dir)
    shutil.copytree(good, play.state_dir)
    play.start()
    check(len(play.rows()["networks"]) == 8, "the good one is not whole")


def read_only(play):
    play.mount_state("4m")
    play.start()
    play.do("network", "create", "kept", "--no-docker")
    before = play.restarted()
    # What has files open for writing holds a remount up: only new ones are refused, as by a disk with errors.
    play.kill()
    subprocess.run(["mount", "-o", "remount,ro", play.state_dir], check=True)
    play.refuses_to_start("Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", play.state_dir], check=True)
    play.start()
    play.same(before, "writable again")


def state_gone(play):
    """A start would not find what is written to a file that was removed."""
    play.start()
    play.do("network", "create", "kept", "--no-docker")
    away = play.state_dir + ".away"
    os.rename(play.state_dir, away)
    play.refused("was removed or replaced", "network", "create", "n", "--no-docker")
    play.refused("put it back", "network", "rm", "kept")
    os.rename(away, play.state_dir)
    play.do("network", "create", "n", "--no-docker")


def connects(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as front_end:
        try:
            front_end.connect(path)
            return True
        except OSError:
            return False


def port_state(play, name):
    return play.api("GET", "/v1/ports/" + name)[1]["state"]


def port_directory(play):
    """Connections go on; sockets are made anew under a running ringwayd, and by the next one."""
    play.start()
    play.do("network", "create", "n", "--no-docker", "--no-gateway")
    play.do("port", "add", "p", "--network", "n", "--attach", "vhost")
    play.do("port", "add", "q", "--network", "n", "--attach", "vhost")
    ports = os.path.join(play.run_dir, "ports")
    path = os.path.join(ports, "p", "vhost.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as front_end:
        front_end.connect(path)
        check(poll(lambda: port_state(play, "p") == "connected"), "p is not connected")
        before = play.restarted()
        for what in (os.path.join(ports, "p"), ports, path):
            if os.path.isdir(what):
                shutil.rmtree(what)
            else:
                os.unlink(what)
            check(poll(lambda: connects(path)), f"{what}: the socket does not come back")
            check(port_state(play, "p") == "connected", f"{what}: the front end lost its connection")
        check(poll(lambda: connects(os.path.join(ports, "q", "vhost.sock"))), "q's socket does not come back")
        check(play.said("was removed: made anew") >= 3, "it was not said")
        play.kill()
        shutil.rmtree(ports)
        play.start()
        check(poll(lambda: connects(path)), "the next ringwayd does not make the socket")
        check(port_state(play, "p") == "connected", "the restart lost the connection")
        play.same(before, "after the restart")
    # What the switch has kept of an earlier socket is not taken for the one that is there now.
    play.kill()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.bind(path)
    play.start()
    check(poll(lambda: connects(path)), "a dead socket is taken for the port's")


def run_directory(play):
    """Nothing can be mended without the path: it is said, and the next start is a new one."""
    play.arguments = ["--no-kernel-ports"]
    play.start()
    play.do("network", "create", "n", "--no-docker")
    play.do("port", "add", "p", "--network", "n", "--attach", "vhost")
    switch = play.switch_pid()
    shutil.rmtree(play.run_dir)
    check(poll(lambda: play.said("was removed, and all sockets with it")), "it is not said")
    check(os.path.exists(f"/proc/{switch}"), "the switch has ended")
    play.process.send_signal(signal.SIGTERM)
    check(play.process.wait(PATIENCE) == 0, "it does not end")
    check(poll(lambda: not os.path.exists(f"/proc/{switch}")), "the switch, which nobody finds again, goes on")
    play.start()
    check(connects(os.path.join(play.run_dir, "ports/p/vhost.sock")), "the port is not there")


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def few_descriptors(play):
    """No more ports than fit; those that there are go on, nobody spins, and there is room again when some go."""
    play.arguments = ["--no-kernel-ports"]
    play.limit = 300
    play.start()
    play.do("network", "create", "n", "--no-docker")
    count = 0
    while count < 200:
        status, _, lines = play.ringway("port", "add", f"p{count}", "--network", "n", "--attach", "vhost")
        if status:
            break
        count += 1
    check(8 < count < 200, f"there were {count} ports")
    check(len(lines) == 1 and "descriptors" in lines[0], f"says: {lines}")
    before = processor_seconds(play.process.pid), processor_seconds(play.switch_pid())
    path = os.path.join(play.run_dir, "ports", f"p{count - 1}", "vhost.sock")
    fronts = []
    for number in range(count):  # More than there is room for.
        front_end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        front_end.setblocking(False)
        try:
            front_end.connect(os.path.join(play.run_dir, "ports", f"p{number}", "vhost.sock"))
        except OSError:
            pass
        fronts.append(front_end)
    time.sleep(3)
    check(connects(path), "the last port's socket refuses")
    after = processor_seconds(play.process.pid), processor_seconds(play.switch_pid())
    check(after[0] - before[0] < 1.5 and after[1] - before[1] < 1.5, f"somebody spins: {before} to {after}")
    for front_end in fronts:
        front_end.close()
    for number in range(4):
        play.do("port", "rm", f"p{number}")
    play.do("port", "add", "again", "--network", "n", "--attach", "vhost")


def clock_jumps(play):
    """Nothing but the times of creation comes from the clock that people set."""
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not library:
        raise Skip("libfaketime is not installed")
    offset = os.path.join(play.work, "offset")

    def jump(text):
        with open(offset + ".new", "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.rename(offset + ".new", offset)

    jump("+0")
    play.environment = {
        "LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    play.start()
    case = GatewayNetwork(play)
    case.up()
    case.port("p", "vhost", 3)
    switch = play.switch_pid()
    before = play.snapshot()
    for number, text in enumerate(("+3650d", "-3650d", "+0", "+3h")):
        jump(text)
        play.do("port", "add", f"q{number}", "--network", "n", "--attach", "vhost")
        created = play.api("GET", f"/v1/ports/q{number}")[1]["created"]
        year = time.gmtime(time.time() + {"+3650d": 3650, "-3650d": -3650}.get(text, 0) * 86400).tm_year
        check(created.startswith(str(year)), f"the clock did not jump: {created}")
        play.do("port", "rm", f"q{number}")
        time.sleep(1.5)  # Those that look every second have looked.
        play.same(before, f"the clock at {text}")
    check(play.switch_pid() == switch, "the switch was taken for a hung one")
    case.remove_port("p")
    case.down()


def host_restarted(play):
    """Directories, sockets and rows of before; no process, no mount, no interface, no rule."""
    play.start()
    case = GatewayNetwork(play)
    case.docker_network()
    case.port("p", "vhost", 3)
    case.endpoint()
    case.join()
    with_endpoint = play.restarted()
    case.delete_endpoint()
    before = play.snapshot()
    case.endpoint()
    case.join()
    check(poll(lambda: any(row["sandbox_seen"] for row in play.rows()["ports"])), "the namespace is not seen")
    switch = play.switch_pid()
    play.kill()
    os.kill(switch, signal.SIGKILL)
    poll(lambda: not os.path.exists(f"/proc/{switch}"))
    tag = play.tag()
    for line in output("nsenter", f"--net={play.run_dir}/netns/own", "ip", "-br", "link").splitlines():
        name = line.split()[0].split("@")[0]
        if name != "lo":
            subprocess.run(["nsenter", f"--net={play.run_dir}/netns/own", "ip", "link", "del", name], check=True)
    subprocess.run(["umount", f"{play.run_dir}/netns/own"], check=True)
    subprocess.run(["umount", f"{play.run_dir}/bpf"], check=True)
    subprocess.run(["nft", "delete", "table", "inet", "ringway_" + tag], check=True)
    play.holder.kill()  # The container's process, and its namespace with it.
    play.holder.wait()
    check(with_endpoint["objects"] != before["objects"], "the endpoint made no port")
    play.start()
    play.new_holder()
    # The endpoint's namespace was seen, and is gone: the endpoint is collected. All else is as it was.
    play.same(before, "not as before", "inside", "descriptors of ringwayd")
    check(connects(os.path.join(play.run_dir, "ports/p/vhost.sock")), "the port's socket is dead")
    case.remove_port("p")
    case.driver("DeleteNetwork")


CASES = {case.__name__.replace("_", "-"): case for case in (
    disk_full, database_locked, database_refused, read_only, state_gone, port_directory, run_directory, few_descriptors,
    clock_jumps, host_restarted)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_intermixed_args()
    names = arguments.cases or list(CASES)
    print(f"1..{len(names)}", flush=True)
    failed = 0
    for number, name in enumerate(names, 1):
        play = Play(arguments.build)
        begin = time.monotonic()
        try:
            CASES[name](play)
            print(f"ok {number} {name}, {time.monotonic() - begin:.0f} s", flush=True)
        except Skip as reason:
            print(f"ok {number} {name} # skip {reason}", flush=True)
        except (Failure, OSError, subprocess.SubprocessError, sqlite3.Error, http.client.HTTPException) as failure:
            failed += 1
            print(f"not ok {number} {name}: {failure!r}\n{failure}\n{play.log_tail()}".replace("\n", "\n# "), flush=True)
        play.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
