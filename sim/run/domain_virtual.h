/*
 * A domain in virtual time: its vCPU, hypervisor handle, sockets if it has them, and executor.
 *
 * What domain_uv is on a loop: a turn of the vCPU is a turn of the executor. It is woken by what
 * arrives at its seams, and at its earliest deadline.
 */
#ifndef XENSOCK_SIM_RUN_DOMAIN_VIRTUAL_H
#define XENSOCK_SIM_RUN_DOMAIN_VIRTUAL_H

#include "sim/hv/hv_virtual.h"
#include "sim/net/net_virtual.h"
#include "sim/run/exec.h"

struct domain_virtual;

struct domain_virtual_config {
    struct vclock *clock; /* these outlive it */
    struct vcpus *vcpus;
    struct hv_virtual *machine;
    struct net_virtual *world; /* a backend: with sockets; else NULL */
    struct net *host;          /* that domain_virtual_kill left; or NULL */
    const struct trace_sink *trace;
    const char *name; /* not kept */
    uint16_t domid;
    int32_t cpu;          /* below 0: one of its own */
    uint32_t max_devices; /* of the executor */
    enum exec_notify notify;
    void *self;
    /* After each turn, with its time; may make calls, and says when it wants to be called again at
     * the latest, or STEP_NEVER. */
    uint64_t (*turned)(void *self, uint64_t now_ns);
};

/* Introduce the domain; it runs when it is first woken. Asserts that there is memory. */
struct domain_virtual *domain_virtual_open(const struct domain_virtual_config *config);

/* Leave the hypervisor, which to the others is this domain's death, and free. Not within a turn. */
void domain_virtual_close(struct domain_virtual *domain);

/* The same for a process that is killed: its sockets are closed as a kernel does it. The host they
 * were on, NULL without sockets, is the caller's, for the next domain or for net_destroy. */
struct net *domain_virtual_kill(struct domain_virtual *domain);

/* Its executor, to add cores to; its handle; its sockets or NULL; its vCPU. */
struct exec *domain_virtual_exec(struct domain_virtual *domain);
struct hv *domain_virtual_hv(struct domain_virtual *domain);
struct net *domain_virtual_net(struct domain_virtual *domain);
struct vcpu *domain_virtual_vcpu(struct domain_virtual *domain);

/* Run a turn soon: something was posted or called outside of one. */
void domain_virtual_kick(struct domain_virtual *domain);

#endif
