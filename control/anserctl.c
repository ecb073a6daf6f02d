/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anserctl: one command to the running daemon, or a check that needs none.
 *
 * A command is one or two words and its arguments. It blocks until the thing asked for is done; the exit code says
 * how it went, and with --json the answer goes to stdout as the daemon gave it.
 */
#include "control/anserctl.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/check_dnssec.h"
#include "control/config/config.h"
#include "control/server.h"
#include "zones/base/diag.h"
#include "zones/load/zonefile.h"
#include "zones/store/zonemd.h"

#define DEFAULT_SOCKET "/run/anser/anser.sock"

struct options {
	const char *socket;
	bool json, dnssec;
	long timeout_s; /* 0: none */
};

struct command {
	const char *words;     /* as typed */
	const char *arguments; /* for the usage text */
	int n_args;
	const char *name; /* the daemon's name of it; NULL: done here, by `local` */
	int (*local)(const struct options *o, char **args);
	void (*show)(const json_t *result);
	void (*show_piece)(const json_t *line); /* NULL: there are none */
	const char *help;
};

/* -------- checks -------- */

#define CHECK_ZONEMD_MAX (ZONEMD_WHY_MAX + 16) /* a word and why */

/* Prints the faults and what was found of the zone's digest (NULL: nothing to say), and makes the exit code. */
static int
check_end(const struct options *o, struct diag_list *diag, int err, const char *zonemd)
{
	bool good = err == 0;
	if (o->json) {
		char text[2048];
		json_t *faults = json_array();
		for (unsigned i = 0; i < diag->n; i++) {
			diag_format(&diag->items[i], text, sizeof(text));
			json_array_append_new(faults, json_string(text));
		}
		json_t *line = json_pack("{sb s{so}}", "ok", good, "result", "faults", faults);
		if (!good)
			json_object_set_new(line, "code", json_integer(EXIT_CODE_FAULTS));
		if (zonemd)
			json_object_set_new(json_object_get(line, "result"), "zonemd", json_string(zonemd));
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		diag_print(diag, stderr);
		if (zonemd)
			printf("ZONEMD: %s\n", zonemd);
		if (good)
			puts("no errors");
	}
	diag_clear(diag);
	return good ? EXIT_CODE_DONE : err == -ENOMEM ? EXIT_CODE_FAILED : EXIT_CODE_FAULTS;
}

static int
check_config(const struct options *o, char **args)
{
	struct diag_list diag = {0};
	struct config *config;
	int err = config_load(args[0], &config, &diag);
	if (!err)
		config_free(config);
	else if (!diag.n_errors)
		diag_add(&diag, DIAG_ERROR, args[0], 0, 0, "%s", strerror(-err));
	return check_end(o, &diag, err, NULL);
}

static int
check_zonemd(const struct snapshot *snapshot, const struct name *apex, struct diag_list *diag,
	     char text[CHECK_ZONEMD_MAX])
{
	static const char *const words[] = {[ZONEMD_ABSENT] = "absent",
					    [ZONEMD_GOOD] = "good",
					    [ZONEMD_BAD] = "bad",
					    [ZONEMD_UNSUPPORTED] = "unsupported"};
	enum zonemd_result result;
	char why[ZONEMD_WHY_MAX];
	int err = zonemd_verify(snapshot, apex->bytes, &result, why);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "ZONEMD: %s", strerror(-err));
	else
		snprintf(text, CHECK_ZONEMD_MAX, "%s: %s", words[result], why);
	return err;
}

static int
check_zone(const struct options *o, char **args)
{
	struct diag_list diag = {0};
	struct name apex, root = {.len = 1};
	enum name_error e = name_from_text(args[0], strlen(args[0]), &root, &apex);
	if (e != NAME_OK) {
		fprintf(stderr, "anserctl: `%s` is not a zone name: %s\n", args[0], name_error_text(e));
		return EXIT_CODE_USAGE;
	}
	name_lower(apex.bytes, apex.bytes, apex.len);
	char zonemd[CHECK_ZONEMD_MAX] = "";
	struct snapshot *snapshot = NULL;
	int err = zonefile_load(args[1], &apex, &diag, &snapshot);
	if (err && !diag.n_errors)
		diag_add(&diag, DIAG_ERROR, args[1], 0, 0, "%s", strerror(-err));
	if (!err)
		err = check_zonemd(snapshot, &apex, &diag, zonemd);
	if (!err && o->dnssec)
		err = check_dnssec(snapshot, &apex, time(NULL), &diag);
	snapshot_free(snapshot);
	return check_end(o, &diag, err, *zonemd ? zonemd : NULL);
}

/* -------- the commands -------- */

static void
show_nothing(const json_t *result)
{
}

static const struct command commands[] = {
	{"status", "", 0, "status", NULL, show_status, NULL, "the server as a whole"},
	{"zones", "", 0, "zones", NULL, show_nothing, show_zones_piece, "every zone, a line each"},
	{"zone status", "NAME", 1, "zone-status", NULL, show_zone, NULL,
	 "one zone: what is served, how old it is, what went wrong last"},
	{"zone reload", "NAME", 1, "zone-reload", NULL, show_zone, NULL,
	 "load the zone's file now, changed or not"},
	{"zone refresh", "NAME", 1, "zone-refresh", NULL, show_zone, NULL,
	 "ask the zone's primaries now, and transfer what is newer"},
	{"zone retransfer", "NAME", 1, "zone-retransfer", NULL, show_zone, NULL,
	 "take the whole zone from a primary, whatever its serial"},
	{"zone rollback", "NAME", 1, "zone-rollback", NULL, show_zone, NULL,
	 "serve the previous verified version again, now"},
	{"zone dump", "NAME", 1, "zone-dump", NULL, show_nothing, show_text_piece,
	 "print what is served, as a zone file"},
	{"reload", "", 0, "reload", NULL, show_reload, show_progress_piece,
	 "read the configuration again, and zone files that changed"},
	{"stop", "", 0, "stop", NULL, show_nothing, NULL, "stop the server"},
	{"metrics", "", 0, "metrics", NULL, show_nothing, show_text_piece, "all figures, as Prometheus text"},
	{"check config", "FILE", 1, NULL, check_config, NULL, NULL,
	 "find the faults of a configuration; needs no server"},
	{"check zone", "NAME FILE", 2, NULL, check_zone, NULL, NULL,
	 "find the faults of a zone file; needs no server"},
	{"version", "", 0, "version", NULL, show_version, NULL, "versions of anserctl and of the server"},
};

static void
print_usage(FILE *out)
{
	fputs("usage: anserctl [-s SOCKET] [--json] [-t SECONDS] COMMAND\n\n", out);
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s %s", commands[i].words, commands[i].arguments);
		fprintf(out, "  %-22s  %s\n", text, commands[i].help);
	}
	fputs("\n"
	      "  -s, --socket SOCKET     the server's control socket (" DEFAULT_SOCKET ")\n"
	      "      --json              print the answer as JSON\n"
	      "  -t, --timeout SECONDS   give up after so long\n"
	      "      --dnssec            check zone: validate the signatures too\n"
	      "\n"
	      "exit codes: 0 done, 1 failed, 2 usage, 3 server unreachable, 4 a check found faults, 5 timed out\n",
	      out);
}

/* How many words of argv make up the command; 0: it is not this one. */
static int
command_match(const struct command *c, int argc, char **argv)
{
	char text[256];
	if (argc >= 1 && strcmp(argv[0], c->words) == 0)
		return 1;
	if (argc < 2 || snprintf(text, sizeof(text), "%s %s", argv[0], argv[1]) >= (int)sizeof(text))
		return 0;
	return strcmp(text, c->words) == 0 ? 2 : 0;
}

static void
complain(int argc, char **argv)
{
	const char *all[ARRAY_LEN(commands) + 1] = {NULL};
	char text[256];
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		all[i] = commands[i].words;
	snprintf(text, sizeof(text), "%s%s%s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	const char *near = diag_nearest(text, all);
	if (!near)
		near = diag_nearest(argv[0], all);
	fprintf(stderr, "anserctl: there is no command `%s`%s%s%s\n", near ? text : argv[0],
		near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "; see anserctl --help");
}

/* -------- the conversation -------- */

struct talk {
	int fd;
	int64_t deadline_ms; /* 0: none */
	char *line;          /* the one last read; the next one's beginning behind it */
	size_t len, cap, used;
};

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
talk_connect(struct talk *t, const struct options *o)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(o->socket) >= sizeof(a.sun_path)) {
		fprintf(stderr, "anserctl: %s: the path is too long for a socket\n", o->socket);
		return EXIT_CODE_UNREACHABLE;
	}
	strcpy(a.sun_path, o->socket);
	t->deadline_ms = o->timeout_s ? now_ms() + o->timeout_s * 1000 : 0;
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->fd >= 0 && connect(t->fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return EXIT_CODE_DONE;
	const char *cure = errno == EACCES ? " (run as root, or as a member of the socket's group)"
			   : errno == ENOENT || errno == ECONNREFUSED
				   ? " (is anserd running? -s names another socket)"
				   : "";
	fprintf(stderr, "anserctl: %s: %s%s\n", o->socket, strerror(errno), cure);
	return EXIT_CODE_UNREACHABLE;
}

static bool
talk_send(struct talk *t, const char *name, char **args, int n_args)
{
	json_t *array = json_array();
	for (int i = 0; i < n_args; i++)
		json_array_append_new(array, json_string(args[i]));
	json_t *line = json_pack("{ss so}", "command", name, "args", array);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	bool sent = text && dprintf(t->fd, "%s\n", text) > 0;
	free(text);
	return sent;
}

/* Reads more of the answer. EXIT_CODE_DONE, _TIMEOUT, or _UNREACHABLE: the daemon has hung up. */
static int
talk_read(struct talk *t)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	int64_t wait_ms = -1;
	if (t->deadline_ms) {
		wait_ms = t->deadline_ms - now_ms();
		wait_ms = wait_ms < 0 ? 0 : wait_ms > INT_MAX ? INT_MAX : wait_ms;
	}
	if (poll(&p, 1, (int)wait_ms) == 0)
		return EXIT_CODE_TIMEOUT;
	if (t->cap - t->len < 4096) {
		size_t cap = t->cap * 2 + 65536;
		char *bigger = realloc(t->line, cap);
		if (!bigger)
			return EXIT_CODE_UNREACHABLE;
		t->line = bigger;
		t->cap = cap;
	}
	ssize_t n = read(t->fd, t->line + t->len, t->cap - t->len);
	if (n <= 0)
		return EXIT_CODE_UNREACHABLE;
	t->len += (size_t)n;
	return EXIT_CODE_DONE;
}

/* The next line, parsed; NULL with *code where there is none. */
static json_t *
talk_line(struct talk *t, int *code)
{
	size_t seen = 0;
	memmove(t->line, t->line + t->used, t->len - t->used);
	t->len -= t->used;
	t->used = 0;
	char *end;
	while (!(end = memchr(t->line + seen, '\n', t->len - seen))) {
		seen = t->len;
		*code = talk_read(t);
		if (*code != EXIT_CODE_DONE)
			return NULL;
	}
	t->used = (size_t)(end - t->line) + 1;
	json_t *line = json_loadb(t->line, t->used - 1, 0, NULL);
	*code = EXIT_CODE_FAILED;
	return line;
}

/* Adds what a line before the reply brought to what was there: arrays and texts grow. */
static void
merge_piece(json_t *into, json_t *line)
{
	const char *key;
	json_t *value;
	json_object_del(line, "progress"); /* of interest while it lasts only */
	json_object_foreach(line, key, value)
	{
		json_t *before = json_object_get(into, key);
		if (json_is_array(before)) {
			json_array_extend(before, value);
		} else if (json_is_string(before)) {
			json_t *both = json_sprintf("%s%s", json_string_value(before), json_string_value(value));
			json_object_set_new(into, key, both);
		} else {
			json_object_set(into, key, value);
		}
	}
}

static int
reply_end(const struct options *o, const struct command *c, json_t *line, json_t *pieces)
{
	bool good = json_is_true(json_object_get(line, "ok"));
	json_t *result = json_object_get(line, "result");
	if (o->json) {
		if (result && json_object_size(pieces))
			json_object_update(result, pieces);
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (result) {
		c->show(result);
	}
	if (good)
		return EXIT_CODE_DONE;
	const char *error = json_string_value(json_object_get(line, "error"));
	if (!o->json)
		fprintf(stderr, "anserctl: %s: %s\n", c->words, error ? error : "failed");
	json_int_t code = json_integer_value(json_object_get(line, "code"));
	return code > 0 && code <= EXIT_CODE_TIMEOUT ? (int)code : EXIT_CODE_FAILED;
}

/* Reads lines up to the reply, and shows them. */
static int
talk_answer(struct talk *t, const struct options *o, const struct command *c)
{
	json_t *pieces = json_object(), *line;
	int code;
	while ((line = talk_line(t, &code)) && !json_object_get(line, "ok")) {
		if (o->json)
			merge_piece(pieces, line);
		else if (c->show_piece)
			c->show_piece(line);
		json_decref(line);
	}
	if (line)
		code = reply_end(o, c, line, pieces);
	else if (code == EXIT_CODE_TIMEOUT)
		fprintf(stderr, "anserctl: %s: not done after %ld s; the server goes on with it\n", c->words,
			o->timeout_s);
	else
		fprintf(stderr, "anserctl: %s: the server hung up without an answer\n", c->words);
	json_decref(line);
	json_decref(pieces);
	return code;
}

static int
command_run(const struct options *o, const struct command *c, char **args)
{
	if (c->local)
		return c->local(o, args);
	struct talk t = {.fd = -1};
	int code = talk_connect(&t, o);
	if (code == EXIT_CODE_DONE) {
		t.line = malloc(t.cap = 65536);
		if (!o->json && c->show_piece == show_zones_piece)
			show_zones_head();
		code = t.line && talk_send(&t, c->name, args, c->n_args) ? talk_answer(&t, o, c)
									 : EXIT_CODE_UNREACHABLE;
	} else if (strcmp(c->words, "version") == 0) {
		puts("anserctl " ANSER_VERSION);
	}
	free(t.line);
	if (t.fd >= 0)
		close(t.fd);
	return code;
}

/* -------- arguments -------- */

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"dnssec", no_argument, NULL, 'd'},       {"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},         {0},
	};
	int c;
	char *end;
	while ((c = getopt_long(argc, argv, "s:t:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'd':
			o->dnssec = true;
			break;
		case 't':
			o->timeout_s = strtol(optarg, &end, 10);
			if (o->timeout_s > 0 && o->timeout_s <= INT_MAX && !*end)
				break;
			fprintf(stderr, "anserctl: --timeout wants a number of seconds\n");
			return EXIT_CODE_USAGE;
		case 'h':
			print_usage(stdout);
			return EXIT_CODE_DONE;
		default:
			print_usage(stderr);
			return EXIT_CODE_USAGE;
		}
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct options o = {.socket = DEFAULT_SOCKET};
	int code = parse_options(argc, argv, &o);
	if (code >= 0)
		return code;
	argc -= optind;
	argv += optind;
	if (!argc) {
		print_usage(stderr);
		return EXIT_CODE_USAGE;
	}
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];
		int n_words = command_match(c, argc, argv);
		if (!n_words)
			continue;
		if (argc - n_words == c->n_args)
			return command_run(&o, c, argv + n_words);
		fprintf(stderr, "usage: anserctl %s %s\n", c->words, c->arguments);
		return EXIT_CODE_USAGE;
	}
	complain(argc, argv);
	return EXIT_CODE_USAGE;
}
