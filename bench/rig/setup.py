# SPDX-License-Identifier: BSD-3-Clause
"""What one measurement is made of: ports, frames, rings. And what all measurements of a run share."""
import dataclasses
import pathlib

MTU_DEFAULT = 1500
ETHER_SIZE = 14


@dataclasses.dataclass(frozen=True)
class Setup:
    """One point of a measure. `busy` ports exchange frames, `ports - busy` are connected and quiet."""

    size: int = 64
    ports: int = 2
    busy: int = 2
    pattern: str = "pairs"
    both_ways: bool = False
    packed: bool = False
    tso: bool = False
    queues: int = 1
    ring_size: int = 256
    rx_buffer: int = 2048
    generator: str = "gen"
    # The third port sends to everybody on a network that it shares with all further ones.
    flood: bool = False

    @property
    def mtu(self):
        """Of the network. A segment to be segmented may be longer than the MTU."""
        return MTU_DEFAULT if self.tso else max(MTU_DEFAULT, self.size - ETHER_SIZE)

    def key(self):
        """What differs from the plain case, for tables and files."""
        plain = Setup()
        return {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self)
            if f.name == "size" or getattr(self, f.name) != getattr(plain, f.name)
        }


# The port that floods. Those before it have a network of their own.
FLOOD_FIRST = 2


def mac_of(index):
    return f"02:00:00:00:{index >> 8:02x}:{index & 255:02x}"


@dataclasses.dataclass(frozen=True)
class Rig:
    """CPUs, programs and options of a run."""

    top: pathlib.Path
    build: pathlib.Path
    switch_cpu: int = 1
    generator_cpu: int = 0
    seconds: float = 3.0
    warm: float = 0.5
    trial: float = 2.0
    tolerance: float = 0.0
    keep: bool = False
    hugepages: bool = False
    profile: pathlib.Path | None = None
    ringwayd_args: tuple = ()
    # Docker's version and the image of ordinary containers; "": network namespaces play them.
    engine: str = ""
    image: str = ""

    @property
    def generator_cpus(self):
        return {self.generator_cpu}
