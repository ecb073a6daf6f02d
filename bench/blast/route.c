/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and neighbours of the kernel, over rtnetlink (rtnetlink(7)). See route.h. */
#include "bench/blast/route.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_TRIES 60
#define WAIT_NS 50000000
#define PORT_DISCARD 9 /* RFC 863 */

/* Request and reply share the buffer. */
union netlink_message {
	struct nlmsghdr head;
	struct {
		struct nlmsghdr head;
		struct rtmsg route;
	} r;
	struct {
		struct nlmsghdr head;
		struct ndmsg neighbour;
	} n;
	uint8_t bytes[4096];
};

/* -------- netlink -------- */

static void
put_attribute(union netlink_message *m, unsigned short type, const void *data, unsigned len)
{
	struct rtattr *a = (struct rtattr *)(m->bytes + NLMSG_ALIGN(m->head.nlmsg_len));
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Sends the request and puts the reply in its place. 0 or -errno. */
static int
netlink_ask(union netlink_message *m)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (s < 0)
		return -errno;
	ssize_t n = send(s, m, m->head.nlmsg_len, 0);
	if (n >= 0)
		n = recv(s, m, sizeof(*m), 0);
	int err = n < 0 ? -errno : 0;
	close(s);
	if (err != 0)
		return err;
	if (!NLMSG_OK(&m->head, (unsigned)n))
		return -EIO;
	if (m->head.nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(&m->head))->error;
	return 0;
}

/* The attribute of a reply whose fixed part has `fixed` octets, if it has at least `len`; or NULL. */
static const void *
find_attribute(const union netlink_message *m, unsigned fixed, unsigned short type, unsigned len)
{
	unsigned at = NLMSG_LENGTH(NLMSG_ALIGN(fixed)), end = m->head.nlmsg_len;
	while (at + sizeof(struct rtattr) <= end && end <= sizeof(*m)) {
		const struct rtattr *a = (const struct rtattr *)(m->bytes + at);
		if (a->rta_len < sizeof(*a) || a->rta_len > end - at)
			return NULL;
		if (a->rta_type == type)
			return a->rta_len >= RTA_LENGTH(len) ? (const uint8_t *)a + RTA_LENGTH(0) : NULL;
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

/* -------- routes -------- */

static const void *
address_of(const struct sockaddr_storage *a, unsigned *len)
{
	bool v6 = a->ss_family == AF_INET6;
	*len = v6 ? 16 : 4;
	return v6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
		  : (const void *)&((const struct sockaddr_in *)a)->sin_addr;
}

int
route_find(const char *device, const struct sockaddr_storage *server, struct diag_list *diag, struct route *out)
{
	unsigned len;
	const void *to = address_of(server, &len);
	uint32_t ifindex = if_nametoindex(device);
	union netlink_message m = {0};
	m.head.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
	m.head.nlmsg_type = RTM_GETROUTE;
	m.head.nlmsg_flags = NLM_F_REQUEST;
	m.r.route.rtm_family = (unsigned char)server->ss_family;
	m.r.route.rtm_dst_len = (unsigned char)(8 * len);
	put_attribute(&m, RTA_DST, to, len);
	put_attribute(&m, RTA_OIF, &ifindex, sizeof(ifindex));
	int err = netlink_ask(&m);
	const void *source = err == 0 ? find_attribute(&m, sizeof(struct rtmsg), RTA_PREFSRC, len) : NULL;
	const void *gateway = err == 0 ? find_attribute(&m, sizeof(struct rtmsg), RTA_GATEWAY, len) : NULL;
	if (err == 0 && source == NULL)
		err = -EADDRNOTAVAIL;
	if (err != 0) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "port %s: the kernel knows no way to the server over it: %s; --source and --gateway tell "
			 "one",
			 device, strerror(-err));
		return err;
	}
	*out = (struct route){0};
	memcpy(out->source, source, len);
	memcpy(out->hop, gateway != NULL ? gateway : to, len);
	return 0;
}

/* -------- neighbours -------- */

/* 0, -ENOENT if the kernel does not know it now, -errno. */
static int
neighbour_find(uint32_t ifindex, int family, const void *address, unsigned len, uint8_t mac[6])
{
	const unsigned known = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
	union netlink_message m = {0};
	m.head.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg));
	m.head.nlmsg_type = RTM_GETNEIGH;
	m.head.nlmsg_flags = NLM_F_REQUEST;
	m.n.neighbour.ndm_family = (uint8_t)family;
	m.n.neighbour.ndm_ifindex = (int)ifindex;
	put_attribute(&m, NDA_DST, address, len);
	int err = netlink_ask(&m);
	if (err != 0)
		return err;
	const void *found = find_attribute(&m, sizeof(struct ndmsg), NDA_LLADDR, 6);
	if (found == NULL || (m.n.neighbour.ndm_state & known) == 0)
		return -ENOENT;
	memcpy(mac, found, 6);
	return 0;
}

/* A datagram that nobody answers makes the kernel ask for the next hop. */
static void
neighbour_provoke(const struct sockaddr_storage *server)
{
	struct sockaddr_storage to = *server;
	if (to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&to)->sin6_port = htons(PORT_DISCARD);
	else
		((struct sockaddr_in *)&to)->sin_port = htons(PORT_DISCARD);
	socklen_t len = to.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int s = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return;
	(void)sendto(s, "", 0, 0, (const struct sockaddr *)&to, len);
	close(s);
}

int
route_find_mac(const char *device, const struct sockaddr_storage *server, const struct route *route,
	       struct diag_list *diag, uint8_t mac[6])
{
	unsigned len = server->ss_family == AF_INET6 ? 16 : 4;
	uint32_t ifindex = if_nametoindex(device);
	int err = neighbour_find(ifindex, server->ss_family, route->hop, len, mac);
	if (err == -ENOENT)
		neighbour_provoke(server);
	for (unsigned i = 0; err == -ENOENT && i < WAIT_TRIES; i++) {
		nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
		err = neighbour_find(ifindex, server->ss_family, route->hop, len, mac);
	}
	if (err != 0)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "port %s: the next hop's MAC is not known: %s; --gateway tells it", device,
			 err == -ENOENT ? "it does not answer" : strerror(-err));
	return err;
}
