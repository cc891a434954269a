#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The lists of files that checks work on, NUL-separated: tools/check-lib.sh LIST. Sourced by check.sh.

# select_files REGEX: from all of them; none is no failure.
select_files() {
	all_files | { grep -zE "$1" || true; }
}

# Every file of the project, whether committed yet or not; from an archive without git, all but builds.
all_files() {
	if git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1; then
		git -c safe.directory='*' ls-files -z -co --exclude-standard --deduplicate |
			while IFS= read -r -d '' path; do
				[ ! -f "$path" ] || printf '%s\0' "$path"
			done
	else
		find . -type f -not -path './build*' -printf '%P\0'
	fi
}

c_files() {
	select_files '\.[ch]$'
}

man_pages() {
	select_files '(^|/)[a-z0-9.-]+\.[1-8]$'
}

# Scripts by suffix or first line; bats files count.
shell_files() {
	all_files | while IFS= read -r -d '' path; do
		case $path in
		*.sh | *.bats | *.bash) printf '%s\0' "$path" ;;
		*.*) ;;
		*)
			head -n 1 "$path" | tr -d '\0' | grep -qE '^#!.*\b(ba)?sh\b' || continue
			printf '%s\0' "$path"
			;;
		esac
	done
}

python_files() {
	select_files '\.py$'
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -euo pipefail
	cd "$(dirname "$0")/.."
	"$1"
fi
