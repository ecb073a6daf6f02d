/* SPDX-License-Identifier: Apache-2.0 */
/* The exception path: a multi-queue TAP. See exception.h. */
#include "dataplane/exception.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
queue_open(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

/* MAC before MTU before up: some of it is refused on an interface that runs. */
static int
interface_configure(const char *name, const uint8_t mac[6], unsigned mtu)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	struct ifreq r = {0};
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, mac, 6);
	int err = ioctl(s, SIOCSIFHWADDR, &r) == 0 ? 0 : -errno;
	r.ifr_mtu = (int)mtu;
	if (err == 0 && ioctl(s, SIOCSIFMTU, &r) != 0)
		err = -errno;
	if (err == 0 && ioctl(s, SIOCGIFFLAGS, &r) != 0)
		err = -errno;
	r.ifr_flags |= IFF_UP;
	if (err == 0 && ioctl(s, SIOCSIFFLAGS, &r) != 0)
		err = -errno;
	close(s);
	return err;
}

int
exception_open(const char *name, const uint8_t mac[6], unsigned mtu, unsigned n, int *fds, struct diag_list *diag)
{
	unsigned opened = 0;
	int err = 0;
	while (err == 0 && opened < n) {
		int fd = queue_open(name);
		if (fd < 0)
			err = fd;
		else
			fds[opened++] = fd;
	}
	if (err == 0)
		err = interface_configure(name, mac, mtu);
	if (err == 0)
		return 0;
	exception_close(fds, opened);
	const char *cure = "";
	if (err == -ENOENT || err == -ENODEV)
		cure = "; `modprobe tun` makes /dev/net/tun";
	else if (err == -EPERM)
		cure = "; it needs root or CAP_NET_ADMIN";
	else if (err == -EBUSY || err == -EINVAL)
		cure = "; an interface of that name belongs to somebody else (`ip link delete` removes it)";
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "exception path: TAP %s: %s%s", name, strerror(-err), cure);
	return err;
}

void
exception_close(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

bool
exception_send(int fd, const uint8_t *frame, size_t len)
{
	return write(fd, frame, len) == (ssize_t)len;
}

size_t
exception_receive(int fd, uint8_t *frame, size_t cap)
{
	ssize_t n = read(fd, frame, cap);
	return n > 0 ? (size_t)n : 0;
}
