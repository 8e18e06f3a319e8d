/*
 * A domain's end as its own files see it: hv_emu.c (the handle, the connection, what is done),
 * hv_emu_requests.c (ops and their answers), hv_emu_ports.c (event channels). Nobody else includes
 * this.
 */
#ifndef XENSOCK_SIM_HV_HV_EMU_PRIVATE_H
#define XENSOCK_SIM_HV_HV_EMU_PRIVATE_H

#include "sim/hv/emu_memory.h"
#include "sim/hv/emu_queue.h"
#include "sim/hv/hv_emu.h"

#include <poll.h>

/* An operation from its submission to the hv_next after the one that gave it out. */
struct emu_op {
    struct emu_op *next;
    enum emu_kind kind;
    uint64_t id;   /* the answer's */
    bool quiet;    /* one message of several for one op: completes nothing */
    uint32_t slot; /* SHARE: of the area; STORE_WATCH, STORE_UNWATCH: of the watch */
    uint32_t pages;
    struct ev ev; /* as it will be given out */
    void *extra;  /* what ev points to */
};

struct emu_ops {
    struct emu_op *head;
    struct emu_op *tail;
};

/* A run of ours or a mapping; its index is the handle our caller knows. Live: its op is done, so
 * the caller can name it. */
struct emu_area {
    bool used, live, mapped; /* mapped: it is a mapping */
    uint32_t handle;         /* the hypervisor's */
    uint32_t next_free;
    struct emu_memory memory;
};

/* Its index is the cookie. Free again only when the hypervisor has answered STORE_UNWATCH, after
 * which it sends no event of it. */
struct emu_watch {
    bool used;
    bool ending;
    uint64_t token;
    struct hv_tag tag;
};

/* An own end of a channel. Queued: waits in the ready list. Masked: delivered, not unmasked since.
 * Pending: signalled while masked. */
struct emu_end {
    bool used, queued, masked, pending;
    int receive, send;
    uint32_t next_ready; /* port; 0 is none */
    uint64_t token;
};

struct hv_emu {
    struct hv hv;
    struct hv_loop *loop;
    struct emu_queue queue; /* its socket is -1 once the hypervisor is lost */
    bool wants_write;
    uint64_t last_id;
    struct emu_ops pending; /* asked, in the order of their answers */
    struct emu_ops done;
    struct emu_op *given; /* by the last hv_next */
    struct emu_area *areas;
    uint32_t area_count, area_free; /* area_free: first of the free ones, UINT32_MAX for none */
    struct emu_watch *watches;
    uint32_t watch_count;
    struct emu_end *ends; /* by port */
    struct pollfd *polls; /* by port, -1 where there is none; 0 is the connection */
    uint32_t end_count;
    uint32_t *port_of_fd;
    uint32_t fd_count;
    uint32_t ready_head, ready_tail; /* ports; 0 is none */
    struct emu_message in;
};

static inline struct hv_emu *hv_emu_of(struct hv *hv)
{
    return (struct hv_emu *)(void *)hv;
}

/* realloc with emu_new's terms: room for `count` elements of `bytes` bytes, new ones zeroed. */
void *hv_emu_grow(void *array, uint32_t *count, uint32_t wanted, size_t bytes);

/* A queue of operations: append one; take the oldest, or NULL. */
void hv_emu_push(struct emu_ops *ops, struct emu_op *op);
struct emu_op *hv_emu_pop(struct emu_ops *ops);

/* Send to the hypervisor, or let it wait. A connection found broken is ended, and lost when its
 * descriptor is served: whoever owns the loop is told then, and must be before an op fails. */
void hv_emu_send(struct hv_emu *emu, const void *bytes, uint32_t length, struct emu_file *file);

/* The hypervisor is gone, or does not speak the protocol: fail what is pending. */
void hv_emu_lose(struct hv_emu *emu);

/* hv_emu_requests.c: the ops, the end of one that cannot get its answer, and the answers. False:
 * the message is none the hypervisor would send. */
extern const struct hv_ops hv_emu_ops;
void hv_emu_fail(struct hv_emu *emu, struct emu_op *op, int32_t ret);
bool hv_emu_answer(struct hv_emu *emu);
void hv_emu_requests_fini(struct hv_emu *emu);

/* hv_emu.c, for the table */
bool hv_emu_next(struct hv *hv, struct ev *ev);
void hv_emu_wait(struct hv *hv, uint64_t spin_ns);
void hv_emu_close(struct hv *hv);

/* hv_emu_ports.c */

/* Take over a new port's descriptors. 0, or the loop's error with the descriptors closed. */
int hv_emu_port_open(struct hv_emu *emu, uint32_t port, uint64_t token, const int fds[2]);

/* Close a port that exists; what it had to deliver is dropped. */
void hv_emu_port_close(struct hv_emu *emu, uint32_t port);

/* Whether `port` is open. */
bool hv_emu_port_is(const struct hv_emu *emu, uint32_t port);

/* The port that `fd` signals, 0 for none. */
uint32_t hv_emu_port_of(const struct hv_emu *emu, int fd);

/* Nobody is left who could signal the port: out of the loop with it, which would find it readable
 * for ever. */
void hv_emu_port_deafen(struct hv_emu *emu, uint32_t port);

/* The port was signalled: queue it, or remember it if it is masked. */
void hv_emu_port_pend(struct hv_emu *emu, uint32_t port);

/* Deliver the next signalled port, masking it; false if there is none. */
bool hv_emu_port_next(struct hv_emu *emu, struct ev *ev);

/* hv_ops of ports, and freeing all of them. */
int hv_emu_notify(struct hv *hv, uint32_t port);
int hv_emu_unmask(struct hv *hv, uint32_t port);
void hv_emu_ports_fini(struct hv_emu *emu);

#endif
