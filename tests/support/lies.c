/* Lies, told one at a time. See lies.h. */
#include "tests/support/lies.h"

/* ---- memory ---------------------------------------------------------------------------------- */

uint32_t lies_ref(const struct lies *lies, const struct lies_told *told, uint32_t at)
{
    return lies->front->dialect->index.pages > 0 ? told->data.page_refs[at] : told->call.refs[at];
}

void lies_set_ref(const struct lies *lies, struct lies_told *told, uint32_t at, uint32_t ref)
{
    const struct dialect_index *index = &lies->front->dialect->index;

    if (index->pages > 0)
        shared_store(&told->data.area, index->refs_at + 4 * at, ref);
    else
        told->call.refs[at] = ref;
}

/* A page of the front's, granted to another domain, or taken back at once. */
static uint32_t other_ref(const struct lies *lies, bool taken_back)
{
    struct rogue *front = lies->front;
    struct ev ev;

    hv_share(front->hv, 9, taken_back ? PAIR_BACK : lies->stranger, 1);
    rogue_take(front, EV_SHARE, &ev);
    uint32_t ref = ev.share.refs[0], handle = ev.share.handle;
    if (taken_back) {
        hv_unshare(front->hv, 9, handle);
        rogue_take(front, EV_UNSHARE, &ev);
    }
    return ref;
}

/* The same of a port. */
static uint32_t other_port(const struct lies *lies, bool taken_back)
{
    struct rogue *front = lies->front;
    struct ev ev;

    hv_port_alloc(front->hv, 9, taken_back ? PAIR_BACK : lies->stranger);
    rogue_take(front, EV_PORT_ALLOC, &ev);
    uint32_t port = ev.port;
    if (taken_back) {
        hv_port_close(front->hv, 9, port);
        rogue_take(front, EV_PORT_CLOSE, &ev);
    }
    return port;
}

static uint32_t value_of(const struct lies *lies, const struct lie *lie,
                         const struct lies_told *told)
{
    bool port = lie->place == LIES_PORT;

    switch (lie->source) {
    case LIES_NUMBER: return lie->number;
    case LIES_BEYOND: return lies->order_most + 1;
    case LIES_OF_ANOTHER: return port ? lies->strange_port : lies->strange_ref;
    case LIES_TO_ANOTHER:
    case LIES_TAKEN_BACK:
        return (port ? other_port : other_ref)(lies, lie->source == LIES_TAKEN_BACK);
    case LIES_RINGS: return port ? lies->front->port : lies->front->ring_ref;
    case LIES_OWN_FIRST: return lies_ref(lies, told, 0);
    case LIES_OWN_INDEX: return told->call.refs[0];
    case LIES_BOUND: return lies->good_port;
    }
    return 0;
}

static void say(const struct lies *lies, enum lies_place place, uint32_t value,
                struct lies_told *told)
{
    uint32_t last = (1u << lies->front->order) - 1;

    switch (place) {
    case LIES_NOWHERE: break;
    case LIES_ORDER:
        shared_store(&told->data.area, lies->front->dialect->index.order_at, value);
        break;
    case LIES_INDEX: told->call.refs[0] = value; break;
    case LIES_FIRST: lies_set_ref(lies, told, 0, value); break;
    case LIES_SECOND: lies_set_ref(lies, told, 1, value); break;
    case LIES_LAST: lies_set_ref(lies, told, last, value); break;
    case LIES_ALL:
        for (uint32_t i = 0; i <= last; i++)
            lies_set_ref(lies, told, i, value);
        break;
    case LIES_PORT: told->call.evtchn = value; break;
    }
}

static const struct lie all[] = {
    {"order 0", LIES_ORDER, LIES_NUMBER, 0, -ERR_INVAL, 0},
    {"order beyond the backend's", LIES_ORDER, LIES_BEYOND, 0, -ERR_INVAL, 0},
    {"order 31", LIES_ORDER, LIES_NUMBER, 31, -ERR_INVAL, 0},
    {"order 2^31", LIES_ORDER, LIES_NUMBER, 0x80000000, -ERR_INVAL, 0},
#define REF(text, source, number)                                                                  \
    {text ", first", LIES_FIRST, source, number, -ERR_INVAL, 0},                                   \
        {text ", last", LIES_LAST, source, number, -ERR_INVAL, 0},                                 \
    {                                                                                              \
        text ", index page", LIES_INDEX, source, number, -ERR_INVAL, 0                             \
    }
    REF("a reserved ref", LIES_NUMBER, 7),
    REF("a ref that is none", LIES_NUMBER, 4000),
    REF("ref 2^32 - 1", LIES_NUMBER, 0xffffffff),
    REF("a ref of another domain", LIES_OF_ANOTHER, 0),
    REF("a ref granted to another domain", LIES_TO_ANOTHER, 0),
    REF("a ref that was taken back", LIES_TAKEN_BACK, 0),
    REF("the command ring's ref", LIES_RINGS, 0),
    {"refs repeat, one after the other", LIES_SECOND, LIES_OWN_FIRST, 0, -ERR_INVAL, 0},
    {"refs repeat, first and last", LIES_LAST, LIES_OWN_FIRST, 0, -ERR_INVAL, 0},
    {"refs are all one", LIES_ALL, LIES_OWN_FIRST, 0, -ERR_INVAL, 0},
    {"the index page as data", LIES_SECOND, LIES_OWN_INDEX, 0, -ERR_INVAL, 0},
    {"taken back before the map", LIES_NOWHERE, LIES_NUMBER, 0, -ERR_INVAL, 1},
    {"taken back behind the index page", LIES_NOWHERE, LIES_NUMBER, 0, -ERR_INVAL, 2},
    {"port 0", LIES_PORT, LIES_NUMBER, 0, -ERR_INVAL, 0},
    {"a port that is none", LIES_PORT, LIES_NUMBER, 4000, -ERR_INVAL, 0},
    {"port 2^31", LIES_PORT, LIES_NUMBER, 0x80000000, -ERR_INVAL, 0},
    {"a port that is bound", LIES_PORT, LIES_BOUND, 0, -ERR_INVAL, 0},
    {"the ring's port", LIES_PORT, LIES_RINGS, 0, -ERR_INVAL, 0},
    {"a port that was closed", LIES_PORT, LIES_TAKEN_BACK, 0, -ERR_INVAL, 0},
    {"a port of another domain", LIES_PORT, LIES_OF_ANOTHER, 0, -ERR_INVAL, 0},
    {"a port offered to another domain", LIES_PORT, LIES_TO_ANOTHER, 0, -ERR_SRCH, 0},
};

/* ---- telling --------------------------------------------------------------------------------- */

const struct lie *lies_at(uint32_t i)
{
    return i < sizeof(all) / sizeof(all[0]) ? &all[i] : NULL;
}

bool lies_can(const struct lies *lies, const struct lie *lie, enum lies_way way)
{
    const struct dialect *dialect = lies->front->dialect;
    bool index = lie->place == LIES_ORDER || lie->place == LIES_INDEX ||
                 lie->source == LIES_OWN_INDEX || lie->revoked_map > 1;

    return (!index || dialect->index.pages > 0) && (lie->revoked_map == 0 || lies->revoke) &&
           (way != LIES_SOCKET_CONNECT || dialect_has(dialect, CALL_SOCKET));
}

enum { LIAR = 5 }; /* the id of its socket */

static struct call request(const struct lies *lies, const struct rogue_data *data,
                           enum lies_way way)
{
    struct call call = rogue_connect(4, LIAR, data);

    if (way == LIES_ACCEPT) {
        call.kind = CALL_ACCEPT;
        call.sockid = lies->listener;
        call.new_sockid = LIAR;
    }
    return call;
}

bool lies_tell(struct lies *lies, const struct lie *lie, enum lies_way way)
{
    const struct call socket = {.id = 3,
                                .kind = CALL_SOCKET,
                                .sockid = LIAR,
                                .family = CALL_AF_INET,
                                .type = CALL_SOCK_STREAM};
    const struct call release = {.id = 6, .kind = CALL_RELEASE, .sockid = LIAR};
    bool made = way == LIES_SOCKET_CONNECT, right = true;
    struct lies_told told;

    rogue_share(lies->front, &told.data);
    told.call = request(lies, &told.data, way);
    say(lies, lie->place, value_of(lies, lie, &told), &told);
    if (made)
        right = lies->ask(lies, &socket) == 0;
    if (lie->revoked_map > 0)
        lies->revoke(lies, lie->revoked_map, &told.data);
    right = lies->ask(lies, &told.call) == lie->ret && right;
    if (made) /* it stayed */
        right = lies->ask(lies, &socket) == -ERR_EXIST && lies->ask(lies, &release) == 0 && right;
    if (lie->revoked_map > 0)
        rogue_port_close(lies->front, &told.data);
    else
        rogue_unshare(lies->front, &told.data);
    return right;
}

uint32_t lies_of_ids(struct lies *lies)
{
    static const enum call_kind kinds[] = {CALL_CONNECT, CALL_BIND, CALL_ACCEPT, CALL_SOCKET};
    const uint64_t taken[] = {lies->good, lies->listener};
    struct rogue_data data;
    uint32_t wrong = 0;

    rogue_share(lies->front, &data);
    for (uint32_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (uint32_t t = 0; dialect_has(lies->front->dialect, kinds[k]) && t < 2; t++) {
            struct call call = rogue_connect(3, taken[t], &data);
            call.kind = kinds[k];
            call.family = CALL_AF_INET;
            call.type = CALL_SOCK_STREAM;
            call.new_sockid = taken[t];
            call.sockid = kinds[k] == CALL_ACCEPT ? lies->listener : taken[t];
            wrong += lies->ask(lies, &call) != -ERR_EXIST;
        }
    }
    rogue_unshare(lies->front, &data);
    return wrong;
}
