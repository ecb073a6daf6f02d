/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up root. See privileges.h. */
#include "control/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int
privileges_find(const struct config_server *server, struct diag_list *diag, struct privileges *out)
{
	*out = (struct privileges){.drop = false};
	if (geteuid() != 0 || !*server->user)
		return 0;
	errno = 0;
	const struct passwd *pw = getpwnam(server->user);
	if (!pw) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "server.user: there is no user `%s` on this host; make one "
			 "(useradd --system --home-dir /var/lib/anser --shell /usr/sbin/nologin %s), or set `user: "
			 "root` "
			 "in section `server` to keep running as root",
			 server->user, server->user);
		return -ENOENT;
	}
	if (pw->pw_uid == 0)
		return 0;
	*out = (struct privileges){.drop = true, .uid = pw->pw_uid, .gid = pw->pw_gid};
	return 0;
}

int
privileges_give(const struct privileges *p, const char *path, struct diag_list *diag)
{
	if (!p->drop || lchown(path, p->uid, p->gid) == 0)
		return 0;
	int err = -errno;
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s: cannot be given to the server's user: %s", path,
		 strerror(-err));
	return err;
}

/* Makes one directory, and gives it away; one that is there already stays whose it is. */
static int
make_directory(const struct privileges *p, const char *path, struct diag_list *diag)
{
	struct stat st;
	if (mkdir(path, 0755) == 0)
		return privileges_give(p, path, diag);
	int err = -errno;
	if (err == -EEXIST && stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	return err;
}

static int
make_directories(const struct privileges *p, const char *path, struct diag_list *diag)
{
	char part[PATH_MAX];
	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	strcpy(part, path);
	for (char *slash = part + 1;; slash++) {
		slash = strchrnul(slash, '/');
		char c = *slash;
		*slash = '\0';
		int err = make_directory(p, part, diag);
		if (err || !c)
			return err;
		*slash = c;
	}
}

/* Whether the user we are to be may make files there: access(2) would ask for the one we are. */
static bool
may_write(const struct privileges *p, const char *path)
{
	if (!p->drop)
		return access(path, W_OK | X_OK) == 0;
	struct stat st;
	if (stat(path, &st) != 0)
		return false;
	mode_t need = st.st_uid == p->uid   ? S_IWUSR | S_IXUSR
		      : st.st_gid == p->gid ? S_IWGRP | S_IXGRP
					    : S_IWOTH | S_IXOTH;
	return (st.st_mode & need) == need;
}

int
privileges_directory(const struct privileges *p, const char *key, const char *path, struct diag_list *diag)
{
	int err = make_directories(p, path, diag);
	if (err) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s: %s cannot be made: %s", key, path, strerror(-err));
		return err;
	}
	if (may_write(p, path))
		return 0;
	diag_add(diag, DIAG_ERROR, NULL, 0, 0,
		 "%s: the server's user may not write to %s: chown it, or name another directory", key, path);
	return -EACCES;
}

int
privileges_drop(const struct privileges *p, bool keep_network, struct diag_list *diag)
{
	int rc = 0;
	if (p->drop) {
		capng_clear(CAPNG_SELECT_BOTH);
		if (keep_network)
			capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN, CAP_NET_RAW,
				      CAP_BPF, CAP_IPC_LOCK, -1);
		rc = capng_change_id((int)p->uid, (int)p->gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	}
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return 0;
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "root cannot be given up (libcap-ng: %d): %s", rc, strerror(errno));
	return -EPERM;
}
