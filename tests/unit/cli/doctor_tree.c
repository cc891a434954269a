// SPDX-License-Identifier: BSD-3-Clause
// Directories that stand for hosts, and checks run on them.
#include "tests/unit/cli/doctor_tree.h"

#include "base/cleanup.h"
#include "tests/lib/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

void tree_make(struct doctor_tree *tree)
{
	*tree = (struct doctor_tree){.root = strdup("/tmp/ringway-doctor-XXXXXX")};
	assert_non_null(tree->root);
	assert_non_null(mkdtemp(tree->root));
	tree->d = (struct doctor){
		.root = tree->root,
		.run_dir = "/run/ringway",
		.uses = DOCTOR_VHOST | DOCTOR_KERNEL,
		.process = {.memlock = UINT64_MAX},
		.engine = {.socket = "/var/run/docker.sock"},
	};
	tree_file(tree, "/proc/sys/kernel/osrelease", "6.1.0-test\n");
	tree_file(
		tree,
		"/proc/self/status",
		"Name:\tdoctor\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed_list:\t0-7\n"
	);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void tree_free(struct doctor_tree *tree)
{
	doctor_result_fini(&tree->result);
	doctor_fini(&tree->d);
	assert_int_equal(nftw(tree->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(tree->root);
}

// "ROOT/PATH", whose directories are there. The caller frees it.
static char *place(struct doctor_tree *tree, const char *path)
{
	char *whole = NULL;
	assert_true(asprintf(&whole, "%s%s", tree->root, path) > 0);
	for (char *slash = whole + strlen(tree->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0755); // What fails shows when the file is made.
		*slash = '/';
	}
	return whole;
}

void tree_file(struct doctor_tree *tree, const char *path, const char *text)
{
	_cleanup_free_ char *whole = place(tree, path);
	FILE *file = fopen(whole, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void tree_link(struct doctor_tree *tree, const char *path, const char *target)
{
	_cleanup_free_ char *whole = place(tree, path);
	assert_int_equal(symlink(target, whole), 0);
}

void tree_socket(struct doctor_tree *tree, const char *path)
{
	_cleanup_free_ char *whole = place(tree, path);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_true(strlen(whole) < sizeof(address.sun_path));
	(void)stpcpy(address.sun_path, whole); // It fits.
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

void tree_mode(struct doctor_tree *tree, const char *path, unsigned int mode)
{
	_cleanup_free_ char *whole = place(tree, path);
	assert_int_equal(chmod(whole, mode), 0);
}

void tree_remove(struct doctor_tree *tree, const char *path)
{
	_cleanup_free_ char *whole = place(tree, path);
	assert_int_equal(remove(whole), 0);
}

void tree_map(struct doctor_tree *tree, const char *pid, const char *path)
{
	_cleanup_free_ char *whole = place(tree, path);
	_cleanup_free_ char *maps = NULL;
	char line[256];
	struct stat st;
	assert_int_equal(stat(whole, &st), 0);
	assert_true(asprintf(&maps, "/proc/%s/maps", pid) > 0);
	(void)snprintf(
		line,
		sizeof(line),
		"55d0-55e0 r--p 00000000 fe:01 1   /bin/x\n7f00-7f20 rw-s 00000000 %02x:%02x %lu   %s\n",
		major(st.st_dev),
		minor(st.st_dev),
		(unsigned long)st.st_ino,
		path
	);
	tree_file(tree, maps, line);
}

void tree_pci(struct doctor_tree *tree, const char *address, const char *class, const char *driver)
{
	char path[128], target[128];
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", address);
	tree_file(tree, path, class);
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
	(void)snprintf(target, sizeof(target), "../../drivers/%s", driver);
	if (driver[0])
		tree_link(tree, path, target);
}

static bool shows(const struct doctor_result *result, const char *text)
{
	for (size_t i = 0; i < result->details.count; i++)
		if (strstr(result->details.items[i], text))
			return true;
	return strstr(result->seen, text);
}

static bool advises(const struct doctor_result *result, const char *text)
{
	for (size_t i = 0; i < result->advice_count; i++)
		if (strstr(result->advice[i].text, text) || strstr(result->advice[i].command, text))
			return true;
	return false;
}

static void print(const struct doctor_result *result)
{
	print_message("%s: %s\n", doctor_status_names[result->status], result->seen);
	for (size_t i = 0; i < result->details.count; i++)
		print_message("  %s\n", result->details.items[i]);
	for (size_t i = 0; i < result->advice_count; i++)
		print_message(
			"  -> %s\n     %s\n", result->advice[i].text, result->advice[i].command
		);
}

void tree_expect(
	struct doctor_tree *tree,
	const char *id,
	enum doctor_status status,
	const char *seen,
	const char *todo
)
{
	const struct doctor_check *check = doctor_find_check(id);
	struct doctor_result *result = &tree->result;
	assert_non_null(check);
	doctor_result_fini(result);
	*result = (struct doctor_result){0};
	check->run(&tree->d, result);
	bool right = result->status == status && shows(result, seen) &&
		(todo ? advises(result, todo) : result->advice_count == 0);
	if (right)
		return;
	print(result);
	fail_msg(
		"%s: not %s, '%s', '%s'",
		id,
		doctor_status_names[status],
		seen,
		todo ? todo : "no advice"
	);
}
