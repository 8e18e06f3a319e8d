/* Every dialect: golden bytes, rows, unknown commands, layouts of the data ring, names. */
#include "ringlib/cmdring.h"
#include "sim/time/prng.h"
#include "tests/ringlib/golden.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- golden bytes -----------------------------------------------------------------------------
 */

/* memory first, so that a failure names the byte; the helpers are what m32_golden.c runs */
static void golden_requests_pack(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GOLDEN_SETS; i++) {
        const struct golden_set *set = &golden_sets[i];
        for (uint32_t k = 0; k < set->request_count; k++) {
            uint8_t slot[DIALECT_SLOT_MAX];
            struct call call;

            golden_call(&set->requests[k], &call);
            dialect_pack_call(set->dialect, &call, slot);
            assert_memory_equal(slot, set->requests[k].wire, set->request_bytes);
            assert_true(golden_packs(set->dialect, &set->requests[k]));
        }
    }
}

static void golden_requests_unpack(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GOLDEN_SETS; i++)
        for (uint32_t k = 0; k < golden_sets[i].request_count; k++)
            if (!golden_unpacks(golden_sets[i].dialect, &golden_sets[i].requests[k]))
                fail_msg("%s", golden_sets[i].requests[k].name);
}

static void golden_responses_pack_and_unpack(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GOLDEN_SETS; i++) {
        const struct golden_set *set = &golden_sets[i];
        for (uint32_t k = 0; k < set->response_count; k++) {
            const struct golden_response *golden = &set->responses[k];
            uint8_t slot[DIALECT_SLOT_MAX];

            memset(slot, 0xff, sizeof(slot));
            dialect_pack_reply(set->dialect, &golden->reply, slot);
            assert_memory_equal(slot, golden->wire, set->response_bytes);
            assert_true(golden_reply_packs(set->dialect, golden));
            if (!golden_reply_unpacks(set->dialect, golden))
                fail_msg("%s", golden->name);
        }
    }
}

/* Every dialect of the registry, and every command and only the commands that it has. */
static void every_command_has_golden_bytes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GOLDEN_SETS; i++) {
        const struct golden_set *set = &golden_sets[i];
        bool seen[CALL_KINDS] = {false};

        assert_ptr_equal(set->dialect, dialect_at(i));
        assert_int_equal(set->request_bytes, set->dialect->request_bytes);
        assert_int_equal(set->response_bytes, set->dialect->response_bytes);
        for (uint32_t k = 0; k < set->request_count; k++)
            seen[set->requests[k].kind] = true;
        for (uint32_t kind = 0; kind < CALL_KINDS; kind++)
            assert_int_equal(seen[kind], dialect_has(set->dialect, (enum call_kind)kind));
    }
    assert_null(dialect_at(GOLDEN_SETS));
}

/* 1 and 2 are holes of draft 1, from 8 on everything is unknown; to PV Calls 1 from 7 on. */
static void unknown_command_keeps_the_common_members(void **state)
{
    static const struct {
        uint32_t id, cmd_at, cmd_bytes;
        uint64_t sockid;
        uint32_t codes[12];
    } cases[] = {
        {0xeeeeeeee,
         4,
         4,
         0xeeeeeeeeeeeeeeee,
         {1, 2, 8, 9, 42, 255, 256, 259, 0x10000, 0x03000000, 0x80000000, 0xffffffff}},
        {0xeeeeeeee,
         4,
         4,
         0xeeeeeeeeeeeeeeee,
         {7, 8, 9, 42, 255, 256, 257, 260, 0x10000, 0x03000000, 0x80000000, 0xffffffff}},
        {0xeeee, 2, 1, 0xeeeeeeee, {1, 2, 8, 9, 42, 43, 44, 126, 127, 128, 129, 255}},
    };
    struct call expected, call;
    uint8_t slot[DIALECT_SLOT_MAX];

    (void)state;
    assert_null(dialect_at(sizeof(cases) / sizeof(cases[0])));
    for (uint32_t i = 0; dialect_at(i); i++)
        for (uint32_t k = 0; k < 12; k++) {
            memset(slot, 0xee, sizeof(slot));
            memcpy(slot + cases[i].cmd_at, &cases[i].codes[k], cases[i].cmd_bytes);
            memset(&expected, 0, sizeof(expected));
            expected.id = cases[i].id;
            expected.code = cases[i].codes[k];
            expected.kind = CALL_KINDS;
            expected.sockid = cases[i].sockid;
            dialect_unpack_call(dialect_at(i), slot, &call);
            assert_true(golden_same_call(&call, &expected));
        }
}

/* A command that a dialect does not have is unknown there, though its entry names a code. */
static void command_the_dialect_lacks_is_unknown(void **state)
{
    struct dialect lacking = dialect_xensock1;
    uint8_t slot[DIALECT_SLOT_MAX] = {[4] = 7};
    struct call call;

    (void)state;
    dialect_unpack_call(&lacking, slot, &call);
    assert_int_equal(call.kind, CALL_POLL);
    lacking.calls[CALL_POLL].exists = false;
    dialect_unpack_call(&lacking, slot, &call);
    assert_int_equal(call.kind, CALL_KINDS);
    assert_int_equal(call.code, 7);
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* Mark the bytes of rows in a slot; no byte may be marked before. */
static void mark_rows(const struct dialect_row *rows, uint32_t count, uint32_t bytes, uint8_t *used)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = rows[i].wire_at + (uint32_t)rows[i].wire_bytes * rows[i].count;

        assert_non_null(rows[i].name);
        assert_true(rows[i].count > 0 && rows[i].wire_bytes > 0);
        assert_true(end <= bytes);
        for (uint32_t at = rows[i].wire_at; at < end; at++) {
            assert_int_equal(used[at], 0);
            used[at] = 1;
        }
    }
}

/* The bytes of a slot that a request of this kind uses. */
static void mark_call(const struct dialect *dialect, uint32_t kind, uint8_t used[DIALECT_SLOT_MAX])
{
    const struct dialect_call *entry = &dialect->calls[kind];

    memset(used, 0, DIALECT_SLOT_MAX);
    mark_rows(dialect->request, dialect->request_rows, dialect->request_bytes, used);
    mark_rows(entry->rows, entry->row_count, dialect->request_bytes, used);
}

/* The same in struct call or struct call_reply. */
static void check_members(const struct dialect_row *rows, uint32_t count, uint32_t bytes,
                          uint8_t *used)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = rows[i].call_at + (uint32_t)rows[i].call_bytes * rows[i].count;

        assert_true(rows[i].call_bytes >= rows[i].wire_bytes); /* or a value would be cut */
        assert_true(end <= bytes);
        for (uint32_t at = rows[i].call_at; at < end; at++) {
            assert_int_equal(used[at], 0);
            used[at] = 1;
        }
    }
}

static void rows_lie_within_and_do_not_overlap(void **state)
{
    const struct dialect *dialect;

    (void)state;
    for (uint32_t i = 0; (dialect = dialect_at(i)) != NULL; i++) {
        uint8_t slot[DIALECT_SLOT_MAX] = {0}, reply[sizeof(struct call_reply)] = {0};

        assert_true(dialect->request_bytes <= DIALECT_SLOT_MAX);
        assert_true(dialect->response_bytes <= dialect->request_bytes);
        assert_int_equal(dialect->request_bytes % 4, 0); /* shared_copy goes by words */
        for (uint32_t kind = 0; kind < CALL_KINDS; kind++) {
            const struct dialect_call *entry = &dialect->calls[kind];
            uint8_t used[DIALECT_SLOT_MAX], members[sizeof(struct call)] = {0};

            mark_call(dialect, kind, used);
            check_members(dialect->request, dialect->request_rows, sizeof(struct call), members);
            check_members(entry->rows, entry->row_count, sizeof(struct call), members);
        }
        mark_rows(dialect->response, dialect->response_rows, dialect->response_bytes, slot);
        check_members(dialect->response, dialect->response_rows, sizeof(reply), reply);
    }
}

static void codes_are_distinct(void **state)
{
    const struct dialect *dialect;

    (void)state;
    for (uint32_t i = 0; (dialect = dialect_at(i)) != NULL; i++)
        for (uint32_t a = 0; a < CALL_KINDS; a++)
            for (uint32_t b = 0; b < a; b++)
                assert_true(!dialect->calls[a].exists || !dialect->calls[b].exists ||
                            dialect->calls[a].code != dialect->calls[b].code);
}

/* ---- round trips ------------------------------------------------------------------------------
 */

/* A random value of one element, as wide as the wire carries it. */
static void fill_element(struct prng *prng, const struct dialect_row *row, unsigned char *element)
{
    for (uint32_t at = 0; at < row->wire_bytes; at++)
        element[at] = (unsigned char)prng_u32(prng);
    if (row->is_signed && (element[row->wire_bytes - 1] & 0x80))
        memset(element + row->wire_bytes, 0xff, row->call_bytes - (size_t)row->wire_bytes);
}

/* The same in all members that rows name. */
static void fill_rows(struct prng *prng, const struct dialect_row *rows, uint32_t count,
                      unsigned char *members)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < rows[i].count; k++)
            fill_element(prng, &rows[i], members + rows[i].call_at + k * rows[i].call_bytes);
}

static void check_call_round_trip(struct prng *prng, const struct dialect *dialect, uint32_t kind)
{
    const struct dialect_call *entry = &dialect->calls[kind];
    uint8_t slot[DIALECT_SLOT_MAX], used[DIALECT_SLOT_MAX];
    struct call sent, got;

    memset(&sent, 0, sizeof(sent));
    fill_rows(prng, dialect->request, dialect->request_rows, (unsigned char *)&sent);
    fill_rows(prng, entry->rows, entry->row_count, (unsigned char *)&sent);
    sent.kind = (enum call_kind)kind;
    memset(slot, 0x5a, sizeof(slot));
    memset(&got, 0x5a, sizeof(got));
    dialect_pack_call(dialect, &sent, slot);
    dialect_unpack_call(dialect, slot, &got);
    sent.code = entry->code;
    assert_true(golden_same_call(&got, &sent));

    mark_call(dialect, kind, used);
    for (uint32_t at = 0; at < dialect->request_bytes; at++)
        assert_true(used[at] || slot[at] == 0);
    for (uint32_t at = dialect->request_bytes; at < DIALECT_SLOT_MAX; at++)
        assert_int_equal(slot[at], 0x5a);
}

static void check_reply_round_trip(struct prng *prng, const struct dialect *dialect)
{
    uint8_t slot[DIALECT_SLOT_MAX];
    struct call_reply sent, got;

    memset(&sent, 0, sizeof(sent));
    fill_rows(prng, dialect->response, dialect->response_rows, (unsigned char *)&sent);
    memset(slot, 0x5a, sizeof(slot));
    memset(&got, 0x5a, sizeof(got));
    dialect_pack_reply(dialect, &sent, slot);
    dialect_unpack_reply(dialect, slot, &got);
    assert_true(golden_same_reply(&got, &sent));
    for (uint32_t at = dialect->response_bytes; at < DIALECT_SLOT_MAX; at++)
        assert_int_equal(slot[at], 0x5a);
}

static void random_calls_come_back(void **state)
{
    const struct dialect *dialect;
    struct prng prng;

    (void)state;
    for (uint32_t i = 0; (dialect = dialect_at(i)) != NULL; i++) {
        prng_init(&prng, 1, dialect->name, 0);
        for (uint32_t round = 0; round < 300; round++) {
            check_reply_round_trip(&prng, dialect);
            for (uint32_t kind = 0; kind < CALL_KINDS; kind++)
                if (dialect->calls[kind].exists)
                    check_call_round_trip(&prng, dialect, kind);
        }
    }
}

/* ---- data ring and names ----------------------------------------------------------------------
 */

static void check_layout(const struct bytering_layout *got, const struct bytering_layout *expected)
{
    assert_int_equal(got->array, expected->array);
    assert_int_equal(got->size, expected->size);
    assert_int_equal(got->prod, expected->prod);
    assert_int_equal(got->cons, expected->cons);
    assert_int_equal(got->error, expected->error);
}

/* protocol.md 3.4, worked out by hand: halves of 1 << (order + 11) bytes; the words lie in the
 * index page at the same places for every order. The compact dialect has the same. */
static void data_rings_are_laid_out_as_pv_calls_says(void **state)
{
    static const struct dialect *const dialects[] = {&dialect_pvcalls1, &dialect_xensock1_compact};
    static const uint32_t halves[] = {4096,   8192,   16384,  32768,  65536,
                                      131072, 262144, 524288, 1048576};
    struct dialect_ring ring;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(dialects[i]->index.pages, 1);
        assert_int_equal(dialects[i]->index.order_at, 128);
        assert_int_equal(dialects[i]->index.refs_at, 132);
        assert_int_equal(dialects[i]->order_max, 9);
        for (uint32_t order = 1; order <= 9; order++) {
            uint32_t half = halves[order - 1];
            const struct bytering_layout in = {0, half, 4, 0, 8}, out = {half, half, 68, 64, 72};

            dialect_ring(dialects[i], order, &ring);
            assert_int_equal(ring.pages, 2 * half / 4096);
            check_layout(&ring.in, &in);
            check_layout(&ring.out, &out);
            assert_true(132 + 4 * ring.pages <= 4096);
        }
    }
}

struct layout_case {
    uint32_t order, pages;
    struct bytering_layout in, out; /* array, size, prod, cons, error */
};

/* Order 6 is protocol.md 1.4; the others are 1.4's rule, worked out by hand. */
static const struct layout_case layout_cases[] = {
    {1, 2, {0, 2048, 6148, 6144, 6160}, {2048, 4096, 6156, 6152, 6164}},
    {2, 4, {0, 4096, 12292, 12288, 12304}, {4096, 8192, 12300, 12296, 12308}},
    {3, 8, {0, 8192, 24580, 24576, 24592}, {8192, 16384, 24588, 24584, 24596}},
    {4, 16, {0, 16384, 49156, 49152, 49168}, {16384, 32768, 49164, 49160, 49172}},
    {5, 32, {0, 32768, 98308, 98304, 98320}, {32768, 65536, 98316, 98312, 98324}},
    {6, 64, {0, 65536, 196612, 196608, 196624}, {65536, 131072, 196620, 196616, 196628}},
};

static void data_rings_are_laid_out_as_draft_1_says(void **state)
{
    struct dialect_ring ring;

    (void)state;
    for (uint32_t i = 0; i < sizeof(layout_cases) / sizeof(layout_cases[0]); i++) {
        dialect_ring(&dialect_xensock1, layout_cases[i].order, &ring);
        assert_int_equal(ring.pages, layout_cases[i].pages);
        check_layout(&ring.in, &layout_cases[i].in);
        check_layout(&ring.out, &layout_cases[i].out);
    }
}

/* What the front makes its ids fit into is what the wire has. */
static void ids_are_as_wide_as_their_row(void **state)
{
    uint32_t found = 0;

    (void)state;
    for (uint32_t i = 0; dialect_at(i); i++)
        for (uint32_t k = 0; k < dialect_at(i)->request_rows; k++) {
            const struct dialect_row *row = &dialect_at(i)->request[k];
            if (row->call_at != offsetof(struct call, sockid))
                continue;
            assert_int_equal(row->wire_bytes, dialect_at(i)->sockid_bytes);
            found++;
        }
    assert_null(dialect_at(found));
}

static void registry_finds_each_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(dialect_at(0), &dialect_xensock1);
    assert_ptr_equal(dialect_find("xensock1"), &dialect_xensock1);
    assert_null(dialect_find("xensock"));
    assert_null(dialect_find("xensock12"));
    assert_null(dialect_find(""));
    assert_ptr_equal(dialect_find("pvcalls1"), &dialect_pvcalls1);
    assert_ptr_equal(dialect_find("xensock1-compact"), &dialect_xensock1_compact);
    assert_null(dialect_at(3));
    assert_null(dialect_at(UINT32_MAX));
}

static void numbers_and_names_of_draft_1(void **state)
{
    static const char *const keys[DIALECT_KEYS] = {
        "state", "backend-id",          "ring-ref",
        "port",  "dataring-page-order", "max-dataring-page-order"};

    (void)state;
    assert_int_equal(dialect_xensock1.request_bytes, 312);
    assert_int_equal(dialect_xensock1.response_bytes, 24);
    assert_int_equal(cmdring_size(dialect_xensock1.request_bytes), 8);
    assert_int_equal(dialect_xensock1.order_min, 1);
    assert_int_equal(dialect_xensock1.order_default, 6);
    assert_int_equal(dialect_xensock1.order_max, 6);
    assert_int_equal(dialect_xensock1.backlog, 10);
    assert_string_equal(dialect_xensock1.device, "xensock");
    for (uint32_t i = 0; i < DIALECT_KEYS; i++) {
        assert_int_equal(!dialect_xensock1.keys[i], !keys[i]);
        if (keys[i])
            assert_string_equal(dialect_xensock1.keys[i], keys[i]);
    }
}

static void numbers_and_names_of_pv_calls_1(void **state)
{
    static const char *const keys[DIALECT_KEYS] = {
        [DIALECT_KEY_STATE] = "state",
        [DIALECT_KEY_BACKEND_ID] = "backend-id",
        [DIALECT_KEY_RING_REF] = "ring-ref",
        [DIALECT_KEY_PORT] = "port",
        [DIALECT_KEY_MAX_ORDER] = "max-page-order",
        [DIALECT_KEY_VERSIONS] = "versions",
        [DIALECT_KEY_FUNCTIONS] = "function-calls",
        [DIALECT_KEY_VERSION] = "version",
    };
    static const uint32_t codes[CALL_KINDS] = {
        [CALL_SOCKET] = 0, [CALL_CONNECT] = 1, [CALL_RELEASE] = 2, [CALL_BIND] = 3,
        [CALL_LISTEN] = 4, [CALL_ACCEPT] = 5,  [CALL_POLL] = 6};
    const struct dialect *v1 = &dialect_pvcalls1;

    (void)state;
    assert_int_equal(v1->request_bytes, 64);
    assert_int_equal(v1->response_bytes, 24);
    assert_int_equal(cmdring_size(v1->request_bytes), 32);
    assert_int_equal(v1->order_min, 1);
    assert_int_equal(v1->order_default, 4);
    assert_int_equal(v1->order_max, 9);
    assert_int_equal(v1->order_silent, 0);
    assert_int_equal(v1->backlog, 0);
    assert_int_equal(v1->stranger, 0);
    assert_string_equal(v1->device, "pvcalls");
    for (uint32_t i = 0; i < CALL_KINDS; i++) {
        assert_true(v1->calls[i].exists);
        assert_int_equal(v1->calls[i].code, codes[i]);
    }
    for (uint32_t i = 0; i < DIALECT_KEYS; i++) {
        assert_int_equal(!v1->keys[i], !keys[i]);
        if (keys[i])
            assert_string_equal(v1->keys[i], keys[i]);
    }
}

/* What a side publishes has a name, and none of it is asked of draft 1. */
static void constants_are_of_nodes_there_are(void **state)
{
    (void)state;
    for (uint32_t i = 0; dialect_at(i); i++)
        for (uint32_t k = 0; k < 2; k++) {
            const struct dialect_node *back = &dialect_at(i)->back_nodes[k];
            const struct dialect_node *front = &dialect_at(i)->front_nodes[k];

            assert_true(!back->value || dialect_at(i)->keys[back->key]);
            assert_true(!front->value || dialect_at(i)->keys[front->key]);
        }
    assert_null(dialect_xensock1.back_nodes[0].value);
    assert_null(dialect_xensock1.front_nodes[0].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_requests_pack),
        cmocka_unit_test(golden_requests_unpack),
        cmocka_unit_test(golden_responses_pack_and_unpack),
        cmocka_unit_test(every_command_has_golden_bytes),
        cmocka_unit_test(unknown_command_keeps_the_common_members),
        cmocka_unit_test(command_the_dialect_lacks_is_unknown),
        cmocka_unit_test(rows_lie_within_and_do_not_overlap),
        cmocka_unit_test(codes_are_distinct),
        cmocka_unit_test(random_calls_come_back),
        cmocka_unit_test(data_rings_are_laid_out_as_draft_1_says),
        cmocka_unit_test(ids_are_as_wide_as_their_row),
        cmocka_unit_test(registry_finds_each_by_name),
        cmocka_unit_test(numbers_and_names_of_draft_1),
        cmocka_unit_test(data_rings_are_laid_out_as_pv_calls_says),
        cmocka_unit_test(numbers_and_names_of_pv_calls_1),
        cmocka_unit_test(constants_are_of_nodes_there_are),
    };

    return !!cmocka_run_group_tests_name("dialect", tests, NULL, NULL);
}
