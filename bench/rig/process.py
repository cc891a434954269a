# SPDX-License-Identifier: BSD-3-Clause
"""Processes of a run: started with their output in a file, and always ended."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
# Far more than anything takes on a quiet machine.
PATIENCE = 60
# In the names of threads that move frames: EAL's, Open vSwitch's.
WORKERS = ("worker", "pmd-")
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


class RigError(Exception):
    """A line for the user: what was tried, on what, why, what to do."""


def _child_setup(cpus):
    def setup():
        # When the rig is killed, so are they. SIGINT also ends ringwayd's switch.
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        os.setsid()
        if cpus is not None:
            os.sched_setaffinity(0, cpus)

    return setup


def wait_until(ready, what, seconds=PATIENCE):
    """Calls ready() until it returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > end:
            raise RigError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Workspace:
    """A directory and the processes that write into it. Leaving it ends and removes all."""

    def __init__(self, keep=False):
        self.keep = keep
        self.stack = contextlib.ExitStack()
        self.dir = None

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rwb."))
        os.chmod(self.dir, 0o755)
        if not self.keep:
            self.stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def at_end(self, function, *args):
        self.stack.callback(function, *args)

    def start(self, name, argv, cpus=None, env=None, stdin=subprocess.DEVNULL, stdout=None):
        """Starts a process; what it prints goes to NAME.log unless stdout says otherwise."""
        log = open(self.dir / f"{name}.log", "ab")
        with log:
            process = subprocess.Popen(
                [str(a) for a in argv], stdin=stdin, stdout=log if stdout is None else stdout,
                stderr=log, env={**os.environ, **(env or {})}, preexec_fn=_child_setup(cpus),
                cwd=self.dir, text=True,
            )
        process.rig_name = name
        self.stack.callback(self.end, process)
        return process

    def log(self, name):
        return (self.dir / f"{name}.log").read_text(errors="replace")

    def last_words(self, name):
        lines = [line for line in self.log(name).strip().splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it said nothing"

    def end(self, process, first=signal.SIGINT):
        """Ends a process, politely first. Its process group goes with it at the end."""
        for number, seconds in ((first, 10), (signal.SIGTERM, 5), (signal.SIGKILL, 10)):
            if process.poll() is not None:
                break
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def wait_socket(self, path, process):
        def ready():
            if process.poll() is not None:
                raise RigError(
                    f"{process.rig_name} ended with status {process.returncode}: "
                    f"{self.last_words(process.rig_name)}"
                )
            return pathlib.Path(path).is_socket()

        wait_until(ready, f"{process.rig_name} listening on {path}")


def keep_off(pid, cpus):
    """Moves all threads of a process but its workers, which pin themselves, to `cpus`.

    Told by name: EAL pins its control threads too, to the very CPUs that the main thread does not run on.
    """
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            name = (task / "comm").read_text()
            if not any(word in name for word in WORKERS):
                os.sched_setaffinity(int(task.name), cpus)


def run(argv, **options):
    """Runs a command to its end; RigError with its last line when it fails."""
    done = subprocess.run(
        [str(a) for a in argv], capture_output=True, text=True, check=False, timeout=PATIENCE,
        stdin=subprocess.DEVNULL, **options
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise RigError(f"{' '.join(str(a) for a in argv[:4])} ..: {said[-1]}")
    return done.stdout


def run_anyway(argv, **options):
    """The same for what is removed at the end: it may not be there, and more has to be removed."""
    with contextlib.suppress(RigError, subprocess.TimeoutExpired):
        run(argv, **options)


def run_whole(argv):
    """run() of what another process carries out (a container engine): an interrupt waits until that is done."""
    was = {n: signal.signal(n, signal.SIG_IGN) for n in INTERRUPTS}
    late = []
    for number in INTERRUPTS:
        signal.signal(number, lambda n, _: late.append(n))
    try:
        # A session of its own: what the terminal interrupts is not this.
        return run(argv, start_new_session=True)
    finally:
        for number, handler in was.items():
            signal.signal(number, handler)
        if late:
            os.kill(os.getpid(), late[0])
