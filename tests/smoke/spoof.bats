# SPDX-License-Identifier: BSD-3-Clause
# Containers that speak for each other's addresses: ordinary ones with NET_ADMIN and NET_RAW, beside one that says what it
# learned.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"
# shellcheck source=tests/smoke/ordinary.bash
. "$BATS_TEST_DIRNAME/ordinary.bash"

setup_file() {
	smoke_start
	"$top/tools/demo-image.sh" --plain "$plain" 3>&-
	ringway network create "$id-n" --subnet 10.217.0.0/24 --ipv6-subnet fd00:217::/64
	poll docker network inspect "$id-n"
	plain_run a --network "$id-n" --ip 10.217.0.10 --ip6 fd00:217::10 --cap-add NET_ADMIN
	plain_run b --network "$id-n" --ip 10.217.0.11 --ip6 fd00:217::11
	plain_run c --network "$id-n" --ip 10.217.0.12 --ip6 fd00:217::12
	plain_run s --network "name=$id-n,driver-opt=ringway.allow-spoof=on" --ip 10.217.0.13 --cap-add NET_ADMIN
}

teardown_file() {
	smoke_stop
}

in_netns() {
	local pid
	pid=$(docker inspect -f '{{.State.Pid}}' "$id-$1")
	shift
	nsenter -t "$pid" -n "$@"
}

# drops NAME REASON
drops() {
	json stats "$(port_at n "$(address "$1" n)")" -- ".ports[0].drops.$2"
}

# claim NAME ADDRESS: says by ARP, to all and to b alone, that ADDRESS is at NAME.
claim() {
	local victim
	victim=$(address b n MacAddress)
	in_netns "$1" python3 - "$2" "$victim" <<-'PYTHON'
		import fcntl, socket, struct, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
		s.bind(("eth0", 0))
		mac = fcntl.ioctl(s, 0x8927, struct.pack("256s", b"eth0"))[18:24]
		address = socket.inet_aton(sys.argv[1])
		for to in b"\xff" * 6, bytes.fromhex(sys.argv[2].replace(":", "")):
		    for operation in 1, 2:
		        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + address + to + address
		        s.send(to + mac + b"\x08\x06" + arp)
		        s.send(to + mac + b"\x81\x00\x00\x00\x08\x06" + arp)
	PYTHON
}

# known_at_b ADDRESS: the MAC address that b has of it.
known_at_b() {
	in_netns b ip -j neigh show to "$1" | jq -er '.[0].lladdr'
}

@test "ordinary containers are held to their addresses, and those that may spoof are not" {
	json port inspect "$(port_at n 10.217.0.10)" -- 'select(.pin_address and (.allow_spoof | not))'
	json port inspect "$(port_at n 10.217.0.13)" -- 'select(.allow_spoof and (.pin_address | not))'
	pings a 10.217.0.11
	pings a fd00:217::11
	pings a 10.217.0.1
	pings s 10.217.0.11
}

@test "a container cannot take another's traffic by ARP" {
	local mac
	pings b 10.217.0.12
	mac=$(address c n MacAddress)
	[ "$(known_at_b 10.217.0.12)" = "$mac" ]
	claim a 10.217.0.12
	claim a 10.217.0.1
	[ "$(drops a arp)" = 16 ]
	[ "$(known_at_b 10.217.0.12)" = "$mac" ]
	claim s 10.217.0.12 # It may: the rule is what kept a from it.
	[ "$(known_at_b 10.217.0.12)" = "$(address s n MacAddress)" ]
	in_netns b ip neigh flush dev eth0
	pings b 10.217.0.12
}

@test "an address that a container gives itself is not heard" {
	local before
	in_netns a ip addr add 10.217.0.99/24 dev eth0
	in_netns a ip addr add fd00:217::99/64 dev eth0 nodad
	before=$(drops a source_ip)
	run ! pings a 10.217.0.11 -I 10.217.0.99
	run ! pings a fd00:217::11 -I fd00:217::99
	[ "$(drops a source_ip)" -gt "$before" ]
	in_netns a ip link set eth0 down
	in_netns a ip link set eth0 address 02:00:00:00:99:99 up
	before=$(drops a source_address)
	run ! pings a 10.217.0.11
	[ "$(drops a source_address)" -gt "$before" ]
	in_netns s ip addr add 10.217.0.98/24 dev eth0
	pings s 10.217.0.11 -I 10.217.0.98
}
