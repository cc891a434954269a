#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The switch under load for MINUTES (30), with everything accounted for: `make soak`. Further arguments are bench/soak's.
set -euo pipefail
cd "$(dirname "$0")/.."
exec bench/soak --minutes "${MINUTES:-30}" "$@"
