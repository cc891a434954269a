// SPDX-License-Identifier: BSD-3-Clause
// Checks of what ordinary interfaces, published ports and uplinks need of the kernel. ringwayd has tried it where it runs, and its
// word counts; the rest is said besides. One thread.
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/doctor_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct wanted {
	const char *option, *module, *what;
};

struct features {
	size_t absent, unknown;
	char missing[READ_LINE_SIZE]; // "veth, tun"
};

static void find_features(
	const struct doctor *d,
	const struct wanted *wanted,
	struct features *found,
	struct doctor_result *result
)
{
	char line[512] = "";
	*found = (struct features){0};
	for (; wanted->option; wanted++) {
		enum doctor_feature feature = doctor_feature(d, wanted->option, wanted->module);
		size_t used = strlen(line), listed = strlen(found->missing);
		// Both lists are of our own few words.
		(void)snprintf(
			line + used,
			sizeof(line) - used,
			"%s%s %s",
			used ? ", " : "",
			wanted->what,
			doctor_feature_name(feature)
		);
		found->unknown += feature == FEATURE_UNKNOWN;
		if (feature != FEATURE_ABSENT)
			continue;
		found->absent++;
		(void)snprintf(
			found->missing + listed,
			sizeof(found->missing) - listed,
			"%s%s",
			listed ? ", " : "",
			wanted->option
		);
	}
	doctor_detail(result, "%s", line);
}

// ringwayd's word about one of its parts. 1: it works; 0: it does not, with the reason; -1: nothing was said.
static int ask_part(const struct doctor *d, const char *part, const char **ret_reason)
{
	json_t *object = json_object_get(d->daemon.version, part);
	json_t *available = json_object_get(object, "available");
	if (!json_is_boolean(available))
		return -1;
	*ret_reason = cli_member(object, "reason");
	return json_is_true(available);
}

static void judge_features(
	const struct doctor *d,
	unsigned int uses,
	const struct features *found,
	struct doctor_result *result
)
{
	if (found->absent) {
		doctor_saw(result, doctor_lack(d, uses), "this kernel lacks %s", found->missing);
		doctor_advise(result, "boot a kernel that has them (Debian 12's has)");
		return;
	}
	if (found->unknown)
		doctor_saw(
			result,
			DOCTOR_UNKNOWN,
			"nothing tells what this kernel has; ringwayd, when it runs, tries it"
		);
	else
		doctor_saw(result, DOCTOR_OK, "this kernel has what is needed");
}

struct kernel {
	char release[READ_LINE_SIZE];
	int major, minor;
	bool bpffs;
	int bpf;
};

static void read_kernel(const struct doctor *d, struct kernel *kernel)
{
	_cleanup_free_ char *filesystems = doctor_read_all(d, "/proc/filesystems");
	(void
	)doctor_read(d, kernel->release, sizeof(kernel->release), "/proc/sys/kernel/osrelease");
	// NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers.
	if (sscanf(kernel->release, "%d.%d", &kernel->major, &kernel->minor) != 2)
		kernel->major = -1;
	kernel->bpffs = filesystems && strstr(filesystems, "\tbpf\n");
	kernel->bpf = d->process.bpf;
}

// bpf_redirect_peer() came with 5.10, bpf_loop() with 5.17.
static void judge_kernel(
	const struct doctor *d,
	const struct kernel *kernel,
	struct doctor_result *result
)
{
	enum doctor_status lack = doctor_lack(d, DOCTOR_KERNEL);
	if (kernel->major < 0)
		doctor_saw(result, DOCTOR_UNKNOWN, "/proc does not tell the kernel's version");
	else if (kernel->major < 5 || (kernel->major == 5 && kernel->minor < 17)) {
		doctor_saw(result, lack, "Linux %s, and 5.17 is needed", kernel->release);
		doctor_advise(result, "boot a newer kernel; sockets (vhost) work with this one");
	} else
		doctor_saw(result, DOCTOR_OK, "Linux %s", kernel->release);
	if (kernel->bpf == ENOSYS)
		doctor_saw(result, lack, "it has no bpf system call (CONFIG_BPF_SYSCALL)");
	else if (kernel->bpf == EPERM && d->process.uid == 0)
		doctor_saw(result, DOCTOR_WARNING, "root may not call bpf here (CAP_BPF)");
	if (!kernel->bpffs)
		doctor_saw(result, lack, "/proc/filesystems has no bpf");
}

static void judge_part(
	const struct doctor *d,
	const char *part,
	unsigned int uses,
	const struct features *found,
	struct doctor_result *result
)
{
	const char *reason = "";
	int works = ask_part(d, part, &reason);
	if (works > 0)
		doctor_saw(result, DOCTOR_OK, "ringwayd has them");
	else if (works == 0) {
		doctor_saw(
			result,
			doctor_lack(d, uses),
			"ringwayd has none: %s",
			reason[0] ? reason : "it does not say why"
		);
		doctor_advise(result, "put that right, and restart ringwayd:");
		doctor_command(result, "systemctl restart ringwayd");
	} else
		judge_features(d, uses, found, result);
}

static void check_kernel_ports(const struct doctor *d, struct doctor_result *result)
{
	static const struct wanted wanted[] = {
		// The bpf call was tried.
		{"CONFIG_NET_SCH_INGRESS", "sch_ingress", "clsact"},
		{"CONFIG_NET_CLS_BPF", "cls_bpf", "cls_bpf"},
		{"CONFIG_VETH", "veth", "veth"},
		{"CONFIG_TUN", "tun", "tun"},
		{0},
	};
	struct kernel kernel = {0};
	struct features found;
	read_kernel(d, &kernel);
	judge_kernel(d, &kernel, result);
	find_features(d, wanted, &found, result);
	judge_part(d, "kernel_ports", DOCTOR_KERNEL, &found, result);
}

static void check_published(const struct doctor *d, struct doctor_result *result)
{
	static const struct wanted wanted[] = {
		{"CONFIG_NF_TABLES", "nf_tables", "nftables"},
		{"CONFIG_NFT_NAT", "nft_chain_nat", "nat"},
		{"CONFIG_NFT_MASQ", "nft_masq", "masquerade"},
		{"CONFIG_NFT_FIB_INET", "nft_fib_inet", "fib"},
		{"CONFIG_NF_CONNTRACK", "nf_conntrack", "conntrack"},
		{0},
	};
	struct features found;
	find_features(d, wanted, &found, result);
	judge_part(d, "published_ports", DOCTOR_KERNEL, &found, result);
}

static bool has_xdp_uplink(const struct doctor *d)
{
	size_t i;
	json_t *network;
	json_array_foreach(d->daemon.networks, i, network)
	{
		const char *uplink = cli_member(network, "uplink");
		if (strncmp(uplink, "xdp:", 4) == 0 || strncmp(uplink, "net_af_xdp", 10) == 0)
			return true;
	}
	return false;
}

static void check_af_xdp(const struct doctor *d, struct doctor_result *result)
{
	_cleanup_free_ char *protocols = doctor_read_all(d, "/proc/net/protocols");
	enum doctor_feature feature = doctor_feature(d, "CONFIG_XDP_SOCKETS", NULL);
	if (feature == FEATURE_BUILT_IN || (protocols && strstr(protocols, "\nXDP "))) {
		doctor_saw(
			result, DOCTOR_OK, "AF_XDP sockets are there, for uplinks xdp:INTERFACE"
		);
		return;
	}
	if (feature == FEATURE_UNKNOWN && !protocols) {
		doctor_saw(result, DOCTOR_UNKNOWN, "nothing tells whether this kernel has AF_XDP");
		return;
	}
	doctor_saw(
		result,
		has_xdp_uplink(d) ? DOCTOR_MISSING : DOCTOR_NOTE,
		"no AF_XDP sockets (CONFIG_XDP_SOCKETS)"
	);
	doctor_advise(
		result, "use the interface through AF_PACKET: --uplink INTERFACE, without xdp:"
	);
}

static void check_uplinks(const struct doctor *d, struct doctor_result *result)
{
	const char *reason = "";
	int works = ask_part(d, "ether_ports", &reason);
	if (works > 0)
		doctor_saw(result, DOCTOR_OK, "ringwayd has them");
	else if (works == 0) {
		doctor_saw(
			result,
			doctor_lack(d, DOCTOR_UPLINK),
			"ringwayd has none: %s",
			reason[0] ? reason : "it does not say why"
		);
		doctor_advise(result, "put that right, and restart ringwayd:");
		doctor_command(result, "systemctl restart ringwayd");
	} else
		doctor_saw(result, DOCTOR_UNKNOWN, "ringwayd would know, and did not answer");
	doctor_detail(
		result,
		"/dev/vhost-net %s",
		doctor_exists(d, "/dev/vhost-net")
			? "is there"
			: "is not there (module vhost_net); only uplinks vhost-net: need it"
	);
}

const struct doctor_check doctor_kernel_checks[] = {
	{"kernel-ports",
	 "the kernel's part of ordinary interfaces",
	 true,
	 false,
	 DOCTOR_KERNEL,
	 check_kernel_ports},
	{"published-ports",
	 "the kernel's part of published ports and address translation",
	 true,
	 false,
	 DOCTOR_KERNEL,
	 check_published},
	{"uplinks", "ringwayd's part of uplinks", true, false, DOCTOR_UPLINK, check_uplinks},
	{"af-xdp", "AF_XDP sockets, for fast uplinks", true, false, DOCTOR_UPLINK, check_af_xdp},
	{0},
};
