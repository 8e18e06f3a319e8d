/*
 * What the files of `xensock forward` and `xensock socks` share: cmd_forward.c (the command lines),
 * forwarding_guest.c (the guest, and how it ends), forwarding_parts.c (the hypervisor and the
 * backend that it starts).
 */
#ifndef XENSOCK_TOOLS_FORWARDING_H
#define XENSOCK_TOOLS_FORWARDING_H

#include "sim/run/front_core.h"
#include "tools/forward_spec.h"
#include "tools/process.h"
#include "tools/runtime_dir.h"
#include "tools/waiting.h"

enum { FORWARDING_ALLOW_MAX = 30 };

/* How long a SOCKS program may take to say what it wants. */
#define FORWARDING_TALK_WAIT_NS (UINT64_C(30) * 1000 * 1000 * 1000)

/* How long a SOCKS program that waits to be connected to may wait. */
#define FORWARDING_BIND_WAIT_NS (UINT64_C(60) * 1000 * 1000 * 1000)

struct forwarding_options {
    const char *runtime;
    uint16_t domid, backend;
    const struct dialect *dialect;
    uint64_t order, connections, hold_ns, connect_wait_ns;
    bool immediate;
    const char *allow[FORWARDING_ALLOW_MAX];
    uint32_t allow_count;
    const char *bind_address[2]; /* IPv4, IPv6 */
    struct call_addr bind_on[2];
    struct forward_spec specs[FORWARD_RULES_MAX];
    uint32_t spec_count;
};

/* A child of ours. */
struct forwarding_part {
    struct forwarding *forwarding;
    const char *name;
    uv_process_t process;
    struct control_uv *control;
    bool running;
    bool terminated; /* somebody sent it SIGTERM */
    void (*ready)(struct forwarding *forwarding);
};

struct forwarding {
    struct process process; /* signals */
    const struct forwarding_options *options;
    struct forward_rule rules[FORWARD_RULES_MAX];
    struct forwarding_part hypervisor, backend;
    char runtime[RUNTIME_DIR_BYTES];
    uv_signal_t usr1;
    struct domain_uv *domain;
    struct front_core core;
    struct waiting waiting;
    struct net *net;
    struct forward *forward;
    uint32_t listening;
    bool stopping, stopped, gone;
    int code;
};

/* ---- forwarding_guest.c ---- */

/* The hypervisor and the backend are there, or will be: become the guest. */
void forwarding_join(struct forwarding *forwarding);

/* A name that a SOCKS program gave is looked up: as resolve.h tells it. */
void forwarding_resolved(void *self, uint64_t id, int32_t error, const struct call_addr *addr);

/* End, with connections in good order or reset; the first code that is no success counts. */
void forwarding_stop(struct forwarding *forwarding, int code, bool reset);

/* A signal, as struct process and libuv tell it: to end, to print what was carried. */
void forwarding_asked(void *self, const char *what);

/* Leave no file, whatever the parts do, who end by themselves. */
void forwarding_clear(void *self);
void forwarding_on_usr1(uv_signal_t *handle, int number);

/* ---- forwarding_parts.c ---- */

/* Start the hypervisor, and when it is ready the backend. */
void forwarding_start_parts(struct forwarding *forwarding);
void forwarding_start_backend(struct forwarding *forwarding);

/* The error of one that somebody else has told to end, which is why all of it does. */
void forwarding_tell_terminated(struct forwarding *forwarding);

/* Have them end, one after the other. */
void forwarding_quit_parts(struct forwarding *forwarding);

#endif
