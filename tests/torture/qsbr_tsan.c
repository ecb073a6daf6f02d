/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QSBR for builds with ThreadSanitizer, in place of liburcu's: the same functions, made of C11 atomics and a mutex.
 *
 * liburcu 0.13 orders its readers and writers with fences and futexes that ThreadSanitizer does not follow, so
 * every grace period would look like a race. Here a reader's quiescent state is a store-release that the waiting
 * writer loads-acquires: what the reader did before happens before what the writer does after, and the tool can see
 * it. So it checks what is ours: that every access to a snapshot lies between its publication and its grace period.
 *
 * Slow and simple: the writer polls. Linked by tests/torture alone.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#define THREADS_MAX 64

struct tsan_reader {
	atomic_bool is_used;
	_Atomic uint64_t seen; /* the grace period that it has noticed; 0: offline */
};

static struct tsan_reader readers[THREADS_MAX];
static _Thread_local struct tsan_reader *self;
static _Atomic uint64_t grace = 1;
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

void
urcu_qsbr_thread_online(void)
{
	/* An exchange, so that no later read comes before it: either the writer sees us online, or we see what it
	 * published. */
	atomic_exchange(&self->seen, atomic_load(&grace));
}

void
urcu_qsbr_thread_offline(void)
{
	atomic_store(&self->seen, 0);
}

void
urcu_qsbr_quiescent_state(void)
{
	atomic_store(&self->seen, atomic_load(&grace));
}

void
urcu_qsbr_register_thread(void)
{
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		bool is_used = false;
		if (!atomic_compare_exchange_strong(&readers[i].is_used, &is_used, true))
			continue;
		self = &readers[i];
		urcu_qsbr_thread_online();
		return;
	}
	abort();
}

void
urcu_qsbr_unregister_thread(void)
{
	urcu_qsbr_thread_offline();
	atomic_store(&self->is_used, false);
	self = NULL;
}

void
urcu_qsbr_synchronize_rcu(void)
{
	pthread_mutex_lock(&writers);
	uint64_t now = atomic_fetch_add(&grace, 1) + 1;
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		for (uint64_t seen; (seen = atomic_load(&readers[i].seen)) != 0 && seen < now;)
			sched_yield();
	}
	pthread_mutex_unlock(&writers);
}
