#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Functions of NICs, an IOMMU and containers, in a virtual machine: tests/vm/sriov.py BUILD IMAGE [WORD..]

A class is one boot: its tests run one after the other, and each leaves the guest as it found it. With words only the tests
whose names have one of them run, and those that prepare (setup_..). Prints a line a test in TAP; exit status 1 when one
failed: then the consoles and what else the guest left are in build-check/sriov.
"""
import os
import shutil
import signal
import sys
import tempfile

from sriov_guest import TOP, SriovGuest
from sriov_raw import RawTests
from tap import Tests

BOOTS = (RawTests,)
KEPT = os.path.join(TOP, "build-check", "sriov")


def chosen_tests(boot, words):
    """Names in the order that they are written in; none when no test of the boot is wanted."""
    names = [name for name in vars(boot) if name.startswith(("setup_", "test_"))]
    if words:
        names = [name for name in names if name.startswith("setup_") or any(word in name for word in words)]
    return names if any(name.startswith("test_") for name in names) else []


def run_boot(boot, names, guest, results):
    title = boot.__name__.removesuffix("Tests").lower()

    def start():
        guest.start()
        guest.wait_ready()

    if not results.run(f"{title}: boot", start):
        return
    tests = boot(guest)
    for name in names:
        passed = results.run(f"{title}: {name.partition('_')[2].replace('_', ' ')}", getattr(tests, name))
        if not passed and name.startswith("setup_"):
            return


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, image = (os.path.abspath(path) for path in sys.argv[1:3])
    chosen = [(boot, chosen_tests(boot, sys.argv[3:])) for boot in BOOTS]
    chosen = [(boot, names) for boot, names in chosen if names]
    results = Tests(sum(len(names) + 1 for _, names in chosen))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # So that what was started is stopped.
    shutil.rmtree(KEPT, ignore_errors=True)
    # Under /run, because a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="ringway-vm.", dir="/run") as directory:
        for boot, names in chosen:
            failed = results.failed
            guest = SriovGuest(image, build, directory, boot.__name__, boot.kernel_options)
            try:
                run_boot(boot, names, guest, results)
            finally:
                guest.stop()
                if results.failed > failed:
                    shutil.copytree(directory, KEPT, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.control"))
    if results.failed:
        print(f"# kept: {KEPT}")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
