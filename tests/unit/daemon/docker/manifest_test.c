// SPDX-License-Identifier: BSD-3-Clause
// The files of a place, the EAL arguments, and the choice of memory.
#include "base/cleanup.h"
#include "base/fields.h"
#include "daemon/docker/manifest.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct manifest sample = {
	.memory = {.hugepages = false, .size_mib = 704},
	.port_count = 2,
	.ports =
		{
			{
				.eal = {.index = 0, .queues = 2, .mac = {2, 0, 0, 0, 0, 1}},
				.name = "gen.fast",
				.network = "fast",
				.ip = "10.1.0.2/24",
				.gateway = "10.1.0.1",
				.mtu = 1500,
			},
			{
				.eal = {.index = 3, .queues = 1, .mac = {2, 0, 0, 0, 0, 2}},
				.name = "gen.other",
				.network = "other",
				.mtu = 9000,
			},
		},
};

static void read_file(const char *dir, const char *name, char *text, size_t size)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	struct stat st;
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	fclose(file);
}

static void remove_dir(const char *dir)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static void test_write_and_replace(void **state)
{
	char dir[] = "/tmp/ringway-manifest-XXXXXX";
	char text[4096];
	assert_non_null(mkdtemp(dir));
	assert_int_equal(umask(077), 022); // Readable to any user even then.
	assert_int_equal(manifest_write(dir, &sample, NULL), 0);
	umask(022);
	read_file(dir, "eal-args", text, sizeof(text));
	assert_string_equal(
		text,
		"--no-pci\n--no-telemetry\n"
		"--vdev=virtio_user0,path=/run/ringway/net0.sock,mac=02:00:00:00:00:01,queues=2,"
		"cq=1,mrg_rxbuf=1,queue_size=1024\n"
		"--vdev=virtio_user3,path=/run/ringway/net3.sock,mac=02:00:00:00:00:02,queues=1,"
		"cq=1,mrg_rxbuf=1,queue_size=1024\n"
		"--no-huge\n-m\n704\n--no-shconf\n"
	);
	read_file(dir, "manifest.json", text, sizeof(text));
	_cleanup_json_ json_t *object = json_loads(text, 0, NULL);
	_cleanup_json_ json_t *expected = json_loads(
		"{\"version\":1,\"ports\":[{\"name\":\"gen.fast\",\"network\":\"fast\",\"attach\":"
		"\"vhost\",\"socket\":\"/run/ringway/net0.sock\",\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.1.0.2/24\","
		"\"gateway\":\"10.1.0.1\",\"mtu\":1500,\"queues\":2},{\"name\":\"gen.other\","
		"\"network\":\"other\",\"attach\":\"vhost\",\"socket\":\"/run/ringway/net3.sock\",\"mac\":"
		"\"02:00:00:00:00:02\",\"mtu\":9000,\"queues\":1}],\"lcores\":null,"
		"\"memory\":{\"hugepages\":false,\"size_mib\":704}}",
		0,
		NULL
	);
	assert_true(json_equal(object, expected));
	struct manifest fewer = sample;
	fewer.port_count = 0;
	fewer.memory.hugepages = true;
	assert_int_equal(manifest_write(dir, &fewer, NULL), 0);
	read_file(dir, "eal-args", text, sizeof(text));
	assert_string_equal(
		text, "--no-pci\n--no-telemetry\n--in-memory\n--single-file-segments\n"
	);
	remove_dir(dir);
}

// Functions beside a socket: no other device is looked for, and their addresses are virtual ones.
static void test_functions_beside_a_socket(void **state)
{
	char dir[] = "/tmp/ringway-manifest-XXXXXX";
	char text[4096];
	struct manifest mixed = sample;
	struct manifest_port *function = &mixed.ports[mixed.port_count++];
	*function = (struct manifest_port){
		.eal = {.index = 4, .mac = {2, 0, 0, 0, 0, 3}, .pci = "0000:03:10.2"},
		.name = "gen.cards",
		.network = "cards",
		.ip = "40.0.0.2/24",
		.mtu = 1500,
		.vfio = "/dev/vfio/12",
		.iommu_group = 12,
		.numa_node = -1,
	};
	assert_non_null(mkdtemp(dir));
	assert_int_equal(manifest_write(dir, &mixed, NULL), 0);
	read_file(dir, "eal-args", text, sizeof(text));
	assert_ptr_equal(
		strstr(text, "-a\n0000:03:10.2\n--iova-mode=va\n--no-telemetry\n--vdev="), text
	);
	assert_null(strstr(text, "--no-pci"));
	assert_null(strstr(text, "virtio_user4"));
	read_file(dir, "manifest.json", text, sizeof(text));
	_cleanup_json_ json_t *object = json_loads(text, 0, NULL);
	_cleanup_json_ json_t *expected = json_loads(
		"{\"name\":\"gen.cards\",\"network\":\"cards\",\"attach\":\"vf\",\"pci\":"
		"\"0000:03:10.2\",\"vfio\":\"/dev/vfio/12\",\"iommu_group\":12,\"numa_node\":-1,"
		"\"mac\":\"02:00:00:00:00:03\",\"ip\":\"40.0.0.2/24\",\"mtu\":1500}",
		0,
		NULL
	);
	assert_true(json_equal(json_array_get(json_object_get(object, "ports"), 2), expected));
	function->eal.noiommu = true;
	assert_int_equal(manifest_write(dir, &mixed, NULL), 0);
	read_file(dir, "eal-args", text, sizeof(text));
	assert_non_null(strstr(text, "\n--iova-mode=pa\n"));
	remove_dir(dir);
}

static void test_memory_is_read_back(void **state)
{
	char dir[] = "/tmp/ringway-manifest-XXXXXX";
	struct eal_memory memory = {0};
	assert_non_null(mkdtemp(dir));
	assert_int_equal(manifest_read_memory(dir, &memory), -ENOENT);
	assert_int_equal(manifest_write(dir, &sample, NULL), 0);
	assert_int_equal(manifest_read_memory(dir, &memory), 0);
	assert_int_equal(memory.size_mib, 704);
	assert_false(memory.hugepages);
	remove_dir(dir);
}

static void put_text(const char *dir, const char *name, const char *content)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name); // It fits.
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void put_link(const char *dir, const char *target, const char *name)
{
	char from[128];
	char to[128];
	(void)snprintf(from, sizeof(from), "%s/%s", dir, target); // Both fit.
	(void)snprintf(to, sizeof(to), "%s/%s", dir, name);
	assert_int_equal(symlink(from, to), 0);
}

static void put_hard_link(const char *dir, const char *target, const char *name)
{
	char from[128];
	char to[128];
	(void)snprintf(from, sizeof(from), "%s/%s", dir, target); // Both fit.
	(void)snprintf(to, sizeof(to), "%s/%s", dir, name);
	assert_int_equal(link(from, to), 0);
}

// Links in place of any file or directory: what they point to is neither read nor written.
static void test_links_are_not_followed(void **state)
{
	static const char memory_text[] = "{\"memory\":{\"hugepages\":true,\"size_mib\":99}}";
	char dir[] = "/tmp/ringway-manifest-XXXXXX";
	char path[64];
	char text[4096];
	struct eal_memory memory = {0};
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/place", dir); // It fits.
	assert_int_equal(mkdir(path, 0700), 0);
	put_text(dir, "victim", memory_text);
	put_link(dir, "victim", "place/manifest.json");
	put_link(dir, "victim", "place/eal-args");
	put_link(dir, "victim", "place/.manifest.json.new");
	put_link(dir, "victim", "place/.eal-args.new");
	assert_int_equal(manifest_read_memory(path, &memory), -ENOENT);
	assert_int_equal(manifest_write(path, &sample, NULL), 0);
	assert_int_equal(manifest_read_memory(path, &memory), 0);
	assert_int_equal(memory.size_mib, 704);
	put_hard_link(dir, "victim", "place/.eal-args.new");
	assert_int_equal(manifest_write(path, &sample, NULL), 0);
	put_link(dir, "place", "again");
	(void)snprintf(path, sizeof(path), "%s/again", dir);
	assert_int_equal(manifest_write(path, &sample, NULL), -ENOTDIR);
	assert_int_equal(manifest_read_memory(path, &memory), -ENOENT);
	put_link(dir, ".", "all");
	(void)snprintf(path, sizeof(path), "%s/all/place", dir);
	assert_int_equal(manifest_write(path, &sample, NULL), -ENOTDIR);
	read_file(dir, "victim", text, sizeof(text));
	assert_string_equal(text, memory_text);
	remove_dir(dir);
}

static void test_write_into_nothing(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(manifest_write("/nonexistent/place", &sample, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/place"));
}

static void test_choice_of_memory(void **state)
{
	struct eal_memory memory = eal_choose_memory(0, 2, 511);
	assert_false(memory.hugepages);
	assert_int_equal(memory.size_mib, eal_default_mib(2));
	assert_true(eal_choose_memory(0, 2, 512).hugepages);
	assert_false(eal_choose_memory(1024, 2, 512).hugepages);
	memory = eal_choose_memory(64, 2, 0);
	assert_int_equal(memory.size_mib, 64);
}

// testpmd was seen to fail with 512 MiB and to start with 640 on two CPUs; more CPUs need more.
static void test_default_memory(void **state)
{
	assert_in_range(eal_default_mib(1), 640, 1024);
	assert_in_range(eal_default_mib(2), 640, 1024);
	for (unsigned int cpus = 2; cpus < 128; cpus++) {
		unsigned int pages = (4608 + 250 * (cpus - 1)) * 32;
		assert_true(eal_default_mib(cpus) >= pages / 256 + 32);
	}
	assert_int_equal(eal_default_mib(1000), eal_default_mib(128));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_replace),
		cmocka_unit_test(test_functions_beside_a_socket),
		cmocka_unit_test(test_memory_is_read_back),
		cmocka_unit_test(test_links_are_not_followed),
		cmocka_unit_test(test_write_into_nothing),
		cmocka_unit_test(test_choice_of_memory),
		cmocka_unit_test(test_default_memory),
	};
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
