# SPDX-License-Identifier: BSD-3-Clause
"""What every system under test can do."""
import dataclasses


class Unsupported(Exception):
    """This system cannot be measured so, and why."""


@dataclasses.dataclass
class Counters:
    """Cycles that the switch's core was busy; frames, or None when only the generator counts them."""

    cycles: float
    frames: int | None


class System:
    """One start of one system. The switch's core is rig.switch_cpu; all else stays away from it."""

    name = ""
    title = ""
    # A process other than these programs has to be installed for it: [(program, package)].
    needs = ()
    # What the generator is started by, for instance in a namespace.
    generator_prefix = ()

    # Set for measures of memory: take it when it is needed and not all at once.
    memory_as_needed = False

    def __init__(self, rig, workspace):
        self.rig = rig
        self.workspace = workspace

    def start(self, setup):
        """Starts it with setup.ports ports; returns the generator's names of them, in order."""
        raise NotImplementedError

    def counters(self):
        """Counters, or None where the system has none."""
        return None

    def pid(self):
        """The process that moves frames; None: the kernel."""
        return None

    def stop(self):
        """Whatever the workspace does not end by itself."""
