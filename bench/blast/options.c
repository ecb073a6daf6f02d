/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. See options.h. */
#include "bench/blast/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "zones/base/diag.h"
#include "zones/wire/rrtype.h"

#define SOURCES_DEFAULT 1000
#define SOURCES_MAX 1000000u
#define TIMEOUT_MAX_MS 20000.0

static const char help[] =
	"Usage: anserblast [OPTIONS] --server ADDRESS[@PORT]\n"
	"       anserblast --make-zone KIND --names N --zone NAME > FILE\n"
	"Sends DNS queries at a fixed rate, whatever comes back, and checks and times the replies.\n"
	"\n"
	"Port:\n"
	"  --mode MODE         udp (sockets; default), af_xdp, af_packet, dpdk\n"
	"  --device DEVICE     interface; with dpdk a vdev string (net_memif0,role=client,socket=FILE) or PCI "
	"address\n"
	"  --source ADDRESS    ours, or a prefix of ours: 198.18.0.0/16\n"
	"  --sources N         how many sources, addresses times ports (default 1000)\n"
	"  --gateway MAC       next hop (default: ask for it)\n"
	"  --cores LIST        one thread on each: 1 or 1,3 or 2-5 (default: one thread, not pinned)\n"
	"  --queues N          of the device (default: one a core; af_xdp: all that the interface has)\n"
	"\n"
	"Queries:\n"
	"  --queries FILE      lines `name type`, optionally E (EDNS) or D (DNSSEC) behind them\n"
	"  --mix MIX           hot, random, nxdomain, referral, mixed: of the zone that --make-zone makes\n"
	"  --zone NAME         its name (default example.)\n"
	"  --names N           its names (default 100000)\n"
	"  --kind KIND         its kind: flat, tld, long (default flat; of referral tld)\n"
	"  --make-zone KIND    writes it to standard output, and does nothing else\n"
	"  --qtype TYPE        asked for by a mix (default A)\n"
	"  --order ORDER       random (default) or file\n"
	"  --seed N            of random numbers (default 1)\n"
	"  --edns SIZE         answer size that is offered (default 1232); 0: no EDNS\n"
	"  --dnssec            set DO\n"
	"\n"
	"Rate:\n"
	"  --rate QPS          queries a second (k and M may follow); default 10000\n"
	"  --steps A,B,C       several rates, one after the other\n"
	"  --search            find the highest rate that is answered; starts at --rate\n"
	"  --answered PERCENT  what that means (default 99.9)\n"
	"  --flood             as fast as possible\n"
	"  --time SECONDS      of each step (default 5)\n"
	"  --warm SECONDS      before each step, not counted (default 0)\n"
	"  --timeout MS        a reply after that is late (default 1000)\n"
	"\n"
	"Output:\n"
	"  --json FILE         the results, too (- for standard output, then alone)\n"
	"  --check full        replies are read to their end, and RCODEs but NOERROR and NXDOMAIN are wrong\n"
	"  --echo              the query itself counts as a reply\n"
	"  --show N            print the first N wrong replies in hexadecimal\n"
	"  --help, --version\n"
	"\n"
	"Exit code: 0 done, 1 failed or nothing was answered, 2 usage.\n";

/* What is filled in while reading, beside the options themselves. */
struct reading {
	struct options *o;
	char *error;
	uint32_t n_sources;
	unsigned n_cores;
	bool has_mix, has_kind, has_server;
};

static int fail(struct reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int
fail(struct reading *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->error, 256, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* -------- values -------- */

static int
read_unsigned(struct reading *r, const char *what, const char *text, unsigned long most, unsigned long *out)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v > most)
		return fail(r, "--%s %s: not a whole number up to %lu", what, text, most);
	*out = v;
	return 0;
}

static int
read_u32(struct reading *r, const char *what, const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long v = 0;
	int err = read_unsigned(r, what, text, most, &v);
	if (err != 0)
		return err;
	if (v < least)
		return fail(r, "--%s %s: at least %u", what, text, least);
	*out = (uint32_t)v;
	return 0;
}

/* A number above `least`, at most `most`; `end` gets what follows it. */
static int
read_real(struct reading *r, const char *what, const char *text, double least, double most, char **end, double *out)
{
	double v = strtod(text, end);
	if (*end == text || isnan(v))
		return fail(r, "--%s %s: not a number", what, text);
	double scale = **end == 'k' ? 1e3 : **end == 'M' ? 1e6 : 1;
	*end += scale > 1;
	v *= scale;
	if (v <= least || v > most)
		return fail(r, "--%s %s: not above %g and up to %g", what, text, least, most);
	*out = v;
	return 0;
}

static int
read_one_real(struct reading *r, const char *what, const char *text, double least, double most, double *out)
{
	char *end;
	int err = read_real(r, what, text, least, most, &end, out);
	return err == 0 && *end != '\0' ? fail(r, "--%s %s: what is `%s`?", what, text, end) : err;
}

static int
read_steps(struct reading *r, const char *text)
{
	char *end = (char *)(uintptr_t)text;
	r->o->n_steps = 0;
	for (;;) {
		if (r->o->n_steps == OPTIONS_STEPS_MAX)
			return fail(r, "--steps: at most %u", OPTIONS_STEPS_MAX);
		int err = read_real(r, "steps", end, 0, 1e9, &end, &r->o->steps_qps[r->o->n_steps]);
		if (err != 0)
			return err;
		r->o->n_steps++;
		if (*end == '\0')
			return 0;
		if (*end++ != ',')
			return fail(r, "--steps %s: rates are separated by commas", text);
	}
}

/* 1 or 1,3 or 2-5. */
static int
read_cores(struct reading *r, const char *text)
{
	r->n_cores = 0;
	for (const char *p = text;;) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;
		bool good = end != p;
		if (good && *end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			good = end != p && last >= first;
		}
		if (!good || last >= 1024 || (*end != ',' && *end != '\0'))
			return fail(r, "--cores %s: a list of cores is 1 or 1,3 or 2-5", text);
		for (; first <= last; first++) {
			if (r->n_cores == OPTIONS_CORES_MAX)
				return fail(r, "--cores: at most %u", OPTIONS_CORES_MAX);
			r->o->cores[r->n_cores++] = (unsigned)first;
		}
		if (*end == '\0')
			return 0;
		p = end + 1;
	}
}

static int
read_server(struct reading *r, const char *text)
{
	char address[INET6_ADDRSTRLEN + 1];
	unsigned long port = 53;
	const char *at = strchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	int err = at != NULL ? read_unsigned(r, "server", at + 1, 65535, &port) : 0;
	if (err != 0)
		return err;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&r->o->load.port.server;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&r->o->load.port.server;
	snprintf(address, sizeof(address), "%.*s", (int)len, text);
	r->o->load.port.server = (struct sockaddr_storage){0};
	r->o->server_text = text;
	r->has_server = true;
	if (len < sizeof(address) && inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return 0;
	}
	if (len < sizeof(address) && inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return 0;
	}
	return fail(r, "--server %s: not an address, or address@port", text);
}

/* The family is compared with the server's when all options are known. */
static int
read_source(struct reading *r, const char *text)
{
	char address[INET6_ADDRSTRLEN + 1];
	struct load_port_config *c = &r->o->load.port;
	bool v6 = strchr(text, ':') != NULL;
	unsigned long prefix_len = v6 ? 128 : 32;
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	int err = slash != NULL ? read_unsigned(r, "source", slash + 1, prefix_len, &prefix_len) : 0;
	if (err != 0)
		return err;
	snprintf(address, sizeof(address), "%.*s", (int)len, text);
	if (len >= sizeof(address) || inet_pton(v6 ? AF_INET6 : AF_INET, address, c->source) != 1)
		return fail(r, "--source %s: not an address or a prefix", text);
	c->has_source = true;
	c->source_is_v6 = v6;
	c->source_prefix_len = (unsigned)prefix_len;
	return 0;
}

static int
read_gateway(struct reading *r, const char *text)
{
	unsigned m[6];
	int len = 0;
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &len) != 6 ||
	    text[len] != '\0')
		return fail(r, "--gateway %s: a MAC is 02:00:00:00:00:01", text);
	for (unsigned i = 0; i < 6; i++)
		r->o->load.port.gateway[i] = (uint8_t)m[i];
	r->o->load.port.has_gateway = true;
	return 0;
}

static const char *const mode_words[] = {
	[LOAD_UDP] = "udp", [LOAD_AF_XDP] = "af_xdp", [LOAD_AF_PACKET] = "af_packet", [LOAD_DPDK] = "dpdk"};

const char *
options_mode_text(enum load_mode mode)
{
	return mode_words[mode];
}

static int
read_mode(struct reading *r, const char *text)
{
	for (unsigned i = 0; i < ARRAY_LEN(mode_words); i++) {
		if (strcmp(text, mode_words[i]) != 0)
			continue;
		r->o->load.port.mode = (enum load_mode)i;
		return 0;
	}
	return fail(r, "--mode %s: udp, af_xdp, af_packet or dpdk", text);
}

static int
read_zone(struct reading *r, const char *text)
{
	static const struct name root = {.len = 1};
	struct name *zone = &r->o->mix.zone;
	enum name_error e = name_from_text(text, strlen(text), &root, zone);
	if (e != NAME_OK)
		return fail(r, "--zone %s: %s", text, name_error_text(e));
	if (zone->len > NAME_MAX_LEN - MADE_PREFIX_MAX)
		return fail(r, "--zone %s: too long", text);
	return 0;
}

static int
read_kind(struct reading *r, const char *what, const char *text)
{
	r->has_kind = true;
	if (made_kind_from_text(text, &r->o->mix.kind) != 0)
		return fail(r, "--%s %s: flat, tld or long", what, text);
	return 0;
}

static int
read_mix(struct reading *r, const char *text)
{
	r->has_mix = true;
	if (mix_from_text(text, &r->o->mix.mix) != 0)
		return fail(r, "--mix %s: hot, random, nxdomain, referral or mixed", text);
	return 0;
}

static int
read_order(struct reading *r, const char *text)
{
	r->o->load.in_order = strcmp(text, "file") == 0;
	return r->o->load.in_order || strcmp(text, "random") == 0 ? 0 : fail(r, "--order %s: random or file", text);
}

static int
read_check(struct reading *r, const char *text)
{
	if (strcmp(text, "full") != 0 && strcmp(text, "basic") != 0)
		return fail(r, "--check %s: basic or full", text);
	r->o->load.check = *text == 'f' ? CHECK_FULL : CHECK_BASIC;
	return 0;
}

static int
read_qtype(struct reading *r, const char *text)
{
	if (rrtype_from_text(text, strlen(text), &r->o->mix.type) != 0)
		return fail(r, "--qtype %s: not a record type", text);
	return 0;
}

static int
read_edns(struct reading *r, const char *text)
{
	uint32_t size;
	int err = read_u32(r, "edns", text, 0, 65535, &size);
	if (err == 0)
		r->o->mix.style.edns_size = (uint16_t)size;
	return err;
}

static int
read_answered(struct reading *r, const char *text)
{
	double percent;
	int err = read_one_real(r, "answered", text, 0, 100, &percent);
	if (err == 0)
		r->o->answered = percent / 100;
	return err;
}

static int
read_timeout(struct reading *r, const char *text)
{
	double ms;
	int err = read_one_real(r, "timeout", text, 0, TIMEOUT_MAX_MS, &ms);
	if (err == 0)
		r->o->load.timeout_s = ms / 1000;
	return err;
}

static int
read_rate(struct reading *r, const char *text)
{
	r->o->n_steps = 1;
	return read_one_real(r, "rate", text, 0, 1e9, &r->o->steps_qps[0]);
}

static int
read_seed(struct reading *r, const char *text)
{
	unsigned long seed = 0;
	int err = read_unsigned(r, "seed", text, ULONG_MAX, &seed);
	if (err == 0)
		r->o->mix.seed = r->o->load.seed = seed;
	return err;
}

/* -------- the line -------- */

enum {
	OPT_MODE = 256,
	OPT_DEVICE,
	OPT_SOURCE,
	OPT_SOURCES,
	OPT_GATEWAY,
	OPT_CORES,
	OPT_QUEUES,
	OPT_QUERIES,
	OPT_MIX,
	OPT_ZONE,
	OPT_NAMES,
	OPT_KIND,
	OPT_MAKE_ZONE,
	OPT_QTYPE,
	OPT_ORDER,
	OPT_SEED,
	OPT_EDNS,
	OPT_DNSSEC,
	OPT_RATE,
	OPT_STEPS,
	OPT_SEARCH,
	OPT_ANSWERED,
	OPT_FLOOD,
	OPT_TIME,
	OPT_WARM,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_CHECK,
	OPT_ECHO,
	OPT_SHOW,
	OPT_SERVER,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option table[] = {
	{"mode", required_argument, NULL, OPT_MODE},
	{"device", required_argument, NULL, OPT_DEVICE},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"sources", required_argument, NULL, OPT_SOURCES},
	{"gateway", required_argument, NULL, OPT_GATEWAY},
	{"cores", required_argument, NULL, OPT_CORES},
	{"queues", required_argument, NULL, OPT_QUEUES},
	{"queries", required_argument, NULL, OPT_QUERIES},
	{"mix", required_argument, NULL, OPT_MIX},
	{"zone", required_argument, NULL, OPT_ZONE},
	{"names", required_argument, NULL, OPT_NAMES},
	{"kind", required_argument, NULL, OPT_KIND},
	{"make-zone", required_argument, NULL, OPT_MAKE_ZONE},
	{"qtype", required_argument, NULL, OPT_QTYPE},
	{"order", required_argument, NULL, OPT_ORDER},
	{"seed", required_argument, NULL, OPT_SEED},
	{"edns", required_argument, NULL, OPT_EDNS},
	{"dnssec", no_argument, NULL, OPT_DNSSEC},
	{"rate", required_argument, NULL, OPT_RATE},
	{"steps", required_argument, NULL, OPT_STEPS},
	{"search", no_argument, NULL, OPT_SEARCH},
	{"answered", required_argument, NULL, OPT_ANSWERED},
	{"flood", no_argument, NULL, OPT_FLOOD},
	{"time", required_argument, NULL, OPT_TIME},
	{"warm", required_argument, NULL, OPT_WARM},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"json", required_argument, NULL, OPT_JSON},
	{"check", required_argument, NULL, OPT_CHECK},
	{"echo", no_argument, NULL, OPT_ECHO},
	{"show", required_argument, NULL, OPT_SHOW},
	{"server", required_argument, NULL, OPT_SERVER},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int
take_port_option(struct reading *r, int option)
{
	struct load_port_config *port = &r->o->load.port;
	switch (option) {
	case OPT_SERVER:
		return read_server(r, optarg);
	case OPT_MODE:
		return read_mode(r, optarg);
	case OPT_DEVICE:
		port->device = optarg;
		return 0;
	case OPT_SOURCE:
		return read_source(r, optarg);
	case OPT_SOURCES:
		return read_u32(r, "sources", optarg, 1, SOURCES_MAX, &r->n_sources);
	case OPT_GATEWAY:
		return read_gateway(r, optarg);
	case OPT_CORES:
		return read_cores(r, optarg);
	default:
		return read_u32(r, "queues", optarg, 1, 64, &port->n_queues);
	}
}

static int
take_query_option(struct reading *r, int option)
{
	struct options *o = r->o;
	switch (option) {
	case OPT_QUERIES:
		o->queries_path = optarg;
		return 0;
	case OPT_MIX:
		return read_mix(r, optarg);
	case OPT_ZONE:
		return read_zone(r, optarg);
	case OPT_NAMES:
		return read_u32(r, "names", optarg, 1, 100000000, &o->mix.names);
	case OPT_KIND:
		return read_kind(r, "kind", optarg);
	case OPT_MAKE_ZONE:
		o->action = OPTIONS_MAKE_ZONE;
		return read_kind(r, "make-zone", optarg);
	case OPT_QTYPE:
		return read_qtype(r, optarg);
	case OPT_ORDER:
		return read_order(r, optarg);
	case OPT_SEED:
		return read_seed(r, optarg);
	case OPT_EDNS:
		return read_edns(r, optarg);
	default:
		o->mix.style.dnssec = true;
		return 0;
	}
}

static int
take_rate_option(struct reading *r, int option)
{
	struct options *o = r->o;
	switch (option) {
	case OPT_RATE:
		return read_rate(r, optarg);
	case OPT_STEPS:
		return read_steps(r, optarg);
	case OPT_SEARCH:
		o->rate = OPTIONS_SEARCH;
		return 0;
	case OPT_ANSWERED:
		return read_answered(r, optarg);
	case OPT_FLOOD:
		o->rate = OPTIONS_FLOOD;
		return 0;
	case OPT_TIME:
		return read_one_real(r, "time", optarg, 0, 86400, &o->time_s);
	case OPT_WARM:
		return read_one_real(r, "warm", optarg, -1, 3600, &o->warm_s);
	default:
		return read_timeout(r, optarg);
	}
}

static int
take_option(struct reading *r, int option)
{
	struct options *o = r->o;
	if (option >= OPT_RATE && option <= OPT_TIMEOUT)
		return take_rate_option(r, option);
	if (option >= OPT_QUERIES && option <= OPT_DNSSEC)
		return take_query_option(r, option);
	switch (option) {
	case OPT_JSON:
		o->json_path = optarg;
		return 0;
	case OPT_CHECK:
		return read_check(r, optarg);
	case OPT_ECHO:
		o->load.check = CHECK_ECHO;
		o->load.port.is_echo = true;
		return 0;
	case OPT_SHOW:
		return read_u32(r, "show", optarg, 0, 1000000, &o->load.show);
	case OPT_HELP:
		o->action = OPTIONS_HELP;
		return 0;
	case OPT_VERSION:
		o->action = OPTIONS_VERSION;
		return 0;
	default:
		return take_port_option(r, option);
	}
}

/* -------- all of it together -------- */

static int
finish_port(struct reading *r)
{
	struct load_port_config *c = &r->o->load.port;
	bool v6 = c->server.ss_family == AF_INET6;
	c->n_threads = r->n_cores > 0 ? r->n_cores : 1;
	r->o->load.cores = r->n_cores > 0 ? r->o->cores : NULL;
	c->n_sources = (r->n_sources + c->n_threads - 1) / c->n_threads * c->n_threads;
	if (!r->has_server)
		return fail(r, "--server is missing");
	if (c->mode == LOAD_UDP && c->device != NULL)
		return fail(r, "--device is for --mode af_xdp, af_packet and dpdk");
	if (c->mode != LOAD_UDP && c->device == NULL)
		return fail(r, "--mode %s wants a --device", options_mode_text(c->mode));
	struct sources sources;
	if (c->has_source && v6 != c->source_is_v6)
		return fail(r, "--source and --server are of different families");
	if (!c->has_source)
		c->source_prefix_len = v6 ? 128 : 32;
	if (sources_init(&sources, v6, c->source, c->source_prefix_len, c->n_sources) != 0)
		return fail(r, "--sources %u: an address has %u; give --source a prefix", c->n_sources,
			    SOURCES_PORTS_MAX);
	return 0;
}

static int
finish(struct reading *r)
{
	struct options *o = r->o;
	if (r->has_mix && o->mix.mix == MIX_REFERRAL && !r->has_kind)
		o->mix.kind = MADE_TLD;
	if (o->action != OPTIONS_LOAD)
		return 0;
	if (r->has_mix == (o->queries_path != NULL))
		return fail(r, "what to ask? Either --queries or --mix");
	if (o->rate == OPTIONS_STEPS)
		for (unsigned i = 0; i < o->n_steps; i++)
			o->load.rate_max = fmax(o->load.rate_max, o->steps_qps[i]);
	return finish_port(r);
}

static struct options
options_default(void)
{
	return (struct options){
		.load = {.timeout_s = 1, .seed = 1},
		.mix = {.names = 100000,
			.type = RRTYPE_A,
			.style = {.edns_size = 1232},
			.seed = 1,
			.zone = {.len = 9, .bytes = "\7example"}},
		.steps_qps = {10000},
		.n_steps = 1,
		.answered = 0.999,
		.time_s = 5,
	};
}

int
options_read(int argc, char **argv, struct options *out, char error[256])
{
	struct reading r = {.o = out, .error = error, .n_sources = SOURCES_DEFAULT};
	*out = options_default();
	optind = 1;
	opterr = 0;
	for (;;) {
		int option = getopt_long(argc, argv, ":", table, NULL);
		if (option == -1)
			break;
		if (option == ':')
			return fail(&r, "%s wants a value", argv[optind - 1]);
		if (option == '?')
			return fail(&r, "there is no option %s", argv[optind - 1]);
		int err = take_option(&r, option);
		if (err != 0)
			return err;
	}
	if (optind < argc)
		return fail(&r, "what is `%s`?", argv[optind]);
	return finish(&r);
}

void
options_print_help(FILE *out)
{
	fputs(help, out);
}
