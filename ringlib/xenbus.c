/* Numbers in xenstore, without stdio. See xenbus.h. */
#include "ringlib/xenbus.h"

#include "ringlib/err.h"

#include <stddef.h>
#include <string.h>

int64_t xenbus_parse(const char *text, uint32_t max)
{
    uint64_t number = 0;
    uint32_t digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (digits == 10)
            return -1;
        number = number * 10 + (uint64_t)(text[digits] - '0');
    }
    return digits == 0 || text[digits] != '\0' || number > max ? -1 : (int64_t)number;
}

bool xenbus_is_gone(int32_t ret)
{
    return ret == -ERR_NOENT || ret == -ERR_ACCES;
}

int64_t xenbus_state_read(int32_t ret, const char *value)
{
    if (xenbus_is_gone(ret))
        return XENBUS_UNKNOWN;
    return ret < 0 ? -1 : xenbus_parse(value, XENBUS_RECONFIGURED);
}

bool xenbus_lists(const char *list, const char *item)
{
    size_t length = strlen(item);

    for (const char *at = list;; at++) {
        if (strncmp(at, item, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
        at = strchr(at, ',');
        if (!at)
            return false;
    }
}

void xenbus_print(char *text, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *text++ = digits[--count];
    *text = '\0';
}
