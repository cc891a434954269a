# SPDX-License-Identifier: BSD-3-Clause
# Ringway's networks beside Docker's own bridges: apart, but for what either publishes. The engine sets its rules.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"
# shellcheck source=tests/smoke/ordinary.bash
. "$BATS_TEST_DIRNAME/ordinary.bash"

setup_file() {
	iptables -S DOCKER-USER >/dev/null 2>&1 || export rules_are_new=1
	[ -e /sys/class/net/docker0 ] || export bridge_is_new=1
	forward_policy=$(iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p')
	export forward_policy
	ENGINE_RULES=1 plain_start
	iptables -S DOCKER-USER >/dev/null 2>&1 || skip 'the engine that runs sets no rules'
	# As the engine does it where it was the one who turned forwarding on.
	iptables -P FORWARD DROP
	outside_start
	ringway network create "$id-fast" --subnet 10.225.0.0/24
	poll docker network inspect "$id-fast"
	web ours --network "$id-fast" -p 18280:80
	docker network create "$id-br" >/dev/null
	docker network create --internal "$id-brin" >/dev/null
	web theirs --network "$id-br" -p 18281:80
	plain_run inner --network "$id-brin" --cap-add NET_ADMIN
	ours=$(address ours fast) theirs=$(address theirs br)
	export ours theirs
	poll curl -sS --max-time 2 "http://$ours/"
	poll curl -sS --max-time 2 "http://$theirs/"
	poll bridges_are_known
}

teardown_file() {
	outside_stop
	remove_containers
	docker network rm "$id-br" "$id-brin" >/dev/null 2>&1 || true
	smoke_stop
	[ -z "${bridge_is_new:-}" ] || ip link del docker0 2>/dev/null || true
	[ -z "${forward_policy:-}" ] || iptables -P FORWARD "$forward_policy"
	[ -z "${rules_are_new:-}" ] || remove_engine_rules
}

# remove_engine_rules: what an engine leaves behind.
remove_engine_rules() {
	local table rule
	for table in nat filter; do
		while read -r -a rule; do
			iptables -t $table -D "${rule[@]:1}"
		done < <(iptables -t $table -S | grep -E '^-A (FORWARD|PREROUTING|OUTPUT|POSTROUTING) .*(DOCKER|docker0)')
		iptables -t $table -S | sed -nE 's/^-N (DOCKER.*)/-F \1/p' | xargs -r -L 1 iptables -t $table
		iptables -t $table -S | sed -nE 's/^-N (DOCKER.*)/-X \1/p' | xargs -r -L 1 iptables -t $table
	done
}

# bridges_are_known: each has its rules before those that accept.
bridges_are_known() {
	local network
	for network in br brin; do
		iptables -S DOCKER-USER | grep -q -- "-o br-$(docker network inspect -f '{{slice .Id 0 12}}' "$id-$network") "
	done
}

get_in() {
	in_container "$1" curl -sS --max-time 2 "$2"
}

@test "containers of Docker's bridges are not reached, nor do they reach ours" {
	run ! get_in ours "http://$theirs/"
	run ! in_container ours ping -c 1 -W 1 "$theirs"
	run ! in_container ours ping -c 1 -W 1 "$(address inner brin)"
	run ! get_in theirs "http://$ours/"
	run ! in_container theirs ping -c 1 -W 1 "$ours"
	run ! in_container inner ping -c 1 -W 1 "$ours"
}

@test "what either publishes is reached at the host's addresses" {
	local address
	for address in 198.18.0.1 10.225.0.1 "$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "$id-br")"; do
		[ "$(get_in theirs "http://$address:18280/")" = ours ]
		[ "$(get_in ours "http://$address:18281/")" = theirs ]
	done
	[ "$(from_outside curl -sS --max-time 5 http://198.18.0.1:18280/)" = ours ]
	[ "$(from_outside curl -sS --max-time 5 http://198.18.0.1:18281/)" = theirs ]
}

# Docker's rules keep it in; an accept of ours before them would let it out.
@test "an internal network of Docker's stays so" {
	in_container inner ip route replace default via "$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "$id-brin")"
	run ! get_in inner http://198.18.0.1:18280/
	run ! get_in inner http://198.18.0.1:18281/
}

@test "the way out, where the engine's FORWARD drops" {
	pings ours 198.18.0.2
	pings theirs 198.18.0.2
}

@test "a bridge that comes later is kept apart too" {
	docker network create "$id-late" >/dev/null
	web late --network "$id-late"
	poll curl -sS --max-time 2 "http://$(address late late)/"
	poll not_reached "$(address late late)"
	docker rm -f "$id-late" >/dev/null
	docker network rm "$id-late" >/dev/null
	poll get_in ours http://198.18.0.1:18281/
}

not_reached() {
	! in_container ours ping -c 1 -W 1 "$1"
}

@test "nothing of ours is left in the engine's rules" {
	iptables -S DOCKER-USER | grep -q "rwg"
	docker rm -f "$id-ours" >/dev/null
	docker network rm "$id-fast" >/dev/null
	run ! grep -E 'rwg[0-9]+-'"$(tag_of_instance)" <(iptables-save)
}

# tag_of_instance: in its interfaces' names, from its table's.
tag_of_instance() {
	ringway network create "$id-tag" --subnet 10.226.0.0/24
	json port ls -- ".ports[] | select(.network == \"$id-tag\") | .interface" | sed 's/.*-//'
	ringway network rm "$id-tag"
}
