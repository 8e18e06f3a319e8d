/* What happened to the processes of a run. See fault_log.h. */
#include "sim/run/fault_log.h"

#include "sim/run/units.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct fault_log_entry {
    enum scenario_fault_kind kind;
    const char *where;
    uint64_t at_ns, happened_ns;
    uint64_t recovery_ns; /* 0: not yet, or never */
    uint32_t waiting;     /* devices that went with it and are not up */
};

static const char *const kind_words[] = {
#define WORD(constant, word) word,
    SCENARIO_FAULT_KINDS(WORD)
#undef WORD
};

uint32_t fault_log_note(struct fault_log *log, enum scenario_fault_kind kind, const char *where,
                        uint64_t at_ns, uint64_t now_ns)
{
    if (log->count == log->room) {
        log->room = log->room ? 2 * log->room : 16;
        log->entries = realloc(log->entries, log->room * sizeof(log->entries[0]));
        assert(log->entries);
    }
    log->entries[log->count] = (struct fault_log_entry){
        .kind = kind, .where = where, .at_ns = at_ns, .happened_ns = now_ns};
    return log->count++;
}

void fault_log_waits(struct fault_log *log, uint32_t *waits, uint32_t entry)
{
    if (*waits != FAULT_LOG_NONE)
        log->entries[*waits].waiting--;
    *waits = entry;
    if (entry != FAULT_LOG_NONE)
        log->entries[entry].waiting++;
}

void fault_log_last(const struct fault_log *log, char *text, size_t bytes)
{
    text[0] = '\0';
    if (log->count == 0)
        return;
    const struct fault_log_entry *last = &log->entries[log->count - 1];
    snprintf(text, bytes, "%s of %s at %s", kind_words[last->kind], last->where,
             units_format_latency(last->at_ns).text);
}

void fault_log_up(struct fault_log *log, uint32_t *waits, uint64_t now_ns)
{
    if (*waits == FAULT_LOG_NONE)
        return;
    struct fault_log_entry *entry = &log->entries[*waits];
    *waits = FAULT_LOG_NONE;
    if (--entry->waiting == 0)
        entry->recovery_ns = now_ns - entry->happened_ns;
}

json_t *fault_log_json(const struct fault_log *log)
{
    json_t *faults = json_array();

    for (uint32_t i = 0; i < log->count; i++) {
        const struct fault_log_entry *entry = &log->entries[i];
        json_array_append_new(
            faults, json_pack("{s:s, s:s, s:I, s:o}", "kind", kind_words[entry->kind], "where",
                              entry->where, "at_ns", (json_int_t)entry->at_ns, "recovery_ns",
                              entry->recovery_ns > 0 ? json_integer((json_int_t)entry->recovery_ns)
                                                     : json_null()));
    }
    return faults;
}

void fault_log_fini(struct fault_log *log)
{
    free(log->entries);
}
