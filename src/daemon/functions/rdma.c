// SPDX-License-Identifier: BSD-3-Clause
// RDMA devices of functions: which, their nodes, and their way to another namespace by RDMA's netlink (NLDEV). A host without RDMA
// is not asked, since asking would have the kernel load it. Any thread.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <dirent.h>
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include <string.h>

#define COMMAND(command) RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, (command))

static bool has_rdma(const struct functions *functions)
{
	char path[PATH_MAX];
	return !sysfs_path(functions, path, "class/infiniband") && sysfs_is_there(path);
}

// What a kernel's soft RDMA says of the interface below it, or any device of its first port's.
static bool is_on(const struct functions *functions, const char *rdma, const char *interface)
{
	static const char *const files[] = {"parent", "ports/1/gid_attrs/ndevs/0"};
	char path[PATH_MAX], name[32];
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!sysfs_path(functions, path, "class/infiniband/%s/%s", rdma, files[i]) &&
		    !sysfs_read(path, name, sizeof(name)) && !strcmp(name, interface))
			return true;
	}
	return false;
}

static int find_in(
	const struct functions *functions,
	const char *path,
	const char *interface,
	char ret[FUNCTION_RDMA_SIZE]
)
{
	int r = -ENOENT;
	DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	for (const struct dirent *entry = readdir(dir); r && entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= FUNCTION_RDMA_SIZE ||
		    (interface && !is_on(functions, entry->d_name, interface)))
			continue;
		memcpy(ret, entry->d_name, strlen(entry->d_name) + 1);
		r = 0;
	}
	(void)closedir(dir); // Only read.
	return r;
}

int rdma_find(
	const struct functions *functions,
	const char *address,
	const char *interface,
	char ret[FUNCTION_RDMA_SIZE]
)
{
	char path[PATH_MAX];
	int r = sysfs_device_path(functions, path, address, "infiniband");
	if (!r)
		r = find_in(functions, path, NULL, ret);
	if (!r || !interface[0])
		return r;
	r = sysfs_path(functions, path, "class/infiniband");
	return r ? r : find_in(functions, path, interface, ret);
}

static struct nl_sock *open_rdma(void)
{
	struct nl_sock *socket = nl_socket_alloc();
	if (socket && nl_connect(socket, NETLINK_RDMA)) {
		nl_socket_free(socket);
		return NULL;
	}
	return socket;
}

static int note_mode(struct nl_msg *msg, void *arg)
{
	enum function_rdma_mode *mode = arg;
	struct nlattr *shared = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_SYS_ATTR_NETNS_MODE);
	if (shared && nla_len(shared) >= 1)
		*mode = nla_get_u8(shared) ? FUNCTION_RDMA_SHARED : FUNCTION_RDMA_EXCLUSIVE;
	return NL_OK;
}

enum function_rdma_mode functions_rdma_mode(struct functions *functions)
{
	// A kernel that cannot be asked shares them: it knows no other way.
	enum function_rdma_mode mode = FUNCTION_RDMA_SHARED;
	if (!has_rdma(functions))
		return FUNCTION_RDMA_NONE;
	struct nl_sock *socket = open_rdma();
	if (!socket)
		return mode;
	struct nl_msg *msg = nlmsg_alloc_simple(COMMAND(RDMA_NLDEV_CMD_SYS_GET), NLM_F_REQUEST);
	if (msg)
		(void)netlink_ask(socket, msg, note_mode, &mode); // As above.
	nl_socket_free(socket);
	return mode;
}

struct wanted {
	const char *name;
	uint32_t index;
	bool found;
};

static int note_device(struct nl_msg *msg, void *arg)
{
	struct wanted *wanted = arg;
	struct nlattr *index = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_INDEX);
	struct nlattr *name = nlmsg_find_attr(nlmsg_hdr(msg), 0, RDMA_NLDEV_ATTR_DEV_NAME);
	if (!index || nla_len(index) < (int)sizeof(uint32_t) || !name ||
	    nla_strcmp(name, wanted->name) != 0)
		return NL_OK;
	wanted->index = nla_get_u32(index);
	wanted->found = true;
	return NL_OK;
}

static int move_device(struct nl_sock *socket, const char *rdma, int netns_fd, char reason[128])
{
	struct wanted wanted = {.name = rdma};
	struct nl_msg *msg =
		nlmsg_alloc_simple(COMMAND(RDMA_NLDEV_CMD_GET), NLM_F_REQUEST | NLM_F_DUMP);
	int r = msg ? netlink_ask(socket, msg, note_device, &wanted) : -ENOMEM;
	if (!r && !wanted.found)
		r = -ENODEV;
	(void)snprintf(reason, 128, "%s", strerror(-r)); // Cut at the end.
	if (r)
		return r;
	msg = nlmsg_alloc_simple(COMMAND(RDMA_NLDEV_CMD_SET), NLM_F_REQUEST);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, RDMA_NLDEV_ATTR_DEV_INDEX, wanted.index) ||
	    nla_put_u32(msg, RDMA_NLDEV_NET_NS_FD, (uint32_t)netns_fd)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return netlink_request(socket, msg, reason, 128);
}

int functions_rdma_place(
	struct functions *functions,
	const char *rdma,
	int netns_fd,
	struct rwy_err *err
)
{
	char reason[128] = "the kernel has no RDMA";
	int r = -EOPNOTSUPP;
	struct nl_sock *socket = has_rdma(functions) ? open_rdma() : NULL;
	if (socket) {
		r = move_device(socket, rdma, netns_fd, reason);
		nl_socket_free(socket);
	}
	if (!r)
		return 0;
	(void)err_set(
		err,
		r,
		"cannot move RDMA device '%s' to another network namespace: %s",
		rdma,
		reason
	);
	if (functions_rdma_mode(functions) == FUNCTION_RDMA_SHARED)
		(void
		)err_hint(err, "the host shares RDMA devices: rdma system set netns exclusive");
	return r;
}

static bool is_of(const struct functions *functions, const char *node, const char *rdma)
{
	char path[PATH_MAX], name[FUNCTION_RDMA_SIZE];
	return !sysfs_path(functions, path, "class/infiniband_verbs/%s/ibdev", node) &&
		!sysfs_read(path, name, sizeof(name)) && !strcmp(name, rdma);
}

static void add_node(
	const struct functions *functions,
	const char *node,
	char (*ret)[FUNCTION_PATH_SIZE],
	size_t *count
)
{
	char path[FUNCTION_PATH_SIZE];
	int length = snprintf(path, sizeof(path), "%s/infiniband/%s", functions->dev, node);
	if (length < 0 || (size_t)length >= sizeof(path) || *count >= FUNCTION_NODES_MAX ||
	    !sysfs_is_there(path))
		return;
	memcpy(ret[(*count)++], path, sizeof(path));
}

int functions_rdma_nodes(
	struct functions *functions,
	const char *rdma,
	char (*ret)[FUNCTION_PATH_SIZE],
	size_t *ret_count,
	struct rwy_err *err
)
{
	char path[PATH_MAX];
	size_t count = 0;
	int r = sysfs_path(functions, path, "class/infiniband_verbs");
	DIR *dir = r ? NULL : opendir(path);
	for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		if (!strncmp(entry->d_name, "uverbs", strlen("uverbs")) &&
		    is_of(functions, entry->d_name, rdma))
			add_node(functions, entry->d_name, ret, &count);
	}
	if (dir)
		(void)closedir(dir); // Only read.
	if (!count) {
		(void)err_set(err, -ENOENT, "RDMA device '%s' has no device nodes", rdma);
		(void)err_hint(err, "load them: modprobe ib_uverbs");
		return -ENOENT;
	}
	// Connections are made by it, where it is.
	add_node(functions, "rdma_cm", ret, &count);
	*ret_count = count;
	return 0;
}
