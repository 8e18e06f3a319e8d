/*
 * A built-in peer on its loop and raw sockets that talk to it over loopback, taking turns in one
 * thread: the fixture of the peers' tests. Every wait turns the loop, and fails the test when 15
 * seconds have passed since its beginning.
 */
#ifndef XENSOCK_TESTS_SUPPORT_RAW_H
#define XENSOCK_TESTS_SUPPORT_RAW_H

#include "sim/run/peer_uv.h"
#include "tests/support/peers.h"

#include <sys/types.h>
#include <uv.h>

enum { RAW_SEED = PEERS_SEED, RAW_STREAM = PEERS_STREAM }; /* of every header and payload here */

struct raw {
    uv_loop_t loop;
    struct peer_uv *peer; /* NULL: none, or stopped by the test */
    uint32_t finished;    /* times */
    uint64_t deadline_ns;
};

/* Set up and tear down for cmocka; the latter stops the peer and sees that no handle is left. */
int raw_set_up(void **state);
int raw_tear_down(void **state);

/* One turn of the loop, without waiting. */
void raw_turn(struct raw *raw);

/* A listening peer of that kind at that address, or NULL and the error. */
struct peer_uv *raw_try_start(struct raw *raw, enum scenario_peer_kind kind, const char *address,
                              int *error);

/* The same at a port of its own, as the fixture's peer. */
void raw_start(struct raw *raw, enum scenario_peer_kind kind);

/* A client as the fixture's peer, begun; its streams begin at RAW_STREAM. */
void raw_start_client(struct raw *raw, const char *address, uint32_t connections, uint64_t bytes);

/* What the fixture's peer counted. */
const struct peer_counters *raw_counters(struct raw *raw);

/* Turns until the peer has said so often that its last connection ended. */
void raw_await_finished(struct raw *raw, uint32_t times);

/* Connects to the peer; `receive_buffer_bytes` 0: the host's default. The caller closes. */
int raw_open(struct raw *raw, int receive_buffer_bytes);

/* Sends all, as the peer takes it. */
void raw_send(struct raw *raw, int fd, const void *data, size_t size);

/* What a recv gives as soon as it gives something: bytes, 0 at the end, or -1 and errno. */
ssize_t raw_receive(struct raw *raw, int fd, void *data, size_t size);

/* Receives exactly `size` bytes. */
void raw_receive_all(struct raw *raw, int fd, void *data, size_t size);

/* Sends a header, or the first bytes of the stream behind it. */
void raw_send_header(struct raw *raw, int fd, enum payload_mode mode, uint64_t bytes);
void raw_send_payload(struct raw *raw, int fd, size_t size);

/* `size` bytes of the stream from `offset`, to be freed by the caller. */
uint8_t *raw_payload(uint64_t offset, size_t size);

/* The peer closes `fd` in good order, and has no connection left; closes `fd`. */
void raw_assert_ended(struct raw *raw, int fd);

/* The peer counted just these faults; the counters of work are not looked at. */
void raw_assert_faults(struct raw *raw, struct peer_counters expected);

/* Listens at a port of its own and says where; non-blocking. */
int raw_listen(char text[SCENARIO_ADDR_BYTES]);

/* Takes the next connection of raw_listen's socket, waiting for it. */
int raw_accept(struct raw *raw, int listener);

#endif
