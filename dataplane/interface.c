/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about a network interface. See interface.h. */
#include "dataplane/interface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
interface_ioctl(const char *name, unsigned long request, struct ifreq *r)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	int err = ioctl(s, request, r) == 0 ? 0 : -errno;
	close(s);
	return err;
}

int
interface_check(const char *name, struct diag_list *diag)
{
	struct ifreq r = {0};
	int err = strlen(name) < IF_NAMESIZE ? interface_ioctl(name, SIOCGIFFLAGS, &r) : -ENODEV;
	if (err != 0) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: %s; `ip link` lists the interfaces", name,
			 err == -ENODEV ? "there is no such interface" : strerror(-err));
		return err;
	}
	if ((r.ifr_flags & IFF_UP) == 0)
		diag_add(diag, DIAG_WARNING, NULL, 0, 0,
			 "port %s: the interface is down; `ip link set %s up` changes that", name, name);
	return 0;
}

struct interface_queues
interface_queues(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq r = {.ifr_data = (void *)&channels};
	if (interface_ioctl(name, SIOCETHTOOL, &r) != 0)
		return (struct interface_queues){.total = 1, .combined = 1};
	unsigned total = channels.combined_count + channels.rx_count;
	unsigned combined = channels.max_combined > 0 ? channels.combined_count : 1;
	return (struct interface_queues){.total = total > 0 ? total : 1, .combined = combined > 0 ? combined : 1};
}
