#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-3-Clause
# Networks and ports of functions where no NIC has any: all is refused in one line, and nothing changes. What functions do
# is for the guests of tests/vm.
bats_require_minimum_version 1.5.0
load common

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: interfaces'
	work=$(mktemp -d /run/ringway-smoke.XXXXXX)
	id=f$$
	run_dir=$work/run state_dir=$work/state driver=''
	export work id run_dir state_dir driver
	ringwayd_start
	ip link add "$id-e0" type veth peer name "$id-e1"
	ringway network create "$id-n" --subnet 10.98.0.0/24
}

teardown_file() {
	[ -n "${work:-}" ] || return 0
	ringwayd_stop
	ip link del "$id-e0" 2>/dev/null || true
	rm -rf "$work"
}

all_there_is() {
	ringway network ls --json
	lasting_ports
	ip -o link show "$id-e0" | sed 's/qdisc.*//'
	ls /sys/bus/pci/devices
}

# refused TEXT COMMAND..: status 1 and one line that has TEXT; nothing changes.
refused() {
	local before after status=0 text=$1
	shift
	before=$(all_there_is)
	ringway "$@" >"$work/out" 2>"$work/err" || status=$?
	after=$(all_there_is)
	if [ "$status" != 1 ] || [ "$(wc -l <"$work/err")" != 1 ] || [ -s "$work/out" ] || ! grep -qF -- "$text" "$work/err"; then
		printf '%s\nstatus %s, stdout:\n%s\nstderr:\n%s\n' "$*" "$status" "$(cat "$work/out")" "$(cat "$work/err")" >&2
		return 1
	fi
	[ "$before" = "$after" ]
}

cards() {
	local text=$1
	shift
	refused "$text" network create "$id-x" --driver sriov --subnet 40.0.0.0/24 "$@"
}

# A PCI function of the host that has no SR-IOV, if there is one.
plain_function() {
	local device
	for device in /sys/bus/pci/devices/*; do
		[ -e "$device/sriov_totalvfs" ] || [ -e "$device/physfn" ] || {
			basename "$device"
			return
		}
	done
}

@test 'a parent that is none is refused' {
	cards "there is no interface '$id-none'" --parent "$id-none" --vfs 2
	cards "'$id-e0' belongs to no PCI function" --parent "$id-e0" --vfs 2
	cards "'lo' belongs to no PCI function" --parent lo --vfs 2
	cards 'ffff:ff:1f.7' --pf-pci ffff:ff:1f.7 --vfs 2
	cards 'driver sriov needs a parent'
	cards 'trust: it has no parent whose functions have that' --trust on
}

@test 'a parent without SR-IOV is refused' {
	local address
	address=$(plain_function)
	[ -n "$address" ] || skip 'this host has no PCI function without SR-IOV'
	cards 'it has no SR-IOV' --parent "$address" --vfs 2
	cards 'it has no SR-IOV' --pf-pci "${address#0000:}" --vfs 2
}

@test 'numbers that cannot be are refused' {
	cards '0 functions are too few' --parent "$id-e0" --vfs 0
	cards '0 functions are too few' --parent "$id-e0"
	cards '257 functions are too many' --parent "$id-e0" --vfs 257
	cards '-1 functions are not to be had' --parent "$id-e0" --vfs -1
	cards '100000 functions are not to be had' --parent "$id-e0" --vfs 100000
	cards 'the least rate, 2000 Mbit/s, is above the largest, 1000 Mbit/s' \
		--parent "$id-e0" --vfs 2 --rate 'min:2G' --rate max:1G
}

@test 'what the switch does is not for a network of functions, and the other way' {
	cards 'an uplink: networks of the driver sriov have no switch' --parent "$id-e0" --vfs 2 --uplink "$id-e0"
	cards 'networks of the driver sriov have no switch' --parent "$id-e0" --vfs 2 --proxy-neighbors
	refused "there is no driver 'macvlan'" network create "$id-x" --driver macvlan
	refused 'it has no parent' network create "$id-x" --vfs 2
	refused 'it has no parent' network create "$id-x" --spoofchk on
	refused 'it has no parent' network create "$id-x" --allow-unsafe-noiommu
}

@test 'ports of functions need a network that has some' {
	refused "network '$id-n' has no functions of a NIC" port add "$id-p" --network "$id-n" --attach vf
	refused "network '$id-n' has no functions of a NIC" port add "$id-p" --network "$id-n" --attach vf-kernel
	refused 'queues: vf ports have none' port add "$id-p" --network "$id-n" --attach vf --queues 2
	refused 'learning of addresses: vf-kernel ports have none' port add "$id-p" --network "$id-n" --attach vf-kernel --learning on
	refused "'nonsense'" port add "$id-p" --network "$id-n" --attach vf --cpus nonsense
}

@test 'a network without functions lists none' {
	[ "$(ringway network inspect "$id-n" --functions | wc -l)" = 1 ]
	[ "$(ringway network ls --functions | wc -l)" = 1 ]
	[ "$(json network inspect "$id-n" -- '.functions // [] | length')" = 0 ]
	[ "$(json network inspect "$id-n" -- .driver)" = switch ]
}
