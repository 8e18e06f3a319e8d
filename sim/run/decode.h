/*
 * What a captured packet says: checked, and its slot taken apart by the rows of its dialect.
 *
 * It reads no file (pcapng_read.h) and prints nothing (decode_text.h). What a row is for follows
 * from the member of struct call or call_reply that it fills, so a new dialect needs nothing here,
 * and a new member one line. tools/wireshark takes the same from the same lists.
 * Source: capture_format.h; the numbers of families and types: protocol.md 3.2.
 */
#ifndef XENSOCK_SIM_RUN_DECODE_H
#define XENSOCK_SIM_RUN_DECODE_H

#include "ringlib/dialect.h"
#include "sim/run/capture_format.h"
#include "sim/run/pcapng_read.h"

/* How the value of a row is shown. */
#define DECODE_ROLES(X)                                                                            \
    X(NUMBER, "number")                                                                            \
    X(ID, "id")         /* of a request */                                                         \
    X(CODE, "code")     /* of a command */                                                         \
    X(SOCKID, "sockid") /* in hexadecimal */                                                       \
    X(ADDR, "addr")     /* of bytes */                                                             \
    X(ADDR_LEN, "len")  /* of that */                                                              \
    X(FAMILY, "family")                                                                            \
    X(TYPE, "type")                                                                                \
    X(RET, "ret") /* 0 or -ERR_* */

enum decode_role {
#define X(constant, name) DECODE_##constant,
    DECODE_ROLES(X)
#undef X
        DECODE_ROLES_COUNT
};

#define DECODE_FAMILIES(X)                                                                         \
    X("AF_UNSPEC", 0)                                                                              \
    X("AF_UNIX", 1)                                                                                \
    X("AF_INET", CALL_AF_INET)                                                                     \
    X("AF_INET6", CALL_AF_INET6)

#define DECODE_TYPES(X)                                                                            \
    X("SOCK_STREAM", CALL_SOCK_STREAM)                                                             \
    X("SOCK_DGRAM", 2)                                                                             \
    X("SOCK_RAW", 3)

/* What a row of a request, or of a response, is for. */
enum decode_role decode_role(const struct dialect_row *row, bool is_response);

/* The i-th element of a row in a slot, widened with its sign if it has one. */
uint64_t decode_value(const struct dialect_row *row, const uint8_t *slot, uint32_t i);

struct decode_packet {
    uint64_t number, offset; /* in the file, see pcapng_read.h */
    uint64_t time_ns;
    struct capture_header header;
    const struct dialect *dialect;
    const uint8_t *slot; /* of a request or response, as long as the packet's data; else NULL */
    enum call_kind kind; /* CALL_KINDS: a code that the dialect does not have */
    uint32_t id;         /* of a request or response */
    uint64_t sockid;     /* which a request or response concerns, or whose data ring this is */
    uint64_t new_sockid; /* of the request ACCEPT */
    int32_t ret;         /* of a response */
    struct call_addr addr;
};

/* Take a packet apart; false, and the fault filled in, if it is not one of ours. */
bool decode_take(const struct pcapng_read_packet *from, struct decode_packet *packet,
                 struct pcapng_fault *fault);

/* The names of numbers of a packet's header. Of a number that is no kind "", NULL behind the last.
 */
const char *decode_kind_name(uint32_t kind);
const char *decode_side_name(enum capture_side side);
const char *decode_moved_name(const struct decode_packet *packet); /* "sent" of a notification */
const char *decode_word_name(enum capture_word word);

/* Whether a packet is of the commands' ring. */
static inline bool decode_is_command(const struct decode_packet *packet)
{
    return packet->header.ring == CAPTURE_COMMANDS;
}

/* Of a command ring: how far its guest's requests have come. Zero before the first. */
struct decode_life {
    bool begun;
    uint32_t newest;
};

/* Whether a packet is a guest's first request of a device that came again: indexes of a ring go up,
 * and those of a new one begin at 0. What the rings before it held is gone. */
bool decode_life_begins(struct decode_life *life, const struct decode_packet *packet);

/* Find a side by its name; false if there is none. */
bool decode_find_side(const char *name, enum capture_side *side);

#endif
