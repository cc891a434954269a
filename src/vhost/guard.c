// SPDX-License-Identifier: BSD-3-Clause
// Survives SIGBUS in guest memory: a front end may shrink or punch the files that it shared, and
// neither seals nor MAP_POPULATE prevent it. The handler runs on the thread that was hit, mostly a
// worker; the register is written by the control thread only, one entry at a time.
#include "vhost/guard.h"

#include "vhost/vhost.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

// As many as the kernel gives a process (vm.max_map_count). Pages of it that are not used cost nothing.
#define GUARD_ENTRIES 65536

// `version` is odd while the entry changes: a reader on another thread takes it only when it did not
// change meanwhile.
struct guard_entry {
	atomic_uint version;
	uint8_t *_Atomic addr; // NULL: free.
	atomic_size_t size;
	atomic_bool *_Atomic lost;
};

static struct guard_entry entries[GUARD_ENTRIES];
static atomic_int entries_used; // None beyond was ever in use.

static void set_entry(struct guard_entry *entry, void *addr, size_t size, atomic_bool *lost)
{
	atomic_fetch_add(&entry->version, 1);
	atomic_store(&entry->addr, addr);
	atomic_store(&entry->size, size);
	atomic_store(&entry->lost, lost);
	atomic_fetch_add(&entry->version, 1);
}

int guard_add(void *addr, size_t size, atomic_bool *lost)
{
	int used = atomic_load(&entries_used);
	int i = 0;

	while (i < used && atomic_load(&entries[i].addr))
		i++;
	if (i == GUARD_ENTRIES)
		return -ENOSPC;
	set_entry(&entries[i], addr, size, lost);
	if (i == used)
		atomic_store(&entries_used, used + 1);
	return i;
}

void guard_remove(int entry)
{
	set_entry(&entries[entry], NULL, 0, NULL);
}

// Puts zero pages under the whole mapping, not only under the page hit: one hit a page would let the
// front end use up the process' mappings.
static bool replace_mapping(const uint8_t *hit)
{
	int used = atomic_load(&entries_used);

	for (int i = 0; i < used; i++) {
		unsigned int version = atomic_load(&entries[i].version);
		uint8_t *addr = atomic_load(&entries[i].addr);
		size_t size = atomic_load(&entries[i].size);
		atomic_bool *lost = atomic_load(&entries[i].lost);

		if (version & 1 || version != atomic_load(&entries[i].version))
			continue; // Changes now, so it is not what a worker is using.
		if (!addr || (uintptr_t)hit - (uintptr_t)addr >= size)
			continue;
		int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
		if (mmap(addr, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
			return false;
		atomic_store(lost, true);
		return true;
	}
	return false;
}

// Only system calls and lock-free atomics: async-signal-safe.
static void handle_sigbus(int signal_number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	bool from_fault = info->si_code > 0; // Not kill(2) and its kin.

	if (!from_fault || !replace_mapping(info->si_addr)) {
		// Not guest memory: what would have happened without us. A fault comes again by itself.
		struct sigaction dfl = {.sa_handler = SIG_DFL};
		(void)sigaction(SIGBUS, &dfl, NULL); // Cannot fail with these arguments.
		if (!from_fault)
			(void)raise(SIGBUS); // Delivered when this handler returns.
	}
	errno = saved_errno;
}

int vhost_guard_memory(void)
{
	struct sigaction action = {.sa_sigaction = handle_sigbus, .sa_flags = SA_SIGINFO};

	(void)sigemptyset(&action.sa_mask); // Cannot fail on a valid set.
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}
