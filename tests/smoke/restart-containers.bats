# SPDX-License-Identifier: BSD-3-Clause
# The switch is killed and handed over while containers with unmodified DPDK applications exchange frames: their
# connections stay, none of them has to know. SMOKE_KILLS: how often each (4).
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

times=${SMOKE_KILLS:-4}
burst=32
mac_a=02:00:00:00:0a:01
mac_b=02:00:00:00:0a:02

setup_file() {
	smoke_start
	ringway network create "$id-fast" --subnet 10.229.0.0/24
}

teardown_file() {
	smoke_stop
}

teardown() {
	exec 9>&-
	local list
	mapfile -t list < <(containers)
	[ ${#list[@]} = 0 ] || docker rm -f "${list[@]}" >/dev/null
}

frames_of() {
	json stats "$1" -- "[.ports[0].$2, 0][0]"
}

moves() {
	local port=$1 before
	before=$(frames_of "$port" tx.frames)
	sleep 0.1
	[ "$(frames_of "$port" tx.frames)" -gt "$before" ]
}

rests() {
	local port=$1 before
	before=$(frames_of "$port" tx.frames)
	sleep 0.5
	[ "$(frames_of "$port" tx.frames)" = "$before" ]
}

has_spare() {
	[ "$(json switch -- .spare_pid)" -gt 0 ]
}

# one_event HOW: the switch is killed, or hands over; then frames come again at every port that is named.
one_event() {
	local how=$1 old name
	shift
	poll has_spare
	old=$(switch_pid)
	if [ "$how" = kill ]; then
		kill -9 "$old"
	else
		ringway switch restart
	fi
	poll switch_replaced "$old"
	for name; do
		poll moves "$name"
	done
}

stays() {
	[ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' "$id-$1")" = 'true 0' ]
}

# exchange_across HOW KIND LOST TWICE: two containers' DPDK applications exchange numbered frames meanwhile.
exchange_across() {
	local how=$1 lost=$2 twice=$3 i name result ports
	run_exchange a fast $mac_a both -- --peer $mac_b --frames 400000000 --rate 20000 --idle 60
	run_exchange b fast $mac_b both -- --peer $mac_a --frames 400000000 --rate 20000 --idle 60
	poll exchange_on fast 2
	mapfile -t ports < <(ports_of fast)
	for ((i = 0; i < times; i++)); do
		one_event "$how" "${ports[@]}"
	done
	for name in "${ports[@]}"; do
		port_runs "$name"
	done
	lost=$((lost + $(dropped "${ports[@]}")))
	docker kill -s TERM "$id-a" "$id-b" >/dev/null
	for name in a b; do
		docker wait "$id-$name" >/dev/null
		result=$(docker logs "$id-$name" 2>/dev/null | grep '^{')
		echo "# $how $times times, container $name: $(jq -c '{received, lost, duplicated}' <<<"$result")" >&3
		jq -e --argjson lost "$lost" --argjson twice "$twice" '.end == "stopped" and .received > 0 and .malformed == 0 and
			.misordered == 0 and .foreign == 0 and .lost <= $lost and .duplicated <= $twice' <<<"$result"
	done
	docker rm -f "$id-a" "$id-b" >/dev/null
	poll has_ports fast 0
}

@test "kill -9: two containers' numbered frames, none lost or twice beyond a burst" {
	exchange_across kill $((times * burst)) $((times * burst))
}

@test "planned handover: two containers' numbered frames, none lost, none twice" {
	exchange_across restart 0 0
}

# forwarded WORD: the last number of testpmd's own count.
forwarded() {
	docker logs "$id-$1" 2>&1 | grep -o "$2: *[0-9]*" | tail -n 1 | grep -o '[0-9]*$'
}

says() {
	docker logs "$id-$1" 2>&1 | grep -q "$2"
}

# near A B MOST: the numbers differ by no more.
near() {
	local difference=$(($1 - $2))
	if [ "${difference#-}" -gt "$3" ]; then
		echo "$1 and $2 differ by more than $3" >&2
		return 1
	fi
}

# testpmd_across HOW SLACK: testpmd sends to testpmd all it can; every frame is accounted for but for SLACK.
testpmd_across() {
	local how=$1 slack=$2 i a b taken given dropped sent got
	ringway run -d --name "$id-b" --network "$id-fast,mac=$mac_b" --cpuset-cpus 0 "$image" \
		dpdk-testpmd -- --stats-period 1 --forward-mode=rxonly >/dev/null
	poll says b 'Port statistics'
	mkfifo "$work/prompt.$how"
	exec 9<>"$work/prompt.$how"
	ringway run -i --name "$id-a" --network "$id-fast,mac=$mac_a" --cpuset-cpus 0 "$image" \
		dpdk-testpmd -- -i --forward-mode=txonly --eth-peer=0,$mac_b <&9 >/dev/null 2>&1 3>&- 9<&- &
	poll has_ports fast 2
	a=$id-a.$id-fast b=$id-b.$id-fast
	poll port_runs "$a"
	echo start >&9
	poll moves "$b"
	for ((i = 0; i < times; i++)); do
		one_event "$how" "$b"
	done
	stays a
	stays b
	echo stop >&9
	poll rests "$b"
	taken=$(frames_of "$a" rx.frames) given=$(frames_of "$b" tx.frames) dropped=$(dropped "$a" "$b")
	# It prints what it counted when it ends; what the other one says is a second old.
	echo quit >&9
	docker wait "$id-a" >/dev/null
	sent=$(forwarded a TX-packets)
	sleep 2
	got=$(forwarded b RX-packets)
	echo "# $how $times times: testpmd sent $sent, switch took $taken, dropped $dropped, gave $given, testpmd got $got" >&3
	near "$sent" "$taken" "$slack"
	near "$taken" $((given + dropped)) "$slack"
	near "$given" "$got" "$slack"
	exec 9>&-
	docker rm -f "$id-a" "$id-b" >/dev/null
	poll has_ports fast 0
}

@test "kill -9 under all that dpdk-testpmd can send: every frame is accounted for, but for the bursts in the air" {
	testpmd_across kill $((2 * times * burst))
}

@test "planned handover under all that dpdk-testpmd can send: every frame is accounted for" {
	testpmd_across restart 0
}

@test "ringwayd and the switch killed at once: new containers work" {
	local switch
	run_exchange a fast $mac_a both -- --peer $mac_b --frames 100000000 --rate 10000 --idle 600
	run_exchange b fast $mac_b both -- --peer $mac_a --frames 100000000 --rate 10000 --idle 600
	poll exchange_on fast 2
	switch=$(switch_pid)
	kill -9 "$(ringwayd_pid)" "$switch"
	poll is_gone "$switch"
	poll is_gone "$(ringwayd_pid)"
	ringwayd_start
	poll has_ports fast 2
	docker rm -f "$id-a" "$id-b" >/dev/null
	poll has_ports fast 0
	exchange_across restart 0 0
}
