/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: the one place that creates, names, pins and RCU-registers them.
 *
 * liburcu's QSBR flavour wants every reader registered, and a registered thread that neither reports quiescence nor
 * goes offline holds up every grace period. So what a thread is to RCU is said here, when it is made, and undone
 * when it returns; no other file calls rcu_register_thread(). The libuv pool is the exception that needs no RCU
 * state at all: builders touch only what nobody else can see yet.
 *
 * New threads have every signal blocked: signals are the control loop's.
 */
#ifndef ANSER_CONTROL_THREAD_H
#define ANSER_CONTROL_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "zones/base/compiler.h"

enum thread_rcu {
	THREAD_RCU_NONE,    /* never reads a snapshot */
	THREAD_RCU_ONLINE,  /* reads all the time, reports quiescent states itself (workers) */
	THREAD_RCU_OFFLINE, /* reads now and then: goes online only around that (tcp) */
};

#define THREAD_NAME_MAX 15 /* what the kernel keeps; longer names are cut */
#define THREAD_CPU_ANY (-1)

/* A thread's handle: in the caller's memory, at one address until thread_join(). All zero: no thread. */
struct thread {
	pthread_t id;
	bool started;
	enum thread_rcu rcu;
	void (*run)(void *arg);
	void *arg;
};

/*
 * Starts run(arg) on a new thread called `name`, pinned to `cpu` unless that is THREAD_CPU_ANY. 0, or -errno:
 * -EINVAL when there is no such CPU (or it is outside the process's set), -EAGAIN when the system has no room for a
 * thread.
 */
int thread_start(struct thread *t, const char *name, int cpu, enum thread_rcu rcu, void (*run)(void *arg),
		 void *arg) MUST_CHECK;

/* Waits until the thread has returned. Does nothing for a handle that was never started. Not from RCU readers. */
void thread_join(struct thread *t);

#endif
