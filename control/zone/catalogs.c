/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of several catalogs. See catalogs.h.
 *
 * `owners` has the member object by whose word each zone is served; the objects belong to their catalogs. A change
 * of a catalog, of the configuration, or a restored member all go the same way: for each name that they touch
 * choose() says who owns it from now on, decide() puts that into a transaction and an action into a list, and only
 * when all of this has been done is it committed and told. Control thread.
 */
#include "control/zone/catalogs.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A catalog, as long as it is configured, whatever configuration that is. */
struct catalog {
	struct catalog_members members; /* first: members lead here */
	uint64_t owned;
	bool was_good; /* some version was */
	uint32_t good_serial;
	char why[CATALOGS_WHY_MAX];
};

/* A catalog in one configuration. */
struct seat {
	struct catalog *catalog;
	const struct config_catalog *config;
	struct config_zone *by_template; /* settings of members of a group, beside config->templates */
};

/* All that depends on the configuration. */
struct plan {
	const struct config *config;
	struct seat *seats;
	unsigned n;
	const uint8_t **taken; /* sorted: names that no member may have */
	size_t n_taken;
};

struct catalogs {
	struct catalogs_events events;
	struct plan plan;
	struct plan before; /* without catalogs: for its settings */
	struct names owners;
};

enum action { ACTION_ADD, ACTION_REMOVE, ACTION_RESET, ACTION_CHANGE };

struct decision {
	enum action action;
	const struct catalog_member *old, *new;
};

/* The work on one change of catalogs or configuration. */
struct work {
	const struct catalogs *c;
	const struct plan *plan;
	const struct catalog *updated; /* its members are looked for in `update`; NULL: none */
	const struct catalog_update *update;
	struct names_txn *owners;
	struct decision *decisions;
	size_t n, cap;
	struct diag_list *diag;
};

static struct catalog *
catalog_of(const struct catalog_member *m)
{
	return (struct catalog *)(uintptr_t)m->members;
}

static const struct seat *
plan_seat(const struct plan *p, const uint8_t *apex)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (name_equal(p->seats[i].catalog->members.apex.bytes, apex))
			return &p->seats[i];
	}
	return NULL;
}

/* -------- the configuration -------- */

static int
compare_names(const void *a, const void *b)
{
	const uint8_t *const *x = a, *const *y = b;
	return name_compare(*x, *y);
}

static bool
plan_is_taken(const struct plan *p, const uint8_t *name)
{
	size_t low = 0, high = p->n_taken;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = name_compare(p->taken[mid], name);
		if (order == 0)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* A template for zones with files says nothing for members. */
static bool
template_fits(const struct config_template *t)
{
	return t->file == NULL;
}

static int
seat_fill(struct seat *seat, const struct config *config)
{
	if (config->n_templates == 0)
		return 0;
	seat->by_template = calloc(config->n_templates, sizeof(*seat->by_template));
	if (!seat->by_template)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_templates; i++) {
		struct config_zone *z = &seat->by_template[i];
		*z = config->templates[i].zone;
		z->role = CONFIG_SECONDARY;
		z->template = &config->templates[i];
		z->n_allow_update = 0;
		if (z->n_primaries == 0) {
			z->primaries = seat->config->zone.primaries;
			z->n_primaries = seat->config->zone.n_primaries;
		}
	}
	return 0;
}

static struct catalog *
catalog_new(const uint8_t *name)
{
	struct name apex;
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	name_copy(&apex, name);
	if (catalog)
		catalog_members_init(&catalog->members, &apex);
	return catalog;
}

static void
catalog_free(struct catalog *catalog)
{
	catalog_members_clear(&catalog->members);
	free(catalog);
}

/* Frees the plan, and the catalogs that `kept` (may be NULL) has not. */
static void
plan_free(struct plan *p, const struct plan *kept)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct catalog *catalog = p->seats[i].catalog;
		const struct seat *other = catalog && kept ? plan_seat(kept, catalog->members.apex.bytes) : NULL;
		if (catalog && (!other || other->catalog != catalog))
			catalog_free(catalog);
		free(p->seats[i].by_template);
	}
	free(p->seats);
	free(p->taken);
	*p = (struct plan){0};
}

static int
plan_add_seat(struct plan *p, const struct plan *old, const struct config_catalog *config)
{
	const struct seat *before = plan_seat(old, config->name);
	struct seat *seat = &p->seats[p->n];
	seat->catalog = before ? before->catalog : catalog_new(config->name);
	if (!seat->catalog)
		return -ENOMEM;
	seat->config = config;
	p->n++;
	return seat_fill(seat, p->config);
}

static int
plan_fill(struct plan *p, const struct plan *old, const struct config *config)
{
	p->config = config;
	p->seats = calloc(config->n_catalogs + 1u, sizeof(*p->seats));
	p->taken = calloc((size_t)config->n_zones + config->n_catalogs + 1, sizeof(const uint8_t *));
	if (!p->seats || !p->taken)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_zones; i++)
		p->taken[p->n_taken++] = config->zones[i].name;
	for (unsigned i = 0; i < config->n_catalogs; i++) {
		p->taken[p->n_taken++] = config->catalogs[i].name;
		if (!config->catalogs[i].produce.enabled && plan_add_seat(p, old, &config->catalogs[i]) != 0)
			return -ENOMEM;
	}
	qsort(p->taken, p->n_taken, sizeof(struct name *), compare_names);
	return 0;
}

/* -------- who owns a name -------- */

static bool
seat_admits(const struct seat *seat, const uint8_t *name)
{
	return catalog_admits(seat->config->admit, seat->config->n_admit, name);
}

/* The member of this name that the catalog will have, admitted or not. */
static const struct catalog_member *
member_named(const struct work *w, const struct catalog *catalog, const struct catalog_member *like)
{
	const uint8_t *name = catalog_member_name(like);
	uint64_t hash = like->entry.hash;
	unsigned len = like->entry.name_len;
	const struct names_entry *e = catalog == w->updated ? names_txn_find(w->update->txn, hash, name, len)
							    : names_find(&catalog->members.names, hash, name, len);
	return (const struct catalog_member *)e;
}

static const struct catalog_member *
claim_of(const struct work *w, const struct seat *seat, const struct catalog_member *like)
{
	if (!seat || !seat_admits(seat, catalog_member_name(like)))
		return NULL;
	return member_named(w, seat->catalog, like);
}

/* The claim of the catalog that the member's coo names, or NULL. */
static const struct catalog_member *
heir_of(const struct work *w, const struct catalog_member *m)
{
	const uint8_t *coo = catalog_member_coo(m);
	return coo ? claim_of(w, plan_seat(w->plan, coo), m) : NULL;
}

/* The first claim in the order of the configuration, or its heir's. */
static const struct catalog_member *
first_claim(const struct work *w, const struct catalog_member *like)
{
	for (unsigned i = 0; i < w->plan->n; i++) {
		const struct catalog_member *claim = claim_of(w, &w->plan->seats[i], like);
		const struct catalog_member *heir = claim ? heir_of(w, claim) : NULL;
		if (claim)
			return heir ? heir : claim;
	}
	return NULL;
}

/* Who is to own the name from now on, and whether the zone keeps its state. */
static const struct catalog_member *
choose(const struct work *w, const struct catalog_member *like, const struct catalog_member *old, bool *keeps)
{
	*keeps = false;
	if (plan_is_taken(w->plan, catalog_member_name(like)))
		return NULL;
	const struct seat *seat = old ? plan_seat(w->plan, catalog_of(old)->members.apex.bytes) : NULL;
	const struct catalog_member *own = old ? claim_of(w, seat, old) : NULL;
	if (!own)
		return first_claim(w, like);
	const struct catalog_member *heir = heir_of(w, own), *new = heir ? heir : own;
	*keeps = catalog_member_has_id_of(old, own) && catalog_member_has_id_of(own, new);
	return new;
}

/* -------- deciding -------- */

static int
note_decision(struct work *w, enum action action, const struct catalog_member *old,
	      const struct catalog_member *new)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct decision *bigger = realloc(w->decisions, cap * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		w->decisions = bigger;
		w->cap = cap;
	}
	w->decisions[w->n++] = (struct decision){.action = action, .old = old, .new = new};
	return 0;
}

/* Decides about the name of a member. `told`: even if its owner stays as it is. */
static int
decide(struct work *w, const struct catalog_member *like, bool told)
{
	const uint8_t *name = catalog_member_name(like);
	const struct catalog_member *old = (const struct catalog_member *)names_txn_find(
		w->owners, like->entry.hash, name, like->entry.name_len);
	bool keeps;
	const struct catalog_member *new = choose(w, like, old, &keeps);
	if (new == old && (!told || !old))
		return 0;
	int err = new ? names_txn_put(w->owners, &new->entry, NULL)
		      : names_txn_remove(w->owners, like->entry.hash, name, like->entry.name_len, NULL);
	if (err != 0)
		return err;
	enum action action = !new ? ACTION_REMOVE : !old ? ACTION_ADD : keeps ? ACTION_CHANGE : ACTION_RESET;
	return note_decision(w, action, old, new);
}

/* Says why a claim is refused, if it is. */
static void
warn_of_refusal(const struct work *w, const struct seat *seat, const struct catalog_member *m)
{
	char apex[NAME_TEXT_MAX], text[NAME_TEXT_MAX], other[NAME_TEXT_MAX];
	const uint8_t *name = catalog_member_name(m);
	const struct catalog_member *owner =
		(const struct catalog_member *)names_txn_find(w->owners, m->entry.hash, name, m->entry.name_len);
	const uint8_t *coo = catalog_member_coo(m);
	if (owner && (owner->members == m->members || (coo && name_equal(coo, owner->members->apex.bytes))))
		return; /* its own, or given away */
	name_to_text(m->members->apex.bytes, apex);
	name_to_text(name, text);
	if (plan_is_taken(w->plan, name))
		diag_add(w->diag, DIAG_WARNING, NULL, 0, 0,
			 "catalog %s: member %s is not taken, it is in the configuration", apex, text);
	else if (!seat_admits(seat, name))
		diag_add(w->diag, DIAG_WARNING, NULL, 0, 0,
			 "catalog %s: member %s is not taken, it is not admitted", apex, text);
	else if (owner) {
		name_to_text(owner->members->apex.bytes, other);
		diag_add(w->diag, DIAG_WARNING, NULL, 0, 0, "catalog %s: member %s is not taken, catalog %s has it",
			 apex, text, other);
	}
}

static int
work_begin(struct work *w, const struct catalogs *c, const struct plan *plan, struct diag_list *diag)
{
	*w = (struct work){.c = c, .plan = plan, .diag = diag};
	w->owners = names_txn_begin(&c->owners, 0);
	return w->owners ? 0 : -ENOMEM;
}

static void
work_abort(struct work *w)
{
	if (w->owners)
		names_txn_abort(w->owners);
	free(w->decisions);
}

/* -------- telling -------- */

static const struct config_zone *
settings_of(const struct plan *p, const struct catalog_member *m)
{
	const struct seat *seat = plan_seat(p, m->members->apex.bytes);
	for (unsigned i = 0; i < m->n_groups; i++) {
		size_t len;
		const char *group = catalog_member_group(m, i, &len);
		for (unsigned t = 0; t < p->config->n_templates; t++) {
			const struct config_template *template = &p->config->templates[t];
			if (strlen(template->id) == len && memcmp(template->id, group, len) == 0 &&
			    template_fits(template))
				return &seat->by_template[t];
		}
	}
	return &seat->config->member;
}

static void
tell(const struct catalogs *c, const struct decision *d)
{
	const struct catalogs_events *events = &c->events;
	if (d->action == ACTION_REMOVE) {
		events->remove(events->arg, catalog_member_name(d->old));
		return;
	}
	struct catalogs_zone z = {
		.member = d->new, .settings = settings_of(&c->plan, d->new), .member_changed = d->new != d->old};
	if (d->action == ACTION_ADD)
		events->add(events->arg, &z);
	else if (d->action == ACTION_RESET)
		events->reset(events->arg, &z);
	else
		events->change(events->arg, &z);
}

/* Cannot fail. Old members are still there. */
static void
work_commit(struct work *w, struct catalogs *c)
{
	struct garbage garbage = {0};
	names_txn_commit(w->owners, &c->owners, &garbage);
	garbage_free(&garbage);
	for (size_t i = 0; i < w->n; i++) {
		const struct decision *d = &w->decisions[i];
		if (d->old)
			catalog_of(d->old)->owned--;
		if (d->new)
			catalog_of(d->new)->owned++;
		tell(c, d);
	}
	free(w->decisions);
}

/* -------- a new version of a catalog -------- */

int
catalogs_prepare(const struct catalogs *c, const struct name *catalog, const struct snapshot *base,
		 const struct snapshot *next, struct catalog_update *out, struct diag_list *diag)
{
	const struct seat *seat = plan_seat(&c->plan, catalog->bytes);
	if (!seat)
		return -ENOENT;
	return catalog_update_make(&seat->catalog->members, base, next, out, diag);
}

int
catalogs_commit(struct catalogs *c, const struct name *catalog, struct catalog_update *update,
		struct diag_list *diag)
{
	struct work w;
	const struct seat *seat = plan_seat(&c->plan, catalog->bytes);
	assert(seat);
	int err = work_begin(&w, c, &c->plan, diag);
	w.updated = seat->catalog;
	w.update = update;
	for (size_t i = 0; i < update->n && err == 0; i++) {
		const struct catalog_change *change = &update->changes[i];
		err = decide(&w, change->new ? change->new : change->old, false);
		if (err == 0 && change->new)
			warn_of_refusal(&w, seat, change->new);
	}
	if (err != 0) {
		work_abort(&w);
		catalog_update_abort(update);
		return err;
	}
	work_commit(&w, c);
	if (update->has_serial) {
		seat->catalog->was_good = true;
		seat->catalog->good_serial = update->serial;
		seat->catalog->why[0] = '\0';
	}
	catalog_update_commit(&seat->catalog->members, update);
	return 0;
}

void
catalogs_fail(struct catalogs *c, const struct name *catalog, const char *why)
{
	const struct seat *seat = plan_seat(&c->plan, catalog->bytes);
	if (!seat)
		return;
	snprintf(seat->catalog->why, sizeof(seat->catalog->why), "%s", why);
	seat->catalog->members.has_serial = false;
}

/* -------- a new configuration -------- */

static int
visit_owned(const struct names_entry *e, void *arg)
{
	return decide(arg, (const struct catalog_member *)e, true);
}

/* Of members that nobody owned; those that somebody owned have been decided about. */
static int
visit_member(const struct names_entry *e, void *arg)
{
	struct work *w = arg;
	const uint8_t *name = names_entry_name(e);
	if (names_find(&w->c->owners, e->hash, name, e->name_len))
		return 0;
	return decide(w, (const struct catalog_member *)e, false);
}

static int
visit_refused(const struct names_entry *e, void *arg)
{
	const struct work *w = arg;
	const struct catalog_member *m = (const struct catalog_member *)e;
	warn_of_refusal(w, plan_seat(w->plan, m->members->apex.bytes), m);
	return 0;
}

static int
settle_all(struct work *w)
{
	int err = names_walk(&w->c->owners, visit_owned, w);
	for (unsigned i = 0; i < w->plan->n && err == 0; i++)
		err = names_walk(&w->plan->seats[i].catalog->members.names, visit_member, w);
	for (unsigned i = 0; i < w->plan->n && err == 0; i++)
		err = names_walk(&w->plan->seats[i].catalog->members.names, visit_refused, w);
	return err;
}

/* Frees its catalogs that are not in the present plan, and keeps its settings until the next time. */
static void
plan_set_aside(struct catalogs *c, struct plan *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct seat *now = plan_seat(&c->plan, p->seats[i].catalog->members.apex.bytes);
		if (!now || now->catalog != p->seats[i].catalog)
			catalog_free(p->seats[i].catalog);
		p->seats[i].catalog = NULL;
	}
	plan_free(&c->before, NULL);
	c->before = *p;
}

int
catalogs_configure(struct catalogs *c, const struct config *config, struct diag_list *diag)
{
	struct work w = {0};
	struct plan plan = {0}, before = c->plan;
	int err = plan_fill(&plan, &c->plan, config);
	if (err == 0)
		err = work_begin(&w, c, &plan, diag);
	if (err == 0)
		err = settle_all(&w);
	if (err != 0) {
		work_abort(&w);
		plan_free(&plan, &c->plan);
		return err;
	}
	c->plan = plan;
	work_commit(&w, c);
	plan_set_aside(c, &before);
	return 0;
}

/* -------- from before a restart -------- */

int
catalogs_restore(struct catalogs *c, const struct name *catalog, const struct catalog_member_parts *parts)
{
	struct catalog_update update;
	struct diag_list unheard = {.limit = 1};
	uint8_t lower[NAME_MAX_LEN];
	const struct seat *seat = plan_seat(&c->plan, catalog->bytes);
	if (!seat)
		return -ENOENT;
	name_lower(lower, parts->name->bytes, parts->name->len);
	if (plan_is_taken(&c->plan, lower) || !seat_admits(seat, lower))
		return -EPERM;
	if (catalogs_find(c, lower))
		return -EEXIST;
	int err = catalog_update_restore(&seat->catalog->members, parts, &update);
	if (err == 0)
		err = catalogs_commit(c, catalog, &update, &unheard);
	diag_clear(&unheard);
	return err;
}

/* -------- all -------- */

int
catalogs_new(const struct catalogs_events *events, struct catalogs **out)
{
	struct catalogs *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->events = *events;
	*out = c;
	return 0;
}

void
catalogs_free(struct catalogs *c)
{
	if (!c)
		return;
	plan_free(&c->plan, NULL);
	plan_free(&c->before, NULL);
	names_free(&c->owners);
	free(c);
}

unsigned
catalogs_count(const struct catalogs *c)
{
	return c->plan.n;
}

struct catalogs_status
catalogs_status(const struct catalogs *c, unsigned i)
{
	const struct catalog *catalog = c->plan.seats[i].catalog;
	return (struct catalogs_status){
		.apex = &catalog->members.apex,
		.members = catalog->members.names.count,
		.owned = catalog->owned,
		.was_good = catalog->was_good,
		.serial = catalog->good_serial,
		.why = catalog->why,
	};
}

const struct catalog_member *
catalogs_find(const struct catalogs *c, const uint8_t *name)
{
	return (const struct catalog_member *)names_find(&c->owners, name_hash(name), name, name_len(name));
}
