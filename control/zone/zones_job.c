/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load of one zone: from its file, from state, or from both; a catalog that we make, from the configuration. See
 * zones.h and zones_private.h.
 *
 *     pool: read ──> loop: turn ──> pool: compare with what is served ──> loop: accept (zones_accept.c) ──> finish
 *
 * Of a secondary, what the last run left in the state is served at once. Of a primary, the file is what counts, and
 * where others take transfers of the zone the state keeps its versions, so that a file with a new serial becomes a
 * difference in the journal. Where a zone takes updates, the state is ahead of the file, and the file counts only
 * if its serial is the newer one.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

#include "control/base/log.h"
#include "control/publish/zonemd_rule.h"
#include "control/state/state_difference.h"
#include "control/zone/catalog_produce.h"
#include "control/zone/zones_pool.h"
#include "control/zone/zones_private.h"
#include "zones/load/zonefile.h"
#include "zones/store/diff.h"
#include "zones/wire/serial.h"

#define LOG_FAULTS_MAX 20 /* log lines for one zone's faults */

/* What a finished load wants to be done. */
enum load_outcome {
	LOAD_UNCHANGED, /* nothing: the files are those served, or older than updates */
	LOAD_SERVE,
	LOAD_NOTHING, /* a secondary of which nothing is kept */
	LOAD_FAILED,
};

struct load_job {
	struct pool_task task;
	struct load_job *prev, *next; /* all jobs: zones.jobs */
	struct zones *zones;
	struct zone_item *item; /* NULL: not configured any more */
	struct zone_turn turn;
	struct zone_version version;
	struct zone_wait *waits;
	struct name apex;
	char *path;                           /* NULL: no file */
	const struct config_catalog *catalog; /* to be made; NULL: none */
	const struct config *config;          /* held; with catalog */
	char **includes;                      /* the item's; after a load the new ones */
	uint64_t stamp;                       /* likewise */
	enum config_zonemd zonemd;
	bool force;
	bool is_first;   /* nothing is served: what the state has is the base */
	bool keeps;      /* the state keeps the zone */
	bool is_dynamic; /* it takes updates */
	bool keeps_base; /* the version that there was goes on, which the state has */
	/* results */
	int err;
	bool same_files; /* as those served now */
	enum load_outcome outcome;
	struct diag_list diag;
	struct snapshot *snapshot;     /* of the file, or what is to be served */
	struct snapshot *stored;       /* what the state had */
	struct state_zone stored_zone; /* and its timers */
	const struct snapshot *base;   /* to compare with; of `served`, or `stored` */
	struct served *served;         /* held while it is compared with; NULL: none */
	uint64_t bytes, stored_bytes;  /* of snapshot, of stored */
	uint64_t start_ns;
	struct zonefile_progress progress; /* the pool's; anybody looks */
};

/* -------- all jobs -------- */

static void
jobs_add(struct zones *z, struct load_job *job)
{
	job->next = z->jobs;
	if (z->jobs)
		z->jobs->prev = job;
	z->jobs = job;
	z->n_jobs++;
}

static void
jobs_remove(struct zones *z, struct load_job *job)
{
	*(job->prev ? &job->prev->next : &z->jobs) = job->next;
	if (job->next)
		job->next->prev = job->prev;
	z->n_jobs--;
}

bool
load_jobs_longest(const struct zones *z, struct load_progress *out)
{
	out->octets = 0;
	for (const struct load_job *job = z->jobs; job; job = job->next) {
		uint64_t octets = atomic_load_explicit(&job->progress.octets, memory_order_relaxed);
		if (!job->item || octets <= out->octets)
			continue;
		*out = (struct load_progress){
			.item = job->item,
			.octets = octets,
			.octets_read = atomic_load_explicit(&job->progress.octets_read, memory_order_relaxed),
		};
	}
	return out->octets != 0;
}

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
job_parse(struct load_job *job, struct zonefile_files **files, struct snapshot **snapshot)
{
	struct zone_builder *b = zone_builder_new(&job->apex);
	if (!b)
		return -ENOMEM;
	struct crew *crew = job->zones->options.crew;
	const struct zonefile_how how = {.crew = crew, .progress = &job->progress};
	zone_builder_set_crew(b, crew);
	int err = zonefile_read(job->path, &job->apex, &how, b, &job->diag, files);
	if (!err)
		return zone_builder_finish(b, &job->diag, snapshot);
	zone_builder_abort(b);
	return err;
}

/* A zone that must have a right digest and has none is refused; -EINVAL, and `diag` says why. */
static int
job_verify(struct load_job *job, const struct snapshot *snapshot)
{
	enum zonemd_rule rule;
	char why[ZONEMD_WHY_MAX];
	int err = zonemd_rule_judge(snapshot, job->apex.bytes, job->zonemd, &rule, why);
	if (err || rule == ZONEMD_RULE_TAKE)
		return err;
	bool is_refused = zonemd_rule_refuses(rule);
	diag_add(&job->diag, is_refused ? DIAG_ERROR : DIAG_WARNING, job->path, 0, 0, "ZONEMD: %s", why);
	return is_refused ? -EINVAL : 0;
}

static void
job_read_file(struct load_job *job)
{
	int64_t newest_ns;
	job->same_files = job->stamp && job->stamp == stamp_files(job->path, job->includes, &newest_ns);
	if (job->same_files && !job->force) {
		job->outcome = LOAD_UNCHANGED;
		return;
	}
	int64_t began_ns = wall_now_ns();
	struct zonefile_files *files = NULL;
	char **includes = NULL;
	job->err = job_parse(job, &files, &job->snapshot);
	if (!job->err)
		job->err = job_verify(job, job->snapshot);
	if (!job->err)
		job->err = includes_copy(files, &includes);
	zonefile_files_free(files);
	if (job->err) {
		snapshot_free(job->snapshot);
		job->snapshot = NULL;
		zone_includes_free(includes);
		job->stamp = 0; /* whatever is wrong may be put right without the stamp showing it */
		job->outcome = LOAD_FAILED;
		return;
	}
	zone_includes_free(job->includes);
	job->includes = includes;
	job->stamp = stamp_after_reading(job->path, includes, began_ns);
	job->bytes = snapshot_bytes_by(job->snapshot, job->zones->options.crew);
	job->outcome = LOAD_SERVE;
}

/* What the last run left. Damage costs this zone its history, or for a secondary a transfer, and nothing else. */
static void
job_read_state(struct load_job *job)
{
	struct diag_list diag = {0};
	char text[512] = "";
	int err = zone_stored_load(job->zones->options.state, &job->apex, STATE_LATEST, &job->stored,
				   &job->stored_zone, &diag);
	if (err && err != -ENOENT) {
		if (diag.n)
			diag_format(&diag.items[0], text, sizeof(text));
		diag_add(&job->diag, DIAG_WARNING, NULL, 0, 0, "what the state has of the zone cannot be used: %s",
			 text[0] ? text : strerror(-err));
		job->stored_zone = (struct state_zone){0};
	}
	if (job->stored)
		job->stored_bytes = snapshot_bytes(job->stored);
	diag_clear(&diag);
}

static struct load_job *
job_of(struct pool_task *t)
{
	return (struct load_job *)((char *)t - offsetof(struct load_job, task));
}

static void
job_work(struct pool_task *task)
{
	struct load_job *job = job_of(task);
	job->start_ns = publish_now_ns();
	if (job->path)
		job_read_file(job);
	if (job->is_first && job->keeps)
		job_read_state(job);
	if (job->path || job->catalog)
		return;
	job->snapshot = job->stored;
	job->bytes = job->stored_bytes;
	job->stored = NULL;
	job->outcome = job->snapshot ? LOAD_SERVE : LOAD_NOTHING;
}

/* -------- what the file means for a zone of which there is a version already, on the pool -------- */

static int
differs(const struct diff_record *r, void *arg)
{
	return 1;
}

/* The version that there is goes on; on the first load that is the state's. */
static void
job_keep_base(struct load_job *job)
{
	snapshot_free(job->snapshot);
	job->snapshot = job->stored;
	job->bytes = job->stored_bytes;
	job->outcome = job->snapshot ? LOAD_SERVE : LOAD_UNCHANGED;
	job->stored = NULL;
	job->keeps_base = true;
	job->version.store = ZONE_STORE_NOTHING;
}

static void
job_note_older(struct load_job *job, const struct snapshot *file)
{
	diag_add(&job->diag, DIAG_WARNING, job->path, 0, 0,
		 "the file has serial %u, the zone has %u by updates, which stays: give the file a newer serial to "
		 "replace it",
		 file->serial, job->base->serial);
}

/* Serials are compared as RFC 1982 has it. */
static void
job_judge(struct load_job *job)
{
	struct zone_version *v = &job->version;
	const struct snapshot *base = job->base, *file = job->snapshot;
	struct state_difference difference;
	v->store = ZONE_STORE_WHOLE;
	if (serial_is_newer(file->serial, base->serial)) {
		if (state_difference_make(base, file, UINT64_MAX, &difference) != 0)
			return;
		v->changes = difference.changes;
		v->store = ZONE_STORE_CHANGES;
		return;
	}
	bool is_same = file->serial == base->serial && !snapshot_diff(base, file, differs, NULL);
	if (is_same) {
		v->store = ZONE_STORE_NOTHING;
	} else if (job->is_dynamic) {
		job_note_older(job, file);
		job_keep_base(job);
	}
}

/* The catalog as the configuration has it now; what is served goes on where that is the same. */
static void
job_produce(struct load_job *job)
{
	job->err = catalog_produce(job->config, job->catalog, job->base, (uint32_t)time(NULL), &job->snapshot,
				   &job->diag);
	if (job->err) {
		job->outcome = LOAD_FAILED;
	} else if (!job->snapshot) {
		job_keep_base(job);
	} else {
		job->bytes = snapshot_bytes(job->snapshot);
		job->outcome = LOAD_SERVE;
	}
}

static void
job_compare(struct pool_task *task)
{
	struct load_job *job = job_of(task);
	if (job->catalog)
		job_produce(job);
	if (job->snapshot && job->base && job->outcome == LOAD_SERVE && job->snapshot != job->base)
		job_judge(job);
	snapshot_free(job->stored); /* may be large: not for the loop */
	job->stored = NULL;
}

/* -------- the end -------- */

static void
job_free(struct load_job *job)
{
	snapshot_free(job->snapshot);
	snapshot_free(job->stored);
	zone_includes_free(job->includes);
	state_changes_free(job->version.changes);
	diag_clear(&job->diag);
	config_free(job->config);
	free(job->path);
	free(job);
}

/* The job's end, however it went: its item is free for the next one. */
static void
job_finish(struct load_job *job, const char *error)
{
	struct zones *z = job->zones;
	struct zone_item *item = job->item;
	bool is_loaded = !error && job->outcome == LOAD_SERVE;
	if (item) {
		item->job = NULL;
		item->stamp = job->stamp;
		item->includes = job->includes;
		job->includes = NULL;
		if (item->waits)
			zone_queue_append(z, item);
		bool was_first = !item->was_loaded;
		item->was_loaded = true;
		zone_item_update(z, item);
		if (was_first && z->options.loaded)
			z->options.loaded(z->options.arg, item, &job->stored_zone.meta);
		zone_waits_finish(job->waits, item, error, is_loaded);
	}
	jobs_remove(z, job);
	job_free(job);
	zones_pump(z);
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
	snprintf(out, cap, "%s%s%s", job->path ? job->path : "", job->path ? ": " : "", strerror(-job->err));
}

static void
item_set_error(struct zone_item *item, const char *error)
{
	free(item->error);
	item->error = strdup(error);
	if (!item->error)
		item->error = strdup("out of memory");
}

static void
job_failed(struct load_job *job)
{
	struct zone_item *item = job->item;
	char text[NAME_TEXT_MAX], error[1024];
	name_to_text(item->slot->apex, text);
	job_error_text(job, error, sizeof(error));
	log_diag(&job->diag, text, LOG_FAULTS_MAX);
	log_write(CONFIG_LOG_ERROR, text, "not loaded; %s",
		  item->served ? "its old data stays in service" : "it is answered with SERVFAIL");
	item_set_error(item, error);
	job_finish(job, error);
}

static void
warn_of_serial(const char *zone, uint32_t old, uint32_t new)
{
	if (old == new)
		log_write(CONFIG_LOG_WARNING, zone,
			  "the file has changed, but not its serial %u: secondaries will not notice", new);
	else if (!serial_is_newer(new, old))
		log_write(CONFIG_LOG_WARNING, zone,
			  "the serial went back from %u to %u: served, but secondaries will not take it", old, new);
}

static void
job_accepted(struct zone_version *v, int err)
{
	struct load_job *job = (struct load_job *)((char *)v - offsetof(struct load_job, version));
	struct zone_item *item = job->turn.item;
	char text[NAME_TEXT_MAX];
	job->item = item;
	zone_turn_end(&job->turn);
	if (!item || err == -ECANCELED) {
		job_finish(job, "the server stops");
		return;
	}
	if (err) {
		diag_add(&job->diag, DIAG_ERROR, NULL, 0, 0, "the state on disk does not take it: %s",
			 strerror(-err));
		job->err = err;
		job->stamp = 0;
		job_failed(job);
		return;
	}
	name_to_text(item->slot->apex, text);
	log_diag(&job->diag, text, LOG_FAULTS_MAX);
	log_write(CONFIG_LOG_DEBUG, text, "serial %u, %llu records, loaded in %u ms",
		  item->served->snapshot->serial, (unsigned long long)item->served->snapshot->records,
		  item->load_ms);
	/* Updates have gone on without the file: what is served is good, and what is wrong with the file is told.
	 */
	if (job->err)
		job_error_text(job, text, sizeof(text));
	if (job->err)
		item_set_error(item, text);
	zone_item_update(job->zones, item);
	job_finish(job, NULL);
}

/* -------- from pool to pool to acceptance, on the loop -------- */

/* The zone may be removed while the pool reads what is served of it. */
static void
job_hold(struct load_job *job, struct served *served)
{
	if (served)
		served_hold(served);
	if (job->served)
		served_release(job->zones->options.publisher, job->served);
	job->served = served;
}

static void
job_accept(struct load_job *job)
{
	struct zone_item *item = job->turn.item;
	struct zone_version *v = &job->version;
	char text[NAME_TEXT_MAX];
	struct served *next = item ? served_new(job->snapshot, job->bytes) : NULL;
	if (item && !next) {
		zone_turn_end(&job->turn);
		job->err = -ENOMEM;
		job_failed(job);
		return;
	}
	if (item && item->served && job->path && !job->same_files) {
		name_to_text(item->slot->apex, text);
		warn_of_serial(text, item->served->snapshot->serial, job->snapshot->serial);
	}
	if (next)
		job->snapshot = NULL;
	v->turn = &job->turn;
	v->next = next;
	v->meta = job->stored_zone.meta;
	v->is_expired = !job->path && v->meta.expires_at_s && v->meta.expires_at_s <= time(NULL);
	v->verified_ns = publish_now_ns();
	v->load_ms = (uint32_t)((v->verified_ns - job->start_ns) / 1000000);
	v->done = job_accepted;
	zone_accept(job->zones, v);
}

static void
job_compared(struct pool_task *task)
{
	struct load_job *job = job_of(task);
	job_hold(job, NULL);
	if (job->turn.item && job->outcome == LOAD_FAILED) {
		zone_turn_end(&job->turn);
		job_failed(job);
		return;
	}
	if (job->turn.item && !job->zones->stopping && job->outcome == LOAD_UNCHANGED) {
		char text[NAME_TEXT_MAX];
		name_to_text(job->item->slot->apex, text);
		log_diag(&job->diag, text, LOG_FAULTS_MAX);
		zone_turn_end(&job->turn);
		job_finish(job, job->item->error);
		return;
	}
	job_accept(job);
}

static void
job_queue(struct load_job *job, void (*work)(struct pool_task *task), void (*done)(struct pool_task *task))
{
	job->task = (struct pool_task){.work = work, .done = done};
	zones_pool_add(job->zones->pool, &job->task);
}

static void
job_turn(struct zone_turn *turn)
{
	struct load_job *job = (struct load_job *)((char *)turn - offsetof(struct load_job, turn));
	struct zone_item *item = turn->item;
	bool has_source = (job->path || job->catalog) && !job->keeps_base;
	job->version.store = job->keeps && has_source ? ZONE_STORE_WHOLE : ZONE_STORE_NOTHING;
	job_hold(job, item ? item->served : NULL);
	job->base = job->served ? job->served->snapshot : job->stored;
	if (item && (job->catalog || (job->keeps && job->path && job->base)))
		job_queue(job, job_compare, job_compared);
	else
		job_compared(&job->task);
}

static void
job_done(struct pool_task *task)
{
	struct load_job *job = job_of(task);
	struct zones *z = job->zones;
	if (!job->item || z->stopping) {
		job_finish(job, "the server stops");
	} else if (job->outcome == LOAD_FAILED && job->is_dynamic && job->stored) {
		job_keep_base(job);
		zone_turn_take(job->item, &job->turn);
	} else if (job->outcome == LOAD_FAILED) {
		job_failed(job);
	} else if (job->outcome == LOAD_SERVE || job->catalog) {
		zone_turn_take(job->item, &job->turn);
	} else {
		char text[NAME_TEXT_MAX];
		name_to_text(job->item->slot->apex, text);
		log_diag(&job->diag, text, LOG_FAULTS_MAX);
		job_finish(job, job->outcome == LOAD_UNCHANGED ? job->item->error : NULL);
	}
}

/* Catalogs that we make are the only primaries without a file. */
static const struct config_catalog *
produced_catalog(const struct config *all, const struct config_zone *config)
{
	for (unsigned i = 0; i < all->n_catalogs; i++)
		if (&all->catalogs[i].zone == config)
			return &all->catalogs[i];
	return NULL;
}

bool
load_job_start(struct zones *z, struct zone_item *item)
{
	const struct config_zone *config = item->config;
	const char *file = zone_item_file(z, item);
	bool has_file = file != NULL;
	struct load_job *job = calloc(1, sizeof(*job));
	char *path = has_file ? strdup(file) : NULL;
	if (!job || (has_file && !path)) {
		free(job);
		free(path);
		return false;
	}
	job->zones = z;
	job->item = item;
	job->turn.begin = job_turn;
	job->path = path;
	name_copy(&job->apex, item->slot->apex);
	job->stamp = item->stamp;
	job->zonemd = config->zonemd;
	if (config->is_produced)
		job->catalog = produced_catalog(z->config, config);
	if (job->catalog)
		job->config = config_hold(z->config);
	job->force = item->force;
	job->is_first = !item->served;
	job->keeps = z->options.state && zone_is_kept(config);
	job->is_dynamic = has_file && config->n_allow_update > 0;
	job->includes = item->includes;
	job->waits = item->waits;
	item->includes = NULL;
	item->waits = NULL;
	item->force = false;
	item->job = job;
	jobs_add(z, job);
	job_queue(job, job_work, job_done);
	return true;
}

void
load_job_forget(struct load_job *job)
{
	struct zone_item *item = job->item;
	struct zone_wait *waits = job->waits;
	job->waits = NULL;
	job->item = NULL;
	item->job = NULL;
	zone_waits_finish(waits, item, "it is not configured any more", false);
}
