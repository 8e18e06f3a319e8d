/*
 * Fuzz harness of the hypervisor process: what three domains send it, over real sockets.
 *
 * The input: a first byte, whose bit 0 makes the quotas small, bit 1 the hypervisor's send buffers;
 * then operations until it ends or MESSAGES_MAX were sent. An operation's byte is domain + 3 *
 * what:
 *
 *   what 0..9   a request (hv_messages.h, read_request), sent before the hypervisor turns again if
 * the byte after it is odd, and often if it is 240 or more 10, 11      a message of so many bytes
 * as follow; one longer than any message 12          connects, also if it is connected 13, 14, 15
 * closes its connection: after all was read; at once; and connects again at once 16          the
 * hypervisor has room for so many further descriptors in its next turn 17          the toolstack
 * makes a device of domain 1 at domain 0 others      the hypervisor turns
 *
 * What is checked, beside what hv_reference.h does: each request is answered once, in order, or its
 * sender dropped, and reported once; who told no lie is neither; a turn ends; what the hypervisor
 * holds is what the answers say; when all are gone nothing is left, of descriptors in the end.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/fuzz/fuzz.h"

#include "ringlib/err.h"
#include "sim/hv/emu_runtime.h"
#include "sim/hv/emu_server.h"
#include "tests/support/fds.h"
#include "tests/support/hv_messages.h"
#include "tests/support/hv_reference.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    DOMAINS = HV_REFERENCE_DOMAINS,
    MESSAGES_MAX = 64,
    BURST_MAX = 32,  /* requests of one domain between two turns */
    TURNS_MAX = 200, /* more without an end, and it goes in circles */
    LOOP_MAX = 16,
    SENT_FDS_MAX = 8,
    SMALL_BUFFER = 16384,     /* more than the longest answer there can be */
    OUR_SOCKET = FDS_TO_SEND, /* behind the others */
    SMALL_GRANTS = 24,
    SMALL_PORTS = 5,
    NODES = 5, /* that stay: the root, /tool with one below, /local and /local/domain */
};

static_assert((int)MESSAGES_MAX <= (int)HV_REFERENCE_THINGS, "room for what every message makes");

/* One side of a connection. */
struct side {
    int fd; /* -1: none */
    bool greeted;
    uint32_t ends; /* how often it was read behind the last message */
};

/* A hypervisor and its loop. */
struct machine {
    struct hv_loop hv; /* first */
    struct pollfd fds[LOOP_MAX];
    uint32_t count;
    struct emu_server *server; /* NULL: to be made */
    char runtime[64];
};

/* One of each quota. It serves one input after the other, since making one costs more than most
 * inputs; each leaves it as new, which is checked, or has it made again. */
static struct machine machines[2];

static struct world {
    struct machine *machine;
    struct side sides[DOMAINS];
    uint32_t asked_first, asked_count;
    uint16_t asker;
    uint32_t reports[DOMAINS]; /* since it was settled last */
    uint32_t excuses[DOMAINS]; /* reports there may be, of what it sent before it closed */
    uint32_t messages;
    bool small_buffers;
    int room;                         /* descriptors the next turn may open; -1: any */
    bool short_of_fds;                /* a turn since the last check had few */
    bool nodes_outside;               /* somebody may have made nodes that nobody removes */
    struct hv_asked asked[BURST_MAX]; /* not answered yet, all of domain `asker` */
} all;

/* ---- the loop the hypervisor runs in --------------------------------------------------------- */

static struct machine *machine_of(struct hv_loop *hv)
{
    return (struct machine *)(void *)hv;
}

static struct pollfd *loop_find(struct machine *machine, int fd)
{
    struct pollfd *found = machine->fds;

    while (found->fd != fd)
        FUZZ_CHECK(++found < machine->fds + machine->count, "%d is not in the loop", fd);
    return found;
}

static int fd_add(struct hv_loop *hv, int fd)
{
    struct machine *machine = machine_of(hv);
    int bytes = SMALL_BUFFER;

    FUZZ_CHECK(machine->count < LOOP_MAX, "%u descriptors", machine->count);
    if (all.small_buffers)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    machine->fds[machine->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 0;
}

static void fd_del(struct hv_loop *hv, int fd)
{
    struct machine *machine = machine_of(hv);

    *loop_find(machine, fd) = machine->fds[machine->count - 1];
    machine->count--;
}

static void fd_want(struct hv_loop *hv, int fd, bool reads, bool writes)
{
    loop_find(machine_of(hv), fd)->events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

static void report(void *self, uint16_t domid, const char *reason)
{
    (void)self;
    FUZZ_CHECK(domid < DOMAINS && reason[0], "%u: '%s'", domid, reason);
    all.reports[domid]++;
}

/* Whether there was anything to do. */
static bool serve(void)
{
    struct machine *machine = all.machine;
    int ready[LOOP_MAX], room = all.room;
    uint32_t count = 0;

    if (poll(machine->fds, machine->count, 0) <= 0)
        return false;
    for (uint32_t i = 0; i < machine->count; i++)
        if (machine->fds[i].revents)
            ready[count++] = machine->fds[i].fd;
    all.room = -1;
    all.short_of_fds = all.short_of_fds || room >= 0;
    if (room >= 0)
        fds_limit(room);
    for (uint32_t i = 0; i < count; i++)
        emu_server_ready(machine->server, ready[i]);
    if (room >= 0)
        fds_limit(-1);
    return true;
}

/* ---- what the domains hear ------------------------------------------------------------------- */

/* What waits for an answer, first of all of this domain; NULL if nothing does. One-way messages
 * before it were carried out; a lie stays. */
static struct hv_asked *next_asked(uint16_t domid)
{
    for (; all.asker == domid && all.asked_first < all.asked_count; all.asked_first++) {
        struct hv_asked *asked = &all.asked[all.asked_first];

        if (asked->deserves != HV_NOTHING || hv_reference_is_lie(domid, asked))
            return asked;
        hv_reference_give_back(domid, asked);
    }
    return NULL;
}

static void hear_hello(uint16_t domid, struct side *side, const struct emu_message *message)
{
    const struct emu_hello *hello = &message->body.hello;

    FUZZ_CHECK(!side->greeted, "%u is greeted twice", domid);
    FUZZ_CHECK(message->length == sizeof(*hello) && message->fd_count == 0, "%u bytes",
               message->length);
    FUZZ_CHECK(hello->head.kind == EMU_HELLO && hello->head.ret == 0 &&
                   hello->version == EMU_VERSION && hello->domid == domid,
               "%u hears kind %u, %d", domid, hello->head.kind, hello->head.ret);
    side->greeted = true;
    hv_reference_enter(domid);
}

static void hear(uint16_t domid, struct side *side, struct emu_message *message)
{
    FUZZ_CHECK(!message->fds_lost, "descriptors lost");
    if (!side->greeted) {
        hear_hello(domid, side, message);
    } else if (message->body.head.kind == EMU_STORE_EVENT) {
        (void)next_asked(domid); /* what came before the event was done before it */
        hv_reference_event(domid, message);
    } else {
        struct hv_asked *asked = next_asked(domid);

        FUZZ_CHECK(asked, "%u hears %s, and asked nothing", domid,
                   emu_wire_name(message->body.head.kind));
        hv_reference_answer(domid, asked, message, all.short_of_fds);
        all.asked_first++;
    }
}

/* The connection has ended: by a lie, which is the first thing not answered, but where answers that
 * still waited for room are lost with it. */
static void check_end(uint16_t domid)
{
    const struct hv_asked *asked = next_asked(domid);
    uint32_t reports = 1;

    FUZZ_CHECK(asked, "%u told no lie and is dropped", domid);
    while (asked->deserves == HV_ANSWER)
        FUZZ_CHECK(++asked < all.asked + all.asked_count, "%u told no lie and is dropped", domid);
    if (asked->deserves == HV_LEAVES)
        reports = 0;
    FUZZ_CHECK(all.reports[domid] == reports, "%u was reported %u times", domid,
               all.reports[domid]);
    all.reports[domid] = 0;
}

static void side_close(uint16_t domid)
{
    close(all.sides[domid].fd);
    all.sides[domid] = (struct side){.fd = -1};
    if (hv_reference_is_there(domid))
        hv_reference_leave(domid);
    if (all.asker == domid)
        all.asked_first = all.asked_count = 0;
}

/* Whether there was anything to hear. A connection reset by what was not read any more says so
 * before the answers that came before. */
static bool listen_to(uint16_t domid)
{
    static struct emu_message message;
    struct side *side = &all.sides[domid];
    bool any = false;

    while (side->fd >= 0) {
        int ret = emu_wire_receive(side->fd, &message);

        if (ret == -ERR_AGAIN)
            return any;
        any = true;
        if (ret == 0) {
            hear(domid, side, &message);
            emu_wire_dismiss(&message);
        } else if (++side->ends == 2) {
            check_end(domid);
            side_close(domid);
        }
    }
    return any;
}

static void settle(void)
{
    bool any = true;

    for (uint32_t turns = 0; any; turns++) {
        FUZZ_CHECK(turns < TURNS_MAX, "no end of it");
        any = serve();
        for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++)
            any = listen_to(d) || any;
    }
    if (all.asked_count > 0) {
        const struct hv_asked *left = next_asked(all.asker);

        FUZZ_CHECK(!left, "%s of %u is not answered", emu_wire_name(left->kind), all.asker);
    }
    all.asked_first = all.asked_count = 0;
    all.short_of_fds = false;
    for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++) {
        FUZZ_CHECK(emu_server_connected(all.machine->server, d) == (all.sides[d].fd >= 0),
                   "domain %u", d);
        FUZZ_CHECK(all.reports[d] <= all.excuses[d], "%u is reported and lives", d);
        all.reports[d] = all.excuses[d] = 0;
    }
    hv_reference_compare(emu_server_tables(all.machine->server));
}

/* ---- what the domains do --------------------------------------------------------------------- */

static int connect_fd(uint16_t domid)
{
    struct sockaddr_un address;
    int fd = emu_wire_socket();

    FUZZ_CHECK(fd >= 0 && emu_runtime_address(all.machine->runtime, domid, &address), "socket");
    FUZZ_CHECK(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    return fd;
}

static void do_connect(uint16_t domid)
{
    static struct emu_message message;

    if (all.sides[domid].fd < 0) {
        all.sides[domid].fd = connect_fd(domid);
        return;
    }
    settle();
    if (all.sides[domid].fd < 0)
        return;
    int second = connect_fd(domid);
    settle();
    FUZZ_CHECK(emu_wire_receive(second, &message) == 0 && message.body.head.kind == EMU_HELLO &&
                   message.body.head.ret == -ERR_BUSY,
               "a second domain %u is let in", domid);
    close(second);
}

/* What was not read yet may be lost, and a lie in it be reported. */
static void do_close(uint16_t domid)
{
    if (all.asker == domid)
        for (uint32_t i = all.asked_first; i < all.asked_count; i++)
            if (all.asked[i].deserves == HV_DROPPED || all.asked[i].deserves == HV_NOTHING)
                all.excuses[domid] = 1;
    if (all.sides[domid].fd >= 0)
        side_close(domid);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The message being made, which may be too long. */
static union {
    union emu_body any;
    unsigned char bytes[sizeof(union emu_body) + 256];
} body;

static void send_body(struct fuzz_input *input, uint16_t domid, uint32_t length, uint32_t memory_at)
{
    struct hv_asked_fds what = {0};
    int fds[SENT_FDS_MAX], ret;
    uint8_t count = fuzz_u8(input);

    what.count = count < 192 ? memory_at < FDS_TO_SEND : count % (SENT_FDS_MAX + 1);
    for (uint32_t i = 0; i < what.count; i++) {
        uint32_t at =
            i == 0 && memory_at < FDS_TO_SEND ? memory_at : fuzz_below(input, FDS_TO_SEND + 1);

        fds[i] = at == OUR_SOCKET ? all.sides[domid].fd : fds_to_send[at].fd;
        what.pages = i > 0 || at == OUR_SOCKET ? what.pages : fds_to_send[at].pages;
        what.inode = i > 0 || at == OUR_SOCKET ? what.inode : fds_to_send[at].inode;
    }
    ret = emu_wire_send(all.sides[domid].fd, body.bytes, length, fds, what.count);
    if (ret == -ERR_AGAIN)
        return; /* the hypervisor has not read what was sent before */
    FUZZ_CHECK(ret == 0, "%d", ret);
    struct hv_asked *asked = &all.asked[all.asked_count++];
    hv_reference_read(asked, &body.any, length, &what);
    if (asked->kind == EMU_STORE_PUBLISH && !asked->guarded)
        all.nodes_outside = true;
    all.messages++;
}

/* Make way for a message of this domain, which is connected then. */
static void prepare(uint16_t domid)
{
    if (all.asker != domid || all.asked_count == BURST_MAX || all.sides[domid].fd < 0)
        settle();
    all.asker = domid;
    if (all.sides[domid].fd >= 0 && all.sides[domid].greeted)
        return;
    do_connect(domid);
    settle();
}

/* Its kind, what that takes, what is wrong with it (often nothing), its descriptors. */
static void read_request(struct fuzz_input *input, uint16_t domid)
{
    uint32_t memory_at = FDS_TO_SEND, kind = fuzz_below(input, EMU_KIND_COUNT + 1);

    memset(&body, 0, 8192);
    body.any.head = (struct emu_head){.kind = kind, .id = all.messages};
    uint32_t length = hv_messages_make(input, &body.any, &memory_at), wrong = fuzz_u8(input);
    if (wrong >= 240) {
        uint32_t value = fuzz_u32(input), at = fuzz_u8(input) * 4 % (length - 3);

        memcpy(body.bytes + at, &value, sizeof(value));
    } else if (wrong >= 192) {
        length += wrong - 216; /* from 24 bytes less to 23 more; no message is shorter than 24 */
    }
    send_body(input, domid, length, memory_at);
}

static void read_requests(struct fuzz_input *input, uint16_t domid)
{
    uint8_t how = fuzz_u8(input);
    uint32_t times = how >= 240 ? 2 + how % 16 : 1;
    struct fuzz_input start = *input;

    for (uint32_t i = 0; i < times && all.messages < MESSAGES_MAX; i++) {
        *input = start;
        prepare(domid);
        read_request(input, domid);
    }
    if (how % 2 == 0)
        settle();
}

static void read_raw(struct fuzz_input *input, uint16_t domid, bool too_long)
{
    uint32_t length = fuzz_u8(input);

    prepare(domid);
    memset(&body, 0, 256);
    for (uint32_t i = 0; i < length; i++)
        body.bytes[i] = fuzz_u8(input);
    send_body(input, domid, too_long ? length + (uint32_t)sizeof(body.any) + 1 : length,
              FDS_TO_SEND);
}

static void read_operation(struct fuzz_input *input)
{
    uint8_t byte = fuzz_u8(input);
    uint16_t domid = byte % DOMAINS;
    uint32_t what = byte / DOMAINS;

    if (what < 10)
        read_requests(input, domid);
    else if (what < 12)
        read_raw(input, domid, what == 11);
    else if (what == 12)
        do_connect(domid);
    else if (what < 16) {
        if (what == 13)
            settle();
        do_close(domid);
        if (what == 15)
            do_connect(domid);
        settle();
    } else if (what == 16)
        all.room = fuzz_u8(input) % SENT_FDS_MAX;
    else if (what == 17)
        (void)emu_server_device(all.machine->server, "xensock", 1, 0, 0);
    else
        settle();
}

/* ---- one input ------------------------------------------------------------------------------- */

static void machine_make(struct machine *machine, bool small)
{
    struct emu_server_config config = {.runtime = machine->runtime, .report = report};
    char error[256];

    *machine = (struct machine){.hv = {fd_add, fd_del, fd_want}};
    snprintf(machine->runtime, sizeof(machine->runtime), "/tmp/xensock-fuzz-%ld-%d", (long)getpid(),
             small);
    config.loop = &machine->hv;
    config.grants_max = small ? SMALL_GRANTS : HV_REFERENCE_GRANTS;
    config.ports_max = small ? SMALL_PORTS : HV_REFERENCE_PORTS;
    machine->server = emu_server_create(&config, error, sizeof(error));
    FUZZ_CHECK(machine->server, "%s", error);
    for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++)
        FUZZ_CHECK(emu_server_domain(machine->server, d, error, sizeof(error)) == 0, "%s", error);
}

static void machine_end(struct machine *machine)
{
    if (!machine->server)
        return;
    emu_server_destroy(machine->server);
    machine->server = NULL;
    FUZZ_CHECK(machine->count == 0, "%u descriptors in the loop", machine->count);
}

static void machines_end(void)
{
    machine_end(&machines[0]);
    machine_end(&machines[1]);
}

static void start(uint8_t flags)
{
    bool small = flags & 1;

    memset(&all, 0, offsetof(struct world, asked));
    all.machine = &machines[small];
    if (!all.machine->server)
        machine_make(all.machine, small);
    all.small_buffers = flags & 2;
    all.room = -1;
    hv_reference_start(small ? SMALL_GRANTS : HV_REFERENCE_GRANTS,
                       small ? SMALL_PORTS : HV_REFERENCE_PORTS);
    for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++)
        all.sides[d].fd = -1;
}

/* Everybody is there once more, so that devices go too, and leaves. */
static void finish(void)
{
    union { /* the tree is only looked at */
        const struct hypervisor *in;
        struct hypervisor *out;
    } tables = {emu_server_tables(all.machine->server)};
    const struct store *store = hypervisor_store(tables.out);

    for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++)
        if (all.sides[d].fd < 0)
            do_connect(d);
    settle();
    for (uint16_t d = 0; d < (uint16_t)DOMAINS; d++)
        do_close(d);
    settle();
    FUZZ_CHECK(store_watches(store) == 0, "%u watches", store_watches(store));
    if (all.nodes_outside)
        machine_end(all.machine);
    else
        FUZZ_CHECK(store_nodes(store) == NODES, "%u nodes", store_nodes(store));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    static uint32_t of_machine; /* descriptors a hypervisor has of its own */
    uint32_t before;

    if (of_machine == 0) {
        fds_make();
        before = fds_count();
        machine_make(&machines[0], false);
        of_machine = fds_count() - before;
        atexit(machines_end);
    }
    start(fuzz_u8(&input));
    before = fds_count();
    while (input.size > 0 && all.messages < MESSAGES_MAX)
        read_operation(&input);
    settle();
    finish();
    if (!all.machine->server)
        before -= of_machine;
    FUZZ_CHECK(fds_count() == before, "%u descriptors, not %u", fds_count(), before);
    return 0;
}
