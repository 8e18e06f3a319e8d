/* What perfetto.c (events from packets) and perfetto_write.c (the file) share. Nobody else includes
 * this. */
#ifndef XENSOCK_SIM_RUN_PERFETTO_PRIVATE_H
#define XENSOCK_SIM_RUN_PERFETTO_PRIVATE_H

#include "sim/run/perfetto.h"

#include <assert.h>

#include <uthash.h>

/* What a thread is for. */
enum perfetto_what {
    PERFETTO_COMMANDS,
    PERFETTO_SIGNALS, /* notifications and wake-ups of one ring, of one side */
    PERFETTO_ROUND,
    PERFETTO_OUT,
    PERFETTO_IN,
};

/* Without padding, since it is compared as bytes. */
struct perfetto_key {
    uint64_t sockid;
    uint16_t domid, front, device;
    uint8_t what, ring;
    uint32_t lane;
    uint32_t zero;
};
static_assert(sizeof(struct perfetto_key) == 24, "no padding");

struct perfetto_track {
    struct perfetto_key key;
    uint32_t tid;    /* 0: nothing stands in it yet */
    uint64_t end_ns; /* of its last slice */
    UT_hash_handle hh;
};

/* Of which kind the two numbers of an event are. */
enum perfetto_args {
    PERFETTO_NONE,
    PERFETTO_BYTES,   /* bytes */
    PERFETTO_COMMAND, /* id, sockid */
    PERFETTO_PORT,    /* port */
    PERFETTO_FLOW,    /* the arrow's number */
    PERFETTO_LEVEL,   /* value, sockid; the name says of what */
};

struct perfetto_event {
    uint64_t at_ns, dur_ns;
    uint64_t seq; /* in which order they were met */
    uint64_t first, second;
    const char *name;
    struct perfetto_track *track;
    char phase; /* as the format has it: X, s, f, C */
    uint8_t args;
};

/* All that is to be written. */
struct perfetto_story {
    const struct perfetto_config *config;
    uint64_t base_ns; /* in the file's time: what is 0 in ours */
    struct perfetto_event *events;
    size_t count, room;
    struct perfetto_track *tracks;
    uint16_t *domids; /* of all tracks, each once, as they were met */
    uint32_t domid_count, domid_room, tid_last;
};

/* Write it, events in order of time. */
void perfetto_write(FILE *out, struct perfetto_story *story);

#endif
