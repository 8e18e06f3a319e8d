/* Where guests may go: loopback, and the prefixes that were added. */
#include "backend/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct policy policy;

static bool allows4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    struct call_addr addr;

    call_addr4(&addr, (const uint8_t[4]){a, b, c, d}, 80);
    return policy_allows(&policy, &addr);
}

static bool allows6(const uint8_t ip[16])
{
    struct call_addr addr;

    call_addr6(&addr, ip, 80);
    return policy_allows(&policy, &addr);
}

/* What is no loopback address must not reach a backend that may only use loopback. */
static void loopback_is_127_and_1_of_ipv6(void **state)
{
    struct call_addr addr = {.bytes = {1, 0, 0, 0, 127, 0, 0, 1}, .len = 16};

    (void)state;
    policy_init(&policy);
    assert_true(allows4(127, 0, 0, 1));
    assert_true(allows4(127, 0, 0, 0));
    assert_true(allows4(127, 255, 255, 255));
    assert_false(allows4(126, 255, 255, 255));
    assert_false(allows4(128, 0, 0, 1));
    assert_false(allows4(0, 0, 0, 0));
    assert_false(allows4(1, 0, 0, 127));
    assert_true(allows6((const uint8_t[16]){[15] = 1}));
    assert_false(allows6((const uint8_t[16]){0}));
    assert_false(allows6((const uint8_t[16]){[15] = 2}));
    assert_false(allows6((const uint8_t[16]){[0] = 1, [15] = 1}));
    assert_false(allows6((const uint8_t[16]){[14] = 1, [15] = 1}));
    assert_false(allows6(
        (const uint8_t[16]){[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1})); /* mapped IPv4 */
    assert_false(policy_allows(&policy, &addr));
}

static void prefixes_are_of_whole_and_part_bytes(void **state)
{
    (void)state;
    policy_init(&policy);
    assert_true(policy_allow(&policy, &(struct policy_rule){CALL_AF_INET, 12, {172, 16}}));
    assert_true(policy_allow(&policy, &(struct policy_rule){CALL_AF_INET, 32, {10, 1, 2, 3}}));
    assert_true(allows4(172, 16, 0, 1));
    assert_true(allows4(172, 31, 255, 255));
    assert_false(allows4(172, 32, 0, 0));
    assert_false(allows4(172, 15, 255, 255));
    assert_true(allows4(10, 1, 2, 3));
    assert_false(allows4(10, 1, 2, 2));
    assert_true(policy_allow(&policy, &(struct policy_rule){CALL_AF_INET, 0, {0}}));
    assert_true(allows4(8, 8, 8, 8));
    assert_false(allows6((const uint8_t[16]){[15] = 2})); /* of the other family */
}

static void the_list_has_an_end(void **state)
{
    (void)state;
    policy_init(&policy);
    for (uint32_t i = policy.count; i < POLICY_RULES_MAX; i++)
        assert_true(policy_allow(&policy, &(struct policy_rule){CALL_AF_INET, 8, {9}}));
    assert_false(policy_allow(&policy, &(struct policy_rule){CALL_AF_INET, 8, {11}}));
    assert_false(allows4(11, 0, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_127_and_1_of_ipv6),
        cmocka_unit_test(prefixes_are_of_whole_and_part_bytes),
        cmocka_unit_test(the_list_has_an_end),
    };

    return !!cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
