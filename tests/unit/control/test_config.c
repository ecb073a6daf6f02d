/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole configurations: every broken one of the corpus gives exactly the lines beside it, every good one the values
 * checked here. Runs in its source directory, which holds the corpora.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/config/config.h"
#include "zones/wire/rrtype.h"

/* -------- files -------- */

static char good_dir[] = "/tmp/anser-config-XXXXXX";

static char *
file_text(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return NULL;
	if (getdelim(&text, &len, EOF, f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

static void
file_write(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* Secret files must be their owner's alone, which a checkout does not keep; so the good ones are copied. */
static int
copy_good(void **state)
{
	(void)state;
	if (mkdtemp(good_dir) == NULL)
		return -1;
	glob_t found;
	if (glob("config_good/*", 0, NULL, &found) != 0)
		return -1;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char path[256];
		char *text = file_text(found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%s%s", good_dir, strrchr(found.gl_pathv[i], '/'));
		file_write(path, text, 0600);
		free(text);
	}
	globfree(&found);
	return 0;
}

static int
remove_good(void **state)
{
	(void)state;
	char pattern[64];
	glob_t found;
	snprintf(pattern, sizeof(pattern), "%s/*", good_dir);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	return rmdir(good_dir);
}

static const char *
good_path(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", good_dir, name);
	return path;
}

static char *
diag_text(const struct diag_list *diag)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	diag_print(diag, f);
	fclose(f);
	return text;
}

static struct config *
load_good(const char *name)
{
	struct diag_list diag = {0};
	struct config *c = NULL;
	int rc = config_load(good_path(name), &c, &diag);
	char *text = diag_text(&diag);
	assert_string_equal(text, "");
	assert_int_equal(rc, 0);
	free(text);
	diag_clear(&diag);
	return c;
}

/* Loads `text` as a file of the directory of good ones; returns what was said, which the caller frees. */
static char *
load_text(const char *text, int want_rc, struct config **out)
{
	struct diag_list diag = {0};
	struct config *c = NULL;
	char was[256];
	snprintf(was, sizeof(was), "%s", good_path("text.yaml"));
	file_write(was, text, 0600);
	assert_int_equal(config_load(was, &c, &diag), want_rc);
	char *said = diag_text(&diag);
	diag_clear(&diag);
	if (out != NULL)
		*out = c;
	else
		config_free(c);
	return said;
}

/* -------- broken ones -------- */

static void
check_bad(const char *yaml)
{
	char path[256];
	struct diag_list diag = {0};
	struct config *untouched = (struct config *)&diag, *c = untouched;
	snprintf(path, sizeof(path), "%.*s.err", (int)(strlen(yaml) - strlen(".yaml")), yaml);
	char *want = file_text(path);
	if (want == NULL)
		fail_msg("%s is missing", path);
	int rc = config_load(yaml, &c, &diag);
	char *got = diag_text(&diag);
	if (strcmp(got, want) != 0)
		fail_msg("%s\n--- expected\n%s--- found\n%s", yaml, want, got);
	assert_int_equal(rc, -EINVAL);
	assert_ptr_equal(c, untouched);
	assert_true(diag.n_errors > 0);
	free(got);
	free(want);
	diag_clear(&diag);
}

static void
every_bad_one_gives_its_lines(void **state)
{
	(void)state;
	glob_t yaml, err;
	assert_int_equal(glob("config_bad/*.yaml", 0, NULL, &yaml), 0);
	assert_int_equal(glob("config_bad/*.err", 0, NULL, &err), 0);
	assert_true(yaml.gl_pathc >= 70);
	assert_int_equal(yaml.gl_pathc, err.gl_pathc); /* no expectation without its file */
	for (size_t i = 0; i < yaml.gl_pathc; i++)
		check_bad(yaml.gl_pathv[i]);
	globfree(&yaml);
	globfree(&err);
}

static void
unreadable_files_say_why(void **state)
{
	(void)state;
	struct diag_list diag = {0};
	struct config *c = NULL;
	assert_int_equal(config_load("no-such.yaml", &c, &diag), -ENOENT);
	assert_int_equal(config_load("config_bad", &c, &diag), -EISDIR);
	assert_int_equal(config_load("/dev/null", &c, &diag), -EINVAL);
	assert_null(c);
	char *text = diag_text(&diag);
	assert_string_equal(text, "no-such.yaml: error: cannot read the configuration: No such file or directory\n"
				  "config_bad: error: cannot read the configuration: Is a directory\n"
				  "/dev/null: error: cannot read the configuration: not a regular file\n");
	free(text);
	diag_clear(&diag);
}

static void
earlier_diagnostics_stay_in_front(void **state)
{
	(void)state;
	struct diag_list diag = {.limit = 3};
	struct config *c = NULL;
	diag_add(&diag, DIAG_ERROR, "zone", 99, 1, "from before");
	assert_int_equal(config_load("config_bad/order.yaml", &c, &diag), -EINVAL);
	assert_string_equal(diag.items[0].message, "from before");
	assert_int_equal(diag.n, 3); /* the limit */
	assert_int_equal(diag.n_errors, 1 + 6);
	diag_clear(&diag);
	/* Faults that the caller had before do not make a good file bad. */
	diag_add(&diag, DIAG_ERROR, "zone", 99, 1, "from before");
	assert_int_equal(config_load("config_good/minimal.yaml", &c, &diag), 0);
	config_free(c);
	diag_clear(&diag);
}

/* -------- good ones -------- */

static void
assert_address(const struct config_address *a, const char *text)
{
	char got[CONFIG_ADDRESS_TEXT_MAX];
	assert_string_equal(config_address_text(a, got), text);
	assert_int_equal(a->len, strchr(text, ':') ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

static void
assert_zone_name(const uint8_t *name, const char *text)
{
	char got[NAME_TEXT_MAX];
	name_to_text(name, got);
	assert_string_equal(got, text);
}

static void
assert_name(const struct name *name, const char *text)
{
	char got[NAME_TEXT_MAX];
	name_to_text(name->bytes, got);
	assert_string_equal(got, text);
	assert_int_equal(name->len, name_len(name->bytes));
}

static void
defaults_are_the_documented_ones(void **state)
{
	(void)state;
	char host[256] = "";
	gethostname(host, sizeof(host) - 1);
	struct config *c = load_good("minimal.yaml");
	assert_string_equal(c->path, good_path("minimal.yaml"));
	assert_string_equal(c->server.identity, host);
	assert_string_equal(c->server.version, "");
	assert_int_equal(c->server.n_listen, 1);
	assert_address(&c->server.listen[0], "192.0.2.53@53");
	assert_string_equal(c->server.state_dir, "/var/lib/anser");
	assert_string_equal(c->server.run_dir, "/run/anser");
	assert_string_equal(c->server.zone_dir, "/etc/anser/zones");
	assert_string_equal(c->server.user, "anser");
	assert_int_equal(c->server.udp_payload_bytes, 1232);
	assert_int_equal(c->server.log.format, CONFIG_LOG_TEXT);
	assert_int_equal(c->server.log.level, CONFIG_LOG_INFO);
	assert_int_equal(c->dataplane.mode, CONFIG_MODE_KERNEL);
	assert_int_equal(c->dataplane.n_ports, 0);
	assert_true(c->dataplane.n_cores >= 1);
	assert_int_equal(c->dataplane.idle, CONFIG_IDLE_ADAPTIVE);
	assert_int_equal(c->dataplane.memory_bytes, 512 << 20);
	assert_int_equal(c->dataplane.hugepages, CONFIG_HUGEPAGES_AUTO);
	assert_int_equal(c->tcp.threads, 1);
	assert_int_equal(c->tcp.idle_timeout_ms, 10000);
	assert_int_equal(c->tcp.max_connections, 10000);
	assert_int_equal(c->tcp.max_per_source, 100);
	assert_int_equal(c->limits.rate_per_s, 0);
	assert_int_equal(c->limits.burst, 125);
	assert_int_equal(c->limits.slip, 1);
	assert_int_equal(c->cookies.mode, CONFIG_COOKIES_ON);
	assert_null(c->cookies.secret_file);
	assert_int_equal(c->cookies.n_secrets, 0);
	assert_false(c->tls.enabled || c->anycast.enabled || c->metrics.enabled || c->dnstap.enabled);
	assert_int_equal(c->n_keys + c->n_remotes + c->n_acls + c->n_templates + c->n_zones + c->n_catalogs, 0);
	config_free(c);
}

static void
check_full_server(const struct config *c)
{
	static const unsigned cores[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17};
	char path[256];
	assert_string_equal(c->server.identity, "fra1-a");
	assert_int_equal(c->server.n_listen, 3);
	assert_address(&c->server.listen[1], "2001:db8::53@53");
	assert_address(&c->server.listen[2], "127.0.0.1@5300");
	assert_int_equal(c->dataplane.mode, CONFIG_MODE_DPDK);
	assert_int_equal(c->dataplane.n_ports, 3);
	assert_string_equal(c->dataplane.ports[0].device, "eth1");
	assert_int_equal(c->dataplane.ports[0].queues, 4);
	assert_string_equal(c->dataplane.ports[1].device, "0000:03:00.0");
	assert_int_equal(c->dataplane.ports[1].queues, 0);
	assert_int_equal(c->dataplane.ports[1].exception, CONFIG_EXCEPTION_TAP);
	assert_string_equal(c->dataplane.ports[2].device, "net_memif0,role=server,id=1");
	assert_int_equal(c->dataplane.n_cores, ARRAY_LEN(cores));
	assert_memory_equal(c->dataplane.cores, cores, sizeof(cores));
	assert_int_equal(c->dataplane.n_eal_args, 2);
	assert_string_equal(c->dataplane.eal_args[1], "--in-memory");
	assert_true(c->tls.enabled);
	assert_address(&c->tls.listen[0], "192.0.2.53@853");
	snprintf(path, sizeof(path), "%s", good_path("f.pem"));
	assert_string_equal(c->tls.certificate, path);
}

static void
check_full_keys(const struct config *c)
{
	const struct config_key *keys = c->keys;
	assert_int_equal(c->n_keys, 2);
	assert_string_equal(keys[0].id, "fleet");
	assert_name(&keys[0].name, "fleet.");
	assert_int_equal(keys[0].algorithm, CONFIG_HMAC_SHA256);
	assert_int_equal(keys[0].secret_len, 32);
	assert_memory_equal(keys[0].secret, "made up for the tests, 32 octets", 32);
	assert_name(&keys[1].name, "updates.example.");
	assert_string_equal(config_algorithm_text(keys[1].algorithm), "hmac-sha512");
	assert_string_equal(keys[1].secret_file, good_path("updates.secret"));
	assert_int_equal(keys[1].secret_len, 32);
	assert_memory_equal(keys[1].secret, "another secret made up for tests", 32);

	assert_int_equal(c->n_remotes, 4);
	assert_address(&c->remotes[0].address, "198.51.100.1@53");
	assert_ptr_equal(c->remotes[0].key, &keys[0]);
	assert_false(c->remotes[0].tls.enabled);
	assert_address(&c->remotes[1].address, "2001:db8:1::1@5353");
	assert_null(c->remotes[1].key);
	assert_address(&c->remotes[2].address, "198.51.100.2@853");
	assert_true(c->remotes[2].tls.enabled);
	assert_string_equal(c->remotes[2].tls.name, "sec2.example.net");
	assert_string_equal(c->remotes[2].tls.ca, good_path("ca.pem"));
	assert_int_equal(c->remotes[2].tls.n_pin, 0);
	assert_null(c->remotes[2].tls.certificate);
	const struct config_remote_tls *pinned = &c->remotes[3].tls;
	assert_null(pinned->name);
	assert_int_equal(pinned->n_pin, 2);
	assert_memory_equal(pinned->pin[0].sha256, "\x2c\xf2\x4d\xba\x5f", 5);
	assert_memory_equal(pinned->pin[1].sha256, "\x2d\x71\x16", 3);
	assert_string_equal(pinned->certificate, good_path("f.pem"));
	assert_string_equal(pinned->key, good_path("f.key"));

	assert_int_equal(c->n_acls, 4);
	assert_int_equal(c->acls[0].n_address, 2);
	assert_int_equal(c->acls[0].address[0].bits, 8);
	assert_int_equal(c->acls[0].address[1].bits, 128);
	assert_ptr_equal(c->acls[0].key, &keys[0]);
	assert_int_equal(c->acls[1].n_address, 0);
	assert_ptr_equal(c->acls[1].key, &keys[1]);
	assert_int_equal(c->acls[1].n_transport, 0);
	assert_int_equal(c->acls[2].n_transport, 2);
	assert_int_equal(c->acls[2].transport[0], CONFIG_TRANSPORT_TLS);
	assert_int_equal(c->acls[2].transport[1], CONFIG_TRANSPORT_TCP);
	assert_int_equal(c->acls[3].n_transport, 1);
	assert_int_equal(c->acls[3].transport[0], CONFIG_TRANSPORT_UDP);
}

static void
check_full_policy(const struct config *c)
{
	const struct config_update_rule *rule = c->zones[0].settings->update_policy;
	assert_int_equal(c->zones[0].settings->n_update_policy, 3);
	assert_ptr_equal(rule[0].key, &c->keys[1]);
	assert_int_equal(rule[0].n_name, 2);
	assert_name(&rule[0].name[0], "_acme-challenge.example.com.");
	assert_name(&rule[0].name[1], "*.dyn.example.com.");
	assert_int_equal(rule[0].n_types, 2);
	assert_int_equal(rule[0].types[0], RRTYPE_TXT);
	assert_int_equal(rule[0].types[1], 65280);
	assert_ptr_equal(rule[1].key, &c->keys[1]);
	assert_int_equal(rule[1].n_name, 1);
	assert_int_equal(rule[1].n_types, 0);
	assert_ptr_equal(rule[2].key, &c->keys[0]);
	assert_name(&rule[2].name[0], "*.");
	assert_int_equal(rule[2].types[0], RRTYPE_ANY);
	assert_int_equal(c->zones[0].settings->serial_policy, CONFIG_SERIAL_DATE);
	assert_int_equal(c->zones[0].settings->forward_updates, CONFIG_FORWARD_NOT);
	assert_int_equal(c->zones[1].settings->n_update_policy, 0);
	assert_int_equal(c->zones[1].settings->serial_policy, CONFIG_SERIAL_INCREMENT);
	assert_int_equal(c->zones[1].settings->forward_updates, CONFIG_FORWARD_TO_PRIMARY);
}

static void
check_full_zones(const struct config *c)
{
	const struct config_entry *z = c->zones;
	assert_int_equal(c->n_zones, 2);
	assert_zone_name(z[0].name, "example.com.");
	assert_int_equal(z[0].settings->role, CONFIG_PRIMARY);
	assert_string_equal(z[0].file, "/etc/anser/zones/example.com.zone");
	assert_int_equal(z[0].settings->n_notify, 1);
	assert_ptr_equal(z[0].settings->notify[0], &c->remotes[1]);
	assert_ptr_equal(z[0].settings->allow_transfer[0], &c->acls[0]);
	assert_ptr_equal(z[0].settings->allow_update[0], &c->acls[1]);
	assert_int_equal(z[0].settings->zonemd, CONFIG_ZONEMD_REQUIRE);
	check_full_policy(c);
	assert_int_equal(z[1].settings->role, CONFIG_SECONDARY);
	assert_null(z[1].file);
	assert_ptr_equal(z[1].settings->primaries[0], &c->remotes[0]);
	assert_int_equal(z[1].settings->zonemd, CONFIG_ZONEMD_WARN);
	assert_int_equal(z[1].settings->refresh_min_s, 2);
	assert_int_equal(z[1].settings->refresh_max_s, 28 * 86400);
	assert_int_equal(z[1].settings->transfer_limits.size_bytes, 64ull << 30);
	assert_int_equal(z[1].settings->transfer_limits.records, 500000000);
	assert_int_equal(z[1].settings->transfer_limits.per_type, 10000);
	assert_int_equal(z[1].settings->transfer_limits.types_per_name, 1000);
	assert_int_equal(z[1].settings->transfer_limits.time_ms, 3600000);
	assert_int_equal(c->n_catalogs, 2);
	assert_zone_name(c->catalogs[0].name, "catalog.example.");
	assert_int_equal(c->catalogs[0].zone.role, CONFIG_SECONDARY);
	assert_false(c->catalogs[0].produce.enabled);
	assert_ptr_equal(c->catalogs[0].member.primaries[0], &c->remotes[0]);
	assert_ptr_equal(c->catalogs[0].member.template, &c->templates[0]);
	assert_name(&c->catalogs[0].admit[0], "*.example.");
	assert_true(c->catalogs[1].produce.enabled);
	assert_int_equal(c->catalogs[1].zone.role, CONFIG_PRIMARY);
	assert_int_equal(c->catalogs[1].zone.n_allow_transfer, 1);
	assert_int_equal(c->catalogs[1].produce.n_zones, 1);
	assert_name(&c->catalogs[1].produce.zones[0], "*.example.");
	assert_string_equal(c->catalogs[1].produce.group, "customer");
}

static void
the_full_example_loads(void **state)
{
	(void)state;
	static const uint8_t second[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
					 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};
	struct config *c = load_good("full.yaml");
	check_full_server(c);
	check_full_keys(c);
	check_full_zones(c);
	assert_int_equal(c->limits.rate_per_s, 50);
	assert_int_equal(c->cookies.n_secrets, 2);
	assert_int_equal(c->cookies.secrets[0][15], 15);
	assert_memory_equal(c->cookies.secrets[1], second, sizeof(second));
	assert_true(c->anycast.enabled);
	assert_string_equal(c->anycast.interface, "anser0");
	assert_int_equal(c->anycast.table, 153);
	assert_int_equal(c->anycast.n_prefixes, 1);
	assert_int_equal(c->anycast.prefixes[0].bits, 24);
	assert_int_equal(c->anycast.hold_down_ms, 10000);
	assert_int_equal(c->anycast.drain_wait_ms, 60000);
	assert_true(c->metrics.enabled);
	assert_address(&c->metrics.listen, "127.0.0.1@9533");
	assert_string_equal(c->dnstap.socket, "/run/dnstap.sock");
	assert_int_equal(c->dnstap.sample_take, 1);
	assert_int_equal(c->dnstap.sample_of, 1000);
	config_free(c);
}

static void
relative_things_are_resolved(void **state)
{
	(void)state;
	struct config *c = load_good("relative.yaml");
	assert_string_equal(c->server.state_dir, good_path("state"));
	assert_string_equal(c->server.run_dir, good_path("../run"));
	assert_string_equal(c->server.zone_dir, good_path("zones"));
	assert_string_equal(c->server.identity, "");
	assert_string_equal(c->server.user, "");
	assert_string_equal(c->server.version, "1.0");
	assert_string_equal(c->zones[0].file, good_path("zones/sub.zone"));
	assert_zone_name(c->zones[0].name, "sub.example.com.");
	assert_string_equal(c->zones[1].file, "/srv/root.zone");
	assert_zone_name(c->zones[1].name, ".");
	assert_int_equal(c->zones[2].settings->n_primaries, 1);
	assert_ptr_equal(c->zones[2].settings->primaries[0], &c->remotes[0]);
	assert_ptr_equal(c->zones[2].settings->allow_notify[0], &c->acls[0]);
	assert_address(&c->remotes[0].address, "2001:db8::1@853");
	assert_null(c->remotes[0].tls.ca);
	assert_int_equal(c->dataplane.n_cores, 1);
	assert_int_equal(c->dataplane.cores[0], 4);
	assert_int_equal(c->dataplane.hugepages, CONFIG_HUGEPAGES_OFF);
	assert_int_equal(c->acls[0].n_address, 4);
	assert_int_equal(c->acls[0].address[0].bits, 0);
	/* An empty section is there, with its defaults; an empty list is none. */
	assert_true(c->metrics.enabled);
	assert_address(&c->metrics.listen, "127.0.0.1@9533");
	assert_int_equal(c->limits.burst, 125);
	assert_int_equal(c->n_keys + c->n_templates, 0);
	config_free(c);
}

static void
check_templated_zones(const struct config *c)
{
	const struct config_zone *plain = c->zones[0].settings, *own = c->zones[1].settings;
	assert_zone_name(c->zones[0].name, "plain.example.");
	assert_ptr_equal(plain->template, &c->templates[0]);
	assert_int_equal(plain->role, CONFIG_SECONDARY);
	assert_int_equal(plain->n_primaries, 2);
	assert_ptr_equal(plain->primaries[1], &c->remotes[1]);
	assert_int_equal(plain->refresh_min_s, 60);
	assert_int_equal(plain->refresh_max_s, 3600);
	assert_int_equal(plain->retry_min_s, 1);
	assert_int_equal(plain->transfer_limits.size_bytes, 1 << 30);
	assert_int_equal(plain->transfer_limits.time_ms, 300000);
	assert_int_equal(plain->transfer_limits.per_type, 10000);
	/* Keys of its own win one by one, inside transfer-limits too; an empty list is a value. */
	assert_int_equal(own->n_primaries, 1);
	assert_ptr_equal(own->primaries[0], &c->remotes[1]);
	assert_int_equal(own->n_allow_transfer, 0);
	assert_int_equal(own->n_allow_notify, 1);
	assert_int_equal(own->refresh_min_s, 120);
	assert_int_equal(own->refresh_max_s, 3600);
	assert_int_equal(own->transfer_limits.size_bytes, 1 << 30);
	assert_int_equal(own->transfer_limits.time_ms, 600000);
	/* A template may bring the file; a secondary takes no updates whatever its template says. */
	assert_string_equal(c->zones[2].file, "/etc/anser/zones/parked.zone");
	assert_int_equal(c->zones[2].settings->role, CONFIG_PRIMARY);
	assert_int_equal(c->zones[2].settings->n_notify, 1);
	assert_int_equal(c->zones[3].settings->n_notify, 0);
	assert_int_equal(c->zones[4].settings->n_allow_update, 0);
	assert_int_equal(c->zones[4].settings->retry_max_s, 86400);
	assert_int_equal(c->zones[5].settings->n_allow_update, 1);
	assert_int_equal(c->zones[4].settings->n_update_policy, 0);
	assert_int_equal(c->zones[4].settings->forward_updates, CONFIG_FORWARD_TO_PRIMARY);
	assert_int_equal(c->zones[5].settings->n_update_policy, 1);
	assert_name(&c->zones[5].settings->update_policy[0].name[0], "a.example.");
	assert_int_equal(c->zones[5].settings->serial_policy, CONFIG_SERIAL_UNIXTIME);
}

static void
templates_are_applied(void **state)
{
	(void)state;
	struct config *c = load_good("templates.yaml");
	check_templated_zones(c);
	const struct config_catalog *one = &c->catalogs[0], *two = &c->catalogs[1], *three = &c->catalogs[2];
	assert_int_equal(one->zone.n_primaries, 1);
	assert_int_equal(one->zone.refresh_max_s, 10);
	assert_int_equal(one->member.n_primaries, 2);
	assert_int_equal(one->member.refresh_max_s, 3600);
	assert_int_equal(one->n_admit, 0);
	/* Where the template has no primaries, members come from where the catalog comes from. */
	assert_ptr_equal(two->member.primaries[0], &c->remotes[1]);
	assert_int_equal(two->member.retry_max_s, 86400);
	assert_int_equal(two->member.n_allow_update, 0);
	assert_int_equal(two->member.n_update_policy, 0);
	assert_int_equal(two->member.forward_updates, CONFIG_FORWARD_TO_PRIMARY);
	assert_int_equal(two->member.role, CONFIG_SECONDARY);
	assert_int_equal(two->n_admit, 3);
	assert_name(&two->admit[0], "exact.example.");
	assert_name(&two->admit[2], "*.");
	assert_null(three->member.template);
	assert_int_equal(three->member.n_primaries, 2);
	assert_int_equal(three->member.refresh_min_s, 2);
	assert_int_equal(three->member.transfer_limits.records, 500000000);
	config_free(c);
}

/* Zones that say no more than their name and file share their settings, in whatever order they come. */
static void
equal_settings_are_kept_once(void **state)
{
	(void)state;
	struct config *c;
	char *said = load_text("server: {listen: 192.0.2.53}\nacls: [{id: a, address: 192.0.2.1}]\n"
			       "templates: [{id: t, allow-transfer: [a]}, {id: u, zonemd: off}]\nzones:\n"
			       "- {name: a.test, file: a, template: t}\n- {name: b.test, file: b}\n"
			       "- {name: c.test, file: c, template: t}\n- {name: d.test, file: d}\n"
			       "- {name: e.test, file: e, template: u}\n"
			       "- {name: f.test, file: f, template: t, zonemd: off}\n"
			       "- {name: g.test, file: g, allow-transfer: [a]}\n",
			       0, &c);
	const struct config_entry *z = c->zones;
	assert_ptr_equal(z[0].settings, z[2].settings);
	assert_ptr_equal(z[1].settings, z[3].settings);
	assert_ptr_equal(z[0].settings->template, &c->templates[0]);
	assert_int_equal(z[0].settings->n_allow_transfer, 1);
	assert_null(z[1].settings->template);
	assert_int_equal(z[4].settings->zonemd, CONFIG_ZONEMD_OFF);
	assert_int_equal(z[5].settings->zonemd, CONFIG_ZONEMD_OFF);
	assert_int_equal(z[5].settings->n_allow_transfer, 1);
	assert_ptr_equal(z[6].settings->allow_transfer[0], &c->acls[0]);
	for (unsigned i = 0; i < c->n_zones; i++)
		for (unsigned j = 4; j < i; j++)
			assert_ptr_not_equal(z[i].settings, z[j].settings);
	free(said);
	config_free(c);
}

/* -------- secret files -------- */

#define LISTEN "server: {listen: 192.0.2.53}\n"

static void
secret_files_of_everybody_are_warned_about(void **state)
{
	(void)state;
	struct config *c;
	char want[512];
	file_write(good_path("open.secret"), "YW5vdGhlciBzZWNyZXQgbWFkZSB1cCBmb3IgdGVzdHM=\r\nsecond line\n", 0640);
	char *said = load_text(LISTEN "keys:\n  - {id: a, secret-file: open.secret}\n", 0, &c);
	snprintf(
		want, sizeof(want),
		"%s/text.yaml:3:26: warning: secret-file: %s/open.secret can be read or written by others than its "
		"owner; chmod 600 it\n",
		good_dir, good_dir);
	assert_string_equal(said, want);
	assert_int_equal(c->keys[0].secret_len, 32);
	config_free(c);
	free(said);
}

static void
expect_said(const char *yaml, const char *place, const char *rest)
{
	char want[512];
	char *said = load_text(yaml, -EINVAL, NULL);
	snprintf(want, sizeof(want), "%s/text.yaml:%s: error: secret-file: %s/%s\n", good_dir, place, good_dir,
		 rest);
	assert_string_equal(said, want);
	free(said);
}

static void
bad_secret_files_are_reported_without_the_secret(void **state)
{
	(void)state;
	static const char key[] = LISTEN "keys:\n  - {id: a, secret-file: s}\n";
	static const char cookie[] = LISTEN "cookies: {secret-file: s}\n";
	file_write(good_path("s"), "not base64!\n", 0600);
	expect_said(key, "3:26", "s: not base64: character 4 is none of A-Z a-z 0-9 + / (the secret is not shown)");
	expect_said(cookie, "2:24", "s:1: character 1 is no hexadecimal digit; write 32 of them");
	file_write(good_path("s"), "", 0600);
	expect_said(key, "3:26", "s: empty; give the shared secret in base64");
	expect_said(cookie, "2:24", "s is empty; fill it with \"openssl rand -hex 16\"");
	file_write(good_path("s"), "000102030405060708090a0b0c0d0e0f\n00\n", 0600);
	expect_said(cookie, "2:24", "s:2: 2 hexadecimal digits; write 32 of them");
	file_write(good_path("s"),
		   "000102030405060708090a0b0c0d0e0f\n000102030405060708090a0b0c0d0e0f\n"
		   "000102030405060708090a0b0c0d0e0f\n",
		   0600);
	expect_said(cookie, "2:24", "s has more than 2 secrets; keep the one in use and the one before or after");
}

static void
secret_files_of_strange_kinds_are_refused(void **state)
{
	(void)state;
	char *said = load_text(LISTEN "keys: [{id: a, secret-file: /}]\n", -EINVAL, NULL);
	assert_non_null(strstr(said, "secret-file: cannot read /: Is a directory\n"));
	free(said);
	said = load_text(LISTEN "keys: [{id: a, secret-file: /dev/zero}]\n", -EINVAL, NULL);
	assert_non_null(strstr(said, "secret-file: cannot read /dev/zero: this is no file with a secret\n"));
	free(said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bad_one_gives_its_lines),
		cmocka_unit_test(unreadable_files_say_why),
		cmocka_unit_test(earlier_diagnostics_stay_in_front),
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(the_full_example_loads),
		cmocka_unit_test(relative_things_are_resolved),
		cmocka_unit_test(templates_are_applied),
		cmocka_unit_test(equal_settings_are_kept_once),
		cmocka_unit_test(secret_files_of_everybody_are_warned_about),
		cmocka_unit_test(bad_secret_files_are_reported_without_the_secret),
		cmocka_unit_test(secret_files_of_strange_kinds_are_refused),
	};
	return cmocka_run_group_tests(tests, copy_good, remove_good);
}
