/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a secondary, is its primary, and measures how long new versions take to be seen in its answers.
 *
 *     transferbench [-n NAMES] [-1 ROUNDS] [-k ROUNDS] [-K NAMES] [-r ROUNDS] [-p PORT] -s ADDRESS@PORT --
 * COMMAND...
 *
 *     -1   rounds of one changed name by IXFR          (20)
 *     -k   rounds of -K (10,000) changed names by IXFR (5)
 *     -r   whole zones anew by AXFR, with -K names changed (2)
 *
 * Prints a line for each measurement: its kind, then NAME=VALUE. Times are in ms, memory in KiB:
 *
 *     asked      from the start of the step (NOTIFY, or the start of the process) to the question for a transfer
 *     sent       ... to the last octet of the answer in the kernel's hands
 *     seen       ... to the first moment when each of the client's sockets has had an answer of the new version
 *     behind     from `sent` to `seen`
 *     cpu        of the secondary from the start of the step until a moment after `seen`, answers to us included
 *     anon, file, peak_anon, peak_file   before the step; largest in it
 *
 * The client asks on several sockets, so that every worker of the secondary is asked. That it asks only each
 * 50 us, and not without a break, is for the secondary's sake: there may be two cores for all.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/transfer/primary.h"
#include "bench/transfer/watch.h"

#define SOCKETS 4
#define ASK_INTERVAL_NS 50000
#define SEEN_MAX_NS 120000000000u
#define SETTLE_MS 300

struct bench {
	struct bench_zone zone;
	struct primary primary;
	struct sockaddr_in server;
	pid_t pid;
	int sockets[SOCKETS];
	struct load load;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
pause_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* -------- the client -------- */

static void
client_open(struct bench *b)
{
	for (unsigned i = 0; i < SOCKETS; i++) {
		b->sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (b->sockets[i] < 0 ||
		    connect(b->sockets[i], (struct sockaddr *)&b->server, sizeof(b->server)) != 0)
			die("client");
	}
}

/* Has the socket had an answer with these octets in it? */
static bool
has_seen(int fd, const char *mark, size_t mark_len)
{
	uint8_t msg[4096];
	bool seen = false;
	ssize_t n;
	while ((n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT)) > 0)
		seen |= memmem(msg, (size_t)n, mark, mark_len) != NULL;
	return seen;
}

/* Asks for delegation i until all sockets see the mark; when that was, or 0. */
static uint64_t
wait_seen(struct bench *b, uint32_t i, const char *mark, size_t mark_len, long interval_ns)
{
	uint8_t msg[512];
	bool seen[SOCKETS] = {0};
	unsigned left = SOCKETS;
	size_t len = bench_zone_question(&b->zone, i, 1, msg);
	uint64_t start_ns = bench_now_ns();
	while (bench_now_ns() - start_ns < SEEN_MAX_NS) {
		for (unsigned s = 0; s < SOCKETS; s++)
			(void)!send(b->sockets[s], msg, len, 0);
		nanosleep(&(struct timespec){0, interval_ns}, NULL);
		for (unsigned s = 0; s < SOCKETS; s++) {
			if (seen[s] || !has_seen(b->sockets[s], mark, mark_len))
				continue;
			seen[s] = true;
			left--;
		}
		if (!left)
			return bench_now_ns();
		if (waitpid(b->pid, NULL, WNOHANG) == b->pid)
			break;
	}
	fprintf(stderr, "the new version is never seen\n");
	return 0;
}

/* -------- a step -------- */

struct step {
	const char *kind;
	uint32_t names;
	bool whole, has_load;
};

static double
ms(uint64_t from_ns, uint64_t to_ns)
{
	return ((double)to_ns - (double)from_ns) / 1e6;
}

static void
report(struct bench *b, const char *kind, uint64_t start_ns, uint64_t seen_ns, double cpu,
       const struct memory *before, const struct memory *peak)
{
	const struct primary *p = &b->primary;
	printf("%s asked=%.3f sent=%.3f seen=%.3f behind=%.3f cpu=%.1f anon=%llu file=%llu peak_anon=%llu "
	       "peak_file=%llu bytes=%llu",
	       kind, ms(start_ns, p->asked_ns), ms(start_ns, p->last_byte_ns), ms(start_ns, seen_ns),
	       ms(p->last_byte_ns, seen_ns), cpu, (unsigned long long)before->anon,
	       (unsigned long long)before->file, (unsigned long long)peak->anon, (unsigned long long)peak->file,
	       (unsigned long long)p->sent_bytes);
}

static void
prepare(struct bench *b, const struct step *s)
{
	pthread_mutex_lock(&b->primary.mutex);
	bench_zone_change(&b->zone, s->names);
	b->primary.refuses_ixfr = s->whole;
	if (s->whole)
		bench_zone_axfr(&b->zone, &b->primary.axfr);
	else
		bench_zone_ixfr(&b->zone, &b->primary.ixfr);
	pthread_mutex_unlock(&b->primary.mutex);
	primary_reset(&b->primary);
}

/* False: the secondary has not taken the version. */
static bool
step_run(struct bench *b, const struct step *s)
{
	char mark[16];
	struct memory_watch watch;
	struct load_figures load;
	prepare(b, s);
	size_t mark_len = bench_zone_mark(b->zone.serial, mark);
	struct memory before = memory_now(b->pid);
	if (s->has_load)
		load_start(&b->load, &b->zone, &b->server);
	memory_watch_start(&watch, b->pid);
	pause_ms(s->has_load ? 500 : 50);
	double cpu = cpu_ms(b->pid);
	uint64_t start_ns = bench_now_ns();
	primary_notify(&b->primary, &b->server);
	/* With a load, the client must not be a load itself. */
	uint64_t seen_ns = wait_seen(b, b->zone.first_changed + s->names - 1, mark, mark_len,
				     s->has_load ? 20 * ASK_INTERVAL_NS : ASK_INTERVAL_NS);
	cpu = cpu_ms(b->pid) - cpu;
	pause_ms(s->has_load ? 2000 : 50);
	memory_watch_stop(&watch);
	report(b, s->kind, start_ns, seen_ns, cpu, &before, &watch.peak);
	if (s->has_load) {
		load_stop(&b->load, &load);
		printf(" questions=%u lost=%u p50=%.3f p99=%.3f p999=%.3f max=%.3f", load.sent, load.lost,
		       load.p50_ms, load.p99_ms, load.p999_ms, load.max_ms);
	}
	printf("\n");
	fflush(stdout);
	pause_ms(SETTLE_MS);
	return seen_ns != 0;
}

/* The load alone, for comparison. */
static void
quiet_run(struct bench *b)
{
	struct load_figures load;
	load_start(&b->load, &b->zone, &b->server);
	pause_ms(5000);
	load_stop(&b->load, &load);
	printf("quiet questions=%u lost=%u p50=%.3f p99=%.3f p999=%.3f max=%.3f\n", load.sent, load.lost,
	       load.p50_ms, load.p99_ms, load.p999_ms, load.max_ms);
}

/* -------- the secondary -------- */

static void
secondary_start(struct bench *b, char **command)
{
	b->pid = fork();
	if (b->pid < 0)
		die("fork");
	if (b->pid)
		return;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_TIMERSLACK, 50000); /* ours is inherited; this is what others have */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(command[0], command);
	die(command[0]);
}

static bool
first_run(struct bench *b, char **command)
{
	struct memory_watch watch;
	struct memory none = {0};
	bench_zone_axfr(&b->zone, &b->primary.axfr);
	uint64_t start_ns = bench_now_ns();
	secondary_start(b, command);
	pause_ms(10); /* it has its own process group from here on */
	memory_watch_start(&watch, b->pid);
	uint64_t seen_ns = wait_seen(
		b, 17, "\3ns1", 4, 20 * ASK_INTERVAL_NS); /* once there is data, every delegation has this label */
	double cpu = cpu_ms(b->pid);
	memory_watch_stop(&watch);
	report(b, "first", start_ns, seen_ns, cpu, &none, &watch.peak);
	printf("\n");
	fflush(stdout);
	pause_ms(3000); /* what it has to do afterwards */
	return seen_ns != 0;
}

static void
secondary_stop(struct bench *b)
{
	kill(-b->pid, SIGTERM);
	waitpid(b->pid, NULL, 0);
}

/* -------- the command line -------- */

static void
parse_server(const char *text, struct sockaddr_in *out)
{
	char address[64];
	const char *at = strchr(text, '@');
	snprintf(address, sizeof(address), "%.*s", at ? (int)(at - text) : 0, text);
	*out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(at ? atoi(at + 1) : 0))};
	if (inet_pton(AF_INET, address, &out->sin_addr) != 1)
		die("-s takes ADDRESS@PORT");
}

int
main(int argc, char **argv)
{
	static struct bench b;
	unsigned n = 1000000, ones = 20, manies = 5, many = 10000, wholes = 2, port = 5301;
	int c;
	while ((c = getopt(argc, argv, "n:1:k:K:r:p:s:")) != -1) {
		unsigned *numbers[] = {
			['n'] = &n, ['1'] = &ones, ['k'] = &manies, ['K'] = &many, ['r'] = &wholes, ['p'] = &port};
		if (c == 's')
			parse_server(optarg, &b.server);
		else if (c == '?')
			return 2;
		else
			*numbers[c] = (unsigned)strtoul(optarg, NULL, 10);
	}
	if (!argv[optind] || !b.server.sin_port)
		return 2;
	prctl(PR_SET_TIMERSLACK, 1000); /* ns */
	bench_zone_begin(&b.zone, "tld-test.", n);
	primary_start(&b.primary, &b.zone, "127.0.0.1", (uint16_t)port);
	client_open(&b);
	bool good = first_run(&b, argv + optind);
	for (unsigned i = 0; good && i < ones; i++)
		good = step_run(&b, &(struct step){.kind = "one", .names = 1});
	for (unsigned i = 0; good && i < manies; i++)
		good = step_run(&b, &(struct step){.kind = "many", .names = many});
	if (good && wholes)
		quiet_run(&b);
	for (unsigned i = 0; good && i < wholes; i++)
		good = step_run(&b,
				&(struct step){.kind = "whole", .names = many, .whole = true, .has_load = true});
	secondary_stop(&b);
	return good ? 0 : 1;
}
