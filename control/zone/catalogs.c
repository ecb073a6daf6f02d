/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of several catalogs. See catalogs.h.
 *
 * The member object by whose word a zone is served has a flag; the objects belong to their catalogs. A change of a
 * catalog, of the configuration, or a restored member all go the same way: for each name that they touch choose()
 * says who owns it from now on, and what that means for its zone goes into a list of decisions. Until it is told,
 * flags are those of before. Control thread, but for the preparing.
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
	const uint8_t **taken; /* sorted: names that no member may have; not filled in where nobody asks */
	size_t n_taken;
};

struct catalogs {
	struct catalogs_events events;
	struct plan plan;
	struct plan before; /* without catalogs: for its settings */
};

enum action { ACTION_ADD, ACTION_REMOVE, ACTION_RESET, ACTION_CHANGE };

struct decision {
	enum action action;
	const struct catalog_member *old, *new;
};

struct catalogs_change {
	const struct catalogs *c;
	struct catalog *updated; /* whose new version it is, by `update`; NULL: the configuration is another */
	struct catalog_update update;
	struct plan plan; /* of the configuration: the new one, and once committed, the one before */
	struct decision *decisions;
	size_t n, cap, n_told;
	struct diag_list *diag;
};

static struct catalog *
catalog_of(const struct catalog_member *m)
{
	return (struct catalog *)(uintptr_t)m->members;
}

static void
set_owner(const struct catalog_member *m, bool owns)
{
	((struct catalog_member *)(uintptr_t)m)->entry.flags = owns ? CATALOG_MEMBER_OWNS : 0;
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
plan_take_names(struct plan *p)
{
	const struct config *config = p->config;
	p->taken = calloc((size_t)config->n_zones + config->n_catalogs, sizeof(const uint8_t *));
	if (!p->taken)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_zones; i++)
		p->taken[p->n_taken++] = config->zones[i].name;
	for (unsigned i = 0; i < config->n_catalogs; i++)
		p->taken[p->n_taken++] = config->catalogs[i].name;
	qsort(p->taken, p->n_taken, sizeof(const uint8_t *), compare_names);
	return 0;
}

static int
plan_fill(struct plan *p, const struct plan *old, const struct config *config)
{
	p->config = config;
	p->seats = calloc(config->n_catalogs + 1u, sizeof(*p->seats));
	if (!p->seats)
		return -ENOMEM;
	for (unsigned i = 0; i < config->n_catalogs; i++)
		if (!config->catalogs[i].produce.enabled && plan_add_seat(p, old, &config->catalogs[i]) != 0)
			return -ENOMEM;
	return p->n ? plan_take_names(p) : 0;
}

/* -------- who owns a name -------- */

/* By whose word the zone is served now, or NULL. */
static const struct catalog_member *
owner_of(const struct catalogs *c, uint64_t hash, const uint8_t *name, unsigned len)
{
	for (unsigned i = 0; i < c->plan.n; i++) {
		const struct names_entry *e = names_find(&c->plan.seats[i].catalog->members.names, hash, name, len);
		if (e && e->flags & CATALOG_MEMBER_OWNS)
			return (const struct catalog_member *)e;
	}
	return NULL;
}

static const struct catalog_member *
owner_of_name(const struct catalogs *c, const struct catalog_member *like)
{
	return owner_of(c, like->entry.hash, catalog_member_name(like), like->entry.name_len);
}

/* The plan by which it is decided. */
static const struct plan *
plan_of(const struct catalogs_change *w)
{
	return w->updated ? &w->c->plan : &w->plan;
}

static bool
seat_admits(const struct seat *seat, const uint8_t *name)
{
	return catalog_admits(seat->config->admit, seat->config->n_admit, name);
}

/* The member of this name that the catalog will have, admitted or not. */
static const struct catalog_member *
member_named(const struct catalogs_change *w, const struct catalog *catalog, const struct catalog_member *like)
{
	const uint8_t *name = catalog_member_name(like);
	uint64_t hash = like->entry.hash;
	unsigned len = like->entry.name_len;
	const struct names_entry *e = catalog == w->updated ? names_txn_find(w->update.txn, hash, name, len)
							    : names_find(&catalog->members.names, hash, name, len);
	return (const struct catalog_member *)e;
}

static const struct catalog_member *
claim_of(const struct catalogs_change *w, const struct seat *seat, const struct catalog_member *like)
{
	if (!seat || !seat_admits(seat, catalog_member_name(like)))
		return NULL;
	return member_named(w, seat->catalog, like);
}

/* The claim of the catalog that the member's coo names, or NULL. */
static const struct catalog_member *
heir_of(const struct catalogs_change *w, const struct catalog_member *m)
{
	const uint8_t *coo = catalog_member_coo(m);
	return coo ? claim_of(w, plan_seat(plan_of(w), coo), m) : NULL;
}

/* The first claim in the order of the configuration, or its heir's. */
static const struct catalog_member *
first_claim(const struct catalogs_change *w, const struct catalog_member *like)
{
	const struct plan *plan = plan_of(w);
	for (unsigned i = 0; i < plan->n; i++) {
		const struct catalog_member *claim = claim_of(w, &plan->seats[i], like);
		const struct catalog_member *heir = claim ? heir_of(w, claim) : NULL;
		if (claim)
			return heir ? heir : claim;
	}
	return NULL;
}

/* Who is to own the name from now on, and whether the zone keeps its state. */
static const struct catalog_member *
choose(const struct catalogs_change *w, const struct catalog_member *like, const struct catalog_member *old,
       bool *keeps)
{
	*keeps = false;
	if (plan_is_taken(plan_of(w), catalog_member_name(like)))
		return NULL;
	const struct seat *seat = old ? plan_seat(plan_of(w), catalog_of(old)->members.apex.bytes) : NULL;
	const struct catalog_member *own = old ? claim_of(w, seat, old) : NULL;
	if (!own)
		return first_claim(w, like);
	const struct catalog_member *heir = heir_of(w, own), *new = heir ? heir : own;
	*keeps = catalog_member_has_id_of(old, own) && catalog_member_has_id_of(own, new);
	return new;
}

/* -------- deciding -------- */

static int
note_decision(struct catalogs_change *w, enum action action, const struct catalog_member *old,
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

/*
 * Decides about the name of a member: *owner becomes who owns it from then on, or NULL. `told`: even if its owner
 * stays as it is.
 */
static int
decide(struct catalogs_change *w, const struct catalog_member *like, bool told, const struct catalog_member **owner)
{
	bool keeps;
	const struct catalog_member *old = owner_of_name(w->c, like), *new = choose(w, like, old, &keeps);
	*owner = new;
	if (new == old && (!told || !old))
		return 0;
	enum action action = !new ? ACTION_REMOVE : !old ? ACTION_ADD : keeps ? ACTION_CHANGE : ACTION_RESET;
	return note_decision(w, action, old, new);
}

/* Says why a claim is refused, if it is: `owner` (or NULL) owns the zone. */
static void
warn_of_refusal(const struct catalogs_change *w, const struct seat *seat, const struct catalog_member *m,
		const struct catalog_member *owner)
{
	char apex[NAME_TEXT_MAX], text[NAME_TEXT_MAX], other[NAME_TEXT_MAX];
	const uint8_t *name = catalog_member_name(m);
	const uint8_t *coo = catalog_member_coo(m);
	if (owner && (owner->members == m->members || (coo && name_equal(coo, owner->members->apex.bytes))))
		return; /* its own, or given away */
	name_to_text(m->members->apex.bytes, apex);
	name_to_text(name, text);
	if (plan_is_taken(plan_of(w), name))
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

static struct catalogs_change *
change_new(const struct catalogs *c, struct diag_list *diag)
{
	struct catalogs_change *w = calloc(1, sizeof(*w));
	if (w) {
		w->c = c;
		w->diag = diag;
	}
	return w;
}

void
catalogs_abort(struct catalogs_change *w)
{
	if (!w)
		return;
	if (w->updated)
		catalog_update_abort(&w->update);
	else
		plan_free(&w->plan, &w->c->plan);
	free(w->decisions);
	free(w);
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

static void
commit_update(struct catalogs_change *w)
{
	struct catalog *catalog = w->updated;
	if (w->update.has_serial) {
		catalog->was_good = true;
		catalog->good_serial = w->update.serial;
		catalog->why[0] = '\0';
	}
	catalog_update_apply(&catalog->members, &w->update);
}

void
catalogs_commit(struct catalogs *c, struct catalogs_change *w)
{
	if (w->updated) {
		commit_update(w);
		return;
	}
	struct plan before = c->plan;
	c->plan = w->plan;
	w->plan = before;
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

static void
decision_tell(const struct catalogs *c, const struct decision *d)
{
	if (d->old) {
		catalog_of(d->old)->owned--;
		set_owner(d->old, false);
	}
	if (d->new) {
		catalog_of(d->new)->owned++;
		set_owner(d->new, true);
	}
	tell(c, d);
}

bool
catalogs_tell(struct catalogs *c, struct catalogs_change *w, size_t n)
{
	for (size_t end = w->n - w->n_told < n ? w->n : w->n_told + n; w->n_told < end;)
		decision_tell(c, &w->decisions[w->n_told++]);
	if (w->n_told < w->n || (w->updated && !catalog_update_end(&w->update, n)))
		return false;
	catalogs_tell_no_more(c, w);
	return true;
}

void
catalogs_tell_no_more(struct catalogs *c, struct catalogs_change *w)
{
	if (w->updated)
		(void)!catalog_update_end(&w->update, SIZE_MAX);
	else
		plan_set_aside(c, &w->plan);
	free(w->decisions);
	free(w);
}

/* -------- a new version of a catalog -------- */

static int
decide_update(struct catalogs_change *w, const struct seat *seat)
{
	int err = 0;
	for (size_t i = 0; i < w->update.n && err == 0; i++) {
		const struct catalog_change *change = &w->update.changes[i];
		const struct catalog_member *owner;
		err = decide(w, change->new ? change->new : change->old, false, &owner);
		if (err == 0 && change->new)
			warn_of_refusal(w, seat, change->new, owner);
	}
	return err;
}

int
catalogs_prepare(const struct catalogs *c, const struct name *catalog, const struct snapshot *base,
		 const struct snapshot *next, struct catalogs_change **out, struct diag_list *diag)
{
	const struct seat *seat = plan_seat(&c->plan, catalog->bytes);
	if (!seat)
		return -ENOENT;
	struct catalogs_change *w = change_new(c, diag);
	if (!w)
		return -ENOMEM;
	int err = catalog_update_make(&seat->catalog->members, base, next, &w->update, diag);
	w->updated = seat->catalog;
	if (err == 0)
		err = decide_update(w, seat);
	if (err == 0)
		*out = w;
	else
		catalogs_abort(w);
	return err;
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
	const struct catalog_member *owner;
	return e->flags & CATALOG_MEMBER_OWNS ? decide(arg, (const struct catalog_member *)e, true, &owner) : 0;
}

/* Of members that nobody owns yet: the one that wins is decided about. */
static int
visit_unowned(const struct names_entry *e, void *arg)
{
	struct catalogs_change *w = arg;
	const struct catalog_member *m = (const struct catalog_member *)e;
	bool keeps;
	if (owner_of_name(w->c, m) || choose(w, m, NULL, &keeps) != m)
		return 0;
	return note_decision(w, ACTION_ADD, NULL, m);
}

static int
visit_refused(const struct names_entry *e, void *arg)
{
	const struct catalogs_change *w = arg;
	const struct catalog_member *m = (const struct catalog_member *)e;
	bool keeps;
	const struct catalog_member *owner = choose(w, m, owner_of_name(w->c, m), &keeps);
	if (owner != m)
		warn_of_refusal(w, plan_seat(&w->plan, m->members->apex.bytes), m, owner);
	return 0;
}

static int
visit_members(const struct plan *p, int (*visit)(const struct names_entry *e, void *arg), struct catalogs_change *w)
{
	int err = 0;
	for (unsigned i = 0; i < p->n && err == 0; i++)
		err = names_walk(&p->seats[i].catalog->members.names, visit, w);
	return err;
}

int
catalogs_prepare_config(const struct catalogs *c, const struct config *config, struct catalogs_change **out,
			struct diag_list *diag)
{
	struct catalogs_change *w = change_new(c, diag);
	if (!w)
		return -ENOMEM;
	int err = plan_fill(&w->plan, &c->plan, config);
	if (err == 0)
		err = visit_members(&c->plan, visit_owned, w);
	if (err == 0)
		err = visit_members(&w->plan, visit_unowned, w);
	if (err == 0)
		err = visit_members(&w->plan, visit_refused, w);
	if (err == 0)
		*out = w;
	else
		catalogs_abort(w);
	return err;
}

/* -------- from before a restart -------- */

int
catalogs_restore(struct catalogs *c, const struct name *catalog, const struct catalog_member_parts *parts)
{
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
	struct catalogs_change *w = change_new(c, &unheard);
	if (!w)
		return -ENOMEM;
	int err = catalog_update_restore(&seat->catalog->members, parts, &w->update);
	w->updated = seat->catalog;
	if (err == 0)
		err = decide_update(w, seat);
	if (err == 0) {
		catalogs_commit(c, w);
		(void)!catalogs_tell(c, w, SIZE_MAX);
	} else {
		catalogs_abort(w);
	}
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
	return owner_of(c, name_hash(name), name, name_len(name));
}
