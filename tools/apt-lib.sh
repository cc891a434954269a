#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Fetches Debian packages without installing them, for any architecture, with a state of apt's own: dpkg and apt of the
# machine learn nothing of it. Sourced; a function returns 1 and says why when it cannot.

# private_apt DIR ARCH COMMAND ARGUMENT...: apt-get or apt-cache as on a machine of this architecture where nothing is
# installed. All that it keeps is below DIR; what it fetched as DIR/archives/*.deb.
private_apt() {
	local dir=$1 arch=$2 command=$3
	shift 3
	"$command" -q -o APT::Architecture="$arch" -o APT::Architectures::="$arch" \
		-o APT::Install-Recommends=false -o Acquire::Retries=2 -o APT::Sandbox::User="$(id -un)" \
		-o Dir::State="$dir" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir" \
		-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/sources.list.d" \
		-o Dir::Etc::PreferencesParts=/dev/null "$@" </dev/null
}

# private_apt_suite: this machine's release of Debian.
private_apt_suite() {
	# shellcheck disable=SC1091 # not part of the project
	(. /etc/os-release && echo "${VERSION_CODENAME-}")
}

# private_apt_sources DIR: the sources of Debian itself that this machine has; other ones may not have the
# architecture, or not answer.
private_apt_sources() {
	local codename path
	codename=$(private_apt_suite)
	[ -n "$codename" ] || return 1
	for path in /etc/apt/sources.list.d/*.sources; do
		[ -f "$path" ] || continue
		# A paragraph for each source.
		awk -v RS= -v ORS='\n\n' -v suites="\nSuites:[^\n]* $codename" \
			'("\n" $0) ~ suites && $0 !~ /\nEnabled: *no/' "$path"
	done >"$1/sources.list.d/debian.sources"
	for path in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$path" ] || continue
		# Without its options: one may name the machine's own architecture.
		grep -E "^deb .* $codename(-updates|-security|/updates)? " "$path" |
			sed -E 's/^deb +\[[^]]*\]/deb/' || true
	done >"$1/sources.list.d/debian.list"
	cat "$1/sources.list.d/"* | grep -q .
}

# private_apt_backports DIR: also the release's backports, from where the release itself comes. apt takes from there only what is
# asked for with -t and the suite's name, bookworm-backports.
private_apt_backports() {
	local codename dir=$1/sources.list.d
	codename=$(private_apt_suite)
	awk -v RS= -v ORS='\n\n' -v release="\nSuites:([^\n]* )?$codename( |\n|$)" -v suite="$codename-backports" \
		'("\n" $0) ~ release && sub(/(^|\n)Suites:[^\n]*/, "\nSuites: " suite) { sub(/^\n/, ""); print }' \
		"$dir/debian.sources" >"$dir/backports.sources"
	sed -nE "s/^(deb +[^ ]+) +$codename +/\1 $codename-backports /p" "$dir/debian.list" |
		sort -u >"$dir/backports.list"
	cat "$dir/backports."* | grep -q .
}

# private_apt_begin DIR ARCH [STATUS]: an empty DIR, and the lists of packages. With STATUS, a file of dpkg's that tells what
# counts as installed, also those of backports; without it nothing is installed.
private_apt_begin() {
	rm -rf "$1"
	mkdir -p "$1/lists/partial" "$1/archives/partial" "$1/sources.list.d"
	cat "${3:-/dev/null}" >"$1/status"
	{ private_apt_sources "$1" && { [ -z "${3-}" ] || private_apt_backports "$1"; }; } || {
		echo 'apt has no source of this Debian release: look at /etc/apt' >&2
		return 1
	}
	private_apt "$1" "$2" apt-get update || {
		echo "cannot read the lists of $2 packages: look at the network and /etc/apt" >&2
		return 1
	}
}

# private_apt_fetch DIR ARCH PACKAGE...: these and all that they depend on.
private_apt_fetch() {
	local dir=$1 arch=$2
	shift 2
	private_apt "$dir" "$arch" apt-get -y --download-only install "$@" || {
		echo "cannot fetch the $arch packages: look at the network and /etc/apt" >&2
		return 1
	}
}

# unpack_package FILE ROOT: without what only people read.
unpack_package() {
	dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink --no-same-owner \
		--exclude=./etc --exclude=./var --exclude=./usr/share/doc --exclude=./usr/share/man \
		--exclude=./usr/share/locale
}
