/*
 * The hypervisor's tables as text. See hypervisor_look.h.
 *
 * Each walk begins where FROM says and ends when the page is full: FROM is the key of the next
 * entry (domid, ref, port; for held pages mapper and map), so that what comes or goes in between
 * moves nothing else.
 */
#include "sim/hv/hypervisor_look.h"

#include "ringlib/err.h"
#include "sim/hv/hypervisor_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    WORDS_MAX = 3,
    LINE_BYTES = 160, /* the longest has twelve numbers */
    NEXT_BYTES = 26,  /* "next " and the largest number, kept free behind every line */
};
static_assert(LINE_BYTES + NEXT_BYTES <= HYPERVISOR_LOOK_MIN, "a page holds an entry");

struct page {
    char *text;
    uint32_t used, bytes;
};

/* Refs are numbers of 32 bits; a map of a mapper stands behind all of them. */
static uint64_t held_key(uint16_t mapper, uint32_t handle)
{
    return (mapper + 1ull) << 32 | handle;
}

/* Write the line of the entry with this key; false if it does not fit, and then where to go on. */
static __attribute__((format(printf, 3, 4))) bool put(struct page *page, uint64_t key,
                                                      const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    bool fits = page->bytes - page->used >= (uint32_t)length + NEXT_BYTES;
    if (!fits)
        length = snprintf(line, sizeof(line), "next %" PRIu64 "\n", key);
    assert(length > 0 && (size_t)length < sizeof(line));
    memcpy(page->text + page->used, line, (size_t)length);
    page->used += (uint32_t)length;
    return fits;
}

static bool is_known(const struct hypervisor *hv, uint64_t domid)
{
    return domid < hv->domains_end && (hv->history[domid].expected || hv->history[domid].lives > 0);
}

static bool put_domain(const struct hypervisor *hv, uint16_t domid, struct page *page)
{
    const struct domain *domain = hv->domains[domid];
    const struct history *history = &hv->history[domid];
    const char *state = domain ? "connected" : history->lives > 0 ? "dead" : "expected";
    struct hypervisor_usage usage;
    struct store_usage store;

    hypervisor_usage(hv, domid, &usage);
    store_usage(hv->store, domid, &store);
    return put(page, domid, "domain %u %s %u %u %u %u %u %u %u %u %u %u %u\n", domid, state,
               history->lives, usage.grants, usage.grants_quarantined,
               hv->config.grants_max - HV_REFS_RESERVED, usage.ports, hv->config.ports_max - 1,
               usage.maps, history->held_pages, store.nodes, store.watches, store.transactions);
}

static void look_domains(const struct hypervisor *hv, uint64_t from, struct page *page)
{
    for (uint64_t domid = from; domid < hv->domains_end; domid++) {
        if (is_known(hv, domid) && !put_domain(hv, (uint16_t)domid, page))
            return;
    }
}

static const char *grant_state(const struct run *run)
{
    if (run->ended)
        return "quarantined";
    return run->holds > 0 ? "mapped" : "granted";
}

/* The refs from `first` on that are one piece of its run: how many. */
static uint32_t piece_of(const struct domain *domain, uint32_t first)
{
    const struct grant *grant = &domain->grants[first];
    uint32_t count = 1;

    while (slots_taken(&domain->refs, first + count) && grant[count].run == grant->run &&
           grant[count].page == grant->page + count)
        count++;
    return count;
}

static bool look_refs(const struct domain *domain, uint64_t from, struct page *page)
{
    uint64_t ref = from;

    while (ref < domain->refs.room) {
        uint32_t first = (uint32_t)ref;
        if (!slots_taken(&domain->refs, first)) {
            ref++;
            continue;
        }
        const struct grant *grant = &domain->grants[first];
        uint32_t count = piece_of(domain, first);
        if (!put(page, ref, "grant %u %u %u %u %u %s %u\n", first, first + count - 1,
                 grant->run->refs[0], grant->page, grant->run->peer, grant_state(grant->run),
                 grant->run->holds))
            return false;
        ref += count;
    }
    return true;
}

/* A map's refs are all of one life of one owner, so the first run speaks for all. */
static bool is_held(const struct mapping *mapping, uint16_t owner)
{
    const struct run *run = mapping->runs[0];

    return !run->owner && run->owner_domid == owner;
}

static bool look_held_by(const struct domain *mapper, uint16_t owner, uint64_t from,
                         struct page *page)
{
    for (const struct mapping *m = mapper->maps; m; m = m->hh.next) {
        uint64_t key = held_key(mapper->domid, m->handle);
        if (key >= from && is_held(m, owner) &&
            !put(page, key, "held %u %u %u\n", mapper->domid, m->handle, m->pages))
            return false;
    }
    return true;
}

static void look_grants(const struct hypervisor *hv, uint16_t domid, uint64_t from,
                        struct page *page)
{
    if (hv->domains[domid] && !look_refs(hv->domains[domid], from, page))
        return;
    bool held = hv->history[domid].held_pages > 0; /* else nobody's maps need be looked at */
    for (uint32_t mapper = 0; held && mapper < hv->domains_end; mapper++) {
        if (hv->domains[mapper] && !look_held_by(hv->domains[mapper], domid, from, page))
            return;
    }
}

static bool put_port(const struct domain *domain, uint32_t number, struct page *page)
{
    struct port port = domain->port_table[number];
    const struct channel_end *other = &port.channel->ends[!port.end];
    const char *state = "interdomain";

    if (!other->domain)
        state = other->port > 0 ? "closed" : "unbound";
    return put(page, number, "port %u %s %u %u\n", number, state,
               port.channel->ends[port.end].remote, other->port);
}

static void look_ports(const struct hypervisor *hv, uint16_t domid, uint64_t from,
                       struct page *page)
{
    const struct domain *domain = hv->domains[domid];

    for (uint64_t port = from; domain && port < domain->ports.room; port++) {
        if (slots_taken(&domain->ports, (uint32_t)port) && !put_port(domain, (uint32_t)port, page))
            return;
    }
}

/* A number of at most 64 bits, nothing around it. */
static bool read_number(const char *text, uint64_t *number)
{
    uint64_t value = 0;

    for (const char *at = text; *at; at++) {
        uint32_t digit = (uint32_t)(*at - '0');
        if (*at < '0' || digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return text[0] != '\0';
}

static int look_domain(const struct hypervisor *hv, const char *command, uint64_t domid,
                       uint64_t from, struct page *page)
{
    bool grants = strcmp(command, "grants") == 0;

    if (!grants && strcmp(command, "ports") != 0)
        return -ERR_INVAL;
    if (!is_known(hv, domid))
        return -ERR_NOENT;
    if (grants)
        look_grants(hv, (uint16_t)domid, from, page);
    else
        look_ports(hv, (uint16_t)domid, from, page);
    return 0;
}

int hypervisor_look(const struct hypervisor *hv, const char *const *words, uint32_t count,
                    char *text, uint32_t bytes)
{
    struct page page = {.text = text, .bytes = bytes};
    uint64_t numbers[WORDS_MAX] = {0};

    assert(bytes >= HYPERVISOR_LOOK_MIN);
    if (count == 0 || count > WORDS_MAX)
        return -ERR_INVAL;
    for (uint32_t i = 1; i < count; i++) {
        if (!read_number(words[i], &numbers[i]))
            return -ERR_INVAL;
    }
    if (count <= 2 && strcmp(words[0], "domains") == 0) {
        look_domains(hv, numbers[1], &page);
        return (int)page.used;
    }
    if (count < 2)
        return -ERR_INVAL;
    int ret = look_domain(hv, words[0], numbers[1], numbers[2], &page);
    return ret < 0 ? ret : (int)page.used;
}
