/* The table of quirks, and the drivers that are named sets of them. See quirk.h. */
#include "ringlib/quirk.h"

#include <string.h>

#define BIT(constant) (UINT32_C(1) << QUIRK_##constant)

static const struct {
    const char *name;
    uint32_t cost;
    const char *text;
} quirks[] = {
#define X(constant, name, cost, text, source) {name, QUIRK_##cost, text},
    QUIRKS(X)
#undef X
};

#define DRAFT1_FRONT                                                                               \
    (BIT(ERROR_FIRST) | BIT(ID_OF_SLOT) | BIT(UNWAITED) | BIT(ENDLESS_LINGER) | BIT(RAW_FLAGS) |   \
     BIT(OWN_ERROR) | BIT(POINTER_IDS) | BIT(UNRESERVED))
#define DRAFT1_BACK                                                                                \
    (BIT(OFFERS_NOTHING) | BIT(CONNECTS_ANYWAY) | BIT(INET_ONLY) | BIT(SERIAL_CONNECT) |           \
     BIT(NONBLOCK_FAILS) | BIT(ONE_ACCEPT) | BIT(SILENT_POLL) | BIT(LOST_POLL) |                   \
     BIT(SILENT_UNKNOWN) | BIT(FORGETS_WAITERS))
#define LINUX_FRONT                                                                                \
    (BIT(ID_OF_SLOT) | BIT(NO_LINGER) | BIT(EXACT_VERSIONS) | BIT(BLIND_BIND) | BIT(RAW_FLAGS) |   \
     BIT(STALE_REUSE) | BIT(OWN_ERROR) | BIT(POINTER_IDS) | BIT(UNRESERVED))
#define LINUX_BACK                                                                                 \
    (BIT(IGNORES_VERSION) | BIT(ORDER_ZERO) | BIT(UNMADE) | BIT(INET_ONLY) | BIT(FAULT_ON_MAP) |   \
     BIT(SERIAL_CONNECT) | BIT(ONE_WAITER) | BIT(SILENT_POLL) | BIT(NAMELESS_UNKNOWN) |            \
     BIT(FORGETS_WAITERS) | BIT(SILENT_RESET))

/* Draft 1's prototype had rings of order 6 alone (1.4), Linux's drivers know none above 4 (3.5). */
static const struct quirk_peer peers[] = {
    {"xensock", "ours, which keeps to the text", NULL, {true, 0, 0}, {true, 0, 0}},
    {"draft1-prototype",
     "the first frontend and backend of draft 1, 2016",
     &dialect_xensock1,
     {true, DRAFT1_FRONT, 6},
     {true, DRAFT1_BACK, 6}},
    {"linux-6.1-front", "Linux's frontend", &dialect_pvcalls1, {true, LINUX_FRONT, 4}, {0}},
    {"linux-6.1-back",
     "Linux's backend, whose sockets go deaf",
     &dialect_pvcalls1,
     {0},
     {true, LINUX_BACK | BIT(DEAF), 4}},
    {"linux-2023-back",
     "Linux's backend since their hearing was mended",
     &dialect_pvcalls1,
     {0},
     {true, LINUX_BACK, 4}},
};

const struct quirk_peer *quirk_peer_at(uint32_t i)
{
    return i < sizeof(peers) / sizeof(peers[0]) ? &peers[i] : NULL;
}

const char *quirk_name(enum quirk which)
{
    return which < QUIRK_COUNT ? quirks[which].name : "?";
}

const char *quirk_text(enum quirk which)
{
    return which < QUIRK_COUNT ? quirks[which].text : "?";
}

bool quirk_is_front(enum quirk which)
{
    return which <= QUIRK_UNRESERVED;
}

uint32_t quirk_costs(uint32_t mask)
{
    uint32_t costs = 0;

    for (uint32_t i = 0; i < QUIRK_COUNT; i++)
        costs |= mask >> i & 1u ? quirks[i].cost : 0u;
    return costs;
}

static bool is_named(const char *name, const char *text, const struct quirk_text_part *part)
{
    return strlen(name) == part->length && memcmp(name, text + part->at, part->length) == 0;
}

static const struct quirk_peer *find_peer(const char *text, const struct quirk_text_part *part)
{
    for (uint32_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
        if (is_named(peers[i].name, text, part))
            return &peers[i];
    return NULL;
}

static enum quirk find_quirk(const char *text, const struct quirk_text_part *part)
{
    uint32_t i = 0;

    while (i < QUIRK_COUNT && !is_named(quirks[i].name, text, part))
        i++;
    return (enum quirk)i;
}

int quirk_parse(const char *text, bool front, struct quirk_side *side,
                const struct quirk_peer **peer, struct quirk_text_part *wrong)
{
    struct quirk_text_part part = {.length = (uint32_t)strcspn(text, "+"), .is_peer = true};

    *peer = find_peer(text, &part);
    *side = !*peer ? (struct quirk_side){0} : front ? (*peer)->front : (*peer)->back;
    part.other_side = *peer != NULL;
    *wrong = part;
    if (!side->exists)
        return -1;
    part.is_peer = false;
    while (text[part.at + part.length] == '+') {
        part.at += part.length + 1;
        part.length = (uint32_t)strcspn(text + part.at, "+");
        enum quirk which = find_quirk(text, &part);
        part.other_side = which < QUIRK_COUNT && quirk_is_front(which) != front;
        *wrong = part;
        if (which == QUIRK_COUNT || part.other_side)
            return -1;
        side->quirks |= quirk_bit(which);
    }
    return 0;
}
