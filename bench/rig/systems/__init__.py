# SPDX-License-Identifier: BSD-3-Clause
"""The systems under test, by name."""
from .base import System, Unsupported
from .bridge import Bridge
from .limit import Limit, Null
from .ovs import OpenVSwitch, OpenVSwitchFlows
from .ringway import Ringway
from .testpmd import Testpmd

SYSTEMS = {s.name: s for s in (
    Ringway, OpenVSwitch, OpenVSwitchFlows, Testpmd, Bridge, Limit, Null,
)}

__all__ = ["SYSTEMS", "System", "Unsupported"]
