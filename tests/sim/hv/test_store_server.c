/* The store's sockets on an emulated machine: who connects is who; who does not read, breaks the
 * wire or loses its domain is dropped, and the others are served. */
#include "tests/support/emu_machine.h"

#include "ringlib/err.h"
#include "sim/hv/emu_runtime.h"
#include "sim/hv/store_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { BACK = 0, FRONT = 1 };

static struct emu_machine machine;

static int make(void **state)
{
    int error;

    (void)state;
    emu_machine_start(&machine);
    machine.domains[BACK] = emu_machine_open(&machine, BACK, &error);
    machine.domains[FRONT] = emu_machine_open(&machine, FRONT, &error);
    return machine.domains[BACK] && machine.domains[FRONT] ? 0 : -1;
}

static int unmake(void **state)
{
    (void)state;
    emu_machine_stop(&machine); /* sees that no descriptor and no socket is left */
    return 0;
}

static int connect_as(uint16_t domid)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(emu_runtime_address_store(machine.runtime, domid, &address));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    emu_machine_settle(&machine);
    return fd;
}

static size_t encode(char *out, uint32_t type, const char *payload, uint32_t bytes)
{
    const struct store_wire_header header = {type, 1, 0, bytes};

    memcpy(out, &header, sizeof(header));
    memcpy(out + sizeof(header), payload, bytes);
    return sizeof(header) + bytes;
}

static void ask(int fd, uint32_t type, const char *payload, uint32_t bytes)
{
    char text[STORE_WIRE_HEADER_BYTES + STORE_WIRE_PAYLOAD_MAX];
    size_t count = encode(text, type, payload, bytes);

    assert_int_equal(send(fd, text, count, MSG_NOSIGNAL), count);
    emu_machine_settle(&machine);
}

/* The next message's payload; its type must be that. */
static const char *expect(int fd, uint32_t type)
{
    static char payload[STORE_WIRE_PAYLOAD_MAX + 1];
    struct store_wire_header header;

    assert_int_equal(recv(fd, &header, sizeof(header), 0), sizeof(header));
    assert_int_equal(header.type, type);
    if (header.len > 0)
        assert_int_equal(recv(fd, payload, header.len, 0), header.len);
    payload[header.len] = '\0';
    return payload;
}

static void check_dropped(int fd)
{
    char bytes[4096];
    ssize_t got;

    emu_machine_settle(&machine);
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        emu_machine_settle(&machine);
    assert_true(got == 0 || errno == ECONNRESET); /* that, with requests nobody read */
    close(fd);
}

#define ASK(fd, type, literal) ask(fd, type, literal, sizeof(literal))

static void a_socket_is_an_identity(void **state)
{
    int tools = connect_as(BACK), guest = connect_as(FRONT);

    (void)state;
    ASK(tools, XS_READ, "/local/domain/1/domid");
    assert_string_equal(expect(tools, XS_READ), "1");
    ASK(guest, XS_READ, "domid");
    assert_string_equal(expect(guest, XS_READ), "1");
    ASK(guest, XS_DIRECTORY, "/");
    assert_string_equal(expect(guest, XS_ERROR), "EACCES");
    ASK(guest, XS_WATCH, "data\0t");
    expect(guest, XS_WATCH);
    assert_string_equal(expect(guest, XS_WATCH_EVENT), "data");
    ASK(tools, XS_WRITE, "/local/domain/1/data/x");
    expect(tools, XS_WRITE);
    assert_string_equal(expect(guest, XS_WATCH_EVENT), "data/x");
    ASK(tools, XS_CONTROL, "help"); /* this machine has no answers */
    assert_string_equal(expect(tools, XS_ERROR), "EINVAL");
    close(tools);
    close(guest);
    emu_machine_settle(&machine);
}

/* What a domain does through its handle is seen on the sockets, and the other way round. */
static void one_tree_for_all(void **state)
{
    static const struct hv_tag tag = {STEP_OWN, DIALECT_KEY_STATE, FRONT};
    struct hv_node node = {"/local/domain/1/data/a", "1"};
    int tools = connect_as(BACK);

    (void)state;
    hv_store_watch(machine.domains[FRONT], 1, &tag, "/local/domain/1/data");
    emu_machine_expect(&machine, FRONT, EV_STORE_WATCH, 1);
    emu_machine_expect(&machine, FRONT, EV_STORE, 1);
    ASK(tools, XS_WRITE, "/local/domain/1/data/x");
    emu_machine_expect(&machine, FRONT, EV_STORE, 1);
    ASK(tools, XS_WATCH, "/local/domain/1\0w");
    expect(tools, XS_WRITE);
    expect(tools, XS_WATCH);
    expect(tools, XS_WATCH_EVENT);
    hv_store_publish(machine.domains[FRONT], 2, &node, 1);
    emu_machine_expect(&machine, FRONT, EV_STORE_PUBLISH, 2);
    emu_machine_expect(&machine, FRONT, EV_STORE, 1);
    assert_string_equal(expect(tools, XS_WATCH_EVENT), "/local/domain/1/data/a");
    close(tools);
    emu_machine_settle(&machine);
}

/* Releasing a domain ends what its handle may do with the store, not the domain. */
static void a_released_domain_lives_without_a_store(void **state)
{
    static const struct hv_tag tag = {STEP_OWN, DIALECT_KEY_STATE, FRONT};
    struct hv *hv = machine.domains[FRONT];
    int tools = connect_as(BACK);

    (void)state;
    ASK(tools, XS_RELEASE, "1");
    assert_string_equal(expect(tools, XS_RELEASE), "OK");
    hv_store_read(hv, 1, &tag, "/local/domain/1/domid");
    assert_int_equal(emu_machine_expect(&machine, FRONT, EV_STORE_READ, 1).ret, -ERR_NODEV);
    hv_share(hv, 2, BACK, 1);
    assert_int_equal(emu_machine_expect(&machine, FRONT, EV_SHARE, 2).ret, 0);
    close(tools);
    emu_machine_settle(&machine);
}

static void who_breaks_the_wire_is_dropped(void **state)
{
    static const struct store_wire_header header = {XS_READ, 1, 0, STORE_WIRE_PAYLOAD_MAX + 1};
    int guest = connect_as(FRONT), other = connect_as(FRONT);

    (void)state;
    assert_int_equal(send(guest, &header, sizeof(header), 0), sizeof(header));
    emu_machine_settle(&machine);
    assert_string_equal(expect(guest, XS_ERROR), "E2BIG");
    check_dropped(guest);
    assert_int_equal(send(other, "half", 4, 0), 4); /* and who goes in the middle */
    emu_machine_settle(&machine);
    close(other);
    emu_machine_settle(&machine);
    assert_true(emu_server_connected(machine.server, FRONT)); /* it is not its death */
    assert_int_equal(machine.reports, 0);
}

/* Asks for more and more, and reads no answer: then it is not read either, and all comes later. */
static void who_does_not_read_is_not_read(void **state)
{
    char text[64];
    size_t count = encode(text, XS_DIRECTORY, "/local/domain/1", 16);
    int guest = connect_as(FRONT), tools = connect_as(BACK);
    int i = 0;

    (void)state;
    for (; i < 100000 && send(guest, text, count, MSG_DONTWAIT) == (ssize_t)count; i++)
        emu_machine_settle(&machine);
    assert_true(i < 100000);
    ASK(tools, XS_READ, "/local/domain/1/domid");
    assert_string_equal(expect(tools, XS_READ), "1");
    for (; i > 0; i--) {
        expect(guest, XS_DIRECTORY);
        emu_machine_settle(&machine);
    }
    ASK(guest, XS_READ, "domid");
    assert_string_equal(expect(guest, XS_READ), "1");
    close(guest);
    close(tools);
    emu_machine_settle(&machine);
}

/* Who vanishes while it is not read is found out. */
static void who_is_not_read_may_go(void **state)
{
    char text[64];
    size_t count = encode(text, XS_DIRECTORY, "/local/domain/1", 16);
    int guest = connect_as(FRONT);

    (void)state;
    while (send(guest, text, count, MSG_DONTWAIT) == (ssize_t)count)
        emu_machine_settle(&machine);
    close(guest);
    emu_machine_settle(&machine);
}

/* Its answers wait for it, and come when it reads though it asks for nothing more. */
static void who_reads_late_gets_every_answer(void **state)
{
    char text[64];
    size_t count = encode(text, XS_READ, "domid", 6);
    int guest = connect_as(FRONT);

    (void)state;
    setsockopt(guest, SOL_SOCKET, SO_SNDBUF, &(int){1 << 20}, sizeof(int));
    uint32_t before = machine.loop.want_writes;
    int asked = 0;
    for (; machine.loop.want_writes == before; asked++) {
        assert_int_equal(send(guest, text, count, MSG_NOSIGNAL), count);
        emu_machine_settle(&machine);
    }
    for (int more = 0; more < 100; more++, asked++) /* more than may wait as answers */
        assert_int_equal(send(guest, text, count, MSG_NOSIGNAL), count);
    emu_machine_settle(&machine);
    for (; asked > 0; asked--) {
        assert_string_equal(expect(guest, XS_READ), "1");
        emu_machine_settle(&machine);
    }
    close(guest);
    emu_machine_settle(&machine);
}

static void a_death_drops_its_domains_clients(void **state)
{
    int tools = connect_as(BACK), guest = connect_as(FRONT);

    (void)state;
    ASK(guest, XS_TRANSACTION_START, "");
    expect(guest, XS_TRANSACTION_START);
    hv_close(machine.domains[FRONT]);
    machine.domains[FRONT] = NULL;
    check_dropped(guest);
    hv_close(machine.domains[BACK]); /* a backend's: the toolstack is not it */
    machine.domains[BACK] = NULL;
    emu_machine_settle(&machine);
    ASK(tools, XS_READ, "/local/domain/1/domid");
    assert_string_equal(expect(tools, XS_ERROR), "ENOENT");
    close(tools);
    emu_machine_settle(&machine);
}

static void so_many_clients_at_once(void **state)
{
    int fds[STORE_SERVER_CLIENTS_MAX], one_more;
    char byte;

    (void)state;
    for (int i = 0; i < STORE_SERVER_CLIENTS_MAX; i++)
        fds[i] = connect_as(FRONT);
    one_more = connect_as(FRONT);
    ASK(one_more, XS_READ, "domid"); /* and waits */
    assert_int_equal(recv(one_more, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    ASK(fds[STORE_SERVER_CLIENTS_MAX - 1], XS_READ, "domid");
    expect(fds[STORE_SERVER_CLIENTS_MAX - 1], XS_READ);
    close(fds[0]);
    emu_machine_settle(&machine);
    assert_string_equal(expect(one_more, XS_READ), "1");
    fds[0] = one_more;
    for (int i = 0; i < STORE_SERVER_CLIENTS_MAX; i++)
        close(fds[i]);
    emu_machine_settle(&machine);
}

/* The machine ends with clients connected. */
static void clients_end_with_the_machine(void **state)
{
    static int guest;

    (void)state;
    guest = connect_as(FRONT);
    ASK(guest, XS_WATCH, "data\0t");
    close(guest);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(a_socket_is_an_identity),
        SERVER_TEST(one_tree_for_all),
        SERVER_TEST(a_released_domain_lives_without_a_store),
        SERVER_TEST(who_breaks_the_wire_is_dropped),
        SERVER_TEST(who_does_not_read_is_not_read),
        SERVER_TEST(who_is_not_read_may_go),
        SERVER_TEST(who_reads_late_gets_every_answer),
        SERVER_TEST(a_death_drops_its_domains_clients),
        SERVER_TEST(so_many_clients_at_once),
        SERVER_TEST(clients_end_with_the_machine),
    };

    return !!cmocka_run_group_tests_name("store_server", tests, NULL, NULL);
}
