# SPDX-License-Identifier: BSD-3-Clause
# The switch ends, hangs, faults and is handed over while front ends of the tests' own exchange numbered frames, and ordinary
# interfaces and an uplink are in use: connections stay, every frame is accounted for. Without an engine; containers are
# restart-containers.bats' part. SMOKE_KILLS: how often each (4).
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

times=${SMOKE_KILLS:-4}
many=100

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: a switch and namespaces'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=s$$
	run_dir=$work/run state_dir=$work/state driver=
	export work id run_dir state_dir driver
	ringwayd_start
	ringway network create "$id-seq"
}

teardown_file() {
	[ -n "${work:-}" ] || return 0
	local pid spare name
	pid=$(switch_pid 2>/dev/null) || true
	spare=$(spare_pid 2>/dev/null) || true
	ringwayd_stop
	[ -z "$pid" ] || poll is_gone "$pid"
	[ -z "$spare" ] || poll is_gone "$spare"
	for name in $(ip -o netns list | awk -v id="$id-" 'index($1, id) == 1 {print $1}'); do
		ip netns del "$name"
	done
	ip link del "$id-d0" 2>/dev/null || true
	rm -rf "$work"
}

teardown() {
	[ ! -e "$work/pids" ] || xargs -r kill <"$work/pids" 2>/dev/null || true
	rm -f "$work/pids"
}

spare_pid() {
	json switch -- .spare_pid
}

# events HOW COUNT ARG..: so many events under load; prints the summary, and fails where a rule was broken.
events() {
	local how=$1 count=$2 status=0
	shift 2
	python3 "$BATS_TEST_DIRNAME/restart.py" --run-dir "$run_dir" --network "$id-seq" \
		--sequence "$build/tests/tools/sequence" --how "$how" --events "$count" "$@" >"$work/summary" \
		2>"$work/errors" 3>&- || status=$?
	cat "$work/summary"
	cat "$work/errors" >&2
	# How long it took is for whoever reads the log: no test depends on it.
	echo "# $how: $(jq -c '{events, ports, gap_ms, calm_gap_ms, handover_ms, lost, duplicated, drops}' "$work/summary")" >&3
	return $status
}

@test "kill -9 under load, two ports: connections stay, no frame is lost beyond the burst in the air" {
	events kill "$times" --ports 2 --rate 20000
	jq -e --argjson n "$times" '.events == $n and .received > 0 and .corrupted == 0 and .disconnected == 0' "$work/summary"
	[ "$(json switch -- .restarts)" -ge "$times" ]
}

# So that it is in the middle of a burst nearly always when it ends.
@test "kill -9 under all that 12 ports of every kind can send" {
	events kill "$times" --ports 12 --rate 300000 --sequence-arg=--busy
}

@test "planned handover under all that 12 ports of every kind can send" {
	events restart "$times" --ports 12 --rate 300000 --sequence-arg=--busy
	jq -e '.lost == 0 and .duplicated == 0' "$work/summary"
}

@test "kill -9 under load, 12 ports with four queue pairs each, of every kind of ring" {
	events kill "$times" --ports 12 --queues 4 --rate 500
}

@test "kill -9 under load, frames of 9000 bytes" {
	ringway network create "$id-jumbo" --mtu 9000
	events kill "$times" --ports 12 --rate 500 --size 9000 --network "$id-jumbo"
	ringway network rm "$id-jumbo"
}

@test "kill -9 under load, $many ports" {
	events kill "$times" --ports $many --rate 500
}

@test "planned handover, two ports: nothing is lost, nothing comes twice" {
	events restart "$times" --ports 2 --rate 20000
	jq -e '.lost == 0 and .duplicated == 0' "$work/summary"
	[ "$(json switch -- .handovers)" -ge "$times" ]
}

@test "planned handover, $many ports" {
	events restart "$times" --ports $many --rate 500
	jq -e '.lost == 0 and .duplicated == 0' "$work/summary"
}

@test "upgrade to another program, and back" {
	cp "$build/src/switch/ringway-switch" "$work/other-switch"
	events upgrade 4 --ports 12 --rate 1000 --path "$work/other-switch" --path "$build/src/switch/ringway-switch"
	events upgrade 1 --ports 2 --rate 1000 --path "$work/other-switch"
	[ "$(json switch -- .path)" = "$work/other-switch" ]
	[ "$(readlink "/proc/$(switch_pid)/exe")" = "$work/other-switch" ]
	# The next one is of that program, too.
	events kill 1 --ports 2 --rate 1000
	[ "$(readlink "/proc/$(switch_pid)/exe")" = "$work/other-switch" ]
	events upgrade 1 --ports 2 --path "$build/src/switch/ringway-switch"
}

@test "an upgrade that cannot be: one line says why, and the old switch goes on" {
	local before path status
	before=$(switch_pid)
	printf '#!/bin/sh\nexit 3\n' >"$work/ends"
	printf '#!/bin/sh\nexec sleep 600\n' >"$work/hangs"
	printf 'no program' >"$work/text"
	chmod 755 "$work/ends" "$work/hangs" "$work/text"
	for path in "$work/nothing" "$work" "$work/text" "$work/ends" "$work/hangs"; do
		status=0
		ringway switch upgrade "$path" >"$work/out" 2>"$work/err" || status=$?
		cat "$work/err"
		[ "$status" = 1 ]
		[ "$(wc -l <"$work/err")" = 1 ]
		[ ! -s "$work/out" ]
		[ "$(switch_pid)" = "$before" ]
	done
	[ "$(json switch -- .path)" = "$build/src/switch/ringway-switch" ]
	events kill 1 --ports 2
}

@test "a switch that hangs (SIGSTOP) is ended and replaced: connections stay" {
	events hang 2 --ports 12 --rate 200
}

@test "the spare is killed: frames go on, and there is another one" {
	events spare 2 --ports 2 --rate 5000
	jq -e '.lost == 0 and .duplicated == 0' "$work/summary"
}

@test "the switch is killed while there is no spare" {
	events pair 2 --ports 12 --rate 200
}

@test "ringwayd killed, started again, then the switch killed" {
	events daemon 2 --ports 12 --rate 500 --daemon-pid "$work/ringwayd.pid" \
		--daemon-start "bash -c '. $BATS_TEST_DIRNAME/common.bash && ringwayd_start'"
}

# quarantined: the names of ports that are.
quarantined() {
	json port ls -- '[.ports[] | select(.state == "quarantined") | .name] | join(" ")' 2>/dev/null
}

@test "a port in whose service the switch faults twice is quarantined; the others go on" {
	local i name reason
	# Two ports that keep the switch busy all the time, and another pair that must not be taken for the cause.
	ringway network create "$id-busy"
	for i in 0 1; do
		ringway port add "$id-busy$i" --network "$id-busy" --attach vhost --mac "02:00:00:00:01:0$i"
	done
	mkfifo "$work/commands"
	exec 8<>"$work/commands"
	"$build/tests/tools/sequence" --rings split --rate 5000000 --busy "$run_dir/ports/$id-busy0/vhost.sock" \
		"$run_dir/ports/$id-busy1/vhost.sock" <"$work/commands" >"$work/busy.out" 2>&1 3>&- 8>&- &
	echo $! >>"$work/pids"
	poll port_runs "$id-busy0"
	poll port_runs "$id-busy1"
	for ((i = 0; i < 12; i++)); do
		events fault 1 --ports 2 --rate 200
		[ -z "$(quarantined)" ] || break
	done
	name=$(quarantined | cut -d' ' -f1)
	[[ $name == "$id"-busy[01] ]]
	reason=$(json port inspect "$name" -- .reason)
	echo "# $name after $((i + 1)) faults: $reason" >&3
	[ -n "$reason" ]
	events kill 1 --ports 2
	exec 8>&-
	# Removed and made again it is a port like others.
	ringway port rm "$name"
	ringway port add "$name" --network "$id-busy" --attach vhost
	[ "$(json port inspect "$name" -- .state)" = waiting ]
	ringway port rm "$id-busy0"
	ringway port rm "$id-busy1"
	ringway network rm "$id-busy"
}

@test "ringwayd and the switch killed at once: ports come back, and front ends that connect again work" {
	local switch spare name sockets=()
	for name in 0 1; do
		sockets+=("$(ringway port add "$id-p$name" --network "$id-seq" --attach vhost --mac "02:00:00:00:01:0$name")")
	done
	switch=$(switch_pid)
	spare=$(spare_pid) || spare=
	kill -9 "$(ringwayd_pid)" "$switch"
	poll is_gone "$(ringwayd_pid)"
	poll is_gone "$switch"
	# A spare without a ringwayd ends by itself.
	[ -z "$spare" ] || poll is_gone "$spare"
	ringwayd_start
	timeout 120 "$build/tests/hostile/front-exchange" --frames 10000 "${sockets[@]}"
	ringway port rm "$id-p0"
	ringway port rm "$id-p1"
	events kill 1 --ports 2
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

peer_ready() {
	grep -q '"event":"ready"' "$work/peer.out"
}

# chunks: bytes without pattern, some 5 MB a second, until $work/enough exists.
chunks() {
	head -c 100000 /dev/urandom >"$work/chunk"
	while [ ! -e "$work/enough" ]; do
		cat "$work/chunk"
		sleep 0.02
	done
}

@test "ordinary interfaces, an uplink and a TCP connection go on across kills and handovers" {
	local peer i old ping
	ip netns add "$id-in"
	ip netns add "$id-out"
	ip link add "$id-d0" type veth peer name eth0 netns "$id-out"
	ip link set "$id-d0" up
	ip -n "$id-out" link set eth0 up
	ip -n "$id-out" addr add 10.96.0.1/24 dev eth0
	ringway network create "$id-net" --subnet 10.96.0.0/24 --no-gateway --uplink "$id-d0"
	ringway port add "$id-in" --network "$id-net" --attach kernel --netns "/run/netns/$id-in" --ip 10.96.0.3
	ringway port add "$id-peer" --network "$id-net" --attach vhost --mac 02:00:00:00:09:02 --ip 10.96.0.2
	"$build/tests/tools/tcp-peer" "$run_dir/ports/$id-peer/vhost.sock" --mac 02:00:00:00:09:02 --ip 10.96.0.2 \
		--save "$work/saved" >"$work/peer.out" 2>&1 3>&- &
	peer=$!
	echo "$peer" >>"$work/pids"
	poll peer_ready
	poll reaches in 10.96.0.2
	poll reaches in 10.96.0.1
	poll reaches out 10.96.0.2
	# For as long as it takes, through the TAP and the vhost port.
	chunks 3>&- | tee >(sha256sum >"$work/sent.sum") |
		in_ns in timeout 300 socat -b 65536 -u - TCP:10.96.0.2:5001 3>&- &
	tcp=$!
	echo "$tcp" >>"$work/pids"
	ip netns exec "$id-in" ping -q -i 0.05 -W 10 10.96.0.1 >"$work/ping-in" 3>&- &
	ping=$!
	echo "$ping" >>"$work/pids"
	for ((i = 0; i < 6; i++)); do
		old=$(switch_pid)
		if [ $((i % 2)) = 0 ]; then
			kill -9 "$old"
		else
			ringway switch restart
		fi
		poll switch_replaced "$old"
		poll reaches in 10.96.0.2
		poll reaches in 10.96.0.1
		poll reaches out 10.96.0.2
		poll reaches out 10.96.0.3
		sleep 0.3
	done
	kill -INT "$ping"
	wait "$ping" || true
	cat "$work/ping-in"
	echo "# ping across 3 kills and 3 handovers: $(grep loss "$work/ping-in")" >&3
	touch "$work/enough"
	wait "$tcp"
	kill "$peer"
	wait "$peer"
	cat "$work/peer.out"
	jq -se '[.[] | select(.event == "end")] | length == 1 and all(.end == "done" and .bytes > 0)' "$work/peer.out"
	sha256sum <"$work/saved" >"$work/saved.sum"
	poll cmp "$work/sent.sum" "$work/saved.sum"
	[ "$(jq -r 'select(.event == "stopped").bad' "$work/peer.out")" = 0 ]
	[ "$(json port inspect "$id-net.uplink" -- .uplink.restarts)" = 0 ]
	ringway port rm "$id-in"
	ringway port rm "$id-peer"
	ringway network rm "$id-net"
}
