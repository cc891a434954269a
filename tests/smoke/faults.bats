# SPDX-License-Identifier: BSD-3-Clause
# ringwayd is killed in the middle of changes, and what it needs goes away: tests/faults. A sample of the points, as many
# as there is time for; SMOKE_FAULT_SECONDS=0 SMOKE_FAULT_POINTS=0 tries all of them, as `make faults` does.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

sample=(--points "${SMOKE_FAULT_POINTS:-12}" --seconds "${SMOKE_FAULT_SECONDS:-5}")

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: sockets and namespaces'
}

# play PROGRAM ARG..: all that it plays has to be well.
play() {
	python3 "$top/tests/faults/$1" "$build" "${@:2}" 3>&-
}

@test "ringwayd killed in the middle of changes of networks: the old state or the new one" {
	play points.py "${sample[@]}" network network-gateway
}

@test "ringwayd killed in the middle of changes of ports: the old state or the new one" {
	play points.py "${sample[@]}" port-vhost port-kernel port-trunk port-limits
}

@test "ringwayd killed while a container starts and ends: the old state or the new one" {
	play points.py "${sample[@]}" docker-network endpoint-kernel join-kernel publish place endpoint-vhost join-vhost
}

@test "a start killed while it settles what a killed change has left: the old state or the new one" {
	play points.py "${sample[@]}" start
}

@test "a full disk: changes are refused as a whole, and go on when there is space" {
	play conditions.py disk-full
}

@test "a database that is locked, damaged, newer, none, read-only or gone: refused, and left as it is" {
	play conditions.py database-locked database-refused read-only state-gone
}

@test "directories of ports removed: sockets come back, connections stay" {
	play conditions.py port-directory run-directory
}

@test "too few descriptors: ports are refused, others go on, nobody spins" {
	play conditions.py few-descriptors
}

@test "the clock jumps by years: nothing changes" {
	play conditions.py clock-jumps
}

@test "the host was restarted: stale sockets, mounts and rows become what they were" {
	play conditions.py host-restarted
}
