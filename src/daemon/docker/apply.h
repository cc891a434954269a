// SPDX-License-Identifier: BSD-3-Clause
// Carries out what reconcile_decide() decided. Sync thread only, without any lock held.
#pragma once

struct docker;
struct snapshot;
struct reconcile_plan;

// Failures are logged and tried again by the next comparison. Returns how many there were.
int apply_plan(
	struct docker *docker,
	const struct snapshot *snapshot,
	const struct reconcile_plan *plan
);
