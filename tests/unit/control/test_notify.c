/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager gets, on a socket as systemd gives one: a path, or an abstract address. */
#include "tests/unit/control/control_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "control/notify.h"

static int
manager(const char *address)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address));
	memcpy(a.sun_path, address, strlen(address));
	if (address[0] == '@')
		a.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	setenv("NOTIFY_SOCKET", address, 1);
	return fd;
}

static const char *
received(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
states_are_told(int fd)
{
	notify_ready();
	assert_string_equal(received(fd), "READY=1");
	notify_stopping();
	assert_string_equal(received(fd), "STOPPING=1");
	notify_status("loading %d", 3);
	assert_string_equal(received(fd), "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=loading 3");
	uint64_t before_us = fixture_now_ms() * 1000;
	notify_reloading();
	unsigned long long at_us;
	assert_int_equal(sscanf(received(fd), "RELOADING=1\nMONOTONIC_USEC=%llu", &at_us), 1);
	assert_in_range(at_us, before_us, before_us + 5000000);
	assert_string_equal(received(fd), "");
}

static void
over_a_path(void **state)
{
	fixture_enter();
	int fd = manager("notify.sock");
	states_are_told(fd);
	close(fd);
	fixture_leave();
}

static void
over_an_abstract_address(void **state)
{
	char address[64];
	snprintf(address, sizeof(address), "@anser-test-%d", (int)getpid());
	int fd = manager(address);
	states_are_told(fd);
	close(fd);
}

static void
nobody_listening_is_no_matter(void **state)
{
	static const char *const addresses[] = {"", "/nonexistent/socket", "@anser-nobody", "relative"};
	for (unsigned i = 0; i < ARRAY_LEN(addresses); i++) {
		setenv("NOTIFY_SOCKET", addresses[i], 1);
		notify_ready();
	}
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_a_path),
		cmocka_unit_test(over_an_abstract_address),
		cmocka_unit_test(nobody_listening_is_no_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
