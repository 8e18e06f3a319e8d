/* Both ends of the command ring. See cmdring.h; every index rule stands there. */
#include "ringlib/cmdring.h"

static uint32_t slot_offset(uint32_t index, uint32_t size, uint32_t slot_bytes)
{
    return CMDRING_SLOTS + (index & (size - 1)) * slot_bytes;
}

/* ring.h's hold-off, after a publish: full fence, then does the peer's event lie in (old, new]?
 * Model: cmdring.pml. */
static bool event_crossed(const struct shared_area *page, uint32_t event_offset, uint32_t old,
                          uint32_t prod)
{
    shared_fence();
    return (uint32_t)(prod - shared_load(page, event_offset)) < (uint32_t)(prod - old);
}

uint32_t cmdring_size(uint32_t slot_bytes)
{
    uint32_t fit = (SHARED_PAGE_BYTES - CMDRING_SLOTS) / slot_bytes;
    uint32_t size = 1;

    while (size * 2 <= fit)
        size *= 2;
    return size;
}

/* Model: cmdring.pml. */
void cmdring_front_init(struct cmdring_front *ring, const struct shared_area *page,
                        uint32_t slot_bytes)
{
    *ring = (struct cmdring_front){
        .page = *page, .slot_bytes = slot_bytes, .size = cmdring_size(slot_bytes)};
    shared_zero(page, 0, SHARED_PAGE_BYTES);
    shared_store(page, CMDRING_REQ_EVENT, 1);
    shared_store(page, CMDRING_RSP_EVENT, 1);
}

uint32_t cmdring_front_free(const struct cmdring_front *ring)
{
    return ring->size - (ring->req_prod_pvt - ring->rsp_cons);
}

/* Model: cmdring.pml. */
void cmdring_front_put(struct cmdring_front *ring, const void *slot)
{
    assert(cmdring_front_free(ring) > 0);
    shared_fill(&ring->page, slot_offset(ring->req_prod_pvt, ring->size, ring->slot_bytes), slot,
                ring->slot_bytes);
    ring->req_prod_pvt++;
}

/* Model: cmdring.pml. */
bool cmdring_front_push(struct cmdring_front *ring)
{
    uint32_t old = ring->req_pushed; /* never read back: the peer could have written it */

    ring->req_pushed = ring->req_prod_pvt;
    shared_store(&ring->page, CMDRING_REQ_PROD, ring->req_prod_pvt);
    return event_crossed(&ring->page, CMDRING_REQ_EVENT, old, ring->req_prod_pvt);
}

/* Model: cmdring.pml, hostile.pml. */
int cmdring_front_pass(struct cmdring_front *ring, uint32_t *claimed)
{
    uint32_t prod = shared_load(&ring->page, CMDRING_RSP_PROD);

    *claimed = prod;
    /* a response can only answer a request that was published */
    if ((uint32_t)(prod - ring->rsp_cons) > (uint32_t)(ring->req_pushed - ring->rsp_cons))
        return -1;
    ring->rsp_seen = prod;
    return (int)(prod - ring->rsp_cons);
}

/* Model: cmdring.pml. */
void cmdring_front_get(struct cmdring_front *ring, void *slot)
{
    assert(ring->rsp_cons != ring->rsp_seen);
    shared_copy(slot, &ring->page, slot_offset(ring->rsp_cons, ring->size, ring->slot_bytes),
                ring->slot_bytes);
    ring->rsp_cons++;
}

/* Model: cmdring.pml. */
void cmdring_front_arm(struct cmdring_front *ring)
{
    shared_store(&ring->page, CMDRING_RSP_EVENT, ring->rsp_cons + 1);
    shared_fence();
}

void cmdring_back_init(struct cmdring_back *ring, const struct shared_area *page,
                       uint32_t slot_bytes)
{
    *ring = (struct cmdring_back){
        .page = *page, .slot_bytes = slot_bytes, .size = cmdring_size(slot_bytes)};
}

/* Model: cmdring.pml, hostile.pml. */
int cmdring_back_pass(struct cmdring_back *ring, uint32_t *claimed)
{
    uint32_t prod = shared_load(&ring->page, CMDRING_REQ_PROD);

    *claimed = prod;
    if ((uint32_t)(prod - ring->req_cons) > ring->size - cmdring_back_unanswered(ring))
        return -1;
    ring->req_seen = prod;
    return (int)(prod - ring->req_cons);
}

/* Model: cmdring.pml. */
void cmdring_back_get(struct cmdring_back *ring, void *slot)
{
    assert(ring->req_cons != ring->req_seen);
    shared_copy(slot, &ring->page, slot_offset(ring->req_cons, ring->size, ring->slot_bytes),
                ring->slot_bytes);
    ring->req_cons++;
}

uint32_t cmdring_back_unanswered(const struct cmdring_back *ring)
{
    return ring->req_cons - ring->rsp_prod_pvt;
}

/* Model: cmdring.pml. */
void cmdring_back_put(struct cmdring_back *ring, const void *response, uint32_t bytes)
{
    uint32_t offset = slot_offset(ring->rsp_prod_pvt, ring->size, ring->slot_bytes);

    assert(cmdring_back_unanswered(ring) > 0 && bytes <= ring->slot_bytes);
    shared_fill(&ring->page, offset, response, bytes);
    shared_zero(&ring->page, offset + bytes, ring->slot_bytes - bytes);
    ring->rsp_prod_pvt++;
}

/* Model: cmdring.pml. */
bool cmdring_back_push(struct cmdring_back *ring)
{
    uint32_t old = ring->rsp_pushed;

    ring->rsp_pushed = ring->rsp_prod_pvt;
    shared_store(&ring->page, CMDRING_RSP_PROD, ring->rsp_prod_pvt);
    return event_crossed(&ring->page, CMDRING_RSP_EVENT, old, ring->rsp_prod_pvt);
}

/* Model: cmdring.pml. */
void cmdring_back_arm(struct cmdring_back *ring)
{
    shared_store(&ring->page, CMDRING_REQ_EVENT, ring->req_cons + 1);
    shared_fence();
}
