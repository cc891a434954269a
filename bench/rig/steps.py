# SPDX-License-Identifier: BSD-3-Clause
"""Programs that measure in steps: they say {"event": ..} in a line, go on when a line comes, and print a result."""
import json
import os
import select
import subprocess
import time

from .process import PATIENCE, RigError
from .systems.base import Unsupported

# Exit status of a generator when the back end does not offer what was asked for.
UNSUPPORTED = 3


def _lines(workspace, process, seconds):
    """Its JSON lines until its end."""
    end = time.monotonic() + seconds + PATIENCE
    pipe, kept = process.stdout.fileno(), b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise RigError(
                f"{process.rig_name} did not answer: {workspace.last_words(process.rig_name)}")
        # Past Python's buffers: select() does not know what lies in them.
        more = os.read(pipe, 65536)
        *lines, kept = (kept + more).split(b"\n")
        yield from (json.loads(line) for line in lines)
        if not more:
            return


def drive(workspace, name, argv, seconds, hooks):
    """Runs one to its end; returns what it printed. hooks[event]() is called while its load goes on."""
    result = None
    process = workspace.start(name, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for said in _lines(workspace, process, seconds):
            if "event" not in said:
                result = said
                continue
            if hooks.get(said["event"]):
                hooks[said["event"]]()
            process.stdin.write("\n")
            process.stdin.flush()
        process.wait(PATIENCE)
    except BrokenPipeError:
        process.wait(PATIENCE)
    finally:
        workspace.end(process)
    if process.returncode == UNSUPPORTED:
        raise Unsupported(workspace.last_words(name).rpartition("unsupported: ")[2])
    if process.returncode or result is None:
        raise RigError(workspace.last_words(name))
    return result
