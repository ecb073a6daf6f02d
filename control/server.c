/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket. See server.h. */
#include "control/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct server {
	uv_pipe_t listener;
	uv_loop_t *loop;
	char *path;
	server_handle_fn *handle;
	void *arg;
	unsigned n_clients;
	struct request *spare; /* made ahead: accepting must not fail for want of memory */
	bool client_waits;     /* it did all the same */
};

enum request_state {
	REQUEST_READING, /* the line has not arrived whole */
	REQUEST_RUNNING, /* handled, not replied to */
	REQUEST_REPLIED, /* the reply is on its way */
};

struct request {
	uv_pipe_t pipe;
	uv_timer_t patience;
	struct server *server;
	enum request_state state;
	bool is_gone;          /* a write failed, or we gave up waiting */
	unsigned open_handles; /* 0: memory may go, once replied */
	size_t in_len;
	char in[SERVER_REQUEST_MAX];
};

struct line_write {
	uv_write_t req;
	struct request *rq;
	void (*sent)(struct request *rq, void *arg);
	void *arg;
	char *text;
};

/* -------- life of a request -------- */

static void accept_client(uv_stream_t *listener, int status);

static void
request_free_if_over(struct request *rq)
{
	struct server *s = rq->server;
	if (rq->open_handles || rq->state == REQUEST_RUNNING)
		return;
	s->n_clients--;
	if (s->spare) {
		free(rq);
		return;
	}
	memset(rq, 0, sizeof(*rq));
	s->spare = rq;
	bool client_waits = s->client_waits && !uv_is_closing((uv_handle_t *)&s->listener);
	s->client_waits = false;
	if (client_waits)
		accept_client((uv_stream_t *)&s->listener, 0);
}

static void
handle_closed(uv_handle_t *h)
{
	struct request *rq = h->data;
	rq->open_handles--;
	request_free_if_over(rq);
}

static void
request_close(struct request *rq)
{
	rq->is_gone = true;
	if (!uv_is_closing((uv_handle_t *)&rq->pipe))
		uv_close((uv_handle_t *)&rq->pipe, handle_closed);
	if (!uv_is_closing((uv_handle_t *)&rq->patience))
		uv_close((uv_handle_t *)&rq->patience, handle_closed);
}

static void
patience_ended(uv_timer_t *t)
{
	request_close(t->data);
}

/* -------- lines out -------- */

static void
line_sent(uv_write_t *req, int status)
{
	struct line_write *w = (struct line_write *)req;
	struct request *rq = w->rq;
	if (status < 0)
		request_close(rq);
	if (w->sent)
		w->sent(rq, w->arg);
	free(w->text);
	free(w);
}

static void
reply_sent(struct request *rq, void *arg)
{
	request_close(rq);
}

/* Starts writing a line; false: it will not go out, and `sent` will not be called. */
static bool
line_write(struct request *rq, json_t *line, void (*sent)(struct request *rq, void *arg), void *arg)
{
	char *text = line && !rq->is_gone ? json_dumps(line, JSON_COMPACT) : NULL;
	struct line_write *w = text ? malloc(sizeof(*w)) : NULL;
	json_decref(line);
	if (!w) {
		free(text);
		return false;
	}
	*w = (struct line_write){.rq = rq, .sent = sent, .arg = arg, .text = text};
	size_t len = strlen(text);
	text[len] = '\n'; /* in place of the NUL, which nobody needs any more */
	uv_buf_t buf = uv_buf_init(text, (unsigned)len + 1);
	if (uv_write(&w->req, (uv_stream_t *)&rq->pipe, &buf, 1, line_sent) == 0)
		return true;
	free(text);
	free(w);
	return false;
}

void
request_progress(struct request *rq, json_t *line)
{
	line_write(rq, line, NULL, NULL);
}

/* A piece that cannot be written ends the conversation: the next one would not belong to the last. */
void
request_piece(struct request *rq, json_t *line, void (*sent)(struct request *rq, void *arg), void *arg)
{
	if (line_write(rq, line, sent, arg))
		return;
	request_close(rq);
	sent(rq, arg);
}

bool
request_is_gone(const struct request *rq)
{
	return rq->is_gone;
}

static void
request_end(struct request *rq, json_t *line)
{
	rq->state = REQUEST_REPLIED;
	if (!rq->is_gone)
		uv_timer_start(&rq->patience, patience_ended, SERVER_PATIENCE_MS, 0);
	if (!line_write(rq, line, reply_sent, NULL))
		request_close(rq);
	request_free_if_over(rq);
}

void
request_reply(struct request *rq, json_t *result)
{
	request_end(rq, json_pack("{sb so*}", "ok", 1, "result", result));
}

void
request_fail(struct request *rq, int code, json_t *result, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_t *line = json_pack("{sb si ss so*}", "ok", 0, "code", code, "error", text, "result", result);
	if (!line) /* not UTF-8 */
		line = json_pack("{sb si ss}", "ok", 0, "code", code, "error", "the error's text cannot be shown");
	request_end(rq, line);
}

/* -------- lines in -------- */

static void
request_begin(struct request *rq, const char *text, size_t len)
{
	json_error_t error;
	json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	const char *command = json_string_value(json_object_get(line, "command"));
	json_t *args = json_object_get(line, "args");
	json_t *none = args ? NULL : json_array();
	rq->state = REQUEST_RUNNING;
	uv_timer_stop(&rq->patience);
	if (!line)
		request_fail(rq, EXIT_CODE_USAGE, NULL, "the request is not JSON: %s", error.text);
	else if (!command || (args && !json_is_array(args)))
		request_fail(rq, EXIT_CODE_USAGE, NULL, "a request is {\"command\": \"...\", \"args\": [...]}");
	else
		rq->server->handle(rq->server->arg, rq, command, args ? args : none);
	json_decref(none);
	json_decref(line);
}

static void
read_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct request *rq = h->data;
	*buf = uv_buf_init(rq->in + rq->in_len, (unsigned)(SERVER_REQUEST_MAX - rq->in_len));
}

static void
read_done(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct request *rq = stream->data;
	if (n == UV_ENOBUFS) {
		uv_read_stop(stream);
		rq->state = REQUEST_RUNNING;
		request_fail(rq, EXIT_CODE_USAGE, NULL, "the request is longer than %d octets", SERVER_REQUEST_MAX);
		return;
	}
	if (n < 0) {
		request_close(rq);
		return;
	}
	char *end = memchr(rq->in + rq->in_len, '\n', (size_t)n);
	rq->in_len += (size_t)n;
	if (!end)
		return;
	/* One request a connection: what follows is nobody's business, nor is an early shutdown(2). */
	uv_read_stop(stream);
	request_begin(rq, rq->in, (size_t)(end - rq->in));
}

static void
accept_client(uv_stream_t *listener, int status)
{
	struct server *s = listener->data;
	if (status < 0)
		return;
	struct request *rq = s->spare;
	if (!rq) { /* libuv keeps the client until request_free_if_over() has brought memory back */
		s->client_waits = true;
		return;
	}
	s->spare = calloc(1, sizeof(*rq));
	s->n_clients++;
	rq->server = s;
	rq->open_handles = 2;
	uv_pipe_init(s->loop, &rq->pipe, 0);
	uv_timer_init(s->loop, &rq->patience);
	rq->pipe.data = rq->patience.data = rq;
	if (uv_accept(listener, (uv_stream_t *)&rq->pipe) != 0) {
		request_close(rq);
	} else if (s->n_clients > SERVER_CLIENTS_MAX) {
		rq->state = REQUEST_RUNNING;
		request_fail(rq, EXIT_CODE_FAILED, NULL, "too many clients at the control socket");
	} else {
		uv_timer_start(&rq->patience, patience_ended, SERVER_PATIENCE_MS, 0);
		uv_read_start((uv_stream_t *)&rq->pipe, read_alloc, read_done);
	}
}

/* -------- the socket -------- */

/* Removes what a dead daemon left; -EADDRINUSE if it is not dead. */
static int
remove_stale(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)a, sizeof(*a));
	int err = rc == 0 || errno == EAGAIN ? -EADDRINUSE : errno == ENOENT ? -ENOENT : 0;
	close(fd);
	if (err == -EADDRINUSE)
		return err;
	struct stat st;
	if (err == -ENOENT || lstat(a->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(a->sun_path) == 0 ? 0 : -errno;
}

static int
socket_listen(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	int err = remove_stale(&a);
	if (err)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The mode is set before anybody can connect: bind(2) makes the file, listen(2) the way in. */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || chmod(path, 0660) != 0 || listen(fd, 64) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int
server_fail(const char *path, int err, struct diag_list *diag)
{
	if (err == -EADDRINUSE)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "%s: another anserd answers there: stop it, or set another server.run-dir", path);
	else
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "control socket %s: %s", path, strerror(-err));
	return err;
}

int
server_open(uv_loop_t *loop, const char *path, server_handle_fn *handle, void *arg, struct diag_list *diag,
	    struct server **out)
{
	struct server *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->path = strdup(path);
	s->spare = calloc(1, sizeof(*s->spare));
	if (!s->path || !s->spare) {
		server_free(s);
		return -ENOMEM;
	}
	s->loop = loop;
	s->handle = handle;
	s->arg = arg;
	int fd = socket_listen(path);
	if (fd < 0) {
		server_free(s);
		return server_fail(path, fd, diag);
	}
	uv_pipe_init(loop, &s->listener, 0);
	s->listener.data = s;
	int err = uv_pipe_open(&s->listener, fd);
	if (err)
		close(fd);
	else
		err = uv_listen((uv_stream_t *)&s->listener, 64, accept_client);
	*out = s; /* from here on the loop knows it: server_close() undoes the rest */
	return err ? server_fail(path, err, diag) : 0;
}

void
server_close(struct server *s)
{
	uv_close((uv_handle_t *)&s->listener, NULL);
	unlink(s->path);
}

void
server_free(struct server *s)
{
	if (!s)
		return;
	free(s->spare);
	free(s->path);
	free(s);
}
