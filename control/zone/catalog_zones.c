/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogs at work. See catalog_zones.h. Control thread, but for read_work() and catalog_zones_plan(). */
#include "control/zone/catalog_zones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/log.h"
#include "control/publish/publish.h"
#include "control/zone/catalog_notes.h"

#define LOG_FAULTS_MAX 20
#define TELL_MEMBERS 200 /* added, removed, changed in a turn of the loop: some 1 to 3 ms */

/* One catalog of the configuration. */
struct catalog_zone {
	struct name apex;
	struct served *read; /* held: the version that the members are of; NULL: none */
	bool is_produced;    /* by us: nobody reads it */
	bool is_due;         /* a version is served that was not looked at */
};

/* Members of before a restart, on their way back. */
struct restore {
	uv_work_t work;
	struct zones_op *first_load;
	bool is_reading;
	bool is_taking; /* members that are told as added are those of the batch */
	int err;
	uint64_t n;
	struct catalog_batch batch;
};

struct catalog_zones {
	struct catalog_zones_options options;
	struct catalog_notes *notes; /* NULL: there is no state */
	struct restore *restore;     /* NULL: it is over */
	struct catalogs *catalogs;
	struct catalog_zone *items;
	unsigned n;
	struct zones_edit *edit;  /* while events come */
	uint64_t added, removed;  /* of it, and of those before it in this change */
	bool held;                /* a plan of zones is being made */
	void (*ready)(void *arg); /* who waits for the reading that runs to end; NULL: nobody */
	void *ready_arg;
	bool has_lost; /* members that could not be made zones: what the state has of them is theirs still */
	bool stopping;
	/* the reading that runs, and the telling of what it has brought */
	uv_work_t work;
	bool is_reading;
	struct name apex;
	struct served *base, *next; /* held */
	struct catalogs_change *change;
	struct diag_list diag;
	int err;
};

/* -------- notes of members -------- */

static void
note(struct catalog_zones *c, const uint8_t *name)
{
	if (c->notes)
		catalog_notes_due(c->notes, name);
}

/* catalog_note_fn */
static int
note_of(void *arg, const struct name *apex, uint8_t out[STATE_NOTE_MAX])
{
	struct catalog_zones *c = arg;
	const struct catalog_member *m = catalogs_find(c->catalogs, apex->bytes);
	const struct zone_item *item = zones_item(c->options.zones, apex);
	if (m) /* until a reset is done, the data is that of the member of before */
		return item && secondary_is_reset(item) ? -EBUSY : (int)catalog_note_write(m, out);
	return item && !zone_item_is_member(item) ? 0 : -ENOENT; /* of a zone that goes, the note does with it */
}

void
catalog_zones_on_state(struct catalog_zones *c)
{
	if (c->notes)
		catalog_notes_write(c->notes);
}

void
catalog_zones_reset_done(struct catalog_zones *c, struct zone_item *item)
{
	note(c, zone_item_apex(item));
	catalog_zones_on_state(c);
}

/* -------- what becomes of members -------- */

static struct zone_item *
item_of(const struct catalog_zones *c, const uint8_t *name)
{
	struct name apex;
	name_copy(&apex, name);
	return zones_item(c->options.zones, &apex);
}

static void
complain(const uint8_t *name, const char *what, int err)
{
	char text[NAME_TEXT_MAX];
	name_to_text(name, text);
	log_write(CONFIG_LOG_ERROR, text, "catalog: the zone cannot be %s: %s; reload to try again", what,
		  strerror(-err));
}

static void
member_add(void *arg, const struct catalogs_zone *z)
{
	struct catalog_zones *c = arg;
	struct name apex;
	name_copy(&apex, catalog_member_name(z->member));
	int err = c->edit ? zones_edit_add(c->edit, &apex, z->settings) : -ENOMEM;
	if (err)
		complain(apex.bytes, "added", err);
	else
		c->added++;
	if (!c->restore || !c->restore->is_taking)
		note(c, apex.bytes);
}

/* A zone that the configuration has taken over stays, without its note. */
static void
member_remove(void *arg, const uint8_t *name)
{
	struct catalog_zones *c = arg;
	struct zone_item *item = item_of(c, name);
	if (item && !zone_item_is_member(item))
		note(c, name);
	if (!item || !zone_item_is_member(item))
		return;
	int err = c->edit ? zones_edit_remove(c->edit, item) : -ENOMEM;
	if (err)
		complain(name, "removed", err);
	else
		c->removed++;
}

static void
member_change(void *arg, const struct catalogs_zone *z)
{
	struct catalog_zones *c = arg;
	struct zone_item *item = item_of(c, catalog_member_name(z->member));
	if (item && zone_item_is_member(item))
		zone_item_set_config(c->options.zones, item, z->settings);
	if (z->member_changed)
		note(c, catalog_member_name(z->member));
}

/*
 * RFC 9432 section 5.6. What is served goes on being served until the whole zone has been transferred, whatever its
 * serial: an empty zone would be no better.
 */
static void
member_reset(void *arg, const struct catalogs_zone *z)
{
	struct catalog_zones *c = arg;
	struct zone_item *item = item_of(c, catalog_member_name(z->member));
	if (!item || !zone_item_is_member(item))
		return;
	zone_item_set_config(c->options.zones, item, z->settings);
	secondary_reset(c->options.secondaries, item);
}

/* -------- reading -------- */

static void read_next(struct catalog_zones *c);

static struct catalog_zone *
find(const struct catalog_zones *c, const uint8_t *apex)
{
	for (unsigned i = 0; i < c->n; i++)
		if (name_equal(c->items[i].apex.bytes, apex))
			return &c->items[i];
	return NULL;
}

static void
release(struct catalog_zones *c, struct served **held)
{
	if (*held)
		served_release(c->options.publisher, *held);
	*held = NULL;
}

static void
edit_begin(struct catalog_zones *c)
{
	c->edit = zones_edit_begin(c->options.zones);
}

/* False: it has failed, and zones are as they were. */
static bool
edit_end(struct catalog_zones *c)
{
	int err = c->edit ? zones_edit_commit(c->edit) : -ENOMEM;
	if (err) {
		zones_edit_abort(c->edit);
		log_error("catalog: %llu zones to add and %llu to remove: %s; reload to try again",
			  (unsigned long long)c->added, (unsigned long long)c->removed, strerror(-err));
	}
	c->edit = NULL;
	catalog_zones_on_state(c);
	return !err;
}

/* True: that was all, and the change is consumed. */
static bool
tell_some(struct catalog_zones *c, struct catalogs_change *change, bool *has_lost)
{
	edit_begin(c);
	bool is_over = catalogs_tell(c->catalogs, change, TELL_MEMBERS);
	*has_lost |= !edit_end(c);
	return is_over;
}

static void
read_work(uv_work_t *work)
{
	struct catalog_zones *c = work->data;
	c->err = catalogs_prepare(c->catalogs, &c->apex, c->base ? c->base->snapshot : NULL, c->next->snapshot,
				  &c->change, &c->diag);
}

/* Everybody has been told of the new version. */
static void
update_told(struct catalog_zones *c)
{
	char text[NAME_TEXT_MAX];
	struct catalog_zone *z = find(c, c->apex.bytes);
	name_to_text(c->apex.bytes, text);
	if (c->added || c->removed)
		log_write(CONFIG_LOG_INFO, text, "catalog: %llu zones added, %llu removed",
			  (unsigned long long)c->added, (unsigned long long)c->removed);
	if (!z)
		return;
	release(c, &z->read);
	z->read = c->next;
	c->next = NULL;
}

static void
refuse_update(struct catalog_zones *c)
{
	char text[NAME_TEXT_MAX], why[CATALOGS_WHY_MAX] = "";
	name_to_text(c->apex.bytes, text);
	for (unsigned i = 0; i < c->diag.n && !why[0]; i++)
		if (c->diag.items[i].severity == DIAG_ERROR)
			snprintf(why, sizeof(why), "%s", c->diag.items[i].message);
	log_diag(&c->diag, text, LOG_FAULTS_MAX);
	log_write(CONFIG_LOG_ERROR, text, "catalog: this version is not taken; its members stay as they were");
	catalogs_fail(c->catalogs, &c->apex, why[0] ? why : strerror(-c->err));
}

/* Who wants to make a plan, if somebody does. */
static bool
tell_ready(struct catalog_zones *c)
{
	void (*ready)(void *arg) = c->ready;
	c->ready = NULL;
	if (!ready)
		return false;
	zones_hold_edits(c->options.zones, true);
	ready(c->ready_arg);
	return true;
}

static void
read_over(struct catalog_zones *c)
{
	c->is_reading = false;
	c->change = NULL;
	release(c, &c->base);
	release(c, &c->next);
	diag_clear(&c->diag);
	if (c->options.read && !c->stopping)
		c->options.read(c->options.arg);
	if (!tell_ready(c))
		read_next(c);
}

static void
between_steps(uv_work_t *work)
{
	/* Nothing: the loop looks at everything else before it hears that this has been done. */
}

/* A million members take many turns of the loop; until the end this is a part of the reading. */
static void
tell_step(uv_work_t *work, int status)
{
	struct catalog_zones *c = work->data;
	if (c->stopping) {
		catalogs_tell_no_more(c->catalogs, c->change);
		read_over(c);
	} else if (tell_some(c, c->change, &c->has_lost)) {
		update_told(c);
		read_over(c);
	} else {
		uv_queue_work(c->options.loop, &c->work, between_steps, tell_step);
	}
}

static void
take_update(struct catalog_zones *c)
{
	char text[NAME_TEXT_MAX];
	name_to_text(c->apex.bytes, text);
	log_diag(&c->diag, text, LOG_FAULTS_MAX);
	c->added = c->removed = 0;
	catalogs_commit(c->catalogs, c->change);
	tell_step(&c->work, 0);
}

static void
read_done(uv_work_t *work, int status)
{
	struct catalog_zones *c = work->data;
	if (!c->err && !c->stopping && !c->held) {
		take_update(c);
		return;
	}
	if (c->err && c->err != -ENOENT)
		refuse_update(c);
	if (!c->err)
		catalogs_abort(c->change);
	struct catalog_zone *z = !c->err && c->held ? find(c, c->apex.bytes) : NULL;
	if (z) /* a plan has begun meanwhile: the same again when it is over */
		z->is_due = true;
	read_over(c);
}

static void
read_begin(struct catalog_zones *c, struct catalog_zone *z, struct served *next)
{
	z->is_due = false;
	c->apex = z->apex;
	c->base = z->read;
	c->next = next;
	if (c->base)
		served_hold(c->base);
	served_hold(c->next);
	c->is_reading = true;
	c->work.data = c;
	uv_queue_work(c->options.loop, &c->work, read_work, read_done);
}

static void
read_next(struct catalog_zones *c)
{
	for (unsigned i = 0; i < c->n && !c->is_reading && !c->held && !c->stopping && !c->restore; i++) {
		struct catalog_zone *z = &c->items[i];
		struct zone_item *item = z->is_due ? zones_item(c->options.zones, &z->apex) : NULL;
		if (item && zone_item_served(item))
			read_begin(c, z, zone_item_served(item));
	}
}

void
catalog_zones_published(struct catalog_zones *c, struct zone_item *item)
{
	struct catalog_zone *z = find(c, zone_item_apex(item));
	if (!z || z->is_produced || z->read == zone_item_served(item))
		return;
	z->is_due = true;
	read_next(c);
}

bool
catalog_zones_are_known(const struct catalog_zones *c)
{
	for (unsigned i = 0; i < catalogs_count(c->catalogs); i++)
		if (!catalogs_status(c->catalogs, i).was_good)
			return false;
	return !c->has_lost;
}

bool
catalog_zones_are_good(const struct catalog_zones *c)
{
	for (unsigned i = 0; i < catalogs_count(c->catalogs); i++)
		if (catalogs_status(c->catalogs, i).why[0])
			return false;
	return true;
}

/* -------- from before a restart -------- */

static void
restore_work(uv_work_t *work)
{
	struct catalog_zones *c = work->data;
	c->restore->err = catalog_batch_read(c->options.state, &c->restore->batch);
}

static void
restore_end(struct catalog_zones *c)
{
	struct restore *r = c->restore;
	c->restore = NULL;
	if (r->err)
		log_error("state-dir: members of catalogs cannot be read: %s; they wait for their catalogs",
			  strerror(-r->err));
	if (r->batch.broken)
		log_warning(
			"state-dir: of %llu members of catalogs the note is damaged; they wait for their catalogs",
			(unsigned long long)r->batch.broken);
	if (r->n)
		log_info("catalogs: %llu members are known from before", (unsigned long long)r->n);
	zones_op_release(r->first_load);
	free(r);
	read_next(c);
}

/* One that is not admitted any more waits for its catalog, or for zones_prune(). */
static void
restore_one(struct catalog_zones *c, const struct catalog_note *n)
{
	const struct zone_item *item = zones_item(c->options.zones, &n->member);
	int err = catalogs_restore(c->catalogs, &n->catalog, &n->parts);
	if (!err)
		c->restore->n++;
	else if (item && !zone_item_is_member(item))
		note(c, n->member.bytes); /* the configuration has taken it over */
	else if (err == -ENOMEM || err == -ENOSPC)
		complain(n->member.bytes, "added", err);
}

static void restore_read(uv_work_t *work, int status);

static void
restore_next(struct catalog_zones *c)
{
	c->restore->work.data = c;
	c->restore->is_reading = true;
	uv_queue_work(c->options.loop, &c->restore->work, restore_work, restore_read);
}

static void
restore_take(struct catalog_zones *c)
{
	struct restore *r = c->restore;
	struct catalog_note n;
	c->added = c->removed = 0;
	edit_begin(c);
	if (c->edit)
		zones_edit_join(c->edit, r->first_load);
	r->is_taking = true;
	while (!c->stopping && catalog_batch_next(&r->batch, &n))
		restore_one(c, &n);
	r->is_taking = false;
	c->has_lost |= !edit_end(c);
	if (c->stopping || r->batch.is_end)
		restore_end(c);
	else
		restore_next(c);
}

static void
restore_read(uv_work_t *work, int status)
{
	struct catalog_zones *c = work->data;
	c->restore->is_reading = false;
	if (c->held) /* the batch waits for catalog_zones_resume() */
		tell_ready(c);
	else
		restore_take(c);
}

int
catalog_zones_restore(struct catalog_zones *c, struct zones_op *first_load)
{
	if (!c->options.state || catalogs_count(c->catalogs) == 0)
		return 0;
	c->restore = calloc(1, sizeof(*c->restore));
	if (!c->restore)
		return -ENOMEM;
	c->restore->first_load = first_load;
	zones_op_hold(first_load);
	restore_next(c);
	return 0;
}

/* -------- configuration -------- */

void
catalog_zones_hold(struct catalog_zones *c, void (*ready)(void *arg), void *arg)
{
	c->held = true;
	c->ready = ready;
	c->ready_arg = arg;
	if (!c->is_reading && !(c->restore && c->restore->is_reading))
		tell_ready(c);
}

void
catalog_zones_resume(struct catalog_zones *c)
{
	c->held = false;
	zones_hold_edits(c->options.zones, false);
	if (c->restore && !c->restore->is_reading)
		restore_take(c);
	else
		read_next(c);
}

struct catalog_zones_plan {
	const struct config *config;
	struct catalogs_change *change;
	struct catalog_zone *items;
	struct diag_list diag;
	bool is_begun;
};

int
catalog_zones_plan(const struct catalog_zones *c, const struct config *config, struct catalog_zones_plan **out)
{
	struct catalog_zones_plan *plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	plan->config = config;
	plan->items = calloc(config->n_catalogs + 1u, sizeof(*plan->items));
	int err = plan->items ? catalogs_prepare_config(c->catalogs, config, &plan->change, &plan->diag) : -ENOMEM;
	if (err)
		catalog_zones_plan_free(plan);
	else
		*out = plan;
	return err;
}

void
catalog_zones_plan_free(struct catalog_zones_plan *plan)
{
	if (!plan)
		return;
	catalogs_abort(plan->change);
	diag_clear(&plan->diag);
	free(plan->items);
	free(plan);
}

/* The catalogs of the new configuration take over what was read of those that were there before. */
static void
take_items(struct catalog_zones *c, const struct catalog_zones_plan *plan)
{
	for (unsigned i = 0; i < plan->config->n_catalogs; i++) {
		const struct config_catalog *config = &plan->config->catalogs[i];
		struct catalog_zone *old = find(c, config->name), *z = &plan->items[i];
		name_copy(&z->apex, config->name);
		z->is_produced = config->produce.enabled;
		z->is_due = !z->is_produced;
		if (old) {
			z->read = old->read;
			old->read = NULL;
		}
	}
	for (unsigned i = 0; i < c->n; i++)
		release(c, &c->items[i].read);
	free(c->items);
	c->items = plan->items;
	c->n = plan->config->n_catalogs;
}

bool
catalog_zones_commit_step(struct catalog_zones *c, struct catalog_zones_plan *plan, bool *has_lost)
{
	if (!plan->is_begun) {
		plan->is_begun = true;
		log_diag(&plan->diag, NULL, LOG_FAULTS_MAX);
		diag_clear(&plan->diag);
		take_items(c, plan);
		zones_hold_edits(c->options.zones, false);
		c->added = c->removed = 0;
		catalogs_commit(c->catalogs, plan->change);
	}
	if (!tell_some(c, plan->change, has_lost))
		return false;
	c->has_lost |= *has_lost;
	free(plan);
	return true;
}

int
catalog_zones_configure(struct catalog_zones *c, const struct config *config)
{
	struct catalog_zones_plan *plan;
	bool has_lost = false;
	int err = catalog_zones_plan(c, config, &plan);
	while (!err && !catalog_zones_commit_step(c, plan, &has_lost))
		;
	return has_lost ? -ENOMEM : err;
}

bool
catalog_zones_status(const struct catalog_zones *c, const uint8_t *apex, struct catalogs_status *out)
{
	for (unsigned i = 0; i < catalogs_count(c->catalogs); i++) {
		struct catalogs_status status = catalogs_status(c->catalogs, i);
		if (!name_equal(status.apex->bytes, apex))
			continue;
		*out = status;
		return true;
	}
	return false;
}

/* -------- life -------- */

int
catalog_zones_new(const struct catalog_zones_options *options, struct catalog_zones **out)
{
	struct catalog_zones *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	const struct catalogs_events events = {.add = member_add,
					       .remove = member_remove,
					       .reset = member_reset,
					       .change = member_change,
					       .arg = c};
	c->options = *options;
	int err = catalogs_new(&events, &c->catalogs);
	if (!err && c->options.state) {
		c->notes = catalog_notes_new(c->options.state, note_of, c);
		err = c->notes ? 0 : -ENOMEM;
	}
	if (err) {
		catalogs_free(c->catalogs);
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void
catalog_zones_stop(struct catalog_zones *c)
{
	c->stopping = true;
}

bool
catalog_zones_are_idle(const struct catalog_zones *c)
{
	return !c->is_reading && !c->restore && (!c->notes || catalog_notes_are_idle(c->notes));
}

void
catalog_zones_free(struct catalog_zones *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n; i++)
		release(c, &c->items[i].read);
	free(c->items);
	catalogs_free(c->catalogs);
	catalog_notes_free(c->notes);
	free(c);
}
