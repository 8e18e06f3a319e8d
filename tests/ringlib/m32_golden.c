/* The golden bytes of draft 1 in a 32-bit build: a guest's word size must not show on the wire. */
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

int main(void)
{
    _Static_assert(sizeof(void *) == 4, "built with -m32");

    check(dialect_xensock1.request_bytes == GOLDEN_REQUEST, "size", "request");
    check(dialect_xensock1.response_bytes == GOLDEN_RESPONSE, "size", "response");
    for (uint32_t i = 0; i < GOLDEN_REQUESTS; i++) {
        check(golden_packs(&golden_requests[i]), "pack", golden_requests[i].name);
        check(golden_unpacks(&golden_requests[i]), "unpack", golden_requests[i].name);
    }
    for (uint32_t i = 0; i < GOLDEN_RESPONSES; i++) {
        check(golden_reply_packs(&golden_responses[i]), "pack", golden_responses[i].name);
        check(golden_reply_unpacks(&golden_responses[i]), "unpack", golden_responses[i].name);
    }
    return !!failures;
}
