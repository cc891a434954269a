// SPDX-License-Identifier: BSD-3-Clause
// A connection's session as plain data that outlives the process. Control thread.
#pragma once

#include "vhost/conn.h"

// Saves all of the connection in its state (vhost_conn_config), if it has one: it is there as a whole from one instant on.
void session_save(struct vhost_conn *conn);
