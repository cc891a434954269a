# SPDX-License-Identifier: BSD-3-Clause
# bench/run works: frames flow, results are whole, nothing is left over. What it measures here says nothing.
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	out=$(mktemp -d /tmp/smoke-bench.XXXXXX)
	export out
}

teardown_file() {
	rm -rf "$out"
}

setup() {
	[ "$(nproc)" -ge 2 ] || skip 'the switch and the generator need a CPU each'
}

@test "bench: a short run of the switch and the limit gives whole results" {
	run env BUILD="$build" "$top/bench/run" --quick --seconds 0.2 --trial 0.2 --tolerance 1 --hugepages 0 --force \
		--systems ringway,limit --out "$out" frames idle-ports latency
	echo "$output"
	[ "$status" = 0 ]
	jq -e '[.results[] | select(.error)] == []' "$out/results.json"
	jq -e '[.results[] | select(.measure == "frames") | .values | .frames_per_s > 0 and .cycles_per_frame > 0] |
		length == 4 and all' "$out/results.json"
	jq -e '[.results[] | select(.measure == "latency") | .values | .zero_loss_frames_per_s > 0 and
		.one_way_50_p99_us > 0 and .round_trip_50_p99_us > 0] | length == 2 and all' "$out/results.json"
	jq -e '.results[] | select(.point.ports == 102) | .values.frames_per_s > 0' "$out/results.json"
	jq -e '.machine | .cpu and .kernel and .versions.dpdk' "$out/results.json"
	grep -q '^| 64 B |' "$out/results.md"
}

# made_by_bench: what the rig makes on the host while it measures ordinary containers.
made_by_bench() {
	ip -o link | sed 's/@.*//' | grep -o 'rwb[0-9].*' || true
	ip netns list | grep '^rwb' || true
	docker ps -aq --filter name=^rwb 2>/dev/null || true
	docker network ls -q --filter name=^rwb 2>/dev/null || true
	docker images -q 'rwb*' 2>/dev/null || true
	iptables-save | grep -F 10.231. || true
}

@test "bench: sockets of two containers, without an engine and with one, and nothing is left" {
	for engine in off auto; do
		run env BUILD="$build" "$top/bench/run" --quick --seconds 0.2 --hugepages 0 --force --engine $engine \
			--systems ringway,bridge --out "$out/$engine" tcp
		echo "$output"
		[ "$status" = 0 ]
		jq -e '[.results[] | select(.point.traffic == "stream" and .values) | .values | .gbit_per_s > 0 and .cpus > 0] |
			length == 3 and all' "$out/$engine/results.json"
		jq -e '[.results[] | select(.point.traffic == "pingpong") | .values.rtt_p99_us > 0] | length == 2 and all' \
			"$out/$engine/results.json"
		[ -z "$(made_by_bench)" ]
	done
}

@test "bench: an interrupted run removes what it made" {
	for seconds in 2 5; do
		env BUILD="$build" "$top/bench/run" --rounds 1 --seconds 9 --hugepages 0 --force --systems bridge \
			--out "$out/cut" tcp >"$out/log" 2>&1 3>&- &
		pid=$!
		sleep $seconds
		kill -TERM $pid
		status=0
		wait $pid || status=$?
		[ "$status" = 130 ]
		grep -q 'interrupted' "$out/log"
		[ -z "$(made_by_bench)" ]
	done
}

@test "bench: the results are drawn again from their file" {
	cp "$out/results.json" "$out/kept.json"
	run "$top/bench/run" --json "$out/kept.json" --out "$out/again"
	echo "$output"
	[ "$status" = 0 ]
	cmp "$out/results.md" "$out/again/results.md"
}

@test "bench: an unknown measure or system is a usage error" {
	run "$top/bench/run" nothing
	[ "$status" = 2 ]
	run "$top/bench/run" --systems nothing frames
	[ "$status" = 2 ]
}

@test "bench: it refuses to run beside a busy process, and says which" {
	sh -c 'while :; do :; done' 3>&- &
	busy=$!
	run env BUILD="$build" "$top/bench/run" --quick --out "$out/none" frames
	kill $busy
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *'of a CPU busy: end it first'* ]]
	[ ! -e "$out/none" ]
}
