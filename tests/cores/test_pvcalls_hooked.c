/*
 * The index page of PV Calls 1 under a front that changes it between two reads: the hooked build
 * calls us before each access the backend makes. Order and refs are read once each, and what was
 * read is what is checked, mapped and unmapped.
 * Source: protocol.md 4 (hardening rule 4), architecture 5 rules 1, 2; 5.1 XSA-155.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ORDER = 2, PAGES = 1 << ORDER, ORDER_AT = 128, REFS_AT = 132 };

static struct pair pair;
static struct rogue front;
static struct rogue_data data;

/* What the test does before an access to the index page; not called for what it does itself. */
static void (*meddle)(enum shared_access access, uint32_t offset, uint32_t bytes);
static uint32_t order_reads, ref_reads, ref_bytes;
static uint32_t lies; /* which order is claimed from the second look on, or from the first */

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    void (*call)(enum shared_access, uint32_t, uint32_t) = meddle;

    if (!call || area->base != data.area.base)
        return;
    meddle = NULL;
    if (access == SHARED_READ && offset == ORDER_AT)
        order_reads++;
    if (access == SHARED_READ && offset >= REFS_AT) {
        ref_reads++;
        ref_bytes += bytes;
    }
    call(access, offset, bytes);
    meddle = call;
}

static int open_front(void **state)
{
    (void)state;
    rogue_front_open_in(&front, &pair, &dialect_pvcalls1, ORDER);
    rogue_share(&front, &data);
    order_reads = ref_reads = ref_bytes = 0;
    return 0;
}

static int close_front(void **state)
{
    (void)state;
    assert_int_equal(pair.back_fault_count, 0);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    rogue_front_close(&front);
    return 0;
}

/* A CONNECT of socket 1, up to where the net is asked or it is answered (1: it is not yet). */
static int32_t connect_under(void (*how)(enum shared_access, uint32_t, uint32_t))
{
    struct call call = rogue_connect(1, 1, &data);

    meddle = how;
    int32_t ret = rogue_ask(&front, &call);
    meddle = NULL;
    return ret;
}

static void finish_and_release(void)
{
    struct call_reply reply;

    pair_settle(&pair);
    assert_true(rogue_reply(&front, &reply));
    assert_int_equal(reply.ret, 0);
    assert_int_equal(rogue_ask(&front, &(struct call){.id = 7, .kind = CALL_RELEASE, .sockid = 1}),
                     0);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
}

static void write_order(uint32_t order)
{
    shared_store(&data.area, ORDER_AT, order);
}

static void write_refs(uint32_t first, uint32_t ref)
{
    for (uint32_t i = first; i < 991; i++)
        shared_store(&data.area, REFS_AT + 4 * i, ref);
}

/* The order is true at the first look and another ever after. */
static void order_lies_later(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    (void)access;
    (void)bytes;
    write_order(offset == ORDER_AT && order_reads == 1 ? ORDER : lies);
}

static void order_is_read_once(void **state)
{
    static const uint32_t later[] = {0, 1, 3, 9, 10, 31, 0x80000000, 0xffffffff};

    (void)state;
    for (uint32_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        lies = later[i];
        order_reads = ref_reads = ref_bytes = 0;
        assert_int_equal(connect_under(order_lies_later), 1);
        assert_int_equal(order_reads, 1);
        assert_int_equal(ref_reads, 1);
        assert_int_equal(ref_bytes, 4 * PAGES);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 1 + PAGES);
        finish_and_release();
    }
}

/* It lies at the first look, and is true ever after: what was read is refused. */
static void order_lies_first(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    (void)access;
    (void)bytes;
    write_order(offset == ORDER_AT && order_reads == 1 ? lies : ORDER);
}

static void refused_order_is_not_looked_at_again(void **state)
{
    static const uint32_t first[] = {0, 3, 9, 31, 0x80000000, 0xffffffff};

    (void)state;
    for (uint32_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        lies = first[i];
        order_reads = ref_reads = 0;
        assert_int_equal(connect_under(order_lies_first), -ERR_INVAL);
        assert_int_equal(order_reads, 1);
        assert_int_equal(ref_reads, 0); /* nor were the refs behind it */
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    }
}

/* The refs are true when they are copied, and none ever after. */
static void refs_lie_later(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    bool copied = access == SHARED_READ && offset == REFS_AT && ref_reads == 1;

    (void)bytes;
    if (copied)
        rogue_name_pages(&front, &data, ORDER);
    else
        write_refs(0, 0xffffffff);
}

static void refs_are_copied_once(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        order_reads = ref_reads = 0;
        rogue_name_pages(&front, &data, ORDER);
        assert_int_equal(connect_under(refs_lie_later), 1);
        assert_int_equal(ref_reads, 1);
        write_refs(0, 0);
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1 + 1 + PAGES);
        finish_and_release();
    }
}

static uint64_t random_state = 0xa4093822299f31d0u;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* Before every access another order, other refs: of ours, of none. */
static void anything(enum shared_access access, uint32_t offset, uint32_t bytes)
{
    (void)access;
    (void)offset;
    (void)bytes;
    write_order(random_below(3) ? random_below(5) : random_below(UINT32_MAX));
    for (uint32_t i = 0; i < PAGES; i++)
        shared_store(&data.area, REFS_AT + 4 * i,
                     random_below(8) ? data.page_refs[random_below(PAGES)] : random_below(5000));
}

static void anything_at_any_moment(void **state)
{
    uint32_t opened = 0;

    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        int32_t ret = connect_under(anything);
        assert_true(ret == 1 || ret == -ERR_INVAL);
        if (ret == 1)
            finish_and_release();
        opened += ret == 1 ? 1u : 0u;
        assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
        assert_int_equal(pair.back_hv->counters.ports_now, 1);
    }
    assert_true(opened > 100 && opened < 1900); /* the mix reaches both */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_front)
    const struct CMUnitTest tests[] = {
        TEST(order_is_read_once),
        TEST(refused_order_is_not_looked_at_again),
        TEST(refs_are_copied_once),
        TEST(anything_at_any_moment),
    };

    return !!cmocka_run_group_tests_name("pvcalls_hooked", tests, NULL, NULL);
}
