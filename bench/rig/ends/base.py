# SPDX-License-Identifier: BSD-3-Clause
"""What is the same for all systems that two containers, or the host and one, are measured on."""
from .. import places
from ..places import CLIENT, SERVER, Ends
from ..systems.base import System, Unsupported


class Network(System):
    """One network with its ends. Nothing is pinned to a CPU."""

    # Why it cannot have one end that is a vhost front end with segmentation; empty: it can.
    no_front_ends = "joins no vhost front end"

    def start(self, traffic):
        """Starts it; returns the ends of the traffic."""
        if traffic.front_end and self.no_front_ends:
            raise Unsupported(self.no_front_ends)
        self.make(traffic)
        if traffic.front_end:
            client = self.join("a", CLIENT)
            ports = places.front_end(self.rig, self.workspace, self.join_front_end())
            return Ends(client, SERVER, ports[traffic.between])
        self.join("b", SERVER)
        client = self.join_host() if traffic.between == "host" else self.join("a", CLIENT)
        return Ends(client, SERVER)

    def make(self, traffic):
        """Makes the network."""
        raise NotImplementedError

    def join(self, letter, address):
        """A place on it with this address."""
        raise NotImplementedError

    def join_front_end(self):
        """The socket of a port for a vhost front end with FRONT_MAC and the server's address."""
        raise NotImplementedError

    def join_host(self):
        """The host's own place on it."""
        return places.host(self.rig)
