/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp_fixture.h. */
#include "tests/unit/control/tcp_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "zones/base/bytes.h"
#include "zones/load/zonefile.h"
#include "zones/store/builder.h"

/* -------- a server with one zone -------- */

static struct snapshot *
example_snapshot(void)
{
	static char text[BIG_RECORDS * (BIG_OCTETS + 40) + 1000];
	size_t len =
		(size_t)sprintf(text, "$TTL 60\n@ SOA ns a 7 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n");
	for (unsigned i = 0; i < BIG_RECORDS; i++)
		len += (size_t)sprintf(text + len, "big TXT \"%0*u\"\n", BIG_OCTETS, i);
	struct name apex = fixture_name("example.");
	struct diag_list diag = {0};
	struct zonefile_files *files;
	struct snapshot *s = NULL;
	struct zone_builder *b = zone_builder_new(&apex);
	assert_int_equal(zonefile_read_text(text, len, "text", &apex, b, &diag, &files), 0);
	assert_int_equal(zone_builder_finish(b, &diag, &s), 0);
	zonefile_files_free(files);
	diag_clear(&diag);
	return s;
}

int
service_setup(void **state)
{
	fixture_enter();
	struct service *s = calloc(1, sizeof(*s));
	const struct answer_config answers = {.udp_payload = 1232};
	struct name apex = fixture_name("example.");
	s->zone = zone_new(apex.bytes);
	assert_null(zone_publish(s->zone, example_snapshot()));
	s->set = zone_set_new(&s->zone, 1, &answers);
	assert_null(zone_root_publish(&s->root, s->set));
	s->config = fixture_config("");
	s->config->tcp.idle_timeout_ms = 5000;
	*state = s;
	return 0;
}

void
service_start(struct service *s)
{
	struct diag_list diag = {0};
	assert_int_equal(tcp_open(s->config, &s->root, &diag, &s->tcp), 0);
	assert_int_equal(tcp_start(s->tcp), 0);
}

int
service_teardown(void **state)
{
	struct service *s = *state;
	if (s->tcp)
		tcp_stop(s->tcp);
	tcp_close(s->tcp);
	config_free(s->config);
	zone_set_free(s->set);
	zone_free(s->zone);
	free(s);
	fixture_leave();
	return 0;
}

struct counters
service_counts(const struct service *s)
{
	struct counters sum = {0};
	for (unsigned i = 0; i < tcp_thread_count(s->tcp); i++)
		counters_sum(&sum, tcp_thread_counters(s->tcp, i));
	return sum;
}

struct tcp_stats
service_stats(const struct service *s)
{
	struct tcp_stats out;
	tcp_stats(s->tcp, &out);
	return out;
}

/* -------- a client -------- */

int
client(const struct service *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(tcp_port(s->tcp, 0))};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

size_t
query(uint8_t *out, uint16_t id, const char *label, uint16_t type)
{
	uint8_t *p = out + 2;
	memset(p, 0, 12);
	store_be16(p, id);
	store_be16(p + 4, 1);
	p += 12;
	size_t len = strlen(label);
	*p++ = (uint8_t)len;
	memcpy(p, label, len);
	p += len;
	memcpy(p, "\7example", 9);
	p += 9;
	store_be16(p, type);
	store_be16(p + 2, 1);
	p += 4;
	store_be16(out, (uint16_t)(p - out - 2));
	return (size_t)(p - out);
}

void
send_all(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

bool
read_all(int fd, void *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, 5000), 1);
		ssize_t n = read(fd, (char *)out + got, len - got);
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

uint8_t answer[65537];

int
read_answer(int fd)
{
	uint8_t frame[2];
	if (!read_all(fd, frame, 2))
		return -1;
	assert_true(read_all(fd, answer, load_be16(frame)));
	return load_be16(frame);
}

void
assert_answer(int fd, uint16_t id, unsigned n_answers)
{
	int len = read_answer(fd);
	assert_true(len >= 12);
	assert_int_equal(load_be16(answer), id);
	assert_int_equal(load_be16(answer + 2), 0x8400); /* QR, AA, NOERROR, no TC */
	assert_int_equal(load_be16(answer + 6), n_answers);
}

bool
closed_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t octet;
	return poll(&p, 1, ms) == 1 && read(fd, &octet, 1) <= 0;
}
