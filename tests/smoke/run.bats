# SPDX-License-Identifier: BSD-3-Clause
# Unmodified DPDK programs in containers: started without an EAL argument or a privilege, exchanging frames.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

frames=${SMOKE_FRAMES:-100000}
mac_a=02:00:00:00:03:01
mac_b=02:00:00:00:03:02

setup_file() {
	smoke_start
	ringway network create "$id-fast" --subnet 10.204.0.0/24
	ringway network create "$id-other" --subnet 10.205.0.0/24
}

teardown_file() {
	smoke_stop
}

setup() {
	# A billion frames take longer than the least that is waited.
	exchange_patience=$((120 + frames / 20000))
}

teardown() {
	local list
	mapfile -t list < <(containers)
	[ ${#list[@]} = 0 ] || docker rm -f "${list[@]}" >/dev/null
}

# assert_unprivileged CONTAINER
assert_unprivileged() {
	docker inspect "$1" | jq -e '.[0].HostConfig |
		.Privileged == false and (.CapAdd // []) == [] and (.Devices // []) == [] and
		(.DeviceRequests // []) == [] and (.DeviceCgroupRules // []) == [] and
		.NetworkMode != "host" and .PidMode == "" and .IpcMode != "host" and
		([(.SecurityOpt // [])[] | select(test("no-new-privileges") | not)] == [])'
}

only_port() {
	local ports
	mapfile -t ports < <(ports_of "$1")
	[ ${#ports[@]} = 1 ] && echo "${ports[0]}"
}

has_result() {
	docker logs "$id-$1" 2>/dev/null | grep -q '^{'
}

@test "testpmd starts with no EAL argument, and without any privilege" {
	ringway run -d --name "$id-gen" --network "$id-fast" "$image" dpdk-testpmd -- --stats-period 1
	assert_unprivileged "$id-gen"
	poll only_port fast
	poll port_runs "$(only_port fast)"
	ringway ps --json | jq -e --arg n "$id-gen" '[.. | .name? // empty] | index($n) != null'
	ringway stop "$id-gen"
}

@test "testpmd starts as a user without capabilities, on a read-only root" {
	ringway run -d --name "$id-gen" --network "$id-fast" --user 1000 --cap-drop ALL --read-only \
		--security-opt no-new-privileges "$image" dpdk-testpmd -- --stats-period 1
	assert_unprivileged "$id-gen"
	poll only_port fast
	poll port_runs "$(only_port fast)"
}

@test "testpmd starts on one CPU" {
	ringway run -d --name "$id-gen" --network "$id-fast" --cpuset-cpus 0 "$image" dpdk-testpmd -- --stats-period 1
	poll only_port fast
	poll port_runs "$(only_port fast)"
}

@test "an exit status, output and --rm pass through" {
	run -7 ringway run --rm --name "$id-c" --network "$id-fast" "$image" sh -c 'echo out; exit 7'
	[[ $output == *out* ]]
	run ! docker inspect "$id-c"
	poll has_ports fast 0
}

@test "a container with two networks has two ports, and --dry-run shows how" {
	run -0 ringway run --dry-run --name "$id-c" --network "$id-fast" --network "$id-other" "$image" true
	[[ $output == *'network connect'* ]]
	run ! docker inspect "$id-c"
	ringway run -d --name "$id-c" --network "$id-fast" --network "$id-other,mac=$mac_b" "$image" \
		exchange listen -- --ports 2 --idle 3
	run -0 result_of c
	[ "$(grep -c '"end":"complete"' <<<"$output")" = 2 ]
	[[ $output == *"$mac_b"* ]]
}

@test "the manifest and the EAL arguments are in the container" {
	run -0 ringway run --rm --name "$id-c" --network "$id-fast,mac=$mac_a,queues=2" "$image" \
		sh -c 'cat /run/ringway/manifest.json'
	jq -e --arg m "$mac_a" '[.. | .mac? // empty] | index($m) != null' <<<"$output"
	run -0 ringway run --rm --name "$id-c" --network "$id-fast" "$image" sh -c 'cat /run/ringway/eal-args'
	[[ $output == *--vdev=* ]]
	run ! ringway run --rm --name "$id-c" --network "$id-fast" "$image" sh -c 'echo x >/run/ringway/eal-args'
}

# exchange_one_way SIZE FROM TO: as fast as the ring takes it; what is lost the switch has counted.
exchange_one_way() {
	local size=$1 from=$2 to=$3 recv lost counted ports
	run_exchange listen other "$mac_a" listen -- --idle 600
	run_exchange recv fast "$to" recv -- --frames "$frames" --size "$size" --linger 600
	run_exchange send fast "$from" send -- --peer "$to" --frames "$frames" --size "$size" --linger 600
	patience=$exchange_patience poll has_result send
	patience=$exchange_patience poll has_result recv
	mapfile -t ports < <(ports_of fast)
	[ ${#ports[@]} = 2 ]
	counted=$(dropped "${ports[@]}")
	docker kill -s TERM "$id-send" "$id-recv" "$id-listen" >/dev/null
	[ "$(result_of send | field sent)" = "$frames" ]
	recv=$(result_of recv)
	assert_clean "$recv"
	lost=$(field lost <<<"$recv")
	echo "# $size bytes: $lost of $frames lost, $counted counted as dropped" >&3
	[ $(($(field received <<<"$recv") + lost)) = "$frames" ]
	[ "$lost" -le "$counted" ]
	result_of listen | jq -e '.mine == 0 and .other == 0 and .broadcast == 0 and .multicast == 0'
}

@test "counted exchange: 64 bytes" {
	exchange_one_way 64 $mac_a $mac_b
}

@test "counted exchange: 64 bytes, the other direction" {
	exchange_one_way 64 $mac_b $mac_a
}

@test "counted exchange: 1500 bytes" {
	exchange_one_way 1500 $mac_a $mac_b
}

@test "counted exchange: 1500 bytes, the other direction" {
	exchange_one_way 1500 $mac_b $mac_a
}

@test "counted exchange: both directions at once, held to what the rings hold, loses nothing" {
	local result
	run_exchange a fast $mac_a both -- --peer $mac_b --frames "$frames" --window 200
	run_exchange b fast $mac_b both -- --peer $mac_a --frames "$frames" --window 200
	for name in a b; do
		result=$(result_of $name)
		assert_clean "$result"
		[ "$(field received <<<"$result")" = "$frames" ]
		[ "$(field lost <<<"$result")" = 0 ]
	done
}
