// SPDX-License-Identifier: BSD-3-Clause
// Stands before DPDK's rte_eal_init() and libnuma's numa_available() in a Ringway container: gives EAL the
// arguments that ringwayd wrote beside the port's socket (args.c chooses which). Runs on the thread that starts
// EAL, once. Any other process that loads it notices nothing.
#include "plugins/preload/args.h"
#include "plugins/preload/sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))
#define FILE_SIZE_MAX 16384
#define PATH_SIZE 4096
#define CPU_SET_SIZE 1024 // 8192 CPUs, the most that Linux is built for.

// All that is asked of the C library, whichever it is: weak, so that lacking one does no harm, and unversioned,
// so that any version will do. The constants of <dlfcn.h> are the same in glibc and musl.
#pragma weak dlsym
#pragma weak dlopen
#pragma weak dl_iterate_phdr
#pragma weak getenv

typedef int eal_init_function(int argc, char **argv);
typedef int numa_available_function(void);

EXPORT int rte_eal_init(int argc, char **argv);
EXPORT int numa_available(void);

// EAL keeps pointers into its arguments: these live as long as the process.
static char file_text[FILE_SIZE_MAX + 1];
static char cores_arg[ARGS_CORES_SIZE];

static size_t text_length(const char *text)
{
	size_t length = 0;
	while (text[length] != '\0')
		length++;
	return length;
}

static bool text_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static void say(const char *text, const char *end)
{
	const long standard_error = 2;
	// Nobody can be told when this fails.
	(void)sys_call(SYS_write, (long[6]){standard_error, (long)text, (long)text_length(text)});
	(void)sys_call(SYS_write, (long[6]){standard_error, (long)end, (long)text_length(end)});
}

static bool preload_is(const char *setting)
{
	const char *value = getenv ? getenv("RINGWAY_PRELOAD") : NULL;
	return value && text_equal(value, setting);
}

struct library_search {
	const char *base; // "librte_eal.so"
	const char *path;
};

static int match_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct library_search *search = arg;
	const char *name = info->dlpi_name ? info->dlpi_name : "";
	for (const char *c = name; *c != '\0'; c++) {
		if (*c == '/')
			name = c + 1;
	}
	for (size_t i = 0; search->base[i] != '\0'; i++) {
		if (name[i] != search->base[i])
			return 0;
	}
	search->path = info->dlpi_name;
	return 1;
}

// The next one in search order; or, where DPDK came with a plugin that was loaded privately, the library's own.
static void *find_real(const char *name, const char *library)
{
	void *found = dlsym ? dlsym(RTLD_NEXT, name) : NULL; // NOLINT(performance-no-int-to-ptr)
	if (found || !dlsym || !dlopen || !dl_iterate_phdr)
		return found;
	struct library_search search = {.base = library};
	(void)dl_iterate_phdr(match_library, &search); // Whether it was found is in search.path.
	void *handle = search.path ? dlopen(search.path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	return handle ? dlsym(handle, name) : NULL;
}

static bool make_path(char ret_path[PATH_SIZE])
{
	static const char file[] = "/eal-args";
	const char *dir = getenv ? getenv("RINGWAY_DIR") : NULL;
	if (!dir || *dir == '\0')
		dir = "/run/ringway";
	const size_t length = text_length(dir);
	if (length + sizeof(file) > PATH_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		ret_path[i] = dir[i];
	for (size_t i = 0; i < sizeof(file); i++)
		ret_path[length + i] = file[i];
	return true;
}

// Returns the length, 0 when there is no such file, -1 when it cannot be one of ours.
static long read_file(const char *path)
{
	const long fd = sys_call(SYS_openat, (long[6]){AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC});
	if (fd < 0)
		return 0;
	long length = 0;
	while (length <= FILE_SIZE_MAX) {
		const long room = FILE_SIZE_MAX + 1 - length;
		const long got =
			sys_call(SYS_read, (long[6]){fd, (long)(file_text + length), room});
		if (got == -EINTR)
			continue;
		if (got < 0)
			length = -1;
		if (got <= 0)
			break;
		length += got;
	}
	(void)sys_call(SYS_close, (long[6]){fd}); // It was only read.
	if (length > FILE_SIZE_MAX)
		return -1;
	file_text[length > 0 ? length : 0] = '\0';
	return length;
}

// The arguments to add for this application: 0 where there are none.
static int collect(int argc, char **argv, const char *ret_chosen[ARGS_MAX])
{
	static char path[PATH_SIZE];
	const char *ours[ARGS_MAX];
	const long length = make_path(path) ? read_file(path) : -1;
	const int count = length > 0 ? args_split(file_text, ours) : 0;
	if (length < 0 || count < 0) {
		say("ringway: ignoring a damaged file of EAL arguments: ", path);
		say("", "\n");
		return 0;
	}
	if (count == 0)
		return 0;
	const uint32_t given = args_topics(argc, (const char *const *)argv, 1);
	int chosen = args_choose(given, count, ours, ret_chosen);
	if (((given | args_topics(count, ours, 0)) & ARGS_CORES) != 0 || chosen == ARGS_MAX)
		return chosen;
	static uint8_t cpus[CPU_SET_SIZE];
	const long size = sys_call(SYS_sched_getaffinity, (long[6]){0, sizeof(cpus), (long)cpus});
	if (size > 0 && args_share_cpu(cpus, (size_t)size, cores_arg))
		ret_chosen[chosen++] = cores_arg;
	return chosen;
}

// EAL takes our arguments first, so that of a repeated option the application's counts. It may reorder its
// vector and says how many it used: the application gets the rest where it looks for it.
static int start_with(
	eal_init_function *real,
	int argc,
	char **argv,
	int count,
	const char *const *chosen
)
{
	static char program[] = "dpdk";
	const size_t size = ((size_t)argc + (size_t)count + 2) * sizeof(char *);
	const long address = sys_call(
		SYS_mmap,
		(long[6]){0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}
	);
	if (address < 0 && address > -4096)
		return real(argc, argv);
	char **merged = (char **)address; // NOLINT(performance-no-int-to-ptr): mmap's result.
	int total = 0;
	merged[total++] = argc > 0 ? argv[0] : program;
	for (int i = 0; i < count; i++)
		merged[total++] = (char *)chosen[i];
	for (int i = 1; i < argc; i++)
		merged[total++] = argv[i];
	const int used = real(total, merged);
	if (used < count)
		return used < 0 ? used : 0;
	for (int i = used - count; i < argc && i + count < total; i++)
		argv[i] = merged[i + count];
	return used - count;
}

int rte_eal_init(int argc, char **argv)
{
	eal_init_function *real = (eal_init_function *)find_real("rte_eal_init", "librte_eal.so");
	if (!real) {
		say("ringway: DPDK's own rte_eal_init() is not to be found", "\n");
		return -1;
	}
	const char *chosen[ARGS_MAX];
	if (preload_is("off") || argc < 0 || (argc > 0 && !argv))
		return real(argc, argv);
	const int count = collect(argc, argv, chosen);
	if (count == 0)
		return real(argc, argv);
	for (int i = 0; preload_is("verbose") && i < count; i++) {
		say("ringway: adding EAL argument ", chosen[i]);
		say("", "\n");
	}
	return start_with(real, argc, argv, count, chosen);
}

// Container engines refuse the NUMA system calls, and EAL takes a failing one for fatal: there, say that there is
// no NUMA, which EAL can live with.
int numa_available(void)
{
	const long result = sys_call(SYS_get_mempolicy, (long[6]){0});
	if ((result == -EPERM || result == -ENOSYS) && !preload_is("off"))
		return -1;
	numa_available_function *real =
		(numa_available_function *)find_real("numa_available", "libnuma.so");
	return real ? real() : -1;
}
