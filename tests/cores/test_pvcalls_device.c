/*
 * The xenbus handshake of PV Calls 1: which nodes each side publishes, in which transaction and
 * order; what each side refuses, by name, and that the backend then never says Connected; closing
 * from either side; another life after each.
 * Source: protocol.md 3.1, 7 (16, 20).
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue front; /* no more than its seam, before there is a ring */

/* What both sides published, a transaction a line: "back: max-page-order=9 ... state=2". */
static char published[2048];
static void (*spied)(struct hv *hv, uint64_t token, const struct hv_node *nodes, uint32_t count);

static void note_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes, uint32_t count)
{
    size_t length = strlen(published);
    char directory[EXEC_PATH_BYTES];

    pair_path(&pair, hv->domid, NULL, directory);
    length += (size_t)snprintf(published + length, sizeof(published) - length,
                               "%s:", hv->domid == PAIR_FRONT ? "front" : "back");
    for (uint32_t i = 0; i < count; i++) {
        assert_memory_equal(nodes[i].path, directory, strlen(directory));
        length += (size_t)snprintf(published + length, sizeof(published) - length, " %s=%s",
                                   nodes[i].path + strlen(directory) + 1, nodes[i].value);
        assert_true(length + 2 < sizeof(published));
    }
    strcat(published, "\n");
    spied(hv, token, nodes, count);
}

/* Neither side has begun; all that is published is noted. */
static void open_noted(const struct pair_config *config)
{
    struct pair_config noted = *config;

    noted.dialect = &dialect_pvcalls1;
    noted.not_started = true;
    pair_open(&pair, &noted);
    published[0] = '\0';
    spied = pair.front_ops.store_publish;
    pair.front_ops.store_publish = pair.back_ops.store_publish = note_publish;
}

static int close_pair(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    pair_drop(&pair);
    return 0;
}

/* ---- what is published ------------------------------------------------------------------------
 */

/* Each side's nodes, the state with them, as one transaction; in Linux's order. */
static void handshake_in_linuxs_order(void **state)
{
    char expected[512];

    (void)state;
    open_noted(&(struct pair_config){0});
    pair_start_back(&pair);
    pair_start_front(&pair);
    pair_run(&pair);
    snprintf(expected, sizeof(expected),
             "back: max-page-order=9 versions=1 function-calls=1 state=2\n"
             "front: ring-ref=%s port=%s version=1 state=3\n"
             "back: state=4\n"
             "front: state=4\n",
             pair_node(&pair, PAIR_FRONT, "ring-ref"), pair_node(&pair, PAIR_FRONT, "port"));
    assert_string_equal(published, expected);
    assert_true(pair.up);
    assert_int_equal(pair.front_fault_count + pair.back_fault_count, 0);
}

/* The other way round: Linux's front fails here; ours watches for state 2 (protocol.md 3.1). */
static void front_waits_for_the_backend(void **state)
{
    (void)state;
    open_noted(&(struct pair_config){.order = 1, .back_order = 1});
    pair_start_front(&pair);
    pair_run(&pair);
    assert_string_equal(published, "");
    pair_start_back(&pair);
    pair_run(&pair);
    assert_true(pair.up);
    assert_string_equal(pair_node(&pair, PAIR_BACK, "max-page-order"), "1");
    assert_string_equal(pair_node(&pair, PAIR_FRONT, "state"), "4");
}

/* ---- what the front refuses -------------------------------------------------------------------
 */

#define GOOD "1", "1", "9"
#define NO_FAULT FAULT_REASONS

struct offer {
    const char *versions, *functions, *max_order; /* NULL: absent */
    enum fault_reason fault;
    uint32_t index, value;
};

/* NULL: there is to be none. */
static void put(uint16_t domid, const char *key, const char *value)
{
    if (value || pair_node(&pair, domid, key))
        pair_write(&pair, domid, key, value);
}

static void offer(const struct offer *offer)
{
    put(PAIR_BACK, "versions", offer->versions);
    put(PAIR_BACK, "function-calls", offer->functions);
    put(PAIR_BACK, "max-page-order", offer->max_order);
    pair_write(&pair, PAIR_BACK, "state", "2");
    pair_run(&pair);
}

static void check_offer(const struct offer *wrong)
{
    pair_open(&pair, &(struct pair_config){.no_back = true, .dialect = &dialect_pvcalls1});
    offer(wrong);
    if (wrong->fault == NO_FAULT) {
        assert_int_equal(pair.front_fault_count, 0);
        assert_string_equal(pair.front_states, "3");
    } else {
        assert_int_equal(pair.front_fault_count, 1);
        assert_int_equal(pair.front_faults[0].reason, wrong->fault);
        assert_int_equal(pair.front_faults[0].index, wrong->index);
        assert_int_equal(pair.front_faults[0].value, wrong->value);
        assert_null(strchr(pair.front_states, '3'));
        assert_false(pair.up);
        assert_int_equal(pair.front_hv->counters.grants_now, 0);
        /* a better backend comes, and it begins again */
        pair_write(&pair, PAIR_BACK, "state", "6");
        pair_run(&pair);
        pair_start_front(&pair);
        pair_run(&pair);
        offer(&(struct offer){.versions = "1", .functions = "1", .max_order = "9"});
        assert_int_equal(pair.front_fault_count, 1);
        assert_true(strchr(pair.front_states, '3') != NULL);
    }
    pair_drop(&pair);
}

static void versions_are_a_list_with_ours(void **state)
{
    static const struct offer offers[] = {
        {GOOD, NO_FAULT, 0, 0},
        {"1,2", "1", "9", NO_FAULT, 0, 0},
        {"2,1", "1", "9", NO_FAULT, 0, 0},
        {"0,10,1", "1", "9", NO_FAULT, 0, 0},
        {"2", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {"", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {",", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {"11", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {"21", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {"10,21", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {"1.0", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {"-1", "1", "9", FAULT_VERSION, DIALECT_KEY_VERSIONS, 0},
        {NULL, "1", "9", FAULT_STORE_VALUE, DIALECT_KEY_VERSIONS, 0},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
        check_offer(&offers[i]);
}

static void function_calls_are_the_seven(void **state)
{
    static const struct offer offers[] = {
        {"1", "0", "9", FAULT_VERSION, DIALECT_KEY_FUNCTIONS, 0},
        {"1", "2", "9", FAULT_VERSION, DIALECT_KEY_FUNCTIONS, 0},
        {"1", "", "9", FAULT_VERSION, DIALECT_KEY_FUNCTIONS, 0},
        {"1", "11", "9", FAULT_VERSION, DIALECT_KEY_FUNCTIONS, 0},
        {"1", "1,2", "9", FAULT_VERSION, DIALECT_KEY_FUNCTIONS, 0},
        {"1", NULL, "9", FAULT_STORE_VALUE, DIALECT_KEY_FUNCTIONS, 0},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
        check_offer(&offers[i]);
}

/* Ours is 4 here, Linux's. There is no order of a backend that names none (draft 1 has one). */
static void largest_order_has_to_be_told(void **state)
{
    static const struct offer offers[] = {
        {"1", "1", "4", NO_FAULT, 0, 0},
        {"1", "1", "1000", NO_FAULT, 0, 0},
        {"1", "1", "3", FAULT_ORDER, 4, 3},
        {"1", "1", "0", FAULT_ORDER, 4, 0},
        {"1", "1", "", FAULT_STORE_VALUE, DIALECT_KEY_MAX_ORDER, 0},
        {"1", "1", "x", FAULT_STORE_VALUE, DIALECT_KEY_MAX_ORDER, 0},
        {"1", "1", "-4", FAULT_STORE_VALUE, DIALECT_KEY_MAX_ORDER, 0},
        {"1", "1", "4294967300", FAULT_STORE_VALUE, DIALECT_KEY_MAX_ORDER, 0},
        {"1", "1", NULL, FAULT_STORE_VALUE, DIALECT_KEY_MAX_ORDER, 0},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
        check_offer(&offers[i]);
}

/* ---- what the backend refuses -----------------------------------------------------------------
 */

static char good_ref[16], good_port[16];

/* A ring that is in order, so that nothing but the nodes keeps the backend from Connected. */
static int open_front(void **state)
{
    struct ev ev;

    (void)state;
    pair_open(&pair, &(struct pair_config){.no_front = true, .dialect = &dialect_pvcalls1});
    front = (struct rogue){.pair = &pair, .hv = pair.front_hv, .dialect = &dialect_pvcalls1};
    hv_share(front.hv, 1, PAIR_BACK, 1);
    rogue_take(&front, EV_SHARE, &ev);
    xenbus_print(good_ref, ev.share.refs[0]);
    hv_port_alloc(front.hv, 2, PAIR_BACK);
    rogue_take(&front, EV_PORT_ALLOC, &ev);
    xenbus_print(good_port, ev.port);
    return 0;
}

static void front_says(const char *state)
{
    pair_write(&pair, PAIR_FRONT, "state", state);
    pair_run(&pair);
}

static void publish_front(const char *ref, const char *port, const char *version)
{
    put(PAIR_FRONT, "ring-ref", ref);
    put(PAIR_FRONT, "port", port);
    put(PAIR_FRONT, "version", version);
    front_says("3");
}

/* protocol.md 3.5: Linux's backend never reads `version`; ours does. */
static void front_names_its_version_ring_and_port(void **state)
{
    static const struct {
        const char *ref, *port, *version;
        enum fault_reason fault;
        uint32_t index;
    } wrong[] = {
        {good_ref, good_port, NULL, FAULT_STORE_VALUE, DIALECT_KEY_VERSION},
        {good_ref, good_port, "2", FAULT_VERSION, DIALECT_KEY_VERSION},
        {good_ref, good_port, "", FAULT_VERSION, DIALECT_KEY_VERSION},
        {good_ref, good_port, "0", FAULT_VERSION, DIALECT_KEY_VERSION},
        {good_ref, good_port, "11", FAULT_VERSION, DIALECT_KEY_VERSION},
        {good_ref, good_port, "1,2", FAULT_VERSION, DIALECT_KEY_VERSION},
        {good_ref, good_port, "01", FAULT_VERSION, DIALECT_KEY_VERSION},
        {NULL, good_port, "1", FAULT_STORE_VALUE, DIALECT_KEY_RING_REF},
        {"x", good_port, "1", FAULT_STORE_VALUE, DIALECT_KEY_RING_REF},
        {good_ref, NULL, "1", FAULT_STORE_VALUE, DIALECT_KEY_PORT},
        {good_ref, "4294967296", "1", FAULT_STORE_VALUE, DIALECT_KEY_PORT},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        publish_front(wrong[i].ref, wrong[i].port, wrong[i].version);
        assert_int_equal(pair.back_fault_count, i + 1);
        assert_int_equal(pair.back_faults[i].reason, wrong[i].fault);
        assert_int_equal(pair.back_faults[i].index, wrong[i].index);
        assert_int_equal(be_state(pair.be), XENBUS_CLOSING);
        assert_null(strchr(pair.back_states, '4'));
        front_says("6");
        assert_int_equal(be_state(pair.be), XENBUS_CLOSED);
        front_says("1");
        assert_int_equal(be_state(pair.be), XENBUS_INITWAIT);
    }
    publish_front("4000", "77", "1");
    assert_int_equal(pair.back_faults[pair.back_fault_count - 1].reason, FAULT_MAP_RING);
    assert_null(strchr(pair.back_states, '4'));
    front_says("6");
    front_says("1");
    publish_front(good_ref, good_port, "1"); /* and a good one is served all the same */
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
}

/* There is no order of the device: each socket names its own. */
static void order_of_draft_1_is_not_read(void **state)
{
    (void)state;
    pair_write(&pair, PAIR_FRONT, "dataring-page-order", "77");
    publish_front(good_ref, good_port, "1");
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    assert_int_equal(pair.back_fault_count, 0);
}

/* ---- closing ----------------------------------------------------------------------------------
 */

static int open_both(void **state)
{
    (void)state;
    open_noted(&(struct pair_config){0});
    pair_start_back(&pair);
    pair_start_front(&pair);
    pair_run(&pair);
    published[0] = '\0';
    return 0;
}

/* SPEC's diagram: front 5, back 5, front 6, back 6. */
static void front_closes(void **state)
{
    (void)state;
    exec_post(pair.front, 0, EV_STOP);
    pair_run(&pair);
    assert_string_equal(published, "front: state=5\nback: state=5\nfront: state=6\n"
                                   "back: state=6\n");
    assert_true(pair.gone);
    published[0] = '\0'; /* the next life, from the front again */
    pair_start_front(&pair);
    pair_run(&pair);
    assert_memory_equal(published, "front: state=1\n", 15);
    assert_int_equal(be_state(pair.be), XENBUS_CONNECTED);
    assert_int_equal(fe_state(pair.fe), XENBUS_CONNECTED);
}

/* As Linux's front answers one that begins: back 5, front 6, back 6. */
static void back_closes(void **state)
{
    (void)state;
    exec_post(pair.back, 0, EV_STOP);
    pair_run(&pair);
    assert_string_equal(published, "back: state=5\nfront: state=6\nback: state=6\n");
    assert_true(pair.gone);
}

/* Sockets of every kind end with the device, and nothing of them stays. */
static void sockets_end_with_the_device(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    uint64_t open = pair_connect(&pair, NULL);
    assert_true(pair_accept_begin(&pair, listener) >= 0);
    assert_true(pair_connect_begin(&pair, 81) >= 0);
    pair_run(&pair);
    exec_post(pair.back, 0, EV_STOP);
    pair_settle(&pair);
    assert_true(pair.gone);
    assert_int_equal(be_state(pair.be), XENBUS_CLOSED);
    assert_int_equal(pair_release(&pair, open), 0);
    assert_int_equal(pair_release(&pair, listener), 0);
    pair_settle(&pair);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(handshake_in_linuxs_order, close_pair),
        cmocka_unit_test_teardown(front_waits_for_the_backend, close_pair),
        cmocka_unit_test(versions_are_a_list_with_ours),
        cmocka_unit_test(function_calls_are_the_seven),
        cmocka_unit_test(largest_order_has_to_be_told),
        cmocka_unit_test_setup_teardown(front_names_its_version_ring_and_port, open_front, drop),
        cmocka_unit_test_setup_teardown(order_of_draft_1_is_not_read, open_front, drop),
        cmocka_unit_test_setup_teardown(front_closes, open_both, close_pair),
        cmocka_unit_test_setup_teardown(back_closes, open_both, close_pair),
        cmocka_unit_test_setup_teardown(sockets_end_with_the_device, open_both, close_pair),
    };

    return !!cmocka_run_group_tests_name("pvcalls_device", tests, NULL, NULL);
}
