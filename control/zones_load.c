/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: operations, jobs, publishing. See zones.h.
 *
 * An operation (`reload`, `zone reload`, the start) wants a load of one zone or of all. Each zone that it wants
 * goes into one queue, once however many operations want it; a few jobs at a time are on the libuv pool. A wish
 * that arrives while a job for its zone runs is for a further job, since the running one may have read the file
 * already.
 *
 * A finished job is published at once, or parked while too much replaced data waits for its grace period; parked
 * jobs count as running, so that loading, and with it memory, stops growing.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

#include "control/log.h"
#include "control/zones_private.h"
#include "zones/load/zonefile.h"
#include "zones/store/zonemd.h"

#define LOG_FAULTS_MAX 20 /* log lines for one zone's faults */

struct zones_op {
	struct zones *zones;
	struct zones_report report;
	uint64_t pending; /* zones not dealt with, and one for `start` */
	zones_done_fn *done;
	void *arg;
	uv_timer_t start; /* so that `done` never comes before the caller knows the op */
};

struct load_job {
	uv_work_t work;
	struct zones *zones;
	struct zone_item *item; /* NULL: not configured any more */
	struct zone_wait *waits;
	struct load_job *next_parked;
	struct name apex;
	char *path;
	char **includes; /* the item's; after a load the new ones */
	uint64_t stamp;  /* likewise */
	enum config_zonemd zonemd;
	bool force;
	/* results */
	int err;
	bool same_files;   /* as those served now */
	bool is_unchanged; /* and therefore not loaded */
	struct diag_list diag;
	struct served *served;
	uint64_t verified_ns;
	uint32_t load_ms;
};

/* -------- which files, and are they the same -------- */

void
zone_includes_free(char **includes)
{
	for (char **p = includes; p && *p; p++)
		free(*p);
	free(includes);
}

/* Mixes the identity of a file into a stamp; *newest_ns becomes the latest change of any of them. */
static uint64_t
stamp_file(uint64_t stamp, const char *path, int64_t *newest_ns)
{
	struct stat st;
	uint64_t id[6] = {0};
	if (stat(path, &st) != 0) {
		id[0] = (uint64_t)errno;
	} else {
		int64_t changed_ns = st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
		if (changed_ns > *newest_ns)
			*newest_ns = changed_ns;
		id[1] = st.st_dev;
		id[2] = st.st_ino;
		id[3] = (uint64_t)st.st_size;
		id[4] = (uint64_t)(st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
		id[5] = (uint64_t)changed_ns;
	}
	return XXH3_64bits_withSeed(id, sizeof(id), XXH3_64bits_withSeed(path, strlen(path), stamp));
}

static uint64_t
stamp_files(const char *path, char *const *includes, int64_t *newest_ns)
{
	*newest_ns = 0;
	uint64_t stamp = stamp_file(0, path, newest_ns);
	for (char *const *p = includes; p && *p; p++)
		stamp = stamp_file(stamp, *p, newest_ns);
	return stamp ? stamp : 1;
}

/* The kernel stamps files from a clock that ticks this coarsely at worst. */
#define FILE_CLOCK_NS 20000000

/*
 * The stamp of files whose reading began at `began_ns`. One that changed since, or only just before, may not be
 * what was read: then the stamp is 0, and the next reload reads again.
 */
static uint64_t
stamp_after_reading(const char *path, char *const *includes, int64_t began_ns)
{
	int64_t newest_ns;
	uint64_t stamp = stamp_files(path, includes, &newest_ns);
	return newest_ns >= began_ns - FILE_CLOCK_NS ? 0 : stamp;
}

static int
includes_copy(const struct zonefile_files *files, char ***out)
{
	size_t n = 0;
	for (const struct zonefile_files *f = files; f; f = zonefile_files_next(f))
		n++;
	*out = NULL;
	if (n <= 1)
		return 0;
	char **includes = calloc(n, sizeof(char *));
	if (!includes)
		return -ENOMEM;
	const struct zonefile_files *f = files; /* newest first: the zone file itself is the last one */
	for (size_t i = 0; i < n - 1; i++, f = zonefile_files_next(f)) {
		includes[i] = strdup(zonefile_files_name(f));
		if (!includes[i]) {
			zone_includes_free(includes);
			return -ENOMEM;
		}
	}
	*out = includes;
	return 0;
}

/* -------- the job, on the pool -------- */

static int64_t
wall_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
job_read(struct load_job *job, struct zonefile_files **files, struct snapshot **snapshot)
{
	struct zone_builder *b = zone_builder_new(&job->apex);
	if (!b)
		return -ENOMEM;
	int err = zonefile_read(job->path, &job->apex, b, &job->diag, files);
	if (!err)
		return zone_builder_finish(b, &job->diag, snapshot);
	zone_builder_abort(b);
	return err;
}

/* A zone that must have a right digest and has none is refused; -EINVAL, and `diag` says why. */
static int
job_verify(struct load_job *job, const struct snapshot *snapshot)
{
	enum zonemd_result result;
	char why[ZONEMD_WHY_MAX];
	if (job->zonemd == CONFIG_ZONEMD_OFF)
		return 0;
	int err = zonemd_verify(snapshot, job->apex.bytes, &result, why);
	bool is_required = job->zonemd == CONFIG_ZONEMD_REQUIRE;
	if (err || result == ZONEMD_GOOD || (result == ZONEMD_ABSENT && !is_required))
		return err;
	diag_add(&job->diag, is_required ? DIAG_ERROR : DIAG_WARNING, job->path, 0, 0, "ZONEMD: %s", why);
	return is_required ? -EINVAL : 0;
}

static void
job_work(uv_work_t *work)
{
	struct load_job *job = work->data;
	int64_t newest_ns;
	job->same_files = job->stamp && job->stamp == stamp_files(job->path, job->includes, &newest_ns);
	job->is_unchanged = job->same_files && !job->force;
	if (job->is_unchanged)
		return;
	int64_t began_ns = wall_now_ns();
	uint64_t start_ns = publish_now_ns();
	struct zonefile_files *files = NULL;
	struct snapshot *snapshot = NULL;
	char **includes = NULL;
	job->err = job_read(job, &files, &snapshot);
	if (!job->err)
		job->err = job_verify(job, snapshot);
	if (!job->err)
		job->err = includes_copy(files, &includes);
	zonefile_files_free(files);
	if (!job->err) {
		job->served = served_new(snapshot, snapshot_bytes(snapshot));
		job->err = job->served ? 0 : -ENOMEM;
	}
	if (job->err) {
		snapshot_free(snapshot);
		zone_includes_free(includes);
		job->stamp = 0; /* whatever is wrong may be put right without the stamp showing it */
		return;
	}
	zone_includes_free(job->includes);
	job->includes = includes;
	job->stamp = stamp_after_reading(job->path, includes, began_ns);
	job->verified_ns = publish_now_ns();
	job->load_ms = (uint32_t)((job->verified_ns - start_ns) / 1000000);
}

/* -------- operations -------- */

static void
op_closed(uv_handle_t *h)
{
	struct zones_op *op = h->data;
	op->zones->n_ops--;
	for (unsigned i = 0; i < op->report.n_failures; i++) {
		free(op->report.failures[i].zone);
		free(op->report.failures[i].message);
	}
	free(op);
}

static void
op_one_done(struct zones_op *op)
{
	if (--op->pending)
		return;
	op->done(op->arg, &op->report);
	uv_close((uv_handle_t *)&op->start, op_closed);
}

static void
op_fail_zone(struct zones_op *op, const struct zone_item *item, const char *message)
{
	op->report.failed++;
	if (op->report.n_failures == ZONES_FAILURES_MAX)
		return;
	char text[NAME_TEXT_MAX];
	name_to_text(item->apex, text);
	struct zones_failure f = {strdup(text), strdup(message)};
	if (f.zone && f.message) {
		op->report.failures[op->report.n_failures++] = f;
	} else {
		free(f.zone);
		free(f.message);
	}
}

/* Tells every operation in the list how it went with the item: `error` (NULL: well), and whether it was loaded. */
static void
waits_finish(struct zone_wait *waits, const struct zone_item *item, const char *error, bool is_loaded)
{
	while (waits) {
		struct zone_wait *w = waits;
		waits = w->next;
		if (error)
			op_fail_zone(w->op, item, error);
		else if (is_loaded)
			w->op->report.loaded++;
		else
			w->op->report.unchanged++;
		op_one_done(w->op);
		free(w);
	}
}

static void pump(struct zones *z);

static void
op_started(uv_timer_t *t)
{
	struct zones_op *op = t->data;
	pump(op->zones);
	op_one_done(op);
}

static struct zones_op *
op_new(struct zones *z, zones_done_fn *done, void *arg)
{
	struct zones_op *op = calloc(1, sizeof(*op));
	if (!op)
		return NULL;
	op->zones = z;
	op->pending = 1;
	op->done = done;
	op->arg = arg;
	uv_timer_init(z->options.loop, &op->start);
	op->start.data = op;
	uv_timer_start(&op->start, op_started, 0, 0);
	z->n_ops++;
	return op;
}

static void
queue_append(struct zones *z, struct zone_item *item)
{
	item->is_queued = true;
	item->prev = z->queue_last;
	item->next = NULL;
	if (z->queue_last)
		z->queue_last->next = item;
	else
		z->queue_first = item;
	z->queue_last = item;
}

static void
queue_remove(struct zones *z, struct zone_item *item)
{
	item->is_queued = false;
	*(item->prev ? &item->prev->next : &z->queue_first) = item->next;
	*(item->next ? &item->next->prev : &z->queue_last) = item->prev;
}

static void
op_want(struct zones_op *op, struct zone_wait *wait, bool force)
{
	struct zones *z = op->zones;
	struct zone_item *item = wait->item;
	wait->op = op;
	wait->next = item->waits;
	item->waits = wait;
	item->force |= force;
	op->pending++;
	op->report.total++;
	if (!item->is_queued && !item->job)
		queue_append(z, item);
	zone_item_update(z, item);
}

static void
waits_free(struct zone_wait *waits)
{
	while (waits) {
		struct zone_wait *w = waits;
		waits = w->next;
		free(w);
	}
}

/* A wait for each zone that has a file, in the order of the configuration; false: out of memory. */
static bool
waits_for_all(const struct zones *z, struct zone_wait **out)
{
	struct zone_wait *first = NULL, **last = &first;
	for (size_t i = 0; i < z->n_items; i++) {
		if (z->items[i]->config->role != CONFIG_PRIMARY)
			continue;
		struct zone_wait *w = malloc(sizeof(*w));
		if (!w) {
			waits_free(first);
			return false;
		}
		*w = (struct zone_wait){.item = z->items[i]};
		*last = w;
		last = &w->next;
	}
	*out = first;
	return true;
}

int
zones_load_all(struct zones *z, zones_done_fn *done, void *arg, struct zones_op **out)
{
	/* All that can fail comes first: an operation over half of the zones would be neither done nor refused. */
	struct zone_wait *waits;
	if (!waits_for_all(z, &waits))
		return -ENOMEM;
	struct zones_op *op = op_new(z, done, arg);
	if (!op) {
		waits_free(waits);
		return -ENOMEM;
	}
	while (waits) {
		struct zone_wait *w = waits;
		waits = w->next;
		op_want(op, w, false);
	}
	*out = op;
	return 0;
}

int
zones_load_one(struct zones *z, const struct name *apex, zones_done_fn *done, void *arg, struct zones_op **out)
{
	const struct names_entry *e = names_find(&z->by_name, name_hash(apex->bytes), apex->bytes, apex->len);
	if (!e)
		return -ENOENT;
	struct zone_item *item = (struct zone_item *)(uintptr_t)e;
	if (item->config->role != CONFIG_PRIMARY)
		return -ENOTSUP;
	struct zone_wait *w = malloc(sizeof(*w));
	struct zones_op *op = w ? op_new(z, done, arg) : NULL;
	if (!op) {
		free(w);
		return -ENOMEM;
	}
	w->item = item;
	op_want(op, w, true);
	*out = op;
	return 0;
}

const struct zones_report *
zones_op_report(const struct zones_op *op)
{
	return &op->report;
}

/* -------- from queue to job to service -------- */

static void
job_free(struct load_job *job)
{
	served_free(job->served);
	zone_includes_free(job->includes);
	diag_clear(&job->diag);
	free(job->path);
	free(job);
}

/* The job's end, however it went: its item is free for the next one. */
static void
job_finish(struct load_job *job, const char *error)
{
	struct zones *z = job->zones;
	struct zone_item *item = job->item;
	bool is_loaded = !error && !job->is_unchanged;
	if (item) {
		item->job = NULL;
		item->stamp = job->stamp;
		item->includes = job->includes;
		job->includes = NULL;
		if (item->waits)
			queue_append(z, item);
		zone_item_update(z, item);
		waits_finish(job->waits, item, error, is_loaded);
	}
	z->n_jobs--;
	job_free(job);
}

static void
warn_of_serial(const char *zone, const struct snapshot *old, const struct snapshot *new)
{
	/* Serials are compared as RFC 1982 has it. */
	int32_t step = (int32_t)(new->serial - old->serial);
	if (step < 0)
		log_write(CONFIG_LOG_WARNING, zone,
			  "the serial went back from %u to %u: served, but secondaries will not take it",
			  old->serial, new->serial);
	else if (step == 0)
		log_write(CONFIG_LOG_WARNING, zone,
			  "the file has changed, but not its serial %u: secondaries will not notice", new->serial);
}

static void
job_publish(struct load_job *job)
{
	struct zone_item *item = job->item;
	char text[NAME_TEXT_MAX];
	name_to_text(item->apex, text);
	log_diag(&job->diag, text, LOG_FAULTS_MAX);
	if (item->served && !job->same_files)
		warn_of_serial(text, item->served->snapshot, job->served->snapshot);
	free(item->error);
	item->error = NULL;
	item->loaded_at_s = time(NULL);
	item->load_ms = job->load_ms;
	publish_zone(job->zones->options.publisher, item->slot, &item->served, job->served, job->verified_ns);
	job->served = NULL;
	const struct snapshot *s = item->served->snapshot;
	log_write(CONFIG_LOG_DEBUG, text, "serial %u, %llu records, loaded in %u ms", s->serial,
		  (unsigned long long)s->records, item->load_ms);
	job_finish(job, NULL);
}

/* The text for status and reports: the first error, and how many more there are. */
static void
job_error_text(const struct load_job *job, char *out, size_t cap)
{
	for (unsigned i = 0; i < job->diag.n; i++) {
		if (job->diag.items[i].severity != DIAG_ERROR)
			continue;
		int len = diag_format(&job->diag.items[i], out, cap);
		if (job->diag.n_errors > 1 && len > 0 && (size_t)len < cap)
			snprintf(out + len, cap - (size_t)len, " (and %u more)", job->diag.n_errors - 1);
		return;
	}
	snprintf(out, cap, "%s: %s", job->path, strerror(-job->err));
}

static void
job_failed(struct load_job *job)
{
	struct zone_item *item = job->item;
	char text[NAME_TEXT_MAX], error[1024];
	name_to_text(item->apex, text);
	job_error_text(job, error, sizeof(error));
	log_diag(&job->diag, text, LOG_FAULTS_MAX);
	log_write(CONFIG_LOG_ERROR, text, "not loaded; %s",
		  item->served ? "its old data stays in service" : "it is answered with SERVFAIL");
	free(item->error);
	item->error = strdup(error);
	if (!item->error)
		item->error = strdup("out of memory");
	job_finish(job, error);
}

static void
job_park(struct load_job *job)
{
	struct zones *z = job->zones;
	if (!z->n_parked++)
		log_warning("publishing waits: replaced zone data cannot be freed yet; a reader has stalled or is "
			    "slow");
	job->next_parked = NULL;
	*z->parked_last = job;
	z->parked_last = &job->next_parked;
}

static void
job_done(uv_work_t *work, int status)
{
	struct load_job *job = work->data;
	struct zones *z = job->zones;
	if (status == UV_ECANCELED)
		job->err = -ECANCELED;
	if (!job->item || z->stopping)
		job_finish(job, "the server stops");
	else if (job->is_unchanged)
		job_finish(job, job->item->error);
	else if (job->err)
		job_failed(job);
	else if (z->n_parked || !publish_has_room(z->options.publisher, job->item->served, job->served))
		job_park(job);
	else
		job_publish(job);
	pump(z);
}

void
zones_on_room(struct zones *z)
{
	if (!z->n_parked)
		return;
	while (z->parked_first) {
		struct load_job *job = z->parked_first;
		if (job->item && !z->stopping &&
		    !publish_has_room(z->options.publisher, job->item->served, job->served))
			return;
		z->parked_first = job->next_parked;
		if (!z->parked_first)
			z->parked_last = &z->parked_first;
		z->n_parked--;
		if (job->item && !z->stopping)
			job_publish(job);
		else
			job_finish(job, "the server stops");
	}
	log_info("publishing goes on");
	pump(z);
}

unsigned
zones_waiting_to_publish(const struct zones *z)
{
	return z->n_parked;
}

/* Makes the job for the first zone of the queue; false: no memory, the zone stays as it is. */
static bool
job_start(struct zones *z, struct zone_item *item)
{
	struct load_job *job = calloc(1, sizeof(*job));
	char *path = strdup(item->config->file);
	if (!job || !path) {
		free(job);
		free(path);
		return false;
	}
	job->work.data = job;
	job->zones = z;
	job->item = item;
	job->path = path;
	name_copy(&job->apex, item->apex);
	job->stamp = item->stamp;
	job->zonemd = item->config->zonemd;
	job->force = item->force;
	job->includes = item->includes;
	job->waits = item->waits;
	item->includes = NULL;
	item->waits = NULL;
	item->force = false;
	item->job = job;
	z->n_jobs++;
	int err = uv_queue_work(z->options.loop, &job->work, job_work, job_done);
	assert(err == 0); /* fails only without a work function */
	(void)err;
	return true;
}

/* Keeps a few jobs more than there are builders: one that ends finds the next one waiting. */
static void
pump(struct zones *z)
{
	unsigned window = 4 * z->options.builders;
	while (z->queue_first && !z->n_parked && !z->stopping && z->n_jobs < window) {
		struct zone_item *item = z->queue_first;
		queue_remove(z, item);
		struct zone_wait *waits = item->waits;
		if (!job_start(z, item)) {
			item->waits = NULL;
			zone_item_update(z, item);
			waits_finish(waits, item, "out of memory", false);
		}
	}
}

void
zone_item_forget(struct zones *z, struct zone_item *item)
{
	if (item->is_queued)
		queue_remove(z, item);
	struct zone_wait *waits = item->waits;
	item->waits = NULL;
	waits_finish(waits, item, "it is not configured any more", false);
	if (!item->job)
		return;
	waits = item->job->waits;
	item->job->waits = NULL;
	item->job->item = NULL;
	item->job = NULL;
	waits_finish(waits, item, "it is not configured any more", false);
}

void
zones_stop(struct zones *z)
{
	z->stopping = true;
	while (z->queue_first) {
		struct zone_item *item = z->queue_first;
		struct zone_wait *waits = item->waits;
		queue_remove(z, item);
		item->waits = NULL;
		waits_finish(waits, item, "the server stops", false);
	}
	zones_on_room(z);
}

bool
zones_are_idle(const struct zones *z)
{
	return !z->n_jobs && !z->n_ops;
}
