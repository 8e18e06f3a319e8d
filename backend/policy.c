/* Prefix matching on wire addresses. See policy.h. */
#include "backend/policy.h"

#include <string.h>

void policy_init(struct policy *policy)
{
    policy->count = 0;
    policy_allow(policy, &(struct policy_rule){CALL_AF_INET, 8, {127}});
    policy_allow(policy, &(struct policy_rule){CALL_AF_INET6, 128, {[15] = 1}});
}

bool policy_allow(struct policy *policy, const struct policy_rule *rule)
{
    if (policy->count == POLICY_RULES_MAX)
        return false;
    policy->rules[policy->count++] = *rule;
    return true;
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, uint8_t bits)
{
    uint8_t whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00 >> rest);

    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

bool policy_allows(const struct policy *policy, const struct call_addr *addr)
{
    uint16_t family = call_addr_family(addr);
    const uint8_t *ip = addr->bytes + (family == CALL_AF_INET ? 4 : 8);

    for (uint32_t i = 0; i < policy->count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->family == family && prefix_equal(rule->ip, ip, rule->bits))
            return true;
    }
    return false;
}
