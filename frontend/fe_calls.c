/*
 * The application's calls that begin something: connect, bind, listen, accept, poll. What becomes
 * of it is the slot's life, fe_socket.c. See fe.h.
 */
#include "frontend/fe_private.h"

/* A slot for a socket with an address of its own; NULL with *ret set. */
static struct fe_sock *new_at(struct fe *fe, const struct call_addr *addr, enum call_kind call,
                              int *ret)
{
    struct fe_sock *sock = NULL;

    *ret = fe->phase != FE_CONNECTED ? -ERR_NOTCONN : call_addr_check(addr);
    if (*ret < 0)
        return NULL;
    sock = fe_sock_new(fe, call);
    if (sock)
        sock->addr = *addr;
    else
        *ret = -ERR_MFILE;
    return sock;
}

int64_t fe_connect(struct fe *fe, const struct call_addr *addr, struct step_out *out)
{
    int ret;
    struct fe_sock *sock = new_at(fe, addr, CALL_CONNECT, &ret);

    if (!sock)
        return ret;
    fe_sock_prepare(fe, sock, out);
    return (int64_t)fe_sock_id(fe, sock);
}

int64_t fe_bind(struct fe *fe, const struct call_addr *addr, struct step_out *out)
{
    int ret;
    struct fe_sock *sock = new_at(fe, addr, CALL_BIND, &ret);

    if (!sock)
        return ret;
    fe_sock_queue(fe, sock, out);
    fe_ring_submit(fe, out);
    return (int64_t)fe_sock_id(fe, sock);
}

int fe_listen(struct fe *fe, uint64_t id, struct step_out *out)
{
    struct fe_sock *sock = fe_sock_by_id(fe, id);

    if (!sock || sock->release != FE_RELEASE_NONE)
        return -ERR_BADF;
    if (sock->state != FE_SOCK_BOUND)
        return -ERR_INVAL;
    if (sock->error < 0)
        return sock->error;
    sock->call = CALL_LISTEN;
    fe_sock_queue(fe, sock, out);
    fe_ring_submit(fe, out);
    return 0;
}

/* A slot for an accept or a poll of a listener; NULL with *ret set. */
static struct fe_sock *new_child(struct fe *fe, uint64_t listener, enum call_kind call, int *ret)
{
    struct fe_sock *sock = fe_sock_by_id(fe, listener);

    *ret = !sock || sock->release != FE_RELEASE_NONE ? -ERR_BADF
           : sock->state != FE_SOCK_LISTENING        ? -ERR_INVAL
                                                     : sock->error;
    if (*ret < 0)
        return NULL;
    sock = fe_sock_new(fe, call);
    if (!sock) {
        *ret = -ERR_MFILE;
        return NULL;
    }
    sock->has_parent = true;
    sock->parent = listener;
    fe_sock_by_id(fe, listener)->children++;
    return sock;
}

int64_t fe_accept(struct fe *fe, uint64_t listener, struct step_out *out)
{
    int ret;
    struct fe_sock *sock = new_child(fe, listener, CALL_ACCEPT, &ret);

    if (!sock)
        return ret;
    fe_sock_prepare(fe, sock, out);
    return (int64_t)fe_sock_id(fe, sock);
}

int fe_poll(struct fe *fe, uint64_t listener, struct step_out *out)
{
    int ret;
    struct fe_sock *sock = new_child(fe, listener, CALL_POLL, &ret);

    if (!sock)
        return ret;
    fe_sock_queue(fe, sock, out);
    fe_ring_submit(fe, out);
    return 0;
}
