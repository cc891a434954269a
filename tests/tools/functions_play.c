// SPDX-License-Identifier: BSD-3-Clause
// Functions of NICs by hand, for tests on a machine that has some: one call of functions.h, its result or its error on one
// line, exit status 1 for an error.
//   functions-play get ADDRESS | parent TEXT | list PARENT | count PARENT N | check ADDRESS [vfio|noiommu]
//   functions-play attributes ADDRESS | set ADDRESS WORD=VALUE.. | bind ADDRESS [DRIVER] | override ADDRESS [DRIVER]
//   functions-play unbind ADDRESS | reset ADDRESS | path ADDRESS | own ADDRESS UID GID | open ADDRESS
//   functions-play interface ADDRESS MS | prepare NAME MAC MTU | rename NAME NEW
//   functions-play place NAME NETNS-FILE NEW [ADDRESS/PREFIX [GATEWAY]] | rdma-mode | rdma-place DEVICE NETNS-FILE
//   functions-play rdma-nodes DEVICE
#include "base/cleanup.h"
#include "daemon/functions/functions.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct play {
	struct functions *functions;
	int count;
	char **word; // The verb's arguments.
	struct rwy_err err;
};

typedef int play_verb(struct play *play);

static int get(struct play *play)
{
	struct function_info i;
	int r = functions_get(play->functions, play->word[0], &i, &play->err);
	if (r)
		return r;
	printf("address=%s id=%04x:%04x virtual=%d parent=%s number=%u vfs=%u/%u driver=%s overridden=%d"
	       " group=%d noiommu=%d numa=%d interface=%s rdma=%s reset=%d\n",
	       i.address,
	       i.vendor,
	       i.device,
	       i.is_virtual,
	       i.parent,
	       i.number,
	       i.vfs,
	       i.vfs_max,
	       i.driver,
	       i.overridden,
	       i.iommu_group,
	       i.noiommu,
	       i.numa_node,
	       i.interface,
	       i.rdma,
	       i.can_reset);
	return 0;
}

static int parent(struct play *play)
{
	struct function_info i;
	int r = functions_find_parent(play->functions, play->word[0], &i, &play->err);
	if (!r)
		printf("%s\n", i.address);
	return r;
}

static int list(struct play *play)
{
	char vfs[FUNCTION_VFS_MAX][FUNCTION_ADDRESS_SIZE];
	size_t count = 0;
	int r = functions_list_vfs(play->functions, play->word[0], vfs, &count, &play->err);
	for (size_t i = 0; !r && i < count; i++)
		printf("%s\n", vfs[i]);
	return r;
}

static int set_count(struct play *play)
{
	uint16_t count = (uint16_t)strtoul(play->word[1], NULL, 10);
	return functions_set_count(play->functions, play->word[0], count, &play->err);
}

static int check(struct play *play)
{
	const char *how = play->count > 1 ? play->word[1] : "";
	return functions_check_free(
		play->functions, play->word[0], how[0] != '\0', !strcmp(how, "noiommu"), &play->err
	);
}

static int attributes(struct play *play)
{
	struct function_attributes a;
	struct function_counters c;
	char mac[MAC_TEXT_SIZE];
	int r = functions_get_attributes(play->functions, play->word[0], &a, &c, &play->err);
	if (r)
		return r;
	mac_format(a.mac, mac);
	printf("mac=%s none=%d vlan=%d spoof=%d trust=%d link=%d min=%" PRId64 " max=%" PRId64
	       " counted=%d rx=%" PRIu64 " tx=%" PRIu64 "\n",
	       mac,
	       a.mac_none,
	       a.vlan,
	       a.spoof_check,
	       a.trust,
	       a.link_state,
	       a.rate_min,
	       a.rate_max,
	       c.known,
	       c.rx_frames,
	       c.tx_frames);
	return 0;
}

static int read_word(const char *word, struct function_attributes *a)
{
	const char *value = strchr(word, '=');
	if (!value)
		return -EINVAL;
	size_t length = (size_t)(value++ - word);
	int number = (int)strtol(value, NULL, 10);
	struct {
		const char *name;
		int *to;
	} ints[] = {
		{"vlan", &a->vlan},
		{"spoof", &a->spoof_check},
		{"trust", &a->trust},
		{"link", &a->link_state},
	};
	if (!strncmp(word, "mac", length)) {
		a->mac_none = !strcmp(value, "none");
		return a->mac_none ? 0 : mac_parse(value, a->mac);
	}
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		if (strlen(ints[i].name) == length && !strncmp(word, ints[i].name, length)) {
			*ints[i].to = number;
			return 0;
		}
	}
	if (length != 3 || (strncmp(word, "min", 3) != 0 && strncmp(word, "max", 3) != 0))
		return -EINVAL;
	*(word[1] == 'i' ? &a->rate_min : &a->rate_max) = number;
	return 0;
}

static int set(struct play *play)
{
	struct function_attributes a = FUNCTION_ATTRIBUTES_KEEP;
	for (int i = 1; i < play->count; i++) {
		int r = read_word(play->word[i], &a);
		if (r)
			return err_set(&play->err, r, "'%s'?", play->word[i]);
	}
	return functions_set_attributes(play->functions, play->word[0], &a, &play->err);
}

static const char *second(const struct play *play)
{
	return play->count > 1 ? play->word[1] : NULL;
}

static int bind_to(struct play *play)
{
	return functions_bind(play->functions, play->word[0], second(play), &play->err);
}

static int override_by(struct play *play)
{
	return functions_set_override(play->functions, play->word[0], second(play), &play->err);
}

static int unbind(struct play *play)
{
	return functions_unbind(play->functions, play->word[0], &play->err);
}

static int reset(struct play *play)
{
	return functions_reset(play->functions, play->word[0], &play->err);
}

static int path(struct play *play)
{
	char text[FUNCTION_PATH_SIZE];
	int r = functions_vfio_path(play->functions, play->word[0], text, &play->err);
	if (!r)
		printf("%s\n", text);
	return r;
}

static int own(struct play *play)
{
	return functions_vfio_own(
		play->functions,
		play->word[0],
		(uid_t)strtoul(play->word[1], NULL, 10),
		(gid_t)strtoul(play->word[2], NULL, 10),
		&play->err
	);
}

static int is_open(struct play *play)
{
	printf("%d\n", functions_vfio_is_open(play->functions, play->word[0]));
	return 0;
}

static int interface(struct play *play)
{
	char name[FUNCTION_IFNAME_SIZE];
	int ms = (int)strtol(play->word[1], NULL, 10);
	int r = functions_interface(play->functions, play->word[0], ms, name, &play->err);
	if (!r)
		printf("%s\n", name);
	return r;
}

static int prepare(struct play *play)
{
	uint8_t mac[MAC_SIZE] = {0};
	if (play->word[1][0] && mac_parse(play->word[1], mac))
		return err_set(&play->err, -EINVAL, "'%s'?", play->word[1]);
	return functions_interface_prepare(
		play->functions,
		play->word[0],
		mac,
		(uint32_t)strtoul(play->word[2], NULL, 10),
		&play->err
	);
}

static int rename_to(struct play *play)
{
	return functions_interface_rename(
		play->functions, play->word[0], play->word[1], &play->err
	);
}

static int open_netns(struct play *play, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(&play->err, -errno, "'%s': %s", file, strerror(errno)) : fd;
}

static int place(struct play *play)
{
	_cleanup_close_ int fd = open_netns(play, play->word[1]);
	if (fd < 0)
		return fd;
	struct function_inside inside = {.netns_fd = fd};
	(void)snprintf(inside.name, sizeof(inside.name), "%.15s", play->word[2]);
	if (play->count > 3)
		(void
		)snprintf(inside.address[0], sizeof(inside.address[0]), "%.49s", play->word[3]);
	if (play->count > 4)
		(void
		)snprintf(inside.gateway[0], sizeof(inside.gateway[0]), "%.45s", play->word[4]);
	return functions_interface_place(play->functions, play->word[0], &inside, &play->err);
}

static int rdma_mode(struct play *play)
{
	static const char *const text[] = {"none", "shared", "exclusive"};
	printf("%s\n", text[functions_rdma_mode(play->functions)]);
	return 0;
}

static int rdma_place(struct play *play)
{
	_cleanup_close_ int fd = open_netns(play, play->word[1]);
	if (fd < 0)
		return fd;
	return functions_rdma_place(play->functions, play->word[0], fd, &play->err);
}

static int rdma_nodes(struct play *play)
{
	char nodes[FUNCTION_NODES_MAX][FUNCTION_PATH_SIZE];
	size_t count = 0;
	int r = functions_rdma_nodes(play->functions, play->word[0], nodes, &count, &play->err);
	for (size_t i = 0; !r && i < count; i++)
		printf("%s\n", nodes[i]);
	return r;
}

static const struct verb {
	const char *name;
	int words; // At least.
	play_verb *call;
} verbs[] = {
	{"get", 1, get},
	{"parent", 1, parent},
	{"list", 1, list},
	{"count", 2, set_count},
	{"check", 1, check},
	{"attributes", 1, attributes},
	{"set", 2, set},
	{"bind", 1, bind_to},
	{"override", 1, override_by},
	{"unbind", 1, unbind},
	{"reset", 1, reset},
	{"path", 1, path},
	{"own", 3, own},
	{"open", 1, is_open},
	{"interface", 2, interface},
	{"prepare", 3, prepare},
	{"rename", 2, rename_to},
	{"place", 3, place},
	{"rdma-mode", 0, rdma_mode},
	{"rdma-place", 2, rdma_place},
	{"rdma-nodes", 1, rdma_nodes},
};

static const struct verb *find_verb(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].words)
			return &verbs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct functions_config config = {.sysfs = "/sys", .dev = "/dev"};
	const struct verb *verb = find_verb(argc, argv);
	struct play play = {.count = argc - 2, .word = argv + 2};
	if (!verb) {
		(void)fprintf(stderr, "functions-play: no such call; see its source\n");
		return 2;
	}
	int r = functions_open(&config, &play.functions, &play.err);
	if (!r)
		r = verb->call(&play);
	functions_close(play.functions);
	if (!r)
		return 0;
	(void)fprintf(
		stderr,
		"%s (%d)%s%s\n",
		play.err.msg,
		r,
		play.err.hint[0] ? "; " : "",
		play.err.hint
	);
	return 1;
}
