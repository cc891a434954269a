// SPDX-License-Identifier: BSD-3-Clause
// Reads the published ports of a driver call: Docker's `-p` and `-P`, one entry for each port of the container. Exposed
// ports are in a member of their own, and publish nothing. Pure; any thread.
#include "daemon/docker/parse.h"
#include "daemon/docker/parse_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define PORTMAP "com.docker.network.portmap"

// A port's number; absent is 0.
static int get_port(json_t *entry, const char *member, uint16_t *ret_port, struct rwy_err *err)
{
	json_t *value = json_object_get(entry, member);
	json_int_t number = json_integer_value(value);
	if ((value && !json_is_integer(value)) || number < 0 || number > UINT16_MAX)
		return err_set(err, -EINVAL, "'%s' of a published port is not a port", member);
	*ret_port = (uint16_t)number;
	return 0;
}

static int get_proto(json_t *entry, uint8_t *ret_proto, struct rwy_err *err)
{
	json_int_t number = json_integer_value(json_object_get(entry, "Proto"));
	if (number != IPPROTO_TCP && number != IPPROTO_UDP && number != IPPROTO_SCTP)
		return err_set(
			err,
			-EINVAL,
			"protocol %lld of a published port is none of TCP, UDP and SCTP",
			(long long)number
		);
	*ret_proto = (uint8_t)number;
	return 0;
}

static int get_host_ip(json_t *entry, struct port_publish *publish, struct rwy_err *err)
{
	struct in6_addr address;
	char *ip = publish->host_ip;
	int r = parse_get_string(entry, "HostIP", ip, sizeof(publish->host_ip), err);
	if (r || !*ip || inet_pton(AF_INET, ip, &address) == 1 ||
	    inet_pton(AF_INET6, ip, &address) == 1)
		return r;
	return err_set(err, -EINVAL, "'%s' of a published port is not an IP address", ip);
}

static int read_entry(json_t *entry, struct port_publish *ret_publish, struct rwy_err *err)
{
	struct port_publish publish = {0};
	if (!json_is_object(entry))
		return err_set(err, -EINVAL, "a published port is not an object");
	int r = get_proto(entry, &publish.proto, err);
	if (!r)
		r = get_port(entry, "Port", &publish.container_port, err);
	if (!r)
		r = get_host_ip(entry, &publish, err);
	if (!r)
		r = get_port(entry, "HostPort", &publish.host_port, err);
	if (!r)
		r = get_port(entry, "HostPortEnd", &publish.host_port_end, err);
	if (!r && !publish.container_port)
		r = err_set(err, -EINVAL, "a published port has no port of the container");
	if (!r && publish.host_port_end && publish.host_port_end < publish.host_port)
		r =
			err_set(err,
				-EINVAL,
				"the host's ports %u to %u of a published port are no range",
				publish.host_port,
				publish.host_port_end);
	if (!r)
		*ret_publish = publish;
	return r;
}

int driver_parse_portmap(
	json_t *body,
	struct port_publish *ret_list,
	size_t max,
	size_t *ret_count,
	struct rwy_err *err
)
{
	json_t *options = NULL, *map = NULL;
	int r = parse_get_object(body, "Options", &options, err);
	if (!r)
		r = parse_get_array(options, PORTMAP, &map, err);
	if (!r && json_array_size(map) > max)
		r =
			err_set(err,
				-EINVAL,
				"%zu published ports; a container can have %zu on a network",
				json_array_size(map),
				max);
	for (size_t i = 0; i < json_array_size(map) && !r; i++)
		r = read_entry(json_array_get(map, i), &ret_list[i], err);
	if (!r)
		*ret_count = json_array_size(map);
	return r;
}
