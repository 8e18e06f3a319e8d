/*
 * A store with clients of three domains, and what its tests need as one-liners. ONE and TWO are
 * unprivileged, each with a directory of its own, as the toolstack makes them.
 */
#ifndef XENSOCK_TESTS_SIM_HV_STORE_WORLD_H
#define XENSOCK_TESTS_SIM_HV_STORE_WORLD_H

#include "ringlib/err.h"
#include "sim/hv/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TOOLS = 0, ONE = 5, TWO = 6 };

struct world {
    struct store *store;
    struct store_client *tools, *one, *two;
};

static struct world world;

static inline void give_directory(uint16_t domid)
{
    const struct store_perm top[] = {{0, STORE_NONE}, {domid, STORE_READ}};
    const struct store_perm own = {domid, STORE_NONE};
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    assert_int_equal(store_mkdir(world.tools, 0, path), 0);
    assert_int_equal(store_set_perms(world.tools, 0, path, top, 2), 0);
    snprintf(path, sizeof(path), "/local/domain/%u/data", domid);
    assert_int_equal(store_mkdir(world.tools, 0, path), 0);
    assert_int_equal(store_set_perms(world.tools, 0, path, &own, 1), 0);
}

static inline int make(void **state)
{
    (void)state;
    world.store = store_create();
    world.tools = store_connect(world.store, TOOLS, NULL);
    world.one = store_connect(world.store, ONE, &world.one);
    world.two = store_connect(world.store, TWO, NULL);
    give_directory(ONE);
    give_directory(TWO);
    return 0;
}

static inline int unmake(void **state)
{
    (void)state;
    store_disconnect(world.tools);
    store_disconnect(world.one);
    store_disconnect(world.two);
    assert_int_equal(store_watches(world.store), 0);
    store_destroy(world.store);
    return 0;
}

static inline int put(struct store_client *client, const char *path, const char *text)
{
    return store_write(client, 0, path, text, (uint32_t)strlen(text));
}

static inline int put_in(struct store_client *client, uint32_t transaction, const char *path,
                         const char *text)
{
    return store_write(client, transaction, path, text, (uint32_t)strlen(text));
}

/* The node as a text, or "-ERR"'s name. */
static inline const char *get_in(struct store_client *client, uint32_t transaction,
                                 const char *path)
{
    const void *value;
    uint32_t bytes;
    int ret = store_read(client, transaction, path, &value, &bytes);

    return ret < 0 ? err_name(ret) : value;
}

static inline const char *get(struct store_client *client, const char *path)
{
    return get_in(client, 0, path);
}

/* Names of children, with a comma behind each. */
static inline const char *list_in(struct store_client *client, uint32_t transaction,
                                  const char *path)
{
    static char text[4096];
    struct store_names names;
    int ret = store_list(client, transaction, path, &names);

    if (ret < 0)
        return err_name(ret);
    assert_true(names.bytes < sizeof(text));
    for (uint32_t i = 0; i < names.bytes; i++)
        text[i] = names.text[i];
    for (uint32_t i = 0; i < names.bytes; i++)
        text[i] = text[i] == '\0' ? ',' : text[i];
    text[names.bytes] = '\0';
    return text;
}

static inline const char *list(struct store_client *client, const char *path)
{
    return list_in(client, 0, path);
}

/* Permissions of a path: "n0r5" is the toolstack's, which 5 may read. */
static inline int permit(struct store_client *client, const char *path, const char *text)
{
    struct store_perm perms[8];
    uint32_t count = 0;

    for (; *text; text += 2, count++) {
        assert_true(count < 8);
        perms[count] =
            (struct store_perm){(uint16_t)(text[1] - '0'), text[0] == 'b'   ? STORE_BOTH
                                                           : text[0] == 'w' ? STORE_WRITE
                                                           : text[0] == 'r' ? STORE_READ
                                                                            : STORE_NONE};
    }
    return store_set_perms(client, 0, path, perms, count);
}

static inline const char *permits(struct store_client *client, const char *path)
{
    static char text[64];
    const struct store_perm *perms;
    int count = store_get_perms(client, 0, path, &perms);

    if (count < 0)
        return err_name(count);
    for (int i = 0; i < count; i++)
        snprintf(text + (size_t)2 * (size_t)i, sizeof(text) - (size_t)2 * (size_t)i, "%c%u",
                 "nrwb"[perms[i].access], perms[i].domid);
    return text;
}

static inline struct store_usage usage(uint16_t domid)
{
    struct store_usage now;

    store_usage(world.store, domid, &now);
    return now;
}

static inline void expect(struct store_client *client, const char *token, const char *path)
{
    struct store_event event;

    assert_true(store_next(world.store, &event));
    assert_ptr_equal(event.client, client);
    assert_int_equal(event.token_bytes, strlen(token));
    assert_memory_equal(event.token, token, event.token_bytes);
    assert_string_equal(event.path, path);
}

static inline void expect_none(void)
{
    struct store_event event;

    assert_false(store_next(world.store, &event));
}

static inline int watch_as(struct store_client *client, const char *path, const char *token)
{
    return store_watch(client, path, token, (uint32_t)strlen(token));
}

/* Watch, and take the event of the registration. */
static inline void watch(struct store_client *client, const char *path, const char *token)
{
    assert_int_equal(watch_as(client, path, token), 0);
    expect(client, token, path);
}

#endif
