#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes a small container image of this machine's own files, without a registry: Debian's dpdk-testpmd, the
# libraries and drivers that it needs, and busybox; none of them changed.
#   tools/demo-image.sh [--plain] [--add FILE:PATH].. IMAGE
#   tools/demo-image.sh [--plain] [--add FILE:PATH].. --tree DIRECTORY    its files, without an engine
# --add puts a program of this machine, and the libraries it needs, at PATH in the image. --plain leaves DPDK out: busybox
# and what is added. An image that is up to date is left alone.
set -euo pipefail

label=ringway.demo-image
drivers='librte_net_virtio librte_net_e1000 librte_mempool_ring'

die() {
	echo "demo-image: $1" >&2
	exit 1
}

# file_with_links PATH: the file and every symbolic link on the way to it, with directories resolved.
file_with_links() {
	local path=$1 directory
	while :; do
		directory=$(realpath -e "$(dirname "$path")")
		path=$directory/${path##*/}
		echo "$path"
		[ -L "$path" ] || return 0
		path=$(readlink "$path")
		[[ $path == /* ]] || path=$directory/$path
	done
}

# libraries_of PROGRAM..: the paths of all shared objects that they need.
libraries_of() {
	local program
	for program; do
		ldd "$program" | sed -nE 's/.* => (\/[^ ]+).*/\1/p; s/^\t(\/[^ ]+) .*/\1/p'
	done
}

# list_dpdk: testpmd with what it loads.
list_dpdk() {
	local abi directory driver file
	directory=$(dirname "$(realpath "$(libraries_of "$testpmd" | grep -m1 librte_bus_vdev)")")
	abi=$(libraries_of "$testpmd" | sed -nE '0,/librte_bus_vdev/s/.*librte_bus_vdev\.so\.//p')
	for driver in $drivers; do
		file=$directory/$driver.so.$abi
		[ -e "$file" ] || die "no DPDK driver $file: install the packages that packages.txt names"
		echo "$file"
		libraries_of "$file"
	done
	echo "$testpmd"
	libraries_of "$testpmd"
}

# list_files PROGRAM..: all that the image takes from this machine.
list_files() {
	[ -n "$plain" ] || list_dpdk
	echo "$busybox"
	libraries_of "$@"
}

make_tree() {
	local tree=$1 file name
	mkdir -p "$tree"/usr/{bin,sbin,lib,lib64} "$tree"/{dev,proc,sys,run,root,etc,var}
	mkdir -m 1777 "$tree/tmp"
	ln -s ../run "$tree/var/run"
	# As in Debian, so that every file lies where it does on this machine.
	for name in bin sbin lib lib64; do
		ln -s "usr/$name" "$tree/$name"
	done
	while read -r file; do
		mkdir -p "$tree$(dirname "$file")"
		cp -a "$file" "$tree$file"
	done <"$work/files"
	for name in $("$busybox" --list); do
		[ -e "$tree/usr/bin/$name" ] || ln -s "$(realpath "$busybox")" "$tree/usr/bin/$name"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n' >"$tree/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' >"$tree/etc/group"
	for name in "${added[@]}"; do
		mkdir -p "$tree$(dirname "${name#*:}")"
		install -m 755 "${name%%:*}" "$tree${name#*:}"
	done
}

# What the image is made of, as one number: this script, the contents of all files, the places of added ones.
hash_inputs() {
	{
		cat "$0"
		printf '%s\n' "${added[@]#*:}"
		cat "$work/files"
		xargs -d '\n' cat <"$work/files"
		for name in "${added[@]}"; do cat "${name%%:*}"; done
	} | sha256sum | cut -d' ' -f1
}

added=() programs=() plain='' target=''
while [ $# -gt 0 ]; do
	case $1 in
	--add)
		[[ ${2:-} == ?*:/?* ]] || die "--add takes FILE:PATH, not '${2:-}'"
		[ -r "${2%%:*}" ] || die "cannot read ${2%%:*}"
		added+=("$2") programs+=("${2%%:*}")
		shift 2
		;;
	--plain)
		plain=1
		shift
		;;
	--tree)
		[ -n "${2:-}" ] || die '--tree takes a directory'
		target=$2
		shift 2
		;;
	-*) die "unknown option $1" ;;
	*) break ;;
	esac
done
[ $# -eq "$([ -n "$target" ] && echo 0 || echo 1)" ] ||
	die 'usage: tools/demo-image.sh [--plain] [--add FILE:PATH].. IMAGE|--tree DIRECTORY'
image=${1-}

[ -n "$plain" ] || testpmd=$(command -v dpdk-testpmd) || die 'no dpdk-testpmd: install the package dpdk'
busybox=$(command -v busybox) || die 'no busybox: install the package busybox-static'
[ -z "$(libraries_of "$busybox" 2>/dev/null)" ] || die 'busybox is not static: install the package busybox-static'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
list_files "${programs[@]}" >"$work/found"
# Drivers need each other by the names that they have in the library directory, two levels up.
while read -r file; do
	file_with_links "$file"
	library=${file%/*/*/*}/${file##*/}
	[[ $file != */dpdk/pmds-*/* ]] || [ ! -e "$library" ] || file_with_links "$library"
done <"$work/found" | sort -u >"$work/files"
if [ -n "$target" ]; then
	make_tree "$target"
	exit
fi
hash=$(hash_inputs)
have=$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$image" 2>/dev/null || true)
if [ "$have" = "$hash" ]; then
	exit 0
fi
mkdir "$work/tree"
make_tree "$work/tree"
tar -C "$work/tree" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . |
	docker import --change "LABEL $label=$hash" --change 'CMD ["/bin/sh"]' \
		--change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' - "$image" >"$work/log" ||
	die "cannot import the image $image"
