# SPDX-License-Identifier: BSD-3-Clause
# Front ends that break the rules lose their own port, and nobody else loses anything; one with more memory regions
# than DPDK ever has works.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

mac_a=02:00:00:00:07:01
mac_b=02:00:00:00:07:02
mac_hostile=02:00:00:00:66:01

setup_file() {
	smoke_start
	ringway network create "$id-fast" --subnet 10.211.0.0/24
}

teardown_file() {
	smoke_stop
}

# cases OUTCOME: names of those with it that need nobody to send them anything.
cases() {
	"$build/tests/hostile/hostile" --list |
		awk -F'\t' -v o="$1" '(o == "" || $3 == o) && $5 !~ /spray|several|tap/ {print $2}'
}

is_quarantined() {
	[ "$(json port inspect "$1" -- .state)" = quarantined ] &&
		[ -n "$(json port inspect "$1" -- .reason)" ]
}

# judge CASE PORT SOCKET MAC: plays the case; prints what went wrong.
judge() {
	local case=$1 port=$2 socket=$3 mac=$4 status=0
	timeout 60 "$build/tests/hostile/hostile" --mac "$mac" --count 40 "$socket" "$case" </dev/null >"$work/$port.log" 2>&1 ||
		status=$?
	[ $status = 77 ] && return # This machine has not what it takes.
	[ $status = 0 ] || echo "$case: ended with status $status: $(tail -n 1 "$work/$port.log")"
	if [[ " $sure " == *" $case "* ]] && ! poll is_quarantined "$port"; then
		echo "$case: the port is not quarantined: $(ringway port inspect "$port" --json | jq -c .)"
	fi
	[ "$(switch_pid)" = "$switch" ] || echo "$case: it ended the switch"
}

# play CASE PORT MAC: on a port made for it.
play() {
	local socket
	socket=$(ringway port add "$2" --network "$id-fast" --attach vhost --queues 16 --mac "$3") || {
		echo "$1: no port can be added"
		return
	}
	judge "$1" "$2" "$socket" "$3"
	ringway port rm "$2" >/dev/null
}

# play_all PORT MAC CASE..: one after the other; prints what went wrong.
play_all() {
	local port=$1 mac=$2 case
	shift 2
	for case; do
		play "$case" "$port" "$mac" 3>&- 2>&1
	done
}

@test "front ends with 32 memory regions each exchange frames" {
	local a b
	a=$(ringway port add "$id-a" --network "$id-fast" --attach vhost --mac $mac_a)
	b=$(ringway port add "$id-b" --network "$id-fast" --attach vhost --mac $mac_b)
	timeout 120 "$build/tests/hostile/front-exchange" --regions 32 --frames 100000 --mac $mac_a --mac $mac_b "$a" "$b"
	ringway port rm "$id-a"
	ringway port rm "$id-b"
}

@test "hostile cases against ports, while two containers exchange frames" {
	local all list=() i half problems name result
	run_exchange a fast $mac_a both -- --peer $mac_b --frames 100000000 --rate 10000 --window 200 --idle 60
	run_exchange b fast $mac_b both -- --peer $mac_a --frames 100000000 --rate 10000 --window 200 --idle 60
	poll exchange_on fast 2
	switch=$(switch_pid)
	"$BATS_TEST_DIRNAME/leaks.sh" "$run_dir" "$state_dir" "$(ringwayd_pid)" "$switch" "$driver" >"$work/before"

	mapfile -t all < <(cases '')
	sure=$(cases quarantined | tr '\n' ' ')
	[ ${#all[@]} -ge 200 ]
	# tests/hostile/run.py plays all of them against the switch; with ringwayd before it every third, unless SMOKE_FULL is set.
	local every=3
	[ -z "${SMOKE_FULL:-}" ] || every=1
	for ((i = 0; i < ${#all[@]}; i += every)); do
		list+=("${all[i]}")
	done
	half=$((${#list[@]} / 2))
	play_all "$id-h1" $mac_hostile "${list[@]:0:half}" >"$work/problems" &
	play_all "$id-h2" 02:00:00:00:66:02 "${list[@]:half}" >"$work/problems2"
	wait $!
	problems=$(cat "$work/problems" "$work/problems2")
	[ -z "$problems" ] || {
		echo "$problems" >&2
		return 1
	}

	"$BATS_TEST_DIRNAME/leaks.sh" "$run_dir" "$state_dir" "$(ringwayd_pid)" "$switch" "$driver" >"$work/after"
	diff "$work/before" "$work/after"
	docker kill -s TERM "$id-a" "$id-b" >/dev/null
	for name in a b; do
		docker wait "$id-$name" >/dev/null
		result=$(docker logs "$id-$name" 2>/dev/null | grep '^{')
		jq -e '.end == "stopped" and .received > 0 and .lost == 0' <<<"$result"
		# What a hostile front end broadcasts is foreign to them, and may come.
		jq -e '.malformed == 0 and .misordered == 0 and .duplicated == 0' <<<"$result"
	done
}
