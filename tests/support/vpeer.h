/*
 * A built-in peer in virtual time and a hand-made other side, on two hosts of one world: the
 * fixture of the virtual peers' tests. Nothing costs anything until a test says so; a link takes
 * VPEER_DELAY_NS. Every wait steps the clock, and fails the test when nothing happens any more.
 */
#ifndef XENSOCK_TESTS_SUPPORT_VPEER_H
#define XENSOCK_TESTS_SUPPORT_VPEER_H

#include "sim/run/peer_virtual.h"
#include "tests/support/peers.h"

enum {
    VPEER_WHO = TRACE_PEER_BASE + 3,
    VPEER_DELAY_NS = 10000,
    VPEER_EVENTS = 16,
    VPEER_RECORDS = 32,
};

struct vpeer {
    struct vclock *clock;
    struct costs costs;
    struct vcpus *vcpus;
    struct net_virtual *net;
    struct net *other;
    struct peer_virtual *peer;      /* NULL: none, or stopped by the test */
    struct ev events[VPEER_EVENTS]; /* completed on the other side, not taken yet */
    uint32_t event_count;
    struct trace_sink sink;
    struct trace_record records[VPEER_RECORDS]; /* of the peer and its link, the first of them */
    uint32_t record_count;
};

/* Set up and tear down for cmocka; the latter stops the peer. */
int vpeer_set_up(void **state);
int vpeer_tear_down(void **state);

/* A loopback address; and a link whose buffers have that size. */
struct call_addr vpeer_address(uint16_t port);
struct net_link vpeer_link(uint32_t buffer_bytes);

/* A peer, or NULL and the error. A client's connects to port 80, its streams begin at
 * PEERS_STREAM. */
struct peer_virtual *vpeer_try_start(struct vpeer *vpeer, const struct scenario_peer *spec,
                                     int *error);

/* One that listens, at a port of its own, as the fixture's peer. */
void vpeer_start(struct vpeer *vpeer, enum scenario_peer_kind kind);

/* What the fixture's peer counted. */
const struct peer_counters *vpeer_counters(const struct vpeer *vpeer);

/* The result of a completion of the other side: if it is there; and when it comes. */
bool vpeer_take(struct vpeer *vpeer, enum ev_kind kind, uint64_t token, int32_t *ret);
int32_t vpeer_await(struct vpeer *vpeer, enum ev_kind kind, uint64_t token);

/* Until nothing happens any more. */
void vpeer_settle(struct vpeer *vpeer);

/* Connects the other side's `token` to the peer. */
void vpeer_open(struct vpeer *vpeer, uint64_t token);

/* Writes all. */
void vpeer_say(struct vpeer *vpeer, uint64_t token, const uint8_t *bytes, size_t size);

/* Reads until `size` bytes or the end: how many; or what broke it. */
int64_t vpeer_hear(struct vpeer *vpeer, uint64_t token, uint8_t *bytes, size_t size);

/* Ends the other side's direction. */
void vpeer_shut(struct vpeer *vpeer, uint64_t token);

/* The peer ends the connection too, and has none left; closes `token`. */
void vpeer_assert_ended(struct vpeer *vpeer, uint64_t token);

/* Starts a peer of that kind, connects token 1 and says a header and so many bytes of a stream. */
void vpeer_tell(struct vpeer *vpeer, enum scenario_peer_kind kind, enum payload_mode mode,
                uint64_t bytes, size_t size);

#endif
