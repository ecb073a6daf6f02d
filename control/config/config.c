/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a configuration: the frame around file, tree and schema. See config.h.
 *
 * Two arenas: the tree's, which lives as long as the call, and the configuration's own, which lives as long as it.
 */
#include "control/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/config/config_schema.h"

/* What config_load() hands out is the first member of this. */
struct config_box {
	struct config config;
	_Atomic unsigned more_holds; /* than one */
	struct config_arena arena;
};

/* -------- the file -------- */

static int
read_all(int fd, char *text, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = read(fd, text + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* it became shorter while we read */
		done += (size_t)n;
	}
	return 0;
}

static int
read_open_file(int fd, struct config_arena *arena, char **text, size_t *len)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	*len = (size_t)st.st_size;
	*text = config_arena_alloc(arena, *len + 1);
	return *text != NULL ? read_all(fd, *text, *len) : -ENOMEM;
}

static int
read_file(const char *path, struct config_arena *arena, struct diag_list *diag, char **text, size_t *len)
{
	int rc;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
	} else {
		rc = read_open_file(fd, arena, text, len);
		close(fd);
	}
	if (rc == -EINVAL)
		diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot read the configuration: not a regular file");
	else if (rc != 0 && rc != -ENOMEM)
		diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot read the configuration: %s", strerror(-rc));
	return rc;
}

/* -------- diagnostics -------- */

static int
diag_compare(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->message, y->message);
}

/* Puts what we added into the order of the file, and takes care that quoted values break no line. */
static void
tidy_diag(struct diag_list *diag, unsigned from)
{
	for (unsigned i = from; i < diag->n; i++)
		for (char *c = diag->items[i].message; *c != '\0'; c++)
			if ((unsigned char)*c < 0x20 || *c == 0x7f)
				*c = '?';
	if (diag->n > from)
		qsort(diag->items + from, diag->n - from, sizeof(*diag->items), diag_compare);
}

/* -------- loading -------- */

/* The directory of the file with its slash, or "" for the working directory. */
static char *
directory_of(const char *path, struct config_arena *arena)
{
	const char *slash = strrchr(path, '/');
	return config_arena_copy(arena, path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
}

static int
default_identity(struct config_reader *r)
{
	char host[HOST_NAME_MAX + 1] = "";
	if (r->config->server.identity != NULL)
		return 0;
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	r->config->server.identity = config_read_copy(r, host, strlen(host));
	return r->config->server.identity != NULL ? 0 : -ENOMEM;
}

static int
fill(struct config_box *box, const char *path, struct config_node *root, struct config_arena *scratch,
     struct diag_list *diag)
{
	struct config_reader r = {
		.path = path, .arena = &box->arena, .scratch = scratch, .diag = diag, .config = &box->config};
	if (root->kind != CONFIG_NODE_MAP) {
		if (root->kind != CONFIG_NODE_BROKEN)
			config_error(&r, root, "a configuration is a map of sections; begin with \"server:\"");
		return -EINVAL;
	}
	box->config.path = config_read_copy(&r, path, strlen(path));
	r.dir = directory_of(path, r.arena);
	if (box->config.path == NULL || r.dir == NULL)
		return -ENOMEM;
	config_read_section(&r, &config_root, root, &box->config, false);
	return r.no_memory ? -ENOMEM : default_identity(&r);
}

static int
load(struct config_box *box, const char *path, struct config_arena *scratch, struct diag_list *diag)
{
	char *text = NULL;
	size_t len = 0;
	struct config_node *root = NULL;
	unsigned errors_before = diag->n_errors;
	int rc = read_file(path, scratch, diag, &text, &len);
	if (rc == 0)
		rc = config_yaml_parse(path, text, len, scratch, diag, &root);
	if (rc == 0)
		rc = fill(box, path, root, scratch, diag);
	if (rc == 0 && diag->n_errors != errors_before)
		rc = -EINVAL;
	return rc;
}

int
config_load(const char *path, struct config **out, struct diag_list *diag)
{
	struct config_arena scratch = {0};
	unsigned from = diag->n;
	int rc = -ENOMEM;
	struct config_box *box = malloc(sizeof(*box));
	if (box != NULL) {
		*box = (struct config_box){0};
		rc = load(box, path, &scratch, diag);
		config_arena_wipe(&scratch);
	}
	tidy_diag(diag, from);
	if (rc == -ENOMEM)
		diag_add(diag, DIAG_ERROR, path, 0, 0, "no memory for the configuration");
	if (rc == 0)
		*out = &box->config;
	else if (box != NULL)
		config_free(&box->config);
	return rc;
}

const struct config *
config_hold(const struct config *c)
{
	struct config_box *box = (struct config_box *)(uintptr_t)c;
	atomic_fetch_add_explicit(&box->more_holds, 1, memory_order_relaxed);
	return c;
}

void
config_free(const struct config *c)
{
	struct config_box *box = (struct config_box *)(uintptr_t)c;
	if (box == NULL || atomic_fetch_sub_explicit(&box->more_holds, 1, memory_order_acq_rel) != 0)
		return;
	config_arena_wipe(&box->arena);
	explicit_bzero(box, sizeof(*box));
	free(box);
}
