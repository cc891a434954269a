# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the tests do in a guest with SR-IOV, by the kernel's own means: sourced there, from /project/tests/vm.

pci=/sys/bus/pci/devices

# wait_until COMMAND..: for 20 s.
wait_until() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "not within 20 s: $*" >&2
	return 1
}

has_carrier() {
	[ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" = 1 ]
}

# nics_up: the drivers, and both NICs up.
nics_up() {
	local nic
	modprobe -a igb igbvf vfio-pci
	for nic in eth0 eth1; do
		wait_until test -e "/sys/class/net/$nic"
		ip link set "$nic" up
	done
	wait_until has_carrier eth0 && wait_until has_carrier eth1
}

# functions_of NIC: the addresses of its virtual functions, in order of number.
functions_of() {
	local i
	for ((i = 0; ; i++)); do
		[ -e "/sys/class/net/$1/device/virtfn$i" ] || break
		basename "$(readlink "/sys/class/net/$1/device/virtfn$i")"
	done
}

# bind ADDRESS DRIVER: "" is the one that the kernel chooses.
bind() {
	[ ! -e "$pci/$1/driver" ] || echo "$1" >"$pci/$1/driver/unbind"
	echo "$2" >"$pci/$1/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ -z "$2" ] || [ "$(driver_of "$1")" = "$2" ]
}

driver_of() {
	[ ! -e "$pci/$1/driver" ] || basename "$(readlink "$pci/$1/driver")"
}

group_of() {
	basename "$(readlink "$pci/$1/iommu_group")"
}

interface_of() {
	ls "$pci/$1/net"
}

# bundle DIR ADDRESS.. -- COMMAND..: what crun needs for a container of uid 1000 without a capability that has these functions
# and runs the command in the image's files.
bundle() {
	local dir=$1 devices=() address path command
	shift
	mkdir -p "$dir"
	while [ "$1" != -- ]; do
		address=$1
		for path in /dev/vfio/vfio "/dev/vfio/$(group_of "$address")"; do
			chown 1000 "$path"
			devices+=("$path $(stat -c '%Hr %Lr' "$path")")
		done
		shift
	done
	shift
	command=$(printf '%s\n' "$@" | jq -R . | jq -s .)
	(cd "$dir" && rm -f config.json && crun spec)
	printf '%s\n' "${devices[@]}" | sort -u | jq -R 'split(" ")' | jq -s \
		--slurpfile spec "$dir/config.json" --argjson command "$command" '
		. as $devices | $spec[0] |
		.process.terminal = false | .process.user = {uid: 1000, gid: 1000} | .process.args = $command |
		.process.capabilities = {} | .process.rlimits = [{type: "RLIMIT_MEMLOCK", hard: 536870912, soft: 536870912}] |
		.root = {path: "/images/dpdk", readonly: true} |
		.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}, {destination: "/run", type: "tmpfs", source: "tmpfs", options: ["mode=1777"]}] |
		.linux.devices = [$devices[] | {path: .[0], type: "c", major: (.[1] | tonumber), minor: (.[2] | tonumber), uid: 1000, gid: 1000, fileMode: 384}] |
		.linux.resources.devices = [{allow: false, access: "rwm"}] +
			[$devices[] | {allow: true, type: "c", major: (.[1] | tonumber), minor: (.[2] | tonumber), access: "rwm"}] +
			[{allow: true, type: "c", major: 1, access: "rwm"}]' \
		>"$dir/config.new"
	mv "$dir/config.new" "$dir/config.json"
}
