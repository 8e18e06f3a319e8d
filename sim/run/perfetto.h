/*
 * A capture as Chrome trace events in JSON, for ui.perfetto.dev and whatever else reads them.
 *
 * A process is a domain, a thread what can have one slice at a time: of a guest its commands, in as
 * many lanes as are needed, and of each socket its rounds and the bytes of either way, one move at
 * a time (the next that begins when the last one shown has ended); of the backend the commands it
 * works at; of both what they notify and are woken for, with an arrow from the first notification
 * since the last wake-up to the wake-up. Counters are the bytes in each ring and the slots in use.
 * Slices are complete events ("X") and hold those of their stages; where two of a thread overlap,
 * one lies in the other. Events stand in the order of their times.
 * The same capture gives the same text. Numbers are integers but for `ts` and `dur`, microseconds
 * with three decimals, which are exact. Memory is bounded by the limit and what is under way.
 * Source: "Trace Event Format" of Chromium's Catapult project.
 */
#ifndef XENSOCK_SIM_RUN_PERFETTO_H
#define XENSOCK_SIM_RUN_PERFETTO_H

#include "sim/run/decode.h"

enum { PERFETTO_LIMIT_DEFAULT = 200000, PERFETTO_NAME_BYTES = 96 };

struct perfetto_config {
    uint64_t from_ns, to_ns; /* what begins in this window: from <= time <= to */
    uint64_t limit;          /* of events; names are none */
    /* The name of a domain, into `name`; false, or NULL: it is called by its number. */
    bool (*name_of)(void *self, uint16_t domid, char name[PERFETTO_NAME_BYTES]);
    void *self;
};

/* What became of it. */
struct perfetto_summary {
    uint64_t events;        /* written */
    uint64_t left_out;      /* beyond the limit */
    uint64_t left_since_ns; /* when the first of those was */
};

/* Read a capture, twice from where `in` stands, which must be a place to return to, and write its
 * events. Times in the file and in the configuration count from the
 * capture's own zero in virtual time, and where that is the beginning of the epoch from its first
 * packet. False, and the fault filled in: it cannot be read to its end; nothing was written. `out`
 * is the caller's, as is to look for its errors. Asserts that there is memory. */
bool perfetto_export(FILE *in, const struct perfetto_config *config, FILE *out,
                     struct perfetto_summary *summary, struct pcapng_fault *fault);

#endif
