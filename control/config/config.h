/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one YAML file, read once, as plain data.
 *
 * config_load() reads, completes and checks the whole file before anybody sees a byte of it. What it hands over
 * is finished: defaults are filled in, names are wire names in lower case, addresses are socket addresses with a
 * port, relative paths are joined with the directory they are relative to, secrets are decoded, templates are
 * applied, and every reference to a key, remote, acl or template is a pointer to it. So the rest of the server
 * reads fields and never parses, looks up or checks again.
 *
 * The keys are described once, in the table of config_schema.c: it drives reading, defaults, range checks, the
 * nearest-key suggestions, the operator reference and the JSON Schema (config_reference.h). A key of the file
 * called `idle-timeout` in section `tcp` is the field `tcp.idle_timeout_ms` here: the same words, with the unit.
 *
 * Ownership: a struct config and everything it points to live and die together; nothing in it is freed alone.
 * It never changes after config_load(), so any thread may read it while somebody holds it. A reload makes a new
 * one; the old one goes when its owner (the control thread) and all others who hold it have given it back. Nothing
 * of RCU here.
 *
 * A list is a pointer and a count `n_...`; an empty list may be NULL. Strings are never NULL unless said so.
 */
#ifndef ANSER_CONTROL_CONFIG_H
#define ANSER_CONTROL_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "zones/base/compiler.h"
#include "zones/base/diag.h"
#include "zones/wire/name.h"

#define CONFIG_PORT_DNS 53
#define CONFIG_PORT_TLS 853 /* RFC 7858 section 3.1, RFC 9103 section 7.1 */
#define CONFIG_PORT_METRICS 9533
#define CONFIG_COOKIE_SECRET_LEN 16 /* octets (RFC 9018 section 4) */
#define CONFIG_COOKIE_SECRETS_MAX 2 /* the one that signs, and the one before it while it is rolled over */

/* An address with its port: ready for bind(2), connect(2) and sendto(2) as (&a->any, a->len). */
struct config_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

/* An address prefix; the octets after `bits` bits are zero. */
struct config_prefix {
	sa_family_t family; /* AF_INET or AF_INET6 */
	uint8_t bits;       /* 0..32 or 0..128 */
	uint8_t octets[16]; /* network order; IPv4 uses the first 4 */
};

/* -------- server -------- */

enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

struct config_log {
	enum config_log_format format;
	enum config_log_level level;
};

struct config_server {
	const char *identity;          /* at most 255 octets; "": NSID and id.server are off */
	const char *version;           /* at most 255 octets; "": version.bind is refused */
	struct config_address *listen; /* service addresses, no two alike, at least one */
	unsigned n_listen;
	const char *state_dir; /* absolute, or relative to the working directory as the config file is */
	const char *run_dir;
	const char *zone_dir;
	const char *user;           /* "": stay who we are */
	uint32_t udp_payload_bytes; /* 512..4096 */
	struct config_log log;
};

/* -------- dataplane -------- */

enum config_mode { CONFIG_MODE_KERNEL, CONFIG_MODE_AF_PACKET, CONFIG_MODE_AF_XDP, CONFIG_MODE_DPDK };
enum config_exception { CONFIG_EXCEPTION_AUTO, CONFIG_EXCEPTION_KERNEL, CONFIG_EXCEPTION_TAP };
enum config_idle { CONFIG_IDLE_ADAPTIVE, CONFIG_IDLE_BUSY };
enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_OFF, CONFIG_HUGEPAGES_REQUIRED };

struct config_port {
	const char *device; /* interface, PCI address or DPDK vdev string; no two alike */
	uint32_t queues;    /* 0: one per core */
	enum config_exception exception;
};

struct config_dataplane {
	enum config_mode mode;
	struct config_port *ports; /* none in kernel mode, at least one in every other */
	unsigned n_ports;
	unsigned *cores; /* CPU numbers, ascending, no two alike, at least one; not checked for being there */
	unsigned n_cores;
	enum config_idle idle;
	uint64_t memory_bytes;
	enum config_hugepages hugepages;
	const char **eal_args; /* given to DPDK's EAL as they are, after our own */
	unsigned n_eal_args;
};

/* -------- tcp and tls -------- */

struct config_tcp {
	uint32_t threads;
	uint64_t idle_timeout_ms;
	uint32_t max_connections;
	uint32_t max_per_source;
};

struct config_tls {
	bool enabled; /* the section is there; else nothing below is meant */
	struct config_address *listen;
	unsigned n_listen;
	const char *certificate; /* path, PEM chain */
	const char *key;         /* path, PEM */
	const char *client_ca;   /* path, PEM; clients are asked for certificates of these; NULL: not asked */
};

/* -------- keys, remotes, acls -------- */

/* HMAC-MD5 is absent on purpose: it MAY be implemented, but MUST NOT be used (RFC 8945 section 6). */
enum config_algorithm {
	CONFIG_HMAC_SHA1,
	CONFIG_HMAC_SHA224,
	CONFIG_HMAC_SHA256,
	CONFIG_HMAC_SHA384,
	CONFIG_HMAC_SHA512,
};

/* The algorithm's name in configurations and in TSIG records, without the closing dot: "hmac-sha256". */
const char *config_algorithm_text(enum config_algorithm algorithm);

struct config_key {
	const char *id;   /* as written */
	struct name name; /* the id as the TSIG key name, lower case */
	enum config_algorithm algorithm;
	const uint8_t *secret;   /* decoded, from secret or secret-file; wiped by config_free() */
	unsigned secret_len;     /* octets, at least 1 */
	const char *secret_file; /* path, or NULL */
};

#define CONFIG_PIN_LEN 32 /* octets: SHA-256 */

/* The SHA-256 of a certificate's public key, as SubjectPublicKeyInfo in DER (RFC 7858 section 4.2). */
struct config_pin {
	uint8_t sha256[CONFIG_PIN_LEN];
};

/* How a remote proves who it is: by name, by pins, or by both. At least one is there, and all that is must hold. */
struct config_remote_tls {
	bool enabled;
	const char *name;       /* domain name or address that its certificate must carry; NULL: pins alone */
	const char *ca;         /* with a name: path of trusted certificates, PEM; NULL: the system's */
	struct config_pin *pin; /* its key must have one of these; none: any */
	unsigned n_pin;
	const char *certificate; /* path, PEM chain: what we prove ourselves with; NULL: nothing */
	const char *key;         /* path, PEM; there when certificate is */
};

struct config_remote {
	const char *id;
	struct config_address address; /* default port 53, with tls 853 */
	const struct config_key *key;  /* NULL: unsigned */
	struct config_remote_tls tls;
};

/* In the order of the schema's words. */
enum config_transport { CONFIG_TRANSPORT_UDP, CONFIG_TRANSPORT_TCP, CONFIG_TRANSPORT_TLS };

/*
 * Matches when every part given matches: the source lies in one of `address` (if any), `key` (if any) signed, and
 * the request came over one of `transport` (if any). See acl.h.
 */
struct config_acl {
	const char *id;
	struct config_prefix *address;
	unsigned n_address;
	const struct config_key *key; /* NULL: no signature asked for */
	enum config_transport *transport;
	unsigned n_transport; /* 0: any */
};

/* -------- zones, templates, catalogs -------- */

enum config_role { CONFIG_PRIMARY, CONFIG_SECONDARY };

/* What a transfer may at most bring before it is refused. */
struct config_transfer_limits {
	uint64_t size_bytes; /* of messages received, and of memory for what is made of them */
	uint64_t records;
	uint32_t per_type; /* records in one set */
	uint32_t types_per_name;
	uint64_t time_ms; /* from the first octet to the last */
};

/* What to make of a zone's own digest. In the order of the schema's words. */
enum config_zonemd { CONFIG_ZONEMD_OFF, CONFIG_ZONEMD_WARN, CONFIG_ZONEMD_REQUIRE };

/* The serial that an UPDATE leads to, unless it sets one itself. Always a newer one (RFC 1982). */
enum config_serial_policy { CONFIG_SERIAL_INCREMENT, CONFIG_SERIAL_UNIXTIME, CONFIG_SERIAL_DATE };

/* An UPDATE to a secondary. */
enum config_forward_updates { CONFIG_FORWARD_NOT, CONFIG_FORWARD_TO_PRIMARY };

/* What one key may change by UPDATE: records whose owner is one of the names, and whose type is one of the types.
 */
struct config_update_rule {
	const struct config_key *key;
	struct name *name; /* lower case; a leading `*` label is everything below the rest, else that name alone */
	unsigned n_name;
	uint16_t *types; /* none: all but SOA, NS, RRSIG, NSEC and NSEC3; RRTYPE_ANY: all */
	unsigned n_types;
};

/* What holds for one zone; a template that it names has been applied already. */
struct config_zone {
	const uint8_t *name; /* wire form, lower case; in templates and catalog members the root, without meaning */
	enum config_role role; /* primary: file is set (but for catalogs that we make); secondary: primaries are */
	const char *file;      /* path; NULL for secondaries */
	const struct config_remote **primaries; /* in the order of preference */
	unsigned n_primaries;
	const struct config_remote **notify;
	unsigned n_notify;
	const struct config_acl **allow_transfer; /* none: refused */
	unsigned n_allow_transfer;
	const struct config_acl **allow_update; /* none: refused */
	unsigned n_allow_update;
	struct config_update_rule *update_policy; /* none: who may update may change everything */
	unsigned n_update_policy;
	enum config_serial_policy serial_policy;
	enum config_forward_updates forward_updates; /* secondaries */
	const struct config_acl **allow_notify;      /* besides the primaries' own addresses */
	unsigned n_allow_notify;
	const struct config_template *template; /* NULL: none */
	uint32_t primary_pin_s; /* stay with the primary of the present data so long; 0: the newest serial wins */
	uint32_t refresh_min_s, refresh_max_s; /* the SOA's timers are held between these */
	uint32_t retry_min_s, retry_max_s;
	uint32_t expire_min_s, expire_max_s;
	enum config_zonemd zonemd;
	struct config_transfer_limits transfer_limits;
	uint32_t line; /* where in the config file: for later messages about this zone */
};

struct config_template {
	const char *id;
	struct config_zone zone;
};

/* A catalog that we make, of our own zones. */
struct config_produce {
	bool enabled;
	struct name *zones; /* which; as admit */
	unsigned n_zones;
	const char *group; /* of all its members; NULL: none */
};

struct config_catalog {
	struct config_zone zone;   /* the catalog itself: secondary, or, with produce, primary without a file */
	struct config_zone member; /* what its members are configured with: the template, primaries filled in */
	struct name *admit;        /* lower case; a leading `*` label admits everything below the rest; none: all */
	unsigned n_admit;
	struct config_produce produce; /* else the catalog is transferred, and its members are served */
};

/* -------- the rest -------- */

struct config_limits {
	uint32_t rate_per_s; /* answers a second and source; 0: off */
	uint32_t burst;
	uint32_t slip; /* every slip-th answer over the rate goes out truncated; 0: none, all dropped */
};

enum config_cookie_mode { CONFIG_COOKIES_ON, CONFIG_COOKIES_REQUIRED, CONFIG_COOKIES_OFF };

struct config_cookies {
	enum config_cookie_mode mode;
	const char *secret_file; /* NULL: a random secret for the life of the process */
	uint8_t secrets[CONFIG_COOKIE_SECRETS_MAX][CONFIG_COOKIE_SECRET_LEN]; /* the first signs, all verify */
	unsigned n_secrets;
};

struct config_anycast {
	bool enabled;
	const char *interface; /* shorter than IFNAMSIZ */
	uint32_t table;        /* kernel routing table */
	struct config_prefix *prefixes;
	unsigned n_prefixes;
	uint64_t interval_ms;  /* between two health checks */
	uint32_t fall;         /* checks failed in a row before the withdrawal */
	uint64_t hold_down_ms; /* healthy for so long before announcing again */
	uint32_t drain_metric;
	uint64_t drain_wait_ms;
};

struct config_metrics {
	bool enabled;
	struct config_address listen;
};

struct config_dnstap {
	bool enabled;
	const char *socket;              /* path */
	uint32_t sample_take, sample_of; /* 1/1000: one query of a thousand */
};

struct config {
	const char *path; /* the file, as given to config_load() */
	struct config_server server;
	struct config_dataplane dataplane;
	struct config_tcp tcp;
	struct config_tls tls;
	struct config_key *keys;
	unsigned n_keys;
	struct config_remote *remotes;
	unsigned n_remotes;
	struct config_acl *acls;
	unsigned n_acls;
	struct config_template *templates;
	unsigned n_templates;
	struct config_zone *zones; /* in the order of the file; no two of one name */
	unsigned n_zones;
	struct config_catalog *catalogs;
	unsigned n_catalogs;
	struct config_limits limits;
	struct config_cookies cookies;
	struct config_anycast anycast;
	struct config_metrics metrics;
	struct config_dnstap dnstap;
};

/*
 * Reads and checks the file at `path` and every secret file it names. Returns 0 and a configuration that the
 * caller frees with config_free(); else *out is untouched and the result is -EINVAL (the file has faults),
 * -ENOMEM, or -errno of opening or reading it. Every fault found is in *diag, in the order of the file; so are
 * warnings, with success too. Touches the file system, the host name and the CPU mask: not for a worker.
 */
int config_load(const char *path, struct config **out, struct diag_list *diag) MUST_CHECK;

/* One more who reads it, perhaps beyond a reload; to be given back with config_free(). Any thread; returns it. */
const struct config *config_hold(const struct config *c);

/* The last one wipes the secrets and frees everything. Any thread; NULL is allowed. */
void config_free(const struct config *c);

#define CONFIG_ADDRESS_TEXT_MAX 56 /* an IPv6 address, `@`, a port and the NUL */

/* Writes `address@port`, as in the file, into out[CONFIG_ADDRESS_TEXT_MAX]; returns `out`. */
const char *config_address_text(const struct config_address *address, char *out);

/* True when the address (of either family; IPv4 inside IPv6 is not unfolded) lies in the prefix. */
bool config_prefix_contains(const struct config_prefix *prefix, const struct sockaddr *address);

#endif
