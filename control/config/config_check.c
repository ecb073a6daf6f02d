/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules between keys, which no single row of the schema can state. Each is called once for its section, with
 * the map as the file has it (for places) and the struct as it was read. A value that was no good has been reported
 * and its node is CONFIG_NODE_BROKEN: rules look away from it, so that one mistake makes one message.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/config/config_schema.h"

#define SECRET_MIN_OCTETS 16
#define PAYLOAD_SAFE_BYTES 1232

static bool
is_broken(const struct config_node *node)
{
	return node != NULL && node->kind == CONFIG_NODE_BROKEN;
}

/* True when the map has the key and its value is more than an empty list. */
static bool
is_given(const struct config_node *map, const char *key)
{
	const struct config_node *entry = config_node_find(map, key);
	return entry != NULL && !(entry->kind == CONFIG_NODE_LIST && entry->n == 0);
}

/* The node of the i-th value of a list key, which may be a single value. */
static const struct config_node *
list_node(const struct config_node *map, const char *key, unsigned i)
{
	const struct config_node *entry = config_node_find(map, key);
	if (entry == NULL || entry->kind != CONFIG_NODE_LIST)
		return entry;
	const struct config_node *child = entry->first;
	while (i-- > 0 && child != NULL)
		child = child->next;
	return child;
}

/* True for a file that can be opened; reports one that cannot. */
static void
check_readable(struct config_reader *r, const struct config_node *map, const char *key, const char *path)
{
	const struct config_node *node = config_node_find(map, key);
	if (path != NULL && node != NULL && access(path, R_OK) != 0)
		config_error(r, node, "%s: cannot read %s: %s", key, path, strerror(errno));
}

/* -------- server, tls: addresses -------- */

static bool
address_equal(const struct config_address *a, const struct config_address *b)
{
	return a->len != 0 && a->len == b->len && memcmp(&a->any, &b->any, a->len) == 0;
}

static bool
address_is_wildcard(const struct config_address *a)
{
	static const struct in6_addr any6 = IN6ADDR_ANY_INIT;
	if (a->len == 0)
		return false;
	return a->any.sa_family == AF_INET ? a->v4.sin_addr.s_addr == 0
					   : memcmp(&a->v6.sin6_addr, &any6, sizeof(any6)) == 0;
}

static void
check_listen(struct config_reader *r, const struct config_node *map, const struct config_address *listen,
	     unsigned n)
{
	char text[CONFIG_ADDRESS_TEXT_MAX];
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if (address_equal(&listen[i], &listen[j])) {
				config_error(r, list_node(map, "listen", i),
					     "listen: duplicate address %s; remove one of the two",
					     config_address_text(&listen[i], text));
				break;
			}
}

void
config_check_server(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_server *server = value;
	const struct config_node *payload = config_node_find(map, "udp-payload");
	check_listen(r, map, server->listen, server->n_listen);
	if (payload != NULL && server->udp_payload_bytes > PAYLOAD_SAFE_BYTES)
		config_warning(
			r, payload,
			"udp-payload: answers over %d octets may be fragmented or lost on the way; %d is safe",
			PAYLOAD_SAFE_BYTES, PAYLOAD_SAFE_BYTES);
}

void
config_check_tls(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_tls *tls = value;
	check_listen(r, map, tls->listen, tls->n_listen);
	check_readable(r, map, "certificate", tls->certificate);
	check_readable(r, map, "key", tls->key);
	check_readable(r, map, "client-ca", tls->client_ca);
}

/* -------- dataplane -------- */

static void
check_exception(struct config_reader *r, const struct config_node *port, const char *mode)
{
	const struct config_node *exception = config_node_find(port, "exception");
	if (exception != NULL && exception->kind == CONFIG_NODE_SCALAR && strcmp(exception->text, "tap") == 0)
		config_error(r, exception,
			     "exception: tap is for mode dpdk; in mode %s the kernel keeps the interface, "
			     "remove the key",
			     mode);
}

void
config_check_dataplane(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_dataplane *dataplane = value;
	const struct config_node *mode = config_node_find(map, "mode");
	const struct config_node *ports = config_node_find(map, "ports");
	const struct config_node *eal_args = config_node_find(map, "eal-args");
	if (is_broken(mode) || is_broken(ports))
		return;
	if (dataplane->mode == CONFIG_MODE_KERNEL) {
		if (dataplane->n_ports > 0)
			config_error_key(r, ports,
					 "ports: not for mode kernel%s; remove them, or set mode to af_packet, "
					 "af_xdp or dpdk",
					 mode == NULL ? ", which is the default" : "");
		if (eal_args != NULL)
			config_error_key(r, eal_args,
					 "eal-args: not for mode kernel, which runs without DPDK; remove them");
		return;
	}
	if (dataplane->n_ports == 0)
		config_error(r, mode, "mode: %s needs a port; add \"ports: [{device: eth1}]\"", mode->text);
	if (dataplane->mode != CONFIG_MODE_DPDK && ports != NULL)
		for (const struct config_node *port = ports->first; port != NULL; port = port->next)
			check_exception(r, port, mode->text);
}

/* -------- keys, remotes, acls -------- */

/* The secret of a file: its first line, in base64. */
static void
load_key_secret(struct config_reader *r, const struct config_node *node, struct config_key *key)
{
	struct config_why why;
	uint8_t *secret;
	char *text = config_read_secret_file(r, node, key->secret_file);
	if (text == NULL)
		return;
	text[strcspn(text, "\r\n")] = '\0';
	int rc = config_parse_base64(text, r->arena, &secret, &key->secret_len, &why);
	if (rc == -ENOMEM)
		r->no_memory = true;
	else if (rc != 0)
		config_error(r, node, "secret-file: %s: %s", key->secret_file, why.text);
	else
		key->secret = secret;
}

void
config_check_key(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_key *key = value;
	struct config_why why;
	const struct config_node *id = config_node_find(map, "id");
	const struct config_node *secret = config_node_find(map, "secret");
	const struct config_node *file = config_node_find(map, "secret-file");
	if (id != NULL && !is_broken(id) && config_parse_name(id->text, &key->name, &why) != 0)
		config_error(r, id, "id: %s", why.text);
	if (secret != NULL && file != NULL)
		config_error_key(r, file, "secret-file: there is a secret too; remove one of the two");
	else if (secret == NULL && file == NULL)
		config_error(r, map,
			     "missing key \"secret\" or \"secret-file\" in key; make one with \"openssl rand "
			     "-base64 32\"");
	else if (file != NULL && !is_broken(file))
		load_key_secret(r, file, key);
	if (key->secret != NULL && key->secret_len < SECRET_MIN_OCTETS)
		config_warning(r, secret != NULL ? secret : file,
			       "%s: a secret of %u octets can be guessed; make one with "
			       "\"openssl rand -base64 32\"",
			       secret != NULL ? "secret" : "secret-file", key->secret_len);
}

void
config_check_remote_tls(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_remote_tls *tls = value;
	const struct config_node *ca = config_node_find(map, "ca");
	const struct config_node *certificate = config_node_find(map, "certificate");
	const struct config_node *key = config_node_find(map, "key");
	bool has_name = config_node_find(map, "name") != NULL, has_pin = is_given(map, "pin");
	if (!has_name && !has_pin)
		config_error(
			r, map,
			"missing key \"name\" or \"pin\" in tls; without one of them anybody could be the remote");
	if (ca != NULL && has_pin && !has_name)
		config_error_key(r, ca, "ca: no certificate is checked without a name; add name, or remove ca");
	if (certificate != NULL && key == NULL)
		config_error_key(r, certificate, "certificate: its key is missing; add \"key: FILE\"");
	if (key != NULL && certificate == NULL)
		config_error_key(r, key, "key: its certificate is missing; add \"certificate: FILE\"");
	check_readable(r, map, "ca", tls->ca);
	check_readable(r, map, "certificate", tls->certificate);
	check_readable(r, map, "key", tls->key);
}

void
config_check_remote(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_remote *remote = value;
	/* sin_port and sin6_port lie at the same place. */
	if (remote->address.len != 0 && remote->address.v4.sin_port == 0)
		remote->address.v4.sin_port = htons(remote->tls.enabled ? CONFIG_PORT_TLS : CONFIG_PORT_DNS);
}

static void
check_acl_transport(struct config_reader *r, const struct config_node *map, const struct config_acl *acl)
{
	for (unsigned i = 0; i < acl->n_transport; i++) {
		const struct config_node *node = list_node(map, "transport", i);
		if (is_broken(node))
			return;
		for (unsigned j = 0; j < i; j++)
			if (acl->transport[i] == acl->transport[j])
				config_error(r, node, "transport: duplicate %s; remove one of the two", node->text);
		if (acl->n_transport == 1 && acl->transport[0] == CONFIG_TRANSPORT_TLS && !r->config->tls.enabled)
			config_warning(r, node,
				       "transport: the acl matches nothing, as there is no section tls; add one");
	}
}

void
config_check_acl(struct config_reader *r, const struct config_node *map, void *value)
{
	check_acl_transport(r, map, value);
	if (!is_given(map, "address") && !is_given(map, "key"))
		config_error(
			r, map,
			"acl without address and key; give one, for everybody \"address: [0.0.0.0/0, '::/0']\"");
}

/* -------- zones, templates, catalogs -------- */

static void
check_timer_pair(struct config_reader *r, const struct config_node *map, const char *min_key, uint32_t min_s,
		 const char *max_key, uint32_t max_s)
{
	const struct config_node *at = config_node_find(map, min_key);
	const struct config_node *max = config_node_find(map, max_key);
	char low[32], high[32];
	if (at == NULL)
		at = max;
	if (at == NULL || is_broken(at) || is_broken(max) || min_s <= max_s)
		return;
	config_number_text(min_s * 1000ull, CONFIG_UNIT_MS, low, sizeof(low));
	config_number_text(max_s * 1000ull, CONFIG_UNIT_MS, high, sizeof(high));
	config_error(r, at, "%s: %s %s is over %s %s; raise the one or lower the other", at->key, min_key, low,
		     max_key, high);
}

static void
check_timers(struct config_reader *r, const struct config_node *map, const struct config_zone *zone)
{
	check_timer_pair(r, map, "refresh-min", zone->refresh_min_s, "refresh-max", zone->refresh_max_s);
	check_timer_pair(r, map, "retry-min", zone->retry_min_s, "retry-max", zone->retry_max_s);
	check_timer_pair(r, map, "expire-min", zone->expire_min_s, "expire-max", zone->expire_max_s);
}

bool
config_prepare_zone(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_draft *draft = value;
	const struct config_node *node = config_node_find(map, "template");
	if (node == NULL || node->kind != CONFIG_NODE_SCALAR)
		return false;
	const struct config_template *template = config_read_reference(r, "templates", node->text);
	if (template == NULL)
		return false;
	draft->file = template->file;
	memcpy(&draft->zone, &template->zone, sizeof(draft->zone)); /* all octets: settings_share() */
	return true;
}

/* A zone has a file or primaries, by itself or by its template. */
static void
check_zone_source(struct config_reader *r, const struct config_node *map, const struct config_draft *draft)
{
	const struct config_node *template = config_node_find(map, "template");
	const struct config_node *file = config_node_find(map, "file");
	const struct config_node *primaries = config_node_find(map, "primaries");
	bool has_file = draft->file != NULL || file != NULL;
	bool has_primaries = draft->zone.n_primaries > 0 || is_given(map, "primaries");
	if (has_file && has_primaries) {
		const struct config_node *at = file != NULL ? file : primaries != NULL ? primaries : template;
		const char *other = at == file ? "primaries" : "a file";
		const char *from = file != NULL && primaries != NULL ? "" : " from its template";
		if (at == template)
			return; /* the template has both, and it was reported there */
		config_error_key(r, at,
				 "%s: the zone has %s%s too; keep file for a primary, primaries for a secondary",
				 at->key, other, from);
	} else if (!has_file && !has_primaries && (template == NULL || !is_broken(template))) {
		config_error(r, map,
			     "zone without file and primaries%s; add \"file: NAME.zone\" for a primary, "
			     "\"primaries: [REMOTE]\" for a secondary",
			     template != NULL ? ", and its template has none" : "");
	}
}

void
config_check_update_rule(struct config_reader *r, const struct config_node *map, void *value)
{
	const struct config_update_rule *rule = value;
	const struct config_node *types = config_node_find(map, "types");
	if (types != NULL && !is_broken(types) && rule->n_types == 0)
		config_error(r, types, "types: the list is empty; name some, or remove the key for the usual ones");
}

/* Can a name that the pattern covers be one of the zone? */
static bool
pattern_meets_zone(const uint8_t *pattern, const uint8_t *zone)
{
	bool is_star = pattern[0] == 1 && pattern[1] == '*';
	return name_is_under(pattern, zone) || (is_star && name_is_under(zone, name_parent(pattern, 1)));
}

/* Every name of the rules that stand in this zone can be the owner of one of its records. */
static void
check_update_names(struct config_reader *r, const struct config_node *policy, const struct config_draft *draft)
{
	unsigned i = 0;
	for (const struct config_node *rule = policy->first; rule != NULL; rule = rule->next, i++) {
		const struct config_node *node = config_node_find(rule, "name");
		for (unsigned j = 0; j < draft->zone.update_policy[i].n_name; j++) {
			const struct name *name = &draft->zone.update_policy[i].name[j];
			bool is_known = name->len != 0 && draft->name != NULL;
			if (is_known && !pattern_meets_zone(name->bytes, draft->name))
				config_warning(r, node, "name: the zone has no names there; write them in full");
		}
	}
}

static void
check_update_policy(struct config_reader *r, const struct config_node *policy, const struct config_draft *draft)
{
	if (policy->kind != CONFIG_NODE_LIST && !config_node_is_null(policy))
		return; /* reported already */
	if (draft->zone.n_update_policy == 0)
		config_error_key(
			r, policy,
			"update-policy: no rules; remove the key, and who may update may change everything");
	else if (draft->zone.n_allow_update == 0)
		config_warning(r, policy, "update-policy: without allow-update nobody may update; add that key");
	if (policy->kind == CONFIG_NODE_LIST)
		check_update_names(r, policy, draft);
}

/* What is written for updates fits the zone's role. */
static void
check_zone_updates(struct config_reader *r, const struct config_node *map, struct config_draft *draft)
{
	struct config_zone *zone = &draft->zone;
	static const char *const primary_keys[] = {"allow-update", "update-policy", "serial-policy"};
	const struct config_node *policy = config_node_find(map, "update-policy");
	const struct config_node *forward = config_node_find(map, "forward-updates");
	if (zone->role == CONFIG_PRIMARY) {
		if (policy != NULL && !is_broken(policy))
			check_update_policy(r, policy, draft);
		if (forward != NULL && zone->forward_updates == CONFIG_FORWARD_TO_PRIMARY)
			config_warning(r, forward,
				       "forward-updates: a primary has nobody to pass them on to; "
				       "remove the key");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(primary_keys); i++) {
		const struct config_node *node = config_node_find(map, primary_keys[i]);
		if (node != NULL)
			config_error_key(
				r, node,
				"%s: a secondary takes no updates; remove the key, or give the zone a file",
				node->key);
	}
	/* What a template says for the other role is not meant for this zone. */
	zone->n_allow_update = 0;
	zone->n_update_policy = 0;
}

void
config_check_zone(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_draft *draft = value;
	check_zone_source(r, map, draft);
	check_timers(r, map, &draft->zone);
	bool primary = draft->file != NULL || config_node_find(map, "file") != NULL;
	draft->zone.role = primary ? CONFIG_PRIMARY : CONFIG_SECONDARY;
	check_zone_updates(r, map, draft);
	const struct config_node *notify = config_node_find(map, "allow-notify");
	if (primary && notify != NULL)
		config_warning(r, notify, "allow-notify: a primary heeds no NOTIFY; remove the key");
}

void
config_check_template(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_template *template = value;
	const struct config_node *file = config_node_find(map, "file");
	template->zone.role = file != NULL ? CONFIG_PRIMARY : CONFIG_SECONDARY;
	check_timers(r, map, &template->zone);
	if (file != NULL && is_given(map, "primaries"))
		config_error_key(r, file,
				 "file: the template has primaries too; keep file for primaries, primaries for "
				 "secondaries");
}

/* What is made here is not transferred, and has no members that are served by its word. */
static void
check_produced(struct config_reader *r, const struct config_node *map)
{
	static const char *const keys[] = {"primaries", "template", "admit", "allow-notify"};
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		const struct config_node *node = config_node_find(map, keys[i]);
		if (node != NULL)
			config_error_key(r, node, "%s: the catalog is made here; remove this key, or produce",
					 keys[i]);
	}
}

void
config_check_catalog(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_catalog *catalog = value;
	const struct config_template *template = catalog->zone.template;
	catalog->zone.is_produced = catalog->produce.enabled;
	catalog->zone.role = catalog->produce.enabled ? CONFIG_PRIMARY : CONFIG_SECONDARY;
	catalog->line = map->line;
	check_timers(r, map, &catalog->zone);
	if (catalog->produce.enabled) {
		check_produced(r, map);
		return;
	}
	if (!is_given(map, "primaries"))
		config_error(
			r, map,
			"catalog without primaries; add \"primaries: [REMOTE]\", where it is transferred from, or "
			"\"produce: {}\" to make it here");

	struct config_draft draft = {0};
	if (template == NULL)
		config_read_section(r, config_section_find(&config_root, "zones")->section, NULL, &draft, false);
	struct config_zone *member = &catalog->member;
	*member = template != NULL ? template->zone : draft.zone;
	if (template != NULL && template->file != NULL)
		config_error(r, config_node_find(map, "template"),
			     "template: \"%s\" has a file, but members of a catalog are "
			     "secondaries; name a template with primaries or with neither",
			     template->id);
	member->role = CONFIG_SECONDARY;
	member->template = template;
	member->n_allow_update = 0;
	member->n_update_policy = 0;
	if (member->n_primaries == 0) {
		member->primaries = catalog->zone.primaries;
		member->n_primaries = catalog->zone.n_primaries;
	}
}

/* -------- cookies, anycast -------- */

void
config_check_cookies(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_cookies *cookies = value;
	struct config_why why;
	const struct config_node *node = config_node_find(map, "secret-file");
	if (node == NULL || is_broken(node))
		return;
	char *text = config_read_secret_file(r, node, cookies->secret_file);
	if (text == NULL)
		return;
	unsigned n = 0;
	char *rest = text, *line;
	while ((line = strtok_r(rest, "\r\n", &rest)) != NULL) {
		if (n == CONFIG_COOKIE_SECRETS_MAX) {
			config_error(r, node,
				     "secret-file: %s has more than %d secrets; keep the one in use and the one "
				     "before or after",
				     cookies->secret_file, CONFIG_COOKIE_SECRETS_MAX);
			return;
		}
		if (config_parse_hex(line, cookies->secrets[n], CONFIG_COOKIE_SECRET_LEN, &why) != 0) {
			config_error(r, node, "secret-file: %s:%u: %s", cookies->secret_file, n + 1, why.text);
			return;
		}
		n++;
	}
	if (n == 0)
		config_error(r, node, "secret-file: %s is empty; fill it with \"openssl rand -hex 16\"",
			     cookies->secret_file);
	cookies->n_secrets = n;
}

void
config_check_anycast(struct config_reader *r, const struct config_node *map, void *value)
{
	struct config_anycast *anycast = value;
	const struct config_server *server = &r->config->server;
	const struct config_node *interface = config_node_find(map, "interface");
	if (interface != NULL && !is_broken(interface) &&
	    interface->text[strcspn(interface->text, "/ :\t")] != '\0')
		config_error(r, interface, "interface: \"%s\" is no name for an interface; use letters and digits",
			     interface->text);
	for (unsigned i = 0; i < anycast->n_prefixes; i++) {
		bool covers = false;
		for (unsigned j = 0; j < server->n_listen; j++)
			covers |= server->listen[j].len == 0 ||
				  config_prefix_contains(&anycast->prefixes[i], &server->listen[j].any);
		const struct config_node *node = list_node(map, "prefixes", i);
		if (!covers && server->n_listen > 0 && !is_broken(node))
			config_warning(
				r, node,
				"prefixes: no address of server.listen lies in %s; announcing it draws queries "
				"that nobody answers",
				node->text);
	}
}

/* -------- the whole -------- */

/* A port that bypasses the kernel must know which packets are ours. */
static void
check_wildcards(struct config_reader *r, const struct config_node *root)
{
	const struct config *c = r->config;
	const struct config_node *server = config_node_find(root, "server");
	if (c->dataplane.mode == CONFIG_MODE_KERNEL)
		return;
	for (unsigned i = 0; i < c->server.n_listen; i++)
		if (address_is_wildcard(&c->server.listen[i]))
			config_error(r, list_node(server, "listen", i),
				     "listen: a wildcard is for mode kernel only; list the "
				     "service addresses");
}

static void
check_tls_apart(struct config_reader *r, const struct config_node *root)
{
	const struct config *c = r->config;
	char text[CONFIG_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < c->tls.n_listen; i++)
		for (unsigned j = 0; j < c->server.n_listen; j++)
			if (address_equal(&c->tls.listen[i], &c->server.listen[j]))
				config_error(r, list_node(config_node_find(root, "tls"), "listen", i),
					     "listen: %s serves plain DNS in server.listen; give TLS another port, "
					     "such as 853",
					     config_address_text(&c->tls.listen[i], text));
}

static void
check_catalog_names(struct config_reader *r, const struct config_node *root)
{
	const struct config *c = r->config;
	for (unsigned i = 0; i < c->n_catalogs; i++) {
		const uint8_t *name = c->catalogs[i].name;
		for (unsigned j = 0; j < c->n_zones && name != NULL; j++) {
			if (c->zones[j].name == NULL || !name_equal(c->zones[j].name, name))
				continue;
			const struct config_node *node = config_node_find(list_node(root, "catalogs", i), "name");
			config_error(r, node, "name: \"%s\" is a zone too, at line %u; remove one of the two",
				     node->text, list_node(root, "zones", j)->line);
		}
	}
}

/* Two ids that differ in case only are one key on the wire, where names have no case. */
static void
check_key_names(struct config_reader *r, const struct config_node *root)
{
	const struct config *c = r->config;
	for (unsigned i = 1; i < c->n_keys; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct config_key *a = &c->keys[i], *b = &c->keys[j];
			if (a->name.len == 0 || b->name.len == 0 || strcmp(a->id, b->id) == 0 ||
			    !name_equal(a->name.bytes, b->name.bytes))
				continue;
			config_error(r, config_node_find(list_node(root, "keys", i), "id"),
				     "id: \"%s\" and \"%s\" are the same name in TSIG; rename one of the two",
				     a->id, b->id);
		}
}

void
config_check_root(struct config_reader *r, const struct config_node *map, void *value)
{
	check_wildcards(r, map);
	check_tls_apart(r, map);
	check_catalog_names(r, map);
	check_key_names(r, map);
}
