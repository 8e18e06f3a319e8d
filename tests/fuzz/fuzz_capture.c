/*
 * The input is a capture, as anybody may have written it. Whatever it is, it is read to its end or
 * to a fault with a place in it, and what is printed of it is text, and JSON (captures.h).
 */
#include "tests/fuzz/fuzz.h"
#include "tests/support/captures.h"

enum { INPUT_BYTES_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    struct captures_outcome outcome = captures_read(data, (uint32_t)size);
    FUZZ_CHECK(outcome.packets <= size / 32, "%u packets in %zu bytes", outcome.packets, size);
    if (outcome.end < 0)
        FUZZ_CHECK(outcome.fault.what[0] && outcome.fault.offset <= size, "a fault '%s' at %llu",
                   outcome.fault.what, (unsigned long long)outcome.fault.offset);
    return 0;
}
