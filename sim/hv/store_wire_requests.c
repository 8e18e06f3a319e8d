/*
 * What each request of the wire asks of the store: its payload checked, carried out, answered. See
 * store_wire.h.
 *
 * Source: docs/misc/xenstore.txt of Xen 4.17; tools/xenstore for the errors.
 */
#include "sim/hv/store_wire_private.h"

#include <inttypes.h>
#include <stdio.h>

enum { DOMID_SELF = 0x7ff0 };

/* ---- payloads ---- */

/* The payload as one text, terminated by its last byte and nowhere else; NULL: it is not. */
static const char *one_text(const struct store_wire *wire)
{
    uint32_t bytes = wire->in.header.len;

    return bytes > 0 && strlen(wire->payload) == bytes - 1 ? wire->payload : NULL;
}

/* How many terminated texts it begins with; the first `most` of them in `texts`. */
static uint32_t texts_of(const struct store_wire *wire, const char **texts, uint32_t most)
{
    const char *at = wire->payload, *end = wire->payload + wire->in.header.len, *terminator;
    uint32_t count = 0;

    while (at < end && (terminator = memchr(at, 0, (size_t)(end - at)))) {
        if (count < most)
            texts[count] = at;
        count++;
        at = terminator + 1;
    }
    return count;
}

/* A domain's number; -1: that is none. */
static int domid_of(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long number = digits > 0 && digits <= 5 && text[digits] == '\0' ? strtol(text, NULL, 10) : -1;

    return number <= UINT16_MAX ? (int)number : -1;
}

static void acknowledge(struct store_wire *wire, int ret)
{
    if (ret < 0)
        store_wire_error(wire, ret);
    else
        store_wire_answer(wire, "OK", sizeof("OK"));
}

static uint32_t transaction_of(const struct store_wire *wire)
{
    return wire->in.header.tx_id;
}

/* ---- nodes ---- */

static void directory(struct store_wire *wire)
{
    const char *path = one_text(wire);
    struct store_names names;
    int ret = path ? store_list(wire->client, transaction_of(wire), path, &names) : -ERR_INVAL;

    if (ret < 0)
        store_wire_error(wire, ret);
    else
        store_wire_answer(wire, names.text, names.bytes);
}

/* The list's generation, and as many whole names from an offset on as there is room for; behind the
 * last an empty one. */
static void directory_part(struct store_wire *wire)
{
    char part[STORE_WIRE_PAYLOAD_MAX];
    const char *texts[2];
    struct store_names names;
    int ret = texts_of(wire, texts, 2) == 2
                  ? store_list(wire->client, transaction_of(wire), texts[0], &names)
                  : -ERR_INVAL;

    if (ret < 0) {
        store_wire_error(wire, ret);
        return;
    }
    unsigned long from = strtoul(texts[1], NULL, 10);
    uint32_t at = (uint32_t)snprintf(part, sizeof(part), "%" PRIu64, names.generation) + 1;
    while (from < names.bytes) {
        uint32_t name_bytes = (uint32_t)strlen(names.text + from) + 1;
        if (at + name_bytes >= sizeof(part))
            break;
        memcpy(part + at, names.text + from, name_bytes);
        at += name_bytes;
        from += name_bytes;
    }
    if (from >= names.bytes)
        part[at++] = '\0';
    store_wire_answer(wire, part, at);
}

static void read_node(struct store_wire *wire)
{
    const char *path = one_text(wire);
    const void *value;
    uint32_t bytes;
    int ret =
        path ? store_read(wire->client, transaction_of(wire), path, &value, &bytes) : -ERR_INVAL;

    if (ret < 0)
        store_wire_error(wire, ret);
    else
        store_wire_answer(wire, value, bytes);
}

static void write_node(struct store_wire *wire)
{
    const char *path;

    if (texts_of(wire, &path, 1) == 0) {
        store_wire_error(wire, -ERR_INVAL);
        return;
    }
    uint32_t path_bytes = (uint32_t)strlen(path) + 1;
    acknowledge(wire, store_write(wire->client, transaction_of(wire), path, path + path_bytes,
                                  wire->in.header.len - path_bytes));
}

static void make_node(struct store_wire *wire)
{
    const char *path = one_text(wire);

    acknowledge(wire, path ? store_mkdir(wire->client, transaction_of(wire), path) : -ERR_INVAL);
}

static void remove_node(struct store_wire *wire)
{
    const char *path = one_text(wire);

    acknowledge(wire, path ? store_remove(wire->client, transaction_of(wire), path) : -ERR_INVAL);
}

/* ---- permissions ---- */

static const char letters[] = "nrwb"; /* by enum store_access */

static void get_perms(struct store_wire *wire)
{
    char text[STORE_WIRE_PAYLOAD_MAX + 1];
    const char *path = one_text(wire);
    const struct store_perm *perms;
    uint32_t at = 0;
    int count =
        path ? store_get_perms(wire->client, transaction_of(wire), path, &perms) : -ERR_INVAL;

    for (int i = 0; i < count && at < sizeof(text) - 8; i++)
        at += (uint32_t)snprintf(text + at, sizeof(text) - at, "%c%" PRIu16,
                                 letters[perms[i].access], perms[i].domid) +
              1;
    if (count < 0)
        store_wire_error(wire, count);
    else
        store_wire_answer(wire, text, at);
}

static bool perm_of(const char *text, struct store_perm *perm)
{
    const char *letter = text[0] ? strchr(letters, text[0]) : NULL;
    int domid = letter ? domid_of(text + 1) : -1;

    if (domid < 0)
        return false;
    *perm = (struct store_perm){(uint16_t)domid, (enum store_access)(letter - letters)};
    return true;
}

static void set_perms(struct store_wire *wire)
{
    enum { MOST = STORE_WIRE_PAYLOAD_MAX / sizeof("n0") };
    const char *texts[MOST + 1];
    struct store_perm perms[MOST];
    uint32_t count = texts_of(wire, texts, MOST + 1);
    bool good = count >= 2 && count <= MOST + 1;

    if (good && !store_privileged(wire->client) && count - 1 > STORE_PERMS_MAX) {
        store_wire_error(wire, -ERR_NOSPC); /* before they are looked at */
        return;
    }
    for (uint32_t i = 1; good && i < count; i++)
        good = perm_of(texts[i], &perms[i - 1]);
    acknowledge(
        wire, good ? store_set_perms(wire->client, transaction_of(wire), texts[0], perms, count - 1)
                   : -ERR_INVAL);
}

/* ---- watches and transactions ---- */

static void watch(struct store_wire *wire)
{
    const char *texts[2];
    int ret = -ERR_INVAL;

    if (texts_of(wire, texts, 2) == 2)
        ret = store_watch(wire->client, texts[0], texts[1], (uint32_t)strlen(texts[1]));
    acknowledge(wire, ret);
}

static void unwatch(struct store_wire *wire)
{
    const char *texts[2];
    int ret = -ERR_INVAL;

    if (texts_of(wire, texts, 2) == 2)
        ret = store_unwatch(wire->client, texts[0], texts[1], (uint32_t)strlen(texts[1]));
    acknowledge(wire, ret);
}

static void reset_watches(struct store_wire *wire)
{
    store_reset(wire->client);
    acknowledge(wire, 0);
}

static void transaction_start(struct store_wire *wire)
{
    char text[16];
    int64_t id = transaction_of(wire) == 0 ? store_begin(wire->client) : -ERR_BUSY;

    if (id < 0) {
        store_wire_error(wire, (int)id);
        return;
    }
    int length = snprintf(text, sizeof(text), "%" PRId64, id);
    store_wire_answer(wire, text, (uint32_t)length + 1);
}

static void transaction_end(struct store_wire *wire)
{
    const char *text = one_text(wire);
    bool commits = text && strcmp(text, "T") == 0;

    if (!commits && !(text && strcmp(text, "F") == 0))
        store_wire_error(wire, -ERR_INVAL);
    else
        acknowledge(wire, store_end(wire->client, transaction_of(wire), commits));
}

/* ---- domains ---- */

static void introduce(struct store_wire *wire)
{
    const char *texts[3];
    int domid = texts_of(wire, texts, 3) >= 3 ? domid_of(texts[0]) : -1;
    struct store *store = wire->config.store;

    if (domid < 0 || !store_present(store, (uint16_t)domid)) {
        store_wire_error(wire, -ERR_INVAL);
        return;
    }
    if (!store_introduced(store, (uint16_t)domid))
        store_introduce(store, (uint16_t)domid);
    acknowledge(wire, 0);
}

/* The domain a request is about, which must be introduced: its number, or an error. */
static int introduced_of(const struct store_wire *wire, const char *text)
{
    int domid = text ? domid_of(text) : -1;

    if (domid < 0)
        return -ERR_INVAL;
    return store_introduced(wire->config.store, (uint16_t)domid) ? domid : -ERR_NOENT;
}

static void release(struct store_wire *wire)
{
    int domid = introduced_of(wire, one_text(wire));

    if (domid > 0)
        store_release(wire->config.store, (uint16_t)domid);
    acknowledge(wire, domid == 0 ? -ERR_INVAL : domid);
}

/* Xen forgets that the domain shut down, which no domain here does. */
static void resume(struct store_wire *wire)
{
    acknowledge(wire, introduced_of(wire, one_text(wire)));
}

static void set_target(struct store_wire *wire)
{
    const char *texts[2];
    bool good = texts_of(wire, texts, 2) == 2;
    int domid = introduced_of(wire, good ? texts[0] : NULL);
    int target = introduced_of(wire, good ? texts[1] : NULL);
    int ret = domid < 0 ? domid : target;

    if (ret >= 0)
        store_set_target(wire->config.store, (uint16_t)domid, (uint16_t)target);
    acknowledge(wire, ret);
}

static void is_introduced(struct store_wire *wire)
{
    const char *text = one_text(wire);
    int domid = text ? domid_of(text) : -1;

    if (domid < 0)
        store_wire_error(wire, -ERR_INVAL);
    else
        store_wire_answer(
            wire,
            domid == DOMID_SELF || store_introduced(wire->config.store, (uint16_t)domid) ? "T"
                                                                                         : "F",
            2);
}

static void domain_path(struct store_wire *wire)
{
    char path[32];
    const char *text = one_text(wire);
    int domid = text ? domid_of(text) : -1;

    if (domid < 0) {
        store_wire_error(wire, -ERR_INVAL);
        return;
    }
    int length = snprintf(path, sizeof(path), "/local/domain/%d", domid);
    store_wire_answer(wire, path, (uint32_t)length + 1);
}

static void control(struct store_wire *wire)
{
    char text[STORE_WIRE_PAYLOAD_MAX];
    const char *words[STORE_WIRE_WORDS_MAX];
    uint32_t count = texts_of(wire, words, STORE_WIRE_WORDS_MAX);
    int ret = -ERR_INVAL;

    if (count > 0 && count <= STORE_WIRE_WORDS_MAX && wire->config.control)
        ret = wire->config.control(wire->config.self, words, count, text, sizeof(text));
    if (ret < 0)
        store_wire_error(wire, ret);
    else
        store_wire_answer(wire, text, (uint32_t)ret);
}

/* ---- which is which ---- */

static const struct request {
    void (*carry_out)(struct store_wire *wire);
    bool privileged; /* for domain 0 alone */
    bool outside;    /* of transactions: their number does not matter */
} requests[] = {
    [XS_CONTROL] = {control, true, false},
    [XS_DIRECTORY] = {directory, false, false},
    [XS_READ] = {read_node, false, false},
    [XS_GET_PERMS] = {get_perms, false, false},
    [XS_WATCH] = {watch, false, true},
    [XS_UNWATCH] = {unwatch, false, true},
    [XS_TRANSACTION_START] = {transaction_start, false, false},
    [XS_TRANSACTION_END] = {transaction_end, false, false},
    [XS_INTRODUCE] = {introduce, true, false},
    [XS_RELEASE] = {release, true, false},
    [XS_GET_DOMAIN_PATH] = {domain_path, false, false},
    [XS_WRITE] = {write_node, false, false},
    [XS_MKDIR] = {make_node, false, false},
    [XS_RM] = {remove_node, false, false},
    [XS_SET_PERMS] = {set_perms, false, false},
    [XS_IS_DOMAIN_INTRODUCED] = {is_introduced, true, false},
    [XS_RESUME] = {resume, true, false},
    [XS_SET_TARGET] = {set_target, true, false},
    [XS_RESET_WATCHES] = {reset_watches, false, false},
    [XS_DIRECTORY_PART] = {directory_part, false, false},
};

void store_wire_request(struct store_wire *wire)
{
    uint32_t type = wire->in.header.type;
    const struct request *request =
        type < sizeof(requests) / sizeof(requests[0]) ? &requests[type] : NULL;

    if (!request || !request->carry_out)
        store_wire_error(wire, -ERR_NOSYS);
    else if (request->privileged && !store_privileged(wire->client))
        store_wire_error(wire, -ERR_ACCES);
    else if (!request->outside && transaction_of(wire) != 0 &&
             !store_in_transaction(wire->client, transaction_of(wire)))
        store_wire_error(wire, -ERR_NOENT);
    else
        request->carry_out(wire);
}
