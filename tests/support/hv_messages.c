/* See hv_messages.h. */
#include "tests/support/hv_messages.h"

#include "tests/support/fds.h"
#include "tests/support/hv_reference.h"

static uint32_t read_domid(struct fuzz_input *input)
{
    static const uint32_t ids[] = {0, 1, 2, 0, 1, 2, 3, UINT16_MAX, UINT16_MAX + 1, UINT32_MAX};

    return ids[fuzz_below(input, sizeof(ids) / sizeof(ids[0]))];
}

static void read_path(struct fuzz_input *input, char path[HV_PATH_BYTES])
{
    static const char *const paths[] = {"/local/domain/0",
                                        "/local/domain/1",
                                        "/local/domain/1/device/xensock/0/state",
                                        "/local/domain/0/backend/xensock/1/0",
                                        "/local/domain/2/a",
                                        "/local/domain/2/a/b",
                                        "/",
                                        "",
                                        "/a",
                                        "/local/domain",
                                        "@releaseDomain",
                                        "@x",
                                        "//",
                                        "/a b"};
    uint8_t which = fuzz_u8(input);

    if (which < 240)
        snprintf(path, HV_PATH_BYTES, "%s", paths[which % (sizeof(paths) / sizeof(paths[0]))]);
    else
        for (uint32_t i = 0; i < HV_PATH_BYTES && input->size > 0; i++)
            path[i] = (char)fuzz_u8(input);
}

/* Which refs a MAP asks for: so many from the first of a run on, in one of four orders; or more
 * than there may be, zeros then. */
static uint32_t read_refs(struct fuzz_input *input, union emu_body *body)
{
    uint32_t first = hv_reference_pick(EMU_MAP, fuzz_u8(input));
    uint32_t count = fuzz_u8(input), order = fuzz_below(input, 4);

    count = count < 192 ? 1 + count % 16 : HV_REFS_MAX + count - 247;
    body->map.count = count;
    for (uint32_t i = 0; i < count && count <= HV_REFS_MAX; i++) {
        if (order == 0)
            body->map.refs[i] = first + i;
        else if (order == 1)
            body->map.refs[i] = first + count - 1 - i;
        else
            body->map.refs[i] = order == 2 ? first : first + fuzz_u8(input);
    }
    return (uint32_t)offsetof(struct emu_map, refs) + 4 * count;
}

static uint32_t read_publish(struct fuzz_input *input, union emu_body *body)
{
    uint8_t which = fuzz_u8(input);
    uint32_t count = which < 252 ? 1 + which % 3 : HV_PUBLISH_MAX - 2 + which % 4;

    body->publish.count = count;
    for (uint32_t i = 0; i < count && i < HV_PUBLISH_MAX; i++) {
        read_path(input, body->publish.nodes[i].path);
        snprintf(body->publish.nodes[i].value, STEP_VALUE_BYTES, "%u", fuzz_u8(input));
    }
    return (uint32_t)(offsetof(struct emu_publish, nodes) + count * sizeof(struct hv_node));
}

uint32_t hv_messages_make(struct fuzz_input *input, union emu_body *body, uint32_t *memory_at)
{
    switch (body->head.kind) {
    case EMU_SHARE:
        *memory_at = fuzz_below(input, FDS_TO_SEND);
        body->grant.domid = read_domid(input);
        body->grant.pages = fds_to_send[*memory_at].pages ? fds_to_send[*memory_at].pages : 1;
        return sizeof(body->grant);
    case EMU_MAP: body->map.domid = read_domid(input); return read_refs(input, body);
    case EMU_PORT_ALLOC:
    case EMU_PORT_BIND:
        body->port.domid = read_domid(input);
        if (body->head.kind == EMU_PORT_BIND)
            body->port.port = hv_reference_pick(EMU_PORT_BIND, fuzz_u8(input));
        return sizeof(body->port);
    case EMU_UNSHARE:
    case EMU_UNMAP:
    case EMU_PORT_CLOSE:
        body->handle.handle = hv_reference_pick((enum emu_kind)body->head.kind, fuzz_u8(input));
        return sizeof(body->handle);
    case EMU_STORE_READ:
    case EMU_STORE_LIST:
    case EMU_STORE_WATCH:
        body->path.cookie = fuzz_below(input, 4);
        read_path(input, body->path.path);
        return sizeof(body->path);
    case EMU_STORE_UNWATCH: body->cookie.cookie = fuzz_below(input, 4); return sizeof(body->cookie);
    case EMU_STORE_PUBLISH: return read_publish(input, body);
    default: return sizeof(body->hello);
    }
}
