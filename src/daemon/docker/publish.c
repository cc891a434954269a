// SPDX-License-Identifier: BSD-3-Clause
// The driver's calls about published ports. The engine makes them for one endpoint of a container, the one whose
// gateway it uses, after Join, and takes them back before Leave. Plugin server's threads, under the service lock.
#include "daemon/docker/internal.h"

#include <errno.h>
#include <string.h>

static int check_network(struct docker *docker, const struct port_info *port, struct rwy_err *err)
{
	struct network_info network;
	if (driver_is_function(port)) {
		err_set(err,
			-EINVAL,
			"cannot publish ports of '%s': the frames of a NIC's function do not pass the host",
			port->spec.name);
		return err_hint(err, "publish on a network of ordinary interfaces");
	}
	int r = service_network_get(docker->daemon, port->spec.network, &network, err);
	if (r || !network.spec.no_gateway)
		return r;
	err_set(err,
		-EINVAL,
		"cannot publish ports of '%s': network '%s' has no gateway port",
		port->spec.name,
		network.spec.name);
	return err_hint(err, "it was made with ringway.gateway=off: publish on another network");
}

static int publish(
	struct docker *docker,
	const char *endpoint_id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	struct port_info port;
	service_lock(docker->daemon);
	int r = service_port_by_endpoint(docker->daemon, endpoint_id, &port, err);
	if (r)
		err_prefix(err, "cannot publish ports: ");
	// Nobody reaches a socket, or a network without a way out, from outside.
	bool takes = !r && driver_is_interface(&port) && !port.internal;
	if (takes && count)
		r = check_network(docker, &port, err);
	if (takes && !r && driver_is_kernel(&port))
		r = service_port_publish(docker->daemon, port.id, list, count, err);
	service_unlock(docker->daemon);
	return r;
}

int publish_on_program(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct driver_ids ids;
	struct port_publish list[PUBLISH_MAX];
	size_t count = 0;
	int r = driver_parse_ids(request->body, DRIVER_IDS_ENDPOINT, &ids, err);
	if (!r) {
		r = driver_parse_portmap(request->body, list, PUBLISH_MAX, &count, err);
		if (r)
			err_prefix(err, "cannot publish ports: ");
	}
	if (!r && count)
		r = publish(ctx, ids.endpoint_id, list, count, err);
	return r ? driver_refuse(r, "ProgramExternalConnectivity", err) : 200;
}

int publish_on_revoke(
	void *ctx,
	const struct http_request *request,
	json_t *reply,
	struct rwy_err *err
)
{
	struct driver_ids ids;
	int r = driver_parse_ids(request->body, DRIVER_IDS_ENDPOINT, &ids, err);
	if (!r)
		r = publish(ctx, ids.endpoint_id, NULL, 0, err);
	if (r == -ENOENT)
		return 200; // Collected before: its ports went with it.
	return r ? driver_refuse(r, "RevokeExternalConnectivity", err) : 200;
}
