# SPDX-License-Identifier: BSD-3-Clause
"""Tests that run one after the other and say so in TAP."""
import time

PATIENCE_SECONDS = 30


class Skip(Exception):
    """Raised by a test that cannot run here; says why."""


def expect(condition, said):
    if not condition:
        raise RuntimeError(said)


def wait_for(what, question, seconds=PATIENCE_SECONDS):
    """Asks until the answer is true. An answer that cannot be had yet is none."""
    end = time.monotonic() + seconds
    while True:
        error = None
        try:
            if question():
                return
        except (RuntimeError, OSError) as reason:
            error = reason
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}" + (f" ({error})" if error else ""))
        time.sleep(0.1)


class Tests:
    """Counts what it runs."""

    def __init__(self, count):
        self.number = 0
        self.failed = 0
        print(f"1..{count}", flush=True)

    def run(self, title, test):
        """Whether it passed or was skipped."""
        self.number += 1
        begin = time.monotonic()
        try:
            test()
        except Skip as reason:
            print(f"ok {self.number} {title} # skip {reason}", flush=True)
        except (RuntimeError, OSError, KeyError, ValueError, IndexError) as error:
            self.failed += 1
            reason = str(error).replace("\n", "\n# ")
            print(f"not ok {self.number} {title}\n# {type(error).__name__}: {reason}", flush=True)
            return False
        else:
            print(f"ok {self.number} {title} # {time.monotonic() - begin:.1f} s", flush=True)
        return True
