#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes what guests with SR-IOV need: tests/vm/sriov-image.sh DIR leaves DIR/qemu, which is QEMU 10 of Debian's backports,
# DIR/vmlinuz and DIR/initrd, the kernel from there, and DIR/root.squashfs: this machine's packages, the kernel's modules and
# a container image's files. Nothing is installed. QEMU and kernel are fetched once and kept until this script changes;
# the root is made again when an installed package that it has changes. Status 77 when backports cannot be had.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
dir=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
. tools/apt-lib.sh

# Of packages.txt the engine and the libraries that programs are built with, and what tests in the guest use.
packages=(
	crun ethtool ibverbs-utils iperf3 iputils-ping kmod mawk mount nginx-light pciutils procps socat tcpdump
)
boot_modules=(virtio_pci virtio_blk squashfs overlay)
modules=(
	9p 9pnet_virtio igb igbvf e1000e vfio-pci vfio_iommu_type1 vhost_net vhost_vsock tun veth bridge br_netfilter macvlan
	8021q dummy ifb vxlan nf_tables nft_chain_nat nft_compat nft_ct nft_masq nft_nat nft_redir nft_reject_inet
	nft_fib_inet nft_log nft_limit nf_nat nf_conntrack nf_conntrack_netlink xt_conntrack xt_MASQUERADE xt_addrtype xt_nat
	xt_REDIRECT xt_mark xt_comment xt_tcpudp iptable_nat iptable_filter ip6table_nat ip6table_filter ip_vs
	rdma_rxe rdma_ucm ib_uverbs rdma_cm ib_umad cls_bpf act_bpf sch_ingress sch_fq_codel sch_tbf act_mirred cls_flower
	cls_matchall cls_u32 netconsole pktgen sctp uio_pci_generic uio msr
)

fail() {
	printf 'tests/vm/sriov-image.sh: %s\n' "$1" >&2
	exit "${2-1}"
}

# What fetched files depend on: this script and its like.
fetched_key() {
	cat tests/vm/sriov-image.sh tools/apt-lib.sh | sha256sum
}

# list_packages: the names of those that the root is made of.
list_packages() {
	printf '%s\n' "${packages[@]}"
	sed -n '/^# run:/,/^$/p' packages.txt | grep -v '^#' | grep .
	grep -E '^lib.*-dev$' packages.txt | grep -v '^libclang'
}

fetch() {
	local fetched=$dir/packages suite kernel architecture
	architecture=$(dpkg --print-architecture)
	# All but QEMU counts as installed, so that nothing else is fetched than it needs and this machine has not.
	awk -v RS= -v ORS='\n\n' '!/^Package: qemu-/' /var/lib/dpkg/status >"$dir/status"
	private_apt_begin "$fetched" "$architecture" "$dir/status" || exit 77
	suite=$(private_apt_suite)-backports
	private_apt_fetch "$fetched" "$architecture" -t "$suite" qemu-system-x86 || exit 77
	kernel=$(private_apt "$fetched" "$architecture" apt-cache show "linux-image-$architecture/$suite" |
		sed -n 's/^Depends: *\(linux-image-[0-9][^ ,]*\).*/\1/p' | head -n 1)
	[ -n "$kernel" ] || fail "the backports have no linux-image-$architecture" 77
	(cd "$fetched/archives" && private_apt "$fetched" "$architecture" apt-get download "$kernel/$suite") ||
		fail "cannot fetch $kernel: look at the network and /etc/apt" 77
}

unpack() {
	local file
	mkdir -p "$dir/qemu" "$dir/kernel"
	for file in "$dir/packages/archives/"*.deb; do
		case $file in
		*/linux-image-*)
			dpkg-deb --fsys-tarfile "$file" | tar -x -C "$dir/kernel" ./boot ./lib ./usr 2>/dev/null ||
				[ -d "$dir/kernel/boot" ]
			;;
		*) unpack_package "$file" "$dir/qemu" ;;
		esac
	done
	QEMU_MODULE_DIR=$dir/qemu/none "$dir/qemu/usr/bin/qemu-system-x86_64" -machine none -device igb,help |
		grep -q '^ *netdev=' || fail 'this QEMU has no igb' 77
	cp "$dir/kernel/boot/vmlinuz-"* "$dir/vmlinuz"
	choose_modules
}

# modules_of KERNEL-TREE VERSION MODULE..: the files of the modules and of those that they need, in the order to load them.
modules_of() {
	local tree=$1 version=$2 module
	shift 2
	for module; do
		modprobe -d "$tree" -S "$version" --show-depends "$module" 2>/dev/null ||
			echo "no module $module" >&2
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# The modules that are wanted, unpacked: $dir/modules is what goes into the root.
choose_modules() {
	local base version path target
	base=$(find "$dir/kernel" -type d -path '*/lib/modules' -print -quit)
	version=$(ls "$base")
	[ "$base" = "$dir/kernel/lib/modules" ] || ln -sfn usr/lib "$dir/kernel/lib"
	depmod -b "$dir/kernel" "$version"
	modules_of "$dir/kernel" "$version" "${boot_modules[@]}" "${modules[@]}" |
		while IFS= read -r path; do
			target=$dir/modules/usr/lib/modules/${path#*/lib/modules/}
			mkdir -p "${target%/*}"
			case $path in
			*.xz) xz -dc "$path" >"${target%.xz}" ;;
			*.zst) zstd -qdc "$path" >"${target%.zst}" ;;
			*) cp "$path" "$target" ;;
			esac
		done
	cp "$base/$version/modules.builtin"* "$base/$version/modules.order" "$dir/modules/usr/lib/modules/$version/"
	ln -s usr/lib "$dir/modules/lib"
	depmod -b "$dir/modules" "$version"
	echo "$version" >"$dir/version"
}

make_initrd() {
	local root=$dir/initrd.root path version
	version=$(cat "$dir/version")
	mkdir -p "$root/"{bin,dev,proc,sys,modules,lower,upper,root}
	cp "$(command -v busybox)" "$root/bin/busybox"
	install tests/vm/sriov-init "$root/init"
	modules_of "$dir/modules" "$version" "${boot_modules[@]}" | while IFS= read -r path; do
		cp "$path" "$root/modules/"
		basename "$path"
	done >"$root/modules/order"
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$dir/initrd"
	rm -rf "$root"
}

# A container image's files as a tree, from which guests import what an engine needs.
make_root() {
	local tree=$dir/tree
	mkdir -p "$tree/usr/sbin" "$tree/images"
	cp -a "$dir/modules/usr" "$tree/"
	install tests/vm/sriov-boot "$tree/usr/sbin/guest-boot"
	tools/demo-image.sh --add "$(command -v iperf3):/usr/bin/iperf3" --tree "$tree/images/dpdk"
	python3 tests/vm/pack_root.py --tree "$tree" "${wanted[@]}" |
		mksquashfs - "$dir/root.squashfs.new" -tar -comp zstd -Xcompression-level 3 -noappend -no-progress -quiet
	mv "$dir/root.squashfs.new" "$dir/root.squashfs"
	rm -rf "$tree"
}

for program in busybox cpio depmod mksquashfs xz; do
	command -v "$program" >/dev/null || fail "$program is not installed: run tools/setup.sh" 77
done
key=$(fetched_key)
if [ "$(cat "$dir/fetched-by" 2>/dev/null)" != "$key" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	fetch
	unpack
	rm -rf "$dir/packages" "$dir/kernel" "$dir/status"
	printf '%s\n' "$key" >"$dir/fetched-by"
fi
mapfile -t wanted < <(list_packages)
key=$({
	python3 tests/vm/pack_root.py --list "${wanted[@]}"
	cat tests/vm/pack_root.py tests/vm/sriov-boot tests/vm/sriov-init tools/demo-image.sh "$dir/version"
} | sha256sum)
[ "$(cat "$dir/made-by" 2>/dev/null)" != "$key" ] || exit 0
rm -rf "$dir/"{made-by,initrd.root,tree}
make_initrd
make_root
printf '%s\n' "$key" >"$dir/made-by"
