/* Requests of xenstore from bytes. See xs_messages.h. */
#include "tests/support/xs_messages.h"

#include "sim/hv/store_wire.h"

#include <string.h>

void xs_messages_add(struct xs_request *request, const void *bytes, size_t count)
{
    if (count > XS_PAYLOAD_MAX - request->bytes)
        count = XS_PAYLOAD_MAX - request->bytes;
    memcpy(request->payload + request->bytes, bytes, count);
    request->bytes += (uint32_t)count;
}

static void add_text(struct xs_request *request, const char *text)
{
    xs_messages_add(request, text, strlen(text) + 1);
}

/* One of three. */
static void add_narrow_path(struct fuzz_input *input, struct xs_request *request)
{
    static const char *const paths[] = {"/narrow", "/narrow/a", "/narrow/b", "/narrow/a"};

    add_text(request, paths[fuzz_u8(input) % 4]);
}

/* A path of few words, so that what clients do meets; now and then one that is none. */
static void add_path(struct fuzz_input *input, struct xs_request *request, uint32_t number)
{
    static const char *const roots[] = {"/local/domain/1/data",
                                        "data",
                                        "/tool",
                                        "/local/domain/1/device/xensock/0",
                                        "/local/domain/0/backend/xensock/1/0",
                                        "/local/domain/2",
                                        "device",
                                        "/",
                                        "",
                                        "@releaseDomain",
                                        "/local/domain/2/data/"};
    static const char *const words[] = {"/a", "/b", "/c", "/state", "/a/b", "//", "/ ", "/-_@"};
    uint8_t shape = fuzz_u8(input), count = shape >> 6;
    char path[256];

    int length = snprintf(path, sizeof(path), "%s", roots[(shape & 63) % 11]);

    for (uint32_t i = 0; i < count; i++)
        length +=
            snprintf(path + length, sizeof(path) - (size_t)length, "%s", words[fuzz_u8(input) % 8]);
    if (number > 0) /* no directory becomes too large for its owner */
        snprintf(path + length, sizeof(path) - (size_t)length, "/%u/%u", number / 64, number);
    add_text(request, path);
}

static void add_value(struct fuzz_input *input, struct xs_request *request)
{
    static const uint16_t sizes[] = {0, 1, 5, 100, 1900, 2100, 3000, 3900};
    static const uint8_t bytes[4096] = {'v', 0, 'x'};
    uint8_t shape = fuzz_u8(input);

    xs_messages_add(request, bytes + shape % 3, sizes[shape >> 5]);
}

static void add_perms(struct fuzz_input *input, struct xs_request *request)
{
    static const char *const perms[] = {"n0", "n1", "n2",  "r1", "r2", "b1", "w2", "b0",
                                        "n",  "x1", "n1x", "r0", "w1", "b2", "",   "r3"};
    uint32_t count = fuzz_u8(input) % 8;

    for (uint32_t i = 0; i < count; i++)
        add_text(request, perms[fuzz_u8(input) % 16]);
}

static void add_token(struct fuzz_input *input, struct xs_request *request, uint32_t number)
{
    char token[24];

    snprintf(token, sizeof(token), "t%u%s", number > 0 ? number : fuzz_u8(input) % 3u,
             number > 0 ? "#" : "");
    add_text(request, token);
}

static void add_a_path(struct fuzz_input *input, struct xs_request *request, uint32_t number,
                       bool narrow)
{
    if (narrow)
        add_narrow_path(input, request);
    else
        add_path(input, request, number);
}

void xs_messages_fill(struct fuzz_input *input, struct xs_request *request, uint32_t number,
                      bool narrow)
{
    static const char *const ends[] = {"T", "F", "T", "X"};

    switch (request->type) {
    case XS_TRANSACTION_START: add_text(request, ""); break;
    case XS_TRANSACTION_END: add_text(request, ends[fuzz_u8(input) % 4]); break;
    case XS_GET_DOMAIN_PATH: add_text(request, fuzz_u8(input) % 4 ? "1" : "x"); break;
    case XS_WATCH:
    case XS_UNWATCH:
        add_a_path(input, request, 0, narrow);
        add_token(input, request, number);
        break;
    case XS_WRITE:
        add_a_path(input, request, number, narrow);
        add_value(input, request);
        break;
    case XS_SET_PERMS:
        add_a_path(input, request, 0, narrow);
        add_perms(input, request);
        break;
    case XS_RESET_WATCHES: add_text(request, ""); break;
    default: add_a_path(input, request, number, narrow);
    }
}

uint32_t xs_messages_type(struct fuzz_input *input)
{
    static const uint8_t types[] = {
        XS_WRITE,
        XS_WRITE,
        XS_WRITE,
        XS_READ,
        XS_READ,
        XS_MKDIR,
        XS_RM,
        XS_RM,
        XS_WATCH,
        XS_WATCH,
        XS_UNWATCH,
        XS_TRANSACTION_START,
        XS_TRANSACTION_START,
        XS_TRANSACTION_END,
        XS_TRANSACTION_END,
        XS_TRANSACTION_END,
        XS_SET_PERMS,
        XS_SET_PERMS,
        XS_GET_PERMS,
        XS_DIRECTORY,
        XS_DIRECTORY,
        XS_GET_DOMAIN_PATH,
        XS_RESET_WATCHES,
        XS_DIRECTORY_PART,
        15,
        16,
        20,
        99,
    };

    return types[fuzz_u8(input) % sizeof(types)];
}
