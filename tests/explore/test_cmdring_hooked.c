/*
 * The command ring, both directions at once, in every interleaving: a front asks, a back answers,
 * each sleeps on its event channel (hv_mem's own) as the cores do: notify only when push says so;
 * take all, arm, look again. Rings of 1, 2 and 4 slots, indexes also about to pass 2^32.
 *
 * Promised: every request and response arrives once, whole and in order, and nobody sleeps while
 * there is work for it. The loops stand for fe_ring.c and be_ring.c, which test_cores_hooked.c has.
 */
#include "ringlib/cmdring.h"
#include "tests/explore/channel.h"
#include "tests/support/explore.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FRONT, BACK, SLOT_MAX = 4032, RESPONSE = 24 };

#define NEAR_WRAP 0xfffffffeu

static alignas(SHARED_PAGE_BYTES) unsigned char memory[SHARED_PAGE_BYTES];
static const struct shared_area page = {(struct shared_memory *)(void *)memory, 1};
static const struct explore_place places[] = {
    {"req_prod", CMDRING_REQ_PROD, 4, FRONT},
    {"req_event", CMDRING_REQ_EVENT, 4, BACK},
    {"rsp_prod", CMDRING_RSP_PROD, 4, BACK},
    {"rsp_event", CMDRING_RSP_EVENT, 4, FRONT},
    {"slots", CMDRING_SLOTS, SLOT_MAX, EXPLORE_NOBODY},
};

/* What a loop does wrong on purpose: not to look again after arming, or to forget an event that
 * came while its port was masked. */
enum control { RIGHT, BACK_LOOKS_ONCE, FRONT_LOOKS_ONCE, DEAF };

/* One exploration, and where its two sides are. */
struct ring {
    uint32_t slot_bytes, requests, start;
    enum control control;
    enum explore_merge merge;
    struct channel *channel;
    struct {
        struct cmdring_front ring;
        uint32_t asked, answered;
    } front;
    struct {
        struct cmdring_back ring;
        uint32_t served;
    } back;
};

/* Every word of request or response n. */
static void slot_make(uint32_t *slot, uint32_t n, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes / 4; i++)
        slot[i] = (n + 1) * 0x01010101u + i;
}

static void slot_check(const uint32_t *slot, uint32_t n, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes / 4; i++)
        explore_check(slot[i] == (n + 1) * 0x01010101u + i);
}

static void front_push(struct ring *at)
{
    explore_call("cmdring_front_push");
    if (cmdring_front_push(&at->front.ring))
        channel_notify(at->channel, FRONT);
}

/* All that there is room for, in one push or in several. */
static void front_ask(struct ring *at)
{
    uint32_t slot[SLOT_MAX / 4];

    while (at->front.asked < at->requests && cmdring_front_free(&at->front.ring) > 0) {
        uint32_t room = cmdring_front_free(&at->front.ring);
        uint32_t rest = at->requests - at->front.asked;
        uint32_t count = 1 + explore_choose("puts one more than", rest < room ? rest : room);
        for (; count > 0; count--) {
            slot_make(slot, at->front.asked++, at->slot_bytes);
            explore_call("cmdring_front_put");
            cmdring_front_put(&at->front.ring, slot);
        }
        front_push(at);
        explore_at(&at->front, sizeof(at->front));
    }
}

static bool front_pass(struct ring *at)
{
    uint32_t slot[SLOT_MAX / 4], claimed;

    explore_call("cmdring_front_pass");
    int count = cmdring_front_pass(&at->front.ring, &claimed);
    explore_check(count >= 0);
    for (int i = 0; i < count; i++) {
        explore_call("cmdring_front_get");
        cmdring_front_get(&at->front.ring, slot);
        slot_check(slot, at->front.answered++, RESPONSE);
        explore_check(slot[RESPONSE / 4] == 0);
    }
    return count > 0;
}

static void front(void *self)
{
    struct ring *at = self;

    front_ask(at);
    while (at->front.answered < at->requests) {
        explore_at(&at->front, sizeof(at->front));
        channel_sleep(at->channel, FRONT);
        while (front_pass(at)) {
            explore_call("cmdring_front_arm");
            cmdring_front_arm(&at->front.ring);
            explore_at(&at->front, sizeof(at->front));
            if (at->control == FRONT_LOOKS_ONCE)
                break;
        }
        channel_unmask(at->channel, FRONT);
        front_ask(at);
    }
}

static bool back_pass(struct ring *at)
{
    uint32_t slot[SLOT_MAX / 4], claimed;

    explore_call("cmdring_back_pass");
    int count = cmdring_back_pass(&at->back.ring, &claimed);
    explore_check(count >= 0);
    for (int i = 0; i < count; i++) {
        explore_call("cmdring_back_get");
        cmdring_back_get(&at->back.ring, slot);
        slot_check(slot, at->back.served, at->slot_bytes);
        slot_make(slot, at->back.served++, RESPONSE);
        explore_call("cmdring_back_put");
        cmdring_back_put(&at->back.ring, slot, RESPONSE);
    }
    return count > 0;
}

static void back(void *self)
{
    struct ring *at = self;

    while (at->back.served < at->requests) {
        explore_at(&at->back, sizeof(at->back));
        channel_sleep(at->channel, BACK);
        while (back_pass(at)) {
            explore_call("cmdring_back_push");
            if (cmdring_back_push(&at->back.ring))
                channel_notify(at->channel, BACK);
            explore_call("cmdring_back_arm");
            cmdring_back_arm(&at->back.ring);
            explore_at(&at->back, sizeof(at->back));
            if (at->control == BACK_LOOKS_ONCE)
                break;
        }
        channel_unmask(at->channel, BACK);
    }
}

/* Both ends and the shared words at index `start`, as if so many calls had been made before. */
static void begin(void *self)
{
    struct ring *at = self;
    const struct explore_region region = {page, places, sizeof(places) / sizeof(places[0])};

    memset(&at->front, 0, sizeof(at->front));
    memset(&at->back, 0, sizeof(at->back));
    cmdring_front_init(&at->front.ring, &page, at->slot_bytes);
    cmdring_back_init(&at->back.ring, &page, at->slot_bytes);
    at->front.ring.req_prod_pvt = at->front.ring.req_pushed = at->start;
    at->front.ring.rsp_cons = at->front.ring.rsp_seen = at->start;
    at->back.ring.req_cons = at->back.ring.req_seen = at->start;
    at->back.ring.rsp_prod_pvt = at->back.ring.rsp_pushed = at->start;
    shared_store(&page, CMDRING_REQ_PROD, at->start);
    shared_store(&page, CMDRING_RSP_PROD, at->start);
    shared_store(&page, CMDRING_REQ_EVENT, at->start + 1);
    shared_store(&page, CMDRING_RSP_EVENT, at->start + 1);
    channel_reset(at->channel, at->control == DEAF);
    explore_region(&region);
}

static uint64_t state(void *self)
{
    return channel_state(((struct ring *)self)->channel);
}

static const char *outcome(void *self)
{
    const struct ring *at = self;

    return at->front.answered == at->requests && at->back.served == at->requests
               ? NULL
               : "not everything was answered";
}

static struct explore_result search(struct ring *ring, const char *name)
{
    struct explore_result result;

    ring->channel = channel_open();
    explore(&(struct explore){.name = name,
                              .self = ring,
                              .side_count = 2,
                              .side_names = {"front", "back"},
                              .sides = {front, back},
                              .begin = begin,
                              .state = state,
                              .outcome = outcome,
                              .merge = ring->merge,
                              .control = ring->control != RIGHT},
            &result);
    channel_close(ring->channel);
    return result;
}

static void right(struct ring *ring, const char *name)
{
    struct explore_result result = search(ring, name);

    assert_null(result.wrong);
    assert_true(result.complete);
}

/* Found within so many steps. */
static void wrong(struct ring *ring, const char *name)
{
    ring->slot_bytes = 2016;
    ring->requests = 3;
    assert_non_null(search(ring, name).wrong);
}

static void one_slot(void **unused)
{
    (void)unused;
    right(&(struct ring){.slot_bytes = 4032, .requests = 3}, "cmdring, 1 slot, 3 requests");
    right(&(struct ring){.slot_bytes = 4032, .requests = 4, .start = NEAR_WRAP},
          "cmdring, 1 slot, 4 requests around the wrap");
}

static void two_slots(void **unused)
{
    (void)unused;
    right(&(struct ring){.slot_bytes = 2016, .requests = 4}, "cmdring, 2 slots, 4 requests");
    if (EXPLORE_SLOW > 1)
        return;
    right(&(struct ring){.slot_bytes = 2016, .requests = 5, .start = NEAR_WRAP},
          "cmdring, 2 slots, 5 requests around the wrap");
}

static void four_slots(void **unused)
{
    (void)unused;
    if (EXPLORE_SLOW > 1)
        return;
    right(&(struct ring){.slot_bytes = 1008, .requests = 5}, "cmdring, 4 slots, 5 requests");
    right(&(struct ring){.slot_bytes = 1008, .requests = 6, .start = NEAR_WRAP},
          "cmdring, 4 slots, 6 requests around the wrap");
}

/* What must be found, or finding nothing means nothing. */
static void controls(void **unused)
{
    (void)unused;
    wrong(&(struct ring){.control = BACK_LOOKS_ONCE}, "cmdring, its back looks once");
    wrong(&(struct ring){.control = FRONT_LOOKS_ONCE}, "cmdring, its front looks once");
    wrong(&(struct ring){.control = DEAF}, "cmdring, events while masked are lost");
}

/* Merging states leaves no interleaving out: there are as many when fewer or none are merged. */
static void every_interleaving_counts(void **unused)
{
    struct ring one = {.slot_bytes = 4032, .requests = 1},
                two = {.slot_bytes = 2016, .requests = 2};
    double ways = search(&one, "cmdring, 1 request").interleavings;

    (void)unused;
    one.merge = EXPLORE_READS;
    assert_true(search(&one, "    the same by what was read").interleavings == ways);
    one.merge = EXPLORE_NOTHING;
    struct explore_result each = search(&one, "    the same, each by itself");
    assert_true(each.interleavings == ways && each.runs == ways);
    ways = search(&two, "cmdring, 2 slots, 2 requests").interleavings;
    two.merge = EXPLORE_READS;
    assert_true(search(&two, "    the same by what was read").interleavings == ways);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_slot),
        cmocka_unit_test(two_slots),
        cmocka_unit_test(four_slots),
        cmocka_unit_test(controls),
        cmocka_unit_test(every_interleaving_counts),
    };

    return !!cmocka_run_group_tests_name("cmdring", tests, NULL, NULL);
}
