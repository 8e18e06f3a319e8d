/*
 * A hypervisor in virtual time: hv_mem's domains, tables, store and memory, with costs from a model
 * and notifications that take their time to arrive.
 *
 * An op is charged to its domain's vCPU and completes when that has been paid; a request to
 * xenstore takes time and no CPU. A notification takes effect at the sender's time of it; from then
 * to the receiver's handler is the model's delivery, which depends on what the receiver's vCPU and
 * CPU do then. One that finds another under way or pending is coalesced, as on Xen. Source:
 * architecture 9; data/xen-semantics.md.
 */
#ifndef XENSOCK_SIM_HV_HV_VIRTUAL_H
#define XENSOCK_SIM_HV_HV_VIRTUAL_H

#include "ringlib/trace.h"
#include "sim/hv/hv_mem.h"
#include "sim/time/vcpu.h"

struct hv_virtual;

struct hv_virtual_config {
    struct vclock *clock;      /* outlives it, as do the next two */
    const struct costs *costs; /* those of the vCPUs */
    const struct trace_sink *trace;
    struct hypervisor_config limits; /* grants_max and ports_max count */
    uint32_t pages;                  /* that are shared at once, at most */
};

/* A machine without domains; NULL when the system gives no memory for it. */
struct hv_virtual *hv_virtual_create(const struct hv_virtual_config *config);

/* Frees it; all handles must have been closed. */
void hv_virtual_destroy(struct hv_virtual *machine);

/* The handle of a new domain, or of one whose handle was closed and that comes again; `vcpu` pays
 * for its ops and is woken for it. A backend has the hypercalls of its kind, and WAKE_BACKEND. */
struct hv *hv_virtual_domain(struct hv_virtual *machine, uint16_t domid, struct vcpu *vcpu,
                             bool backend);

/* The tables, to play the toolstack. */
struct hypervisor *hv_virtual_tables(struct hv_virtual *machine);

/* When a domain's next event that waits is due, or VCLOCK_NEVER. */
uint64_t hv_virtual_due_ns(struct hv *hv);

/* Delay notifications to a domain that are sent from now on: a disturbance. 0: no more. */
void hv_virtual_delay(struct hv_virtual *machine, uint16_t domid, uint64_t delay_ns);

/* What became of the last notification to a port of a domain; false if the port is none, or there
 * never was one. A coalesced one arrives with the one that was under way, or had before it was sent
 * (arrived_ns 0), if that was pending. */
struct hv_virtual_signal {
    uint64_t sent_ns, arrived_ns; /* arrived 0: not yet */
    enum trace_fate fate;
    bool waiting;   /* one has arrived and is not taken yet */
    uint64_t count; /* sent to this port so far */
};
bool hv_virtual_last_signal(const struct hv_virtual *machine, uint16_t domid, uint32_t port,
                            struct hv_virtual_signal *signal);

#endif
