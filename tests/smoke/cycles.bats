# SPDX-License-Identifier: BSD-3-Clause
# Containers that come and go, some of them killed, some while the engine restarts: nothing stays behind.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

cycles=${SMOKE_CYCLES:-8}
restarts=${SMOKE_RESTARTS:-1}

setup_file() {
	smoke_start
	ringway network create "$id-fast" --subnet 10.207.0.0/24
}

teardown_file() {
	smoke_stop
}

snapshot() {
	"$BATS_TEST_DIRNAME/leaks.sh" "$run_dir" "$state_dir" "$(ringwayd_pid)" "$(switch_pid)" "$driver"
}

is_as_before() {
	snapshot >"$work/after" && diff "$work/before" "$work/after"
}

# start NUMBER: waits until the port carries frames, so that all there is to leak exists.
start() {
	ringway run -d --name "$id-c$1" --network "$id-fast" --cpuset-cpus 0 "$image" \
		exchange listen -- --idle 600 >/dev/null
	poll has_ports fast 1
	poll port_runs "$(ports_of fast)"
}

nothing_left() {
	poll is_as_before || {
		diff "$work/before" "$work/after" >&2
		return 1
	}
}

@test "containers that are stopped, removed, killed" {
	local i
	# The first one makes what stays: the engine's and the switch's lasting things.
	start 0
	docker rm -f "$id-c0" >/dev/null
	poll has_ports fast 0
	poll no_places
	snapshot >"$work/before"
	for ((i = 1; i <= cycles; i++)); do
		start "$i"
		case $((i % 5)) in
		0) docker kill -s KILL "$id-c$i" && docker rm "$id-c$i" ;;
		1) docker rm -f "$id-c$i" ;;
		2) ringway stop "$id-c$i" && docker rm "$id-c$i" ;;
		3) kill -9 "$(docker inspect -f '{{.State.Pid}}' "$id-c$i")" && docker wait "$id-c$i" && docker rm "$id-c$i" ;;
		4) docker restart -t 1 "$id-c$i" && docker rm -f "$id-c$i" ;;
		esac >/dev/null
	done
	nothing_left
}

@test "containers while the engine restarts" {
	local i
	engine_started || skip 'an engine was running: it is left alone'
	[ -e "$work/before" ]
	for ((i = 1; i <= restarts; i++)); do
		start "r$i"
		"$top/tools/engine.sh" stop "$work/engine" 3>&-
		"$top/tools/engine.sh" start "$work/engine" 3>&-
		docker rm -f "$id-cr$i" >/dev/null
		poll has_ports fast 0
	done
	start after
	docker rm -f "$id-cafter" >/dev/null
	nothing_left
}

@test "failed starts leave nothing" {
	[ -e "$work/before" ]
	run ! ringway run --rm --name "$id-f" --network "$id-fast" "$image" /no/such/program
	docker rm -f "$id-f" >/dev/null 2>&1 || true
	run ! ringway run --rm --name "$id-f" --network "$id-fast" --network "$id-none" "$image" true
	run ! ringway run --rm --name "$id-f" --network "$id-fast" --pull never "$id-no-image" true
	nothing_left
}

@test "networks that come and go leave nothing" {
	local i
	[ -e "$work/before" ]
	for ((i = 0; i < 5; i++)); do
		ringway network create "$id-n$i" --subnet "10.208.$i.0/24"
		ringway port add "$id-p$i" --network "$id-n$i" --attach vhost >/dev/null
	done
	for ((i = 0; i < 5; i++)); do
		ringway port rm "$id-p$i"
		ringway network rm "$id-n$i"
	done
	nothing_left
}
