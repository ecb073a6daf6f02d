/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's environment layer, and its log. See eal.h. */
#include "dataplane/eal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <xdp/libxdp.h>

/* -------- log -------- */

#define LOG_BYTES 4096
#define LOG_LINES_QUOTED 3
#define LOG_QUOTE_BYTES (LOG_BYTES + 3 * LOG_LINES_QUOTED + 1)

/* The last LOG_BYTES of the log; DPDK's own threads write, too. */
static struct {
	pthread_mutex_t lock;
	size_t len;
	char text[LOG_BYTES];
} eal_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ssize_t
log_write(void *cookie, const char *data, size_t len)
{
	size_t n = len < LOG_BYTES ? len : LOG_BYTES;
	pthread_mutex_lock(&eal_log.lock);
	size_t keep = eal_log.len < LOG_BYTES - n ? eal_log.len : LOG_BYTES - n;
	memmove(eal_log.text, eal_log.text + eal_log.len - keep, keep);
	memcpy(eal_log.text + keep, data + len - n, n);
	eal_log.len = keep + n;
	pthread_mutex_unlock(&eal_log.lock);
	return (ssize_t)len;
}

void
eal_log_clear(void)
{
	pthread_mutex_lock(&eal_log.lock);
	eal_log.len = 0;
	pthread_mutex_unlock(&eal_log.lock);
}

/* The last lines as one, joined by " | ", in out[LOG_QUOTE_BYTES]. */
static void
log_quote(char *out)
{
	pthread_mutex_lock(&eal_log.lock);
	size_t end = eal_log.len;
	while (end > 0 && eal_log.text[end - 1] == '\n')
		end--;
	size_t begin = end;
	for (unsigned lines = 0; begin > 0; begin--) {
		if (eal_log.text[begin - 1] == '\n' && ++lines == LOG_LINES_QUOTED)
			break;
	}
	for (size_t i = begin; i < end; i++) {
		if (eal_log.text[i] != '\n')
			*out++ = eal_log.text[i];
		else
			out = stpcpy(out, " | ");
	}
	*out = '\0';
	pthread_mutex_unlock(&eal_log.lock);
}

void
eal_log_report(struct diag_list *diag, const char *fmt, ...)
{
	char text[512], quote[LOG_QUOTE_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_quote(quote);
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s%s%s%s", text, quote[0] != '\0' ? " (" : "", quote,
		 quote[0] != '\0' ? ")" : "");
}

static void
log_from_bpf(bool worth_it, const char *fmt, va_list ap)
{
	char line[512];
	if (!worth_it)
		return;
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n > 0)
		log_write(NULL, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static int
log_from_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	log_from_bpf(level == LIBBPF_WARN, fmt, ap);
	return 0;
}

static int
log_from_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	log_from_bpf(level == LIBXDP_WARN, fmt, ap);
	return 0;
}

static int
log_capture(void)
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_write});
	if (stream == NULL)
		return -ENOMEM;
	setvbuf(stream, NULL, _IOLBF, 0);
	rte_openlog_stream(stream);
	libbpf_set_print(log_from_libbpf);
	libxdp_set_print(log_from_libxdp);
	return 0;
}

/* -------- start -------- */

#define ARGS_MAX 128
#define ARG_BYTES 128

struct eal_args {
	int n;
	char *argv[ARGS_MAX + 1];
	char text[ARGS_MAX][ARG_BYTES];
	bool overflow;
};

static void args_add(struct eal_args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
args_add(struct eal_args *a, const char *fmt, ...)
{
	if (a->n == ARGS_MAX) {
		a->overflow = true;
		return;
	}
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(a->text[a->n], ARG_BYTES, fmt, ap);
	va_end(ap);
	if (n >= ARG_BYTES)
		a->overflow = true;
	a->argv[a->n] = a->text[a->n];
	a->n++;
}

bool
eal_is_pci_address(const char *device)
{
	unsigned domain, bus, slot, function;
	int len = 0;
	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &len) != 4 &&
	    sscanf(device, "%2x:%2x.%1x%n", &bus, &slot, &function, &len) != 3)
		return false;
	return device[len] == '\0' || device[len] == ',';
}

static uint64_t
huge_pages_free_bytes(unsigned page_kib)
{
	char path[96];
	unsigned long long n = 0;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages", page_kib);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n * page_kib * 1024;
}

/* Huge pages live in --in-memory mode, which leaves no files behind; ordinary memory in --no-huge. DPDK takes only
 * one of both. */
static int
args_add_memory(struct eal_args *a, const struct dataplane_config *config, struct diag_list *diag)
{
	uint64_t free_bytes = huge_pages_free_bytes(2048) + huge_pages_free_bytes(1048576);
	bool enough = free_bytes >= config->memory_bytes;
	if (config->hugepages == DATAPLANE_HUGE_REQUIRED && !enough) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0,
			 "dataplane: huge pages are required, but only %llu MiB of %llu MiB are free; "
			 "`sysctl vm.nr_hugepages=%llu` makes enough",
			 (unsigned long long)(free_bytes >> 20), (unsigned long long)(config->memory_bytes >> 20),
			 (unsigned long long)((config->memory_bytes >> 21) + 1));
		return -ENOMEM;
	}
	if (config->hugepages != DATAPLANE_HUGE_OFF && enough) {
		args_add(a, "--in-memory");
		return 0;
	}
	args_add(a, "--no-huge");
	args_add(a, "--no-shconf");
	args_add(a, "-m");
	args_add(a, "%llu", (unsigned long long)(config->memory_bytes >> 20));
	return 0;
}

static int
args_build(struct eal_args *a, const struct dataplane_config *config, struct diag_list *diag)
{
	cpu_set_t allowed;
	int cpu = 0;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &allowed))
			cpu++;
	args_add(a, "anserd");
	args_add(a, "--lcores");
	args_add(a, "0@%d", cpu);
	args_add(a, "--no-telemetry");
	args_add(a, "--log-level=warning");
	unsigned n_pci = 0;
	for (unsigned i = 0; i < config->n_ports; i++) {
		if (config->mode != DATAPLANE_DPDK || !eal_is_pci_address(config->ports[i].device))
			continue;
		args_add(a, "-a");
		args_add(a, "%s", config->ports[i].device);
		n_pci++;
	}
	if (n_pci == 0)
		args_add(a, "--no-pci");
	int err = args_add_memory(a, config, diag);
	for (unsigned i = 0; i < config->n_eal_args; i++)
		args_add(a, "%s", config->eal_args[i]);
	if (err == 0 && a->overflow) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "dataplane: too many or too long arguments for DPDK");
		err = -E2BIG;
	}
	return err;
}

/* The EAL pins its caller to the main lcore; threads made later would inherit that, so it is put back. */
static int
eal_init(struct eal_args *a)
{
	cpu_set_t before;
	bool known = sched_getaffinity(0, sizeof(before), &before) == 0;
	int n = rte_eal_init(a->n, a->argv);
	if (known)
		(void)sched_setaffinity(0, sizeof(before), &before);
	if (n >= 0 || rte_errno == EALREADY)
		return 0;
	return rte_errno != 0 ? -rte_errno : -EIO;
}

int
eal_start(const struct dataplane_config *config, struct diag_list *diag)
{
	static bool started;
	if (started)
		return 0;
	struct eal_args *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	int err = args_build(a, config, diag);
	if (err == 0)
		err = log_capture();
	if (err == 0) {
		err = eal_init(a);
		if (err != 0)
			eal_log_report(diag, "DPDK did not start: %s", strerror(-err));
	}
	free(a);
	started = err == 0;
	return err;
}
