/* stacks.h - from which call stacks a run allocates, calls the disk and reads archives, and at which of its calls first and last.
 *
 * A test that makes the n-th call fail records an undisturbed run, and then fails only those n: every place of failure by the way it was come
 * to, instead of every call. A stack is the hash of its 8 innermost return addresses, so it means something in this process only. Threads
 * may make the n-th call another one the next time: which stacks met a fault is marked. */
#ifndef BR_SIM_STACKS_H
#define BR_SIM_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_call_kind { SIM_ALLOCATION, SIM_DISK_CALL, SIM_ARCHIVE_CALL, SIM_CALL_KINDS };

struct sim_stack {
    uint64_t hash;
    uint64_t first, last; /* calls of its kind, from 1 */
    bool failed;          /* a fault was met there */
};

/* What is run is called by who returns to this address: its frame and those above are no part of a stack, so that the recorded run and those that
 * fail may be called from different places. */
void sim_stacks_below(void *caller);
/* Forgets all stacks and begins to record. At first it loads the unwinder, which allocates. */
void sim_stacks_record(void);
/* Ends that. From now on the stacks that faults meet are marked. */
void sim_stacks_stop(void);
/* In the order they were come to first; *n: how many. Valid until sim_stacks_record. */
const struct sim_stack *sim_stacks(enum sim_call_kind kind, size_t *n);

/* For those who count calls: this is the n-th; fails: it is the one at which the fault begins. Thread-safe. */
void sim_stacks_call(enum sim_call_kind kind, uint64_t n, bool fails);

#endif
