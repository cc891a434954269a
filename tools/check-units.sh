#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs into a root of its own and lets systemd's own readers judge the units, users and directories there.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/build-check/root
rm -rf "$root"
DESTDIR=$root meson install -C build --no-rebuild --quiet
mkdir -p "$root/etc" "$root/run"
# What every unit leans on; this root has no systemd of its own.
for target in sysinit basic shutdown sockets multi-user network-pre; do
	printf '[Unit]\nDescription=%s\n' "$target" >"$root/usr/lib/systemd/system/$target.target"
done
printf '[Unit]\nDescription=/\n[Slice]\n' | tee "$root/usr/lib/systemd/system/-.slice" \
	>"$root/usr/lib/systemd/system/system.slice"

bad=0
# What an unknown setting says is a warning to systemd; here it is a failure.
for unit in ringwayd.service ringway-switch.service ringway-switch.socket; do
	said=$(systemd-analyze verify --root="$root" --man=no --recursive-errors=one "$unit" 2>&1) || bad=1
	[ -z "$said" ] || {
		printf '%s: %s\n' "$unit" "$said"
		bad=1
	}
done
# The walls that the units build, as systemd's own scale measures them: tenths, where 0 is the best.
for limit in ringwayd.service:70 ringway-switch.service:20; do
	said=$(systemd-analyze security --root="$root" --offline=yes --no-pager --threshold="${limit#*:}" "${limit%:*}" 2>&1) || {
		printf '%s\n' "$said" | tail -n 1
		bad=1
	}
done
# What ringwayd asks for is what its unit grants, no more and no less.
granted=$(sed -n 's/^CapabilityBoundingSet=//p' "$root/usr/lib/systemd/system/ringwayd.service" | tr ' ' '\n' | sort)
asked=$(sed -n '/^static const unsigned int needed/,/^static void/p' src/daemon/privileges.c | sed 's,//.*,,' | grep -o 'CAP_[A-Z_]*' | sort)
[ "$granted" = "$asked" ] || {
	printf 'ringwayd.service grants what src/daemon/privileges.c does not ask for, or the reverse:\n'
	diff <(printf '%s\n' "$granted") <(printf '%s\n' "$asked") || true
	bad=1
}
systemd-sysusers --root="$root" ringway.conf
grep -q '^ringway-switch:' "$root/etc/passwd" || { echo 'no user ringway-switch was made' && bad=1; }
grep -q '^ringway:' "$root/etc/group" || { echo 'no group ringway was made' && bad=1; }
systemd-tmpfiles --root="$root" --create ringway.conf
for directory in run/ringway var/lib/ringway; do
	[ -d "$root/$directory" ] || { echo "no directory /$directory was made" && bad=1; }
done
# Every file of the API's users has to be readable by them, from any umask of who installed.
find "$root/usr" ! -perm -o=r -print | grep . && bad=1
exit $bad
