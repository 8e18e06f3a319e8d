/*
 * The backend's xenbus machine, for one device.
 *
 *   2 InitWait   max order published; waits for the front's Initialised
 *   4 Connected  ring mapped, port bound; never without (protocol.md 5.1, c8d70a29d6bb)
 *   5 Closing    every socket, then ring and port let go; waits for the front to close too
 *   6 Closed     back to 2 when the front begins again at 1
 *
 * Source: protocol.md 1.1 (shutdown as coded), 7 (16, 20).
 */
#include "backend/be_private.h"

static const char *const phase_names[BE_PHASES] = {
    [BE_OFF] = "off",
    [BE_WAITING] = "waiting",
    [BE_READING] = "reading",
    [BE_ATTACHING] = "attaching",
    [BE_CONNECTED] = "connected",
    [BE_CLOSING] = "closing",
    [BE_CLOSED] = "closed",
};

#define TO(phase) (1u << (phase))

static const uint32_t phase_next[BE_PHASES] = {
    [BE_OFF] = TO(BE_WAITING),                          /* 1.1 step 2: back 2 */
    [BE_WAITING] = TO(BE_READING) | TO(BE_CLOSING),     /* step 4: front 3 or 4 */
    [BE_READING] = TO(BE_ATTACHING) | TO(BE_CLOSING),   /* step 4: map, bind */
    [BE_ATTACHING] = TO(BE_CONNECTED) | TO(BE_CLOSING), /* step 4: back 4 */
    [BE_CONNECTED] = TO(BE_CLOSING),                    /* shutdown */
    [BE_CLOSING] = TO(BE_CLOSED),                       /* back 5, or 6 if the front left */
    [BE_CLOSED] = TO(BE_WAITING) | TO(BE_OFF),          /* the front returned to 1 */
};

static void phase_set(struct be *be, enum be_phase to, struct step_out *out)
{
    assert(phase_next[be->phase] & TO(to));
    step_act(out, ACT_TRACE, be_token(be))->trace =
        (struct act_trace){"device", phase_names[be->phase], phase_names[to]};
    be->phase = to;
}

static void read_node(struct be *be, enum dialect_key key, struct step_out *out)
{
    step_act(out, ACT_STORE_READ, be_token(be))->store =
        (struct act_store){STEP_OTHER, key, be->config.front};
    be->ops++;
}

static void publish(struct be *be, enum xenbus_state state, struct step_out *out)
{
    uint32_t count = 0;

    if (state == XENBUS_INITWAIT && !be_has(be, QUIRK_OFFERS_NOTHING)) {
        be->nodes[count].key = DIALECT_KEY_MAX_ORDER;
        xenbus_print(be->nodes[count++].value, be->config.order_max);
        count += step_constants(&be->nodes[count], be->config.dialect->back_nodes);
    }
    be->nodes[count].key = DIALECT_KEY_STATE;
    xenbus_print(be->nodes[count++].value, state);
    be->published = state;
    step_act(out, ACT_STORE_PUBLISH, be_token(be))->publish =
        (struct act_publish){be->nodes, count};
    be->ops++;
}

static void closing(struct be *be, struct step_out *out)
{
    phase_set(be, BE_CLOSING, out);
    be->sweeping = true;
    be->sweep_next = 0;
}

static bool is_going(const struct be *be)
{
    return be->phase == BE_CLOSING || be->phase == BE_CLOSED || be->phase == BE_OFF;
}

void be_device_broken(struct be *be, struct step_out *out)
{
    be->broken = true;
    if (!is_going(be))
        closing(be, out);
}

static void front_refused(struct be *be, enum fault_reason reason, uint32_t index, uint32_t value,
                          struct step_out *out) /* tidy: a fault's three members and its turn */
{
    if (is_going(be)) /* said already */
        return;
    be_fault(be, reason, index, value, out);
    be_device_broken(be, out);
}

bool be_order_fits(const struct be *be, uint32_t order)
{
    bool none = order == 0 && be_has(be, QUIRK_ORDER_ZERO) && be->config.dialect->index.pages > 0;

    return none || (order >= be->config.dialect->order_min && order <= be->config.order_max);
}

static void attach(struct be *be, struct step_out *out)
{
    bool told = be->config.dialect->keys[DIALECT_KEY_ORDER];

    if (told && !be_order_fits(be, be->order)) {
        front_refused(be, FAULT_ORDER, be->config.order_max, be->order, out);
        return;
    }
    phase_set(be, BE_ATTACHING, out);
    step_act(out, ACT_MAP, be_token(be))->map =
        (struct act_map){be->config.front, 1, &be->ring_ref};
    step_act(out, ACT_PORT_BIND, be_token(be))->port =
        (struct act_port){be->config.front, be->front_port};
    be->ops += 2;
}

/* The front's state has changed, or is doubted: read it, by a read that begins after now. */
static void watched(struct be *be, struct step_out *out)
{
    if (be->phase == BE_OFF || be->unwatching)
        return;
    if (be->reading_state) {
        be->reread_state = true;
        return;
    }
    be->reading_state = true;
    read_node(be, DIALECT_KEY_STATE, out);
}

/* Something of the front's is not there, which is its fault only if it still says it is up. */
static void doubt(struct be *be, enum dialect_key key, struct step_out *out)
{
    if (be->doubting)
        return;
    be->doubting = true;
    be->doubted = key;
    watched(be, out);
}

/* One of the front's nodes. An absent order means the dialect's default. */
static void front_node(struct be *be, const struct ev *ev, struct step_out *out)
{
    bool absent = ev->ret == -ERR_NOENT && ev->store.key == DIALECT_KEY_ORDER;
    const struct dialect_node *constant =
        dialect_node_find(be->config.dialect->front_nodes, ev->store.key);
    int64_t value = ev->ret < 0 ? -1 : constant ? 0 : xenbus_parse(ev->store.value, UINT32_MAX);

    be->reads--;
    if (be->phase != BE_READING)
        return;
    if (constant && ev->ret >= 0 && !dialect_node_fits(constant, ev->store.value)) {
        front_refused(be, FAULT_VERSION, ev->store.key, 0, out);
        return;
    }
    if (absent)
        value = be->config.dialect->order_default;
    if (xenbus_is_gone(ev->ret) && !absent) {
        doubt(be, ev->store.key, out); /* the nodes of a guest that died have rightly gone */
        return;
    }
    if (value < 0) {
        front_refused(be, FAULT_STORE_VALUE, ev->store.key, 0, out);
        return;
    }
    if (ev->store.key == DIALECT_KEY_RING_REF)
        be->ring_ref = (uint32_t)value;
    else if (ev->store.key == DIALECT_KEY_PORT)
        be->front_port = (uint32_t)value;
    else if (ev->store.key == DIALECT_KEY_ORDER)
        be->order = (uint32_t)value;
    if (be->reads == 0 && !be->doubting)
        attach(be, out);
}

static void attached(struct be *be, const struct ev *ev, struct step_out *out)
{
    if (ev->kind == EV_MAP && ev->ret >= 0) {
        be->ring_mapped = true;
        cmdring_back_init(&be->ring, &ev->share.area, be->config.dialect->request_bytes);
    } else if (ev->kind == EV_PORT_BIND && ev->ret >= 0) {
        be->ring_ported = true;
        be->ring_port = ev->port;
    } else if (be->phase == BE_ATTACHING) {
        doubt(be, DIALECT_KEY_STATE, out); /* a front that closed meanwhile has taken them back */
    }
    if (be->phase == BE_ATTACHING && be->ring_mapped && be->ring_ported) {
        phase_set(be, BE_CONNECTED, out);
        publish(be, XENBUS_CONNECTED, out);
        be_ring_port(be, out); /* a front may queue before we are ready, and notify only once */
    }
}

static void begin(struct be *be, struct step_out *out)
{
    phase_set(be, BE_WAITING, out);
    be->broken = false;
    be->doubting = false;
    be->looked = false;
    publish(be, XENBUS_INITWAIT, out);
}

/* Operations under way, but for the one read that a front writing its state all the time keeps
 * going. */
static uint32_t under_way(const struct be *be)
{
    return be->ops - (be->reading_state ? 1u : 0u);
}

/* The front begins, and its state was read before, since we offered: another device may stand where
 * ours stood, whose nodes we never wrote. (A guest that died and came again so quickly that the bus
 * never saw its directory missing.) */
static void offer_again(struct be *be, struct step_out *out)
{
    if (under_way(be) == 0)
        publish(be, XENBUS_INITWAIT, out);
    else
        watched(be, out); /* `nodes` may be on their way still */
}

static void read_front(struct be *be, struct step_out *out)
{
    const struct dialect *dialect = be->config.dialect;
    uint32_t constants =
        be_has(be, QUIRK_IGNORES_VERSION) ? 0 : dialect_node_count(dialect->front_nodes);

    phase_set(be, BE_READING, out);
    read_node(be, DIALECT_KEY_RING_REF, out);
    read_node(be, DIALECT_KEY_PORT, out);
    if (dialect->keys[DIALECT_KEY_ORDER])
        read_node(be, DIALECT_KEY_ORDER, out);
    for (uint32_t i = 0; i < constants; i++)
        read_node(be, dialect->front_nodes[i].key, out);
    be->reads = (uint8_t)(2u + (dialect->keys[DIALECT_KEY_ORDER] ? 1u : 0u) + constants);
}

/* What the front's state means to us in each phase. */
static void other_changed(struct be *be, struct step_out *out)
{
    enum xenbus_state other = be->other;
    bool up = other == XENBUS_INITIALISED || other == XENBUS_CONNECTED;

    switch (be->phase) {
    case BE_WAITING:
        if (up) {
            read_front(be, out);
        } else if (other == XENBUS_CLOSING || other == XENBUS_CLOSED) {
            closing(be, out);
        } else if (other == XENBUS_INITIALISING && be->looked) {
            offer_again(be, out);
        }
        be->looked = true;
        break;
    case BE_READING:
    case BE_ATTACHING:
    case BE_CONNECTED:
        if (!up && other != XENBUS_RECONFIGURING && other != XENBUS_RECONFIGURED)
            closing(be, out);
        break;
    case BE_OFF:
    case BE_CLOSING:
    case BE_CLOSED:
    case BE_PHASES: break;
    }
}

/* The front says it is up, and yet something of it is not there. One that is Connected before we
 * were answers a backend that died, and begins again with us. */
static void doubt_confirmed(struct be *be, struct step_out *out)
{
    if (be->phase == BE_READING && be->other == XENBUS_CONNECTED) {
        closing(be, out);
    } else if (be->phase == BE_READING) {
        front_refused(be, FAULT_STORE_VALUE, be->doubted, 0, out);
    } else if (be_has(be, QUIRK_CONNECTS_ANYWAY)) {
        be->doubting = false;
        publish(be, XENBUS_CONNECTED, out);
    } else {
        front_refused(be, FAULT_MAP_RING, be->ring_ref, be->front_port, out);
    }
}

static void state_read(struct be *be, const struct ev *ev, struct step_out *out)
{
    int64_t state = xenbus_state_read(ev->ret, ev->store.value);

    be->reading_state = false;
    if (be->reread_state && !be->unwatching) {
        be->reading_state = true; /* what was read is believed all the same: it was true once */
        read_node(be, DIALECT_KEY_STATE, out);
    }
    be->reread_state = false;
    if (state < 0) {
        front_refused(be, FAULT_STORE_VALUE, DIALECT_KEY_STATE, 0, out);
        return;
    }
    be->other = (enum xenbus_state)state;
    other_changed(be, out);
    if (be->doubting && !be->reading_state)
        doubt_confirmed(be, out);
}

/* Whether the front closed too, or is not waited for any more. */
static bool front_left(const struct be *be)
{
    return be->impatient || (be->other != XENBUS_INITIALISED && be->other != XENBUS_CONNECTED &&
                             be->other != XENBUS_CLOSING);
}

/* Ring and port go when no socket uses them any more. */
static void closing_on(struct be *be, struct step_out *out)
{
    if (be->sweeping || be->live > 0 || under_way(be) > 0)
        return;
    if (be->ring_mapped) {
        step_act(out, ACT_UNMAP, be_token(be));
        be->ops++;
    }
    if (be->ring_ported) {
        step_act(out, ACT_PORT_CLOSE, be_token(be))->port.port = be->ring_port;
        be->ops++;
    }
    be->ring_mapped = be->ring_ported = false;
    if (under_way(be) > 0)
        return;
    phase_set(be, BE_CLOSED, out);
    publish(be, front_left(be) ? XENBUS_CLOSED : XENBUS_CLOSING, out);
}

/* Closed here: follow the front to 6, and to the next beginning. */
static void closed_on(struct be *be, struct step_out *out)
{
    bool anew = be->other == XENBUS_INITIALISING || be->other == XENBUS_INITIALISED;

    if (under_way(be) > 0)
        return;
    if (be->unwatching) {
        if (be->ops > 0)
            return; /* the last read of the state */
        be->unwatching = be->stopping = be->impatient = false;
        be->patience_ns = STEP_NEVER;
        phase_set(be, BE_OFF, out);
    } else if (be->published == XENBUS_CLOSING && front_left(be)) {
        publish(be, XENBUS_CLOSED, out);
    } else if (be->published == XENBUS_CLOSED && be->stopping) {
        be->unwatching = true;
        step_act(out, ACT_STORE_UNWATCH, be_token(be));
        be->ops++;
    } else if (be->published == XENBUS_CLOSED && anew) {
        begin(be, out);
        other_changed(be, out); /* it may not have waited for us */
    }
}

void be_device_on(struct be *be, struct step_out *out)
{
    if (be->phase == BE_CLOSING)
        closing_on(be, out);
    else if (be->phase == BE_CLOSED)
        closed_on(be, out);
}

/* A front that does not close when we stop is left behind. */
void be_device_patience(struct be *be, struct step_out *out)
{
    bool left = front_left(be);

    if (!be->stopping || out->now_ns < be->patience_ns)
        return;
    be->patience_ns = STEP_NEVER;
    be->impatient = true;
    if (!left)
        be_fault(be, FAULT_SILENT, be->published, be->other, out);
}

static void start(struct be *be, struct step_out *out)
{
    assert(be->phase == BE_OFF && be->ops == 0);
    begin(be, out);
    step_act(out, ACT_STORE_WATCH, be_token(be))->store =
        (struct act_store){STEP_OTHER, DIALECT_KEY_STATE, be->config.front};
    be->ops++;
}

/* We could not watch or publish. Begin again only when the front is heard of again, else a store
 * that refuses everything would have us try for ever. */
static void ours_failed(struct be *be, const struct ev *ev, struct step_out *out)
{
    front_refused(be, FAULT_STORE, (uint32_t)ev->kind, (uint32_t)-ev->ret, out);
    be->other = XENBUS_UNKNOWN;
}

/* The toolstack removed the device: nobody reads our state any more, and we close. */
static void removed(struct be *be, struct step_out *out)
{
    be->other = XENBUS_UNKNOWN;
    be->published = XENBUS_CLOSED;
    if (!is_going(be))
        closing(be, out);
}

void be_device_step(struct be *be, const struct ev *ev, struct step_out *out)
{
    if (ev->kind == EV_START) {
        start(be, out);
        return;
    }
    if (ev->kind == EV_TIME)
        return; /* be_device_patience looks next */
    if (ev->kind == EV_STOP) {
        be->stopping = be->phase != BE_OFF;
        be->patience_ns = be->stopping ? out->now_ns + XENBUS_PATIENCE_NS : STEP_NEVER;
        if (!is_going(be))
            closing(be, out);
        return;
    }
    if (ev->kind == EV_STORE) {
        watched(be, out);
        return;
    }
    assert(be->ops > 0);
    be->ops--;
    if (ev->kind == EV_STORE_READ && ev->store.key == DIALECT_KEY_STATE)
        state_read(be, ev, out);
    else if (ev->kind == EV_STORE_READ)
        front_node(be, ev, out);
    else if (ev->kind == EV_MAP || ev->kind == EV_PORT_BIND)
        attached(be, ev, out);
    else if (ev->kind == EV_STORE_PUBLISH && xenbus_is_gone(ev->ret))
        removed(be, out);
    else if (ev->ret < 0)
        ours_failed(be, ev, out);
}
