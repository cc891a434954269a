#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs the packages of packages.txt that are missing. Does nothing, at once, when none is.
#   tools/setup.sh          installs, as root or through sudo
#   tools/setup.sh --root   installs when it is root already, otherwise says what to run
# $PACKAGES names another list, below the top directory.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)

fail() {
	printf 'tools/setup.sh: %s\n' "$1" >&2
	exit 1
}

wanted_packages() {
	sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$top/${PACKAGES:-packages.txt}"
}

# Prints the wanted packages that are not installed.
missing_packages() {
	local present
	present=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null |
		sed -n 's/^ii //p' | sort -u)
	wanted_packages | sort -u | comm -23 - <(printf '%s\n' "$present")
}

check_system() {
	local id='' version=''
	if [ -r /etc/os-release ]; then
		# shellcheck disable=SC1091 # not part of the project
		id=$(. /etc/os-release && echo "${ID-}")
		# shellcheck disable=SC1091
		version=$(. /etc/os-release && echo "${VERSION_ID-}")
	fi
	[ "$id" = debian ] && [ "$version" = 12 ] && return
	fail "this is '${id:-unknown} $version', and packages.txt names those of Debian 12: install their like by hand"
}

# quiet COMMAND...: shows what a command says only when it fails.
quiet() {
	local said status=0
	said=$("$@" </dev/null 2>&1) || status=$?
	[ "$status" = 0 ] || printf '%s\n' "$said" >&2
	return "$status"
}

install_packages() {
	export DEBIAN_FRONTEND=noninteractive
	# invoke-rc.d starts nothing in runlevel 1: installing the engine must not run one.
	export RUNLEVEL=1
	local options=(-qq -y -o DPkg::Lock::Timeout=300)
	# A source of someone else's that is broken does not matter when the packages are found.
	quiet apt-get "${options[@]}" update || true
	quiet apt-get "${options[@]}" install --no-install-recommends "$@" ||
		fail "cannot install the packages: look at the network and /etc/apt"
}

umask 022
mode=${1-}
case $mode in
'' | --root) ;;
*) fail "unknown argument '$mode'" ;;
esac
command -v dpkg-query >/dev/null || check_system
mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" -gt 0 ] || exit 0
check_system
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null && [ "$mode" != --root ] && exec sudo "$0"
	fail "${#missing[@]} packages are missing (${missing[*]}): run 'tools/setup.sh' as root"
fi
printf 'installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
install_packages "${missing[@]}"
