/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anserd: arguments, and the order in which the server comes up and goes down.
 *
 *     configuration → directories → ports and sockets → root given up → threads → answering
 *
 * All that can fail, or needs root, comes before the first thread and the first answer; whatever fails is printed
 * with its cure. This is the one file that knows both control/ and dataplane/.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/base/log.h"
#include "control/base/thread.h"
#include "control/daemon.h"
#include "control/privileges.h"
#include "dataplane/dataplane.h"
#include "zones/base/alloc.h"

extern const char *malloc_conf;
const char *malloc_conf = ZALLOC_MALLOC_CONF; /* jemalloc reads it before main() */

struct options {
	const char *config_path;
	bool check;
};

struct worker {
	struct thread thread;
	struct dataplane *dataplane;
	unsigned index;
};

struct server_parts {
	struct daemon daemon;
	struct dataplane *dataplane;
	struct worker *workers;
	unsigned n_workers; /* started */
};

/* -------- arguments -------- */

static void
print_usage(FILE *out)
{
	fputs("usage: anserd -c FILE [--check] [--foreground]\n"
	      "\n"
	      "  -c, --config FILE   the configuration\n"
	      "      --check         check the configuration, say what is wrong with it, and exit\n"
	      "      --foreground    stay in the foreground (always so; service managers may say it)\n"
	      "      --version       print the version\n"
	      "      --help          print this\n"
	      "\n"
	      "SIGTERM stops, SIGHUP reloads the configuration and the zone files that changed.\n"
	      "anserctl talks to the running server.\n",
	      out);
}

/* Returns -1 to go on, or the exit code. */
static int
parse_options(int argc, char **argv, struct options *out)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
		{"foreground", no_argument, NULL, 'f'},   {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},         {0},
	};
	int c;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			out->config_path = optarg;
			break;
		case 'k':
			out->check = true;
			break;
		case 'f':
			break;
		case 'v':
			puts("anserd " ANSER_VERSION);
			return EXIT_CODE_DONE;
		case 'h':
			print_usage(stdout);
			return EXIT_CODE_DONE;
		default:
			print_usage(stderr);
			return EXIT_CODE_USAGE;
		}
	}
	if (out->config_path && optind == argc)
		return -1;
	fputs(out->config_path ? "anserd: there is nothing but options to be given\n"
			       : "anserd: -c FILE is missing\n",
	      stderr);
	print_usage(stderr);
	return EXIT_CODE_USAGE;
}

/* -------- before the start -------- */

/* Sockets for all TCP connections, and a few hundred for the rest. */
static void
raise_descriptor_limit(const struct config *config)
{
	struct rlimit limit;
	rlim_t want = (rlim_t)config->tcp.max_connections + 512;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return;
	struct rlimit raised = {.rlim_cur = want, .rlim_max = limit.rlim_max > want ? limit.rlim_max : want};
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < want)
		log_warning("at most %llu files may be open: too few for tcp.max-connections %u; raise LimitNOFILE",
			    (unsigned long long)limit.rlim_cur, config->tcp.max_connections);
}

/* Those that there are already: this one, and what the allocator has begun. */
static void
move_threads(const cpu_set_t *cpus)
{
	DIR *tasks = opendir("/proc/self/task");
	if (!tasks)
		return;
	for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
		pid_t id = (pid_t)strtol(task->d_name, NULL, 10); /* of ".": 0, this thread */
		(void)sched_setaffinity(id, sizeof(*cpus), cpus);
	}
	closedir(tasks);
}

/*
 * Moves all threads to the CPUs that no worker has, and those that are made later inherit it, so that a worker
 * shares its own with nobody. Where the workers have all CPUs, there is nowhere else to be.
 */
static void
leave_cores_to_workers(const struct config *config)
{
	cpu_set_t cpus;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return;
	for (unsigned i = 0; i < config->dataplane.n_cores; i++) {
		if (config->dataplane.cores[i] < CPU_SETSIZE)
			CPU_CLR(config->dataplane.cores[i], &cpus);
	}
	if (CPU_COUNT(&cpus) > 0)
		move_threads(&cpus);
}

/* As many builders as there are CPUs for them; libuv reads the variable when its pool is first used. */
static unsigned
size_builder_pool(void)
{
	char text[16];
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	unsigned builders = n < 2 ? 2 : n > 64 ? 64 : (unsigned)n;
	snprintf(text, sizeof(text), "%u", builders);
	setenv("UV_THREADPOOL_SIZE", text, 1);
	return builders;
}

static int
seed_hashes(struct diag_list *diag)
{
	/* Clients choose names; without the seed they could choose where these land in our tables. */
	if (getrandom(&name_hash_seed, sizeof(name_hash_seed), 0) == sizeof(name_hash_seed))
		return 0;
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "no random numbers from the kernel: %s", strerror(errno));
	return -EIO;
}

/* -------- the dataplane's part -------- */

static struct sockaddr_storage *
copy_listen(const struct config_server *server)
{
	struct sockaddr_storage *listen = calloc(server->n_listen, sizeof(*listen));
	for (unsigned i = 0; listen && i < server->n_listen; i++)
		memcpy(&listen[i], &server->listen[i].any, server->listen[i].len);
	return listen;
}

static struct dataplane_port_config *
copy_ports(const struct config_dataplane *config)
{
	struct dataplane_port_config *ports = calloc(config->n_ports + 1, sizeof(*ports));
	for (unsigned i = 0; ports && i < config->n_ports; i++)
		ports[i] = (struct dataplane_port_config){
			.device = config->ports[i].device,
			.queues = config->ports[i].queues,
			.exception = (enum dataplane_exception)config->ports[i].exception,
		};
	return ports;
}

/* The two rooms name these alike, one after the other, so that a number means the same in both. */
_Static_assert((int)DATAPLANE_KERNEL == CONFIG_MODE_KERNEL && (int)DATAPLANE_AF_PACKET == CONFIG_MODE_AF_PACKET &&
		       (int)DATAPLANE_AF_XDP == CONFIG_MODE_AF_XDP && (int)DATAPLANE_DPDK == CONFIG_MODE_DPDK,
	       "dataplane modes");
_Static_assert((int)DATAPLANE_EXCEPTION_AUTO == CONFIG_EXCEPTION_AUTO &&
		       (int)DATAPLANE_EXCEPTION_KERNEL == CONFIG_EXCEPTION_KERNEL &&
		       (int)DATAPLANE_EXCEPTION_TAP == CONFIG_EXCEPTION_TAP,
	       "exception paths");
_Static_assert((int)DATAPLANE_HUGE_AUTO == CONFIG_HUGEPAGES_AUTO &&
		       (int)DATAPLANE_HUGE_OFF == CONFIG_HUGEPAGES_OFF &&
		       (int)DATAPLANE_HUGE_REQUIRED == CONFIG_HUGEPAGES_REQUIRED,
	       "huge pages");

static int
open_dataplane(struct server_parts *s, const struct config *config, struct diag_list *diag)
{
	const struct config_dataplane *dp = &config->dataplane;
	struct sockaddr_storage *listen = copy_listen(&config->server);
	struct dataplane_port_config *ports = copy_ports(dp);
	const struct dataplane_config dc = {
		.mode = (enum dataplane_mode)dp->mode,
		.ports = ports,
		.n_ports = dp->n_ports,
		.cores = dp->cores,
		.n_cores = dp->n_cores,
		.idle_busy = dp->idle == CONFIG_IDLE_BUSY,
		.memory_bytes = dp->memory_bytes,
		.hugepages = (enum dataplane_hugepages)dp->hugepages,
		.listen = listen,
		.n_listen = config->server.n_listen,
		.udp_payload = (uint16_t)config->server.udp_payload_bytes,
		.eal_args = dp->eal_args,
		.n_eal_args = dp->n_eal_args,
		.root = &s->daemon.root,
	};
	int err = listen && ports ? dataplane_open(&dc, diag, &s->dataplane) : -ENOMEM;
	free(listen);
	free(ports);
	return err;
}

static void
worker_run(void *arg)
{
	struct worker *w = arg;
	dataplane_worker_run(w->dataplane, w->index);
}

static void
port_figures(void *arg, unsigned i, struct metrics_port *out)
{
	struct server_parts *s = arg;
	struct dataplane_port_stats p;
	dataplane_port_stats(s->dataplane, i, &p);
	*out = (struct metrics_port){.device = p.device,
				     .rx_packets = p.rx_packets,
				     .tx_packets = p.tx_packets,
				     .rx_missed = p.rx_missed,
				     .rx_errors = p.rx_errors,
				     .tx_errors = p.tx_errors};
}

static bool
punt_next(void *arg, unsigned worker, struct inquiry_punt *out)
{
	struct server_parts *s = arg;
	struct dataplane_punt p;
	if (!dataplane_punt_next(s->dataplane, worker, &p))
		return false;
	*out = (struct inquiry_punt){
		.msg = p.msg, .len = p.len, .reply_cap = p.reply_cap, .client = p.client, .id = p.id};
	return true;
}

static void
punt_end(void *arg, unsigned worker, unsigned id, const uint8_t *msg, size_t len)
{
	struct server_parts *s = arg;
	dataplane_punt_end(s->dataplane, worker, id, msg, len);
}

static int
prepare_workers(struct server_parts *s)
{
	unsigned n = dataplane_worker_count(s->dataplane);
	struct metrics_workers *m = &s->daemon.workers;
	s->workers = calloc(n, sizeof(*s->workers));
	m->workers = calloc(n, sizeof(*m->workers));
	if (!s->workers || !m->workers)
		return -ENOMEM;
	m->n = n;
	m->n_ports = dataplane_port_count(s->dataplane);
	m->port = port_figures;
	m->arg = s;
	s->daemon.inquiry_workers = (struct inquiry_workers){.n = n, .next = punt_next, .end = punt_end, .arg = s};
	for (unsigned i = 0; i < n; i++) {
		s->workers[i] = (struct worker){.dataplane = s->dataplane, .index = i};
		m->workers[i] = (struct metrics_worker){.cpu = dataplane_worker_cpu(s->dataplane, i),
							.counters = dataplane_worker_counters(s->dataplane, i)};
	}
	return 0;
}

static int
start_workers(struct server_parts *s, struct diag_list *diag)
{
	for (unsigned i = 0; i < s->daemon.workers.n; i++) {
		char name[32];
		int cpu = s->daemon.workers.workers[i].cpu;
		snprintf(name, sizeof(name), "anser-udp-%u", i);
		int err = thread_start(&s->workers[i].thread, name, cpu, THREAD_RCU_ONLINE, worker_run,
				       &s->workers[i]);
		if (err) {
			diag_add(diag, DIAG_ERROR, NULL, 0, 0,
				 "worker %u cannot be started on CPU %d: %s; see dataplane.cores", i, cpu,
				 strerror(-err));
			return err;
		}
		s->n_workers++;
	}
	return 0;
}

/* -------- up and down -------- */

static int
make_directories(const struct privileges *p, const struct config *config, struct diag_list *diag)
{
	int err = privileges_directory(p, "server.run-dir", config->server.run_dir, diag);
	int err2 = privileges_directory(p, "server.state-dir", config->server.state_dir, diag);
	return err ? err : err2;
}

/* Everything that needs privileges. */
static int
open_all(struct server_parts *s, struct config *config, struct diag_list *diag)
{
	struct privileges who;
	char path[4096];
	int err = privileges_find(&config->server, diag, &who);
	if (!err)
		err = make_directories(&who, config, diag);
	if (!err)
		err = seed_hashes(diag);
	if (err) {
		config_free(config);
		return err;
	}
	err = daemon_open(&s->daemon, config, diag);
	if (!err)
		err = open_dataplane(s, config, diag);
	if (!err)
		err = prepare_workers(s);
	if (!err)
		err = tcp_open(config, &s->daemon.root, diag, &s->daemon.tcp);
	if (!err)
		tcp_set_inquiries(s->daemon.tcp, s->daemon.inquiries);
	snprintf(path, sizeof(path), "%s/anser.sock", config->server.run_dir);
	if (!err)
		err = privileges_give(&who, path, diag);
	if (!err)
		err = privileges_drop(&who, config->dataplane.mode != CONFIG_MODE_KERNEL, diag);
	return err;
}

/* Everything that is a thread. Readers come last: the zone set is there when they look for it. */
static int
start_all(struct server_parts *s, struct diag_list *diag)
{
	int err = daemon_start(&s->daemon, diag);
	if (err)
		return err;
	err = start_workers(s, diag);
	if (err)
		return err;
	err = tcp_start(s->daemon.tcp);
	if (err)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "TCP threads cannot be started: %s", strerror(-err));
	return err;
}

static void
stop_all(struct server_parts *s)
{
	/* TCP ends first: what resolvers were told to ask again over TCP is still answered while UDP is. */
	if (s->daemon.tcp)
		tcp_stop(s->daemon.tcp);
	if (s->dataplane)
		dataplane_stop(s->dataplane);
	for (unsigned i = 0; i < s->n_workers; i++)
		thread_join(&s->workers[i].thread);
	daemon_finish(&s->daemon);
	tcp_close(s->daemon.tcp);
	dataplane_close(s->dataplane);
	daemon_free(&s->daemon);
	free(s->workers);
	free(s->daemon.workers.workers);
}

static int
serve(struct config *config)
{
	static struct server_parts parts; /* static: workers point into it, and it outlives every thread */
	struct diag_list diag = {0};
	leave_cores_to_workers(config);
	parts.daemon.builders = size_builder_pool();
	raise_descriptor_limit(config);
	int err = open_all(&parts, config, &diag);
	if (!err)
		err = start_all(&parts, &diag);
	if (err && !diag.n_errors)
		diag_add(&diag, DIAG_ERROR, NULL, 0, 0, "%s", strerror(-err));
	log_diag(&diag, NULL, UINT32_MAX);
	diag_clear(&diag);
	if (!err) {
		log_info("anserd " ANSER_VERSION " answers with %u workers and %u TCP threads", parts.n_workers,
			 tcp_thread_count(parts.daemon.tcp));
		daemon_warn_of_gaps(parts.daemon.config);
		daemon_run(&parts.daemon);
	}
	if (parts.daemon.config)
		stop_all(&parts);
	if (!err)
		log_info("stopped");
	return err ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	int code = parse_options(argc, argv, &options);
	if (code >= 0)
		return code;
	struct diag_list diag = {0};
	struct config *config;
	int err = config_load(options.config_path, &config, &diag);
	diag_print(&diag, stderr);
	if (err && !diag.n_errors)
		fprintf(stderr, "%s: %s\n", options.config_path, strerror(-err));
	diag_clear(&diag);
	if (err)
		return EXIT_CODE_FAULTS;
	if (options.check) {
		puts("no errors");
		config_free(config);
		return EXIT_CODE_DONE;
	}
	log_setup(&config->server.log);
	signal(SIGPIPE, SIG_IGN);
	umask(027);
	return serve(config);
}
