/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's protocol, with a loop of the test's own and clients that are plain sockets. */
#include "tests/unit/control/control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/server.h"

struct desk {
	uv_loop_t loop;
	struct server *server;
	struct request *kept; /* by command `keep` */
	unsigned n_handled;
	unsigned n_pieces;
};

static void
piece_sent(struct request *rq, void *arg)
{
	struct desk *d = arg;
	if (request_is_gone(rq))
		request_fail(rq, EXIT_CODE_FAILED, NULL, "gone");
	else if (d->n_pieces == 3)
		request_reply(rq, json_pack("{si}", "pieces", 3));
	else
		request_piece(rq, json_pack("{si}", "piece", d->n_pieces++), piece_sent, d);
}

static void
handle(void *arg, struct request *rq, const char *command, const json_t *args)
{
	struct desk *d = arg;
	d->n_handled++;
	if (!strcmp(command, "echo"))
		request_reply(rq, json_pack("{sO}", "args", args));
	else if (!strcmp(command, "fail"))
		request_fail(rq, EXIT_CODE_FAULTS, json_pack("{si}", "n", 7), "no %s", "way");
	else if (!strcmp(command, "progress")) {
		request_progress(rq, json_pack("{si}", "progress", 1));
		request_progress(rq, json_pack("{si}", "progress", 2));
		request_reply(rq, NULL);
	} else if (!strcmp(command, "pieces"))
		piece_sent(rq, d);
	else if (!strcmp(command, "keep"))
		d->kept = rq;
	else
		request_fail(rq, EXIT_CODE_USAGE, NULL, "unknown");
}

static int
setup(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	struct diag_list diag = {0};
	fixture_enter();
	assert_int_equal(uv_loop_init(&d->loop), 0);
	assert_int_equal(server_open(&d->loop, "s.sock", handle, d, &diag, &d->server), 0);
	*state = d;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *d = *state;
	server_close(d->server);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	assert_int_equal(access("s.sock", F_OK), -1);
	server_free(d->server);
	assert_int_equal(uv_loop_close(&d->loop), 0); /* -EBUSY would be a handle left open */
	free(d);
	fixture_leave();
	return 0;
}

/* -------- a client -------- */

static int
client(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "s.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
turn(struct desk *d, unsigned n)
{
	while (n--) {
		uv_run(&d->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
}

/* Sends `request` as it is, runs the loop, and returns all that came back; the connection is closed by the server.
 */
static const char *
ask(struct desk *d, const char *request)
{
	static char answer[300000];
	size_t len = 0;
	int fd = client();
	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	for (unsigned i = 0; i < 2000; i++) {
		turn(d, 1);
		ssize_t n = read(fd, answer + len, sizeof(answer) - 1 - len);
		if (n == 0) {
			answer[len] = '\0';
			close(fd);
			return answer;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	fail_msg("no end of the answer");
	return NULL;
}

/* -------- tests -------- */

static void
replies_with_one_line_and_closes(void **state)
{
	assert_string_equal(ask(*state, "{\"command\":\"echo\",\"args\":[\"a\",\"b\"]}\n"),
			    "{\"ok\":true,\"result\":{\"args\":[\"a\",\"b\"]}}\n");
	assert_string_equal(ask(*state, "{\"command\":\"echo\"}\n"), "{\"ok\":true,\"result\":{\"args\":[]}}\n");
}

static void
failures_carry_code_text_and_result(void **state)
{
	assert_string_equal(ask(*state, "{\"command\":\"fail\"}\n"),
			    "{\"ok\":false,\"code\":4,\"error\":\"no way\",\"result\":{\"n\":7}}\n");
}

static void
progress_comes_before_the_reply(void **state)
{
	assert_string_equal(ask(*state, "{\"command\":\"progress\"}\n"),
			    "{\"progress\":1}\n{\"progress\":2}\n{\"ok\":true}\n");
	assert_string_equal(
		ask(*state, "{\"command\":\"pieces\"}\n"),
		"{\"piece\":0}\n{\"piece\":1}\n{\"piece\":2}\n{\"ok\":true,\"result\":{\"pieces\":3}}\n");
}

static void
bad_requests_are_refused_unhandled(void **state)
{
	static const char *const bad[] = {
		"hello\n",
		"\n",
		"[]\n",
		"{\"args\":[]}\n",
		"{\"command\":1}\n",
		"{\"command\":\"echo\",\"args\":{}}\n",
		"{\"command\":\"echo\"}{}\n",
		"{\"command\":\"echo\",\"command\":\"fail\"}\n",
		"\"\xff\"\n",
	};
	struct desk *d = *state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_ptr_equal(strstr(ask(d, bad[i]), "{\"ok\":false,\"code\":2,"), ask(d, bad[i]));
	assert_int_equal(d->n_handled, 0);
}

static void
a_line_too_long_is_refused(void **state)
{
	static char request[SERVER_REQUEST_MAX + 2];
	memset(request, ' ', SERVER_REQUEST_MAX + 1);
	struct desk *d = *state;
	const char *answer = ask(d, request);
	assert_non_null(strstr(answer, "\"code\":2"));
	assert_int_equal(d->n_handled, 0);
}

static void
a_request_in_pieces_is_one_request(void **state)
{
	struct desk *d = *state;
	static const char request[] = "{\"command\":\"echo\",\"args\":[]}\n";
	char answer[100];
	int fd = client();
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(d->n_handled, 0);
		assert_int_equal(write(fd, request + i, 1), 1);
		turn(d, 2);
	}
	turn(d, 5);
	assert_int_equal(d->n_handled, 1);
	assert_int_equal(read(fd, answer, sizeof(answer)),
			 (ssize_t)strlen("{\"ok\":true,\"result\":{\"args\":[]}}\n"));
	close(fd);
	turn(d, 5);
}

static void
a_request_survives_its_client(void **state)
{
	struct desk *d = *state;
	int fd = client();
	assert_int_equal(write(fd, "{\"command\":\"keep\"}\n", 19), 19);
	turn(d, 5);
	assert_non_null(d->kept);
	close(fd);
	turn(d, 5);
	request_progress(d->kept, json_pack("{si}", "progress", 1));
	turn(d, 5);
	assert_true(request_is_gone(d->kept));
	request_progress(d->kept, json_pack("{si}", "progress", 2));
	request_reply(d->kept, json_object());
	turn(d, 5);
}

static void
clients_that_go_before_they_ask_leave_nothing(void **state)
{
	struct desk *d = *state;
	for (unsigned i = 0; i < 10; i++) {
		int fd = client();
		assert_int_equal(write(fd, "{\"comm", 6), 6);
		turn(d, 2);
		close(fd);
	}
	turn(d, 10);
	assert_int_equal(d->n_handled, 0);
}

static void
too_many_clients_are_told_so(void **state)
{
	struct desk *d = *state;
	int fds[SERVER_CLIENTS_MAX];
	for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++) {
		fds[i] = client();
		turn(d, 1);
	}
	turn(d, 5);
	assert_non_null(strstr(ask(d, ""), "too many clients"));
	for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
	turn(d, 10);
	assert_non_null(strstr(ask(d, "{\"command\":\"echo\"}\n"), "\"ok\":true"));
}

static void
the_socket_is_for_owner_and_group(void **state)
{
	struct stat st;
	assert_int_equal(stat("s.sock", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void
a_living_server_is_not_replaced(void **state)
{
	struct desk *d = *state;
	struct diag_list diag = {0};
	struct server *second = NULL;
	assert_int_equal(server_open(&d->loop, "s.sock", handle, d, &diag, &second), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(diag.items[0].message, "server.run-dir"));
	diag_clear(&diag);
	turn(d, 5);
	assert_non_null(strstr(ask(d, "{\"command\":\"echo\"}\n"), "\"ok\":true"));
}

static void
a_dead_server_is_replaced_and_a_file_is_not(void **state)
{
	struct desk *d = *state;
	struct diag_list diag = {0};
	struct server *second = NULL;
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "dead.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	assert_int_equal(server_open(&d->loop, "dead.sock", handle, d, &diag, &second), 0);
	server_close(second);
	uv_run(&d->loop, UV_RUN_NOWAIT);
	server_free(second);
	fixture_write("file.sock", "precious");
	assert_int_equal(server_open(&d->loop, "file.sock", handle, d, &diag, &second), -EEXIST);
	assert_int_equal(access("file.sock", F_OK), 0);
	diag_clear(&diag);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replies_with_one_line_and_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(failures_carry_code_text_and_result, setup, teardown),
		cmocka_unit_test_setup_teardown(progress_comes_before_the_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_requests_are_refused_unhandled, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_too_long_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_in_pieces_is_one_request, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_survives_its_client, setup, teardown),
		cmocka_unit_test_setup_teardown(clients_that_go_before_they_ask_leave_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_clients_are_told_so, setup, teardown),
		cmocka_unit_test_setup_teardown(the_socket_is_for_owner_and_group, setup, teardown),
		cmocka_unit_test_setup_teardown(a_living_server_is_not_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_server_is_replaced_and_a_file_is_not, setup, teardown),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
