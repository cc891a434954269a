// SPDX-License-Identifier: BSD-3-Clause
// What DPDK logged last: its functions return a number where their log says why. Control thread.
#pragma once

#include <stddef.h>

#define LASTLOG_SIZE 384

// DPDK's log goes to stderr from now on, and is remembered. Before the EAL starts. 0 or -ENOMEM.
int lastlog_open(void);

// The last lines of what was logged, joined by "; ", without what every failure logs. Empty: there were none.
void lastlog_read(char ret_text[LASTLOG_SIZE]);
