/*
 * Where the time went: from the packets of a capture the paths that bytes and commands took, each
 * with the times at which it passed from one stage to the next.
 *
 * A stage lasts from one mark of its path to the next, so the stages of a path add up to the whole
 * of it exactly, always. A notification or wake-up counts for whatever was published before it and
 * not taken yet. What was taken before its notification was sent, or before the other side woke for
 * it, did not wait for these: their stages are 0, and it is all `take`.
 * Times are those of the packets: of a system's clock, in which `notify` holds the copy into the
 * ring, or in virtual time that of the turn in which it happened (all of a turn happens at its
 * start; what it costs comes to the stage behind it).
 * Nothing here reads a file (decode_file.h); stages_hist.h adds paths up. Memory is bounded by what
 * is under way. Packets may be anybody's: what does not fit together gives no path.
 */
#ifndef XENSOCK_SIM_RUN_STAGES_H
#define XENSOCK_SIM_RUN_STAGES_H

#include "sim/run/decode.h"

/* constant, name, its stages in order.
 * OUT and IN: the bytes of one move of out_prod, or of in_prod, up to the move of the other index
 * behind the last of them.
 * ROUND: a socket's question and answer, from the first out_prod that follows an answer to the last
 * in_cons before the next; a socket on which both ways once overlapped has no more of them.
 * APP: from one round of a socket to its next.
 * COMMAND: a request and its response. */
#define STAGES_PATHS(X)                                                                            \
    X(OUT, "out", "notify", "wake", "take")                                                        \
    X(IN, "in", "notify", "wake", "take")                                                          \
    X(ROUND, "round", "out", "peer", "in")                                                         \
    X(APP, "app", NULL)                                                                            \
    X(COMMAND, NULL, "notify", "wake", "take", "work", "reply_notify", "reply_wake", "reply_take")

#define X(constant, ...) STAGES_##constant,
enum stages_kind { STAGES_PATHS(X) STAGES_KINDS };
#undef X

enum { STAGES_MARKS_MAX = 8, STAGES_NAME_BYTES = 40 };

struct stages_path {
    enum stages_kind kind;
    enum call_kind command;    /* of a COMMAND */
    struct capture_header who; /* front, back, device, dialect, ring, sockid; of the front */
    uint64_t sockid;           /* of a COMMAND: which it concerns */
    uint32_t id;               /* of a COMMAND */
    uint32_t bytes;            /* of OUT and IN */
    uint32_t marks;
    uint64_t at_ns[STAGES_MARKS_MAX]; /* never one before the other */
};

/* How many stages a path has; at least one, which may be all of it. */
uint32_t stages_count(enum stages_kind kind);

/* The name of a path's stage, "out.wake", "connect.work"; of all of it for stage UINT32_MAX: "out".
 */
void stages_name(enum stages_kind kind, enum call_kind command, uint32_t stage,
                 char name[STAGES_NAME_BYTES]);

/* The name of a stage alone, "wake"; NULL: the path has one stage only, which has none. */
const char *stages_stage_name(enum stages_kind kind, uint32_t stage);

struct stages;

/* Have each path told as it ends. Asserts that there is memory, as all below. */
struct stages *stages_create(void (*path)(void *self, const struct stages_path *path), void *self);

/* Look at the next packet, in the order of the file. */
void stages_see(struct stages *stages, const struct decode_packet *packet);

/* That was the last: tell the rounds that have ended, and free. */
void stages_finish(struct stages *stages);

#endif
