/*
 * xensock ps: the domains of a running testbed, as the hypervisor counts them, and their devices,
 * as xenstore has them.
 */
#include "tools/look_common.h"

#include "ringlib/xenbus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: xensock ps --runtime DIR [--domain N] [OPTION]...\n"
    "\n"
    "Shows each domain of the testbed whose runtime directory is DIR, or domain N alone: whether\n"
    "it is connected, how often it was, and its grants, event channel ports and maps; then each\n"
    "device, with the xenbus states of both ends: of one domain, as that may read them.\n"
    "\n" LOOK_HELP "\n"
    "  xensock run --runtime /tmp/xs scenarios/quickstart.yaml &\n"
    "  xensock ps --runtime /tmp/xs\n";

enum { PATH_BYTES = 256 };

/* What a node says, or why it says nothing. */
struct value {
    char text[PATH_BYTES]; /* "" unless it could be read */
    const char *absent;    /* "missing", "not readable"; NULL: it could */
};

/* One device: by its frontend, whose nodes may lack. */
struct device {
    const char *type, *devid;
    uint32_t front;
    char back[PATH_BYTES]; /* where it was found at its backend, or "" */
};

static const char *state_name(const struct value *state)
{
    static const char *const names[] = {
        [XENBUS_UNKNOWN] = "Unknown",
        [XENBUS_INITIALISING] = "Initialising",
        [XENBUS_INITWAIT] = "InitWait",
        [XENBUS_INITIALISED] = "Initialised",
        [XENBUS_CONNECTED] = "Connected",
        [XENBUS_CLOSING] = "Closing",
        [XENBUS_CLOSED] = "Closed",
        [XENBUS_RECONFIGURING] = "Reconfiguring",
        [XENBUS_RECONFIGURED] = "Reconfigured",
    };
    int64_t number = xenbus_parse(state->text, XENBUS_RECONFIGURED);

    if (state->absent)
        return state->absent;
    return number < 0 ? "-" : names[number];
}

/* The value of DIRECTORY/NAME; false if it could not be asked for. It may be a guest's, so of any
 * bytes, which neither a terminal nor JSON must see. */
static bool read_below(struct look *look, const char *directory, const char *name,
                       struct value *value)
{
    char path[2 * PATH_BYTES];

    *value = (struct value){.absent = "missing"};
    if (directory[0] == '\0')
        return true;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (look_client_read(&look->client, path)) {
        value->absent = NULL;
        snprintf(value->text, PATH_BYTES, "%.*s", PATH_BYTES - 1, look->client.answer);
    } else if (look->client.fault != LOOK_CLIENT_REFUSED) {
        return false;
    } else if (strcmp(look->client.refusal, "ENOENT") != 0) {
        value->absent = "not readable";
    }
    for (char *at = value->text; *at; at++)
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    return true;
}

/* A number of the store: -1 if it is none. */
static json_int_t parse(const char *text)
{
    return xenbus_parse(text, UINT16_MAX);
}

/* The children of a directory, none if it is not there; NULL with another fault. */
static char *children(struct look *look, const char *path, uint32_t *bytes)
{
    char *names = look_client_list(&look->client, path, bytes);

    if (!names)
        *bytes = 0;
    return names || look->client.fault != LOOK_CLIENT_REFUSED ? names : calloc(1, 1);
}

static bool is_known(const json_t *devices, const struct device *device)
{
    const json_t *one;
    size_t i;

    json_array_foreach(devices, i, one)
    {
        if (look_number(one, "frontend_domid") == (json_int_t)device->front &&
            look_number(one, "devid") == parse(device->devid) &&
            strcmp(look_text(one, "type"), device->type) == 0)
            return true;
    }
    return false;
}

/* One of which nothing is there any more was not there: nothing is added. */
static bool add_device(struct look *look, const struct device *device, json_t *devices)
{
    char front[PATH_BYTES];
    struct value back, back_domid, states[2];

    if (is_known(devices, device))
        return true;
    snprintf(front, sizeof(front), "/local/domain/%" PRIu32 "/device/%.90s/%.90s", device->front,
             device->type, device->devid);
    if (!read_below(look, front, "backend", &back) ||
        !read_below(look, front, "backend-id", &back_domid) ||
        !read_below(look, front, "state", &states[0]))
        return false;
    const char *at = back.absent ? device->back : back.text;
    if (!read_below(look, at, "state", &states[1]))
        return false;
    if (back.absent && back_domid.absent && states[0].absent && states[1].absent) {
        uint32_t bytes;
        char *there = look_client_list(&look->client, at[0] ? at : front, &bytes);

        free(there);
        if (!there)
            return look->client.fault == LOOK_CLIENT_REFUSED;
    }
    json_array_append_new(
        devices, json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:s, s:s}", "type", device->type,
                           "devid", parse(device->devid), "frontend_domid",
                           (json_int_t)device->front, "frontend_state", state_name(&states[0]),
                           "frontend_path", front, "backend_domid", parse(back_domid.text),
                           "backend_state", state_name(&states[1]), "backend_path", at));
    return true;
}

typedef bool child(struct look *look, const char *path, struct device *device, const char *name,
                   json_t *devices);

/* `take` for each child of PATH; false where that was, or it cannot be listed. */
static bool each(struct look *look, const char *path, struct device *device, child *take,
                 json_t *devices)
{
    uint32_t bytes;
    bool good = true;
    char *names = children(look, path, &bytes);

    for (uint32_t at = 0; names && good && at < bytes; at += (uint32_t)strlen(names + at) + 1)
        good = take(look, path, device, names + at, devices);
    free(names);
    return names && good;
}

static bool front_device(struct look *look, const char *path, struct device *device,
                         const char *name, json_t *devices)
{
    (void)path;
    device->devid = name;
    return add_device(look, device, devices);
}

static bool front_type(struct look *look, const char *path, struct device *device, const char *name,
                       json_t *devices)
{
    char below[PATH_BYTES];

    snprintf(below, sizeof(below), "%.100s/%.100s", path, name);
    device->type = name;
    return each(look, below, device, front_device, devices);
}

static bool back_device(struct look *look, const char *path, struct device *device,
                        const char *name, json_t *devices)
{
    snprintf(device->back, sizeof(device->back), "%.160s/%.90s", path, name);
    device->devid = name;
    return add_device(look, device, devices);
}

static bool back_front(struct look *look, const char *path, struct device *device, const char *name,
                       json_t *devices)
{
    char below[PATH_BYTES];

    snprintf(below, sizeof(below), "%.150s/%.10s", path, name);
    device->front = (uint32_t)parse(name);
    return parse(name) < 0 || each(look, below, device, back_device, devices);
}

static bool back_type(struct look *look, const char *path, struct device *device, const char *name,
                      json_t *devices)
{
    char below[PATH_BYTES];

    snprintf(below, sizeof(below), "%.50s/%.90s", path, name);
    device->type = name;
    return each(look, below, device, back_front, devices);
}

/* A domain's devices as a backend, and as a frontend. */
static bool add_backs(struct look *look, uint32_t domid, json_t *devices)
{
    struct device device = {0};
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/backend", domid);
    return each(look, path, &device, back_type, devices);
}

static bool add_fronts(struct look *look, uint32_t domid, json_t *devices)
{
    struct device device = {.front = domid};
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/device", domid);
    return each(look, path, &device, front_type, devices);
}

static const char *domid_text(json_int_t domid)
{
    static char text[24];

    snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, domid);
    return domid < 0 ? "?" : text;
}

static void print_tables(const json_t *domains, const json_t *devices)
{
    const json_t *one;
    size_t i;

    puts("domain  state      lives  grants    of  quarantined  held  ports    of   maps  nodes  "
         "watches");
    json_array_foreach(domains, i, one)
        printf("%6" JSON_INTEGER_FORMAT "  %-9s  %5" JSON_INTEGER_FORMAT "  %6" JSON_INTEGER_FORMAT
               " %5" JSON_INTEGER_FORMAT "  %11" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT
               "  %5" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT "  %5" JSON_INTEGER_FORMAT
               "  %5" JSON_INTEGER_FORMAT "  %7" JSON_INTEGER_FORMAT "\n",
               look_number(one, "domid"), look_text(one, "state"), look_number(one, "lives"),
               look_number(one, "grants"), look_number(one, "grants_max"),
               look_number(one, "grants_quarantined"), look_number(one, "held_pages"),
               look_number(one, "ports"), look_number(one, "ports_max"), look_number(one, "maps"),
               look_number(one, "nodes"), look_number(one, "watches"));
    puts("\ndevice        id  frontend                backend");
    json_array_foreach(devices, i, one) printf(
        "%-12s %3" JSON_INTEGER_FORMAT "  domain %-5" JSON_INTEGER_FORMAT " %-13s domain %-5s %s\n",
        look_text(one, "type"), look_number(one, "devid"), look_number(one, "frontend_domid"),
        look_text(one, "frontend_state"), domid_text(look_number(one, "backend_domid")),
        look_text(one, "backend_state"));
}

static bool backs_of(struct look *look, const char *path, struct device *device, const char *name,
                     json_t *devices)
{
    (void)path;
    (void)device;
    return parse(name) < 0 || add_backs(look, (uint32_t)parse(name), devices);
}

static bool fronts_of(struct look *look, const char *path, struct device *device, const char *name,
                      json_t *devices)
{
    (void)path;
    (void)device;
    return parse(name) < 0 || add_fronts(look, (uint32_t)parse(name), devices);
}

/* The devices of all domains, or, of one that was asked for, those at either end of it. The
 * backends' first: their directory names both ends, where a frontend's may lack the other. */
static json_t *find_devices(struct look *look)
{
    json_t *devices = json_array();
    uint32_t domid = (uint32_t)look->domain;
    bool good = look->domain >= 0
                    ? add_backs(look, domid, devices) && add_fronts(look, domid, devices)
                    : each(look, "/local/domain", NULL, backs_of, devices) &&
                          each(look, "/local/domain", NULL, fronts_of, devices);

    if (good)
        return devices;
    json_decref(devices);
    return NULL;
}

/* From now on the look is that of the domain that was asked for, with its rights. */
static bool become(struct look *look)
{
    if (look->domain < 0)
        return true;
    look_client_close(&look->client);
    return look_client_open(&look->client, look->runtime, look->domain, look->timeout_ms);
}

static int run(struct look *look)
{
    if (!look_client_open(&look->client, look->runtime, -1, look->timeout_ms))
        return look_failed(look, NULL);
    json_t *object = look_object(look);
    json_t *domains = look_domains(look);
    json_t *devices = domains && become(look) ? find_devices(look) : NULL;
    int code = devices ? CMD_OK : look_failed(look, NULL);
    if (devices && look->json) {
        json_object_set(object, "domains", domains);
        json_object_set(object, "devices", devices);
        look_print(object);
    } else if (devices) {
        print_tables(domains, devices);
    }
    json_decref(devices);
    json_decref(domains);
    json_decref(object);
    look_client_close(&look->client);
    return code;
}

int cmd_ps(int argc, char **argv)
{
    struct look look;
    int code;

    look_init(&look, "ps");
    return look_arguments(&look, argc, argv, help, &code) ? run(&look) : code;
}
