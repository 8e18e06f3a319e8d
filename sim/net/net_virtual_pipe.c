/*
 * One direction of a connection in virtual time: a ring that holds what was written and not read,
 * wherever between the two it is, and the time a link takes to bring a segment. Schedules nothing
 * and knows no socket. Integers only, exact: a wire's rate never drifts.
 *
 * Invariant: a ring is at most twice as big as it was full, and not there when it is empty.
 * Source: net_virtual.h.
 */
#include "sim/net/net_virtual_private.h"

#include <stdlib.h>

enum {
    RING_BYTES_MIN = 64,
    /* Linux gives a connection up after about so many (tcp_retries2); here the segment gets
     * through. */
    LOSSES_MAX = 15,
};

static const uint64_t NS_PER_S = 1000000000;

/* ---- the ring ---- */

static uint32_t at_of(const struct virtual_pipe *pipe, uint64_t offset)
{
    return (uint32_t)offset & (pipe->room - 1);
}

/* How many bytes at an offset lie in one piece, at most `bytes`. */
static uint32_t piece_at(const struct virtual_pipe *pipe, uint64_t offset, uint32_t bytes)
{
    uint32_t left = pipe->room - at_of(pipe, offset);

    return bytes < left ? bytes : left;
}

static void copy_in(struct virtual_pipe *pipe, uint64_t offset, const void *from, uint32_t bytes)
{
    uint32_t first = piece_at(pipe, offset, bytes);

    memcpy(pipe->bytes + at_of(pipe, offset), from, first);
    memcpy(pipe->bytes, (const unsigned char *)from + first, bytes - first);
}

static void copy_out(const struct virtual_pipe *pipe, uint64_t offset, void *to, uint32_t bytes)
{
    uint32_t first = piece_at(pipe, offset, bytes);

    memcpy(to, pipe->bytes + at_of(pipe, offset), first);
    memcpy((unsigned char *)to + first, pipe->bytes, bytes - first);
}

static void grow(struct virtual_pipe *pipe, uint64_t bytes)
{
    struct virtual_pipe old = *pipe;
    uint64_t room = old.room ? old.room : RING_BYTES_MIN;

    while (room < bytes)
        room *= 2;
    if (room == old.room)
        return;
    assert(room <= 1u << 31);
    pipe->room = (uint32_t)room;
    pipe->bytes = malloc(pipe->room);
    assert(pipe->bytes != NULL);
    for (uint64_t at = old.read; at < old.written;) {
        uint32_t piece = piece_at(&old, at, (uint32_t)(old.written - at));

        copy_in(pipe, at, old.bytes + at_of(&old, at), piece);
        at += piece;
    }
    free(old.bytes);
}

static void free_if_empty(struct virtual_pipe *pipe)
{
    if (pipe->read == pipe->written)
        net_virtual_pipe_free(pipe);
}

void net_virtual_pipe_free(struct virtual_pipe *pipe)
{
    free(pipe->bytes);
    pipe->bytes = NULL;
    pipe->room = 0;
}

void net_virtual_pipe_put(struct virtual_pipe *pipe, const struct shared_iov *iov, uint32_t bytes)
{
    grow(pipe, pipe->written - pipe->read + bytes);
    for (; bytes > 0; iov++) {
        uint32_t part = bytes < iov->length ? bytes : (uint32_t)iov->length;

        copy_in(pipe, pipe->written, iov->base, part);
        pipe->written += part;
        bytes -= part;
    }
}

void net_virtual_pipe_get(struct virtual_pipe *pipe, const struct shared_iov *iov, uint32_t bytes)
{
    for (; bytes > 0; iov++) {
        uint32_t part = bytes < iov->length ? bytes : (uint32_t)iov->length;

        copy_out(pipe, pipe->read, iov->base, part);
        pipe->read += part;
        bytes -= part;
    }
    free_if_empty(pipe);
}

void net_virtual_pipe_cut(struct virtual_pipe *pipe)
{
    pipe->cut = true;
    pipe->written = pipe->arrived;
    pipe->departed = pipe->arrived;
    free_if_empty(pipe);
}

/* ---- the link ---- */

void net_virtual_pipe_check_link(const struct net_link *link)
{
    static const uint64_t longest_ns = UINT64_C(1)
                                       << 44; /* doubled LOSSES_MAX times it still fits */

    assert(link->delay_ns <= longest_ns && link->jitter_ns <= longest_ns);
    assert(link->retransmit_ns <= longest_ns && link->connect_ns <= longest_ns);
    assert(link->rate_bytes_per_s <= UINT64_C(1) << 48);
    assert(link->loss_ppm <= 1000000);
    assert(link->segment_bytes >= 1 && link->send_buffer_bytes >= 1);
    assert(link->receive_buffer_bytes >= 1);
    assert(link->segment_bytes <= 1u << 30 && link->send_buffer_bytes <= 1u << 30);
    assert(link->receive_buffer_bytes <= 1u << 30);
}

/* When the last byte of a segment is on the wire. Segments follow each other without a gap while
 * there are any: the fraction of a nanosecond is carried over. */
static uint64_t departure_ns(struct virtual_wire *wire, uint64_t rate, uint64_t at_ns,
                             uint32_t bytes)
{
    if (rate == 0)
        return at_ns;
    if (wire->free_ns < at_ns)
        *wire = (struct virtual_wire){.free_ns = at_ns};

    uint64_t scaled = bytes * NS_PER_S + wire->free_rest;

    wire->free_ns += scaled / rate;
    wire->free_rest = scaled % rate;
    return wire->free_ns;
}

bool net_virtual_pipe_lost(struct virtual_side *side)
{
    uint32_t loss_ppm = side->conn->link->link.loss_ppm;

    return loss_ppm > 0 && prng_below(&side->out.prng, 1000000) < loss_ppm;
}

uint64_t net_virtual_pipe_jitter_ns(struct virtual_side *side)
{
    uint64_t jitter_ns = side->conn->link->link.jitter_ns;

    return jitter_ns > 0 ? prng_below(&side->out.prng, jitter_ns + 1) : 0;
}

uint64_t net_virtual_pipe_arrival_ns(struct virtual_side *side, uint64_t at_ns, uint32_t bytes,
                                     uint32_t *again)
{
    const struct net_link *link = &side->conn->link->link;
    uint64_t arrival_ns = departure_ns(side->wire, link->rate_bytes_per_s, at_ns, bytes);

    arrival_ns += link->delay_ns + net_virtual_pipe_jitter_ns(side);
    for (*again = 0; *again < LOSSES_MAX && net_virtual_pipe_lost(side); ++*again)
        arrival_ns += link->retransmit_ns << *again;
    if (arrival_ns < side->out.last_arrival_ns)
        arrival_ns = side->out.last_arrival_ns;
    side->out.last_arrival_ns = arrival_ns;
    return arrival_ns;
}
