// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases: requests of the specification that this back end does not speak, with the worst that has been sent in them.
#include "tests/hostile/hostile.h"

#include <stdint.h>

// "Front-end message types"
#define SET_LOG_BASE 6
#define SET_LOG_FD 7
#define SET_BACKEND_REQ_FD 21
#define IOTLB_MSG 22
#define SET_VRING_ENDIAN 23
#define GET_CONFIG 24
#define SET_CONFIG 25
#define CREATE_CRYPTO_SESSION 26
#define CLOSE_CRYPTO_SESSION 27
#define POSTCOPY_ADVISE 28
#define POSTCOPY_LISTEN 29
#define POSTCOPY_END 30
#define GET_INFLIGHT_FD 31
#define SET_INFLIGHT_FD 32
#define GPU_SET_SOCKET 33
#define SET_STATUS 39
#define GET_SHARED_OBJECT 41
#define SET_DEVICE_STATE_FD 42

// "Inflight description"
struct inflight {
	uint64_t mmap_size;
	uint64_t mmap_offset;
	uint16_t queue_count;
	uint16_t queue_size;
	uint32_t padding;
};

// With 32 bytes of the largest values that a field may have, and a descriptor.
static int send_unknown(struct play *play, uint32_t request)
{
	uint64_t body[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	int r = play_start(play, NULL);
	if (r)
		return r;
	int fd = play->front->region[0].fd;
	return front_request_fd(play->front, request, body, sizeof(body), fd);
}

static int send_inflight(struct play *play, uint32_t request, const struct inflight *inflight)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	int fd = request == SET_INFLIGHT_FD ? play->front->region[0].fd : -1;
	return front_request_fd(play->front, request, inflight, sizeof(*inflight), fd);
}

static int play_inflight_get(struct play *play)
{
	struct inflight inflight = {.queue_count = UINT16_MAX, .queue_size = UINT16_MAX};
	return send_inflight(play, GET_INFLIGHT_FD, &inflight);
}

static int play_inflight_set(struct play *play)
{
	struct inflight inflight = {
		.mmap_size = UINT64_MAX,
		.mmap_offset = 4096,
		.queue_count = UINT16_MAX,
		.queue_size = UINT16_MAX,
	};
	return send_inflight(play, SET_INFLIGHT_FD, &inflight);
}

// SET_VRING_ADDR that asks for a log of dirty pages, which nobody has.
static int play_log_wanted(struct play *play)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, TX);
	addr.flags = 1;
	addr.log = UINT64_MAX;
	return front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
}

// Known, but nobody agreed on it.
static int play_not_negotiated(struct play *play)
{
	struct front_config config = {.protocol_features = PROTOCOL_REPLY_ACK};
	int r = play_start(play, &config);
	return r ? r : front_request(play->front, MESSAGE_GET_QUEUE_NUM, NULL, 0);
}

#define UNKNOWN(function, request)                    \
	static int function(struct play *play)        \
	{                                             \
		return send_unknown(play, (request)); \
	}

UNKNOWN(play_log_base, SET_LOG_BASE)
UNKNOWN(play_log_fd, SET_LOG_FD)
UNKNOWN(play_backend_fd, SET_BACKEND_REQ_FD)
UNKNOWN(play_iotlb, IOTLB_MSG)
UNKNOWN(play_endian, SET_VRING_ENDIAN)
UNKNOWN(play_config_get, GET_CONFIG)
UNKNOWN(play_config_set, SET_CONFIG)
UNKNOWN(play_crypto, CREATE_CRYPTO_SESSION)
UNKNOWN(play_crypto_close, CLOSE_CRYPTO_SESSION)
UNKNOWN(play_postcopy_advise, POSTCOPY_ADVISE)
UNKNOWN(play_postcopy_listen, POSTCOPY_LISTEN)
UNKNOWN(play_postcopy_end, POSTCOPY_END)
UNKNOWN(play_gpu, GPU_SET_SOCKET)
UNKNOWN(play_status, SET_STATUS)
UNKNOWN(play_shared_object, GET_SHARED_OBJECT)
UNKNOWN(play_device_state, SET_DEVICE_STATE_FD)

#define NOT_KNOWN QUARANTINED("not known")

// A case a row.
// clang-format off
const struct hostile_case unknown_cases[] = {
	{22, "log-base", "SET_LOG_BASE with size and offset 2^64-1", play_log_base,
	 .split = NOT_KNOWN},
	{22, "log-fd", "SET_LOG_FD", play_log_fd,
	 .split = NOT_KNOWN},
	{22, "log-wanted", "a ring that is to be logged at 2^64-1", play_log_wanted,
	 .split = QUARANTINED("wants logging"), .packed = QUARANTINED("wants logging")},
	{23, "inflight-get", "GET_INFLIGHT_FD of 65535 queues of 65535", play_inflight_get,
	 .split = NOT_KNOWN},
	{24, "inflight-set", "SET_INFLIGHT_FD of 2^64-1 bytes", play_inflight_set,
	 .split = NOT_KNOWN},
	{26, "iotlb", "an IOTLB message", play_iotlb,
	 .split = NOT_KNOWN},
	{26, "config-get", "GET_CONFIG", play_config_get,
	 .split = NOT_KNOWN},
	{26, "config-set", "SET_CONFIG", play_config_set,
	 .split = NOT_KNOWN},
	{26, "crypto", "CREATE_CRYPTO_SESSION", play_crypto,
	 .split = NOT_KNOWN},
	{26, "crypto-close", "CLOSE_CRYPTO_SESSION", play_crypto_close,
	 .split = NOT_KNOWN},
	{26, "postcopy-advise", "POSTCOPY_ADVISE", play_postcopy_advise,
	 .split = NOT_KNOWN},
	{26, "postcopy-listen", "POSTCOPY_LISTEN", play_postcopy_listen,
	 .split = NOT_KNOWN},
	{26, "postcopy-end", "POSTCOPY_END", play_postcopy_end,
	 .split = NOT_KNOWN},
	{26, "backend-fd", "SET_BACKEND_REQ_FD with a file", play_backend_fd,
	 .split = NOT_KNOWN},
	{26, "endian", "SET_VRING_ENDIAN", play_endian,
	 .split = NOT_KNOWN},
	{26, "gpu", "GPU_SET_SOCKET", play_gpu,
	 .split = NOT_KNOWN},
	{26, "status", "SET_STATUS", play_status,
	 .split = NOT_KNOWN},
	{26, "shared-object", "GET_SHARED_OBJECT", play_shared_object,
	 .split = NOT_KNOWN},
	{26, "device-state", "SET_DEVICE_STATE_FD", play_device_state,
	 .split = NOT_KNOWN},
	{26, "not-negotiated", "GET_QUEUE_NUM without its feature", play_not_negotiated,
	 .split = QUARANTINED("not negotiated")},
	{0},
};
// clang-format on
