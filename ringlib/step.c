/* Names of actions, events and faults. See step.h. */
#include "ringlib/step.h"

uint32_t step_constants(struct step_node *to, const struct dialect_node nodes[DIALECT_NODES_MAX])
{
    uint32_t count = dialect_node_count(nodes);

    for (uint32_t i = 0; i < count; i++) {
        assert(strlen(nodes[i].value) < sizeof(to[i].value));
        to[i].key = nodes[i].key;
        strcpy(to[i].value, nodes[i].value);
    }
    return count;
}

const char *step_act_name(enum act_kind kind)
{
    switch (kind) {
#define X(op)                                                                                      \
    case ACT_##op: return #op;
        STEP_OPS(X)
#undef X
    case ACT_NOTIFY: return "NOTIFY";
    case ACT_FAULT: return "FAULT";
    case ACT_TRACE: return "TRACE";
    case ACT_UP: return "UP";
    case ACT_GONE: return "GONE";
    case ACT_DONE: return "DONE";
    case ACT_READABLE: return "READABLE";
    case ACT_WRITABLE: return "WRITABLE";
    case ACT_DEVICE_NEW: return "DEVICE_NEW";
    case ACT_DEVICE_GONE: return "DEVICE_GONE";
    }
    return "?";
}

const char *step_ev_name(enum ev_kind kind)
{
    switch (kind) {
#define X(op)                                                                                      \
    case EV_##op: return #op;
        STEP_OPS(X)
#undef X
    case EV_START: return "START";
    case EV_STOP: return "STOP";
    case EV_MORE: return "MORE";
    case EV_TIME: return "TIME";
    case EV_PORT: return "PORT";
    case EV_STORE: return "STORE";
    }
    return "?";
}

const char *step_fault_name(enum fault_reason reason)
{
    switch (reason) {
#define X(name)                                                                                    \
    case FAULT_##name: return #name;
        STEP_FAULTS(X)
#undef X
    case FAULT_REASONS: break;
    }
    return "?";
}
