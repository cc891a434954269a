# SPDX-License-Identifier: BSD-3-Clause
# Networks and ports by themselves, and what bad input gets.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	smoke_start
	ringway network create "$id-base" --subnet 10.201.0.0/24
	ringway port add "$id-taken" --network "$id-base" --attach vhost --mac 02:00:00:00:02:01 >/dev/null
}

teardown_file() {
	smoke_stop
}

@test "version: the instance and its switch" {
	[ "$(json version -- .run_dir)" = "$run_dir" ]
	[ "$(json version -- .engine.reachable)" = true ]
	[ "$(cat "/proc/$(switch_pid)/comm")" = ringway-switch ]
}

@test "network: create, ls, inspect, the engine's side, rm" {
	ringway network create "$id-n" --subnet 10.201.1.0/24 --gateway 10.201.1.9 --mtu 9000
	ringway network ls --json | jq -e --arg n "$id-n" '[.. | .name? // empty] | index($n) != null'
	json network inspect "$id-n" -- 'select(.subnet == "10.201.1.0/24" and .gateway == "10.201.1.9" and .mtu == 9000)'
	docker network inspect "$id-n" | jq -e --arg d "$driver" \
		'.[0] | .Driver == $d and .IPAM.Config[0].Subnet == "10.201.1.0/24"'
	ringway network rm "$id-n"
	run ! docker network inspect "$id-n"
	run ! ringway network inspect "$id-n"
}

@test "network: made and removed by docker alone" {
	docker network create -d "$driver" --subnet 10.201.2.0/24 -o mtu=4000 "$id-d"
	poll ringway network inspect "$id-d"
	[ "$(json network inspect "$id-d" -- .mtu)" = 4000 ]
	docker network rm "$id-d"
	run ! ringway network inspect "$id-d"
}

@test "port: add, its socket, ls, inspect, rm" {
	local socket
	socket=$(ringway port add "$id-p" --network "$id-base" --attach vhost --queues 2)
	[ -S "$socket" ]
	[ ${#socket} -le 107 ]
	[ "$(stat -c %a "$socket")" = 666 ]
	[ "$(stat -c %a "$run_dir/ports")" = 700 ]
	json port inspect "$id-p" -- 'select(.state == "waiting" and .queues == 2 and .attach == "vhost")'
	ringway port ls --json | jq -e --arg n "$id-p" '[.. | .name? // empty] | index($n) != null'
	ringway stats "$id-p" --json | jq -e '.ports[0] | .rx.frames == 0 and .tx.frames == 0 and .dropped == 0'
	ringway port rm "$id-p"
	[ ! -e "$socket" ]
	run ! ringway port inspect "$id-p"
}

@test "port: an address that is not given is made, unicast and the port's own" {
	local mac
	ringway port add "$id-m" --network "$id-base" --attach vhost >/dev/null
	mac=$(json port inspect "$id-m" -- .mac)
	[[ $mac =~ ^[0-9a-f][26ae](:[0-9a-f]{2}){5}$ ]]
	[ "$mac" != 02:00:00:00:02:01 ]
	ringway port rm "$id-m"
}

@test "refused: names" {
	refuse ringway network create "$id-base"
	refuse ringway network create ''
	refuse ringway network create a/b
	refuse ringway network create "$(printf 'x%.0s' {1..300})"
	refuse ringway port add "$id-taken" --network "$id-base" --attach vhost
	refuse ringway port add '' --network "$id-base" --attach vhost
	refuse ringway port add a/b --network "$id-base" --attach vhost
	refuse ringway port add "$(printf 'x%.0s' {1..300})" --network "$id-base" --attach vhost
}

@test "refused: unknown objects" {
	refuse ringway network inspect "$id-none"
	refuse ringway network rm "$id-none"
	refuse ringway port inspect "$id-none"
	refuse ringway port rm "$id-none"
	refuse ringway port add "$id-x" --network "$id-none" --attach vhost
	refuse ringway stats "$id-none"
	refuse ringway stop "$id-none"
	refuse ringway run --network "$id-none" "$image" true
}

@test "refused: subnets, gateways, frame sizes" {
	refuse ringway network create "$id-x" --subnet 10.201.0.0
	refuse ringway network create "$id-x" --subnet 10.201.0.0/33
	refuse ringway network create "$id-x" --subnet 10.201.300.0/24
	refuse ringway network create "$id-x" --subnet 10.201.0.128/25
	refuse ringway network create "$id-x" --subnet 10.200.0.0/15
	refuse ringway network create "$id-x" --subnet 10.202.0.0/24 --gateway 10.203.0.1
	refuse ringway network create "$id-x" --subnet 10.202.0.0/24 --gateway nonsense
	refuse ringway network create "$id-x" --subnet 10.202.0.0/24 --mtu 67
	refuse ringway network create "$id-x" --subnet 10.202.0.0/24 --mtu 65536
}

@test "refused: addresses of ports" {
	refuse ringway port add "$id-x" --network "$id-base" --attach vhost --mac 03:00:00:00:00:01
	refuse ringway port add "$id-x" --network "$id-base" --attach vhost --mac 02:00:00:00:02:01
	refuse ringway port add "$id-x" --network "$id-base" --attach vhost --mac nonsense
	refuse ringway port add "$id-x" --network "$id-base" --attach vhost --queues 0
	refuse ringway port add "$id-x" --network "$id-base" --attach vhost --queues 17
	refuse ringway port add "$id-x" --network "$id-base" --attach teleport
}

@test "refused: removing a network that has ports" {
	refuse ringway network rm "$id-base"
}

@test "refused: an image that is not there" {
	refuse ringway run --network "$id-base" --pull never "$id-no-such-image" true
}

@test "refused: ringwayd does not run, and the message says how to start it" {
	refuse "$build/src/cli/ringway" --run-dir "$work/nothing" network ls
	grep ringwayd "$work/err"
}

@test "refused: a run directory whose sockets nobody could reach" {
	refuse timeout 20 "$build/src/daemon/ringwayd" --run-dir "$work/$(printf 'd%.0s' {1..120})" \
		--state-dir "$work/deep-state" --docker-name "$driver-deep"
}
