/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses and sinks. See sockets.h. */
#include "dataplane/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

socklen_t
sockets_address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

bool
sockets_is_wildcard(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return ((const struct sockaddr_in *)address)->sin_addr.s_addr == INADDR_ANY;
}

void
sockets_format(const struct sockaddr_storage *address, char text[SOCKETS_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN] = "?";
	uint16_t port_be;
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof(ip));
		port_be = a->sin6_port;
	} else {
		const struct sockaddr_in *a = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &a->sin_addr, ip, sizeof(ip));
		port_be = a->sin_port;
	}
	snprintf(text, SOCKETS_TEXT_MAX, "%s@%u", ip, ntohs(port_be));
}

void
sockets_report(struct diag_list *diag, const char *what, const struct sockaddr_storage *address, int err)
{
	const char *cure = "";
	if (err == -EADDRINUSE)
		cure = "; another server has this address and port (`ss -lunp` shows which)";
	else if (err == -EADDRNOTAVAIL)
		cure = "; the address is not on this host (`ip address` lists those that are)";
	else if (err == -EACCES)
		cure = "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
	else if (err == -ENOSPC)
		cure = "; no more service addresses than 256 are possible";
	char text[SOCKETS_TEXT_MAX];
	sockets_format(address, text);
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s %s: %s%s", what, text, strerror(-err), cure);
}

/* A filter that keeps 0 octets of every packet: the socket is there, and nothing is ever queued on it. */
static int
sink_configure(int fd, bool v6)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &drop_all};
	int on = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return -errno;
	if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		return -errno;
	int err = v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on))
		     : setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	return err == 0 ? 0 : -errno;
}

int
sockets_open_sink(const struct sockaddr_storage *address, struct diag_list *diag)
{
	bool v6 = address->ss_family == AF_INET6;
	int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : sink_configure(fd, v6);
	if (err == 0 && bind(fd, (const struct sockaddr *)address, sockets_address_len(address)) != 0)
		err = -errno;
	if (err == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	/* Without IPv6 in the kernel there is nobody to say "unreachable", but then nothing can be received either.
	 */
	sockets_report(diag, "listen", address, err);
	return err;
}
