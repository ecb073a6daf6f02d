/* SPDX-License-Identifier: Apache-2.0 */
/* Creation of threads. See thread.h. */
#include "control/base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <urcu-qsbr.h>

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	if (t->rcu != THREAD_RCU_NONE)
		rcu_register_thread();
	if (t->rcu == THREAD_RCU_OFFLINE)
		rcu_thread_offline();
	t->run(t->arg);
	if (t->rcu != THREAD_RCU_NONE)
		rcu_unregister_thread();
	return NULL;
}

static int
thread_create(struct thread *t, int cpu)
{
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);
	if (err)
		return err;
	if (cpu != THREAD_CPU_ANY) {
		cpu_set_t set;
		CPU_ZERO(&set);
		if (cpu < 0 || cpu >= CPU_SETSIZE)
			err = EINVAL;
		else
			CPU_SET((unsigned)cpu, &set);
		if (!err)
			err = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	/* The mask is inherited, so there is no moment at which the new thread could take a signal. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!err)
		err = pthread_create(&t->id, &attr, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int
thread_start(struct thread *t, const char *name, int cpu, enum thread_rcu rcu, void (*run)(void *arg), void *arg)
{
	t->rcu = rcu;
	t->run = run;
	t->arg = arg;
	int err = thread_create(t, cpu);
	if (err)
		return -err;
	t->started = true;
	char cut[THREAD_NAME_MAX + 1];
	snprintf(cut, sizeof(cut), "%s", name);
	pthread_setname_np(t->id, cut);
	return 0;
}

void
thread_join(struct thread *t)
{
	if (!t->started)
		return;
	pthread_join(t->id, NULL);
	t->started = false;
}
