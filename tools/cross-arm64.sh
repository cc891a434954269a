#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds all of the project for 64-bit ARM, in build-arm64/, on another machine.
#   tools/cross-arm64.sh           configures and builds
#   tools/cross-arm64.sh sysroot   only makes what it builds against
# Libraries and headers are Debian's arm64 packages, unpacked below build-arm64/: neither dpkg nor apt of this machine
# learns of another architecture. Programs of the build run under qemu-user-static (meson test -C build-arm64).
# Status 77 when the packages cannot be fetched.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
. tools/apt-lib.sh
build=$PWD/build-arm64
work=$build/packages
sysroot=$build/sysroot
tuple=aarch64-linux-gnu
# Those of packages.txt that the build links, and what DPDK's archives and its pkg-config files ask for.
packages=(
	libbpf-dev libbsd-dev libc6-dev libcap-ng-dev libcmocka-dev libcurl4-openssl-dev libdpdk-dev libjansson-dev
	libmicrohttpd-dev libmnl-dev libnftables-dev libnl-3-dev libnl-route-3-dev libnuma-dev libseccomp-dev
	libsqlite3-dev libsystemd-dev liburing-dev zlib1g-dev
)

fail() {
	printf 'tools/cross-arm64.sh: %s\n' "$1" >&2
	exit "${2-1}"
}

make_sysroot() {
	local path target
	rm -rf "$sysroot"
	mkdir -p "$sysroot/usr/lib"
	ln -s usr/lib "$sysroot/lib"
	export sysroot
	export -f unpack_package
	# shellcheck disable=SC2016 # it is the inner shell that expands them
	find "$work/archives" -maxdepth 1 -name '*.deb' -print0 |
		xargs -0 -P "$(nproc)" -n 16 bash -euo pipefail -c 'for deb; do unpack_package "$deb" "$sysroot"; done' unpack ||
		fail "cannot unpack the packages below $work/archives"
	# Links from the root would lead out of it.
	find "$sysroot" -type l -lname '/*' -printf '%p\t%l\n' |
		while IFS=$'\t' read -r path target; do
			ln -sfnr "$sysroot$target" "$path"
		done
}

write_cross_file() {
	local libdir=$sysroot/usr/lib/$tuple
	mkdir -p "$build"
	cat >"$build/pkg-config" <<EOF
#!/bin/sh
export PKG_CONFIG_SYSROOT_DIR='$sysroot' PKG_CONFIG_LIBDIR='$libdir/pkgconfig:$sysroot/usr/share/pkgconfig'
exec pkg-config "\$@"
EOF
	chmod +x "$build/pkg-config"
	cat >"$build/cross.ini" <<EOF
[binaries]
c = '$tuple-gcc'
ar = '$tuple-ar'
strip = '$tuple-strip'
pkgconfig = '$build/pkg-config'
pkg-config = '$build/pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '$sysroot']

[built-in options]
c_args = ['--sysroot=$sysroot']
c_link_args = ['--sysroot=$sysroot']

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
EOF
}

# The sysroot is made anew when what it is made of, or how, has changed.
prepare() {
	local key
	key=$(cat tools/cross-arm64.sh tools/apt-lib.sh | sha256sum)
	[ "$(cat "$build/made-by" 2>/dev/null)" != "$key" ] || return 0
	rm -rf "$build"
	private_apt_begin "$work" arm64 || exit 77
	private_apt_fetch "$work" arm64 "${packages[@]}" || exit 77
	make_sysroot
	rm -rf "$work" # The packages themselves are not needed again.
	write_cross_file
	printf '%s\n' "$key" >"$build/made-by"
}

for program in "$tuple-gcc" qemu-aarch64-static apt-get dpkg-deb; do
	command -v "$program" >/dev/null || fail "$program is not installed: run tools/setup.sh" 77
done
prepare
[ "${1-}" != sysroot ] || exit 0
if [ ! -f "$build/build.ninja" ]; then
	# As optimised as the usual build, without what only a debugger reads.
	meson setup "$build" --cross-file "$build/cross.ini" -Ddebug=false -Doptimization=2
fi
ninja --quiet -C "$build"
