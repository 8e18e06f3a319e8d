/*
 * The backend's command ring: requests in, replies out through the one function that writes them.
 * At most SIZE requests a step, and never more than the action array has room for.
 * Source: protocol.md 4; architecture 5 rule 4, 7.
 */
#include "backend/be_private.h"

/* Model: cmdring.pml, hostile.pml. */
void be_reply(struct be *be, struct be_request *request, int32_t ret)
{
    uint32_t slot[DIALECT_SLOT_MAX / 4];
    struct call_reply reply = {request->id, request->code, request->sockid, ret};

    assert(request->pending && ret <= 0 && ret >= -ERR_MAX);
    request->pending = false;
    be->connects -= request->code == be->config.dialect->calls[CALL_CONNECT].code ? 1u : 0u;
    be->counters.forgotten += request->forgotten ? 1u : 0u;
    if (!be->ring_mapped || be->broken || request->forgotten) /* nobody to answer any more */
        return;
    dialect_pack_reply(be->config.dialect, &reply, slot);
    cmdring_back_put(&be->ring, slot, be->config.dialect->response_bytes);
    be->counters.replies++;
    be->reply_notify = true;
}

/* Model: cmdring.pml. */
void be_ring_flush(struct be *be, struct step_out *out)
{
    if (!be->reply_notify)
        return;
    be->reply_notify = false;
    if (be->ring_mapped && cmdring_back_push(&be->ring))
        step_act(out, ACT_NOTIFY, be_token(be))->port.port = be->ring_port;
}

/* Model: cmdring.pml, hostile.pml. */
static void take_request(struct be *be, struct step_out *out)
{
    uint32_t slot[DIALECT_SLOT_MAX / 4];
    struct call call;

    cmdring_back_get(&be->ring, slot);
    dialect_unpack_call(be->config.dialect, slot, &call);
    be->counters.requests++;
    be_call(be, &call, out);
}

/* One pass over what is there; returns whether another is due after arming. */
static bool pass(struct be *be, uint32_t *budget, struct step_out *out)
{
    uint32_t claimed;
    int count = cmdring_back_pass(&be->ring, &claimed);

    if (count < 0) {
        be_fault(be, FAULT_CMDRING_WINDOW, be->ring.req_cons, claimed, out);
        be_device_broken(be, out);
        return false;
    }
    for (int i = 0; i < count; i++) {
        be->held = be_has(be, QUIRK_SERIAL_CONNECT) && be->connects > 0;
        if (be->held)
            return false;
        if (*budget == 0 || step_room(out) < 3 * BE_SOCK_ACTS) {
            out->more = true;
            return false;
        }
        *budget -= 1;
        take_request(be, out);
    }
    return count > 0;
}

/* Model: cmdring.pml, hostile.pml. */
void be_ring_port(struct be *be, struct step_out *out)
{
    uint32_t budget = be->ring.size;

    be->held = false;
    if (be->phase != BE_CONNECTED)
        return;
    while (pass(be, &budget, out)) {
        /* answers first: a front that waits for room may then refill what this pass looks at */
        be_ring_flush(be, out);
        cmdring_back_arm(&be->ring);
    }
}
