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
    "device, with the xenbus states of both ends.\n"
    "\n" LOOK_HELP "\n"
    "  xensock run --runtime /tmp/xs scenarios/quickstart.yaml &\n"
    "  xensock ps --runtime /tmp/xs\n";

enum { PATH_BYTES = 256 };

static const char *state_name(const char *state)
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
    int64_t number = xenbus_parse(state, XENBUS_RECONFIGURED);

    return number < 0 ? "-" : names[number];
}

/* The value of DIRECTORY/NAME, or "" where there is none to be read; false with another fault. It
 * may be a guest's, so of any bytes, which neither a terminal nor JSON must see. */
static bool read_below(struct look *look, const char *directory, const char *name,
                       char value[static PATH_BYTES])
{
    char path[2 * PATH_BYTES];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    bool got = look_client_read(&look->client, path);
    snprintf(value, PATH_BYTES, "%.*s", PATH_BYTES - 1, got ? look->client.answer : "");
    for (char *at = value; *at; at++)
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    return got || look->client.fault == LOOK_CLIENT_REFUSED;
}

/* A number of the store: -1 if it is none. */
static json_int_t parse(const char *text)
{
    return xenbus_parse(text, UINT16_MAX);
}

/* One that is gone before all of it is read was not there: nothing is added. */
static bool add_device(struct look *look, uint32_t domid, const char *type, const char *devid,
                       json_t *devices)
{
    char front[PATH_BYTES], back[PATH_BYTES], back_domid[PATH_BYTES], states[2][PATH_BYTES];

    snprintf(front, sizeof(front), "/local/domain/%" PRIu32 "/device/%.90s/%.90s", domid, type,
             devid);
    if (!read_below(look, front, "backend", back) ||
        !read_below(look, front, "backend-id", back_domid) ||
        !read_below(look, front, "state", states[0]) || !read_below(look, back, "state", states[1]))
        return false;
    if (back[0] != '\0')
        json_array_append_new(devices,
                              json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:s, s:s}", "type", type,
                                        "devid", parse(devid), "frontend_domid", (json_int_t)domid,
                                        "frontend_state", state_name(states[0]), "frontend_path",
                                        front, "backend_domid", parse(back_domid), "backend_state",
                                        state_name(states[1]), "backend_path", back));
    return true;
}

/* The children of a directory, none if it is not there; NULL with another fault. */
static char *children(struct look *look, const char *path, uint32_t *bytes)
{
    char *names = look_client_list(&look->client, path, bytes);

    return names || look->client.fault != LOOK_CLIENT_REFUSED ? names : calloc(1, 1);
}

static bool add_devices_of_type(struct look *look, uint32_t domid, const char *type,
                                json_t *devices)
{
    char path[PATH_BYTES];
    uint32_t bytes;
    bool good = true;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/device/%.100s", domid, type);
    char *names = children(look, path, &bytes);
    for (uint32_t at = 0; names && good && at < bytes; at += (uint32_t)strlen(names + at) + 1)
        good = add_device(look, domid, type, names + at, devices);
    free(names);
    return names && good;
}

static bool add_devices(struct look *look, uint32_t domid, json_t *devices)
{
    char path[PATH_BYTES];
    uint32_t bytes;
    bool good = true;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/device", domid);
    char *types = children(look, path, &bytes);
    for (uint32_t at = 0; types && good && at < bytes; at += (uint32_t)strlen(types + at) + 1)
        good = add_devices_of_type(look, domid, types + at, devices);
    free(types);
    return types && good;
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
    json_array_foreach(devices, i, one)
        printf("%-12s %3" JSON_INTEGER_FORMAT "  domain %-5" JSON_INTEGER_FORMAT
               " %-13s domain %-5" JSON_INTEGER_FORMAT " %s\n",
               look_text(one, "type"), look_number(one, "devid"),
               look_number(one, "frontend_domid"), look_text(one, "frontend_state"),
               look_number(one, "backend_domid"), look_text(one, "backend_state"));
}

/* The devices of the domains as frontends, and, of one domain that was asked for, as the backend.
 */
static json_t *find_devices(struct look *look)
{
    json_t *devices = json_array();
    uint32_t bytes;
    bool good = true;
    char *domids = children(look, "/local/domain", &bytes);

    for (uint32_t at = 0; domids && good && at < bytes; at += (uint32_t)strlen(domids + at) + 1)
        good = parse(domids + at) < 0 || add_devices(look, (uint32_t)parse(domids + at), devices);
    for (size_t i = 0; look->domain >= 0 && i < json_array_size(devices);) {
        const json_t *device = json_array_get(devices, i);
        if (look_number(device, "frontend_domid") == look->domain ||
            look_number(device, "backend_domid") == look->domain)
            i++;
        else
            json_array_remove(devices, i);
    }
    if (!domids || !good) {
        json_decref(devices);
        devices = NULL;
    }
    free(domids);
    return devices;
}

static int run(struct look *look)
{
    if (!look_client_open(&look->client, look->runtime, -1, look->timeout_ms))
        return look_failed(look, NULL);
    json_t *object = look_object(look);
    json_t *domains = look_domains(look);
    json_t *devices = domains ? find_devices(look) : NULL;
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
