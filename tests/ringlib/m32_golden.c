/* The golden bytes in a 32-bit build: a guest's word size must not show on the wire. */
#include "tests/ringlib/golden.h"

#include <stdio.h>

static int failures;

static void check(bool good, const char *what, const char *name)
{
    if (good)
        return;
    printf("%s: %s\n", what, name);
    failures++;
}

static void check_set(const struct golden_set *set)
{
    const struct dialect *dialect = set->dialect;

    check(dialect->request_bytes == set->request_bytes, "size of a request", dialect->name);
    check(dialect->response_bytes == set->response_bytes, "size of a response", dialect->name);
    for (uint32_t i = 0; i < set->request_count; i++) {
        check(golden_packs(dialect, &set->requests[i]), "pack", set->requests[i].name);
        check(golden_unpacks(dialect, &set->requests[i]), "unpack", set->requests[i].name);
    }
    for (uint32_t i = 0; i < set->response_count; i++) {
        check(golden_reply_packs(dialect, &set->responses[i]), "pack", set->responses[i].name);
        check(golden_reply_unpacks(dialect, &set->responses[i]), "unpack", set->responses[i].name);
    }
}

int main(void)
{
    _Static_assert(sizeof(void *) == 4, "built with -m32");

    for (uint32_t i = 0; i < GOLDEN_SETS; i++)
        check_set(&golden_sets[i]);
    return !!failures;
}
