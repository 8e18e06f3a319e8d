/*
 * The bytes of an open frontend socket: one copy each way, and when to wake the application.
 *
 * `error` is loaded before the index (architecture 5, rule 5): what the backend produced before it
 * gave up is delivered first. Every index change owes a notification (draft 1: unconditionally).
 * Source: protocol.md 1.5, 7 (1, 8, 13).
 */
#include "frontend/fe_private.h"

static void notify(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    step_act(out, ACT_NOTIFY, fe_sock_token(fe, sock))->port.port = sock->port;
}

static void upcall(struct fe *fe, struct fe_sock *sock, enum act_kind kind, struct step_out *out)
{
    step_act(out, kind, fe_sock_token(fe, sock))->done.sock = fe_sock_id(fe, sock);
}

/* The backend wrote an index that cannot be: both directions end, whoever waits is told. */
static void broken(struct fe *fe, struct fe_sock *sock, const struct bytering *ring,
                   struct step_out *out)
{
    sock->broken = true;
    sock->error = -ERR_IO;
    fe_fault(fe, FAULT_BYTERING_WINDOW, ring->index, ring->claimed, out);
    if (sock->arm_read)
        upcall(fe, sock, ACT_READABLE, out);
    if (sock->arm_write)
        upcall(fe, sock, ACT_WRITABLE, out);
    sock->arm_read = sock->arm_write = false;
}

/* Bytes to read now; `*error` is what ends the stream after them (0: nothing yet).
 * Model: bytering.pml. */
static int64_t readable_bytes(struct fe *fe, struct fe_sock *sock, int32_t *error,
                              struct step_out *out)
{
    int32_t in_error = bytering_error(&sock->in);
    int64_t queued = sock->broken ? 0 : bytering_queued(&sock->in);

    if (queued < 0)
        broken(fe, sock, &sock->in, out);
    *error = sock->error < 0 ? sock->error : in_error;
    if (*error != 0 && fe_has(fe, QUIRK_ERROR_FIRST))
        return 0;
    return queued < 0 ? 0 : queued;
}

/* Room to send now; `*error` is what ended sending (0: nothing). Model: bytering.pml. */
static int64_t writable_bytes(struct fe *fe, struct fe_sock *sock, int32_t *error,
                              struct step_out *out)
{
    int32_t out_error = bytering_error(&sock->out);
    int64_t room = sock->broken ? 0 : bytering_room(&sock->out);

    if (room < 0)
        broken(fe, sock, &sock->out, out);
    *error = sock->error < 0 ? sock->error : out_error;
    return room < 0 ? 0 : room;
}

/* Tell the application what it armed for and is now due; disarms. Model: bytering.pml. */
static void wake_application(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    int32_t error;
    bool due = sock->arm_read && (readable_bytes(fe, sock, &error, out) > 0 || error != 0);

    if (due && sock->arm_read) { /* a broken ring has told already */
        sock->arm_read = false;
        upcall(fe, sock, ACT_READABLE, out);
    }
    due = sock->arm_write &&
          (writable_bytes(fe, sock, &error, out) >= sock->out.at.size / 2 || error != 0);
    if (due && sock->arm_write) {
        sock->arm_write = false;
        upcall(fe, sock, ACT_WRITABLE, out);
    }
}

/* Model: bytering.pml. */
void fe_data_port(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    if (sock->state != FE_SOCK_OPEN)
        return;
    wake_application(fe, sock, out);
    if (sock->release == FE_RELEASE_DRAINING && fe_data_drained(fe, sock, out))
        fe_sock_release_now(fe, sock, out);
}

/* Model: bytering.pml. */
bool fe_data_drained(struct fe *fe, struct fe_sock *sock, struct step_out *out)
{
    int32_t error;
    int64_t room = writable_bytes(fe, sock, &error, out);

    return error != 0 || room == sock->out.at.size;
}

/* An open socket the application may use; NULL with *ret set. */
static struct fe_sock *usable(struct fe *fe, uint64_t id, int *ret)
{
    struct fe_sock *sock = fe_sock_by_id(fe, id);

    *ret = !sock || sock->release != FE_RELEASE_NONE ? -ERR_BADF
           : sock->state != FE_SOCK_OPEN             ? -ERR_NOTCONN
                                                     : 0;
    return *ret < 0 ? NULL : sock;
}

static int64_t send_some(struct fe *fe, struct fe_sock *sock, const struct fe_send *io,
                         struct step_out *out)
{
    int32_t error;
    int64_t room = writable_bytes(fe, sock, &error, out);
    uint32_t taken = room < io->bytes ? (uint32_t)room : io->bytes;

    if (error != 0)
        return error;
    if (taken > 0) {
        bytering_put(&sock->out, io->from, taken);
        fe->counters.sent_bytes += taken;
        fe->counters.copies++;
        notify(fe, sock, out);
    }
    return taken;
}

/* Model: bytering.pml. */
int64_t fe_send(struct fe *fe, const struct fe_send *io, struct step_out *out)
{
    int ret;
    struct fe_sock *sock = usable(fe, io->sock, &ret);
    int64_t taken = sock ? send_some(fe, sock, io, out) : ret;

    if (taken >= 0 && taken < io->bytes) {
        fe->counters.room_waits++;
        sock->arm_write = true;
        shared_fence();
        wake_application(fe, sock, out); /* the room may have come meanwhile */
    }
    return taken;
}

/* What a recv gives when nothing is queued: end of stream, the error, or a wait.
 * Model: bytering.pml. */
static int64_t recv_nothing(struct fe *fe, struct fe_sock *sock, int32_t error,
                            struct step_out *out)
{
    if (error != 0)
        return error == -ERR_NOTCONN ? 0 : error;
    sock->arm_read = true;
    shared_fence();
    wake_application(fe, sock, out);
    return -ERR_AGAIN;
}

/* Model: bytering.pml. */
int64_t fe_recv(struct fe *fe, const struct fe_recv *io, struct step_out *out)
{
    int ret;
    int32_t error;
    struct fe_sock *sock = usable(fe, io->sock, &ret);

    if (!sock)
        return ret;
    if (io->bytes == 0)
        return -ERR_INVAL; /* 0 means the end of the stream */
    int64_t queued = readable_bytes(fe, sock, &error, out);
    uint32_t taken = queued < io->bytes ? (uint32_t)queued : io->bytes;
    if (taken == 0)
        return recv_nothing(fe, sock, error, out);
    bytering_take(&sock->in, io->to, taken);
    fe->counters.received_bytes += taken;
    fe->counters.copies++;
    notify(fe, sock, out);
    return taken;
}

int64_t fe_unsent(struct fe *fe, uint64_t id)
{
    struct fe_sock *sock = fe_sock_by_id(fe, id);

    if (!sock || sock->quiet)
        return -ERR_BADF;
    if (sock->state != FE_SOCK_OPEN || sock->broken)
        return -ERR_NOTCONN;
    int64_t room = bytering_room(&sock->out);
    return room < 0 ? -ERR_IO : sock->out.at.size - room;
}
