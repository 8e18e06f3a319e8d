/* Names of the wire's error numbers, for people. See err.h. */
#include "ringlib/err.h"

const char *err_name(int32_t number)
{
    uint32_t positive = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;

    switch (positive) {
    case 0: return "0";
#define X(name, value)                                                                             \
    case value: return "E" #name;
        ERR_LIST(X)
#undef X
    }
    return "E?";
}
