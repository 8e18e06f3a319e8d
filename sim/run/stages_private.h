/* What stages.c, stages_data.c and stages_commands.c share. Nobody else includes this. */
#ifndef XENSOCK_SIM_RUN_STAGES_PRIVATE_H
#define XENSOCK_SIM_RUN_STAGES_PRIVATE_H

#include "sim/run/stages.h"

#include <assert.h>

#include <uthash.h>

#define STAGES_NEVER UINT64_MAX /* a mark that was not passed */

/* A move of a producer's index: published, notified, woken for. */
struct stages_move {
    uint32_t end, bytes;
    uint64_t at_ns[3];
};

/* One way of a socket's bytes. Of the moves that wait, oldest first, those before `notified` were
 * notified, those before `woken` woken for; woken <= notified <= count. */
struct stages_flow {
    struct stages_move *moves; /* a ring of `room`, a power of two */
    uint32_t first, count, room;
    uint32_t notified, woken;
};

/* A question and its answer, as far as they are. */
enum stages_turn { STAGES_QUIET, STAGES_ASKING, STAGES_ANSWERING, STAGES_MIXED };

struct stages_round {
    enum stages_turn turn;
    uint64_t at_ns[4];
    uint64_t before_ns; /* when the last one ended, if there was one: */
    bool had;
};

struct stages_asked {
    uint32_t id;
    enum call_kind kind;
    uint64_t sockid;
    uint64_t at_ns[STAGES_MARKS_MAX];
};

struct stages_ring {
    struct capture_ring_key key;
    struct capture_header who; /* whose */
    struct stages_flow out, in;
    struct stages_round round;
    struct stages_asked *asked; /* of commands; in the order in which they were */
    uint32_t asked_count, asked_room;
    struct decode_life life; /* of commands */
    UT_hash_handle hh;
};

struct stages {
    void (*path)(void *self, const struct stages_path *path);
    void *self;
    struct stages_ring *rings;
};

/* Tell a path whose first and last marks are known; those between that were not passed, or not in
 * time, are set to the one before. */
void stages_tell(struct stages *stages, struct stages_path *path);

/* Look at a packet of a data ring; and that was its last. */
void stages_data_see(struct stages *stages, struct stages_ring *ring,
                     const struct decode_packet *packet);
void stages_data_end(struct stages *stages, struct stages_ring *ring);

/* Look at a packet of a command ring. */
void stages_commands_see(struct stages *stages, struct stages_ring *ring,
                         const struct decode_packet *packet);

#endif
