/*
 * A frontend or a backend that the test plays by hand through hv_mem, and that may lie: raw slots,
 * raw indexes, any answer. It checks nothing and keeps its own indexes, as a liar would.
 */
#ifndef XENSOCK_TESTS_SUPPORT_ROGUE_H
#define XENSOCK_TESTS_SUPPORT_ROGUE_H

#include "ringlib/cmdring.h"
#include "tests/support/pair.h"

struct rogue {
    struct pair *pair;                 /* NULL: the other side is elsewhere, */
    void (*wait)(struct rogue *rogue); /* and this waits until it may have done something */
    struct hv *hv;
    const struct dialect *dialect; /* the pair's */
    uint32_t order;
    struct shared_area page; /* the command ring */
    uint32_t handle, port;   /* its run or map, and our end of its event channel */
    uint32_t ring_ref;       /* a front's */
    uint32_t prod, cons;     /* req_prod and rsp_cons of a front, rsp_prod and req_cons of a back */
};

/* One data ring, as the rogue's side sees it. */
struct rogue_data {
    struct shared_area area; /* of the indexes, */
    struct shared_area data; /* and of the data, which may be the same */
    struct dialect_ring at;
    uint32_t handle, port;
    uint32_t index_handle;                 /* of a map of the index page, where there is one */
    uint32_t refs[CALL_REFS_MAX];          /* as the request names them */
    uint32_t page_refs[DIALECT_PAGES_MAX]; /* where an index page does: what it named at first */
};

/* Submit with hv_share and the like, then: the completion of that kind; asserts that it comes. */
void rogue_take(struct rogue *rogue, enum ev_kind kind, struct ev *ev);

/* Open `pair` without a front and bring the device to Connected on both sides; in draft 1, or in
 * any dialect. Where sockets name their orders, `order` is the largest that the backend takes. */
void rogue_front_open(struct rogue *rogue, struct pair *pair, uint32_t order);
void rogue_front_open_in(struct rogue *rogue, struct pair *pair, const struct dialect *dialect,
                         uint32_t order);

/* The same of any other configuration: `order` and `dialect` as above, the largest order that the
 * backend takes follows from them, and so does `max_sockets` where it is 0. */
void rogue_front_open_with(struct rogue *rogue, struct pair *pair,
                           const struct pair_config *config);

/* The command ring of a front: its page, initialised, and its port. */
void rogue_front_ring(struct rogue *rogue);

/* Leave in good order (state 6), and see that the backend kept nothing. */
void rogue_front_close(struct rogue *rogue);

/* Pages and a port for one socket, given to the backend's domain; and back again. */
void rogue_share(struct rogue *rogue, struct rogue_data *data);
void rogue_unshare(struct rogue *rogue, struct rogue_data *data);
void rogue_port_close(struct rogue *rogue, const struct rogue_data *data);

/* Write what an index page says: an order, and the refs of `data`. */
void rogue_name_pages(struct rogue *rogue, struct rogue_data *data, uint32_t order);

/* A CONNECT to 127.0.0.1:80 over `data`. */
struct call rogue_connect(uint32_t id, uint64_t sockid, const struct rogue_data *data);

/* Put a request into the next slot and publish it; rogue_kick then notifies and runs the pair. */
void rogue_put(struct rogue *rogue, const struct call *call);
void rogue_put_raw(struct rogue *rogue, const void *slot);
void rogue_kick(struct rogue *rogue);

/* The next response; false if there is none. */
bool rogue_reply(struct rogue *rogue, struct call_reply *reply);

/* Put, kick, and the one response; 1 if there is none. */
int32_t rogue_ask(struct rogue *rogue, const struct call *call);

/* Open `pair` without a back and bring the device to Connected on both sides. */
void rogue_back_open(struct rogue *rogue, struct pair *pair, uint32_t order);
void rogue_back_open_in(struct rogue *rogue, struct pair *pair, const struct dialect *dialect,
                        uint32_t order);

/* The same of any other configuration. */
void rogue_back_open_with(struct rogue *rogue, struct pair *pair, const struct pair_config *config);

/* The constants that the pair's dialect has a side publish. */
void rogue_write_constants(struct pair *pair, uint16_t domid);

/* Let go of the ring, say 6, and see that the front kept nothing. */
void rogue_back_close(struct rogue *rogue);

/* The next request; false if there is none. */
bool rogue_request(struct rogue *rogue, struct call *call);

/* The next request with the right echo and `ret`, before the test falsifies it; asserts one. */
struct call_reply rogue_answer_to(struct rogue *rogue, struct call *call, int32_t ret);

/* Run the pair, then the same of a kind that it must be; and answer it at once. */
struct call_reply rogue_expect(struct rogue *rogue, enum call_kind kind, struct call *call,
                               int32_t ret);
struct call rogue_serve(struct rogue *rogue, enum call_kind kind, int32_t ret);

/* Put a response into the next slot, publish, notify, run the pair. */
void rogue_answer(struct rogue *rogue, const struct call_reply *reply);

/* Map the data ring of a CONNECT or ACCEPT; and let go of it. */
void rogue_map(struct rogue *rogue, const struct call *call, struct rogue_data *data);
void rogue_unmap(struct rogue *rogue, struct rogue_data *data);

/* Words of the rings. */
void rogue_store(struct rogue *rogue, uint32_t offset, uint32_t value);
uint32_t rogue_load(const struct rogue *rogue, uint32_t offset);

#endif
