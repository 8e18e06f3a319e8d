/*
 * A hypervisor in one process with no cost: both sides' handles over one set of tables and one
 * memory file. Completions queue in order of submission and are taken with hv_next after the
 * action array; nothing happens in the background.
 * The home of unit tests, lying peers and golden bytes: a test opens a handle, shares or maps what
 * it wants to look at or to falsify, and speaks as either domain. Ops of different handles may run
 * in different threads (a mutex around the tables); everything else is for one thread. Memory: 256
 * MiB for the machine unless it is told; a share beyond that completes with -ERR_NOMEM. Each
 * consecutive map is a pointer into the one mapping that the share gave too.
 */
#ifndef XENSOCK_SIM_HV_HV_MEM_H
#define XENSOCK_SIM_HV_HV_MEM_H

#include "sim/hv/hypervisor.h"

enum { HV_MEM_PAGES = 65536 }; /* of a machine that names no number: 256 MiB */

struct hv_mem;

/* A machine without domains; of `limits` (may be NULL) only grants_max and ports_max count. NULL
 * when the system gives no memory file. */
struct hv_mem *hv_mem_create(const struct hypervisor_config *limits);

/* The same with room for so many pages that are shared at once, which take memory when touched. */
struct hv_mem *hv_mem_create_pages(const struct hypervisor_config *limits, uint32_t pages);

/* Whose machine runs in virtual time: what an op costs and when events arrive is decided here, all
 * else stays as it is. Called with the machine locked. */
struct hv_mem_time {
    void *self;
    /* A domain has an op carried out that concerns so many pages (0: none). */
    void (*spend)(void *self, uint16_t domid, enum ev_kind kind, uint32_t pages);
    /* When a completion or an EV_STORE of this kind, of what `by` does now, is due. */
    uint64_t (*due_ns)(void *self, uint16_t domid, uint16_t by, enum ev_kind kind);
    /* What is due until then may be taken by a domain. */
    uint64_t (*now_ns)(void *self, uint16_t domid);
    /* `domid` notified its port, bound to a port of `to`: hv_mem_raise is owed. */
    void (*notify)(void *self, uint16_t domid, uint16_t to, uint64_t signal);
    /* Something came to wait for a domain that does not run. */
    void (*arrived)(void *self, uint16_t domid, uint64_t due_ns);
};

/* Give the machine its time, before its first domain; `time` outlives it. */
void hv_mem_set_time(struct hv_mem *machine, const struct hv_mem_time *time);

/* Whether the signal's port is still there, and already pending or queued. */
bool hv_mem_signal_live(struct hv_mem *machine, uint16_t to, uint64_t signal, bool *raised);

/* A signal's port, for people. */
uint32_t hv_mem_signal_port(uint64_t signal);

/* The signal arrives at its port, if that is still there. */
void hv_mem_raise(struct hv_mem *machine, uint16_t to, uint64_t signal);

/* When the first event that waits for this handle is due, or UINT64_MAX. */
uint64_t hv_mem_due_ns(struct hv *hv);

/* Frees the machine; all handles must have been closed. */
void hv_mem_destroy(struct hv_mem *machine);

/* The handle of a new domain; NULL if it exists already. hv_close() is its death. */
struct hv *hv_mem_domain(struct hv_mem *machine, uint16_t domid);

/* The tables, to play the toolstack (hypervisor_device_add) or to look for leaks. The machine's. */
struct hypervisor *hv_mem_tables(struct hv_mem *machine);

/* Make the n-th following submission (0 = the next) of `kind` by this handle complete with `ret`
 * instead of being carried out: how tests reach every error path. One a kind; the latest counts. */
void hv_mem_fail(struct hv *hv, enum ev_kind kind, uint32_t n, int32_t ret);

/* Drop this handle's queued EV_PORT of `port`, a lost notification; false if there was none. */
bool hv_mem_drop(struct hv *hv, uint32_t port);

#endif
