# SPDX-License-Identifier: BSD-3-Clause
# A container's start and what is killed in its middle: its runtime, the container itself, who asked for it. What is left can
# be removed, a container of the same name works, and nothing stays. SMOKE_FAULT_POINTS=0 kills at 100 moments each.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	smoke_start
	ringway network create "$id-fast" --subnet 10.234.0.0/24
	ringway network create "$id-other" --subnet 10.235.0.0/24
	poll docker network inspect "$id-fast" "$id-other"
	# What the first containers make for good is no leak.
	ringway run --rm --network "$id-fast" --network "$id-other,attach=kernel" "$image" true
	poll no_places
	snapshot >"$work/before"
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

# play SCENARIO POINTS
play() {
	local points=$2
	case ${SMOKE_FAULT_POINTS:-} in
	0 | all) points=100 ;;
	esac
	run -0 python3 "$BATS_TEST_DIRNAME/docker_kill.py" --ringway "$build/src/cli/ringway" --run-dir "$run_dir" \
		--work "$work" --id "$id" --network "$id-fast" --gateway 10.234.0.1 --other "$id-other" --image "$image" \
		"$1" "$points" 3>&-
	echo "# $output" >&3
}

@test "who asked for a container is killed during its start" {
	play client 6
}

@test "docker kill and docker rm -f before, during and after a start" {
	play engine 6
}

@test "the container's shim, runc or first process is killed during its start" {
	play runtime 9
	jq -e '.hits.shim > 0 and .hits.runc > 0 and .hits.init > 0' <<<"${lines[-1]}"
}

# A place whose client was killed before it made the container is kept for it for 20 seconds.
@test "nothing is left of all of them" {
	[ -e "$work/before" ]
	poll is_as_before || {
		diff "$work/before" "$work/after" >&2
		return 1
	}
}
