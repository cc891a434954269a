// SPDX-License-Identifier: BSD-3-Clause
// Checks of what hands a device to a process: the IOMMU, the modules of VFIO, the nodes below /dev/vfio. One thread.
#include "base/cleanup.h"
#include "cli/doctor_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PCI_USES (DOCTOR_SRIOV | DOCTOR_UPLINK)
#define UNSAFE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
// Uplinks need it for PCI devices only.
static enum doctor_status pci_lack(const struct doctor *d)
{
	if (d->uses & DOCTOR_SRIOV || doctor_has_uplink(d, true))
		return DOCTOR_MISSING;
	return d->uses & DOCTOR_UPLINK ? DOCTOR_WARNING : DOCTOR_NOTE;
}

struct iommu {
	size_t groups;
	char names[READ_LINE_SIZE]; // Of the units: "dmar0 dmar1".
	char word[READ_LINE_SIZE];  // Of the command line: "intel_iommu=on"; empty: none.
	bool unsafe;
	bool may_be_unsafe; // The kernel has that mode, or nothing tells.
	bool intel, virtual_machine;
};

static void read_words(const struct doctor *d, struct iommu *iommu)
{
	static const char *const words[] = {"intel_iommu=", "amd_iommu=", "iommu="};
	size_t used = 0;
	for (size_t i = 0; i < 3; i++) {
		char value[READ_LINE_SIZE];
		if (!doctor_kernel_word(d, words[i], value))
			continue;
		int n = snprintf(
			iommu->word + used,
			sizeof(iommu->word) - used,
			"%s%s%s",
			used ? " " : "",
			words[i],
			value
		);
		if (n < 0 || used + (size_t)n >= sizeof(iommu->word))
			return; // Cut: enough to be recognised.
		used += (size_t)n;
	}
}

static void read_iommu(const struct doctor *d, struct iommu *iommu)
{
	_cleanup_strv_ struct strv groups = {0};
	_cleanup_strv_ struct strv units = {0};
	char value[READ_LINE_SIZE];
	_cleanup_free_ char *info = doctor_read_all(d, "/proc/cpuinfo");
	(void)doctor_list(d, &groups, "/sys/kernel/iommu_groups"); // None: no IOMMU.
	(void)doctor_list(d, &units, "/sys/class/iommu");
	iommu->groups = groups.count;
	if (units.count)
		(void)snprintf(iommu->names, sizeof(iommu->names), "%s", units.items[0]);
	(void)doctor_read(d, value, sizeof(value), UNSAFE);
	iommu->unsafe = value[0] == 'Y' || value[0] == '1';
	// A module that is loaded shows its switch, where it has one.
	bool has_none = doctor_exists(d, "/sys/module/vfio") && !doctor_exists(d, UNSAFE);
	iommu->may_be_unsafe =
		!has_none && doctor_feature(d, "CONFIG_VFIO_NOIOMMU", NULL) != FEATURE_ABSENT;
	iommu->intel = info && strstr(info, "GenuineIntel");
	iommu->virtual_machine = info && strstr(info, " hypervisor");
	read_words(d, iommu);
}

static void advise_iommu(const struct iommu *iommu, struct doctor_result *result)
{
	if (iommu->virtual_machine) {
		doctor_advise(
			result,
			"give this virtual machine an IOMMU, and its kernel's command line intel_iommu=on iommu=pt:"
		);
		doctor_command(
			result,
			"qemu-system-x86_64 -machine q35,kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on .."
		);
	} else
		doctor_advise(
			result,
			"turn it on in the firmware (VT-d, AMD-Vi, SMMU)%s, and reboot",
			iommu->intel
				? ", add intel_iommu=on iommu=pt to the kernel's command line (Debian: GRUB_CMDLINE_LINUX in "
				  "/etc/default/grub, then update-grub)"
				: ""
		);
	if (!iommu->may_be_unsafe)
		return;
	doctor_advise(
		result,
		"where none is to be had, and every user of a function may read and write all memory: no-IOMMU mode (CONFIG_VFIO_NOIOMMU, which Debian's kernel has not), and network create --allow-unsafe-noiommu"
	);
	doctor_command(result, "modprobe vfio && echo 1 > " UNSAFE);
}

static void judge_iommu(
	const struct doctor *d,
	const struct iommu *iommu,
	struct doctor_result *result
)
{
	const char *space = iommu->word[0] ? ", kernel's command line: " : "";
	if (iommu->groups) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"%zu groups%s%s%s%s",
			iommu->groups,
			iommu->names[0] ? ", " : "",
			iommu->names,
			space,
			iommu->word
		);
		if (iommu->unsafe) {
			doctor_saw(result, DOCTOR_WARNING, "no-IOMMU mode is allowed besides");
			doctor_advise(result, "nothing needs it here; turn it off:");
			doctor_command(result, "echo 0 > " UNSAFE);
		}
		return;
	}
	if (iommu->unsafe) {
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"none; no-IOMMU mode is on: who has a function can read and write all memory"
		);
		doctor_advise(result, "networks need --allow-unsafe-noiommu; better have an IOMMU");
		return;
	}
	doctor_saw(
		result,
		pci_lack(d),
		"none%s%s; functions of NICs (attachment vf) and PCI uplinks need one, sockets do not",
		space,
		iommu->word
	);
	advise_iommu(iommu, result);
}

static void check_iommu(const struct doctor *d, struct doctor_result *result)
{
	struct iommu iommu = {0};
	read_iommu(d, &iommu);
	judge_iommu(d, &iommu, result);
}

struct vfio {
	enum doctor_feature bus, core, type1; // vfio-pci, vfio, vfio_iommu_type1
	bool registered;		      // The driver is there to be bound to.
	bool no_modules;		      // The kernel loads none any more.
	char release[READ_LINE_SIZE];
};

static void read_vfio(const struct doctor *d, struct vfio *vfio)
{
	vfio->bus = doctor_feature(d, "CONFIG_VFIO_PCI", "vfio_pci");
	vfio->core = doctor_feature(d, "CONFIG_VFIO", "vfio");
	vfio->type1 = doctor_feature(d, "CONFIG_VFIO_IOMMU_TYPE1", "vfio_iommu_type1");
	vfio->registered = doctor_exists(d, "/sys/bus/pci/drivers/vfio-pci");
	vfio->no_modules = doctor_read_number(d, 0, "/proc/sys/kernel/modules_disabled") == 1 ||
		doctor_kernel_word(d, "nomodule", NULL);
	(void)doctor_read(d, vfio->release, sizeof(vfio->release), "/proc/sys/kernel/osrelease");
}

static void judge_vfio(
	const struct doctor *d,
	const struct vfio *vfio,
	struct doctor_result *result
)
{
	doctor_detail(
		result,
		"vfio %s, vfio_iommu_type1 %s, vfio-pci %s",
		doctor_feature_name(vfio->core),
		doctor_feature_name(vfio->type1),
		doctor_feature_name(vfio->bus)
	);
	if (vfio->registered) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"vfio-pci is %s",
			vfio->bus == FEATURE_BUILT_IN ? "built in" : "loaded"
		);
		return;
	}
	if (vfio->bus == FEATURE_UNKNOWN) {
		doctor_saw(
			result,
			DOCTOR_UNKNOWN,
			"vfio-pci is not loaded, and nothing tells whether this kernel has it"
		);
		doctor_advise(result, "try it:");
		doctor_command(result, "modprobe vfio-pci");
		return;
	}
	if (vfio->bus != FEATURE_LOADABLE || vfio->no_modules) {
		doctor_saw(
			result,
			pci_lack(d),
			"%s",
			vfio->bus == FEATURE_LOADABLE
				? "vfio-pci is not loaded, and this kernel loads no modules"
				: "this kernel has no vfio-pci"
		);
		doctor_advise(
			result,
			"boot a kernel with CONFIG_VFIO_PCI, or install its modules for %s; functions with attachment vf need it, sockets do not",
			vfio->release
		);
		return;
	}
	doctor_saw(
		result, DOCTOR_NOTE, "vfio-pci can be loaded; ringwayd does that when it is needed"
	);
	doctor_advise(result, "load it now, and at every boot:");
	doctor_command(
		result, "modprobe vfio-pci && echo vfio-pci > /etc/modules-load.d/vfio-pci.conf"
	);
}

static void check_vfio(const struct doctor *d, struct doctor_result *result)
{
	struct vfio vfio = {0};
	read_vfio(d, &vfio);
	judge_vfio(d, &vfio, result);
}

struct nodes {
	bool control; // /dev/vfio/vfio
	struct stat control_stat;
	size_t groups, refused, open_to_all;
	char open_name[64];
};

static void read_nodes(const struct doctor *d, struct nodes *nodes, struct doctor_result *result)
{
	_cleanup_strv_ struct strv names = {0};
	(void)doctor_list(d, &names, "/dev/vfio"); // Not there: no node.
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;
		const char *name = names.items[i];
		if (doctor_stat(d, &st, "/dev/vfio/%s", name) || S_ISDIR(st.st_mode))
			continue;
		doctor_detail(
			result,
			"/dev/vfio/%s: user %u, group %u, mode %04o%s",
			name,
			st.st_uid,
			st.st_gid,
			st.st_mode & 07777,
			doctor_may(d, &st, 6) ? "" : ", not for this user"
		);
		if (strcmp(name, "vfio") == 0) {
			nodes->control = true;
			nodes->control_stat = st;
			continue;
		}
		nodes->groups++;
		nodes->refused += !doctor_may(d, &st, 6);
		if (st.st_mode & 06) {
			nodes->open_to_all++;
			(void)snprintf(nodes->open_name, sizeof(nodes->open_name), "%s", name);
		}
	}
}

static void judge_nodes_inside(
	const struct doctor *d,
	const struct nodes *nodes,
	struct doctor_result *result
)
{
	if (!nodes->control && nodes->groups == 0) {
		doctor_saw(
			result,
			doctor_lack(d, DOCTOR_SRIOV),
			"no device is given; sockets need none"
		);
		if (d->uses & DOCTOR_SRIOV)
			doctor_advise(
				result,
				"on the host: ringway run with a network of functions gives /dev/vfio/vfio and the function's group"
			);
		return;
	}
	if (nodes->control && nodes->groups && !nodes->refused &&
	    doctor_may(d, &nodes->control_stat, 6)) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"%zu function group%s for user %u",
			nodes->groups,
			nodes->groups == 1 ? "" : "s",
			d->process.uid
		);
		return;
	}
	if (!nodes->control || nodes->groups == 0)
		doctor_saw(
			result,
			doctor_lack(d, DOCTOR_SRIOV),
			"%s is missing",
			nodes->control ? "the function's group" : "/dev/vfio/vfio"
		);
	else
		doctor_saw(
			result,
			doctor_lack(d, DOCTOR_SRIOV),
			"user %u may not open what was given",
			d->process.uid
		);
	doctor_advise(
		result,
		"let ringway run give the devices: it makes them the container's user's; by hand, on the host, before the start:"
	);
	doctor_command(
		result,
		"chown %u /dev/vfio/GROUP && docker run --device /dev/vfio/vfio --device /dev/vfio/GROUP --user %u ..",
		d->process.uid,
		d->process.uid
	);
}

static void judge_nodes(
	const struct doctor *d,
	const struct nodes *nodes,
	struct doctor_result *result
)
{
	if (d->inside) {
		judge_nodes_inside(d, nodes, result);
		return;
	}
	if (!nodes->control) {
		doctor_saw(result, DOCTOR_NOTE, "no /dev/vfio/vfio: it comes with the module vfio");
		return;
	}
	// The control node gives nothing away by itself (kernel's vfio.rst): 0666 is what udev sets.
	if ((nodes->control_stat.st_mode & 0666) != 0666) {
		doctor_saw(
			result,
			d->uses & DOCTOR_SRIOV ? DOCTOR_WARNING : DOCTOR_NOTE,
			"/dev/vfio/vfio has mode %04o: containers that are not root's cannot open it",
			nodes->control_stat.st_mode & 07777
		);
		doctor_advise(result, "it gives nothing away without a group:");
		doctor_command(result, "chmod 0666 /dev/vfio/vfio");
	}
	if (nodes->open_to_all) {
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"%zu group%s may be opened by everybody",
			nodes->open_to_all,
			nodes->open_to_all == 1 ? "" : "s"
		);
		doctor_advise(
			result, "a group is a device with its DMA: only its user should have it:"
		);
		doctor_command(result, "chmod 0600 /dev/vfio/%s", nodes->open_name);
	}
	doctor_saw(result, DOCTOR_OK, "%zu group%s", nodes->groups, nodes->groups == 1 ? "" : "s");
}

static void check_nodes(const struct doctor *d, struct doctor_result *result)
{
	struct nodes nodes = {0};
	read_nodes(d, &nodes, result);
	judge_nodes(d, &nodes, result);
}

const struct doctor_check doctor_vfio_checks[] = {
	{"iommu",
	 "an IOMMU, for devices that a process drives",
	 true,
	 false,
	 DOCTOR_ALL,
	 check_iommu},
	{"vfio",
	 "the kernel's modules that hand devices to processes",
	 true,
	 false,
	 DOCTOR_ALL,
	 check_vfio},
	{"vfio-devices",
	 "owner and mode of what is below /dev/vfio",
	 true,
	 true,
	 PCI_USES,
	 check_nodes},
	{0},
};
