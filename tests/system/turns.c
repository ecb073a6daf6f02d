/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the control thread works between two looks at its sockets, and what the process has allocated: loaded
 * before libc (LD_PRELOAD), it stands in front of epoll_wait(). For tests alone.
 *
 * What is measured is processor time of the thread, so that it says something about us on a machine that others
 * use, too. It lies in the file that ANSER_TURNS names: struct turns, which who looks may clear. The process's
 * first thread writes it. Octets allocated are jemalloc's, in its size classes; they are asked for by wants_bytes.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct turns {
	uint64_t longest_ns, count, over_1ms, over_5ms;
	uint64_t wants_bytes, bytes; /* wants_bytes: set by who looks, 0 again when bytes are there */
};

static struct turns *turns;
static uint64_t began_ns;

static uint64_t
cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

__attribute__((constructor)) static void
turns_open(void)
{
	const char *path = getenv("ANSER_TURNS");
	int fd = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
	if (fd < 0 || ftruncate(fd, sizeof(struct turns)) != 0)
		return;
	void *map = mmap(NULL, sizeof(struct turns), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		turns = map;
}

static void
turn_ended(void)
{
	uint64_t took_ns = cpu_ns() - began_ns;
	turns->count++;
	turns->over_1ms += took_ns > 1000000;
	turns->over_5ms += took_ns > 5000000;
	if (took_ns > turns->longest_ns)
		turns->longest_ns = took_ns;
}

static void
tell_bytes(void)
{
	int (*mallctl)(const char *name, void *old, size_t *old_len, void *new, size_t new_len);
	uint64_t epoch = 1;
	size_t bytes = 0, len = sizeof(bytes);
	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (mallctl && mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0)
		(void)mallctl("stats.allocated", &bytes, &len, NULL, 0);
	turns->bytes = bytes;
	turns->wants_bytes = 0;
}

static int
wait_for(int epoll, struct epoll_event *events, int n, int timeout_ms)
{
	static int (*real)(int epoll, struct epoll_event *events, int n, int timeout_ms);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
	return real(epoll, events, n, timeout_ms);
}

int
epoll_wait(int epoll, struct epoll_event *events, int n, int timeout_ms)
{
	if (!turns || gettid() != getpid())
		return wait_for(epoll, events, n, timeout_ms);
	if (began_ns)
		turn_ended();
	if (turns->wants_bytes)
		tell_bytes();
	int found = wait_for(epoll, events, n, timeout_ms);
	began_ns = cpu_ns();
	return found;
}
