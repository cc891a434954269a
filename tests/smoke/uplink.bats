#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Ether ports and uplinks over real interfaces: veth pairs, one end of which is the device, and a namespace or another
# uplink outside.
bats_require_minimum_version 1.5.0
load common

# link NAME PEER [NAMESPACE]: a veth pair; NAME is the device.
link() {
	ip link add "$1" type veth peer name "$2"
	ip link set "$1" up
	[ -z "${3:-}" ] || ip link set "$2" netns "$3"
	ip ${3:+-n "$3"} link set "$2" up
}

# station NAME NETWORK ADDRESS: a namespace with an ordinary interface on the network.
station() {
	ip netns add "$id-$1"
	ringway port add "$id-$1" --network "$id-$2" --attach kernel --netns "/run/netns/$id-$1" --ip "$3" >/dev/null
}

# in_ns NAME COMMAND..
in_ns() {
	local name=$1
	shift
	ip netns exec "$id-$name" "$@"
}

reaches() {
	in_ns "$1" ping -c 1 -W 1 "$2"
}

# ping_all NAME ADDRESS ARG..: every one of them is answered.
ping_all() {
	local name=$1 to=$2
	shift 2
	in_ns "$name" ping -q "$@" "$to" | grep ' 0% packet loss'
}

uplink_pid() {
	json port inspect "$id-$1.uplink" -- .uplink.pid
}

# uplink_replaced NETWORK PID
uplink_replaced() {
	local now
	now=$(uplink_pid "$1") && [ "$now" != 0 ] && [ "$now" != "$2" ] &&
		[ "$(json port inspect "$id-$1.uplink" -- .uplink.state)" = running ]
}

dropped() {
	[ "$(json port inspect "$id-$1.uplink" -- ".uplink.drops.$2 // 0")" -ge "$3" ]
}

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: interfaces and namespaces'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=u$$
	run_dir=$work/run state_dir=$work/state driver=''
	export work id run_dir state_dir driver
	ringwayd_start
	ip netns add "$id-out"
	link "$id-d0" "$id-e0" "$id-out"
	ip -n "$id-out" addr add 10.99.0.1/24 dev "$id-e0"
	link "$id-d1" "$id-d2"
	ip link add "$id-r0" type veth peer name "$id-r1"
	ethtool -K "$id-r0" gro on
	ringway network create "$id-plain" --subnet 10.99.0.0/24 --no-gateway --uplink "$id-d0"
	station in plain 10.99.0.10
}

teardown_file() {
	[ -n "${work:-}" ] || return 0
	ringwayd_stop
	local name
	for name in $(ip -o netns list | awk -v id="$id-" 'index($1, id) == 1 {print $1}'); do
		ip netns del "$name"
	done
	for name in d0 d1 j0 r0 b0; do
		ip link del "$id-$name" 2>/dev/null || true
	done
	rm -rf "$work"
}

@test 'an ordinary container and the outside talk, fragments and segments included' {
	poll reaches in 10.99.0.1
	ping_all in 10.99.0.1 -c 5 -i 0.1
	ping_all out 10.99.0.10 -c 3 -i 0.1 -s 20000
	ping_all in 10.99.0.1 -c 3 -i 0.1 -s 20000
}

@test 'no checksum is wrong on the wire' {
	# What comes out of the switch, as the outside gets it; the outside's own frames are not complete there.
	in_ns out tcpdump -i "$id-e0" -Q in -U -w "$work/out.pcap" 2>"$work/tcpdump.log" 3>&- &
	local dump=$!
	poll grep -q listening "$work/tcpdump.log"
	in_ns in iperf3 -s -1 -D
	poll in_ns out iperf3 -n 20M -c 10.99.0.10
	in_ns in iperf3 -s -1 -D
	poll in_ns out iperf3 -R -n 20M -c 10.99.0.10
	in_ns in iperf3 -s -1 -D
	poll in_ns out iperf3 -R -u -b 10M -n 2M -c 10.99.0.10
	kill "$dump"
	wait "$dump" || true
	tcpdump -vv -n -r "$work/out.pcap" 2>/dev/null >"$work/out.txt"
	grep -c 'cksum .*(correct)' "$work/out.txt"
	run ! grep -E 'incorrect|bad .*cksum' "$work/out.txt"
}

@test 'VLANs are put on and taken off, and strangers are counted' {
	ringway network create "$id-v5" --subnet 10.99.5.0/25 --no-gateway --uplink "$id-d1" --vlan 5
	ringway network create "$id-w5" --subnet 10.99.5.128/25 --no-gateway --uplink "xdp:$id-d2" --vlan 5
	station v5 v5 10.99.5.10
	station w5 w5 10.99.5.130
	ip -n "$id-v5" route add 10.99.5.128/25 dev eth0
	ip -n "$id-w5" route add 10.99.5.0/25 dev eth0
	tcpdump -e -n -i "$id-d1" -c 20 icmp or vlan >"$work/vlan.txt" 2>"$work/tcpdump.log" 3>&- &
	local dump=$!
	poll grep -q listening "$work/tcpdump.log"
	poll reaches v5 10.99.5.130
	ping_all v5 10.99.5.130 -c 10 -i 0.05
	wait "$dump"
	[ "$(grep -c 'ethertype 802.1Q.* vlan 5,' "$work/vlan.txt")" -ge 20 ]
	# A second VLAN on one side only, while the first is in use: nothing of it is lost.
	in_ns v5 ping -q -c 1000 -i 0.002 10.99.5.130 >"$work/first.txt" 3>&- &
	local first=$!
	ringway network create "$id-w6" --subnet 10.99.6.0/24 --no-gateway --uplink "xdp:$id-d2" --vlan 6
	station w6 w6 10.99.6.10
	in_ns w6 ping -c 3 -i 0.1 -W 1 10.99.6.99 || true
	wait "$first"
	grep ' 0% packet loss' "$work/first.txt"
	dropped v5 unknown_vlan 1
	# More frames than there are buffers: the kernel accepts each of them.
	in_ns w5 ping -f -q -c 9000 10.99.5.10 | grep -E ' (0|0\.[0-9]+)% packet loss'
	json port inspect "$id-w5.uplink" -- .uplink.drops >"$work/drops.txt"
	run ! grep device_error "$work/drops.txt"
	# Tags and no tags do not meet.
	run ! ringway network create "$id-x5" --uplink "$id-d1" --vlan 5
}

@test 'an uplink that is killed is back, and others lose nothing' {
	local pid
	pid=$(uplink_pid v5)
	in_ns in ping -q -c 1000 -i 0.002 10.99.0.1 >"$work/other.txt" 3>&- &
	local other=$!
	kill -9 "$pid"
	poll uplink_replaced v5 "$pid"
	poll reaches v5 10.99.5.130
	pid=$(uplink_pid w5)
	kill -9 "$pid"
	poll uplink_replaced w5 "$pid"
	poll reaches v5 10.99.5.130
	wait "$other"
	grep ' 0% packet loss' "$work/other.txt"
}

@test 'uplinks outlive ringwayd' {
	local pid
	pid=$(uplink_pid plain)
	in_ns in ping -q -c 1500 -i 0.002 10.99.0.1 >"$work/outlive.txt" 3>&- &
	local pings=$!
	kill -9 "$(ringwayd_pid)"
	poll is_gone "$(ringwayd_pid)"
	ringwayd_start
	wait "$pings"
	grep ' 0% packet loss' "$work/outlive.txt"
	[ "$(uplink_pid plain)" = "$pid" ]
}

@test 'a switch that is replaced has its uplinks, which do not notice' {
	local pid
	pid=$(switch_pid)
	kill -9 "$pid"
	poll switch_replaced "$pid"
	poll reaches in 10.99.0.1
	poll reaches v5 10.99.5.130
	run ! grep -q 'the switch closed the connection' "$work/ringwayd.log"
}

# frames_at INTERFACE: that came in by it.
frames_at() {
	cat "/sys/class/net/$1/statistics/rx_packets"
}

# accounted NETWORK: frames of its uplink from the device, and those that were dropped.
accounted() {
	json port inspect "$id-$1.uplink" -- '.uplink | .rx.frames + ([.drops[]?] | add // 0)'
}

reason_count() {
	json port inspect "$id-$1.uplink" -- ".uplink.drops.$2 // 0"
}

all_accounted() {
	[ $(($(frames_at "$id-d0") - $2)) = $(($(accounted plain) - $1)) ]
}

# Whether no frame comes meanwhile: what is counted before and after is of the same frames then. Sets accounted_before, came_before.
is_quiet() {
	accounted_before=$(accounted plain)
	came_before=$(frames_at "$id-d0")
	sleep 0.3
	[ "$(accounted plain) $(frames_at "$id-d0")" = "$accounted_before $came_before" ]
}

# flood COUNT: frames from outside to the network, as fast as they go; nobody has that address.
flood() {
	in_ns out ip neigh replace 10.99.0.77 lladdr 02:00:00:00:00:77 dev "$id-e0"
	in_ns out timeout 5 ping -q -f -l "$1" -c "$1" -W 1 10.99.0.77 >/dev/null || true
}

@test 'every frame that is lost is counted' {
	local pid accounted_before came_before missed
	pid=$(uplink_pid plain)
	poll is_quiet
	# The uplink takes nothing: the kernel's ring overflows.
	missed=$(reason_count plain missed)
	kill -STOP "$pid"
	flood 5000
	kill -CONT "$pid"
	poll all_accounted "$accounted_before" "$came_before"
	[ "$(reason_count plain missed)" -gt "$missed" ]
	poll reaches in 10.99.0.1
	# The switch takes nothing for a while: the uplink keeps what it can, then drops.
	pid=$(switch_pid)
	kill -STOP "$pid"
	flood 5000
	kill -CONT "$pid"
	poll all_accounted "$accounted_before" "$came_before"
	[ "$(reason_count plain ring_full)" -gt 0 ]
	poll reaches in 10.99.0.1
	[ "$(switch_pid)" = "$pid" ]
}

# jumbo_link: the outside's address stays the same, as that of a router would.
jumbo_link() {
	ip link add "$id-j0" mtu 9000 type veth peer name "$id-j1" mtu 9000 address 02:00:00:00:99:01 netns "$id-out"
	ip -n "$id-out" addr add 10.99.9.1/24 dev "$id-j1"
	ip -n "$id-out" link set "$id-j1" up
}

uplink_failed() {
	[ "$(json port inspect "$id-$1.uplink" -- .uplink.state)" = failed ]
}

# reason_names INTERFACE: by the uplink that ends, or by the next one that finds it gone.
reason_names() {
	json port inspect "$id-jumbo.uplink" -- .uplink.reason | grep "$1"
}

# listed NETWORK TEXT: `port ls` says so of the uplink.
listed() {
	ringway port ls --network "$id-$1" | grep "^$id-$1.uplink .*(.*$2)"
}

@test 'an interface may go and come' {
	jumbo_link
	ringway network create "$id-jumbo" --subnet 10.99.9.0/24 --mtu 9000 --no-gateway --uplink "$id-j0"
	station jumbo jumbo 10.99.9.10
	poll reaches jumbo 10.99.9.1
	ping_all jumbo 10.99.9.1 -c 3 -i 0.1 -M 'do' -s 8972
	ping_all out 10.99.9.10 -c 3 -i 0.1 -M 'do' -s 8972
	ip -n "$id-out" link set "$id-j1" down
	poll listed jumbo 'the link is down'
	ip link del "$id-j0"
	poll listed jumbo "$id-j0'"
	poll uplink_failed jumbo
	poll reason_names "$id-j0"
	jumbo_link
	poll reaches jumbo 10.99.9.1
}

# refused TEXT ARG..: one line that has TEXT; nothing is made, and nothing of the interface r0 changes.
refused() {
	local text=$1 before after
	shift
	before=$(state_of_all)
	! ringway network create "$id-no" --no-gateway --mtu 2000 "$@" >"$work/out" 2>"$work/err" || return 1
	after=$(state_of_all)
	cat "$work/err"
	[ ! -s "$work/out" ]
	[ "$(wc -l <"$work/err")" = 1 ]
	grep -F -e "$text" "$work/err"
	[ "$before" = "$after" ]
}

state_of_all() {
	ringway network ls --json
	ringway port ls --json | jq 'del(.ports[].receive_queues)'
	ip -j link show dev "$id-r0" | jq -c '.[0] | [.flags, .mtu]'
	ethtool -k "$id-r0" | grep generic-receive
	ls "$run_dir/uplinks"
}

@test 'what is no device is refused in one line' {
	refused "there is no interface '$id-nothing'" --uplink "$id-nothing"
}

@test 'a driver that DPDK does not have is refused, with those that it has' {
	refused "'net_nothing0': DPDK has no driver of this name here" --uplink net_nothing0
	grep 'net_af_packet.*net_memif' "$work/err"
}

@test 'what a driver says of its arguments is in the answer' {
	refused "/nothing.pcap: No such file" --uplink "net_pcap0,rx_pcap=$work/nothing.pcap"
	refused 'Unknown role: nobody' --uplink net_memif0,role=nobody
	refused "'net_af_packet0': it names no interface" --uplink net_af_packet0
	# It is opened, so that the interface is prepared, and has to be as it was.
	refused 'net_af_packet0' --uplink "net_af_packet0,iface=$id-r0,nothing=1"
}

@test 'an interface that cannot carry an uplink is refused' {
	local gateway
	refused "'lo' has no Ethernet frames" --uplink lo
	refused "'lo' has no Ethernet frames" --uplink xdp:lo
	refused "'lo' has no Ethernet frames" --uplink net_af_packet0,iface=lo
	ip link add "$id-b0" type bridge
	ip link set "$id-r0" master "$id-b0"
	refused "'$id-r0' belongs to bridge '$id-b0'" --uplink "$id-r0"
	ip link del "$id-b0"
	ringway network create "$id-gate" --subnet 10.99.11.0/24
	gateway=$(json port inspect "$id-gate.gateway" -- .interface)
	refused "is port '$id-gate.gateway' of network" --uplink "$gateway"
	refused "is port '$id-gate.gateway' of network" --uplink "xdp:$gateway"
	ringway network rm "$id-gate"
	refused "'$id-d0' belongs to the uplink of port '$id-plain.uplink'" --uplink "xdp:$id-d0"
	refused "'$id-d0' belongs to the uplink of port '$id-plain.uplink'" --uplink "net_pcap0,iface=$id-d0"
}

@test 'an uplink that is removed is no loss' {
	ringway network create "$id-brief" --no-gateway --uplink "$id-r0"
	ringway network create "$id-brief7" --no-gateway --uplink "$id-r0" --vlan 7
	local pid lines
	pid=$(uplink_pid brief)
	lines=$(wc -l <"$work/ringwayd.log")
	ringway network rm "$id-brief7"
	ringway network rm "$id-brief"
	poll is_gone "$pid"
	tail -n +$((lines + 1)) "$work/ringwayd.log" >"$work/brief.log"
	cat "$work/brief.log"
	run ! grep -E 'closed the connection|ended' "$work/brief.log"
}

@test 'two uplinks meet by memif' {
	local socket=$work/memif.sock
	ringway network create "$id-m1" --subnet 10.99.7.0/25 --no-gateway \
		--uplink "net_memif0,role=server,socket-abstract=no,socket=$socket"
	ringway network create "$id-m2" --subnet 10.99.7.128/25 --no-gateway \
		--uplink "net_memif0,role=client,socket-abstract=no,socket=$socket"
	station m1 m1 10.99.7.10
	station m2 m2 10.99.7.130
	ip -n "$id-m1" route add 10.99.7.128/25 dev eth0
	ip -n "$id-m2" route add 10.99.7.0/25 dev eth0
	poll reaches m1 10.99.7.130
	ping_all m1 10.99.7.130 -c 3 -i 0.1
}

replayed() {
	[ "$(json port inspect "$id-file.uplink" -- .uplink.rx.frames)" = "$1" ]
}

@test 'frames of a file are replayed' {
	in_ns out tcpdump -i "$id-e0" -Q out -c 20 -w "$work/replay.pcap" 2>"$work/tcpdump.log" 3>&- &
	local dump=$!
	poll grep -q listening "$work/tcpdump.log"
	ping_all out 10.99.0.10 -c 20 -i 0.02
	wait "$dump"
	ringway network create "$id-file" --no-gateway \
		--uplink "net_pcap0,rx_pcap=$work/replay.pcap,tx_pcap=$work/sent.pcap"
	poll replayed 20
}

no_uplinks() {
	[ ! -e "$run_dir/uplinks" ] || [ -z "$(ls "$run_dir/uplinks")" ]
}

@test 'networks that go take their uplinks with them' {
	local pids=() name
	for name in plain v5 w5 jumbo m1 m2 file; do
		pids+=("$(uplink_pid $name)")
	done
	for name in in v5 w5 w6 jumbo m1 m2; do
		ringway port rm "$id-$name"
	done
	for name in plain v5 w5 w6 jumbo m1 m2 file; do
		ringway network rm "$id-$name"
	done
	for name in "${pids[@]}"; do
		poll is_gone "$name"
	done
	poll no_uplinks
	# AF_XDP's program is off again.
	ip link show "$id-d2" >"$work/link.txt"
	run ! grep -w xdp "$work/link.txt"
	for name in d0 d1 d2; do
		ip -d link show "$id-$name" | grep -w 'promiscuity 0'
	done
}
