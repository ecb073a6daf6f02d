/* SPDX-License-Identifier: Apache-2.0 */
/* What the XDP filter and its loader agree on. Read by both compilers: plain C and BPF. */
#ifndef ANSER_DATAPLANE_XDP_FILTER_H
#define ANSER_DATAPLANE_XDP_FILTER_H

#include <linux/types.h>

#define XDP_FILTER_PROGRAM "anser_xdp" /* the program's function, by which one of ours is known */
#define XDP_FILTER_SERVICES_MAX 256
#define XDP_FILTER_QUEUES_MAX 256

/* Key of map `services`; the value is one octet without meaning. */
struct xdp_filter_service {
	__u8 address[16]; /* IPv4 in the first 4 octets, the rest zero */
	__u16 port_be;
	__u16 is_v6;
};

#endif
