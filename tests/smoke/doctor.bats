# SPDX-License-Identifier: BSD-3-Clause
# ringway doctor on this host and in containers: what is wrong is found, and the commands that it prints put it right.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

doctor_image=ringway-doctor

setup_file() {
	smoke_start
	"$top/tools/demo-image.sh" --plain --add "$build/src/cli/ringway:/usr/bin/ringway" "$doctor_image" 3>&-
	ringway network create "$id-fast" --subnet 10.219.0.0/24
}

teardown_file() {
	! mountpoint -q "$work/huge" || umount "$work/huge"
	smoke_stop
}

teardown() {
	local list
	mapfile -t list < <(containers)
	[ ${#list[@]} = 0 ] || docker rm -f "${list[@]}" >/dev/null
}

# tells CHECK TEXT: on this host, where others may have left something too.
tells() {
	ringway doctor --json "$1" | jq -e --arg text "$2" '.checks[0].details | index($text)'
}

# follow CHECK: does what it says.
follow() {
	local command
	command=$(ringway doctor --json "$1" | jq -er '.checks[0].advice[].command')
	sh -ec "$command"
}

# says FILTER: of the JSON in $output.
says() {
	jq -e "$1" <<<"$output" >/dev/null || {
		printf 'not so: %s\n%s\n' "$1" "$output" >&2
		return 1
	}
}

@test "a host where all runs" {
	run -0 ringway doctor --json --for vhost,kernel
	says '.ok and .place == "host"'
	says '[.checks[] | select(.id == ("ringwayd", "switch", "engine", "engine-driver", "kernel-ports", "published-ports", "cpu")) | .status == "ok"] |
		length == 7 and all'
	says '[.checks[] | select(.seen == "" or .title == "")] == []'
	# What people read has the same in it: a line a check, and one before and behind.
	run -0 ringway doctor ringwayd engine-driver
	[[ ${lines[0]} == 'on the host, for '* && ${lines[1]} == 'ok '*ringwayd* && ${lines[2]} == 'ok '*'registered as ringway-'* ]]
	[ "${lines[3]}" = '2 checks: 2 ok' ]
}

@test "ringwayd does not run" {
	run -1 "$build/src/cli/ringway" --run-dir "$work/elsewhere" doctor --json
	says '.ok == false and ([.checks[] | select(.status == "missing") | .id] | index("ringwayd"))'
}

@test "a user who may see little" {
	chmod 0711 "$work"
	cp "$build/src/cli/ringway" "$work/ringway"
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups "$work/ringway" --run-dir "$run_dir" doctor --json --for kernel ringwayd engine left-sockets cpu
	says '[.checks[] | {(.id): .status}] | add | .ringwayd == "unknown" and .engine == "unknown" and .cpu == "ok"'
	says '[.checks[] | select(.id == ("ringwayd", "engine")) | .advice | length > 0] | all'
}

@test "a wrong command line" {
	run -2 ringway doctor no-such-check
	run -2 ringway doctor --for something
}

@test "a socket that nobody listens on is found and removed" {
	local socket="$run_dir/ports/left over.sock"
	run ! tells left-sockets "$socket"
	run ! tells left-sockets "$run_dir/api.sock"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket"
	tells left-sockets "$socket"
	run -0 ringway doctor left-sockets
	[[ $output == *"'$socket'"* ]]
	follow left-sockets
	[ ! -e "$socket" ]
	run ! tells left-sockets "$socket"
	ringway version
}

@test "a hugepage file that nobody maps is found and removed" {
	mkdir "$work/huge"
	mount -t hugetlbfs none "$work/huge"
	touch "$work/huge/rtemap_7" "$work/huge/own"
	tells left-hugepages "$work/huge/rtemap_7"
	run ! tells left-hugepages "$work/huge/own"
	follow left-hugepages
	[ ! -e "$work/huge/rtemap_7" ]
	run ! tells left-hugepages "$work/huge/rtemap_7"
}

@test "a run directory is told from a dead one's by the application that has it" {
	local pid
	mkdir -p "/run/dpdk/$id"
	echo x >"/run/dpdk/$id/config"
	tells left-runtime "/run/dpdk/$id"
	python3 -c 'import mmap, sys, time
with open(sys.argv[1], "r+b") as file:
	memory = mmap.mmap(file.fileno(), 1)
time.sleep(600)' "/run/dpdk/$id/config" 3>&- &
	pid=$!
	poll grep -q "/run/dpdk/$id/config" "/proc/$pid/maps"
	run ! tells left-runtime "/run/dpdk/$id"
	kill "$pid"
	rm -r "/run/dpdk/$id"
}

@test "a container of ringway run, of a user without capabilities" {
	run -0 ringway run --rm --name "$id-c" --network "$id-fast" --user 1000 --cap-drop ALL --read-only \
		--security-opt no-new-privileges "$doctor_image" ringway doctor --json
	says '.ok and .place == "container" and .for == ["vhost"]'
	says '[.checks[] | {(.id): .status}] | add | .place == "ok" and .preload == "ok" and .capabilities == "ok" and .mempolicy == "ok"'
	says '[.checks[].id] | index("engine") == null'
}

@test "a container that was given nothing" {
	run -1 docker run --rm --name "$id-c" "$doctor_image" ringway doctor --json
	says '.place == "container" and ([.checks[] | select(.status == "missing") | .id] == ["place"])'
	run -1 docker run --rm --name "$id-c" "$doctor_image" ringway doctor --for sriov --json
	says '[.checks[] | select(.status == "missing") | .id] | index("vfio-devices")'
	# Docker's filter of system calls refuses what DPDK with hugepages asks for; its own advice helps.
	run -0 docker run --rm --name "$id-c" "$doctor_image" ringway doctor --json mempolicy
	says '.checks[0].status == "warning" and (.checks[0].advice[0].command | contains("--cap-add SYS_NICE"))'
	run -0 docker run --rm --name "$id-c" --cap-add SYS_NICE "$doctor_image" ringway doctor --json mempolicy
	says '.checks[0].status == "ok"'
}
