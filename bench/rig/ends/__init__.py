# SPDX-License-Identifier: BSD-3-Clause
"""The systems that ordinary containers are measured on, by name."""
from .bridge import Bridge
from .macvlan import Macvlan
from .ovs import OpenVSwitch
from .ringway import Ringway

ENDS = {s.name: s for s in (Ringway, Bridge, Macvlan, OpenVSwitch)}

__all__ = ["ENDS"]
