# SPDX-License-Identifier: BSD-3-Clause
# TCP between ordinary interfaces in namespaces and a user-space station on a vhost port: content both ways, with segments
# that travel whole and with ones that the switch cuts, and no wrong checksum anywhere. Without an engine.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

bytes=110000000

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: a switch and namespaces'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=s$$
	run_dir=$work/run state_dir=$work/state driver=
	export work id run_dir state_dir driver
	ringwayd_start
	ip netns add "$id"
	ringway network create "$id-net" --subnet 10.98.0.0/24 --ipv6-subnet fd98::/64 --proxy-neighbors
	ringway port add box --network "$id-net" --attach kernel --netns "/run/netns/$id" --ip 10.98.0.3 --ip6 fd98::3 --no-pin-address
	ringway port add peer --network "$id-net" --attach vhost --mac 02:00:00:00:09:02 --ip 10.98.0.2 --ip6 fd98::2
	head -c "$bytes" /dev/urandom >"$work/data"
}

teardown_file() {
	[ -n "${work:-}" ] || return 0
	local pid
	pid=$(switch_pid 2>/dev/null) || true
	ringwayd_stop
	[ -z "$pid" ] || poll is_gone "$pid"
	ip netns del "$id"
	rm -rf "$work"
}

teardown() {
	[ ! -e "$work/pids" ] || xargs -r kill <"$work/pids" 2>/dev/null || true
	rm -f "$work/pids"
}

inside() { ip netns exec "$id" "$@"; }

is_ready() { grep -q '"event":"ready"' "$work/peer.out"; }

# peer_start ARG..: a station at 10.98.0.2.
peer_start() {
	"$build/tests/tools/tcp-peer" "$run_dir/ports/peer/vhost.sock" --mac 02:00:00:00:09:02 --ip 10.98.0.2 \
		--send "$work/data" --save "$work/saved" "$@" >"$work/peer.out" 2>&1 3>&- &
	peer=$!
	echo "$peer" >>"$work/pids"
	poll is_ready
	poll port_runs peer
}

# peer_stop: it ended well, and saw no wrong checksum.
peer_stop() {
	kill "$peer"
	wait "$peer"
	cat "$work/peer.out"
	[ "$(jq -r 'select(.event == "stopped").bad' "$work/peer.out")" = 0 ]
	jq -se '[.[] | select(.event == "end")] | all(.end == "done")' "$work/peer.out" >/dev/null
}

# exchange_content: the same both ways.
exchange_content() {
	inside timeout 60 socat -b 262144 -u "FILE:$work/data" TCP:10.98.0.2:5001
	inside timeout 60 socat -b 262144 -u TCP:10.98.0.2:5002 "CREATE:$work/back"
	cmp "$work/data" "$work/back"
	poll cmp "$work/data" "$work/saved"
}

# capture_start: what the interface sees, from now on.
capture_start() {
	ip netns exec "$id" tcpdump -U -B 65536 -i eth0 -s 0 -w "$work/capture" >"$work/tcpdump" 2>&1 3>&- &
	capture=$!
	echo "$capture" >>"$work/pids"
	poll grep -q 'listening on' "$work/tcpdump"
}

capture_stop() {
	kill "$capture"
	wait "$capture" || true
}

@test "content is the same both ways in segments that travel whole" {
	peer_start
	exchange_content
	peer_stop
	# 64 KiB at most each; of 1448 bytes it would be 76,000.
	[ "$(json stats peer -- '.ports[0].rx.frames + .ports[0].tx.frames')" -lt 40000 ]
}

@test "content is the same both ways for a station without offloads" {
	local before
	before=$(json stats peer -- '.ports[0].tx.frames')
	peer_start --no-offloads
	exchange_content
	peer_stop
	[ "$(($(json stats peer -- '.ports[0].tx.frames') - before))" -gt 70000 ]
}

@test "no checksum is wrong where it is complete, or where it is left to a device" {
	peer_start
	capture_start
	inside ping -c 3 -i 0.2 -W 5 -s 1400 10.98.0.2
	inside timeout 60 socat -u -b 262144 "FILE:$work/data,readbytes=20000000" TCP:10.98.0.2:5001
	inside timeout 60 socat -b 262144 -u TCP:10.98.0.2:5002 /dev/null
	capture_stop
	"$build/tests/tools/check-capture" --unfinished --min 300 "$work/capture"
	peer_stop
}

@test "nobody may take the address of a known port" {
	peer_start
	inside ip addr add fd98::2/64 dev eth0
	failed() { inside ip -6 addr show dev eth0 | grep fd98::2/64 | grep -q dadfailed; }
	poll failed
	inside ip addr del fd98::2/64 dev eth0
	peer_stop
}
