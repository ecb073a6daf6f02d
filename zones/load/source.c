/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a zone file, read whole before the first of them is looked at.
 *
 * Mapping the file would spare one copy, but a mapped file that
 * somebody cuts short while it is read raises SIGBUS, and a server must not die of an editor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zones/base/alloc.h"
#include "zones/load/reader.h"

#define READ_FIRST_CAP (64u << 10)

static int
source_grow(char **buf, size_t len, size_t *cap)
{
	size_t new_cap = *cap * 2;
	char *bigger = zalloc(new_cap, 0);

	if (bigger == NULL)
		return -ENOMEM;
	memcpy(bigger, *buf, len);
	zalloc_free(*buf, *cap);
	*buf = bigger;
	*cap = new_cap;
	return 0;
}

/* -------- in pieces -------- */

/* Fresh memory takes longer than reading into it, and both are for as many threads as there are. */
#define PIECE_BYTES (4u << 20)

struct pieces {
	int fd;
	char *buf;
	size_t size;
	atomic_bool has_nul, is_short;
};

static void
read_piece(void *arg, size_t i)
{
	struct pieces *p = arg;
	size_t start = i * PIECE_BYTES, at = start;
	size_t end = p->size - at < PIECE_BYTES ? p->size : at + PIECE_BYTES;

	while (at < end) {
		ssize_t n = pread(p->fd, p->buf + at, end - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			atomic_store_explicit(&p->is_short, true, memory_order_relaxed);
			return;
		}
		at += (size_t)n;
	}
	if (memchr(p->buf + start, '\0', end - start) != NULL)
		atomic_store_explicit(&p->has_nul, true, memory_order_relaxed);
}

/* Reads a file of this size, unless it has changed or cannot be read so: then it is read from its start by others.
 */
static bool
source_read_pieces(int fd, char *buf, size_t size, struct crew *crew, bool *has_no_nul)
{
	struct pieces p = {.fd = fd, .buf = buf, .size = size};

	crew_each(crew, (size + PIECE_BYTES - 1) / PIECE_BYTES, read_piece, &p);
	*has_no_nul = !p.has_nul && !p.is_short;
	return !p.is_short && lseek(fd, (off_t)size, SEEK_SET) == (off_t)size;
}

/* -------- the whole -------- */

/* Reads to the end of the file, which `size` foretells, if not 0; it may have grown or shrunk since. */
static int
source_read(int fd, size_t size, struct crew *crew, struct source *s)
{
	size_t len = 0, cap = size != 0 ? size + 1 : READ_FIRST_CAP;
	char *buf = zalloc(cap, 0);
	bool has_no_nul = false;

	if (buf == NULL)
		return -ENOMEM;
	if (size >= 2 * PIECE_BYTES && source_read_pieces(fd, buf, size, crew, &has_no_nul))
		len = size;
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
		has_no_nul = false;
	}
	s->text = buf;
	s->len = len;
	s->cap = cap;
	s->has_no_nul = has_no_nul;
	return 0;
}

static int
source_fill(int fd, struct crew *crew, struct source *s)
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
	return source_read(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, crew, s);
}

int
source_open(const char *path, struct crew *crew, struct source *s)
{
	struct source opened = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = source_fill(fd, crew, &opened);
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

	zalloc_free(p.memory, s->cap);
	*s = (struct source){0};
}
