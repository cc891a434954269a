// SPDX-License-Identifier: BSD-3-Clause
// The schema's versions. Own thread of the store.
#pragma once

#include "base/err.h"

#include <sqlite3.h>

// Steps from one schema version to the next: step N leads from user_version N to N + 1.
extern const char *const store_migrations[];
extern const int store_version; // The newest.

// Brings db from its user_version to `version`, each step in a transaction of its own.
// -EOPNOTSUPP: db is newer than store_version. -EIO.
int store_migrate(sqlite3 *db, int version, struct rwy_err *err);
