/* The fixture of core tests. See pair.h. */
#include "tests/support/pair.h"

#include <stdio.h>
#include <stdlib.h>

static void front_step(void *core, const struct ev *ev, struct step_out *out)
{
    fe_step(core, ev, out);
}

static void back_step(void *core, const struct ev *ev, struct step_out *out)
{
    be_step(core, ev, out);
}

static uint64_t front_deadline(const void *core)
{
    return fe_deadline_ns(core);
}

static uint64_t back_deadline(const void *core)
{
    return be_deadline_ns(core);
}

static uint64_t front_wire_id(const void *core, uint64_t token)
{
    return fe_wire_id(core, token); /* the only device, so its token is its id */
}

static uint64_t back_wire_id(const void *core, uint64_t token)
{
    return be_wire_id(core, token);
}

static void front_upcall(void *self, const struct act *act)
{
    struct pair *pair = self;

    assert(pair->log_count < PAIR_LOG);
    pair->log[pair->log_count++] = *act;
    pair->up |= act->kind == ACT_UP;
    pair->gone |= act->kind == ACT_GONE;
    if (pair->config.upcall)
        pair->config.upcall(pair->config.self, act);
}

static void front_observe(void *self, const struct act *act)
{
    struct pair *pair = self;

    if (act->kind == ACT_FAULT && pair->front_fault_count < 64)
        pair->front_faults[pair->front_fault_count++] = act->fault;
}

static void back_observe(void *self, const struct act *act)
{
    struct pair *pair = self;

    if (act->kind == ACT_FAULT && pair->back_fault_count < 64)
        pair->back_faults[pair->back_fault_count++] = act->fault;
}

/* The pair whose handles publish; there is one at a time in a test program. */
static struct pair *spied;
static const struct hv_ops *real_ops;

static void spy_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes, uint32_t count)
{
    char *states = hv->domid == PAIR_FRONT ? spied->front_states : spied->back_states;
    size_t length = strlen(states);

    for (uint32_t i = 0; i < count; i++)
        if (strstr(nodes[i].path, "/state") && length + 1 < sizeof(spied->front_states))
            states[length] = nodes[i].value[0];
    real_ops->store_publish(hv, token, nodes, count);
}

static void spy(struct pair *pair, struct hv *hv, struct hv_ops *ops)
{
    spied = pair;
    *ops = *hv->ops;
    real_ops = hv->ops; /* the same of both handles */
    ops->store_publish = spy_publish;
    hv->ops = ops;
}

void pair_path(const struct pair *pair, uint16_t domid, const char *key, char path[EXEC_PATH_BYTES])
{
    const char *device = pair->config.dialect->device;
    int length = domid == PAIR_FRONT
                     ? snprintf(path, EXEC_PATH_BYTES, "/local/domain/1/device/%s/0", device)
                     : snprintf(path, EXEC_PATH_BYTES, "/local/domain/0/backend/%s/1/0", device);

    if (key)
        length += snprintf(path + length, EXEC_PATH_BYTES - (size_t)length, "/%s", key);
    assert(length > 0 && length < EXEC_PATH_BYTES);
}

const char *pair_node(const struct pair *pair, uint16_t domid, const char *key)
{
    char path[EXEC_PATH_BYTES];

    pair_path(pair, domid, key, path);
    return store_text(hypervisor_store(hv_mem_tables(pair->machine)), path);
}

static void open_front(struct pair *pair)
{
    struct exec_core core = {.step = front_step,
                             .deadline_ns = front_deadline,
                             .self = pair,
                             .upcall = front_upcall,
                             .observe = front_observe,
                             .capture = pair->config.front_capture,
                             .wire_id = front_wire_id,
                             .dialect = pair->config.dialect};

    pair_path(pair, PAIR_FRONT, NULL, core.own);
    pair_path(pair, PAIR_BACK, NULL, core.other);
    pair->fe_config = (struct fe_config){.dialect = pair->config.dialect,
                                         .order = pair->config.order,
                                         .max_sockets = pair->config.max_sockets,
                                         .linger_ns = pair->config.linger_ns,
                                         .quirks = pair->config.front_quirks,
                                         .capture = pair->config.front_capture};
    pair->front = exec_create(&(struct exec_config){.hv = pair->front_hv, .max_devices = 1});
    core.slots = fe_slots(&pair->fe_config);
    core.core = malloc(fe_size(&pair->fe_config));
    pair->fe = fe_init(core.core, &pair->fe_config);
    int index = exec_add(pair->front, &core);
    assert(index == 0);
}

static void open_back(struct pair *pair)
{
    struct exec_core core = {.step = back_step,
                             .deadline_ns = back_deadline,
                             .self = pair,
                             .observe = back_observe,
                             .capture = pair->config.back_capture,
                             .wire_id = back_wire_id,
                             .dialect = pair->config.dialect};
    struct be_config config = {.dialect = pair->config.dialect,
                               .policy = &pair->policy,
                               .front = PAIR_FRONT,
                               .order_max = pair->config.back_order,
                               .max_sockets = pair->config.max_sockets,
                               .quirks = pair->config.back_quirks,
                               .capture = pair->config.back_capture};

    pair_path(pair, PAIR_BACK, NULL, core.own);
    pair_path(pair, PAIR_FRONT, NULL, core.other);
    policy_init(&pair->policy);
    pair->net = net_mem_create();
    pair->back =
        exec_create(&(struct exec_config){.hv = pair->back_hv, .net = pair->net, .max_devices = 2});
    core.slots = be_slots(&config);
    core.core = malloc(be_size(&config));
    pair->be = be_init(core.core, &config);
    int index = exec_add(pair->back, &core);
    assert(index == 0);
}

void pair_open(struct pair *pair, const struct pair_config *config)
{
    memset(pair, 0, sizeof(*pair));
    pair->config = *config;
    const struct dialect *dialect = config->dialect ? config->dialect : &dialect_xensock1;

    pair->config.dialect = dialect;
    pair->config.order = config->order ? config->order : dialect->order_default;
    pair->config.back_order = config->back_order ? config->back_order : dialect->order_max;
    pair->config.max_sockets = config->max_sockets ? config->max_sockets : 64;
    pair->machine =
        config->machine ? config->machine : hv_mem_create(&(struct hypervisor_config){0});
    pair->back_hv = hv_mem_domain(pair->machine, PAIR_BACK);
    pair->front_hv = hv_mem_domain(pair->machine, PAIR_FRONT);
    int ret = hypervisor_device_add(hv_mem_tables(pair->machine), dialect->device, PAIR_FRONT,
                                    PAIR_BACK, 0);
    assert(ret == 0 || ret == -ERR_EXIST); /* the machine had this pair before */
    spy(pair, pair->back_hv, &pair->back_ops);
    spy(pair, pair->front_hv, &pair->front_ops);
    if (!config->no_front)
        open_front(pair);
    if (!config->no_back)
        open_back(pair);
    if (config->not_started)
        return;
    if (!config->no_front)
        pair_start_front(pair);
    if (!config->no_back)
        pair_start_back(pair);
    pair_run(pair);
    assert(config->no_front || config->no_back || pair->up ||
           pair->front_fault_count + pair->back_fault_count > 0);
}

void pair_start_front(struct pair *pair)
{
    exec_post(pair->front, 0, EV_START);
}

void pair_start_back(struct pair *pair)
{
    exec_post(pair->back, 0, EV_START);
}

void pair_kill_back(struct pair *pair)
{
    exec_destroy(pair->back);
    net_destroy(pair->net);
    hv_close(pair->back_hv);
    free(pair->be);
    pair->back = NULL;
    pair->net = NULL;
    pair->back_hv = NULL;
    pair->be = NULL;
}

void pair_write(struct pair *pair, uint16_t domid, const char *key, const char *value)
{
    struct store *store = hypervisor_store(hv_mem_tables(pair->machine));
    char path[EXEC_PATH_BYTES];

    pair_path(pair, domid, key, path);
    int ret = value ? store_put(store, path, value) : store_cut(store, path);
    assert(ret == 0);
}

void pair_usage(const struct pair *pair, struct pair_usage *usage)
{
    struct hypervisor *tables = hv_mem_tables(pair->machine);

    memset(usage, 0, sizeof(*usage)); /* compared as bytes */
    hypervisor_usage(tables, PAIR_FRONT, &usage->front);
    if (pair->back_hv) {
        hypervisor_usage(tables, PAIR_BACK, &usage->back);
        usage->mapped_pages = pair->back_hv->counters.mapped_pages_now;
    }
    usage->store_nodes = store_nodes(hypervisor_store(tables));
    usage->store_watches = store_watches(hypervisor_store(tables));
    usage->net_sockets = pair->net ? net_mem_sockets(pair->net) : 0;
}

void pair_run(struct pair *pair)
{
    uint64_t before = UINT64_MAX, now = 0;

    while (now != before) {
        before = now;
        now = 0;
        if (pair->front) {
            exec_turn(pair->front, pair->now_ns);
            now += exec_counters(pair->front)->steps;
        }
        if (pair->back) {
            exec_turn(pair->back, pair->now_ns);
            now += exec_counters(pair->back)->steps;
        }
    }
}

void pair_settle(struct pair *pair)
{
    do
        pair_run(pair);
    while (net_mem_settle(pair->net) > 0);
    pair_run(pair);
}

static void no_leak(const struct hv *hv)
{
    assert(hv->counters.grants_now == 0);
    assert(hv->counters.ports_now == 0);
    assert(hv->counters.mapped_pages_now == 0);
}

void pair_close(struct pair *pair)
{
    if (pair->fe && fe_state(pair->fe) != XENBUS_CLOSED)
        exec_post(pair->front, 0, EV_STOP);
    if (pair->net)
        pair_settle(pair);
    else
        pair_run(pair);
    if (pair->be) {
        exec_post(pair->back, 0, EV_STOP);
        pair_settle(pair);
        assert(be_idle(pair->be));
        assert(net_mem_sockets(pair->net) == 0);
    }
    if (pair->fe)
        no_leak(pair->front_hv);
    if (pair->be)
        no_leak(pair->back_hv);
    if (pair->fe && pair->be) {
        struct hypervisor_usage usage;
        hypervisor_usage(hv_mem_tables(pair->machine), PAIR_FRONT, &usage);
        assert(usage.grants == 0 && usage.grants_quarantined == 0 && usage.ports == 0);
        assert(store_watches(hypervisor_store(hv_mem_tables(pair->machine))) == 0);
    }
    pair_drop(pair);
}

void pair_drop(struct pair *pair)
{
    if (pair->front)
        exec_destroy(pair->front);
    if (pair->back)
        exec_destroy(pair->back);
    if (pair->net)
        net_destroy(pair->net);
    hv_close(pair->front_hv);
    if (pair->back_hv)
        hv_close(pair->back_hv);
    if (!pair->config.machine)
        hv_mem_destroy(pair->machine);
    free(pair->fe);
    free(pair->be);
}

struct step_out *pair_call(struct pair *pair)
{
    return exec_call(pair->front, pair->now_ns);
}

void pair_call_end(struct pair *pair)
{
    exec_call_end(pair->front, 0);
}

struct call_addr pair_addr(uint16_t port)
{
    struct call_addr addr;

    call_addr4(&addr, (const uint8_t[]){127, 0, 0, 1}, port);
    return addr;
}

uint64_t pair_pending(struct pair *pair, enum ev_kind kind)
{
    struct net_mem_op op;
    uint64_t token = UINT64_MAX;

    for (uint32_t i = 0; net_mem_pending(pair->net, i, &op); i++)
        if (op.kind == kind)
            token = op.token;
    assert(token != UINT64_MAX);
    return token;
}

uint32_t pair_pending_count(struct pair *pair, enum ev_kind kind)
{
    struct net_mem_op op;
    uint32_t count = 0;

    for (uint32_t i = 0; net_mem_pending(pair->net, i, &op); i++)
        count += op.kind == kind ? 1u : 0u;
    return count;
}

int64_t pair_connect_begin(struct pair *pair, uint16_t port)
{
    struct call_addr addr = pair_addr(port);
    int64_t ret = fe_connect(pair->fe, &addr, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

int64_t pair_bind_begin(struct pair *pair, uint16_t port)
{
    struct call_addr addr = pair_addr(port);
    int64_t ret = fe_bind(pair->fe, &addr, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

int pair_listen_begin(struct pair *pair, uint64_t sock)
{
    int ret = fe_listen(pair->fe, sock, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

int64_t pair_accept_begin(struct pair *pair, uint64_t listener)
{
    int64_t ret = fe_accept(pair->fe, listener, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

int pair_poll_begin(struct pair *pair, uint64_t listener)
{
    int ret = fe_poll(pair->fe, listener, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

uint64_t pair_connect(struct pair *pair, uint64_t *back_token)
{
    int64_t sock = pair_connect_begin(pair, 80);

    assert(sock >= 0);
    pair_run(pair);
    uint64_t token = pair_pending(pair, EV_NET_CONNECT);
    if (back_token)
        *back_token = token;
    net_mem_complete(pair->net, EV_NET_CONNECT, token, 0, NULL);
    pair_run(pair);
    assert(pair_done(pair, CALL_CONNECT, (uint64_t)sock) == 0);
    return (uint64_t)sock;
}

uint64_t pair_listen(struct pair *pair, uint64_t *back_token)
{
    int64_t sock = pair_bind_begin(pair, 7000);

    assert(sock >= 0);
    pair_run(pair);
    if (back_token)
        *back_token = pair_pending(pair, EV_NET_BIND);
    pair_settle(pair);
    int ret = pair_listen_begin(pair, (uint64_t)sock);
    assert(ret == 0);
    pair_settle(pair);
    assert(pair_done(pair, CALL_LISTEN, (uint64_t)sock) == 0);
    return (uint64_t)sock;
}

/* One upcall as text: bytes written. */
static int tell(const struct act *act, char *to, size_t room)
{
    if (act->kind == ACT_DONE)
        return snprintf(to, room, "%s %d", call_name(act->done.call), act->done.ret);
    return snprintf(to, room, "%s", step_act_name(act->kind));
}

const char *pair_told(const struct pair *pair)
{
    static char text[8192];
    size_t length = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < pair->log_count; i++) {
        if (i > 0)
            length += (size_t)snprintf(text + length, sizeof(text) - length, ", ");
        length += (size_t)tell(&pair->log[i], text + length, sizeof(text) - length);
        assert(length < sizeof(text));
    }
    return text;
}

void pair_forget(struct pair *pair)
{
    pair->log_count = 0;
    pair->up = pair->gone = false;
}

uint32_t pair_upcalls(const struct pair *pair, enum act_kind kind, struct act *last)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < pair->log_count; i++) {
        if (pair->log[i].kind != kind)
            continue;
        count++;
        if (last)
            *last = pair->log[i];
    }
    return count;
}

int32_t pair_done(const struct pair *pair, enum call_kind call, uint64_t sock)
{
    for (uint32_t i = 0; i < pair->log_count; i++) {
        const struct act *act = &pair->log[i];
        if (act->kind == ACT_DONE && act->done.call == call &&
            (act->done.sock == sock || sock == UINT64_MAX))
            return act->done.ret;
    }
    return 1;
}

int64_t pair_send(struct pair *pair, uint64_t sock, const void *from, uint32_t bytes)
{
    int64_t ret = fe_send(pair->fe, &(struct fe_send){sock, from, bytes}, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

int64_t pair_recv(struct pair *pair, uint64_t sock, void *to, uint32_t bytes)
{
    int64_t ret = fe_recv(pair->fe, &(struct fe_recv){sock, to, bytes}, pair_call(pair));

    pair_call_end(pair);
    return ret;
}

int pair_release(struct pair *pair, uint64_t sock)
{
    int ret = fe_release(pair->fe, sock, pair_call(pair));

    pair_call_end(pair);
    return ret;
}
