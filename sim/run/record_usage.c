/* The JSON a process reports its usage in, and back. See record.h. */
#include "sim/run/record.h"

#include "ringlib/err.h"

#include <stddef.h>

static const struct member {
    const char *name;
    size_t offset;
} members[] = {
#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct record_usage, name)                                                 \
    }
    MEMBER(wall_ns),
    MEMBER(cpu_user_ns),
    MEMBER(cpu_system_ns),
    MEMBER(switches_voluntary),
    MEMBER(switches_involuntary),
    MEMBER(faults_minor),
    MEMBER(memory_peak_bytes),
#undef MEMBER
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

_Static_assert(MEMBERS * sizeof(uint64_t) == sizeof(struct record_usage), "every member is listed");

json_t *record_usage_json(const struct record_usage *usage)
{
    json_t *json = json_object();

    for (size_t i = 0; i < MEMBERS; i++) {
        uint64_t value = *(const uint64_t *)(const void *)((const char *)usage + members[i].offset);

        if (json_object_set_new(json, members[i].name, json_integer((json_int_t)value)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

int record_usage_parse(const json_t *json, struct record_usage *usage)
{
    struct record_usage parsed = {0};

    for (size_t i = 0; i < MEMBERS; i++) {
        const json_t *value = json_object_get(json, members[i].name);

        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return -ERR_INVAL;
        *(uint64_t *)(void *)((char *)&parsed + members[i].offset) =
            (uint64_t)json_integer_value(value);
    }
    *usage = parsed;
    return 0;
}
