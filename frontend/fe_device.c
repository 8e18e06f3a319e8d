/*
 * The frontend's xenbus machine: find the backend, offer a ring, connect, close, connect again.
 *
 *   1 Initialising  wait for the backend's 2, read what it offers
 *   3 Initialised   ring-ref, port (and the order, if the backend names a maximum) published
 *   4 Connected     after the backend's 4: UP
 *   5 Closing       we stop or found the backend broken; every socket fails; GONE
 *   6 Closed        ring and port given back, after the backend closed or went away
 *
 * One store operation of a kind is under way at a time; a watch that fires meanwhile asks for one
 * more read. Source: protocol.md 1.1, 7 (16, 20).
 */
#include "frontend/fe_private.h"

static const char *const phase_names[FE_PHASES] = {
    [FE_OFF] = "off",
    [FE_FINDING] = "finding",
    [FE_WAITING] = "waiting",
    [FE_READING] = "reading",
    [FE_PREPARING] = "preparing",
    [FE_OFFERED] = "offered",
    [FE_CONNECTED] = "connected",
    [FE_CLOSING] = "closing",
    [FE_LEAVING] = "leaving",
};

#define TO(phase) (1u << (phase))

/* Allowed transitions; each line is one of the header's or of protocol.md 1.1's steps. */
static const uint32_t phase_next[FE_PHASES] = {
    [FE_OFF] = TO(FE_FINDING),                        /* 1.1 step 1: both at state 1 */
    [FE_FINDING] = TO(FE_WAITING) | TO(FE_CLOSING),   /* backend-id known */
    [FE_WAITING] = TO(FE_READING) | TO(FE_CLOSING),   /* step 2: back at 2 */
    [FE_READING] = TO(FE_PREPARING) | TO(FE_CLOSING), /* 7 (20): order agreed */
    [FE_PREPARING] = TO(FE_OFFERED) | TO(FE_CLOSING), /* step 3: front at 3 */
    [FE_OFFERED] = TO(FE_CONNECTED) | TO(FE_CLOSING), /* steps 4, 5: both at 4 */
    [FE_CONNECTED] = TO(FE_CLOSING),                  /* shutdown: 5 */
    [FE_CLOSING] = TO(FE_LEAVING),                    /* back 5 or 6, or gone */
    [FE_LEAVING] = TO(FE_OFF),                        /* front 6 */
};

static void phase_set(struct fe *fe, enum fe_phase to, struct step_out *out)
{
    assert(phase_next[fe->phase] & TO(to));
    step_act(out, ACT_TRACE, fe_token(fe))->trace =
        (struct act_trace){"device", phase_names[fe->phase], phase_names[to]};
    fe->phase = to;
}

static void watch(struct fe *fe, enum step_side side, enum dialect_key key, struct step_out *out)
{
    step_act(out, ACT_STORE_WATCH, fe_token(fe))->store =
        (struct act_store){side, key, fe->backend};
    fe->ops++;
}

static void read_node(struct fe *fe, enum step_side side, enum dialect_key key,
                      struct step_out *out)
{
    step_act(out, ACT_STORE_READ, fe_token(fe))->store = (struct act_store){side, key, fe->backend};
    fe->ops++;
}

/* Publish `count` nodes of fe->nodes and a state with them, as one transaction. */
static void publish(struct fe *fe, uint32_t count, enum xenbus_state state, struct step_out *out)
{
    fe->nodes[count].key = DIALECT_KEY_STATE;
    xenbus_print(fe->nodes[count].value, state);
    fe->published = state;
    step_act(out, ACT_STORE_PUBLISH, fe_token(fe))->publish =
        (struct act_publish){fe->nodes, count + 1};
    fe->ops++;
}

/* Operations under way, but for the one read that a backend writing its state all the time keeps
 * going. */
static uint32_t under_way(const struct fe *fe)
{
    return fe->ops - (fe->reading_state ? 1u : 0u);
}

static void closing(struct fe *fe, struct step_out *out)
{
    phase_set(fe, FE_CLOSING, out);
    fe->patience_ns = out->now_ns + XENBUS_PATIENCE_NS;
    fe->gone_reported = false;
    fe->doubting = false;
    fe_sweep_start(fe);
}

static bool is_going(const struct fe *fe)
{
    return fe->phase == FE_CLOSING || fe->phase == FE_LEAVING || fe->phase == FE_OFF;
}

void fe_device_close(struct fe *fe, struct step_out *out)
{
    if (is_going(fe))
        return;
    closing(fe, out);
    fe->stopping = true; /* we publish Closing ourselves once nothing of ours is under way */
}

static void leave(struct fe *fe, struct step_out *out)
{
    phase_set(fe, FE_LEAVING, out);
    fe->patience_ns = STEP_NEVER;
    if (fe->ring_ported) {
        step_act(out, ACT_PORT_CLOSE, fe_token(fe))->port.port = fe->ring_port;
        fe->ops++;
    }
    if (fe->ring_shared) {
        step_act(out, ACT_UNSHARE, fe_token(fe));
        fe->ops++;
    }
    step_act(out, ACT_STORE_UNWATCH, fe_token(fe));
    fe->ops++;
    fe->ring_shared = fe->ring_ported = false;
    fe_ring_forget(fe);
}

/* Closing goes on when every socket has failed, nothing is under way, and the backend let go. */
static void closing_on(struct fe *fe, struct step_out *out)
{
    if (fe->sweeping || under_way(fe) > 0)
        return;
    if (!fe->gone_reported) {
        fe->gone_reported = true;
        step_act(out, ACT_GONE, fe_token(fe));
    }
    bool offered = fe->published == XENBUS_INITIALISED || fe->published == XENBUS_CONNECTED;
    bool let_go = fe->other != XENBUS_INITIALISED && fe->other != XENBUS_CONNECTED;
    if (fe->stopping && offered)
        publish(fe, 0, XENBUS_CLOSING, out);
    else if (let_go || !fe->ring_shared || fe->published == XENBUS_INITIALISING)
        leave(fe, out);
}

/* A backend that does not let go is left behind; what it maps stays quarantined. */
void fe_device_patience(struct fe *fe, struct step_out *out)
{
    if (fe->phase != FE_CLOSING || out->now_ns < fe->patience_ns)
        return;
    fe->patience_ns = out->now_ns + XENBUS_PATIENCE_NS;
    closing_on(fe, out); /* tells GONE, or publishes 5 first, if that was still to do */
    if (fe->phase != FE_CLOSING || fe->sweeping || under_way(fe) > 0)
        return;
    fe_fault(fe, FAULT_SILENT, fe->published, fe->other, out);
    leave(fe, out);
}

void fe_device_swept(struct fe *fe, struct step_out *out)
{
    if (fe->phase == FE_CLOSING)
        closing_on(fe, out);
}

static void leaving_on(struct fe *fe, struct step_out *out)
{
    if (fe->ops > 0)
        return;
    if (fe->published != XENBUS_CLOSED) {
        publish(fe, 0, XENBUS_CLOSED, out);
        return;
    }
    phase_set(fe, FE_OFF, out);
    fe->stopping = false;
    fe->other = XENBUS_UNKNOWN;
    fe->reading_state = fe->reread_state = false;
}

static void prepare(struct fe *fe, struct step_out *out)
{
    phase_set(fe, FE_PREPARING, out);
    fe->failed = 0;
    step_act(out, ACT_SHARE, fe_token(fe))->share = (struct act_share){fe->backend, 1};
    step_act(out, ACT_PORT_ALLOC, fe_token(fe))->port = (struct act_port){fe->backend, 0};
    fe->ops += 2;
}

static void offer(struct fe *fe, struct step_out *out)
{
    uint32_t count = 2;

    phase_set(fe, FE_OFFERED, out);
    fe->nodes[0].key = DIALECT_KEY_RING_REF;
    xenbus_print(fe->nodes[0].value, fe->ring_ref);
    fe->nodes[1].key = DIALECT_KEY_PORT;
    xenbus_print(fe->nodes[1].value, fe->ring_port);
    if (fe->nodes[2].key == DIALECT_KEY_ORDER) { /* only if the backend named a maximum */
        xenbus_print(fe->nodes[2].value, fe->config.order);
        count = 3;
    }
    count += step_constants(&fe->nodes[count], fe->config.dialect->front_nodes);
    publish(fe, count, XENBUS_INITIALISED, out);
}

/* The backend's state, by a read that begins after now. */
static void read_state(struct fe *fe, struct step_out *out)
{
    if (fe->reading_state) {
        fe->reread_state = true;
        return;
    }
    fe->reading_state = true;
    read_node(fe, STEP_OTHER, DIALECT_KEY_STATE, out);
}

static void refuse(struct fe *fe, enum fault_reason reason, uint32_t index, uint32_t value,
                   struct step_out *out) /* tidy: a fault's three members and its turn */
{
    fe_fault(fe, reason, index, value, out);
    fe_device_close(fe, out);
}

/* A node of the backend's is not there, which is its fault only if it still says it is up: those of
 * one that died have rightly gone. */
static void doubt(struct fe *fe, enum dialect_key key, struct step_out *out)
{
    fe->doubting = true;
    fe->doubted = key;
    read_state(fe, out);
}

/* The backend's largest order, or none, which may say one, too. A value that could not be read is
 * not none. */
static void max_order_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    uint32_t silent = fe->config.dialect->order_silent;
    bool absent = ev->ret == -ERR_NOENT;
    int64_t value = absent ? silent : ev->ret < 0 ? -1 : xenbus_parse(ev->store.value, UINT32_MAX);
    bool told = !absent && fe->config.dialect->keys[DIALECT_KEY_ORDER];

    fe->nodes[2].key = told ? DIALECT_KEY_ORDER : DIALECT_KEYS;
    if (xenbus_is_gone(ev->ret) && (!absent || fe->config.order != silent))
        doubt(fe, DIALECT_KEY_MAX_ORDER, out);
    else if (value < 0)
        refuse(fe, FAULT_STORE_VALUE, DIALECT_KEY_MAX_ORDER, 0, out);
    else if (fe->config.order > value)
        refuse(fe, FAULT_ORDER, fe->config.order, (uint32_t)value, out);
}

/* The versions and the calls it knows. */
static void constant_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    const struct dialect_node *constant =
        dialect_node_find(fe->config.dialect->back_nodes, ev->store.key);

    if (xenbus_is_gone(ev->ret))
        doubt(fe, ev->store.key, out);
    else if (ev->ret < 0)
        refuse(fe, FAULT_STORE_VALUE, ev->store.key, 0, out);
    else if (!dialect_node_fits(constant, ev->store.value) ||
             (fe_has(fe, QUIRK_EXACT_VERSIONS) && strcmp(ev->store.value, constant->value) != 0))
        refuse(fe, FAULT_VERSION, ev->store.key, 0, out);
}

/* One of the nodes that say what the backend offers. */
static void offer_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    fe->reads--;
    if (fe->phase != FE_READING || fe->doubting)
        return;
    if (ev->store.key == DIALECT_KEY_MAX_ORDER)
        max_order_read(fe, ev, out);
    else
        constant_read(fe, ev, out);
    if (fe->reads == 0 && fe->phase == FE_READING && !fe->doubting)
        prepare(fe, out);
}

static void read_offer(struct fe *fe, struct step_out *out)
{
    const struct dialect_node *nodes = fe->config.dialect->back_nodes;
    uint32_t constants = dialect_node_count(nodes);

    phase_set(fe, FE_READING, out);
    read_node(fe, STEP_OTHER, DIALECT_KEY_MAX_ORDER, out);
    for (uint32_t i = 0; i < constants; i++)
        read_node(fe, STEP_OTHER, nodes[i].key, out);
    fe->reads = (uint8_t)(1 + constants);
}

/* The backend is up, and yet a node of its offer is missing. */
static void doubt_confirmed(struct fe *fe, struct step_out *out)
{
    uint32_t silent = fe->config.dialect->order_silent;

    if (fe->doubted == DIALECT_KEY_MAX_ORDER && silent > 0)
        refuse(fe, FAULT_ORDER, fe->config.order, silent, out);
    else
        refuse(fe, FAULT_STORE_VALUE, fe->doubted, 0, out);
}

/* What the backend's state means to us in each phase. */
static void other_changed(struct fe *fe, struct step_out *out)
{
    enum xenbus_state other = fe->other;

    if (other == XENBUS_INITIALISING && fe_has(fe, QUIRK_UNWAITED))
        other = XENBUS_INITWAIT;
    switch (fe->phase) {
    case FE_WAITING:
        if (other == XENBUS_INITWAIT)
            read_offer(fe, out);
        break;
    case FE_OFFERED:
        if (other == XENBUS_CONNECTED && under_way(fe) == 0) {
            phase_set(fe, FE_CONNECTED, out);
            publish(fe, 0, XENBUS_CONNECTED, out);
            step_act(out, ACT_UP, fe_token(fe));
        } else if (other != XENBUS_INITWAIT && other != XENBUS_CONNECTED) {
            closing(fe, out);
        }
        break;
    case FE_READING:
    case FE_PREPARING:
        if (other != XENBUS_INITWAIT)
            closing(fe, out);
        break;
    case FE_CONNECTED:
        if (other != XENBUS_CONNECTED && other != XENBUS_RECONFIGURING &&
            other != XENBUS_RECONFIGURED)
            closing(fe, out);
        break;
    case FE_OFF:
    case FE_FINDING:
    case FE_CLOSING:
    case FE_LEAVING:
    case FE_PHASES: break;
    }
}

static void state_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    int64_t state = xenbus_state_read(ev->ret, ev->store.value);

    fe->reading_state = false;
    if (fe->reread_state && fe->phase != FE_LEAVING) {
        fe->reading_state = true; /* what was read is believed all the same: it was true once */
        read_node(fe, STEP_OTHER, DIALECT_KEY_STATE, out);
    }
    fe->reread_state = false;
    if (state < 0) {
        if (!is_going(fe)) {
            fe_fault(fe, FAULT_STORE_VALUE, DIALECT_KEY_STATE, 0, out);
            fe_device_close(fe, out);
        }
        return;
    }
    fe->other = (enum xenbus_state)state;
    other_changed(fe, out);
    if (fe->doubting && !fe->reading_state && fe->phase == FE_READING)
        doubt_confirmed(fe, out);
}

static void backend_id_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    int64_t domid = ev->ret < 0 ? -1 : xenbus_parse(ev->store.value, XENBUS_DOMID_MAX);

    if (ev->ret == -ERR_NOENT)
        return; /* the toolstack has not written it yet; the watch will tell */
    if (domid < 0) {
        fe_fault(fe, FAULT_STORE_VALUE, DIALECT_KEY_BACKEND_ID, 0, out);
        fe_device_close(fe, out);
        return;
    }
    fe->backend = (uint16_t)domid;
    phase_set(fe, FE_WAITING, out);
    if (fe->published != XENBUS_INITIALISING)
        publish(fe, 0, XENBUS_INITIALISING, out); /* again, after Closed */
    watch(fe, STEP_OTHER, DIALECT_KEY_STATE, out);
}

/* Whether the device we offered is still the one there is. */
static bool is_offered(const struct fe *fe)
{
    return fe->phase == FE_OFFERED || fe->phase == FE_CONNECTED;
}

/* The toolstack wrote to our directory: where it made a new device for a backend that is back, what
 * we published is gone, and the new backend waits for it in the same state as the old one did. */
static void own_state_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    bool ours = xenbus_state_read(ev->ret, ev->store.value) == (int64_t)fe->published;

    if (!is_offered(fe))
        return;
    if (ours)
        other_changed(fe, out);
    else
        closing(fe, out);
}

static void watched(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    if (ev->store.key == DIALECT_KEY_BACKEND_ID) {
        if (fe->phase == FE_FINDING)
            read_node(fe, STEP_OWN, DIALECT_KEY_BACKEND_ID, out);
        else if (is_offered(fe))
            read_node(fe, STEP_OWN, DIALECT_KEY_STATE, out);
    } else if (fe->phase != FE_OFF && fe->phase != FE_LEAVING) {
        read_state(fe, out);
    }
}

static void node_read(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    if (ev->store.key == DIALECT_KEY_STATE && ev->store.side == STEP_OWN)
        own_state_read(fe, ev, out);
    else if (ev->store.key == DIALECT_KEY_STATE)
        state_read(fe, ev, out);
    else if (ev->store.key != DIALECT_KEY_BACKEND_ID)
        offer_read(fe, ev, out);
    else if (fe->phase == FE_FINDING)
        backend_id_read(fe, ev, out);
}

static void shared(struct fe *fe, const struct ev *ev)
{
    if (ev->kind == EV_SHARE && ev->ret >= 0) {
        fe->ring_shared = true;
        fe->ring_ref = ev->share.refs[0];
        cmdring_front_init(&fe->ring, &ev->share.area, fe->config.dialect->request_bytes);
    } else if (ev->kind == EV_PORT_ALLOC && ev->ret >= 0) {
        fe->ring_ported = true;
        fe->ring_port = ev->port;
    } else {
        fe->failed = -ev->ret;
        fe->failed_kind = ev->kind;
    }
}

/* An operation of ours failed: the other side will never see or tell what we wait for. */
static void ours_failed(struct fe *fe, enum ev_kind kind, int32_t error, struct step_out *out)
{
    fe_fault(fe, FAULT_STORE, (uint32_t)kind, (uint32_t)error, out);
    fe_device_close(fe, out);
}

/* The toolstack removed the device: nobody reads our state any more, and we close. */
static void removed(struct fe *fe, struct step_out *out)
{
    fe->other = XENBUS_UNKNOWN;
    fe->published = XENBUS_CLOSED;
    fe_device_close(fe, out);
}

/* Whatever waited for the last operation under way. */
static void settled(struct fe *fe, struct step_out *out)
{
    if (fe->phase == FE_PREPARING && fe->failed > 0) {
        ours_failed(fe, fe->failed_kind, fe->failed, out);
    } else if (fe->phase == FE_PREPARING && fe->ring_shared && fe->ring_ported &&
               under_way(fe) == 0) {
        offer(fe, out);
    } else if (fe->phase == FE_OFFERED) {
        other_changed(fe, out);
    } else if (fe->phase == FE_CLOSING) {
        closing_on(fe, out);
    } else if (fe->phase == FE_LEAVING) {
        leaving_on(fe, out);
    }
}

void fe_device_step(struct fe *fe, const struct ev *ev, struct step_out *out)
{
    if (ev->kind == EV_START) {
        assert(fe->phase == FE_OFF && fe->ops == 0);
        phase_set(fe, FE_FINDING, out);
        watch(fe, STEP_OWN, DIALECT_KEY_BACKEND_ID, out);
        return;
    }
    if (ev->kind == EV_STOP) {
        fe_device_close(fe, out);
        fe->stopping |= fe->phase == FE_CLOSING; /* also if the backend closed first */
        settled(fe, out);
        return;
    }
    if (ev->kind == EV_STORE) {
        watched(fe, ev, out);
        return;
    }
    assert(fe->ops > 0);
    fe->ops--;
    if (ev->kind == EV_STORE_READ)
        node_read(fe, ev, out);
    else if (ev->kind == EV_SHARE || ev->kind == EV_PORT_ALLOC)
        shared(fe, ev);
    else if (ev->kind == EV_STORE_PUBLISH && xenbus_is_gone(ev->ret))
        removed(fe, out);
    else if (ev->ret < 0 && !is_going(fe))
        ours_failed(fe, ev->kind, -ev->ret, out);
    settled(fe, out);
}
