/* The frontend's calls, actions and events, watched from outside. See judge_front.h. */
#include "tests/support/judge_front.h"

void judge_front_init(struct judge_front *judge, struct seams *seams, const struct fe *fe,
                      uint32_t order)
{
    memset(judge, 0, sizeof(*judge));
    judge->seams = seams;
    judge->dialect = seams->dialect;
    judge->fe = fe;
    judge->slot_bytes = judge->dialect->request_bytes;
    judge->slots = cmdring_size(judge->slot_bytes);
    judge->order = order;
    judge->published = XENBUS_INITIALISING;
    judge->must_fault = FAULT_REASONS;
    dialect_ring(judge->dialect, order, &judge->layout);
}

/* ---- calls ----------------------------------------------------------------------------------- */

void judge_front_called(struct judge_front *judge, enum call_kind kind, uint64_t sock, int64_t ret)
{
    struct judge_call *call = judge->calls;
    bool makes = kind == CALL_CONNECT || kind == CALL_BIND || kind == CALL_ACCEPT;
    struct judge_sock *data = judge_front_sock(judge, sock);

    FUZZ_CHECK(ret >= -ERR_MAX && (makes || ret <= 0), "%s gave %lld", call_name(kind),
               (long long)ret);
    if (ret < 0)
        return;
    while (call < judge->calls + JUDGE_CALLS && call->used)
        call++;
    FUZZ_CHECK(call < judge->calls + JUDGE_CALLS, "more calls than slots");
    *call = (struct judge_call){.used = true, .kind = kind, .sock = makes ? (uint64_t)ret : sock};
    call->parent = kind == CALL_ACCEPT ? sock : UINT64_MAX;
    if (kind == CALL_RELEASE && data) {
        data->arm_read = data->arm_write = false;
        data->released = true;
    }
}

void judge_front_sent(struct judge_front *judge, const struct fe_send *io, int64_t ret)
{
    struct judge_sock *sock = judge_front_sock(judge, io->sock);

    FUZZ_CHECK(ret >= -ERR_MAX && ret <= io->bytes, "sent %lld of %u", (long long)ret, io->bytes);
    if (ret < 0)
        return;
    FUZZ_CHECK(sock && sock->open && !sock->released && !sock->broken, "sent into nothing");
    FUZZ_CHECK(ret == sock->put, "sent %lld, copied %u", (long long)ret, sock->put);
    if (ret < io->bytes) {
        sock->arm_write = true;
        judge->waits = sock;
    }
}

/* Whether an error is the end of this socket's stream, and comes after its last byte. */
static bool is_end(const struct judge_sock *sock, int64_t ret)
{
    if (sock->broken || sock->must_break)
        return ret == -ERR_IO;
    if (sock->lost && ret == -ERR_CONNRESET)
        return true;
    return sock->queued == 0 && sock->error_time < sock->prod_time &&
           (ret == 0 ? sock->in_error == -ERR_NOTCONN : ret == sock->in_error);
}

void judge_front_received(struct judge_front *judge, const struct fe_recv *io, int64_t ret)
{
    struct judge_sock *sock = judge_front_sock(judge, io->sock);
    bool usable = sock && sock->open && !sock->released && io->bytes > 0;

    FUZZ_CHECK(ret >= -ERR_MAX && ret <= io->bytes, "got %lld of %u", (long long)ret, io->bytes);
    if (!usable) {
        FUZZ_CHECK(ret < 0 && ret != -ERR_AGAIN, "got %lld from nothing", (long long)ret);
        return;
    }
    FUZZ_CHECK(sock->got == (ret > 0 ? ret : 0), "got %lld, copied %u", (long long)ret, sock->got);
    if (ret > 0)
        FUZZ_CHECK(memcmp(sock->bytes, io->to, (size_t)ret) == 0, "other bytes than lay there");
    else if (ret == -ERR_AGAIN)
        (judge->waits = sock)->arm_read = true;
    else
        FUZZ_CHECK(is_end(sock, ret), "ends with %lld, error %d, %lld queued", (long long)ret,
                   sock->in_error, (long long)sock->queued);
}

/* How well an upcall fits a call, of several polls of one listener: one that was answered like that
 * before one the backend never saw, that before one it has not answered. */
static int fit(const struct judge_call *call, const struct act_done *done)
{
    if (call->answered)
        return call->ret == done->ret ? 3 : 0;
    return call->sent ? 1 : 2;
}

/* The call that an upcall completes. */
static struct judge_call *completed(struct judge_front *judge, const struct act_done *done)
{
    struct judge_call *found = NULL;

    for (uint32_t i = 0; i < JUDGE_CALLS; i++) {
        struct judge_call *call = &judge->calls[i];
        if (call->used && call->kind == done->call && call->sock == done->sock &&
            (!found || fit(call, done) > fit(found, done)))
            found = call;
    }
    FUZZ_CHECK(found, "%s completed, and nobody called it", call_name(done->call));
    return found;
}

bool judge_front_let_go(const struct judge_front *judge, uint64_t sockid)
{
    for (uint32_t i = 0; i < JUDGE_CALLS; i++) {
        const struct judge_call *call = &judge->calls[i];
        if (call->used && call->kind == CALL_RELEASE && call->answered &&
            fe_wire_id(judge->fe, call->sock) == sockid)
            return true;
    }
    return false;
}

/* Whether the backend forgot a call: it let go of the listener on which that waited. */
static bool is_forgotten(const struct judge_front *judge, const struct judge_call *call,
                         const struct act_done *done)
{
    bool waits = call->kind == CALL_ACCEPT || call->kind == CALL_POLL;
    uint64_t listener = call->kind == CALL_ACCEPT ? call->parent : call->sock;

    return waits && done->ret == -ERR_BADF &&
           judge_front_let_go(judge, fe_wire_id(judge->fe, listener));
}

static void done_seen(struct judge_front *judge, const struct act_done *done)
{
    struct judge_call *call = completed(judge, done);
    struct judge_sock *sock = judge_front_sock(judge, done->sock);
    bool released = done->call == CALL_RELEASE;

    FUZZ_CHECK(done->ret <= 0 && done->ret >= -ERR_MAX, "ret %d", done->ret);
    FUZZ_CHECK(!call->sent || call->answered || judge->going || is_forgotten(judge, call, done),
               "%s has no answer", call_name(call->kind));
    for (uint32_t i = 0; i < judge->slots; i++)
        if (judge->asked[i].used && judge->asked[i].by == (uint32_t)(call - judge->calls))
            judge->asked[i].by = JUDGE_NOBODY;
    FUZZ_CHECK(released || done->ret < 0 || (call->answered && call->ret == 0), "good by itself");
    FUZZ_CHECK(released || !call->answered || call->ret == done->ret ||
                   (call->ret == 0 && done->ret == -ERR_CONNABORTED),
               "answered %d, told %d", call->ret, done->ret);
    call->used = false;
    for (uint32_t i = 0; released && i < JUDGE_CALLS; i++) {
        const struct judge_call *other = &judge->calls[i];
        FUZZ_CHECK(!other->used || (other->sock != done->sock && other->parent != done->sock),
                   "%s is under way on a socket that was released", call_name(other->kind));
    }
    if (done->ret < 0 || (done->call != CALL_CONNECT && done->call != CALL_ACCEPT))
        return;
    FUZZ_CHECK(sock, "a socket without a ring");
    sock->open = true;
    sock->arm_read = !sock->released;
}

/* Whether a call that was not answered is under way on a socket. */
static bool is_used(const struct judge_front *judge, uint64_t sockid)
{
    for (uint32_t i = 0; i < JUDGE_CALLS; i++) {
        const struct judge_call *call = &judge->calls[i];
        if (call->used && !call->answered && fe_wire_id(judge->fe, call->sock) == sockid)
            return true;
    }
    return false;
}

/* Whether a request is of this call, or is the SOCKET before it. */
static bool is_of(const struct judge_front *judge, const struct judge_call *each,
                  const struct call *call)
{
    bool makes = dialect_has(judge->dialect, CALL_SOCKET) &&
                 (each->kind == CALL_CONNECT || each->kind == CALL_BIND);
    uint64_t sock = call->kind == CALL_ACCEPT ? call->new_sockid : call->sockid;

    if (!each->used || each->sent || fe_wire_id(judge->fe, each->sock) != sock)
        return false;
    return makes && !each->made ? call->kind == CALL_SOCKET : call->kind == each->kind;
}

/* Which call of the application a request is. */
static uint32_t call_of(const struct judge_front *judge, const struct call *call)
{
    for (uint32_t i = 0; i < JUDGE_CALLS; i++)
        if (is_of(judge, &judge->calls[i], call))
            return i;
    FUZZ_CHECK(call->kind == CALL_RELEASE && judge_front_kept(judge, call->sockid) &&
                   !is_used(judge, call->sockid),
               "a %s that nobody called", call_name(call->kind));
    return JUDGE_NOBODY;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void shared_event(struct judge_front *judge, const struct ev *ev)
{
    if (step_slot(ev->token) != STEP_SLOT_DEVICE) {
        judge->socks[step_slot(ev->token) % JUDGE_SOCKS] = (struct judge_sock){.token = ev->token};
        return;
    }
    judge->reads = judge->pushed = judge->claimed = 0;
    judge->armed = 1;
    judge->broken = judge->event_due = judge->retreated = false;
    memset(judge->asked, 0, sizeof(judge->asked));
    judge->kept_count = 0;
}

void judge_front_begin(struct judge_front *judge, const struct ev *ev)
{
    judge->ev = ev ? *ev : (struct ev){.kind = EV_MORE, .token = UINT64_MAX};
    judge->allowed = 0;
    judge->looked = judge->notify_due = false;
    judge->was_broken = judge->broken;
    judge->ring_faults = 0;
    judge->waits = NULL;
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        struct judge_sock *sock = &judge->socks[i];
        sock->room = sock->queued = -1;
        sock->got = sock->put = 0;
        sock->must_break = sock->changed = false;
    }
    if (!ev)
        return;
    if (ev->kind == EV_START) {
        judge->going = judge->gone = judge->faulted = judge->up = false;
        judge->started = true;
    }
    if (ev->kind == EV_SHARE && ev->ret == 0)
        shared_event(judge, ev);
    if (ev->kind == EV_STORE_PUBLISH && ev->ret == -ERR_NOENT)
        judge->removed = true; /* by the toolstack: it closes, and may begin again */
}

static bool notifies(const struct step_out *out, uint64_t token)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (out->acts[i].kind == ACT_NOTIFY && out->acts[i].token == token)
            return true;
    return false;
}

static void fault_seen(struct judge_front *judge, const struct act_fault *fault)
{
    judge->faults++;
    if (fault->reason == FAULT_BYTERING_WINDOW) {
        judge->ring_faults++;
        return;
    }
    if (fault->reason == FAULT_SILENT)
        return;
    FUZZ_CHECK(!judge->faulted, "a second fault: %s", step_fault_name(fault->reason));
    judge->faulted = true;
    if (fault->reason > FAULT_RESPONSE_RET)
        return;
    FUZZ_CHECK(fault->reason == judge->must_fault, "%s and no reason",
               step_fault_name(fault->reason));
    judge->must_fault = FAULT_REASONS;
    judge->broken = true;
}

/* What says Initialised says what the dialect's table does. */
static void check_constants(const struct judge_front *judge, const struct act_publish *publish)
{
    const struct dialect_node *nodes = judge->dialect->front_nodes;
    uint32_t said = 0;

    for (uint32_t i = 0; i < publish->count; i++) {
        const struct dialect_node *node = dialect_node_find(nodes, publish->nodes[i].key);
        said += node && strcmp(publish->nodes[i].value, node->value) == 0;
    }
    FUZZ_CHECK(said == dialect_node_count(nodes), "%u constants", said);
}

static void check_publish(struct judge_front *judge, const struct act_publish *publish)
{
    static const uint32_t next[9] = {[1] = 1u << 3 | 1u << 6,
                                     [3] = 1u << 4 | 1u << 5 | 1u << 6,
                                     [4] = 1u << 5 | 1u << 6,
                                     [5] = 1u << 6,
                                     [6] = 1u << 1};
    const struct seams_channel *device = &judge->seams->channels[SEAMS_SLOTS];
    uint32_t allowed = next[judge->published] | (judge->removed ? 1u << 1 | 1u << 6 : 0);

    for (uint32_t i = 0; i < publish->count; i++) {
        int64_t value = xenbus_parse(publish->nodes[i].value, UINT32_MAX);
        if (publish->nodes[i].key == DIALECT_KEY_RING_REF)
            FUZZ_CHECK(device->mapped && value == SEAMS_REF + device->page, "a ref not granted");
        else if (publish->nodes[i].key == DIALECT_KEY_PORT)
            FUZZ_CHECK(device->ported && value == device->port, "a port not allocated");
        if (publish->nodes[i].key != DIALECT_KEY_STATE)
            continue;
        FUZZ_CHECK(value >= 0 && value < 9 && allowed & 1u << value, "state %d to %d",
                   (int)judge->published, (int)value);
        FUZZ_CHECK((value != 3 && value != 4) || (device->mapped && device->ported), "no ring");
        judge->published = (enum xenbus_state)value;
        judge->removed = false;
    }
    if (judge->published == XENBUS_INITIALISED)
        check_constants(judge, publish);
}

/* Pages are taken back only when the backend was asked about nothing of theirs any more. */
static void check_unshare(const struct judge_front *judge, uint64_t token)
{
    uint64_t sockid = fe_wire_id(judge->fe, token);

    for (uint32_t i = 0; !judge->going && i < judge->slots; i++) {
        const struct judge_request *request = &judge->asked[i];
        FUZZ_CHECK(!request->used ||
                       (request->call.sockid != sockid &&
                        (request->call.kind != CALL_ACCEPT || request->call.new_sockid != sockid)),
                   "%s is not answered", call_name(request->call.kind));
    }
}

static void woken(struct judge_front *judge, uint64_t id, bool reads)
{
    struct judge_sock *sock = judge_front_sock(judge, id);

    FUZZ_CHECK(sock && sock->open && (reads ? sock->arm_read : sock->arm_write),
               "told of what was not armed");
    *(reads ? &sock->arm_read : &sock->arm_write) = false;
}

static void lost(struct judge_front *judge)
{
    judge->going = true;
    judge->kept_count = 0;
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++)
        judge->socks[i].lost = true;
}

static void act_seen(struct judge_front *judge, const struct act *act)
{
    bool device = step_slot(act->token) == STEP_SLOT_DEVICE;

    if (act->kind == ACT_DONE)
        done_seen(judge, &act->done);
    else if (act->kind == ACT_READABLE || act->kind == ACT_WRITABLE)
        woken(judge, act->done.sock, act->kind == ACT_READABLE);
    else if (act->kind == ACT_FAULT)
        fault_seen(judge, &act->fault);
    else if (act->kind == ACT_STORE_PUBLISH)
        check_publish(judge, &act->publish);
    else if (act->kind == ACT_UNSHARE && !device)
        check_unshare(judge, act->token);
    else if (act->kind == ACT_TRACE && device && strcmp(act->trace.to, "closing") == 0)
        lost(judge);
    else if (act->kind == ACT_UP) {
        FUZZ_CHECK(!judge->up && !judge->gone && judge->published == XENBUS_CONNECTED, "UP");
        judge->up = true;
    } else if (act->kind == ACT_GONE) {
        FUZZ_CHECK(judge->started && !judge->gone, "GONE twice");
        judge->gone = true;
    }
}

/* What the application waits for has not come, as far as the core knows. */
static void check_sock(struct judge_front *judge, struct judge_sock *sock)
{
    bool looked = sock == judge->waits ||
                  (judge->ev.kind == EV_PORT && judge->ev.token == sock->token && sock->open);

    if (sock->must_break) {
        FUZZ_CHECK(judge->ring_faults > 0, "an index was believed");
        sock->broken = true;
    }
    FUZZ_CHECK(!sock->broken || (!sock->arm_read && !sock->arm_write), "waits for a broken ring");
    if (!looked || sock->broken || sock->lost)
        return;
    FUZZ_CHECK(!sock->arm_read || (sock->queued == 0 && sock->in_error == 0), "READABLE is lost");
    FUZZ_CHECK(!sock->arm_write ||
                   (sock->room < judge->layout.out.size / 2 && sock->out_error == 0),
               "WRITABLE is lost");
}

void judge_front_end(struct judge_front *judge, const struct step_out *out)
{
    uint64_t device = step_token(0, 0, STEP_SLOT_DEVICE);
    uint64_t breaches = 0;

    judge_front_settle(judge);
    for (uint32_t i = 0; i < judge->slots; i++) {
        struct judge_request *request = &judge->asked[i];
        if (!request->used || request->by != JUDGE_NO_CALL)
            continue;
        request->by = call_of(judge, &request->call);
        if (request->by < JUDGE_CALLS)
            judge->calls[request->by].sent = true;
    }
    for (uint32_t i = 0; i < out->count; i++)
        act_seen(judge, &out->acts[i]);
    FUZZ_CHECK(judge->going || judge->kept_count <= fe_counters(judge->fe)->sockets_now,
               "%u sockets are left at the backend, %u are here", judge->kept_count,
               fe_counters(judge->fe)->sockets_now);
    FUZZ_CHECK(judge->must_fault == FAULT_REASONS, "%s was believed",
               step_fault_name(judge->must_fault));
    FUZZ_CHECK(!judge->must_look, "armed, and did not look again");
    FUZZ_CHECK(!judge->event_due && (!judge->notify_due || notifies(out, device)),
               "requests that the backend does not hear of");
    if (judge->looked && !judge->broken && !out->more)
        FUZZ_CHECK(judge->claimed == judge->reads &&
                       (judge->armed == judge->reads + 1 || judge->retreated),
                   "sleeps at %u, armed for %u, %u published", judge->reads, judge->armed,
                   judge->claimed);
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        struct judge_sock *sock = &judge->socks[i];
        breaches += sock->must_break;
        FUZZ_CHECK(!sock->changed || notifies(out, sock->token), "a change without notification");
        check_sock(judge, sock);
    }
    FUZZ_CHECK(judge->ring_faults == breaches, "%llu faults of %llu rings",
               (unsigned long long)judge->ring_faults, (unsigned long long)breaches);
}

void judge_front_check_over(const struct judge_front *judge)
{
    for (uint32_t i = 0; i < JUDGE_CALLS; i++)
        FUZZ_CHECK(!judge->calls[i].used, "%s never completed", call_name(judge->calls[i].kind));
    FUZZ_CHECK(!judge->started || judge->gone, "GONE never came");
    FUZZ_CHECK(!judge->started || judge->published == XENBUS_CLOSED || judge->removed, "state %d",
               (int)judge->published);
}
