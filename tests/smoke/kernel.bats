# SPDX-License-Identifier: BSD-3-Clause
# Ordinary interfaces in network namespaces, without an engine: kernel ports, the host's gateway, the trunk to the switch,
# and what is left of them when namespaces, ringwayd or the switch go away. The instance is this file's own.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: network namespaces'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=s$$
	run_dir=$work/run state_dir=$work/state driver=
	export work id run_dir state_dir driver
	for name in a b; do
		ip netns add "$id-$name"
	done
	ringwayd_start
	if ! json version -- .kernel_ports.available >/dev/null; then
		ringwayd_stop
		json version -- .kernel_ports.reason >&2 || true
		skip 'needs a kernel with tc programs'
	fi
	ringway network create "$id-n" --subnet 10.247.0.0/24 --gateway 10.247.0.1 --subnet fd12:247::/64 --gateway fd12:247::1
	ringway port add "$id-a" --network "$id-n" --attach kernel --netns "$id-a" --ip 10.247.0.2 --ip6 fd12:247::2
	ringway port add "$id-b" --network "$id-n" --attach kernel --netns "$id-b" --ip 10.247.0.3 --ip6 fd12:247::3 --interface lan0
}

teardown_file() {
	[ -n "${work:-}" ] || return 0
	local pid
	pid=$(switch_pid 2>/dev/null) || true
	ringwayd_stop
	[ -z "$pid" ] || poll is_gone "$pid"
	for name in a b; do
		ip netns del "$id-$name" 2>/dev/null || true
	done
	rm -rf "$work"
}

# on NAME COMMAND..: in this namespace.
on() {
	local name=$1
	shift
	ip netns exec "$id-$name" "$@"
}

# pings ADDRESS [COMMAND..]: run by it, where one is given.
pings() {
	local address=$1
	shift
	"$@" ping -q -c 2 -i 0.05 -W 2 "$address"
}

# tag: what tells this instance's interfaces in the host from those of others.
tag() {
	json port ls -- '.ports[] | select(.owner == "network") | .interface' | head -n 1 | sed 's/.*-//'
}

# in_host TAG: this instance's interfaces in the host, and its tables.
in_host() {
	ip -o link | grep -o "rw[cg][0-9]*-$1" || true
	nft list tables | grep "_$1\$" || true
}

# refused TEXT COMMAND..: one line that says so, and nothing made.
refused() {
	local text=$1 status=0
	shift
	"$@" >"$work/out" 2>"$work/err" || status=$?
	if [ "$status" != 1 ] || [ "$(wc -l <"$work/err")" != 1 ] || ! grep -qF -- "$text" "$work/err"; then
		echo "status $status: $(cat "$work/err")" >&2
		return 1
	fi
}

@test "namespaces reach each other and the host, in both families" {
	pings 10.247.0.3 on a
	pings 10.247.0.2 on b
	pings 10.247.0.1 on a
	pings 10.247.0.3
	pings fd12:247::3 on a
	pings fd12:247::1 on b
	pings fd12:247::2
	on a ping -q -c 2 -i 0.05 -s 60000 10.247.0.3
	[ "$(on a ip -4 -o route show default)" != "" ]
	on a ip -4 route show default | grep -q '10.247.0.1 dev eth0'
	on b ip -6 route show default | grep -q 'fd12:247::1 dev lan0'
}

@test "ports are shown like all others, with their counters" {
	ringway port ls --json >"$work/ls"
	jq -e --arg i "$id" '[.ports[] | {name, attach, interface, state}] | sort_by(.name)[:2] ==
		[{name: ($i + "-a"), attach: "kernel", interface: "eth0", state: "running"},
		{name: ($i + "-b"), attach: "kernel", interface: "lan0", state: "running"}]' "$work/ls"
	jq -e --arg g "$id-n.gateway" '.ports[] | select(.name == $g) |
		.owner == "network" and .state == "running" and .ip == "10.247.0.1/24" and .ip6 == "fd12:247::1/64"' "$work/ls"
	for name in "$id-a" "$id-b" "$id-n.gateway"; do
		json stats "$name" -- '.ports[0] | .rx.frames > 0 and .tx.frames > 0'
		json port inspect "$name" -- '.stats.rx.bytes > 0'
	done
	json network inspect "$id-n" -- '.ports == 2 and (.port_names | length) == 3'
}

@test "the gateway belongs to its network" {
	refused 'it belongs to its network' ringway port rm "$id-n.gateway"
	refused '2 ports are on it' ringway network rm "$id-n"
}

@test "refused: namespaces that are none, addresses that others have" {
	refused 'there is no process 4194304' \
		ringway port add "$id-x" --network "$id-n" --attach kernel --netns 4194304
	refused "is no network namespace" \
		ringway port add "$id-x" --network "$id-n" --attach kernel --netns /etc/passwd
	refused 'No such file' ringway port add "$id-x" --network "$id-n" --attach kernel --netns "$id-none"
	refused "is taken by port '$id-a'" \
		ringway port add "$id-x" --network "$id-n" --attach kernel --netns "$id-b" --ip 10.247.0.2
	refused "is the gateway's" \
		ringway port add "$id-x" --network "$id-n" --attach kernel --netns "$id-b" --ip6 fd12:247::1
	# The name is taken there: what was made until then is undone.
	refused "'$id-x'" ringway port add "$id-x" --network "$id-n" --attach kernel --netns "$id-b" --interface lan0
	json port ls -- '.ports | length == 3'
	[ "$(in_host "$(tag)" | grep -c '^rw')" = 1 ]
}

@test "a process's number stands for its namespace" {
	local pid
	ip netns exec "$id-a" sleep 60 3>&- &
	pid=$!
	ringway port add "$id-p" --network "$id-n" --attach kernel --netns $pid --interface eth7 --ip 10.247.0.7
	on a ip -o link show eth7
	ringway port rm "$id-p"
	run ! on a ip -o link show eth7
	kill $pid
}

@test "frames of a user-space front end reach kernel ports by the trunk, and theirs the switch" {
	local sockets=() before
	for i in 0 1; do
		sockets+=("$(ringway port add "$id-v$i" --network "$id-n" --attach vhost --mac "02:00:00:00:01:0$i")")
	done
	before=$(json stats "$id-a" -- '.ports[0].tx.frames')
	timeout 60 "$build/tests/hostile/front-exchange" --regions 1 --frames 200 --broadcast "${sockets[@]}"
	for name in a b; do
		json stats "$id-$name" -- ".ports[0].tx.frames >= 200"
	done
	[ "$(json stats "$id-a" -- '.ports[0].tx.frames')" -ge $((before + 200)) ]
	json network inspect "$id-n" -- '.trunk.tx.frames >= 200 and .trunk.drops.source_address == 0'
	before=$(json network inspect "$id-n" -- .trunk.rx.frames)
	on a ping -q -c 1 -W 1 10.247.0.99 || true # Nobody has it, so that the question goes everywhere.
	[ "$(json network inspect "$id-n" -- .trunk.rx.frames)" -gt "$before" ]
}

@test "ringwayd is killed under traffic: nothing is lost, and the next one knows all of it" {
	on a ping -q -i 0.02 -c 200 10.247.0.3 >"$work/ping" 3>&- &
	local ping=$! before switch
	before=$(lasting_ports)
	switch=$(switch_pid)
	kill -9 "$(ringwayd_pid)"
	poll is_gone "$(ringwayd_pid)"
	ringwayd_start
	wait $ping
	grep -q ' 200 received' "$work/ping"
	[ "$(switch_pid)" = "$switch" ]
	[ "$(lasting_ports)" = "$before" ]
	json network inspect "$id-n" -- .trunk
}

@test "the switch is killed: kernel ports go on, and the next one has the trunk" {
	on a ping -q -i 0.02 -c 100 10.247.0.3 >"$work/ping" 3>&- &
	local ping=$! switch sockets
	switch=$(switch_pid)
	kill -9 "$switch"
	poll switch_replaced "$switch"
	wait $ping
	grep -q ' 100 received' "$work/ping"
	mapfile -t sockets < <(json port ls -- '.ports[] | select(.attach == "vhost") | .socket')
	timeout 60 "$build/tests/hostile/front-exchange" --regions 1 --frames 100 --broadcast "${sockets[@]}"
	json network inspect "$id-n" -- '.trunk.tx.frames >= 100'
}

waits_for_namespace() {
	json port inspect "$id-b" -- '.state == "waiting" and .reason == "its namespace is gone"'
}

@test "a namespace that goes leaves its port waiting, and one that comes gets it" {
	ip netns del "$id-b"
	poll waits_for_namespace
	ip netns add "$id-b"
	poll port_runs "$id-b"
	pings 10.247.0.3 on a
	on b ip -o link show lan0
}

@test "what somebody took out of the host is put back" {
	local interface
	interface=$(json port inspect "$id-n.gateway" -- .interface)
	ip link del "$interface"
	poll ip -o link show "$interface"
	poll pings 10.247.0.2
}

@test "removed networks leave nothing in the host, and an ended ringwayd nothing at all" {
	local tag
	tag=$(tag)
	in_host "$tag" | grep -q '^rwg'
	in_host "$tag" | grep -q '^table'
	for name in a b v0 v1; do
		ringway port rm "$id-$name"
	done
	run ! on a ip -o link show eth0
	ringway network rm "$id-n"
	[ "$(in_host "$tag")" = "" ]
	ringway network create "$id-m" --subnet 10.248.0.0/24 --gateway 10.248.0.1
	in_host "$tag" | grep -q '^rwg'
	grep -q " $run_dir/" /proc/self/mounts
	ringwayd_stop
	[ "$(in_host "$tag")" = "" ]
	run ! grep -q " $run_dir/" /proc/self/mounts
	ringwayd_start
	in_host "$tag" | grep -q '^rwg'
}
