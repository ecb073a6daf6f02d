/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and removing the XDP filter. See xdp.h. */
#include "dataplane/xdp.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dataplane/xdp_filter.h"

#define MAPS_MAX 8

/* The BPF objects, byte by byte; written by the build. */
static const unsigned char queries_object[] = {
#include "xdp_filter.inc"
};
static const unsigned char replies_object[] = {
#include "xdp_filter_replies.inc"
};

struct xdp_filter {
	char device[IF_NAMESIZE];
	unsigned ifindex;
	int object_fd; /* memfd with the object, or -1 */
	int link_fd;   /* what keeps the program attached, or -1 */
	char path[64];
};

struct program {
	int fd;
	struct bpf_prog_info info;
	__u32 map_ids[MAPS_MAX];
};

/* The program that is on the interface: 0 with out->fd open, -ENOENT if there is none, -errno. */
static int
program_find(unsigned ifindex, struct program *out)
{
	__u32 id = 0, len = sizeof(out->info);
	*out = (struct program){.fd = -1};
	int err = bpf_xdp_query_id((int)ifindex, 0, &id);
	if (err != 0)
		return err;
	if (id == 0)
		return -ENOENT;
	int fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	out->info.nr_map_ids = MAPS_MAX;
	out->info.map_ids = (uintptr_t)out->map_ids;
	if (bpf_obj_get_info_by_fd(fd, &out->info, &len) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	out->fd = fd;
	return 0;
}

/* Whatever was attached by a link is still in use by its process, and the kernel refuses to detach it. */
static int
leftover_remove(const struct xdp_filter *f, struct diag_list *diag)
{
	struct program p;
	int err = program_find(f->ifindex, &p);
	if (err == -ENOENT)
		return 0;
	if (err != 0) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "port %s: cannot see its XDP programs: %s; this needs root or CAP_NET_ADMIN and CAP_BPF",
			 f->device, strerror(-err));
		return err;
	}
	close(p.fd);
	bool ours = strcmp(p.info.name, XDP_FILTER_PROGRAM) == 0;
	if (ours && bpf_xdp_detach((int)f->ifindex, 0, NULL) == 0)
		return 0;
	if (ours)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: another anserd or anserblast runs on it",
			 f->device);
	else
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "port %s: there is already an XDP program on it (`%s`, id %u); if nobody needs that one, "
			 "`ip link set dev %s xdp off` removes it",
			 f->device, p.info.name, p.info.id, f->device);
	return -EBUSY;
}

static int
object_write(struct xdp_filter *f, enum xdp_filter_takes takes)
{
	const unsigned char *object = takes == XDP_FILTER_QUERIES ? queries_object : replies_object;
	size_t len = takes == XDP_FILTER_QUERIES ? sizeof(queries_object) : sizeof(replies_object);
	f->object_fd = memfd_create("xdp_filter", MFD_CLOEXEC);
	if (f->object_fd < 0)
		return -errno;
	if (write(f->object_fd, object, len) != (ssize_t)len)
		return -EIO;
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->object_fd);
	return 0;
}

int
xdp_filter_open(const char *device, enum xdp_filter_takes takes, struct diag_list *diag, struct xdp_filter **out)
{
	struct xdp_filter *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	f->object_fd = f->link_fd = -1;
	snprintf(f->device, sizeof(f->device), "%s", device);
	f->ifindex = if_nametoindex(device);
	int err = f->ifindex == 0 ? -ENODEV : 0;
	if (err != 0)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: there is no such interface", device);
	if (err == 0)
		err = leftover_remove(f, diag);
	if (err == 0) {
		err = object_write(f, takes);
		if (err != 0)
			diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: XDP filter: %s", device, strerror(-err));
	}
	if (err != 0) {
		xdp_filter_close(f);
		return err;
	}
	*out = f;
	return 0;
}

const char *
xdp_filter_path(const struct xdp_filter *f)
{
	return f->path;
}

static struct xdp_filter_service
service_key(const struct sockaddr_storage *address)
{
	struct xdp_filter_service key = {.is_v6 = address->ss_family == AF_INET6};
	if (key.is_v6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)address;
		memcpy(key.address, &a->sin6_addr, 16);
		key.port_be = a->sin6_port;
	} else {
		const struct sockaddr_in *a = (const struct sockaddr_in *)address;
		memcpy(key.address, &a->sin_addr, 4);
		key.port_be = a->sin_port;
	}
	return key;
}

/* A descriptor of the program's map `services`, or -errno. */
static int
services_map(const struct program *p)
{
	for (unsigned i = 0; i < p->info.nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info info = {0};
		__u32 len = sizeof(info);
		int fd = bpf_map_get_fd_by_id(p->map_ids[i]);
		if (fd < 0)
			return -errno;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, "services") == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int
services_fill(const struct program *p, const struct sockaddr_storage *services, unsigned n)
{
	int fd = services_map(p), err = fd < 0 ? fd : 0;
	for (unsigned i = 0; err == 0 && i < n; i++) {
		struct xdp_filter_service key = service_key(&services[i]);
		__u8 value = 1;
		if (bpf_map_update_elem(fd, &key, &value, BPF_ANY) != 0)
			err = -errno;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* For a moment between detaching and linking the interface has no filter: packets then go to the kernel. */
static int
program_link(struct xdp_filter *f, const struct program *p)
{
	int err = bpf_xdp_detach((int)f->ifindex, 0, NULL);
	if (err != 0)
		return err;
	f->link_fd = bpf_link_create(p->fd, (int)f->ifindex, BPF_XDP, NULL);
	return f->link_fd < 0 ? -errno : 0;
}

int
xdp_filter_adopt(struct xdp_filter *f, const struct sockaddr_storage *services, unsigned n, struct diag_list *diag)
{
	struct program p;
	int err = program_find(f->ifindex, &p);
	if (err == 0 && strcmp(p.info.name, XDP_FILTER_PROGRAM) != 0)
		err = -EBUSY;
	if (err == 0)
		err = services_fill(&p, services, n);
	if (err == 0)
		err = program_link(f, &p);
	if (p.fd >= 0)
		close(p.fd);
	close(f->object_fd);
	f->object_fd = -1;
	if (err != 0)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "port %s: XDP filter: %s", f->device, strerror(-err));
	return err;
}

void
xdp_filter_close(struct xdp_filter *f)
{
	if (f == NULL)
		return;
	if (f->object_fd >= 0)
		close(f->object_fd);
	if (f->link_fd >= 0)
		close(f->link_fd);
	free(f);
}
