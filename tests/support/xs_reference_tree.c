/* Nodes, permissions and requests on them, of the reference of xenstore. See xs_reference.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/xs_reference_private.h"

#include <ctype.h>
#include <string.h>

/* ---- worlds ---------------------------------------------------------------------------------- */

void *xs_copy_of(const void *from, size_t bytes)
{
    uint8_t *copy = malloc(bytes + 1);

    FUZZ_CHECK(copy, "memory");
    if (bytes > 0)
        memcpy(copy, from, bytes);
    copy[bytes] = 0;
    return copy;
}

void xs_copy_path(char to[PATH_BYTES], const char *path)
{
    FUZZ_CHECK(strlen(path) < PATH_BYTES, "%zu characters", strlen(path));
    memcpy(to, path, strlen(path) + 1);
}

struct xs_node *xs_find(const struct xs_world *world, const char *path)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (strcmp(world->nodes[i].path, path) == 0)
            return &world->nodes[i];
    return NULL;
}

struct xs_node *xs_add(struct xs_world *world, const char *path)
{
    if (world->count == world->room) {
        world->room = 2 * world->room + 16;
        world->nodes = realloc(world->nodes, world->room * sizeof(*world->nodes));
    }
    FUZZ_CHECK(world->nodes, "memory");
    world->nodes[world->count] =
        (struct xs_node){.path = xs_copy_of(path, strlen(path)), .value = xs_copy_of("", 0)};
    return &world->nodes[world->count++];
}

static void node_fini(struct xs_node *node)
{
    free(node->path);
    free(node->value);
}

bool xs_is_below(const char *path, const char *above)
{
    size_t length = strlen(above);

    if (strcmp(above, "/") == 0)
        return path[0] == '/';
    return strncmp(path, above, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void cut(struct xs_world *world, const char *path)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < world->count; i++) {
        if (xs_is_below(world->nodes[i].path, path))
            node_fini(&world->nodes[i]);
        else
            world->nodes[kept++] = world->nodes[i];
    }
    world->count = kept;
}

void xs_world_fini(struct xs_world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        node_fini(&world->nodes[i]);
    free(world->nodes);
    *world = (struct xs_world){0};
}

struct xs_world xs_world_copy(const struct xs_world *from)
{
    struct xs_world copy = {.nodes = calloc(from->count, sizeof(*from->nodes)),
                            .count = from->count,
                            .room = from->count};

    FUZZ_CHECK(copy.nodes, "memory");
    for (uint32_t i = 0; i < from->count; i++) {
        copy.nodes[i] = from->nodes[i];
        copy.nodes[i].path = xs_copy_of(from->nodes[i].path, strlen(from->nodes[i].path));
        copy.nodes[i].value = xs_copy_of(from->nodes[i].value, from->nodes[i].bytes);
    }
    return copy;
}

uint32_t xs_owned(const struct xs_world *world, uint16_t domid)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->count; i++)
        count += world->nodes[i].perms[0].domid == domid;
    return count;
}

static void parent_of(const char *path, char parent[PATH_BYTES])
{
    size_t length = (size_t)(strrchr(path, '/') - path);

    memcpy(parent, path, length);
    parent[length] = '\0';
    if (length == 0)
        xs_copy_path(parent, "/");
}

uint8_t xs_allowed(uint16_t domid, const struct xs_node *node)
{
    if (domid == 0 || node->perms[0].domid == domid)
        return MAY_ALL;
    for (uint32_t i = 1; i < node->perm_count; i++)
        if (node->perms[i].domid == domid)
            return node->perms[i].may;
    return node->perms[0].may;
}

/* The nearest node above a path that has none. */
static struct xs_node *nearest(const struct xs_world *world, const char *path)
{
    char above[PATH_BYTES];
    struct xs_node *node = NULL;

    xs_copy_path(above, path);
    while (!node && strcmp(above, "/") != 0) {
        char next[PATH_BYTES];
        parent_of(above, next);
        xs_copy_path(above, next);
        node = xs_find(world, above);
    }
    FUZZ_CHECK(node, "no root above %s", path);
    return node;
}

/* What is there, if `domid` may `may` it; else NULL with the error. */
static struct xs_node *get(const struct xs_world *world, uint16_t domid, const char *path,
                           uint8_t may, const char **error)
{
    struct xs_node *node = xs_find(world, path);
    bool granted = (xs_allowed(domid, node ? node : nearest(world, path)) & may) == may;

    *error = !granted ? "EACCES" : !node ? "ENOENT" : NULL;
    return *error ? NULL : node;
}

bool xs_may_see(const struct xs_world *world, uint16_t domid, const struct xs_node *node)
{
    char above[PATH_BYTES];
    const struct xs_node *parent;

    parent_of(node->path, above);
    parent = xs_find(world, above);
    return (xs_allowed(domid, node) & MAY_READ) ||
           (parent && (xs_allowed(domid, parent) & MAY_READ));
}

/* ---- what is said ---------------------------------------------------------------------------- */

bool xs_absolute(uint16_t domid, const char *given, char path[PATH_BYTES])
{
    if (strlen(given) >= 2048 || given[0] == '@')
        return false;
    if (given[0] == '/')
        xs_copy_path(path, given);
    else
        snprintf(path, PATH_BYTES, "/local/domain/%u/%s", domid, given);
    for (const char *at = path; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-/_@", *at))
            return false;
    return !strstr(path, "//") && (path[1] == '\0' || path[strlen(path) - 1] != '/');
}

int xs_strings(const struct xs_said *said)
{
    int count = 0;

    if (said->bytes > 0 && said->payload[said->bytes - 1] != 0)
        return -1;
    for (uint32_t i = 0; i < said->bytes; i++)
        count += said->payload[i] == 0;
    return count;
}

/* The one path that the payload is, absolute; false: none. */
static bool one_path(uint16_t domid, const struct xs_said *asked, char path[PATH_BYTES])
{
    return xs_strings(asked) == 1 && xs_absolute(domid, (const char *)asked->payload, path);
}

static void put(struct xs_reply *reply, const void *bytes, size_t count)
{
    FUZZ_CHECK(reply->bytes + count <= PAYLOAD_MAX, "an answer too long for the reference");
    memcpy(reply->payload + reply->bytes, bytes, count);
    reply->bytes += (uint32_t)count;
}

void xs_put_text(struct xs_reply *reply, const char *text)
{
    put(reply, text, strlen(text) + 1);
}

/* ---- requests on the tree: done in a world, with events or without -----------------------------
 */

static void tell(struct xs_doing *doing, const struct xs_node *node, const struct xs_node *before,
                 bool exact)
{
    doing->changed = true;
    doing->tell(doing, node, before, exact);
}

static struct xs_node *make(const struct xs_doing *doing, const char *path)
{
    char above[PATH_BYTES];

    parent_of(path, above);
    if (!xs_find(doing->world, above))
        make(doing, above);
    struct xs_node *node = xs_add(doing->world, path);
    const struct xs_node *parent = xs_find(doing->world, above);
    node->perm_count = parent->perm_count;
    memcpy(node->perms, parent->perms, sizeof(node->perms));
    if (doing->domid != 0)
        node->perms[0].domid = doing->domid;
    return node;
}

/* How many nodes there would be new. */
static uint32_t lacking(const struct xs_world *world, const char *path)
{
    char above[PATH_BYTES];

    if (xs_find(world, path))
        return 0;
    parent_of(path, above);
    return 1 + lacking(world, above);
}

/* Whether a node may take so many bytes more than it does. */
static bool fits(const struct xs_doing *doing, const struct xs_node *node, uint32_t perm_count,
                 size_t value_bytes)
{
    size_t bytes = NODE_BYTES + PERM_BYTES * perm_count + value_bytes;
    char above[PATH_BYTES];

    for (uint32_t i = 0; node && i < doing->world->count; i++) {
        const char *child = doing->world->nodes[i].path;
        parent_of(child, above);
        if (strcmp(child, "/") != 0 && strcmp(above, node->path) == 0)
            bytes += strlen(strrchr(child, '/'));
    }
    return doing->domid == 0 || bytes < NODE_QUOTA;
}

static const char *create(struct xs_doing *doing, const char *path, uint32_t bytes,
                          struct xs_node **node)
{
    const struct xs_node *above = nearest(doing->world, path);
    const char *name = path + (above->path[1] ? strlen(above->path) + 1 : 1);
    uint32_t count = above->perm_count;

    if (doing->domid != 0 &&
        xs_owned(doing->world, doing->domid) + lacking(doing->world, path) > NODES_QUOTA)
        return "ENOSPC";
    bool all_fit = fits(doing, above, count, above->bytes + strcspn(name, "/") + 1);
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
        all_fit = all_fit && fits(doing, NULL, count, strcspn(slash + 1, "/") + 1);
    if (!all_fit || !fits(doing, NULL, count, bytes))
        return "ENOSPC";
    *node = make(doing, path);
    return NULL;
}

static const char *do_write(struct xs_doing *doing, const struct xs_said *asked)
{
    size_t length = strnlen((const char *)asked->payload, asked->bytes);
    char path[PATH_BYTES];
    const char *error;

    if (length == asked->bytes || !xs_absolute(doing->domid, (const char *)asked->payload, path))
        return "EINVAL";
    uint32_t bytes = asked->bytes - (uint32_t)length - 1;
    struct xs_node *node = get(doing->world, doing->domid, path, MAY_WRITE, &error);
    if (!node && strcmp(error, "ENOENT") != 0)
        return error;
    if (node && !fits(doing, node, node->perm_count, bytes))
        return "ENOSPC";
    if (!node && (error = create(doing, path, bytes, &node)))
        return error;
    free(node->value);
    node->value = xs_copy_of(asked->payload + length + 1, bytes);
    node->bytes = bytes;
    tell(doing, node, NULL, false);
    return NULL;
}

static const char *do_mkdir(struct xs_doing *doing, const struct xs_said *asked)
{
    char path[PATH_BYTES];
    const char *error;

    if (!one_path(doing->domid, asked, path))
        return "EINVAL";
    struct xs_node *node = get(doing->world, doing->domid, path, MAY_WRITE, &error);
    if (node)
        return NULL;
    if (strcmp(error, "ENOENT") != 0 || (error = create(doing, path, 0, &node)))
        return error;
    tell(doing, node, NULL, false);
    return NULL;
}

static const char *do_rm(struct xs_doing *doing, const struct xs_said *asked)
{
    char path[PATH_BYTES], above[PATH_BYTES];
    const char *error;

    if (!one_path(doing->domid, asked, path))
        return "EINVAL";
    struct xs_node *node = get(doing->world, doing->domid, path, MAY_WRITE, &error);
    if (!node) {
        parent_of(path, above);
        return strcmp(error, "ENOENT") == 0 && xs_find(doing->world, above) ? NULL : error;
    }
    if (strcmp(path, "/") == 0)
        return "EINVAL";
    tell(doing, node, NULL, false);
    for (uint32_t i = 0; i < doing->world->count; i++)
        if (xs_is_below(doing->world->nodes[i].path, path) && &doing->world->nodes[i] != node)
            tell(doing, &doing->world->nodes[i], NULL, true);
    cut(doing->world, path);
    return NULL;
}

bool xs_read_perm(const char *text, struct xs_perm *perm)
{
    static const char letters[] = "nrwb";
    const char *letter = strchr(letters, text[0]);
    char *end;

    if (!text[0] || !letter || !isdigit((unsigned char)text[1]))
        return false;
    unsigned long domid = strtoul(text + 1, &end, 10);
    *perm = (struct xs_perm){(uint16_t)domid, (uint8_t)(letter - letters)};
    return *end == '\0' && domid < 0x7ff0;
}

static const char *do_set_perms(struct xs_doing *doing, const struct xs_said *asked)
{
    int count = xs_strings(asked) - 1;
    struct xs_perm perms[PERMS_MAX];
    char path[PATH_BYTES];
    const char *error, *text = (const char *)asked->payload;

    if (count < 1)
        return "EINVAL";
    if (doing->domid != 0 && count > PERMS_QUOTA)
        return "ENOSPC";
    for (int i = 0; i < count; i++) {
        FUZZ_CHECK(i < PERMS_MAX, "more permissions than the reference can take");
        text += strlen(text) + 1;
        if (!xs_read_perm(text, &perms[i]))
            return "EINVAL";
    }
    if (!xs_absolute(doing->domid, (const char *)asked->payload, path))
        return "EINVAL";
    struct xs_node *node = get(doing->world, doing->domid, path, MAY_WRITE, &error);
    if (!node)
        return error;
    if (doing->domid != 0 && node->perms[0].domid != doing->domid)
        return "EACCES";
    if (doing->domid != 0 && perms[0].domid != doing->domid)
        return "EPERM";
    if (!fits(doing, node, (uint32_t)count, node->bytes))
        return "ENOSPC";
    struct xs_node before = *node;
    memcpy(node->perms, perms, (uint32_t)count * sizeof(*perms));
    node->perm_count = (uint32_t)count;
    tell(doing, node, &before, false);
    return NULL;
}

static const char *do_read(const struct xs_doing *doing, const struct xs_said *asked,
                           struct xs_reply *reply)
{
    char path[PATH_BYTES];
    const char *error;

    if (!one_path(doing->domid, asked, path))
        return "EINVAL";
    const struct xs_node *node = get(doing->world, doing->domid, path, MAY_READ, &error);
    if (node)
        put(reply, node->value, node->bytes);
    return error;
}

static const char *do_directory(const struct xs_doing *doing, const struct xs_said *asked,
                                struct xs_reply *reply)
{
    char path[PATH_BYTES], above[PATH_BYTES];
    const char *error;

    if (!one_path(doing->domid, asked, path))
        return "EINVAL";
    if (!get(doing->world, doing->domid, path, MAY_READ, &error))
        return error;
    for (uint32_t i = 0; i < doing->world->count; i++) {
        const char *child = doing->world->nodes[i].path;

        if (strcmp(child, "/") == 0)
            continue;
        parent_of(child, above);
        if (strcmp(above, path) != 0)
            continue;
        if (reply->bytes + strlen(strrchr(child, '/')) > PAYLOAD_MAX)
            return "E2BIG";
        xs_put_text(reply, strrchr(child, '/') + 1);
    }
    return NULL;
}

static const char *do_get_perms(const struct xs_doing *doing, const struct xs_said *asked,
                                struct xs_reply *reply)
{
    char path[PATH_BYTES], text[16];
    const char *error;

    if (!one_path(doing->domid, asked, path))
        return "EINVAL";
    const struct xs_node *node = get(doing->world, doing->domid, path, MAY_READ, &error);
    for (uint32_t i = 0; node && i < node->perm_count; i++) {
        snprintf(text, sizeof(text), "%c%u", "nrwb"[node->perms[i].may], node -> perms[i].domid);
        xs_put_text(reply, text);
    }
    return error;
}

void xs_do_tree(struct xs_doing *doing, const struct xs_said *asked, struct xs_reply *reply)
{
    switch (asked->type) {
    case READ: reply->error = do_read(doing, asked, reply); return;
    case DIRECTORY: reply->error = do_directory(doing, asked, reply); return;
    case GET_PERMS: reply->error = do_get_perms(doing, asked, reply); return;
    case WRITE: reply->error = do_write(doing, asked); break;
    case MKDIR: reply->error = do_mkdir(doing, asked); break;
    case RM: reply->error = do_rm(doing, asked); break;
    case SET_PERMS: reply->error = do_set_perms(doing, asked); break;
    default: FUZZ_CHECK(false, "type %u is none of the tree", asked->type);
    }
    if (!reply->error)
        xs_put_text(reply, "OK");
}
