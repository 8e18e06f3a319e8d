/*
 * A frontend and a backend in one process over hv_mem and scripted sockets, driven by hand: the
 * fixture of core tests. Keeps what the application was told and what faults were reported.
 */
#ifndef XENSOCK_TESTS_SUPPORT_PAIR_H
#define XENSOCK_TESTS_SUPPORT_PAIR_H

#include "backend/be.h"
#include "frontend/fe.h"
#include "sim/hv/hv_mem.h"
#include "sim/net/net_mem.h"
#include "sim/run/exec.h"

enum { PAIR_FRONT = 1, PAIR_BACK = 0, PAIR_LOG = 4096 };

struct pair_config {
    uint32_t order;       /* 0: the dialect's default */
    uint32_t back_order;  /* largest the backend takes; 0: the dialect's largest */
    uint32_t max_sockets; /* 0: 64 */
    uint64_t linger_ns;
    uint32_t front_quirks, back_quirks;
    bool no_front, no_back;        /* the test plays that side itself */
    const struct dialect *dialect; /* NULL: xensock1 */
    struct hv_mem *machine;        /* one without these domains, which stays; NULL: a new one */
    bool not_started;              /* neither side begins before pair_start_* */
    void *self;
    /* Told each upcall of the frontend too, within its turn; NULL: nobody. */
    void (*upcall)(void *self, const struct act *act);
};

/* What must be back at its start when sockets and device are closed. */
struct pair_usage {
    struct hypervisor_usage front, back;
    uint64_t mapped_pages;
    uint32_t store_nodes, store_watches, net_sockets;
};

struct pair {
    struct pair_config config;
    struct hv_mem *machine;
    struct hv *front_hv, *back_hv;
    struct net *net;
    struct exec *front, *back;
    struct fe *fe;
    struct be *be;
    struct fe_config fe_config;
    struct policy policy;
    uint64_t now_ns;
    struct act log[PAIR_LOG]; /* upcalls of the frontend, oldest first */
    uint32_t log_count;
    struct act_fault front_faults[64], back_faults[64];
    uint32_t front_fault_count, back_fault_count;
    bool up, gone;
    char front_states[64], back_states[64]; /* as published, a digit each: "1345" */
    struct hv_ops front_ops, back_ops;      /* those of hv_mem with a look at what is published */
};

/* Build both sides and, unless a side is the test's, run them to Connected. */
void pair_open(struct pair *pair, const struct pair_config *config);

/* Stop and free everything; asserts that nothing leaked: grants, ports, maps, watches. */
void pair_close(struct pair *pair);

/* Free everything as it stands, for tests that leave a mess on purpose. */
void pair_drop(struct pair *pair);

/* Begin, or begin again after the device was closed; runs nothing. */
void pair_start_front(struct pair *pair);
void pair_start_back(struct pair *pair);

/* The backend's domain dies: everything of it is gone at once. */
void pair_kill_back(struct pair *pair);

/* Write a node of a side's device directory as the toolstack or a lying peer; NULL removes it. */
void pair_write(struct pair *pair, uint16_t domid, const char *key, const char *value);

/* The path of a node of a side's device directory; of the directory, where `key` is NULL. */
void pair_path(const struct pair *pair, uint16_t domid, const char *key,
               char path[EXEC_PATH_BYTES]);

/* What such a node holds; NULL: there is none. */
const char *pair_node(const struct pair *pair, uint16_t domid, const char *key);

/* What is in use now. */
void pair_usage(const struct pair *pair, struct pair_usage *usage);

/* Run both sides until nothing happens any more; sockets are left to the test. */
void pair_run(struct pair *pair);

/* The same, and what is in flight at the sockets succeeds (net_mem_settle). */
void pair_settle(struct pair *pair);

/* Begin and end a call of the application. */
struct step_out *pair_call(struct pair *pair);
void pair_call_end(struct pair *pair);

/* A connected socket to 127.0.0.1:80: its id, and the backend's token of it. */
uint64_t pair_connect(struct pair *pair, uint64_t *back_token);

/* A listening socket on 127.0.0.1:7000. */
uint64_t pair_listen(struct pair *pair, uint64_t *back_token);

/* How often the frontend upcalled `kind`, and the last of them. */
uint32_t pair_upcalls(const struct pair *pair, enum act_kind kind, struct act *last);

/* The first DONE of a call on a socket (any socket: UINT64_MAX): its result, 1 if there is none. */
int32_t pair_done(const struct pair *pair, enum call_kind call, uint64_t sock);

/* Everything the application was told since the log was cleared, as "CONNECT -103, RELEASE 0". */
const char *pair_told(const struct pair *pair);
void pair_forget(struct pair *pair);

/* The token of the newest operation of a kind that is in flight at the sockets; asserts one. */
uint64_t pair_pending(struct pair *pair, enum ev_kind kind);

/* How many operations of a kind are in flight at the sockets. */
uint32_t pair_pending_count(struct pair *pair, enum ev_kind kind);

/* One call each, ended; the result as the core gave it. Nothing is run. */
int64_t pair_connect_begin(struct pair *pair, uint16_t port);
int64_t pair_bind_begin(struct pair *pair, uint16_t port);
int pair_listen_begin(struct pair *pair, uint64_t sock);
int64_t pair_accept_begin(struct pair *pair, uint64_t listener);
int pair_poll_begin(struct pair *pair, uint64_t listener);

/* 127.0.0.1 and a port. */
struct call_addr pair_addr(uint16_t port);

/* send and recv of the frontend as one call. */
int64_t pair_send(struct pair *pair, uint64_t sock, const void *from, uint32_t bytes);
int64_t pair_recv(struct pair *pair, uint64_t sock, void *to, uint32_t bytes);
int pair_release(struct pair *pair, uint64_t sock);

#endif
