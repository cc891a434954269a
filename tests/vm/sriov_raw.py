# SPDX-License-Identifier: BSD-3-Clause
"""The guest itself, without Ringway: what fails here is the bed's or the kernel's."""
import re

from tap import expect

MACS = [f"52:54:00:00:11:0{number}" for number in range(4)]


class RawTests:
    """One boot: functions of eth0, taken and given back by each test."""
    kernel_options = ""

    def __init__(self, guest):
        self.guest = guest

    def run(self, command, seconds=60):
        return self.guest.run(". /project/tests/vm/sriov-lib.bash\n" + command, seconds)

    def test_four_functions_come(self):
        self.run("nics_up && echo 4 >/sys/class/net/eth0/device/sriov_numvfs")
        addresses = self.run("functions_of eth0").split()
        expect(len(addresses) == 4, f"functions: {addresses}")
        groups = self.run("for f in $(functions_of eth0); do group_of $f; done").split()
        expect(len(set(groups)) == 4, f"IOMMU groups: {groups}")
        drivers = self.run("for f in $(functions_of eth0); do driver_of $f; done").split()
        expect(drivers == ["igbvf"] * 4, f"drivers: {drivers}")

    def test_testpmd_in_a_container_drives_functions(self):
        """Both functions of one container, uid 1000 without a capability: what one sends the other gets."""
        output = self.run(f"""
set -- $(functions_of eth0)
ip link set eth0 vf 0 mac {MACS[0]} && ip link set eth0 vf 1 mac {MACS[1]} || exit
bind $1 vfio-pci && bind $2 vfio-pci || exit
echo 96 >/proc/sys/vm/nr_hugepages
bundle /tmp/bundle $1 $2 -- dpdk-testpmd -l 0-1 -a $1 -a $2 --iova-mode=va --in-memory -m 128 --no-telemetry -- \\
    --forward-mode=mac --no-lsc-interrupt --total-num-mbufs=4096 --eth-peer=0,{MACS[1]} --eth-peer=1,{MACS[0]} --tx-first --stats-period=1
crun --cgroup-manager=cgroupfs run -b /tmp/bundle raw >/tmp/testpmd.log 2>&1 &
SECONDS=0
until [ $SECONDS -ge 60 ] || grep -qE 'RX-packets: [0-9]{{4}}' /tmp/testpmd.log || ! kill -0 $!; do sleep 0.5; done
crun kill raw KILL
wait
cat /tmp/testpmd.log
crun delete -f raw 2>/dev/null
echo 0 >/proc/sys/vm/nr_hugepages
for f in $1 $2; do bind $f ''; done""", 120)
        received = [int(number) for number in re.findall(r"RX-packets: *(\d+)", output)]
        expect(received and max(received) >= 1000, f"testpmd said: {output[-2000:]}")
        drivers = self.run("for f in $(functions_of eth0); do driver_of $f; done").split()
        expect(drivers == ["igbvf"] * 4, f"drivers afterwards: {drivers}")

    def test_kernel_functions_reach_each_other_and_the_wire(self):
        """Each in a namespace of its own, as containers have them; the other NIC is what the wire leads to."""
        self.run("""
set -- $(functions_of eth0)
number=1
for f in $1 $2 wire; do
    ip netns add n$number
    interface=eth1
    [ $f = wire ] || interface=$(interface_of $f)
    ip link set $interface netns n$number name eth0
    ip -n n$number addr add 10.0.0.$number/24 dev eth0
    ip -n n$number link set eth0 up
    number=$((number + 1))
done
for n in n1 n2 n3; do wait_until ip netns exec $n cat /sys/class/net/eth0/carrier; done
status=0
for to in 2 3; do ip netns exec n1 ping -c 3 -i 0.2 -W 5 10.0.0.$to || status=1; done
ip netns exec n2 iperf3 -s -1 -D
sleep 1
timeout 30 ip netns exec n1 iperf3 -c 10.0.0.2 -n 2M || status=1
number=2
for n in n1 n2; do ip -n $n link set eth0 netns 1 name eth$number; number=$((number + 1)); done
ip -n n3 link set eth0 netns 1 name eth1
for n in n1 n2 n3; do ip netns del $n; done
ip link set eth1 up
exit $status""", 120)

    def test_functions_go(self):
        self.run("echo 0 >/sys/class/net/eth0/device/sriov_numvfs")
        expect(not self.run("functions_of eth0").strip(), "there still are functions")
