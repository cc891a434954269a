# SPDX-License-Identifier: BSD-3-Clause
# ringwayd and the switch are killed while containers exchange frames.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

mac_a=02:00:00:00:04:01
mac_b=02:00:00:00:04:02

setup_file() {
	smoke_start
	ringway network create "$id-fast" --subnet 10.206.0.0/24
}

teardown_file() {
	smoke_stop
}

teardown() {
	local list
	mapfile -t list < <(containers)
	[ ${#list[@]} = 0 ] || docker rm -f "${list[@]}" >/dev/null
}

# received_from PORT: frames that the switch took from it.
received_from() {
	json stats "$1" -- '.ports[0].rx.frames'
}

moves() {
	local port=$1 before
	before=$(received_from "$port")
	sleep 0.2
	[ "$(received_from "$port")" -gt "$before" ]
}

start_pair() {
	run_exchange a fast $mac_a both -- --peer $mac_b --frames "$1" --rate 20000 --window 200 --idle 60
	run_exchange b fast $mac_b both -- --peer $mac_a --frames "$1" --rate 20000 --window 200 --idle 60
}

@test "ringwayd killed under traffic: the exchange goes on, and the next one knows all of it" {
	local switch port
	start_pair 200000
	poll has_ports fast 2
	port=$(ports_of fast | head -n 1)
	poll moves "$port"
	switch=$(switch_pid)
	kill -9 "$(ringwayd_pid)"
	poll is_gone "$(ringwayd_pid)"
	run ! is_gone "$switch"
	ringwayd_start
	[ "$(switch_pid)" = "$switch" ]
	[ "$(ports_of fast | wc -l)" = 2 ]
	poll moves "$port"
	ringway ps --json | jq -e --arg a "$id-a" --arg b "$id-b" '[.. | .name? // empty] | contains([$a, $b])'
	for name in a b; do
		result=$(result_of $name)
		assert_clean "$result"
		[ "$(field received <<<"$result")" = 200000 ]
	done
	poll has_ports fast 0
}

@test "ringwayd killed while a container ends: the next one forgets its port" {
	[ -n "${SMOKE_FULL:-}" ] || skip 'Docker waits for a driver that is away for most of a minute: set SMOKE_FULL'
	run_exchange a fast $mac_a listen -- --idle 600
	poll has_ports fast 1
	kill -9 "$(ringwayd_pid)"
	poll is_gone "$(ringwayd_pid)"
	docker rm -f "$id-a" >/dev/null
	ringwayd_start
	poll has_ports fast 0
	poll no_places
}

@test "the switch killed: a new one runs, and new containers exchange" {
	local old result
	start_pair 10000000
	poll has_ports fast 2
	poll moves "$(ports_of fast | head -n 1)"
	old=$(switch_pid)
	kill -9 "$old"
	poll switch_replaced "$old"
	docker rm -f "$id-a" "$id-b" >/dev/null
	poll has_ports fast 0
	start_pair 20000
	for name in a b; do
		result=$(result_of $name)
		assert_clean "$result"
		[ "$(field received <<<"$result")" = 20000 ]
	done
}

@test "the switch stopped dead (SIGSTOP): it is ended and replaced" {
	local old
	old=$(switch_pid)
	kill -STOP "$old"
	poll switch_replaced "$old"
	is_gone "$old"
}
