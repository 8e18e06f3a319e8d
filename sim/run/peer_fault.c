/* Faults that cores report of their peers. See peer_fault.h. */
#include "sim/run/peer_fault.h"

#include <stdio.h>
#include <string.h>

void peer_fault_text(char text[PEER_FAULT_BYTES], const struct act_fault *fault,
                     const struct dialect *dialect)
{
    const char *name = step_fault_name(fault->reason);

    bool node = fault->reason == FAULT_STORE_VALUE || fault->reason == FAULT_VERSION;

    if (node && fault->index < DIALECT_KEYS && dialect->keys[fault->index])
        snprintf(text, PEER_FAULT_BYTES, "%s of node '%s'", name, dialect->keys[fault->index]);
    else
        snprintf(text, PEER_FAULT_BYTES, "%s (ours %u, claimed %u)", name, fault->index,
                 fault->value);
}

static void once_more(json_t *error)
{
    json_object_set_new(error, "times",
                        json_integer(json_integer_value(json_object_get(error, "times")) + 1));
}

void peer_fault_note(json_t *errors, const char *code, const char *message, const char *after)
{
    uint32_t count = 0;
    size_t index;
    json_t *error;

    json_array_foreach(errors, index, error)
    {
        const char *other = json_string_value(json_object_get(error, "code"));
        const char *noted = json_string_value(json_object_get(error, "message"));
        if (!other || strcmp(other, code) != 0)
            continue;
        if (count == PEER_FAULT_MAX || (noted && strcmp(noted, message) == 0)) {
            once_more(error);
            return;
        }
        count++;
    }
    /* the one behind the last is all the others' */
    json_array_append_new(errors, json_pack("{s:s, s:s, s:i, s:s}", "code", code, "message",
                                            count < PEER_FAULT_MAX ? message : "", "times", 1,
                                            "after", after));
}

json_t *peer_fault_words(const json_t *error)
{
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *after = json_string_value(json_object_get(error, "after"));
    json_int_t times = json_integer_value(json_object_get(error, "times"));
    char often[48] = "";

    if (message[0] == '\0')
        return json_sprintf("and %" JSON_INTEGER_FORMAT " more of other words", times);
    if (times > 1)
        snprintf(often, sizeof(often), ", %" JSON_INTEGER_FORMAT " times", times);
    return json_sprintf("%s%s%s%s%s", message, often, after[0] ? times > 1 ? ", first" : "," : "",
                        after[0] ? " after the " : "", after);
}
