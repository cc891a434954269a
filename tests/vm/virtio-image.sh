#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes what the guests boot: tests/vm/virtio-image.sh DIR leaves DIR/vmlinuz and DIR/initrd. They are Debian's kernel for virtual
# machines, unpacked and not installed, and an initial file system of busybox, iperf3, ethtool and the virtio modules.
# Does nothing when they are there and as this script makes them. Status 77 when the kernel cannot be fetched.
set -euo pipefail
umask 022
dir=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
. tools/apt-lib.sh
programs=(iperf3 ethtool)
modules=(virtio_pci virtio_net)

fail() {
	printf 'tests/vm/virtio-image.sh: %s\n' "$1" >&2
	exit "${2-1}"
}

fetch_kernel() {
	local package
	private_apt_begin "$dir/packages" amd64 || exit 77
	package=$(private_apt "$dir/packages" amd64 apt-cache depends linux-image-cloud-amd64 |
		sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] || fail 'apt knows no linux-image-cloud-amd64' 77
	(cd "$dir/packages" && private_apt "$dir/packages" amd64 apt-get download "$package") ||
		fail "cannot fetch $package: look at the network and /etc/apt" 77
	mkdir "$dir/kernel"
	unpack_package "$dir/packages/$package"_*.deb "$dir/kernel"
	cp "$dir/kernel/boot/vmlinuz-"* "$dir/vmlinuz"
}

# The modules in the order to load them.
add_modules() {
	local version module path
	version=$(ls "$dir/kernel/lib/modules")
	depmod -b "$dir/kernel" "$version"
	for module in "${modules[@]}"; do
		modprobe -d "$dir/kernel" -S "$version" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$dir/modules"
	while IFS= read -r path; do
		cp "$path" "$dir/root/lib/modules/"
		basename "$path"
	done <"$dir/modules" >"$dir/root/lib/modules/order"
}

# Programs with the libraries that they name.
add_programs() {
	local program path
	cp "$(command -v busybox)" "$dir/root/bin/busybox"
	for program in "${programs[@]}"; do
		path=$(command -v "$program") || fail "$program is not installed: run tools/setup.sh" 77
		cp "$path" "$dir/root/bin/"
		ldd "$path" | grep -oE '/[^ ]+' | while IFS= read -r path; do
			install -D "$path" "$dir/root$path"
		done
	done
}

for program in busybox cpio depmod; do
	command -v "$program" >/dev/null || fail "$program is not installed: run tools/setup.sh" 77
done
key=$(cat tests/vm/virtio-image.sh tests/vm/virtio-init tools/apt-lib.sh | sha256sum)
[ "$(cat "$dir/made-by" 2>/dev/null)" != "$key" ] || exit 0
rm -rf "$dir"
mkdir -p "$dir/root/"{bin,dev,proc,sys,tmp,lib/modules}
fetch_kernel
add_modules
add_programs
install tests/vm/virtio-init "$dir/root/init"
(cd "$dir/root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$dir/initrd"
rm -rf "$dir/packages" "$dir/kernel" "$dir/root" "$dir/modules"
printf '%s\n' "$key" >"$dir/made-by"
