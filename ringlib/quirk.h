/*
 * Peers with a past: what frontends and backends were seen to do beyond or against the text of
 * their protocol, each as one bit of a mask that a core reads at one named point.
 *
 * A core without quirks is ours. A quirk is switched on to try the *other* side against it; the
 * core that has it need not be sound itself, as the driver it is named after was not, but it never
 * breaks its contract with its executor. Drivers are named sets of quirks; what of their behaviour
 * is no quirk, and why: ringlib/README.md. Source: protocol.md 1.6, 3.5, 5.1, 5.2, to which the
 * last column points.
 */
#ifndef XENSOCK_RINGLIB_QUIRK_H
#define XENSOCK_RINGLIB_QUIRK_H

#include "ringlib/dialect.h"

/* What others cannot count on any more. */
enum quirk_cost {
    QUIRK_FREE = 0,
    QUIRK_LOSES = 1,  /* bytes before an error, or unsent at a release */
    QUIRK_STALLS = 2, /* somebody may wait for ever */
    QUIRK_MIXES = 4,  /* a call may get the answer of another */
    QUIRK_RACES = 8,  /* the handshake may come too early, and is refused then */
};

/* constant, name, cost, what it does, source */
#define QUIRKS_FRONT(X)                                                                            \
    X(ERROR_FIRST, "error-first", LOSES, "tells an error before the bytes that came before it",    \
      "1.6, 5.1")                                                                                  \
    X(ID_OF_SLOT, "id-of-slot", MIXES, "a request's id is its slot's number, in use or not",       \
      "1.3, 3.5, 5.2 a")                                                                           \
    X(UNWAITED, "unwaited", RACES, "does not wait for the backend's InitWait", "1.1, 3.1, 3.5")    \
    X(NO_LINGER, "no-linger", LOSES, "throws unsent bytes away at a release", "3.5")               \
    X(ENDLESS_LINGER, "endless-linger", STALLS, "a release waits for unsent bytes for ever",       \
      "1.3, 1.6")                                                                                  \
    X(EXACT_VERSIONS, "exact-versions", FREE, "wants one version alone in the backend's list",     \
      "3.5")                                                                                       \
    X(BLIND_BIND, "blind-bind", FREE,                                                              \
      "takes a bind that failed for done, and listens where a listen failed", "3.5")               \
    X(RAW_FLAGS, "raw-flags", FREE, "puts its own file flags into a CONNECT", "1.3, 3.5")          \
    X(STALE_REUSE, "stale-reuse", FREE, "leaves what it finds in a RELEASE's reuse", "3.3")        \
    X(OWN_ERROR, "own-error", FREE, "writes in_error itself when it releases", "1.3, 3.4")         \
    X(POINTER_IDS, "pointer-ids", FREE, "ids of sockets are addresses of its kernel", "1.3, 3.5")  \
    X(UNRESERVED, "unreserved", STALLS, "calls that wait may take every slot of the ring",         \
      "1.6, 5.2 s")

#define QUIRKS_BACK(X)                                                                             \
    X(OFFERS_NOTHING, "offers-nothing", FREE, "publishes nothing but its state", "1.1")            \
    X(CONNECTS_ANYWAY, "connects-anyway", STALLS, "is Connected also without a ring", "1.1, 5.1")  \
    X(IGNORES_VERSION, "ignores-version", FREE, "does not read the front's version", "3.5")        \
    X(ORDER_ZERO, "order-zero", FREE, "takes data rings of order 0", "3.5, 7 (17)")                \
    X(UNMADE, "unmade", FREE, "remembers nothing of a SOCKET", "3.3")                              \
    X(INET_ONLY, "inet-only", FREE, "IPv4 alone; else -97 to a SOCKET, -22 to an address",         \
      "1.6, 3.3")                                                                                  \
    X(FAULT_ON_MAP, "fault-on-map", FREE, "-14 where a guest's pages cannot be mapped", "3.3")     \
    X(SERIAL_CONNECT, "serial-connect", FREE, "takes no request while a CONNECT is under way",     \
      "1.3, 5.2 r")                                                                                \
    X(NONBLOCK_FAILS, "nonblock-fails", FREE, "fails a CONNECT whose flags say O_NONBLOCK", "1.6") \
    X(ONE_ACCEPT, "one-accept", FREE, "one ACCEPT may wait; another gets -4", "1.3, 1.6")          \
    X(ONE_WAITER, "one-waiter", FREE,                                                              \
      "one ACCEPT or POLL of a listener may wait; another gets -4", "3.3, 7 (3)")                  \
    X(SILENT_POLL, "silent-poll", FREE, "no answer to a POLL of an unknown socket", "1.3, 3.3")    \
    X(LOST_POLL, "lost-poll", STALLS,                                                              \
      "no answer to a POLL beside an ACCEPT, nor to one overtaken by another", "1.3, 5.2 d")       \
    X(SILENT_UNKNOWN, "silent-unknown", FREE, "no answer to an unknown command", "1.3, 1.6")       \
    X(NAMELESS_UNKNOWN, "nameless-unknown", FREE, "its answer to one names no socket", "3.3")      \
    X(FORGETS_WAITERS, "forgets-waiters", STALLS,                                                  \
      "a listener's RELEASE leaves what waits on it unanswered", "1.3, 5.2 e")                     \
    X(DEAF, "deaf", STALLS,                                                                        \
      "a socket's event that finds nothing to send is the last one it hears", "5.1")               \
    X(SILENT_RESET, "silent-reset", STALLS, "says nothing of an idle socket's reset", "5.2 g")

#define QUIRKS(X) QUIRKS_FRONT(X) QUIRKS_BACK(X)

enum quirk {
#define X(constant, name, cost, text, source) QUIRK_##constant,
    QUIRKS(X)
#undef X
        QUIRK_COUNT
};
_Static_assert(QUIRK_COUNT <= 32, "quirks are bits of 32");

static inline uint32_t quirk_bit(enum quirk which)
{
    return UINT32_C(1) << which;
}

/* One side of somebody's driver. */
struct quirk_side {
    bool exists;
    uint32_t quirks;
    uint32_t order; /* front: of its data rings; back: the largest it takes; 0: the dialect's */
};

struct quirk_peer {
    const char *name;
    const char *text;
    const struct dialect *dialect; /* the only one it speaks; NULL: all */
    struct quirk_side front, back;
};

/* The i-th peer, NULL behind the last. The first is ours: both sides, no quirk. */
const struct quirk_peer *quirk_peer_at(uint32_t i);

/* What a quirk is called, what it does; whether a frontend has it, or a backend. */
const char *quirk_name(enum quirk which);
const char *quirk_text(enum quirk which);
bool quirk_is_front(enum quirk which);

/* The costs of all quirks of a mask: bits of enum quirk_cost. */
uint32_t quirk_costs(uint32_t quirks);

/* A side by its text, "linux-6.1-back" or "xensock+deaf+one-waiter": a peer's name, and quirks that
 * it has beside its own. 0; or -1, and `*wrong` is the part that is no name, or of the other side.
 */
struct quirk_text_part {
    uint32_t at, length;
    bool is_peer, other_side;
};
int quirk_parse(const char *text, bool front, struct quirk_side *side,
                const struct quirk_peer **peer, struct quirk_text_part *wrong);

#endif
