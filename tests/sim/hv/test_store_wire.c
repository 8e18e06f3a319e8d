/* The wire: each request with its answer and its errors, bytes split anywhere, what may wait; each
 * row of data/xen-semantics.md's section on xenstore that is the wire's, by its words. */
#include "tests/sim/hv/store_world.h"

#include "ringlib/xenbus.h"
#include "sim/hv/store_wire.h"

#include <stdlib.h>

static struct store_wire *tools, *guest;

static int control(void *self, const char *const *words, uint32_t count, char *answer,
                   uint32_t bytes)
{
    (void)self;
    assert_int_equal(bytes, STORE_WIRE_PAYLOAD_MAX);
    if (strcmp(words[0], "say") != 0)
        return -ERR_INVAL;
    return snprintf(answer, bytes, "%u %s", count, words[count - 1]) + 1;
}

static int start(void **state)
{
    struct store_wire_config config = {.domid = TOOLS, .control = control};

    make(state);
    config.store = world.store;
    tools = store_wire_open(&config);
    config.domid = ONE;
    guest = store_wire_open(&config);
    return 0;
}

static int stop(void **state)
{
    store_wire_close(tools);
    store_wire_close(guest);
    return unmake(state);
}

/* ---- messages ---- */

struct message {
    struct store_wire_header header;
    char payload[STORE_WIRE_PAYLOAD_MAX + 1];
};

static uint32_t encode(const struct message *message, char *out)
{
    memcpy(out, &message->header, STORE_WIRE_HEADER_BYTES);
    memcpy(out + STORE_WIRE_HEADER_BYTES, message->payload, message->header.len);
    return STORE_WIRE_HEADER_BYTES + message->header.len;
}

static void deliver_events(void)
{
    struct store_event event;

    while (store_next(world.store, &event)) {
        if (event.owner == tools || event.owner == guest)
            store_wire_event(event.owner, &event);
    }
}

/* Feed a request of `bytes` of payload; all of it is taken. */
static void ask(struct store_wire *wire, uint32_t type, uint32_t transaction, const char *payload,
                uint32_t bytes)
{
    char text[STORE_WIRE_HEADER_BYTES + STORE_WIRE_PAYLOAD_MAX];
    struct message message = {{type, 77 + type, transaction, bytes}, {0}};

    memcpy(message.payload, payload, bytes);
    uint32_t count = encode(&message, text);
    assert_int_equal(store_wire_feed(wire, text, count), count);
    deliver_events();
}

/* Take the next message of the output; false: there is none. */
static bool next(struct store_wire *wire, struct message *message)
{
    char text[STORE_WIRE_HEADER_BYTES + STORE_WIRE_PAYLOAD_MAX];
    uint32_t have = 0, want = STORE_WIRE_HEADER_BYTES;
    const void *bytes;

    while (have < want && store_wire_output(wire, &bytes) > 0) {
        memcpy(text + have, bytes, 1); /* byte by byte: each is somewhere else */
        store_wire_sent(wire, 1);
        if (++have == STORE_WIRE_HEADER_BYTES) {
            memcpy(&message->header, text, STORE_WIRE_HEADER_BYTES);
            want += message->header.len;
        }
    }
    if (have == 0)
        return false;
    assert_int_equal(have, want);
    memcpy(message->payload, text + STORE_WIRE_HEADER_BYTES, message->header.len);
    message->payload[message->header.len] = '\0';
    return true;
}

/* The answer to a request whose payload is that; its text. An error's is its name. */
static const char *answer(struct store_wire *wire, uint32_t type, uint32_t transaction,
                          const char *payload, uint32_t bytes)
{
    static struct message message;

    ask(wire, type, transaction, payload, bytes);
    do
        assert_true(next(wire, &message));
    while (message.header.type == XS_WATCH_EVENT);
    assert_int_equal(message.header.req_id, 77 + type);
    assert_int_equal(message.header.tx_id, transaction);
    assert_true(message.header.type == type || message.header.type == XS_ERROR);
    if (message.header.type == XS_ERROR)
        assert_int_equal(message.payload[0], 'E');
    return message.payload;
}

/* A request whose payload is a literal with all its terminators. */
#define ANSWER(wire, type, literal) answer(wire, type, 0, literal, sizeof(literal))
#define IN(wire, transaction, type, literal)                                                       \
    answer(wire, type, transaction, literal, sizeof(literal))

static void expect_event(struct store_wire *wire, const char *path, const char *token)
{
    struct message message;

    assert_true(next(wire, &message));
    assert_int_equal(message.header.type, XS_WATCH_EVENT);
    assert_int_equal(message.header.req_id, 0);
    assert_int_equal(message.header.tx_id, 0);
    assert_string_equal(message.payload, path);
    assert_string_equal(message.payload + strlen(path) + 1, token);
    assert_int_equal(message.header.len, strlen(path) + strlen(token) + 2);
}

static void expect_silence(struct store_wire *wire)
{
    assert_int_equal(store_wire_output(wire, &(const void *){NULL}), 0);
}

/* ---- nodes ---- */

static void nodes_are_written_read_listed_and_removed(void **state)
{
    struct message message;

    (void)state;
    assert_string_equal(answer(tools, XS_WRITE, 0, "/a/b\0x\0y", 8), "OK");
    ask(tools, XS_READ, 0, "/a/b", 5);
    assert_true(next(tools, &message));
    assert_int_equal(message.header.len, 3); /* a value has no terminator of its own */
    assert_memory_equal(message.payload, "x\0y", 3);
    assert_string_equal(ANSWER(tools, XS_MKDIR, "/a/c"), "OK");
    ask(tools, XS_DIRECTORY, 0, "/a", 3);
    assert_true(next(tools, &message));
    assert_int_equal(message.header.len, 4);
    assert_memory_equal(message.payload, "b\0c\0", 4);
    assert_string_equal(ANSWER(tools, XS_RM, "/a/b"), "OK");
    assert_string_equal(ANSWER(tools, XS_READ, "/a/b"), "ENOENT");
    assert_string_equal(ANSWER(tools, XS_DIRECTORY, "/a/b"), "ENOENT");
    assert_string_equal(ANSWER(tools, XS_RM, "/"), "EINVAL");
    assert_string_equal(answer(tools, XS_WRITE, 0, "/empty", 7), "OK");
    assert_string_equal(ANSWER(tools, XS_READ, "/empty"), "");
}

/* "paths `/a//b`, `/a/`, `/a b`: EINVAL each"; and what is no text at all. */
static void bad_payloads_are_invalid(void **state)
{
    static const uint32_t texts[] = {XS_DIRECTORY,
                                     XS_READ,
                                     XS_GET_PERMS,
                                     XS_MKDIR,
                                     XS_RM,
                                     XS_TRANSACTION_END,
                                     XS_GET_DOMAIN_PATH,
                                     XS_IS_DOMAIN_INTRODUCED,
                                     XS_RELEASE,
                                     XS_RESUME};
    static const uint32_t lists[] = {XS_WRITE,     XS_SET_PERMS,  XS_WATCH,          XS_UNWATCH,
                                     XS_INTRODUCE, XS_SET_TARGET, XS_DIRECTORY_PART, XS_CONTROL};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_string_equal(ANSWER(tools, texts[i], "/a//b"), "EINVAL");
        assert_string_equal(ANSWER(tools, texts[i], "/a/"), "EINVAL");
        assert_string_equal(ANSWER(tools, texts[i], "/a b"), "EINVAL");
        assert_string_equal(answer(tools, texts[i], 0, "", 0), "EINVAL");
        assert_string_equal(answer(tools, texts[i], 0, "/tool", 5), "EINVAL"); /* unterminated */
        assert_string_equal(answer(tools, texts[i], 0, "/tool\0", 7), "EINVAL");
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_string_equal(answer(tools, lists[i], 0, "", 0), "EINVAL");
        assert_string_equal(answer(tools, lists[i], 0, "/tool", 5), "EINVAL");
        assert_string_equal(answer(tools, lists[i], 0, "/a b\0x\0", 8), "EINVAL");
    }
    assert_string_equal(ANSWER(tools, XS_WATCH, "/a\0t\0more"), "EINVAL");
}

static void permissions_are_texts(void **state)
{
    struct message message;

    (void)state;
    ANSWER(tools, XS_WRITE, "/p");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "/p\0n0\0r5\0w6\0b65535"), "OK");
    ask(tools, XS_GET_PERMS, 0, "/p", 3);
    assert_true(next(tools, &message));
    assert_int_equal(message.header.len, 16);
    assert_memory_equal(message.payload, "n0\0r5\0w6\0b65535\0", 16);
    assert_string_equal(ANSWER(guest, XS_READ, "/p"), "");
    assert_string_equal(ANSWER(guest, XS_SET_PERMS, "/p\0n5"), "EACCES");
    assert_string_equal(ANSWER(guest, XS_SET_PERMS, "data\0n6"), "EPERM");
    assert_string_equal(ANSWER(guest, XS_SET_PERMS, "data\0n5\0r1\0r2\0r3\0r4\0r6"), "ENOSPC");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "/p\0x0"), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "/p\0n"), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "/p\0n65536"), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "/p\0n0 "), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "/p"), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_SET_PERMS, "@releaseDomain\0n0\0r5"), "OK");
}

/* In one piece, as it is one dialogue. */
static void a_long_list_comes_in_parts(void **state)
{
    char path[64], offset[96];
    struct message message;
    uint32_t at = 0, parts = 0;
    char names[16384];

    (void)state;
    for (int i = 0; i < 1500; i++) {
        snprintf(path, sizeof(path), "/long/%04d", i);
        put(world.tools, path, "");
    }
    assert_string_equal(ANSWER(tools, XS_DIRECTORY, "/long"), "E2BIG");
    do {
        int length = snprintf(offset, sizeof(offset), "/long%c%u", 0, at);
        ask(tools, XS_DIRECTORY_PART, 0, offset, (uint32_t)length + 1);
        assert_true(next(tools, &message));
        assert_int_equal(message.header.type, XS_DIRECTORY_PART);
        uint32_t from = (uint32_t)strlen(message.payload) + 1; /* behind the generation */
        assert_true(at + message.header.len - from < sizeof(names));
        memcpy(names + at, message.payload + from, message.header.len - from);
        at += message.header.len - from;
        parts++;
    } while (at < 2 || names[at - 2] != '\0'); /* an empty name is the end */
    assert_int_equal(at, 1500 * 5 + 1);
    assert_int_equal(parts, 2);
    for (uint32_t i = 0; i < 1500; i++) {
        snprintf(path, sizeof(path), "%04u", i);
        assert_string_equal(names + (size_t)5 * i, path);
    }
    ask(tools, XS_DIRECTORY_PART, 0,
        "/long\0"
        "99999",
        12);
    assert_true(next(tools, &message));
    assert_int_equal(message.header.len, strlen(message.payload) + 2);
    assert_string_equal(ANSWER(tools, XS_DIRECTORY_PART,
                               "/none\0"
                               "0"),
                        "ENOENT");
}

/* ---- transactions ---- */

static void transactions_by_number(void **state)
{
    (void)state;
    uint32_t one = (uint32_t)xenbus_parse(ANSWER(tools, XS_TRANSACTION_START, ""), UINT32_MAX);
    assert_true(one > 0);
    assert_string_equal(IN(tools, one, XS_TRANSACTION_START, ""), "EBUSY");
    assert_string_equal(IN(tools, one, XS_WRITE, "/a\0in"), "OK");
    assert_string_equal(ANSWER(tools, XS_READ, "/a"), "ENOENT");
    assert_string_equal(IN(tools, one, XS_TRANSACTION_END, "X"), "EINVAL");
    assert_string_equal(IN(tools, one, XS_TRANSACTION_END, "T"), "OK");
    assert_string_equal(IN(tools, one, XS_TRANSACTION_END, "T"), "ENOENT");
    assert_string_equal(ANSWER(tools, XS_TRANSACTION_END, "T"), "ENOENT");
    assert_memory_equal(ANSWER(tools, XS_READ, "/a"), "in", 3);
    assert_string_equal(IN(tools, 4711, XS_READ, "/a"), "ENOENT");
    assert_string_equal(IN(guest, one, XS_RESET_WATCHES, ""), "ENOENT");
    assert_string_equal(IN(tools, 4711, XS_WATCH, "/a\0t"), "OK"); /* of no transaction */

    /* "transaction with a conflicting write, at commit: EAGAIN" */
    one = (uint32_t)xenbus_parse(ANSWER(guest, XS_TRANSACTION_START, ""), UINT32_MAX);
    IN(guest, one, XS_WRITE,
       "data/x\0"
       "1");
    put(world.tools, "/local/domain/5/data/x", "other");
    assert_string_equal(IN(guest, one, XS_TRANSACTION_END, "T"), "EAGAIN");
    one = (uint32_t)xenbus_parse(ANSWER(guest, XS_TRANSACTION_START, ""), UINT32_MAX);
    IN(guest, one, XS_RM, "data/x");
    assert_string_equal(IN(guest, one, XS_TRANSACTION_END, "F"), "OK");
    assert_memory_equal(ANSWER(guest, XS_READ, "data/x"), "other", 6);
}

/* ---- watches ---- */

/* "watch: fires once at registration, then per change"; its answer comes first. */
static void watches_fire_behind_their_answer(void **state)
{
    struct message message;

    (void)state;
    ask(guest, XS_WATCH, 0, "data\0tok", 9);
    assert_true(next(guest, &message));
    assert_int_equal(message.header.type, XS_WATCH);
    expect_event(guest, "data", "tok");
    assert_string_equal(ANSWER(guest, XS_WATCH, "data\0tok"), "EEXIST");
    put(world.tools, "/local/domain/5/data/x", "1");
    put(world.tools, "/local/domain/5/data/y", "1");
    put(world.tools, "/local/domain/5/data/x", "2");
    deliver_events();
    expect_event(guest, "data/x", "tok");
    expect_event(guest, "data/y", "tok");
    expect_silence(guest); /* what is told anyway is told once */
    assert_string_equal(ANSWER(guest, XS_UNWATCH, "data\0other"), "ENOENT");
    assert_string_equal(ANSWER(guest, XS_UNWATCH, "data\0tok"), "OK");
    put(world.tools, "/local/domain/5/data/x", "3");
    deliver_events();
    expect_silence(guest);

    ANSWER(guest, XS_WATCH, "data\0again");
    expect_event(guest, "data", "again");
    assert_string_equal(ANSWER(guest, XS_RESET_WATCHES, ""), "OK");
    assert_int_equal(usage(ONE).watches, 0);
}

static void an_event_too_long_to_tell_is_not_told(void **state)
{
    char payload[STORE_WIRE_PAYLOAD_MAX] = "data";

    (void)state;
    memset(payload + 5, 't', sizeof(payload) - 6);
    assert_string_equal(answer(guest, XS_WATCH, 0, payload, sizeof(payload)), "OK");
    expect_event(guest, "data", payload + 5);
    put(world.tools, "/local/domain/5/data/x", "1"); /* two bytes more */
    deliver_events();
    expect_silence(guest);
}

/* ---- domains ---- */

/* "XS_INTRODUCE by a guest: EACCES"; all that is domain 0's. */
static void what_is_domain_0s(void **state)
{
    static const uint32_t types[] = {XS_CONTROL, XS_INTRODUCE, XS_RELEASE, XS_IS_DOMAIN_INTRODUCED,
                                     XS_RESUME,  XS_SET_TARGET};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        assert_string_equal(ANSWER(guest, types[i],
                                   "5\0"
                                   "1\0"
                                   "1"),
                            "EACCES");
    assert_string_equal(ANSWER(tools, XS_CONTROL, "say\0hello"), "2 hello");
    assert_string_equal(ANSWER(tools, XS_CONTROL, "other"), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_CONTROL, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "EINVAL");
}

/* In one piece, as each request is about what the ones before left. */
static void domains_come_and_go(void **state)
{
    (void)state;
    store_introduce(world.store, ONE);
    ANSWER(tools, XS_WATCH, "@introduceDomain\0i");
    expect_event(tools, "@introduceDomain", "i");
    ANSWER(tools, XS_WATCH, "@releaseDomain\0r");
    expect_event(tools, "@releaseDomain", "r");
    assert_string_equal(ANSWER(guest, XS_GET_DOMAIN_PATH, "7"), "/local/domain/7");
    assert_string_equal(ANSWER(tools, XS_IS_DOMAIN_INTRODUCED, "5"), "T");
    assert_string_equal(ANSWER(tools, XS_IS_DOMAIN_INTRODUCED, "0"), "T");
    assert_string_equal(ANSWER(tools, XS_IS_DOMAIN_INTRODUCED, "32752"), "T"); /* DOMID_SELF */
    assert_string_equal(ANSWER(tools, XS_IS_DOMAIN_INTRODUCED, "6"), "F");
    assert_string_equal(ANSWER(tools, XS_INTRODUCE,
                               "5\0"
                               "1\0"
                               "1"),
                        "OK"); /* is already */
    expect_silence(tools);
    assert_string_equal(ANSWER(tools, XS_INTRODUCE,
                               "99\0"
                               "1\0"
                               "1"),
                        "EINVAL"); /* nobody */
    assert_string_equal(ANSWER(tools, XS_RESUME, "5"), "OK");
    assert_string_equal(ANSWER(tools, XS_RESUME, "6"), "ENOENT");
    assert_string_equal(ANSWER(tools, XS_SET_TARGET,
                               "5\0"
                               "6"),
                        "ENOENT");
    store_introduce(world.store, TWO);
    deliver_events();
    expect_event(tools, "@introduceDomain", "i");
    assert_string_equal(ANSWER(tools, XS_SET_TARGET,
                               "5\0"
                               "6"),
                        "OK");
    assert_string_equal(ANSWER(guest, XS_READ, "/local/domain/6/data"), "");

    assert_string_equal(ANSWER(tools, XS_RELEASE, "0"), "EINVAL");
    assert_string_equal(ANSWER(tools, XS_RELEASE, "5"), "OK");
    expect_event(tools, "@releaseDomain", "r");
    assert_string_equal(ANSWER(tools, XS_RELEASE, "5"), "ENOENT");
    assert_null(store_wire_broken(guest));
    assert_string_equal(ANSWER(guest, XS_READ, "data"), "EINVAL"); /* no name of xs_wire.h's */
    assert_string_equal(store_wire_broken(guest), "its domain was released");
    assert_string_equal(ANSWER(tools, XS_INTRODUCE,
                               "5\0"
                               "1\0"
                               "1"),
                        "OK");
    expect_event(tools, "@introduceDomain", "i");
    assert_string_equal(get(world.one, "domid"), "EACCES"); /* it may ask again */
}

static void what_there_is_not(void **state)
{
    static const uint32_t types[] = {XS_WATCH_EVENT, XS_ERROR, 20, 23, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        assert_string_equal(ANSWER(tools, types[i], "/a"), "ENOSYS");
}

/* ---- bytes ---- */

static void bytes_come_in_any_pieces(void **state)
{
    struct message first = {{XS_WRITE, 1, 0, 8}, "/a/b\0xyz"}, answered;
    struct message second = {{XS_READ, 2, 0, 5}, "/a/b"};
    char text[256];
    uint32_t count;

    (void)state;
    for (uint32_t piece = 1; piece < 60; piece++) {
        count = encode(&first, text);
        count += encode(&second, text + count);
        for (uint32_t at = 0; at < count; at += piece) {
            uint32_t bytes = count - at < piece ? count - at : piece;
            assert_int_equal(store_wire_feed(tools, text + at, bytes), bytes);
        }
        assert_true(next(tools, &answered));
        assert_int_equal(answered.header.req_id, 1);
        assert_true(next(tools, &answered));
        assert_int_equal(answered.header.req_id, 2);
        assert_string_equal(answered.payload, "xyz");
        expect_silence(tools);
    }
}

static void too_long_a_message_is_the_end(void **state)
{
    static const struct store_wire_header header = {XS_WRITE, 5, 0, STORE_WIRE_PAYLOAD_MAX + 1};
    struct message message;

    (void)state;
    assert_int_equal(store_wire_feed(guest, &header, sizeof(header)), sizeof(header));
    assert_string_equal(store_wire_broken(guest), "sent a message that is too long");
    assert_true(next(guest, &message));
    assert_int_equal(message.header.type, XS_ERROR);
    assert_string_equal(message.payload, "E2BIG");
    assert_int_equal(store_wire_feed(guest, "more", 4), 0);
}

/* "outstanding requests 20" */
static void so_many_answers_wait(void **state)
{
    struct message request = {{XS_READ, 0, 0, 6}, "/tool"}, message;
    char text[64];
    uint32_t count = encode(&request, text);

    (void)state;
    for (int i = 0; i < STORE_OUTSTANDING_MAX; i++) {
        assert_true(store_wire_ready(guest));
        assert_int_equal(store_wire_feed(guest, text, count), count);
    }
    assert_false(store_wire_ready(guest));
    assert_int_equal(store_wire_feed(guest, text, count), 0);
    assert_true(next(guest, &message));
    assert_int_equal(store_wire_feed(guest, text, count), count);
    assert_int_equal(store_wire_feed(guest, text, count), 0);
    for (int i = 0; i < STORE_OUTSTANDING_MAX; i++)
        assert_true(next(guest, &message));
    expect_silence(guest);
}

static void who_does_not_read_is_dropped(void **state)
{
    char path[STORE_RELATIVE_MAX];
    int written = 0;

    (void)state;
    ANSWER(tools, XS_WATCH, "/\0t");
    for (; written < 10000 && !store_wire_broken(tools); written++) {
        int length = snprintf(path, sizeof(path), "/%d", written);
        memset(path + length, 'x', sizeof(path) - 1 - (size_t)length);
        path[sizeof(path) - 1] = '\0';
        put(world.tools, path, "");
        deliver_events();
    }
    assert_string_equal(store_wire_broken(tools), "does not read what it is sent");
    assert_in_range(written, STORE_WIRE_UNREAD_MAX / 2100, STORE_WIRE_UNREAD_MAX / 2000);
}

#define WIRE_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WIRE_TEST(nodes_are_written_read_listed_and_removed),
        WIRE_TEST(bad_payloads_are_invalid),
        WIRE_TEST(permissions_are_texts),
        WIRE_TEST(a_long_list_comes_in_parts),
        WIRE_TEST(transactions_by_number),
        WIRE_TEST(watches_fire_behind_their_answer),
        WIRE_TEST(an_event_too_long_to_tell_is_not_told),
        WIRE_TEST(what_is_domain_0s),
        WIRE_TEST(domains_come_and_go),
        WIRE_TEST(what_there_is_not),
        WIRE_TEST(bytes_come_in_any_pieces),
        WIRE_TEST(too_long_a_message_is_the_end),
        WIRE_TEST(so_many_answers_wait),
        WIRE_TEST(who_does_not_read_is_dropped),
    };

    return !!cmocka_run_group_tests_name("store_wire", tests, NULL, NULL);
}
