/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of every configuration key. See config_schema.h for who walks it.
 *
 * To add a key: one row here, one field in config.h. What a row cannot say about its neighbours goes into
 * config_check.c. Root rows are read in this order whatever the order of the file, so a section may refer to those
 * above it.
 */
#include "control/config/config_schema.h"

#include <net/if.h>
#include <string.h>

/* Left as it is by the formatter, which would give each field of a row a line of its own. */
/* clang-format off */

#define S(s) ((uint64_t)(s) * 1000)
#define DAYS(d) S((d) * 86400ull)
#define MIB(m) ((uint64_t)(m) << 20)
#define FIELD(type, member) .offset = offsetof(type, member), .size = (uint16_t)sizeof(((type *)NULL)->member)
#define LIST(type, member) .offset = offsetof(type, member), .second = offsetof(type, n_##member)
#define PART(array) {array, ARRAY_LEN(array), 0}
#define PART_AT(array, type, member) {array, ARRAY_LEN(array), offsetof(type, member)}

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const modes[] = {"kernel", "af_packet", "af_xdp", "dpdk", NULL};
static const char *const exceptions[] = {"auto", "kernel", "tap", NULL};
static const char *const idles[] = {"adaptive", "busy", NULL};
static const char *const hugepages[] = {"auto", "off", "required", NULL};
static const char *const zonemd_modes[] = {"off", "warn", "require", NULL};
static const char *const transports[] = {"udp", "tcp", "tls", NULL};
static const char *const serial_policies[] = {"increment", "unixtime", "date", NULL};
static const char *const switches[] = {"false", "true", NULL};
static const char *const cookie_modes[] = {"on", "required", "off", NULL};
static const char *const algorithms[] = {"hmac-sha1",   "hmac-sha224", "hmac-sha256",
	                                 "hmac-sha384", "hmac-sha512", NULL};
#define MD5_REFUSED "is switched off, as RFC 8945 forbids its use; take hmac-sha256 at both ends"
static const char *const algorithms_refused[] = {"hmac-md5", MD5_REFUSED, "hmac-md5.sig-alg.reg.int", MD5_REFUSED,
	                                         NULL};

const char *
config_algorithm_text(enum config_algorithm algorithm)
{
	return algorithms[algorithm];
}

/* -------- server -------- */

static const struct config_row log_rows[] = {
	{.key = "format", .kind = CONFIG_KIND_WORD, FIELD(struct config_log, format), .words = log_formats,
	 .preset = "text", .doc = "How log lines are written to standard error."},
	{.key = "level", .kind = CONFIG_KIND_WORD, FIELD(struct config_log, level), .words = log_levels,
	 .preset = "info", .doc = "The least important messages that are still written."},
};

static const struct config_section log_section = {
	.path = "server.log",
	.doc = "What is logged, and how.",
	.size = sizeof(struct config_log),
	.parts = {PART(log_rows)},
};

static const struct config_row server_rows[] = {
	{.key = "identity", .kind = CONFIG_KIND_TEXT, FIELD(struct config_server, identity), .max = 255,
	 .preset_doc = "the host name", .example = "fra1-a",
	 .doc = "The name of this server in NSID, id.server and hostname.bind, at most 255 octets; empty turns "
	        "them off."},
	{.key = "version", .kind = CONFIG_KIND_TEXT, FIELD(struct config_server, version), .max = 255, .preset = "",
	 .doc = "The answer to version.bind and version.server; empty refuses the question."},
	{.key = "listen", .kind = CONFIG_KIND_ADDRESS, .flags = CONFIG_LIST | CONFIG_REQUIRED,
	 LIST(struct config_server, listen), .port = CONFIG_PORT_DNS,
	 .example = "[192.0.2.53, \"2001:db8::53\", \"127.0.0.1@5300\"]",
	 .doc = "The service addresses, as address or address@port; the port is 53 if none is given."},
	{.key = "state-dir", .kind = CONFIG_KIND_PATH, FIELD(struct config_server, state_dir),
	 .preset = "/var/lib/anser", .doc = "The directory of the journal and of the verified zone data."},
	{.key = "run-dir", .kind = CONFIG_KIND_PATH, FIELD(struct config_server, run_dir), .preset = "/run/anser",
	 .doc = "The directory of the control socket anser.sock."},
	{.key = "zone-dir", .kind = CONFIG_KIND_PATH, FIELD(struct config_server, zone_dir),
	 .preset = "/etc/anser/zones", .doc = "The directory that relative zone files lie in."},
	{.key = "user", .kind = CONFIG_KIND_TEXT, FIELD(struct config_server, user), .max = 255, .preset = "anser",
	 .doc = "The user that the server becomes after a start as root; empty stays root."},
	{.key = "udp-payload", .kind = CONFIG_KIND_COUNT, FIELD(struct config_server, udp_payload_bytes),
	 .min = 512, .max = 4096, .preset = "1232",
	 .doc = "The largest answer over UDP in octets, and the size offered in EDNS; over 1232 answers may be "
	        "fragmented or lost on the way."},
	{.key = "log", .kind = CONFIG_KIND_SECTION, FIELD(struct config_server, log), .section = &log_section,
	 .example = "{format: text, level: info}", .doc = "What is logged, and how."},
};

static const struct config_section server_section = {
	.path = "server",
	.doc = "The server as a whole: who it is, where it listens, where its files are.",
	.size = sizeof(struct config_server),
	.parts = {PART(server_rows)},
	.check = config_check_server,
};

/* -------- dataplane -------- */

static const struct config_row port_rows[] = {
	{.key = "device", .kind = CONFIG_KIND_TEXT, .flags = CONFIG_REQUIRED, FIELD(struct config_port, device),
	 .min = 1, .max = 255, .example = "eth1",
	 .doc = "The network interface, the PCI address or the DPDK vdev string of the port."},
	{.key = "queues", .kind = CONFIG_KIND_COUNT, FIELD(struct config_port, queues), .min = 1, .max = 1024,
	 .preset_doc = "one per core", .example = "4", .doc = "How many receive and transmit queues are used."},
	{.key = "exception", .kind = CONFIG_KIND_WORD, FIELD(struct config_port, exception), .words = exceptions,
	 .preset = "auto",
	 .doc = "How packets that are not DNS over UDP reach the kernel: kernel where it keeps the NIC (af_xdp, "
	        "af_packet, bifurcated drivers), tap through an interface of our own."},
};

static const struct config_section port_section = {
	.path = "dataplane.ports",
	.what = "port",
	.doc = "The network ports to serve; not for mode kernel, required for every other.",
	.size = sizeof(struct config_port),
	.parts = {PART(port_rows)},
};

static const struct config_row dataplane_rows[] = {
	{.key = "mode", .kind = CONFIG_KIND_WORD, FIELD(struct config_dataplane, mode), .words = modes,
	 .preset = "kernel",
	 .doc = "How packets come in: over the kernel's UDP sockets, or past them over AF_PACKET, AF_XDP or a DPDK "
	        "driver; past the kernel, ARP and ND are answered here only where the kernel does not see them."},
	{.key = "ports", .kind = CONFIG_KIND_SECTION, .flags = CONFIG_LIST, LIST(struct config_dataplane, ports),
	 .section = &port_section, .example = "[{device: eth1, queues: 4}]",
	 .doc = "The network ports to serve; not for mode kernel, required for every other."},
	{.key = "cores", .kind = CONFIG_KIND_CORES, LIST(struct config_dataplane, cores), .preset = "all",
	 .preset_doc = "every CPU that the process may run on", .example = "\"2-15,17\"",
	 .doc = "The numbers of the CPUs that answer queries, one worker each, or all."},
	{.key = "idle", .kind = CONFIG_KIND_WORD, FIELD(struct config_dataplane, idle), .words = idles,
	 .preset = "adaptive",
	 .doc = "What a worker without packets does: sleep for a little while (adaptive), or poll on (busy)."},
	{.key = "memory", .kind = CONFIG_KIND_SIZE, FIELD(struct config_dataplane, memory_bytes), .min = MIB(16),
	 .max = MIB(1024ull * 1024), .preset = "512MiB", .doc = "Memory for packet buffers and DPDK."},
	{.key = "hugepages", .kind = CONFIG_KIND_WORD, FIELD(struct config_dataplane, hugepages),
	 .words = hugepages, .preset = "auto",
	 .doc = "Whether that memory lies in huge pages: where the host has them, never, or not without."},
	{.key = "eal-args", .kind = CONFIG_KIND_TEXT, .flags = CONFIG_LIST, LIST(struct config_dataplane, eal_args),
	 .min = 1, .max = 4095, .example = "[\"--log-level=pmd:debug\"]",
	 .doc = "Options that are handed to DPDK's EAL as they are, behind our own: a way out for what has no key "
	        "here, without any promise that they fit together."},
};

static const struct config_section dataplane_section = {
	.path = "dataplane",
	.doc = "How UDP packets are received and answered.",
	.size = sizeof(struct config_dataplane),
	.parts = {PART(dataplane_rows)},
	.check = config_check_dataplane,
};

/* -------- tcp and tls -------- */

static const struct config_row tcp_rows[] = {
	{.key = "threads", .kind = CONFIG_KIND_COUNT, FIELD(struct config_tcp, threads), .min = 1, .max = 256,
	 .preset = "1", .doc = "Threads that serve TCP and TLS."},
	{.key = "idle-timeout", .kind = CONFIG_KIND_DURATION, FIELD(struct config_tcp, idle_timeout_ms), .min = 100,
	 .max = S(3600), .scale_ms = 1, .preset = "10s",
	 .doc = "How long a connection may lie idle before it is closed."},
	{.key = "max-connections", .kind = CONFIG_KIND_COUNT, FIELD(struct config_tcp, max_connections), .min = 1,
	 .max = 1000000, .preset = "10000", .doc = "Connections at the same time, TLS among them."},
	{.key = "max-per-source", .kind = CONFIG_KIND_COUNT, FIELD(struct config_tcp, max_per_source), .min = 1,
	 .max = 1000000, .preset = "100", .doc = "Connections at the same time from one address."},
};

static const struct config_section tcp_section = {
	.path = "tcp",
	.doc = "DNS over TCP, on the addresses of server.listen.",
	.size = sizeof(struct config_tcp),
	.parts = {PART(tcp_rows)},
};

static const struct config_row tls_rows[] = {
	{.key = "listen", .kind = CONFIG_KIND_ADDRESS, .flags = CONFIG_LIST | CONFIG_REQUIRED,
	 LIST(struct config_tls, listen), .port = CONFIG_PORT_TLS, .example = "[\"192.0.2.53@853\"]",
	 .doc = "The addresses for TLS; the port is 853 if none is given."},
	{.key = "certificate", .kind = CONFIG_KIND_PATH, .flags = CONFIG_REQUIRED,
	 FIELD(struct config_tls, certificate), .example = "tls/cert.pem",
	 .doc = "The file of the certificate and its chain, in PEM."},
	{.key = "key", .kind = CONFIG_KIND_PATH, .flags = CONFIG_REQUIRED, FIELD(struct config_tls, key),
	 .example = "tls/key.pem", .doc = "The file of the certificate's private key, in PEM."},
	{.key = "client-ca", .kind = CONFIG_KIND_PATH, FIELD(struct config_tls, client_ca),
	 .preset_doc = "clients are not asked", .example = "tls/clients.pem",
	 .doc = "A file of certificates, in PEM: clients are asked for a certificate that one of these has issued; they "
	        "may show none, but none of another issuer."},
};

static const struct config_section tls_section = {
	.path = "tls",
	.doc = "DNS over TLS (RFC 7858) and transfers over TLS (RFC 9103); off without this section.",
	.size = sizeof(struct config_tls),
	.parts = {PART(tls_rows)},
	.check = config_check_tls,
};

/* -------- keys, remotes, acls -------- */

static const struct config_row key_rows[] = {
	{.key = "id", .kind = CONFIG_KIND_TEXT, .flags = CONFIG_REQUIRED, FIELD(struct config_key, id), .min = 1,
	 .max = 255, .example = "fleet",
	 .doc = "The key's name, a domain name; both ends must use the same."},
	{.key = "algorithm", .kind = CONFIG_KIND_WORD, FIELD(struct config_key, algorithm), .words = algorithms,
	 .refused = algorithms_refused,
	 .preset = "hmac-sha256",
	 .doc = "The TSIG algorithm; hmac-md5 is not offered, as RFC 8945 forbids its use."},
	{.key = "secret", .kind = CONFIG_KIND_SECRET, .offset = offsetof(struct config_key, secret),
	 .second = offsetof(struct config_key, secret_len),
	 .example = "3Bl5CmTtpWo5Ho7lHv8kN0nGv5rXcVwJqk0bT2dYx1o=",
	 .doc = "The shared secret in base64; either this or secret-file."},
	{.key = "secret-file", .kind = CONFIG_KIND_PATH, FIELD(struct config_key, secret_file),
	 .example = "keys/fleet.secret",
	 .doc = "A file with the secret in base64 on one line; only its owner should be able to read it."},
};

static const struct config_section key_section = {
	.path = "keys",
	.what = "key",
	.doc = "TSIG keys (RFC 8945).",
	.size = sizeof(struct config_key),
	.parts = {PART(key_rows)},
	.check = config_check_key,
};

static const struct config_row remote_tls_rows[] = {
	{.key = "name", .kind = CONFIG_KIND_TEXT, FIELD(struct config_remote_tls, name),
	 .min = 1, .max = 253, .example = "ns1.example.net",
	 .doc = "The name, or the address, that its certificate must carry; this or pin is required."},
	{.key = "ca", .kind = CONFIG_KIND_PATH, FIELD(struct config_remote_tls, ca),
	 .preset_doc = "the system's certificates", .example = "tls/ca.pem",
	 .doc = "With name: the file of the certificates that are trusted, in PEM."},
	{.key = "pin", .kind = CONFIG_KIND_PIN, .flags = CONFIG_LIST, LIST(struct config_remote_tls, pin),
	 .example = "[\"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\"]",
	 .doc = "The SHA-256 of its public key in base64 (RFC 7858), or several, one of which must match; without name, "
	        "issuer and dates of the certificate are not looked at."},
	{.key = "certificate", .kind = CONFIG_KIND_PATH, FIELD(struct config_remote_tls, certificate),
	 .example = "tls/client.pem",
	 .doc = "The file of our own certificate and its chain, in PEM, for remotes that ask for one."},
	{.key = "key", .kind = CONFIG_KIND_PATH, FIELD(struct config_remote_tls, key), .example = "tls/client.key",
	 .doc = "The file of that certificate's private key, in PEM."},
};

static const struct config_section remote_tls_section = {
	.path = "remotes.tls",
	.doc = "Speak TLS to this remote (RFC 9103), and how it is authenticated.",
	.size = sizeof(struct config_remote_tls),
	.parts = {PART(remote_tls_rows)},
	.check = config_check_remote_tls,
};

static const struct config_row remote_rows[] = {
	{.key = "id", .kind = CONFIG_KIND_TEXT, .flags = CONFIG_REQUIRED, FIELD(struct config_remote, id), .min = 1,
	 .max = 255, .example = "hidden", .doc = "The name that zones use for this remote."},
	{.key = "address", .kind = CONFIG_KIND_ADDRESS, .flags = CONFIG_REQUIRED,
	 FIELD(struct config_remote, address), .example = "198.51.100.1",
	 .doc = "Its address, as address or address@port; the port is 53, with tls 853, if none is given."},
	{.key = "key", .kind = CONFIG_KIND_REFERENCE, FIELD(struct config_remote, key), .target = "keys",
	 .example = "fleet", .doc = "The key that signs what is exchanged with it."},
	{.key = "tls", .kind = CONFIG_KIND_SECTION, .flags = CONFIG_OPTIONAL, FIELD(struct config_remote, tls),
	 .second = offsetof(struct config_remote, tls.enabled), .section = &remote_tls_section,
	 .example = "{name: ns1.example.net, ca: tls/ca.pem}",
	 .doc = "Speak TLS to it, and how it is authenticated."},
};

static const struct config_section remote_section = {
	.path = "remotes",
	.what = "remote",
	.doc = "Other servers: primaries to transfer from, secondaries to notify.",
	.size = sizeof(struct config_remote),
	.parts = {PART(remote_rows)},
	.check = config_check_remote,
};

static const struct config_row acl_rows[] = {
	{.key = "id", .kind = CONFIG_KIND_TEXT, .flags = CONFIG_REQUIRED, FIELD(struct config_acl, id), .min = 1,
	 .max = 255, .example = "xfr", .doc = "The name that zones use for this rule."},
	{.key = "address", .kind = CONFIG_KIND_PREFIX, .flags = CONFIG_LIST, LIST(struct config_acl, address),
	 .example = "[127.0.0.0/8, \"::1\"]",
	 .doc = "Addresses and prefixes, one of which the source must lie in."},
	{.key = "key", .kind = CONFIG_KIND_REFERENCE, FIELD(struct config_acl, key), .target = "keys",
	 .example = "fleet", .doc = "The key that must have signed the request."},
	{.key = "transport", .kind = CONFIG_KIND_WORD, .flags = CONFIG_LIST, LIST(struct config_acl, transport),
	 .words = transports, .preset_doc = "any", .example = "[tls]",
	 .doc = "How the request must have come in; tcp is without TLS."},
};

static const struct config_section acl_section = {
	.path = "acls",
	.what = "acl",
	.doc = "Rules for who may do something; every part that is given must match.",
	.size = sizeof(struct config_acl),
	.parts = {PART(acl_rows)},
	.check = config_check_acl,
};

/* -------- zones, templates, catalogs -------- */

static const struct config_row transfer_rows[] = {
	{.key = "size", .kind = CONFIG_KIND_SIZE, FIELD(struct config_transfer_limits, size_bytes), .min = 65536,
	 .max = MIB(1ull << 40), .preset = "64GiB",
	 .doc = "Memory that one transfer may take while it is under way, and octets that it may bring."},
	{.key = "records", .kind = CONFIG_KIND_COUNT, FIELD(struct config_transfer_limits, records), .min = 2,
	 .max = UINT64_MAX, .preset = "500M", .doc = "Records of one transfer."},
	{.key = "per-type", .kind = CONFIG_KIND_COUNT, FIELD(struct config_transfer_limits, per_type), .min = 1,
	 .max = UINT32_MAX, .preset = "10000", .doc = "Records of one type at one name."},
	{.key = "types-per-name", .kind = CONFIG_KIND_COUNT, FIELD(struct config_transfer_limits, types_per_name),
	 .min = 1, .max = 65535, .preset = "1000", .doc = "Types at one name."},
	{.key = "time", .kind = CONFIG_KIND_DURATION, FIELD(struct config_transfer_limits, time_ms), .min = S(1),
	 .max = DAYS(7), .scale_ms = 1, .preset = "1h", .doc = "Time that one transfer may take."},
};

static const struct config_section transfer_section = {
	.path = "zones.transfer-limits",
	.doc = "What an incoming transfer may at most bring; one that brings more is refused as a whole.",
	.size = sizeof(struct config_transfer_limits),
	.parts = {PART(transfer_rows)},
};

static const struct config_row update_rule_rows[] = {
	{.key = "key", .kind = CONFIG_KIND_REFERENCE, .flags = CONFIG_REQUIRED,
	 FIELD(struct config_update_rule, key), .target = "keys", .example = "fleet",
	 .doc = "The key that must have signed the update."},
	{.key = "name", .kind = CONFIG_KIND_PATTERN, .flags = CONFIG_LIST | CONFIG_REQUIRED,
	 LIST(struct config_update_rule, name), .example = "[\"_acme-challenge.example.com\", \"*.dyn.example.com\"]",
	 .doc = "The owners of the records that it may change: names, and with a leading * everything below the rest."},
	{.key = "types", .kind = CONFIG_KIND_RRTYPE, .flags = CONFIG_LIST, LIST(struct config_update_rule, types),
	 .preset_doc = "all but SOA, NS, RRSIG, NSEC and NSEC3", .example = "[TXT, A]",
	 .doc = "The types of these records; ANY stands for all. An update that deletes everything at a name needs all "
	        "types that are there."},
};

static const struct config_section update_rule_section = {
	.path = "zones.update-policy",
	.what = "rule",
	.doc = "What a key may change by UPDATE. With rules, every record of an update must be allowed by one of those "
	       "of the key that signed it; else the update is refused as a whole.",
	.size = sizeof(struct config_update_rule),
	.parts = {PART(update_rule_rows)},
	.check = config_check_update_rule,
};

#define ZONE_TIMER(name, field, preset_text, sentence) \
	{ \
		.key = name, .kind = CONFIG_KIND_DURATION, FIELD(struct config_zone, field), .min = S(1), \
		.max = DAYS(24855), .scale_ms = 1000, .preset = preset_text, .doc = sentence \
	}

/* What zones, templates and catalogs have in common. */
static const struct config_row zone_rows[] = {
	{.key = "primaries", .kind = CONFIG_KIND_REFERENCE, .flags = CONFIG_LIST,
	 LIST(struct config_zone, primaries), .target = "remotes", .example = "[hidden]",
	 .doc = "The remotes to transfer from, best first; NOTIFY is taken from their addresses."},
	{.key = "primary-pin", .kind = CONFIG_KIND_DURATION, FIELD(struct config_zone, primary_pin_s), .min = 0,
	 .max = DAYS(24855), .scale_ms = 1000, .preset = "0s",
	 .doc = "How long a zone stays with the primary that it came from, if that answers, while another one has a "
	        "newer serial. 0s: the newest serial wins at once."},
	{.key = "notify", .kind = CONFIG_KIND_REFERENCE, .flags = CONFIG_LIST, LIST(struct config_zone, notify),
	 .target = "remotes", .example = "[sec1]", .doc = "The remotes that are told of changes."},
	{.key = "allow-transfer", .kind = CONFIG_KIND_REFERENCE, .flags = CONFIG_LIST,
	 LIST(struct config_zone, allow_transfer), .target = "acls", .example = "[xfr]",
	 .doc = "The acls that may transfer the zone; without one, nobody."},
	{.key = "allow-notify", .kind = CONFIG_KIND_REFERENCE, .flags = CONFIG_LIST,
	 LIST(struct config_zone, allow_notify), .target = "acls", .example = "[ops]",
	 .doc = "The acls whose NOTIFY is heeded besides that of the primaries."},
	{.key = "forward-updates", .kind = CONFIG_KIND_WORD, FIELD(struct config_zone, forward_updates),
	 .words = switches, .preset = "false",
	 .doc = "Whether a secondary passes updates on to its first primary, signatures and all, instead of refusing "
	        "them. The primary sees this server's address, so it should ask for keys."},
	ZONE_TIMER("refresh-min", refresh_min_s, "2s", "The least refresh interval, whatever the SOA says."),
	ZONE_TIMER("refresh-max", refresh_max_s, "28d", "The greatest refresh interval, whatever the SOA says."),
	ZONE_TIMER("retry-min", retry_min_s, "1s", "The least retry interval, whatever the SOA says."),
	ZONE_TIMER("retry-max", retry_max_s, "14d", "The greatest retry interval, whatever the SOA says."),
	ZONE_TIMER("expire-min", expire_min_s, "3s", "The least time to expiry, whatever the SOA says."),
	ZONE_TIMER("expire-max", expire_max_s, "365d", "The greatest time to expiry, whatever the SOA says."),
	{.key = "zonemd", .kind = CONFIG_KIND_WORD, FIELD(struct config_zone, zonemd), .words = zonemd_modes,
	 .preset = "warn",
	 .doc = "The zone's own digest (ZONEMD, RFC 8976): not looked at; a wrong one is only logged; or the zone must "
	        "have a right one, else it is not taken and its old data stays in service."},
	{.key = "transfer-limits", .kind = CONFIG_KIND_SECTION, FIELD(struct config_zone, transfer_limits),
	 .section = &transfer_section, .example = "{size: 1GiB, time: 10m}",
	 .doc = "What an incoming transfer may at most bring."},
};

/* What zones and templates have in common besides. */
static const struct config_row zone_primary_rows[] = {
	{.key = "file", .kind = CONFIG_KIND_ZONE_PATH, FIELD(struct config_zone, file),
	 .example = "example.com.zone",
	 .doc = "The zone file, which makes this server a primary; either this or primaries."},
	{.key = "allow-update", .kind = CONFIG_KIND_REFERENCE, .flags = CONFIG_LIST,
	 LIST(struct config_zone, allow_update), .target = "acls", .example = "[upd]",
	 .doc = "The acls that may change the zone by UPDATE (RFC 2136); without one, nobody."},
	{.key = "update-policy", .kind = CONFIG_KIND_SECTION, .flags = CONFIG_LIST | CONFIG_ALIKE,
	 LIST(struct config_zone, update_policy), .section = &update_rule_section,
	 .example = "[{key: fleet, name: _acme-challenge.example.com, types: TXT}]",
	 .doc = "What each key may change; without rules, who may update may change everything."},
	{.key = "serial-policy", .kind = CONFIG_KIND_WORD, FIELD(struct config_zone, serial_policy),
	 .words = serial_policies, .preset = "increment",
	 .doc = "The serial after an update that sets none: the next number, the time in seconds since 1970, or the "
	        "date as YYYYMMDDnn; where that would not be newer, the next number."},
};

static const struct config_row zone_name_rows[] = {
	{.key = "name", .kind = CONFIG_KIND_NAME, .flags = CONFIG_REQUIRED, FIELD(struct config_zone, name),
	 .example = "example.com", .doc = "The zone's apex."},
	{.key = "template", .kind = CONFIG_KIND_REFERENCE, FIELD(struct config_zone, template),
	 .target = "templates", .example = "customer",
	 .doc = "A template whose keys hold where this zone has none of its own."},
};

static const struct config_section zone_section = {
	.path = "zones",
	.what = "zone",
	.doc = "The zones to serve: primary with a file, secondary with primaries.",
	.size = sizeof(struct config_zone),
	.parts = {PART(zone_name_rows), PART(zone_primary_rows), PART(zone_rows)},
	.prepare = config_prepare_zone,
	.check = config_check_zone,
};

static const struct config_row template_rows[] = {
	{.key = "id", .kind = CONFIG_KIND_TEXT, .flags = CONFIG_REQUIRED, FIELD(struct config_template, id),
	 .min = 1, .max = 255, .example = "customer",
	 .doc = "The name that zones and catalogs use for this template."},
};

static const struct config_section template_section = {
	.path = "templates",
	.what = "template",
	.doc = "Keys of zones, written once for many.",
	.size = sizeof(struct config_template),
	.parts = {PART(template_rows), PART_AT(zone_primary_rows, struct config_template, zone),
	          PART_AT(zone_rows, struct config_template, zone)},
	.check = config_check_template,
};

static const struct config_row catalog_name_rows[] = {
	{.key = "name", .kind = CONFIG_KIND_NAME, .flags = CONFIG_REQUIRED, FIELD(struct config_zone, name),
	 .example = "catalog.example", .doc = "The catalog zone's apex."},
	{.key = "template", .kind = CONFIG_KIND_REFERENCE, FIELD(struct config_zone, template),
	 .target = "templates", .example = "customer",
	 .doc = "The template of the member zones; without primaries there, they come from the catalog's."},
};

static const struct config_row produce_rows[] = {
	{.key = "zones", .kind = CONFIG_KIND_PATTERN, .flags = CONFIG_LIST, LIST(struct config_produce, zones),
	 .example = "[\"*.example\"]", .preset_doc = "all",
	 .doc = "The zones of this file that it lists: names, and with a leading * everything below the rest."},
	{.key = "group", .kind = CONFIG_KIND_TEXT, FIELD(struct config_produce, group), .min = 1, .max = 255,
	 .example = "customer", .doc = "The group that its members are in, by which consumers choose their settings."},
};

static const struct config_section produce_section = {
	.path = "catalogs.produce",
	.doc = "Make this catalog here, of the zones of this file, instead of transferring it.",
	.size = sizeof(struct config_produce),
	.parts = {PART(produce_rows)},
};

static const struct config_row catalog_rows[] = {
	{.key = "admit", .kind = CONFIG_KIND_PATTERN, .flags = CONFIG_LIST, LIST(struct config_catalog, admit),
	 .example = "[\"*.example\"]", .preset_doc = "all",
	 .doc = "The member zones that are taken: names, and with a leading * everything below the rest."},
	{.key = "produce", .kind = CONFIG_KIND_SECTION, .flags = CONFIG_OPTIONAL, FIELD(struct config_catalog, produce),
	 .second = offsetof(struct config_catalog, produce.enabled), .section = &produce_section,
	 .example = "{zones: [\"*.example\"], group: customer}",
	 .doc = "Make this catalog here, of the zones of this file, instead of transferring it."},
};

static const struct config_section catalog_section = {
	.path = "catalogs",
	.what = "catalog",
	.doc = "Catalog zones (RFC 9432): transferred, and their members served as secondary zones; or made here.",
	.size = sizeof(struct config_catalog),
	.parts = {PART_AT(catalog_name_rows, struct config_catalog, zone), PART(catalog_rows),
	          PART_AT(zone_rows, struct config_catalog, zone)},
	.check = config_check_catalog,
};

/* -------- the rest -------- */

static const struct config_row limits_rows[] = {
	{.key = "rate", .kind = CONFIG_KIND_RATE, FIELD(struct config_limits, rate_per_s), .preset = "off",
	 .example = "50/s", .doc = "Answers a second to one source over UDP, or off."},
	{.key = "burst", .kind = CONFIG_KIND_COUNT, FIELD(struct config_limits, burst), .min = 1, .max = 1000000,
	 .preset = "125", .doc = "Answers that a source may save up."},
	{.key = "slip", .kind = CONFIG_KIND_COUNT, FIELD(struct config_limits, slip), .min = 0, .max = 100,
	 .preset = "1",
	 .doc = "Every how many answers over the rate one goes out truncated, so that the source may come back "
	        "over TCP; 0 drops them all."},
};

static const struct config_section limits_section = {
	.path = "limits",
	.doc = "The rate limit for each source.",
	.size = sizeof(struct config_limits),
	.parts = {PART(limits_rows)},
};

static const struct config_row cookies_rows[] = {
	{.key = "mode", .kind = CONFIG_KIND_WORD, FIELD(struct config_cookies, mode), .words = cookie_modes,
	 .preset = "on", .doc = "Whether DNS cookies are answered, demanded, or ignored."},
	{.key = "secret-file", .kind = CONFIG_KIND_PATH, FIELD(struct config_cookies, secret_file),
	 .preset_doc = "a random secret for the life of the process", .example = "keys/cookie.secret",
	 .doc = "A file with 32 hexadecimal digits on its first line, the same on every server of an anycast "
	        "address; a second line holds the secret that is being rolled out or away."},
};

static const struct config_section cookies_section = {
	.path = "cookies",
	.doc = "DNS cookies (RFC 7873, RFC 9018).",
	.size = sizeof(struct config_cookies),
	.parts = {PART(cookies_rows)},
	.check = config_check_cookies,
};

static const struct config_row anycast_rows[] = {
	{.key = "interface", .kind = CONFIG_KIND_TEXT, FIELD(struct config_anycast, interface), .min = 1,
	 .max = IFNAMSIZ - 1, .preset = "anser0", .doc = "The TAP interface of ours that the routes point at."},
	{.key = "table", .kind = CONFIG_KIND_COUNT, FIELD(struct config_anycast, table), .min = 1,
	 .max = UINT32_MAX, .preset = "153", .doc = "The kernel routing table that the BGP daemon learns from."},
	{.key = "prefixes", .kind = CONFIG_KIND_PREFIX, .flags = CONFIG_LIST | CONFIG_REQUIRED,
	 LIST(struct config_anycast, prefixes), .example = "[192.0.2.0/24]",
	 .doc = "The prefixes that are announced while this server is healthy."},
	{.key = "interval", .kind = CONFIG_KIND_DURATION, FIELD(struct config_anycast, interval_ms), .min = 10,
	 .max = S(3600), .scale_ms = 1, .preset = "1s", .doc = "The time between two health checks."},
	{.key = "fall", .kind = CONFIG_KIND_COUNT, FIELD(struct config_anycast, fall), .min = 1, .max = 1000,
	 .preset = "3", .doc = "Checks that fail in a row before the prefixes are withdrawn."},
	{.key = "hold-down", .kind = CONFIG_KIND_DURATION, FIELD(struct config_anycast, hold_down_ms), .min = 0,
	 .max = DAYS(1), .scale_ms = 1, .preset = "10s",
	 .doc = "How long everything must be well before the prefixes are announced again."},
	{.key = "drain-metric", .kind = CONFIG_KIND_COUNT, FIELD(struct config_anycast, drain_metric), .min = 1,
	 .max = UINT32_MAX, .preset = "1000",
	 .doc = "The routes' metric while draining; the BGP daemon turns it into a less preferred announcement."},
	{.key = "drain-wait", .kind = CONFIG_KIND_DURATION, FIELD(struct config_anycast, drain_wait_ms), .min = 0,
	 .max = DAYS(1), .scale_ms = 1, .preset = "60s",
	 .doc = "The time between drain and withdrawal when the server is stopped."},
};

static const struct config_section anycast_section = {
	.path = "anycast",
	.doc = "Announcing the service prefixes through the host's BGP daemon; off without this section.",
	.size = sizeof(struct config_anycast),
	.parts = {PART(anycast_rows)},
	.check = config_check_anycast,
};

static const struct config_row metrics_rows[] = {
	{.key = "listen", .kind = CONFIG_KIND_ADDRESS, FIELD(struct config_metrics, listen),
	 .port = CONFIG_PORT_METRICS, .preset = "127.0.0.1@9533",
	 .doc = "The address of the HTTP server for Prometheus; the port is 9533 if none is given."},
};

static const struct config_section metrics_section = {
	.path = "metrics",
	.doc = "Metrics over HTTP; off without this section.",
	.size = sizeof(struct config_metrics),
	.parts = {PART(metrics_rows)},
};

static const struct config_row dnstap_rows[] = {
	{.key = "socket", .kind = CONFIG_KIND_PATH, .flags = CONFIG_REQUIRED, FIELD(struct config_dnstap, socket),
	 .example = "/run/dnstap.sock", .doc = "The Unix socket of the dnstap reader."},
	{.key = "sample", .kind = CONFIG_KIND_RATIO, .offset = offsetof(struct config_dnstap, sample_take),
	 .second = offsetof(struct config_dnstap, sample_of), .preset = "1/1", .example = "1/1000",
	 .doc = "The share of queries that is reported."},
};

static const struct config_section dnstap_section = {
	.path = "dnstap",
	.doc = "Copies of queries and answers for a dnstap reader; off without this section.",
	.size = sizeof(struct config_dnstap),
	.parts = {PART(dnstap_rows)},
};

#define ROOT_MAP(name) .kind = CONFIG_KIND_SECTION, FIELD(struct config, name), .section = &name##_section
#define ROOT_OPTIONAL(name) \
	ROOT_MAP(name), .flags = CONFIG_OPTIONAL, .second = offsetof(struct config, name.enabled)
#define ROOT_LIST(name, one) \
	.kind = CONFIG_KIND_SECTION, .flags = CONFIG_LIST, LIST(struct config, name), .section = &one##_section

static const struct config_row root_rows[] = {
	{.key = "server", ROOT_MAP(server), .flags = CONFIG_REQUIRED},
	{.key = "dataplane", ROOT_MAP(dataplane)},
	{.key = "tcp", ROOT_MAP(tcp)},
	{.key = "tls", ROOT_OPTIONAL(tls)},
	{.key = "keys", ROOT_LIST(keys, key)},
	{.key = "remotes", ROOT_LIST(remotes, remote)},
	{.key = "acls", ROOT_LIST(acls, acl)},
	{.key = "templates", ROOT_LIST(templates, template)},
	{.key = "zones", ROOT_LIST(zones, zone)},
	{.key = "catalogs", ROOT_LIST(catalogs, catalog)},
	{.key = "limits", ROOT_MAP(limits)},
	{.key = "cookies", ROOT_MAP(cookies)},
	{.key = "anycast", ROOT_OPTIONAL(anycast)},
	{.key = "metrics", ROOT_OPTIONAL(metrics)},
	{.key = "dnstap", ROOT_OPTIONAL(dnstap)},
};

const struct config_section config_root = {
	.path = "",
	.doc = "The configuration of the server.",
	.size = sizeof(struct config),
	.parts = {PART(root_rows)},
	.check = config_check_root,
};

/* clang-format on */

const struct config_row *
config_section_row(const struct config_section *section, unsigned i, size_t *at)
{
	for (unsigned p = 0; p < CONFIG_PARTS_MAX; p++) {
		const struct config_part *part = &section->parts[p];
		if (i < part->n) {
			*at = part->at;
			return &part->rows[i];
		}
		i -= part->n;
	}
	return NULL;
}

const struct config_row *
config_section_find(const struct config_section *section, const char *key)
{
	const struct config_row *row;
	size_t at;
	for (unsigned i = 0; (row = config_section_row(section, i, &at)) != NULL; i++)
		if (strcmp(row->key, key) == 0)
			return row;
	return NULL;
}

enum config_unit
config_row_unit(const struct config_row *row)
{
	switch (row->kind) {
	case CONFIG_KIND_SIZE:
		return CONFIG_UNIT_BYTES;
	case CONFIG_KIND_DURATION:
		return CONFIG_UNIT_MS;
	default:
		return CONFIG_UNIT_NONE;
	}
}
