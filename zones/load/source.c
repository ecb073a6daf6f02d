/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a zone file. Regular files are mapped: a zone of 100 MB is then read once, by the lexer, and never
 * copied. What has no size (a pipe, a file of /proc) is read into memory.
 *
 * A mapping has one weakness: a file that is cut short while it is being read raises SIGBUS. Zone files are
 * therefore to be replaced by rename(), as editors and deployment tools do.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zones/base/alloc.h"
#include "zones/load/reader.h"

#define READ_FIRST_CAP (64u << 10)

static int
source_map(int fd, size_t size, struct source *s)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	(void)madvise(p, size, MADV_SEQUENTIAL); /* advice: nothing is lost if it is not taken */
	s->text = p;
	s->len = size;
	return 0;
}

static int
source_grow(char **buf, size_t len, size_t *cap)
{
	size_t new_cap = *cap ? *cap * 2 : READ_FIRST_CAP;
	char *bigger = zalloc(new_cap, 0);

	if (bigger == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(bigger, *buf, len);
	zalloc_free(*buf, *cap);
	*buf = bigger;
	*cap = new_cap;
	return 0;
}

static int
source_read(int fd, struct source *s)
{
	char *buf = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		if (len == cap && source_grow(&buf, len, &cap) != 0) {
			zalloc_free(buf, cap);
			return -ENOMEM;
		}
		ssize_t n = read(fd, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = -errno;
			zalloc_free(buf, cap);
			return rc;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	s->text = buf;
	s->len = len;
	s->read_cap = cap;
	return 0;
}

static int
source_fill(int fd, struct source *s)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return -ENOTSUP;
	s->is_file = true;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return S_ISREG(st.st_mode) && st.st_size > 0 ? source_map(fd, (size_t)st.st_size, s) : source_read(fd, s);
}

int
source_open(const char *path, struct source *s)
{
	struct source opened = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = source_fill(fd, &opened);
	close(fd);
	if (rc == 0)
		*s = opened;
	return rc;
}

void
source_close(struct source *s)
{
	union {
		const char *text;
		void *memory;
	} p = {.text = s->text}; /* const for all but the one who frees */

	if (s->read_cap > 0)
		zalloc_free(p.memory, s->read_cap);
	else if (s->len > 0)
		munmap(p.memory, s->len);
	*s = (struct source){0};
}
