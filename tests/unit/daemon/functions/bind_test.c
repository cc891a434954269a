// SPDX-License-Identifier: BSD-3-Clause
// What is written to sysfs, in which order, and how a failure is undone: drivers, counts, resets, nodes.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/functions/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tree tree;
static struct rwy_err err;

static int set_up(void **state)
{
	(void)state;
	tree_open(&tree);
	tree_add_nic(&tree);
	err = (struct rwy_err){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_close(&tree);
	return 0;
}

static void expect_bound(const char *driver, bool overridden)
{
	struct function_info info;
	assert_int_equal(functions_get(tree.functions, TREE_VF0, &info, NULL), 0);
	assert_string_equal(info.driver, driver);
	assert_int_equal(info.overridden, overridden);
}

static int bind_to(const char *driver)
{
	tree.log[0] = '\0';
	return functions_bind(tree.functions, TREE_VF0, driver, &err);
}

static void vfio_keeps_others_away(void **state)
{
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_string_equal(
		tree.log,
		TREE_VF0 "/driver/unbind=" TREE_VF0 " " TREE_VF0
			 "/driver_override=vfio-pci drivers_probe=" TREE_VF0 " "
	);
	expect_bound(FUNCTION_VFIO, true);
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_string_equal(tree.log, "");
}

static void the_kernel_chooses_again(void **state)
{
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_int_equal(bind_to(NULL), 0);
	assert_string_equal(
		tree.log,
		TREE_VF0 "/driver/unbind=" TREE_VF0 " " TREE_VF0
			 "/driver_override= drivers_probe=" TREE_VF0 " "
	);
	expect_bound("igbvf", false);
	assert_int_equal(bind_to(""), 0);
	assert_string_equal(tree.log, "");
}

static void a_named_driver_leaves_no_override(void **state)
{
	(void)state;
	assert_int_equal(bind_to("e1000"), 0);
	assert_string_equal(
		tree.log,
		TREE_VF0 "/driver/unbind=" TREE_VF0 " " TREE_VF0
			 "/driver_override=e1000 drivers_probe=" TREE_VF0 " " TREE_VF0
			 "/driver_override= "
	);
	expect_bound("e1000", false);
	assert_int_equal(functions_set_override(tree.functions, TREE_VF0, "e1000", &err), 0);
	expect_bound("e1000", true);
	assert_int_equal(functions_set_override(tree.functions, TREE_VF0, NULL, &err), 0);
	expect_bound("e1000", false);
	assert_int_equal(
		functions_set_override(tree.functions, "0000:09:00.0", "e1000", &err), -ENODEV
	);
}

static void no_autoprobe_is_suspended_for_a_moment(void **state)
{
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	tree_file(&tree, "0\n", "sys/devices/pci0/" TREE_PF "/sriov_drivers_autoprobe");
	assert_int_equal(bind_to(NULL), 0);
	assert_non_null(
		strstr(tree.log,
		       TREE_PF "/sriov_drivers_autoprobe=1 drivers_probe=" TREE_VF0 " " TREE_PF
			       "/sriov_drivers_autoprobe=0 ")
	);
	expect_bound("igbvf", false);
	// The override alone does it, too.
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_null(strstr(tree.log, "autoprobe"));
	assert_int_equal(bind_to("igbvf"), 0);
	assert_null(strstr(tree.log, "autoprobe"));
	// It is put back after a failure as well.
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	tree.fails = "drivers_probe";
	tree.error = -EIO;
	assert_int_equal(bind_to(NULL), -EIO);
	assert_string_equal(
		tree_read(&tree, "sys/devices/pci0/" TREE_PF "/sriov_drivers_autoprobe"), "0"
	);
}

static void a_refusal_leaves_it_bound_as_before(void **state)
{
	(void)state;
	tree.refuses = FUNCTION_VFIO;
	assert_int_equal(bind_to(FUNCTION_VFIO), -ENODEV);
	assert_non_null(strstr(err.msg, "driver 'vfio-pci' does not take it"));
	expect_bound("igbvf", false);
	// And one that the host had given to a driver itself.
	tree_file(&tree, "igbvf\n", "sys/devices/pci0/" TREE_VF0 "/driver_override");
	assert_int_equal(bind_to(FUNCTION_VFIO), -ENODEV);
	expect_bound("igbvf", true);
	// From vfio-pci to a kernel's choice that there is not.
	tree.refuses = NULL;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	tree.chosen = NULL;
	assert_int_equal(bind_to(NULL), -ENODEV);
	assert_non_null(strstr(err.msg, "no driver of the kernel takes it"));
	expect_bound(FUNCTION_VFIO, true);
}

static void each_failing_write_is_undone(void **state)
{
	static const char *const files[] = {"driver_override", "drivers_probe", "unbind"};
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		tree.fails = files[i];
		tree.fails_after = 0;
		tree.error = -EACCES;
		assert_int_equal(bind_to(FUNCTION_VFIO), -EACCES);
		assert_non_null(strstr(err.msg, TREE_VF0));
		assert_non_null(strstr(err.msg, strerror(EACCES)));
		expect_bound("igbvf", false);
	}
}

static void drivers_that_are_not_there_change_nothing(void **state)
{
	static const char *const names[] = {"../../x", "a b", ".", "nosuch"};
	static const int errors[] = {-EINVAL, -EINVAL, -EINVAL, -ENOENT};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(bind_to(names[i]), errors[i]);
		assert_string_equal(tree.log, "");
	}
	assert_int_equal(functions_bind(tree.functions, "0000:09:00.0", NULL, &err), -ENODEV);
	assert_int_equal(functions_bind(tree.functions, "x", NULL, &err), -EINVAL);
	expect_bound("igbvf", false);
}

static void unbound_functions_have_no_override_of_ours(void **state)
{
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_int_equal(functions_unbind(tree.functions, TREE_VF0, &err), 0);
	expect_bound("", false);
	tree.log[0] = '\0';
	assert_int_equal(functions_unbind(tree.functions, TREE_VF0, &err), 0);
	assert_string_equal(tree.log, "");
	assert_int_equal(bind_to(NULL), 0);
	assert_int_equal(functions_unbind(tree.functions, TREE_VF0, &err), 0);
	expect_bound("", false);
}

// Another process with the node of TREE_VF0 open. It ends when the test says so.
static pid_t open_elsewhere(int *ret_pipe)
{
	char node[FUNCTION_PATH_SIZE], byte;
	int ready[2], end[2];
	tree_file(&tree, "", "dev/vfio/20");
	assert_int_equal(functions_vfio_path(tree.functions, TREE_VF0, node, NULL), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(end[1]);
		bool is_open = open(node, O_RDWR | O_CLOEXEC) >= 0;
		_exit(is_open && write(ready[1], "", 1) == 1 && !read(end[0], &byte, 1) ? 0 : 1);
	}
	(void)close(ready[1]);
	(void)close(end[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	*ret_pipe = end[1];
	return pid;
}

static void nobody_loses_a_function_that_is_open(void **state)
{
	char who[48];
	int end, status;
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_false(functions_vfio_is_open(tree.functions, TREE_VF0));
	pid_t pid = open_elsewhere(&end);
	(void)snprintf(who, sizeof(who), "process %d (", (int)pid);
	assert_true(functions_vfio_is_open(tree.functions, TREE_VF0));
	assert_false(functions_vfio_is_open(tree.functions, TREE_VF1));
	assert_int_equal(bind_to(NULL), -EBUSY);
	assert_non_null(strstr(err.msg, who));
	assert_int_equal(functions_unbind(tree.functions, TREE_VF0, &err), -EBUSY);
	assert_non_null(strstr(err.msg, who));
	assert_int_equal(functions_reset(tree.functions, TREE_VF0, &err), -EBUSY);
	assert_non_null(strstr(err.msg, who));
	assert_int_equal(functions_set_count(tree.functions, TREE_PF, 0, &err), -EBUSY);
	assert_non_null(strstr(err.msg, who));
	assert_int_equal(functions_check_free(tree.functions, TREE_VF0, true, false, &err), -EBUSY);
	assert_non_null(strstr(err.msg, who));
	assert_string_equal(tree.log, "");
	(void)close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(functions_vfio_is_open(tree.functions, TREE_VF0));
	assert_int_equal(bind_to(NULL), 0);
}

static void resets_are_for_functions_without_a_network_driver(void **state)
{
	(void)state;
	assert_int_equal(functions_reset(tree.functions, TREE_VF0, &err), -EBUSY);
	assert_string_equal(tree.log, "");
	assert_int_equal(functions_unbind(tree.functions, TREE_VF0, &err), 0);
	tree.log[0] = '\0';
	assert_int_equal(functions_reset(tree.functions, TREE_VF0, &err), 0);
	assert_string_equal(tree.log, TREE_VF0 "/reset=1 ");
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_int_equal(functions_reset(tree.functions, TREE_VF0, &err), 0);
	tree.fails = "reset";
	tree.error = -ENOTTY;
	assert_int_equal(functions_reset(tree.functions, TREE_VF0, &err), -ENOTTY);
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/reset");
	assert_int_equal(functions_reset(tree.functions, TREE_VF0, &err), -ENOTSUP);
}

static int set_count(uint16_t count)
{
	tree.log[0] = '\0';
	return functions_set_count(tree.functions, TREE_PF, count, &err);
}

// Free to go: no driver.
static void free_vfs(void)
{
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF0 "/driver");
	tree_remove(&tree, "sys/devices/pci0/" TREE_VF1 "/driver");
}

static void counts_go_by_way_of_none(void **state)
{
	(void)state;
	free_vfs();
	assert_int_equal(set_count(2), 0);
	assert_string_equal(tree.log, "");
	assert_int_equal(set_count(4), 0);
	assert_string_equal(tree.log, TREE_PF "/sriov_numvfs=0 " TREE_PF "/sriov_numvfs=4 ");
	assert_int_equal(set_count(0), 0);
	assert_string_equal(tree.log, TREE_PF "/sriov_numvfs=0 ");
	assert_int_equal(set_count(1), 0);
	assert_string_equal(tree.log, TREE_PF "/sriov_numvfs=1 ");
}

static void counts_that_cannot_be_are_refused(void **state)
{
	(void)state;
	free_vfs();
	assert_int_equal(set_count(5), -EINVAL);
	assert_non_null(strstr(err.msg, "cannot have 5 virtual functions"));
	assert_non_null(strstr(err.hint, "4 at most"));
	assert_string_equal(tree.log, "");
	assert_int_equal(functions_set_count(tree.functions, TREE_VF0, 1, &err), -EINVAL);
	assert_int_equal(functions_set_count(tree.functions, "0000:09:00.0", 1, &err), -ENODEV);
}

static void counts_stay_while_functions_are_in_use(void **state)
{
	(void)state;
	// A driver without an interface has it.
	assert_int_equal(set_count(4), -EBUSY);
	assert_non_null(strstr(err.msg, "cannot change how many functions " TREE_PF " has: "));
	assert_non_null(strstr(err.msg, TREE_VF0));
	assert_string_equal(tree.log, "");
}

static void counts_are_put_back(void **state)
{
	(void)state;
	free_vfs();
	tree.makes = 3;
	assert_int_equal(set_count(4), -ERANGE);
	assert_string_equal(tree_read(&tree, "sys/devices/pci0/" TREE_PF "/sriov_numvfs"), "2");
	tree.makes = 4;
	tree.fails = "sriov_numvfs";
	tree.fails_after = 1;
	tree.error = -ENOMEM;
	assert_int_equal(set_count(4), -ENOMEM);
	assert_non_null(strstr(err.msg, strerror(ENOMEM)));
	assert_string_equal(tree_read(&tree, "sys/devices/pci0/" TREE_PF "/sriov_numvfs"), "2");
}

static void nodes_that_are_no_devices_are_nobodys(void **state)
{
	char target[128];
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_int_equal(functions_vfio_own(tree.functions, TREE_VF0, 0, 0, &err), -ENOENT);
	tree_file(&tree, "", "dev/vfio/20");
	assert_int_equal(functions_vfio_own(tree.functions, TREE_VF0, 0, 0, &err), -ENOTTY);
	(void)snprintf(target, sizeof(target), "/dev/null");
	tree_link(&tree, target, "dev/vfio/20");
	assert_int_equal(functions_vfio_own(tree.functions, TREE_VF0, 0, 0, &err), -ENOTTY);
}

static void nodes_get_an_owner(void **state)
{
	char path[FUNCTION_PATH_SIZE];
	struct stat stat_of;
	(void)state;
	assert_int_equal(bind_to(FUNCTION_VFIO), 0);
	assert_int_equal(functions_vfio_path(tree.functions, TREE_VF0, path, NULL), 0);
	tree_file(&tree, "", "dev/vfio/vfio");
	if (mknod(path, S_IFCHR | 0666, makedev(1, 3))) {
		print_message("skipped: no right to make device nodes\n");
		skip();
	}
	assert_int_equal(functions_vfio_own(tree.functions, TREE_VF0, 1000, 1001, &err), 0);
	assert_int_equal(stat(path, &stat_of), 0);
	assert_int_equal(stat_of.st_uid, 1000);
	assert_int_equal(stat_of.st_gid, 1001);
	assert_int_equal(stat_of.st_mode & 07777, 0600);
	assert_int_equal(functions_vfio_own(tree.functions, TREE_VF0, 0, 0, &err), 0);
	assert_int_equal(stat(path, &stat_of), 0);
	assert_int_equal(stat_of.st_uid, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vfio_keeps_others_away),
		TEST(the_kernel_chooses_again),
		TEST(a_named_driver_leaves_no_override),
		TEST(no_autoprobe_is_suspended_for_a_moment),
		TEST(a_refusal_leaves_it_bound_as_before),
		TEST(each_failing_write_is_undone),
		TEST(drivers_that_are_not_there_change_nothing),
		TEST(unbound_functions_have_no_override_of_ours),
		TEST(nobody_loses_a_function_that_is_open),
		TEST(resets_are_for_functions_without_a_network_driver),
		TEST(counts_go_by_way_of_none),
		TEST(counts_that_cannot_be_are_refused),
		TEST(counts_stay_while_functions_are_in_use),
		TEST(counts_are_put_back),
		TEST(nodes_that_are_no_devices_are_nobodys),
		TEST(nodes_get_an_owner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
