/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UPDATE: all that can refuse one before it touches anything. See update_private.h. Pool threads.
 *
 * The zone is asked through the change, in which nothing has been changed yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/zone/update_private.h"

static bool
is_in_zone(const struct update *u, const struct message_record *r)
{
	return name_is_under(r->owner, u->apex.bytes);
}

/* -------- prerequisites (section 3.2) -------- */

/* Checks that there is a name, or a set, or that there is none. */
static int
check_presence(struct update *u, const struct message_record *r)
{
	struct name owner;
	size_t n;
	name_copy(&owner, r->owner);
	int err = zone_change_count(u->change, &owner, r->type, &n);
	if (err != 0)
		return err;
	bool wants = r->rrclass == RRCLASS_ANY, of_name = r->type == RRTYPE_ANY;
	if (wants == (n != 0))
		return 0;
	if (wants)
		return update_refuse_record(u, r, of_name ? RCODE_NXDOMAIN : RCODE_NXRRSET, "must be there");
	return update_refuse_record(u, r, of_name ? RCODE_YXDOMAIN : RCODE_YXRRSET, "must not be there");
}

static int
check_prerequisite(struct update *u, const struct message_record *r)
{
	if (r->ttl_s != 0)
		return update_refuse_record(u, r, RCODE_FORMERR, "a prerequisite with a TTL");
	if (!is_in_zone(u, r))
		return update_refuse_record(u, r, RCODE_NOTZONE, "outside the zone");
	if (r->rrclass == RRCLASS_IN) /* as a set, later; no set has a type like these */
		return rrtype_is_meta(r->type) ? update_refuse_record(u, r, RCODE_FORMERR, "a type without data")
					       : 0;
	if (r->rrclass != RRCLASS_ANY && r->rrclass != RRCLASS_NONE)
		return update_refuse_record(u, r, RCODE_FORMERR, "a prerequisite of this class");
	if (r->rdlen != 0)
		return update_refuse_record(u, r, RCODE_FORMERR, "a prerequisite of this class with data");
	return check_presence(u, r);
}

/* By owner, type and data, which are in canonical form. */
static int
compare_records(const void *x, const void *y)
{
	const struct message_record *a = x, *b = y;
	unsigned len = name_len(a->owner), b_len = name_len(b->owner);
	int order = len != b_len ? (len < b_len ? -1 : 1) : memcmp(a->owner, b->owner, len);
	if (order == 0 && a->type != b->type)
		order = a->type < b->type ? -1 : 1;
	return order != 0 ? order : rdata_compare(a->rdata, a->rdlen, b->rdata, b->rdlen);
}

static bool
is_same_set(const struct message_record *a, const struct message_record *b)
{
	return a->type == b->type && name_equal(a->owner, b->owner);
}

/* The set that begins at r[0] must be in the zone record by record, no more and no less; *n: how many it has here.
 */
static int
check_set(struct update *u, const struct message_record *r, unsigned left, unsigned *n)
{
	struct name owner;
	size_t distinct = 0, there;
	name_copy(&owner, r->owner);
	int err = zone_change_count(u->change, &owner, r->type, &there);
	for (*n = 0; err == 0 && *n < left && is_same_set(r, &r[*n]); ++*n) {
		const struct message_record *one = &r[*n];
		bool has;
		if (*n != 0 && compare_records(&r[*n - 1], one) == 0)
			continue;
		distinct++;
		err = zone_change_has(u->change, &owner, one->type, one->rdata, one->rdlen, &has);
		if (err == 0 && !has)
			return update_refuse_record(u, one, RCODE_NXRRSET, "must be there with this data");
	}
	if (err == 0 && distinct != there)
		return update_refuse_record(u, r, RCODE_NXRRSET, "must not have other data");
	return err;
}

/* Compares the sets that the prerequisites of class IN make up. Sorts these, and makes their data canonical. */
static int
check_sets(struct update *u)
{
	struct message_record *r = u->message.records;
	unsigned n = 0, n_set;
	for (unsigned i = 0; i < u->message.n_prerequisites; i++) {
		if (r[i].rrclass != RRCLASS_IN)
			continue;
		rdata_canonical(r[i].type, (uint8_t *)(uintptr_t)r[i].rdata, r[i].rdlen);
		r[n++] = r[i];
	}
	if (n == 0)
		return 0;
	qsort(r, n, sizeof(*r), compare_records);
	for (unsigned i = 0; i < n; i += n_set) {
		int err = check_set(u, &r[i], n - i, &n_set);
		if (err != 0)
			return err;
	}
	return 0;
}

int
update_check_prerequisites(struct update *u)
{
	for (unsigned i = 0; i < u->message.n_prerequisites; i++) {
		int err = check_prerequisite(u, &u->message.records[i]);
		if (err != 0)
			return err;
	}
	return check_sets(u);
}

/* -------- permission (section 3.3) -------- */

static bool
rule_covers_name(const struct config_update_rule *rule, const uint8_t *owner)
{
	for (unsigned i = 0; i < rule->n_name; i++) {
		const uint8_t *pattern = rule->name[i].bytes;
		bool is_star = pattern[0] == 1 && pattern[1] == '*';
		const uint8_t *above = is_star ? name_parent(pattern, 1) : NULL;
		if (is_star ? name_is_under(owner, above) && !name_equal(owner, above) : name_equal(owner, pattern))
			return true;
	}
	return false;
}

/* What a rule means that names no types: not what steers the zone or proves it. */
static bool
is_usual_type(uint16_t type)
{
	return type != RRTYPE_SOA && type != RRTYPE_NS && type != RRTYPE_RRSIG && type != RRTYPE_NSEC &&
	       type != RRTYPE_NSEC3;
}

static bool
rule_covers_type(const struct config_update_rule *rule, uint16_t type)
{
	for (unsigned i = 0; i < rule->n_types; i++) {
		if (rule->types[i] == type || rule->types[i] == RRTYPE_ANY)
			return true;
	}
	return rule->n_types == 0 && is_usual_type(type);
}

struct permission {
	const struct update *u;
	const uint8_t *owner;
	bool is_apex;
};

static int
permit_type(void *arg, uint16_t type)
{
	const struct permission *p = arg;
	const struct update_request *request = p->u->request;
	for (unsigned i = 0; i < request->n_rules; i++) {
		const struct config_update_rule *rule = &request->rules[i];
		if (name_equal(rule->key->name.bytes, request->signer->bytes) && rule_covers_name(rule, p->owner) &&
		    rule_covers_type(rule, type))
			return 0;
	}
	return -EPERM;
}

/* Types that "everything at a name" removes. Signatures and links go with what they belong to. */
static int
permit_removal(void *arg, uint16_t type)
{
	const struct permission *p = arg;
	bool stays = p->is_apex && (type == RRTYPE_SOA || type == RRTYPE_NS);
	return stays || type == RRTYPE_RRSIG || type == RRTYPE_NSEC ? 0 : permit_type(arg, type);
}

static int
check_permission(struct update *u, const struct message_record *r)
{
	struct permission p = {.u = u, .owner = r->owner, .is_apex = name_equal(r->owner, u->apex.bytes)};
	struct name owner;
	int err = 0;
	if (u->request->n_rules == 0)
		return 0;
	if (u->request->signer == NULL)
		return update_refuse(u, RCODE_REFUSED, "not signed, and there are rules for keys");
	name_copy(&owner, r->owner);
	if (r->type != RRTYPE_ANY)
		err = permit_type(&p, r->type);
	else
		err = zone_change_types(u->change, &owner, permit_removal, &p);
	return err != -EPERM ? err : update_refuse_record(u, r, RCODE_REFUSED, "no rule of the key allows it");
}

/* -------- form (section 3.4.1) -------- */

/* What is wrong with the form of a record of the update section; NULL: nothing. */
static const char *
form_fault(const struct message_record *r)
{
	bool of_all = r->rrclass == RRCLASS_ANY;
	if (r->rrclass != RRCLASS_IN && r->rrclass != RRCLASS_ANY && r->rrclass != RRCLASS_NONE)
		return "an update of this class";
	if (rrtype_is_meta(r->type) && !(of_all && r->type == RRTYPE_ANY))
		return "a type without data";
	if (r->rrclass != RRCLASS_IN && r->ttl_s != 0)
		return "a removal with a TTL";
	if (of_all && r->rdlen != 0)
		return "the removal of a set with data";
	if (r->rrclass == RRCLASS_NONE && rdata_check(r->type, r->rdata, r->rdlen, NULL) != 0)
		return "not data of this type";
	return NULL;
}

int
update_check_records(struct update *u)
{
	for (unsigned i = u->message.n_prerequisites; i < u->message.n; i++) {
		const struct message_record *r = &u->message.records[i];
		if (!is_in_zone(u, r))
			return update_refuse_record(u, r, RCODE_NOTZONE, "outside the zone");
		const char *fault = form_fault(r);
		if (fault != NULL)
			return update_refuse_record(u, r, RCODE_FORMERR, fault);
		int err = check_permission(u, r);
		if (err != 0)
			return err;
	}
	return 0;
}
