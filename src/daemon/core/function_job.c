// SPDX-License-Identifier: BSD-3-Clause
// Taking a function from the host and giving it back, step by step. The thread of function_thread.c, without the service's lock.
//
// ringwayd may be killed between any two of these steps. What makes that safe:
//   1. The row says TAKING, in the transaction that inserts the port, before anything is done.
//   2. note: the function is in nobody's use; what the host has it as is read and written to the row. Nothing has been changed
//      until that is on disk, so a start that finds TAKING without a note has nothing to undo.
//   3. take: attributes, then the driver, then the node or the interface. Each may be half done.
//   4. The row says TAKEN; then the port's says `ready`. A start that finds TAKING, or TAKEN and a port that is not `ready`,
//      makes it RETURNING: a taken function is some port's, or on its way back.
//   5. The row says RETURNING, in the transaction that makes the port `removing`.
//   6. return: off its driver, attributes as noted, reset, its former driver, its interface's former name. It is compared with what
//      is there now, so that it may begin anew wherever the one before ended, a TAKING that was half done included.
//   7. Only then the row says FREE: nobody gets it before it was reset, and nothing is reset after somebody got it.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INTERFACE_WAIT_MS 5000

// What differs of `want` from what is so now; the rest is left as it is, so that no driver is asked for what it has, or cannot.
static struct function_attributes difference(
	const struct function_attributes *want,
	const struct function_attributes *now
)
{
	struct function_attributes diff = FUNCTION_ATTRIBUTES_KEEP;
	if (!mac_is_zero(want->mac) && memcmp(want->mac, now->mac, MAC_SIZE) != 0)
		(void)memcpy(diff.mac, want->mac, MAC_SIZE);
	diff.mac_none = want->mac_none && !mac_is_zero(now->mac);
	if (want->vlan >= 0 && want->vlan != now->vlan)
		diff.vlan = want->vlan;
	if (want->spoof_check >= 0 && want->spoof_check != now->spoof_check)
		diff.spoof_check = want->spoof_check;
	if (want->trust >= 0 && want->trust != now->trust)
		diff.trust = want->trust;
	if (want->link_state >= 0 && want->link_state != now->link_state)
		diff.link_state = want->link_state;
	if (want->rate_min >= 0 && want->rate_min != now->rate_min)
		diff.rate_min = want->rate_min;
	if (want->rate_max >= 0 && want->rate_max != now->rate_max)
		diff.rate_max = want->rate_max;
	return diff;
}

static bool is_none(const struct function_attributes *a)
{
	return mac_is_zero(a->mac) && !a->mac_none && a->vlan < 0 && a->spoof_check < 0 &&
		a->trust < 0 && a->link_state < 0 && a->rate_min < 0 && a->rate_max < 0;
}

static int get_attributes(
	struct function_job *job,
	struct function_attributes *ret,
	struct rwy_err *err
)
{
	static const struct function_attributes unknown = FUNCTION_ATTRIBUTES_KEEP;
	*ret = unknown;
	return functions_get_attributes(job->pci, job->row.address, ret, NULL, err);
}

static int set_attributes(
	struct function_job *job,
	const struct function_attributes *want,
	struct rwy_err *err
)
{
	struct function_attributes now;
	if (!job->info.is_virtual || is_none(want))
		return 0;
	int r = get_attributes(job, &now, err);
	if (r)
		return r;
	struct function_attributes diff = difference(want, &now);
	return is_none(&diff) ? 0
			      : functions_set_attributes(job->pci, job->row.address, &diff, err);
}

// What an uplink sends is from all addresses of its network. Not every driver has these; some frames may not pass then.
static void open_for_many(struct function_job *job)
{
	struct function_attributes spoof = FUNCTION_ATTRIBUTES_KEEP;
	struct function_attributes trust = FUNCTION_ATTRIBUTES_KEEP;
	struct rwy_err err = {0};
	spoof.spoof_check = 0;
	trust.trust = 1;
	if (set_attributes(job, &spoof, &err))
		log_err(&err, "function %s may not send what comes from others", job->row.address);
	if (set_attributes(job, &trust, &err))
		log_err(&err, "function %s may not receive all", job->row.address);
}

int function_job_note(struct function_job *job, struct rwy_err *err)
{
	struct store_function *row = &job->row;
	int r = functions_check_free(job->pci, row->address, job->vfio, job->noiommu, err);
	if (!r)
		r = functions_get(job->pci, row->address, &job->info, err);
	if (r)
		return r;
	const struct function_info *info = &job->info;
	struct rwy_err why = {0};
	(void)memcpy(row->driver, info->driver, sizeof(row->driver));
	(void)memcpy(row->interface, info->interface, sizeof(row->interface));
	row->overridden = info->overridden;
	struct function_attributes before = FUNCTION_ATTRIBUTES_KEEP;
	// Without the parent's interface nothing of it can be changed either.
	r = info->is_virtual ? get_attributes(job, &before, &why) : 0;
	if (r && !is_none(&job->want)) {
		if (err)
			*err = why;
		return r;
	}
	before.mac_none = info->is_virtual && !r && mac_is_zero(before.mac);
	row->before = before;
	row->noted = true;
	return 0;
}

static int take_for_vfio(struct function_job *job, struct rwy_err *err)
{
	const char *address = job->row.address;
	int r = functions_bind(job->pci, address, FUNCTION_VFIO, err);
	if (!r)
		r = functions_vfio_path(job->pci, address, job->vfio_path, err);
	if (!r)
		r = functions_vfio_own(job->pci, address, job->uid, job->uid ? (gid_t)-1 : 0, err);
	return r;
}

// The driver takes its MAC when it is bound.
static int bind_kernel(struct function_job *job, struct rwy_err *err)
{
	const char *address = job->row.address;
	int r = functions_unbind(job->pci, address, err);
	if (!r)
		r = functions_bind(job->pci, address, NULL, err);
	if (!r)
		r = functions_interface(job->pci, address, INTERFACE_WAIT_MS, job->interface, err);
	return r;
}

static int take_for_kernel(struct function_job *job, struct rwy_err *err)
{
	int r = bind_kernel(job, err);
	if (!r)
		r = functions_interface_prepare(
			job->pci, job->interface, job->want.mac, job->mtu, err
		);
	if (!r)
		r = functions_get(job->pci, job->row.address, &job->info, err);
	if (r || job->inside.netns_fd < 0)
		return r;
	r = functions_interface_place(job->pci, job->interface, &job->inside, err);
	if (!r && job->info.rdma[0] && functions_rdma_mode(job->pci) == FUNCTION_RDMA_EXCLUSIVE)
		r = functions_rdma_place(job->pci, job->info.rdma, job->inside.netns_fd, err);
	return r;
}

int function_job_take(struct function_job *job, struct rwy_err *err)
{
	int r = functions_get(job->pci, job->row.address, &job->info, err);
	if (!r && job->uplink)
		open_for_many(job);
	else if (!r)
		r = set_attributes(job, &job->want, err);
	if (r)
		return r;
	r = job->vfio ? take_for_vfio(job, err) : take_for_kernel(job, err);
	return r ? r : functions_get(job->pci, job->row.address, &job->info, err);
}

// Nobody has it any more. Its node is not the former owner's from the first moment on.
static int check_closed(struct function_job *job, struct rwy_err *err)
{
	const char *address = job->row.address;
	if (strcmp(job->info.driver, FUNCTION_VFIO) != 0)
		return 0;
	// A node that is not there needs no other owner.
	(void)functions_vfio_own(job->pci, address, 0, 0, NULL);
	if (!functions_vfio_is_open(job->pci, address))
		return 0;
	return err_set(err, -EBUSY, "a process has %s open by VFIO", address);
}

static int reset(struct function_job *job, struct rwy_err *err)
{
	int r = functions_reset(job->pci, job->row.address, err);
	if (r != -ENOTSUP)
		return r;
	// Its driver does what can be done when it is bound anew.
	log_info("function %s cannot be reset: its driver begins anew", job->row.address);
	return 0;
}

static int bind_as_before(struct function_job *job, struct rwy_err *err)
{
	const struct store_function *row = &job->row;
	if (!row->driver[0])
		return 0;
	// A driver that the kernel chooses leaves no override behind.
	int r = row->overridden ? -ENODEV : functions_bind(job->pci, row->address, NULL, err);
	if (!r)
		r = functions_get(job->pci, row->address, &job->info, err);
	if (r || strcmp(job->info.driver, row->driver) != 0)
		r = functions_bind(job->pci, row->address, row->driver, err);
	if (!r && strcmp(row->driver, FUNCTION_VFIO) == 0)
		(void
		)functions_vfio_own(job->pci, row->address, 0, 0, NULL); // It is, if it is new.
	return r;
}

static int rename_as_before(struct function_job *job, struct rwy_err *err)
{
	const struct store_function *row = &job->row;
	char name[FUNCTION_IFNAME_SIZE];
	if (!row->interface[0])
		return 0;
	int r = functions_interface(job->pci, row->address, INTERFACE_WAIT_MS, name, err);
	if (r || strcmp(name, row->interface) == 0)
		return r;
	return functions_interface_rename(job->pci, name, row->interface, err);
}

int function_job_return(struct function_job *job, struct rwy_err *err)
{
	const char *address = job->row.address;
	if (!job->row.noted)
		return 0; // Nothing was done.
	int r = functions_get(job->pci, address, &job->info, err);
	if (!r)
		r = check_closed(job, err);
	if (!r)
		r = functions_unbind(job->pci, address, err);
	if (!r)
		r = set_attributes(job, &job->row.before, err);
	if (!r)
		r = reset(job, err);
	if (!r)
		r = bind_as_before(job, err);
	if (!r)
		r = rename_as_before(job, err);
	return r;
}

int function_job_check(struct function_job *job, struct rwy_err *err)
{
	struct function_attributes now;
	int r = functions_get(job->pci, job->row.address, &job->info, err);
	if (r)
		return r;
	bool vfio = strcmp(job->info.driver, FUNCTION_VFIO) == 0;
	if (!job->info.driver[0] || vfio != job->vfio)
		return err_set(err, -ESTALE, "%s is not bound as it was", job->row.address);
	if (job->vfio)
		(void)functions_vfio_path(job->pci, job->row.address, job->vfio_path, NULL);
	if (!job->whole || job->uplink || !job->info.is_virtual || is_none(&job->want))
		return 0;
	r = get_attributes(job, &now, err);
	if (r)
		return r;
	struct function_attributes diff = difference(&job->want, &now);
	if (is_none(&diff))
		return 0;
	return err_set(err, -ESTALE, "%s is not held to what it was", job->row.address);
}
