/*
 * What happened to the processes of a run, and how long until their devices were up again: the same
 * log in every mode. Knows no clock and no process; times are its user's, of one kind.
 */
#ifndef XENSOCK_SIM_RUN_FAULT_LOG_H
#define XENSOCK_SIM_RUN_FAULT_LOG_H

#include "sim/run/scenario.h"

#include <jansson.h>

/* "Waits for nothing", of a guest's device. */
#define FAULT_LOG_NONE UINT32_MAX

struct fault_log_entry;

/* Zeroed at first. */
struct fault_log {
    struct fault_log_entry *entries;
    uint32_t count, room;
};

/* Something happens at `now_ns`, `at_ns` into the measured phase, to `where`, which outlives the
 * log: the entry's number. */
uint32_t fault_log_note(struct fault_log *log, enum scenario_fault_kind kind, const char *where,
                        uint64_t at_ns, uint64_t now_ns);

/* A guest's device went with that entry (or FAULT_LOG_NONE), of which its `waits` is the note; what
 * it waited for before will not be known. */
void fault_log_waits(struct fault_log *log, uint32_t *waits, uint32_t entry);

/* What happened last, as "restart of web.1 at 20.0 ms"; empty if nothing did. */
void fault_log_last(const struct fault_log *log, char *text, size_t bytes);

/* The device is up; its entry has recovered when all that went with it are. */
void fault_log_up(struct fault_log *log, uint32_t *waits, uint64_t now_ns);

/* [{"kind", "where", "at_ns", "recovery_ns"}], the last one null where no device went, or not all
 * came up again, or something else happened to them before; the caller's. */
json_t *fault_log_json(const struct fault_log *log);

/* Frees what it holds. */
void fault_log_fini(struct fault_log *log);

#endif
