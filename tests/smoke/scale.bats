# SPDX-License-Identifier: BSD-3-Clause
# Many ports and many networks at once.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

ports=64    # On the first network.
networks=16 # The others have one port each.

setup_file() {
	smoke_start
}

teardown_file() {
	smoke_stop
}

# add_port NAME NETWORK NUMBER: prints its socket. front-exchange gives its front ends these addresses.
add_port() {
	ringway port add "$id-$1" --network "$id-$2" --attach vhost --mac "02:00:00:00:01:$(printf %02x "$3")"
}

delivered() {
	ringway stats --json | jq -e --arg p "$id-$1" '[.ports[] | select(.name | startswith($p)) | .tx.frames]'
}

@test "64 ports on one network and 16 networks: a broadcast reaches every port of its network and none else" {
	local i heard=() silent=()
	for ((i = 0; i < networks; i++)); do
		ringway network create "$id-n$i" --subnet "10.209.$i.0/24"
	done
	for ((i = 0; i < ports; i++)); do
		heard+=("$(add_port "p$i" n0 "$i")")
	done
	for ((i = 1; i < networks; i++)); do
		silent+=("$(add_port "q$i" "n$i" $((ports + i - 1)))")
	done
	timeout 120 "$build/tests/hostile/front-exchange" --regions 1 --frames 200 --broadcast "${heard[@]}" \
		--silent "${silent[@]}"
	delivered p | jq -e --argjson n $ports 'length == $n and ([.[] | select(. >= 200)] | length) == $n - 1'
	delivered q | jq -e --argjson n $((networks - 1)) 'length == $n and all(. == 0)'
}

@test "a port more than the switch takes is refused, and nothing changes" {
	local limit=${SMOKE_PORTS:-0} count
	[ "$limit" -gt 0 ] || skip "takes minutes: set SMOKE_PORTS to the limit of the switch"
	count=$(ringway port ls --json | jq '[.. | .attach? // empty] | length')
	ringway network create "$id-full" --subnet 10.210.0.0/16
	for ((i = count; i < limit; i++)); do
		ringway port add "$id-f$i" --network "$id-full" --attach vhost >/dev/null
	done
	refuse ringway port add "$id-one-more" --network "$id-full" --attach vhost
}
