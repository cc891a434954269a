// SPDX-License-Identifier: BSD-3-Clause
// What each vhost-user message does. Called by the connection after the table's checks, with the
// rings of the rule's scope suspended. Control thread.
#pragma once

#include "vhost/table.h"

// Protocol features that a front end may accept.
#define PROTOCOL_OFFERED                                                       \
	(PROTOCOL_MQ | PROTOCOL_RARP | PROTOCOL_REPLY_ACK | PROTOCOL_NET_MTU | \
	 PROTOCOL_RESET_DEVICE | PROTOCOL_CONFIGURE_MEM_SLOTS)

rule_handler handle_get_features;
rule_handler handle_set_features;
rule_handler handle_set_owner;
rule_handler handle_reset_owner;
rule_handler handle_set_mem_table;
rule_handler handle_set_vring_num;
rule_handler handle_set_vring_addr;
rule_handler handle_set_vring_base;
rule_handler handle_get_vring_base;
rule_handler handle_set_vring_kick;
rule_handler handle_set_vring_call;
rule_handler handle_set_vring_err;
rule_handler handle_get_protocol_features;
rule_handler handle_set_protocol_features;
rule_handler handle_get_queue_num;
rule_handler handle_set_vring_enable;
rule_handler handle_send_rarp;
rule_handler handle_net_set_mtu;
rule_handler handle_reset_device;
rule_handler handle_get_max_mem_slots;
rule_handler handle_add_mem_reg;
rule_handler handle_rem_mem_reg;
