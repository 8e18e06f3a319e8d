/* The application of a script: its calls on the real frontend, and what that tells it. See
 * steps_private.h. */
#include "sim/run/steps_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void steps_upcall(void *self, const struct act *act)
{
    struct steps_player *player = self;
    struct steps_seen *seen = steps_see(player, STEPS_TOLD);

    seen->cmd = act->kind == ACT_DONE ? act->done.call : CALL_KINDS;
    seen->ret = act->kind == ACT_DONE ? act->done.ret : 0;
    seen->sockid = act->done.sock;
    for (uint32_t i = player->sock_count; i-- > 0;)
        if (player->socks[i].app_id == act->done.sock) {
            seen->sockid = player->socks[i].sockid;
            break;
        }
    switch ((int)act->kind) {
    case ACT_DONE: seen->upcall = STEPS_UPCALL_DONE; break;
    case ACT_READABLE: seen->upcall = STEPS_UPCALL_READABLE; break;
    case ACT_WRITABLE: seen->upcall = STEPS_UPCALL_WRITABLE; break;
    case ACT_GONE: seen->upcall = STEPS_UPCALL_GONE; break;
    default: seen->upcall = STEPS_UPCALL_UP;
    }
    steps_see_done(player, seen);
}

/* A socket that a call made: the script's name for it, the application's and the wire's. */
static int64_t name_sock(struct steps_player *player, uint64_t sockid, int64_t id)
{
    struct steps_sock *sock = id < 0 ? NULL : steps_sock_make(player, sockid);

    if (!sock)
        return id;
    sock->app_id = (uint64_t)id;
    sock->wire_id = fe_wire_id(player->fe, (uint64_t)id);
    return 0;
}

static int64_t make(struct steps_player *player, const struct steps_step *step,
                    struct step_out *out)
{
    const struct steps_sock *of = steps_sock(player, step->sockid);

    if (step->cmd == STEPS_CALL_CONNECT)
        return name_sock(player, step->sockid, fe_connect(player->fe, &step->addr.addr, out));
    if (step->cmd == STEPS_CALL_BIND)
        return name_sock(player, step->sockid, fe_bind(player->fe, &step->addr.addr, out));
    return name_sock(player, step->new_sockid, fe_accept(player->fe, of->app_id, out));
}

/* Bytes that are not as they should be are no result. */
enum { WRONG_BYTES = INT32_MIN };

static int64_t move(struct steps_player *player, const struct steps_step *step,
                    struct step_out *out)
{
    struct steps_sock *sock = steps_sock(player, step->sockid);
    size_t count = step->bytes > 0 ? (size_t)step->bytes : STEPS_DATA_BYTES;
    bool send = step->cmd == STEPS_CALL_SEND, text = STEPS_GIVEN(step, data);
    char *bytes = malloc(count);
    int64_t ret;

    assert(bytes);
    for (size_t i = 0; send && i < count; i++)
        bytes[i] = text ? step->data[i] : steps_pattern(sock->app_sent + i);
    if (send)
        ret = fe_send(player->fe, &(struct fe_send){sock->app_id, bytes, (uint32_t)count}, out);
    else
        ret = fe_recv(player->fe, &(struct fe_recv){sock->app_id, bytes, (uint32_t)count}, out);
    for (int64_t i = 0; !send && i < ret; i++) {
        char is = text ? step->data[i] : steps_pattern(sock->app_received + (uint64_t)i);
        if (bytes[i] != is) {
            ret = WRONG_BYTES;
            break;
        }
    }
    *(send ? &sock->app_sent : &sock->app_received) += ret > 0 ? (uint64_t)ret : 0;
    free(bytes);
    return ret;
}

static int64_t call(struct steps_player *player, const struct steps_step *step,
                    struct step_out *out)
{
    const struct steps_sock *of = steps_sock(player, step->sockid);

    switch (step->cmd) {
    case STEPS_CALL_CONNECT:
    case STEPS_CALL_BIND:
    case STEPS_CALL_ACCEPT: return make(player, step, out);
    case STEPS_CALL_LISTEN: return fe_listen(player->fe, of->app_id, out);
    case STEPS_CALL_POLL: return fe_poll(player->fe, of->app_id, out);
    case STEPS_CALL_RELEASE: return fe_release(player->fe, of->app_id, out);
    case STEPS_CALL_SEND:
    case STEPS_CALL_RECV: return move(player, step, out);
    case STEPS_CALL_SOCKET: break;
    }
    return 0;
}

bool steps_call(struct steps_player *player, const struct steps_step *step)
{
    bool bytes = step->cmd == STEPS_CALL_SEND || step->cmd == STEPS_CALL_RECV;
    int64_t expected = STEPS_GIVEN(step, ret_text) ? step->ret : bytes ? (int64_t)step->bytes : 0;
    bool of = step->cmd != STEPS_CALL_CONNECT && step->cmd != STEPS_CALL_BIND;

    if (of && !steps_sock(player, step->sockid))
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "the call that was to make it failed");
    struct step_out *out = exec_call(player->exec, player->now_ns);
    int64_t ret = call(player, step, out);
    exec_call_was(
        player->exec,
        &(struct exec_call){
            .call = (uint8_t)(bytes ? TRACE_CALL_SEND + step->cmd - STEPS_CALL_SEND : step->cmd),
            .sock = step->sockid,
            .bytes = (uint32_t)step->bytes,
            .ret = ret});
    exec_call_end(player->exec, 0);
    if (ret == expected)
        return true;
    if (ret == WRONG_BYTES)
        return steps_fail(player, DIAG_STEP_OTHER, "it received other bytes");
    return steps_fail(player, DIAG_STEP_OTHER, "it returned %" PRId64 " (%s), not %" PRId64, ret,
                      ret < 0 ? err_name((int32_t)ret) : "no error", expected);
}
