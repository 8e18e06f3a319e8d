/* The small things of the step interface: tokens, room for actions, names, numbers in the store. */
#include "ringlib/step.h"
#include "ringlib/xenbus.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- tokens and actions -----------------------------------------------------------------------
 */

static void token_keeps_its_parts(void **state)
{
    static const uint16_t devices[] = {0, 1, 0x8000, 0xffff};
    static const uint32_t parts[] = {0, 1, 0x800000, 0xfffffe, 0xffffff};

    (void)state;
    for (uint32_t d = 0; d < 4; d++)
        for (uint32_t g = 0; g < 5; g++)
            for (uint32_t s = 0; s < 5; s++) {
                uint64_t token = step_token(devices[d], parts[g], parts[s]);

                assert_int_equal(step_device(token), devices[d]);
                assert_int_equal(step_generation(token), parts[g]);
                assert_int_equal(step_slot(token), parts[s]);
            }
    assert_true(step_token(0x1234, 0x56789a, 0xbcdef0) == 0x123456789abcdef0);
}

/* A generation is counted up without end: the 24 bits wrap and leave device and slot alone. */
static void generation_wraps_within_its_bits(void **state)
{
    (void)state;
    assert_true(step_token(1, 0x1000000, 2) == step_token(1, 0, 2));
    assert_true(step_token(1, 0xffffffff, 2) == step_token(1, 0xffffff, 2));
    assert_int_equal(step_slot(step_token(1, 2, STEP_SLOT_DEVICE)), STEP_SLOT_DEVICE);
}

static void actions_are_appended_in_order(void **state)
{
    static struct step_out out;

    (void)state;
    assert_int_equal(step_room(&out), STEP_ACTS);
    for (uint32_t i = 0; i < STEP_ACTS; i++) {
        struct act *act = step_act(&out, i % 2 ? ACT_NOTIFY : ACT_SHARE, i);

        assert_ptr_equal(act, &out.acts[i]);
        assert_int_equal(step_room(&out), STEP_ACTS - 1 - i);
    }
    for (uint32_t i = 0; i < STEP_ACTS; i++) {
        assert_int_equal(out.acts[i].kind, i % 2 ? ACT_NOTIFY : ACT_SHARE);
        assert_int_equal(out.acts[i].token, i);
    }
}

/* An event completes the action of the same number: executors rely on it. */
static void completions_are_numbered_as_their_actions(void **state)
{
    (void)state;
#define X(op) assert_int_equal(ACT_##op, EV_##op);
    STEP_OPS(X)
#undef X
}

/* ---- names ------------------------------------------------------------------------------------
 */

static void actions_events_and_faults_have_names(void **state)
{
    (void)state;
    assert_string_equal(step_act_name(ACT_SHARE), "SHARE");
    assert_string_equal(step_act_name(ACT_NET_READ), "NET_READ");
    assert_string_equal(step_act_name(ACT_NET_CLOSE), "NET_CLOSE");
    assert_string_equal(step_act_name(ACT_NOTIFY), "NOTIFY");
    for (uint32_t kind = 0; kind <= ACT_DEVICE_GONE; kind++)
        for (uint32_t other = 0; other < kind; other++)
            assert_string_not_equal(step_act_name((enum act_kind)kind),
                                    step_act_name((enum act_kind)other));
    assert_string_equal(step_act_name(ACT_DEVICE_GONE), "DEVICE_GONE");
    assert_string_equal(step_act_name((enum act_kind)(ACT_DEVICE_GONE + 1)), "?");
#define X(op) assert_string_equal(step_ev_name(EV_##op), step_act_name(ACT_##op));
    STEP_OPS(X)
#undef X
    assert_string_equal(step_ev_name(EV_START), "START");
    assert_string_equal(step_ev_name(EV_STOP), "STOP");
    assert_string_equal(step_ev_name(EV_MORE), "MORE");
    assert_string_equal(step_ev_name(EV_TIME), "TIME");
    assert_string_equal(step_ev_name(EV_PORT), "PORT");
    assert_string_equal(step_ev_name(EV_STORE), "STORE");
    assert_string_equal(step_ev_name((enum ev_kind)(EV_STORE + 1)), "?");
#define X(name) assert_string_equal(step_fault_name(FAULT_##name), #name);
    STEP_FAULTS(X)
#undef X
    assert_string_equal(step_fault_name(FAULT_REASONS), "?");
    assert_string_equal(step_fault_name((enum fault_reason)(FAULT_REASONS + 1)), "?");
}

/* Linux's numbers, from a guest's errno.h: all of PV Calls 1's table, and what it forgot. */
static const struct {
    int32_t number;
    const char *name;
} errors[] = {
    {1, "EPERM"},
    {2, "ENOENT"},
    {3, "ESRCH"},
    {4, "EINTR"},
    {5, "EIO"},
    {6, "ENXIO"},
    {7, "E2BIG"},
    {8, "ENOEXEC"},
    {9, "EBADF"},
    {10, "ECHILD"},
    {11, "EAGAIN"},
    {12, "ENOMEM"},
    {13, "EACCES"},
    {14, "EFAULT"},
    {16, "EBUSY"},
    {17, "EEXIST"},
    {18, "EXDEV"},
    {19, "ENODEV"},
    {21, "EISDIR"},
    {22, "EINVAL"},
    {23, "ENFILE"},
    {24, "EMFILE"},
    {28, "ENOSPC"},
    {30, "EROFS"},
    {31, "EMLINK"},
    {32, "EPIPE"},
    {33, "EDOM"},
    {34, "ERANGE"},
    {35, "EDEADLK"},
    {36, "ENAMETOOLONG"},
    {37, "ENOLCK"},
    {38, "ENOSYS"},
    {39, "ENOTEMPTY"},
    {61, "ENODATA"},
    {62, "ETIME"},
    {74, "EBADMSG"},
    {75, "EOVERFLOW"},
    {84, "EILSEQ"},
    {85, "ERESTART"},
    {88, "ENOTSOCK"},
    {90, "EMSGSIZE"},
    {92, "ENOPROTOOPT"},
    {93, "EPROTONOSUPPORT"},
    {95, "EOPNOTSUPP"},
    {97, "EAFNOSUPPORT"},
    {98, "EADDRINUSE"},
    {99, "EADDRNOTAVAIL"},
    {100, "ENETDOWN"},
    {101, "ENETUNREACH"},
    {103, "ECONNABORTED"},
    {104, "ECONNRESET"},
    {105, "ENOBUFS"},
    {106, "EISCONN"},
    {107, "ENOTCONN"},
    {110, "ETIMEDOUT"},
    {111, "ECONNREFUSED"},
    {112, "EHOSTDOWN"},
    {113, "EHOSTUNREACH"},
    {114, "EALREADY"},
    {115, "EINPROGRESS"},
    {125, "ECANCELED"},
    {524, "ENOTSUP"},
};

static void errors_have_linuxs_numbers_and_names(void **state)
{
    static const int32_t unknown[] = {15, 20, 41, 58, 133, 523, 525, ERR_MAX, INT32_MAX};
    uint32_t listed = 0;

    (void)state;
#define X(name, number) listed++;
    ERR_LIST(X)
#undef X
    assert_int_equal(listed, sizeof(errors) / sizeof(errors[0]));
    for (uint32_t i = 0; i < listed; i++) {
        assert_string_equal(err_name(errors[i].number), errors[i].name);
        assert_string_equal(err_name(-errors[i].number), errors[i].name);
    }
    for (uint32_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_string_equal(err_name(unknown[i]), "E?");
        assert_string_equal(err_name(-unknown[i]), "E?");
    }
    assert_string_equal(err_name(0), "0");
    assert_string_equal(err_name(INT32_MIN), "E?");
}

/* ---- numbers in the store ---------------------------------------------------------------------
 */

static const struct {
    const char *text;
    uint32_t max;
    int64_t expected;
} numbers[] = {
    {"0", 0, 0},
    {"1", 0, -1},
    {"6", 6, 6},
    {"7", 6, -1},
    {"007", 8, 7},
    {"0000000004", 8, 4},
    {"00000000004", 8, -1}, /* eleven digits */
    {"4294967295", UINT32_MAX, 4294967295},
    {"4294967296", UINT32_MAX, -1},
    {"4294967297", 8, -1}, /* 1 if cut to 32 bits */
    {"9999999999", UINT32_MAX, -1},
    {"99999999999", UINT32_MAX, -1},
    {"18446744073709551616", UINT32_MAX, -1}, /* 0 if cut to 64 bits */
    {"18446744073709551617", UINT32_MAX, -1},
    {"", 8, -1},
    {" 1", 8, -1},
    {"1 ", 8, -1},
    {"1\n", 8, -1},
    {"+1", 8, -1},
    {"-1", 8, -1},
    {"-0", 8, -1},
    {"0x1", 8, -1},
    {"1.0", 8, -1},
    {"1e0", 8, -1},
    {"a", 8, -1},
    {"/", 8, -1}, /* the characters beside '0' and '9' */
    {":", 8, -1},
    {"\xb2", 8, -1},
};

static void only_decimal_numbers_are_parsed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int64_t got = xenbus_parse(numbers[i].text, numbers[i].max);

        if (got != numbers[i].expected)
            fail_msg("\"%s\" up to %u gave %lld", numbers[i].text, numbers[i].max, (long long)got);
    }
}

static void numbers_print_and_parse_back(void **state)
{
    static const struct {
        uint32_t number;
        const char *text;
    } prints[] = {{0, "0"},
                  {1, "1"},
                  {9, "9"},
                  {10, "10"},
                  {262, "262"},
                  {99999, "99999"},
                  {1000000000, "1000000000"},
                  {4294967295, "4294967295"}};

    (void)state;
    for (size_t i = 0; i < sizeof(prints) / sizeof(prints[0]); i++) {
        char text[12];

        memset(text, '#', sizeof(text));
        xenbus_print(text, prints[i].number);
        assert_string_equal(text, prints[i].text);
        assert_int_equal(text[11], '#'); /* eleven bytes are enough */
        assert_int_equal(xenbus_parse(text, UINT32_MAX), prints[i].number);
    }
}

/* Xen's io/xenbus.h: what stands in the store is the number. */
static void states_have_xens_numbers(void **state)
{
    (void)state;
    assert_int_equal(XENBUS_UNKNOWN, 0);
    assert_int_equal(XENBUS_INITIALISING, 1);
    assert_int_equal(XENBUS_INITWAIT, 2);
    assert_int_equal(XENBUS_INITIALISED, 3);
    assert_int_equal(XENBUS_CONNECTED, 4);
    assert_int_equal(XENBUS_CLOSING, 5);
    assert_int_equal(XENBUS_CLOSED, 6);
    assert_int_equal(XENBUS_RECONFIGURING, 7);
    assert_int_equal(XENBUS_RECONFIGURED, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_keeps_its_parts),
        cmocka_unit_test(generation_wraps_within_its_bits),
        cmocka_unit_test(actions_are_appended_in_order),
        cmocka_unit_test(completions_are_numbered_as_their_actions),
        cmocka_unit_test(actions_events_and_faults_have_names),
        cmocka_unit_test(errors_have_linuxs_numbers_and_names),
        cmocka_unit_test(only_decimal_numbers_are_parsed),
        cmocka_unit_test(numbers_print_and_parse_back),
        cmocka_unit_test(states_have_xens_numbers),
    };

    return !!cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
