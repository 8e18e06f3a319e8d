/*
 * A hypervisor in one process with no cost: both sides' handles over one set of tables and one
 * memory file. Completions queue in order of submission and are taken with hv_next after the
 * action array; nothing happens in the background.
 * The home of unit tests, lying peers and golden bytes: a test opens a handle, shares or maps what
 * it wants to look at or to falsify, and speaks as either domain. Ops of different handles may run
 * in different threads (a mutex around the tables); everything else is for one thread. Memory: 256
 * MiB for the machine; a share beyond that completes with -ERR_NOMEM. Each consecutive map is a
 * pointer into the one mapping that the share gave too.
 */
#ifndef XENSOCK_SIM_HV_HV_MEM_H
#define XENSOCK_SIM_HV_HV_MEM_H

#include "sim/hv/hypervisor.h"

struct hv_mem;

/* A machine without domains; of `limits` (may be NULL) only grants_max and ports_max count. NULL
 * when the system gives no memory file. */
struct hv_mem *hv_mem_create(const struct hypervisor_config *limits);

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
