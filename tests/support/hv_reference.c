/* The hypervisor's tables, kept a second time. See hv_reference.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/hv_reference.h"

#include "ringlib/err.h"
#include "sim/hv/emu_channel.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DOMAINS = HV_REFERENCE_DOMAINS, THINGS = HV_REFERENCE_THINGS, NOBODY = UINT16_MAX };

struct run {
    uint16_t owner; /* NOBODY: gone, or its owner died */
    uint16_t peer;
    bool ended;
    uint32_t pages, handle;
    uint32_t holds; /* pages of mappings */
    uint64_t inode;
};

/* What a ref stands for. */
struct grant {
    struct run *run; /* NULL: nothing */
    uint32_t page;
};

struct map {
    uint16_t mapper; /* NOBODY: gone */
    uint32_t handle, pages;
    struct run *runs[HV_REFS_MAX]; /* of each page */
};

/* Of a channel, whose ends are neighbours. */
struct end {
    uint16_t owner; /* NOBODY: closed, or not bound yet */
    uint16_t remote;
    uint32_t port;
    int receive, send;
};

struct watch {
    uint16_t domid; /* NOBODY: ended */
    uint64_t cookie;
};

static struct {
    uint32_t grants_max, ports_max;
    bool there[DOMAINS];
    struct grant grants[DOMAINS][HV_REFERENCE_GRANTS];
    uint32_t grants_used[DOMAINS], quarantined[DOMAINS];
    struct end *ports[DOMAINS][HV_REFERENCE_PORTS];
    uint32_t ports_used[DOMAINS], maps_used[DOMAINS];
    struct run runs[THINGS];
    struct map maps[THINGS];
    struct end ends[2 * THINGS];
    struct watch watches[THINGS];
    uint32_t run_count, map_count, end_count, watch_count;
} all;

void hv_reference_start(uint32_t grants_max, uint32_t ports_max)
{
    assert(grants_max <= HV_REFERENCE_GRANTS && ports_max <= HV_REFERENCE_PORTS);
    all.grants_max = grants_max;
    all.ports_max = ports_max;
    all.run_count = all.map_count = all.end_count = all.watch_count = 0;
}

bool hv_reference_is_there(uint16_t domid)
{
    return domid < DOMAINS && all.there[domid];
}

void hv_reference_enter(uint16_t domid)
{
    FUZZ_CHECK(!all.there[domid], "%u is there twice", domid);
    all.there[domid] = true;
    memset(all.grants[domid], 0, sizeof(all.grants[domid]));
    memset(all.ports[domid], 0, sizeof(all.ports[domid]));
    all.grants_used[domid] = all.quarantined[domid] = 0;
    all.ports_used[domid] = all.maps_used[domid] = 0;
}

/* ---- grants ---------------------------------------------------------------------------------- */

/* A run nobody can reach any more has no refs. */
static void run_settle(struct run *run)
{
    if (!run->ended || run->holds > 0 || run->owner == NOBODY)
        return;
    all.grants_used[run->owner] -= run->pages;
    all.quarantined[run->owner] -= run->pages;
    for (uint32_t ref = 0; ref < all.grants_max; ref++)
        if (all.grants[run->owner][ref].run == run)
            all.grants[run->owner][ref].run = NULL;
    run->owner = NOBODY;
}

static void run_end(struct run *run)
{
    run->ended = true;
    all.quarantined[run->owner] += run->pages;
    run_settle(run);
}

static void map_end(struct map *map)
{
    all.maps_used[map->mapper]--;
    map->mapper = NOBODY;
    for (uint32_t i = 0; i < map->pages; i++) {
        map->runs[i]->holds--;
        run_settle(map->runs[i]);
    }
}

static struct run *run_find(uint16_t owner, uint32_t handle)
{
    for (struct run *run = all.runs; run < all.runs + all.run_count; run++)
        if (run->owner == owner && run->handle == handle && !run->ended)
            return run;
    return NULL;
}

static struct map *map_find(uint16_t mapper, uint32_t handle)
{
    for (struct map *map = all.maps; map < all.maps + all.map_count; map++)
        if (map->mapper == mapper && map->handle == handle)
            return map;
    return NULL;
}

static void shared(uint16_t domid, const struct hv_asked *asked, const struct emu_shared *answer)
{
    struct run *run = &all.runs[all.run_count++];

    FUZZ_CHECK(all.run_count <= THINGS, "%u runs", all.run_count);
    *run = (struct run){domid,       (uint16_t)asked->domid, false, asked->value, answer->handle, 0,
                        asked->inode};
    FUZZ_CHECK(answer->count == asked->value, "%u refs", answer->count);
    for (uint32_t i = 0; i < answer->count; i++) {
        uint32_t ref = answer->refs[i];

        FUZZ_CHECK(ref >= HV_REFS_RESERVED && ref < all.grants_max, "ref %u", ref);
        FUZZ_CHECK(!all.grants[domid][ref].run, "ref %u of %u is given out twice", ref, domid);
        all.grants[domid][ref] = (struct grant){run, i};
    }
    all.grants_used[domid] += asked->value;
}

/* What a ref of `owner` grants to `mapper`, NULL if nothing. */
static const struct grant *granted(uint32_t owner, uint16_t mapper, uint32_t ref)
{
    const struct grant *grant = &all.grants[owner][ref < all.grants_max ? ref : 0];

    return grant->run && !grant->run->ended && grant->run->peer == mapper ? grant : NULL;
}

static bool may_map(uint16_t domid, const struct hv_asked *asked)
{
    if (asked->domid >= DOMAINS || !all.there[asked->domid])
        return false;
    for (uint32_t i = 0; i < asked->value; i++)
        if (!granted(asked->domid, domid, asked->refs[i]))
            return false;
    return true;
}

/* A piece must be the very pages that the next refs grant. */
static void check_piece(const struct emu_message *answer, uint32_t i, const struct grant *first)
{
    const struct emu_piece *piece = &answer->body.mapped.pieces[i];
    struct stat info;

    FUZZ_CHECK(piece->run < answer->fd_count, "descriptor %u of %u", piece->run, answer->fd_count);
    FUZZ_CHECK(piece->run_pages == first->run->pages && piece->first_page == first->page,
               "page %u of %u", piece->first_page, piece->run_pages);
    FUZZ_CHECK(fstat(answer->fds[piece->run], &info) == 0 && info.st_ino == first->run->inode,
               "the memory of another run, inode %lu", (unsigned long)info.st_ino);
}

static void mapped(uint16_t domid, const struct hv_asked *asked, const struct emu_message *answer)
{
    const struct emu_mapped *body = &answer->body.mapped;
    struct map *map = &all.maps[all.map_count++];
    uint32_t at = 0;

    FUZZ_CHECK(all.map_count <= THINGS, "%u mappings", all.map_count);
    map->mapper = NOBODY; /* whatever an earlier input left there */
    FUZZ_CHECK(!map_find(domid, body->handle), "handle %u twice", body->handle);
    *map = (struct map){.mapper = domid, .handle = body->handle, .pages = asked->value};
    for (uint32_t i = 0; i < body->count; i++) {
        const struct emu_piece *piece = &body->pieces[i];

        FUZZ_CHECK(piece->pages > 0 && piece->pages <= asked->value - at, "%u pages", piece->pages);
        const struct grant *first = granted(asked->domid, domid, asked->refs[at]);
        check_piece(answer, i, first);
        for (uint32_t page = 0; page < piece->pages; page++, at++) {
            const struct grant *grant = granted(asked->domid, domid, asked->refs[at]);

            FUZZ_CHECK(grant->run == first->run && grant->page == first->page + page,
                       "ref %u is not in its piece", asked->refs[at]);
            map->runs[at] = grant->run;
            grant->run->holds++;
        }
    }
    FUZZ_CHECK(at == asked->value, "%u of %u pages", at, asked->value);
    all.maps_used[domid]++;
}

/* ---- channels -------------------------------------------------------------------------------- */

static struct end *other_end(struct end *end)
{
    return &all.ends[(end - all.ends) ^ 1];
}

static void end_open(struct end *end, uint16_t domid, struct emu_message *answer)
{
    uint32_t port = answer->body.port.port;

    FUZZ_CHECK(port > 0 && port < all.ports_max && !all.ports[domid][port], "port %u of %u", port,
               domid);
    FUZZ_CHECK(answer->body.port.domid == end->remote, "with %u", answer->body.port.domid);
    FUZZ_CHECK(answer->fd_count == 2, "%u descriptors", answer->fd_count);
    end->owner = domid;
    end->port = port;
    end->receive = answer->fds[0];
    end->send = answer->fds[1];
    answer->fd_count = 0; /* kept */
    all.ports[domid][port] = end;
    all.ports_used[domid]++;
}

static void end_close(struct end *end)
{
    all.ports[end->owner][end->port] = NULL;
    all.ports_used[end->owner]--;
    end->owner = NOBODY;
    close(end->receive);
    close(end->send);
}

static void allocated(uint16_t domid, const struct hv_asked *asked, struct emu_message *answer)
{
    struct end *ends = &all.ends[all.end_count];

    all.end_count += 2;
    FUZZ_CHECK(all.end_count <= 2 * THINGS, "%u ends", all.end_count);
    ends[0] = (struct end){.owner = NOBODY, .remote = (uint16_t)asked->domid};
    ends[1] = (struct end){.owner = NOBODY, .remote = domid};
    end_open(&ends[0], domid, answer);
}

/* The port that is offered to `domid` there, NULL if none is. */
static struct end *offered(uint16_t domid, const struct hv_asked *asked)
{
    struct end *end = NULL;

    if (asked->domid < DOMAINS && all.there[asked->domid] && asked->value < all.ports_max)
        end = all.ports[asked->domid][asked->value];
    return end && end->remote == domid && other_end(end)->owner == NOBODY ? end : NULL;
}

/* The two ends of a channel, and of no other, hear each other. */
static void bound(uint16_t domid, const struct hv_asked *asked, struct emu_message *answer)
{
    struct end *far = offered(domid, asked), *near = other_end(far);

    end_open(near, domid, answer);
    emu_channel_drain(near->receive);
    emu_channel_drain(far->receive);
    emu_channel_signal(near->send);
    FUZZ_CHECK(emu_channel_drain(far->receive) && !emu_channel_drain(near->receive),
               "port %u does not reach port %u", near->port, far->port);
    emu_channel_signal(far->send);
    FUZZ_CHECK(emu_channel_drain(near->receive), "port %u does not reach port %u", far->port,
               near->port);
}

/* ---- messages -------------------------------------------------------------------------------- */

void hv_reference_leave(uint16_t domid)
{
    all.there[domid] = false;
    for (struct map *map = all.maps; map < all.maps + all.map_count; map++)
        if (map->mapper == domid)
            map_end(map);
    for (struct run *run = all.runs; run < all.runs + all.run_count; run++)
        if (run->owner == domid)
            run->owner = NOBODY;
    for (uint32_t port = 0; port < all.ports_max; port++)
        if (all.ports[domid][port])
            end_close(all.ports[domid][port]);
    for (struct watch *watch = all.watches; watch < all.watches + all.watch_count; watch++)
        if (watch->domid == domid)
            watch->domid = NOBODY;
}

/* What a message of exactly `length` bytes must be; HV_DROPPED if there is none. */
static enum hv_deserves deserves(const union emu_body *body, uint32_t length)
{
    bool fits = false;

    if (length == 0)
        return HV_LEAVES;
    if (length < sizeof(body->head) || length > sizeof(*body))
        return HV_DROPPED;
    switch (body->head.kind) {
    case EMU_SHARE: fits = length == 24; break;
    case EMU_MAP:
        fits = length > 24 && body->map.count > 0 && body->map.count <= HV_REFS_MAX &&
               length == 24 + 4 * body->map.count;
        break;
    case EMU_PORT_ALLOC:
    case EMU_PORT_BIND:
    case EMU_STORE_UNWATCH: fits = length == 24; break;
    case EMU_STORE_READ:
    case EMU_STORE_LIST:
    case EMU_STORE_WATCH: fits = length == 280; break;
    case EMU_STORE_PUBLISH:
        fits = length > 24 && body->publish.count > 0 && body->publish.count <= HV_PUBLISH_MAX &&
               length == 24 + 320 * body->publish.count;
        break;
    case EMU_UNSHARE:
    case EMU_UNMAP:
    case EMU_PORT_CLOSE: return length == 24 ? HV_NOTHING : HV_DROPPED;
    default: break; /* what the hypervisor says, or nobody */
    }
    return fits ? HV_ANSWER : HV_DROPPED;
}

static bool publish_fits(struct hv_asked *asked, const struct emu_publish *publish)
{
    static const char guard[] = "/local/domain/";

    asked->guarded = true;
    for (uint32_t i = 0; i < publish->count; i++) {
        const struct hv_node *node = &publish->nodes[i];

        if (!memchr(node->path, 0, sizeof(node->path)) ||
            !memchr(node->value, 0, sizeof(node->value)))
            return false;
        asked->guarded = asked->guarded && strncmp(node->path, guard, sizeof(guard) - 1) == 0;
    }
    return true;
}

/* Whether the values of a message of the right length are such as it may have. */
static bool values_fit(struct hv_asked *asked, const union emu_body *body,
                       const struct hv_asked_fds *fds)
{
    switch (asked->kind) {
    case EMU_SHARE:
        asked->value = body->grant.pages;
        asked->inode = fds->inode;
        return asked->domid <= UINT16_MAX && asked->value > 0 && asked->value <= HV_REFS_MAX &&
               fds->pages == asked->value;
    case EMU_MAP:
        memcpy(asked->refs, body->map.refs, body->map.count * sizeof(asked->refs[0]));
        return asked->domid <= UINT16_MAX;
    case EMU_PORT_ALLOC:
    case EMU_PORT_BIND: return asked->domid <= UINT16_MAX;
    case EMU_STORE_READ:
    case EMU_STORE_LIST:
    case EMU_STORE_WATCH:
        asked->cookie = body->path.cookie;
        return memchr(body->path.path, 0, sizeof(body->path.path)) != NULL;
    case EMU_STORE_UNWATCH: asked->cookie = body->cookie.cookie; return true;
    case EMU_STORE_PUBLISH: return publish_fits(asked, &body->publish);
    default: asked->value = body->handle.handle; return true;
    }
}

void hv_reference_read(struct hv_asked *asked, const union emu_body *body, uint32_t length,
                       const struct hv_asked_fds *fds)
{
    asked->deserves = deserves(body, length);
    if (asked->deserves == HV_DROPPED || asked->deserves == HV_LEAVES) {
        asked->kind = EMU_KIND_COUNT;
        return;
    }
    asked->kind = (enum emu_kind)body->head.kind;
    asked->id = body->head.id;
    asked->domid = body->grant.domid; /* the same place in all that have one */
    asked->value = body->port.port;
    if (asked->kind == EMU_MAP)
        asked->value = body->map.count;
    if (fds->count != (asked->kind == EMU_SHARE ? 1 : 0) || !values_fit(asked, body, fds))
        asked->deserves = HV_DROPPED;
}

bool hv_reference_is_lie(uint16_t domid, const struct hv_asked *asked)
{
    if (asked->kind == EMU_UNSHARE)
        return !run_find(domid, asked->value);
    if (asked->kind == EMU_UNMAP)
        return !map_find(domid, asked->value);
    return asked->value >= all.ports_max || !all.ports[domid][asked->value];
}

void hv_reference_give_back(uint16_t domid, const struct hv_asked *asked)
{
    if (asked->kind == EMU_UNSHARE)
        run_end(run_find(domid, asked->value));
    else if (asked->kind == EMU_UNMAP)
        map_end(map_find(domid, asked->value));
    else
        end_close(all.ports[domid][asked->value]);
}

/* Whether what is asked can be had; -1 for what only the tree of the store knows. */
static int may_have(uint16_t domid, const struct hv_asked *asked)
{
    switch (asked->kind) {
    case EMU_SHARE:
        return asked->value <= all.grants_max - HV_REFS_RESERVED - all.grants_used[domid];
    case EMU_MAP: return may_map(domid, asked);
    case EMU_PORT_ALLOC: return all.ports_used[domid] < all.ports_max - 1;
    case EMU_PORT_BIND: return offered(domid, asked) && all.ports_used[domid] < all.ports_max - 1;
    case EMU_STORE_UNWATCH: return 1;
    default: return -1;
    }
}

/* How long an answer is, beside which number of descriptors. */
static uint32_t answer_bytes(const struct emu_message *answer, uint32_t *fds)
{
    const union emu_body *body = &answer->body;

    *fds = 0;
    switch (body->head.kind) {
    case EMU_SHARE: return 24 + 4 * body->shared.count;
    case EMU_MAP: *fds = answer->fd_count; return 24 + 8 * body->mapped.count;
    case EMU_PORT_ALLOC:
    case EMU_PORT_BIND: *fds = 2; return 24;
    case EMU_STORE_READ: return 80;
    case EMU_STORE_LIST: return 24 + body->names.bytes;
    default: return 16;
    }
}

static void watches_change(uint16_t domid, const struct hv_asked *asked)
{
    if (asked->kind == EMU_STORE_WATCH) {
        FUZZ_CHECK(all.watch_count < THINGS, "%u watches", all.watch_count);
        all.watches[all.watch_count++] = (struct watch){domid, asked->cookie};
        return;
    }
    for (struct watch *watch = all.watches; watch < all.watches + all.watch_count; watch++)
        if (watch->domid == domid && watch->cookie == asked->cookie)
            watch->domid = NOBODY;
}

static void granted_answer(uint16_t domid, const struct hv_asked *asked, struct emu_message *answer)
{
    uint32_t fds, bytes = answer_bytes(answer, &fds);

    FUZZ_CHECK(answer->length == bytes && answer->fd_count == fds, "%u bytes, %u descriptors",
               answer->length, answer->fd_count);
    switch (asked->kind) {
    case EMU_SHARE: shared(domid, asked, &answer->body.shared); break;
    case EMU_MAP: mapped(domid, asked, answer); break;
    case EMU_PORT_ALLOC: allocated(domid, asked, answer); break;
    case EMU_PORT_BIND: bound(domid, asked, answer); break;
    case EMU_STORE_WATCH:
    case EMU_STORE_UNWATCH: watches_change(domid, asked); break;
    case EMU_STORE_READ:
        FUZZ_CHECK(memchr(answer->body.value.value, 0, STEP_VALUE_BYTES), "a value without end");
        break;
    default: break;
    }
}

void hv_reference_answer(uint16_t domid, const struct hv_asked *asked, struct emu_message *answer,
                         bool short_of_fds)
{
    const struct emu_head *head = &answer->body.head;
    int may = may_have(domid, asked);

    FUZZ_CHECK(head->kind == asked->kind && head->id == asked->id, "%s %lu for %s %lu",
               emu_wire_name(head->kind), (unsigned long)head->id, emu_wire_name(asked->kind),
               (unsigned long)asked->id);
    if (short_of_fds && (head->ret == -ERR_NFILE || head->ret == -ERR_MFILE)) {
        FUZZ_CHECK(asked->kind == EMU_SHARE || asked->kind == EMU_PORT_ALLOC, "%s needs none",
                   emu_wire_name(asked->kind));
        return;
    }
    FUZZ_CHECK(asked->deserves == HV_ANSWER, "%s is answered with %d", emu_wire_name(asked->kind),
               head->ret);
    FUZZ_CHECK(may == -1 || may == (head->ret >= 0), "%s of %u: %d", emu_wire_name(asked->kind),
               domid, head->ret);
    if (head->ret >= 0)
        granted_answer(domid, asked, answer);
    else
        FUZZ_CHECK(answer->length == sizeof(*head) && answer->fd_count == 0, "%u bytes",
                   answer->length);
}

void hv_reference_event(uint16_t domid, const struct emu_message *event)
{
    const struct emu_cookie *body = &event->body.cookie;
    bool found = false;

    FUZZ_CHECK(event->length == sizeof(*body) && event->fd_count == 0 && body->head.id == 0,
               "%u bytes", event->length);
    for (struct watch *watch = all.watches; watch < all.watches + all.watch_count; watch++)
        found = found || (watch->domid == domid && watch->cookie == body->cookie);
    FUZZ_CHECK(found, "an event for %u that watches nothing with this cookie", domid);
}

void hv_reference_compare(const struct hypervisor *tables)
{
    for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++) {
        struct hypervisor_usage usage, mine = {0};

        if (all.there[d])
            mine = (struct hypervisor_usage){all.grants_used[d], all.quarantined[d],
                                             all.ports_used[d], all.maps_used[d]};
        hypervisor_usage(tables, d, &usage);
        FUZZ_CHECK(memcmp(&usage, &mine, sizeof(usage)) == 0,
                   "of %u there are %u grants, %u ended, %u ports, %u maps, not %u, %u, %u, %u", d,
                   usage.grants, usage.grants_quarantined, usage.ports, usage.maps, mine.grants,
                   mine.grants_quarantined, mine.ports, mine.maps);
    }
}

uint32_t hv_reference_pick(enum emu_kind kind, uint32_t which)
{
    if (kind == EMU_UNSHARE || kind == EMU_MAP)
        return all.run_count ? all.runs[which % all.run_count].handle : which;
    if (kind == EMU_UNMAP)
        return all.map_count ? all.maps[which % all.map_count].handle : which;
    return all.end_count ? all.ends[which % all.end_count].port : which;
}
