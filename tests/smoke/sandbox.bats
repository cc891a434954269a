# SPDX-License-Identifier: BSD-3-Clause
# The walls around the switches and uplinks that ringwayd starts, looked at from outside and tried from inside. No engine is needed.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/smoke/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: namespaces'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=s$$
	run_dir=$work/run state_dir=$work/state driver=
	export work id run_dir state_dir driver
}

teardown_file() {
	rm -rf "${work:?}"
}

setup() {
	ringwayd_start
}

teardown() {
	ringwayd_stop
	ip link del "$id-d" 2>/dev/null || true # Of a test that failed.
}

# Every process of a switch: the one that runs, and others that ringwayd has started.
switches() {
	{
		switch_pid
		pgrep -P "$(ringwayd_pid)" -x ringway-switch || true
	} | sort -u
}

# field_of TASK NAME: of /proc's status.
field_of() {
	sed -n "s/^$2:[[:space:]]*//p" "$1/status"
}

# A switch that is still starting is not locked in yet.
locked_in() {
	local pid
	for pid in $(switches); do
		[ "$(field_of "/proc/$pid" Seccomp)" = 2 ] || return 1
	done
}

# only_holds_memory PID: the one process beside the switch, which has a pipe and its memory and nothing else.
only_holds_memory() {
	[ -n "$1" ] && [ "$(wc -w <<<"$1")" = 1 ]
	[ "$(find "/proc/$1/fd/" -type l | wc -l)" = 1 ]
	[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$1/status")" = 2 ]
	[ "$(awk '/^CapEff:|^CapBnd:/ { print $2 }' "/proc/$1/status" | sort -u)" = 0000000000000000 ]
}

@test "no thread of a switch has a capability, a way to one, or a call that is not filtered" {
	local pid task set
	poll locked_in
	for pid in $(switches); do
		for task in "/proc/$pid/task/"*; do
			for set in CapInh CapPrm CapEff CapBnd CapAmb; do
				[ "$(field_of "$task" $set)" = 0000000000000000 ]
			done
			[ "$(field_of "$task" NoNewPrivs)" = 1 ]
			[ "$(field_of "$task" Seccomp)" = 2 ]
			[ "$(field_of "$task" Uid | tr '\t' '\n' | grep -cx 0)" = 0 ]
			[ "$(field_of "$task" Gid | tr '\t' '\n' | grep -cx 0)" = 0 ]
			[ -z "$(field_of "$task" Groups | tr -d ' ')" ]
		done
	done
}

@test "a switch sees no file, no network and no process of the host" {
	local pid kind
	poll locked_in
	for pid in $(switches); do
		for kind in mnt net ipc uts; do
			[ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ]
		done
		[ -z "$(ls -A "/proc/$pid/root/")" ]
		[ -z "$(ls -A "/proc/$pid/cwd/")" ]
		[ "$(wc -l <"/proc/$pid/mounts")" = 1 ]
		grep -q '^none / tmpfs ro,' "/proc/$pid/mounts"
		run ! touch "/proc/$pid/root/file"
		# The head's two lines, and the loopback interface's, which has moved nothing.
		[ "$(wc -l <"/proc/$pid/net/dev")" = 3 ]
		[ "$(awk '/lo:/ { print $2 + $10 }' "/proc/$pid/net/dev")" = 0 ]
		# Nothing that it was handed leads to a directory; no keeper is left.
		[ -z "$(find "/proc/$pid/fd/" -type l -xtype d)" ]
		only_holds_memory "$(pgrep -P "$pid")"
		# Not for other processes of its user.
		[ "$(stat -c %u "/proc/$pid/mem")" = 0 ]
	done
}

@test "its log says which walls stand" {
	grep -q 'ringway-switch: info: locked in: user [1-9][0-9]*, no capability to be had, empty root, empty network, own IPC, own UTS, system calls filtered' \
		"$work/ringwayd.log"
	run ! grep -q 'locked in without' "$work/ringwayd.log"
}

@test "what is made to call as its own threads may goes on" {
	[ "$(uname -m)" = x86_64 ] || skip 'the tool is made for x86-64'
	local pid task
	pid=$(switch_pid)
	for task in "/proc/$pid/task/"*; do
		[ "$("$build/tests/tools/inject" "${task##*/}" getpid)" = "returned $pid" ]
	done
	[ "$(switch_pid)" = "$pid" ]
	switch_runs
}

# dies_of CALL [WORKER]: the running switch ends by SIGSYS when its first thread, or its worker, makes the call.
dies_of() {
	local pid task
	pid=$(switch_pid)
	task=$pid
	[ -z "${2:-}" ] || task=$(grep -l "^Name:.*worker" "/proc/$pid/task/"*/status | head -n 1 | cut -d / -f 5)
	[ "$("$build/tests/tools/inject" "$task" "$1")" = 'ended by 31' ]
	poll is_gone "$pid"
	ringwayd_stop
	ringwayd_start
}

@test "a switch that is made to open, connect, execute or trace ends" {
	[ "$(uname -m)" = x86_64 ] || skip 'the tool is made for x86-64'
	local call
	for call in openat socket execve ptrace; do
		dies_of $call
		dies_of $call worker
	done
}

@test "a switch that is made to fork, signal, mount, map code or make a ring ends" {
	[ "$(uname -m)" = x86_64 ] || skip 'the tool is made for x86-64'
	local call
	for call in fork clone kill mount unshare setuid mprotect prctl bpf io_uring_setup process_vm_readv memfd_create; do
		dies_of $call
	done
}

@test "namespaces that are not allowed: it starts, and says what is missing" {
	local pid
	ringwayd_stop
	: >"$work/ringwayd.log"
	# As in a container without CAP_SYS_ADMIN; SETPCAP is missing, too.
	setsid setpriv --bounding-set -sys_admin,-setpcap --inh-caps -sys_admin,-setpcap \
		"$build/src/daemon/ringwayd" --run-dir "$run_dir" --state-dir "$state_dir" --no-docker --no-kernel-ports \
		>>"$work/ringwayd.log" 2>&1 </dev/null 3>&- &
	echo $! >"$work/ringwayd.pid"
	poll switch_runs
	grep -q 'locked in without an empty root and an empty network: Operation not permitted; the filter' "$work/ringwayd.log"
	pid=$(switch_pid)
	[ "$(field_of "/proc/$pid" CapEff)" = 0000000000000000 ]
	[ "$(field_of "/proc/$pid" Seccomp)" = 2 ]
	[ "$(field_of "/proc/$pid" NoNewPrivs)" = 1 ]
}

@test "a switch with the capabilities that its unit leaves it walls itself in" {
	[ -n "$(type -P systemd-socket-activate)" ] || skip 'systemd-socket-activate is not installed'
	local pid task kind
	ringwayd_stop
	: >"$work/ringwayd.log"
	# As ringway-switch.socket and ringway-switch.service start it.
	systemd-socket-activate --seqpacket -l "$run_dir/switch.sock" \
		setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs --bounding-set=-all,+sys_admin,+setpcap \
		--inh-caps=-all,+sys_admin,+setpcap --ambient-caps=-all,+sys_admin,+setpcap \
		"$build/src/switch/ringway-switch" >"$work/unit.log" 2>&1 </dev/null 3>&- &
	pid=$!
	poll test -S "$run_dir/switch.sock"
	ringwayd_start
	[ "$(switch_pid)" = "$pid" ]
	grep -q 'locked in: user [1-9][0-9]*, no capability to be had, empty root, empty network, own IPC, own UTS' "$work/unit.log"
	for task in "/proc/$pid/task/"*; do
		for kind in CapInh CapPrm CapEff CapBnd CapAmb; do
			[ "$(field_of "$task" $kind)" = 0000000000000000 ]
		done
		[ "$(field_of "$task" Seccomp)" = 2 ]
	done
	for kind in mnt net ipc uts; do
		[ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ]
	done
	[ -z "$(ls -A "/proc/$pid/root/")" ]
	only_holds_memory "$(pgrep -P "$pid")"
}

# uplink_of DEVICE: a network with an uplink on one end of a veth pair.
uplink_of() {
	ip link add "$id-d" type veth peer name "$id-p"
	ip link set "$id-p" up
	ringway network create lab --subnet 10.207.0.0/24 --no-gateway --uplink "$1,iface=$id-d" >/dev/null
	poll uplink_runs
}

uplink_pid() {
	json port inspect lab.uplink -- .uplink.pid
}

uplink_runs() {
	[ "$(json port inspect lab.uplink -- '.uplink.state + " " + .uplink.link')" = 'running up' ] &&
		[ "$(field_of "/proc/$(uplink_pid)" Seccomp)" = 2 ]
}

another_uplink_runs() {
	uplink_runs && [ "$(uplink_pid)" != "$1" ]
}

# uplink_is_walled CAPABILITIES: those of its first thread, and no other.
uplink_is_walled() {
	local pid task wanted
	pid=$(uplink_pid)
	for task in "/proc/$pid/task/"*; do
		wanted=0000000000000000
		[ "${task##*/}" != "$pid" ] || wanted=$1
		[ "$(field_of "$task" CapPrm)" = "$wanted" ]
		[ "$(field_of "$task" CapEff)" = "$wanted" ]
		[ "$(field_of "$task" CapBnd)" = 0000000000000000 ]
		[ "$(field_of "$task" NoNewPrivs)" = 1 ]
		[ "$(field_of "$task" Seccomp)" = 2 ]
	done
}

# uplink_says CALL RESULT
uplink_says() {
	[ "$("$build/tests/tools/inject" "$(uplink_pid)" "$1")" = "$2" ]
}

uplink_refuses() {
	local call pid
	[ "$(uname -m)" = x86_64 ] || return 0 # The tool is made for it.
	pid=$(uplink_pid)
	uplink_says getpid "returned $pid"
	for call in openat-write socket-inet socket-packet fork clone mprotect prctl memfd_create kill; do
		uplink_says $call 'returned -1'
	done
	[ "$(uplink_pid)" = "$pid" ]
	for call in execve ptrace; do
		pid=$(uplink_pid)
		uplink_says $call 'ended by 31'
		poll another_uplink_runs "$pid"
	done
}

uplink_goes() {
	local pid
	pid=$(uplink_pid)
	ringway network rm lab >/dev/null
	poll is_gone "$pid"
	run ! grep -q xdp <(ip link show "$id-d")
	ip link del "$id-d"
}

@test "an uplink with AF_PACKET keeps no capability, and what it does not need is refused" {
	uplink_of net_af_packet0
	uplink_is_walled 0000000000000000
	uplink_refuses
	uplink_goes
}

@test "an uplink with AF_XDP keeps what takes its program off the interface" {
	uplink_of net_af_xdp0
	uplink_is_walled 0000000000001000
	uplink_refuses
	uplink_goes
}
