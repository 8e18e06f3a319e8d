/*
 * xensock hypervisor: the hypervisor of an emulated run as a process of its own, for runs whose
 * parts are started by hand.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/cmd.h"
#include "tools/process.h"

#include "ringlib/dialect.h"
#include "sim/run/hypervisor_uv.h"
#include "sim/run/scenario.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: xensock hypervisor --runtime DIR [OPTION]...\n"
    "\n"
    "Serves grants, event channels and the store to domains that connect in DIR, which is\n"
    "created with mode 0700 if it does not exist, and creates devices, each between a guest and\n"
    "a backend. Runs until SIGINT.\n"
    "\n"
    "  --guest DOMID         a guest with a device at the backend (default 1); may be given often\n"
    "  --backend DOMID       that backend (default 0)\n"
    "  --device GUEST:BACK[:DIALECT]\n"
    "                        a device between any two domains; may be given often, and then there\n"
    "                        are only those guests that are named\n"
    "  --dialect NAME        what they speak who say nothing else (default xensock1)\n"
    "\n"
    "  xensock hypervisor --runtime /tmp/xs\n"
    "  xensock backend    --runtime /tmp/xs\n"
    "  xensock frontend   --runtime /tmp/xs scenarios/quickstart.yaml\n";

/* As many as a scenario may have. */
enum { DEVICES_MAX = SCENARIO_PROCESSES_MAX, DOMAINS_MAX = 2 * DEVICES_MAX };

struct machine {
    const char *runtime;
    struct hypervisor_uv_device devices[DEVICES_MAX];
    uint16_t domains[DOMAINS_MAX];
    uint32_t device_count, domain_count;
};

struct serving {
    struct process process;
    struct hypervisor_uv *host;
};

static void asked(void *self, const char *what)
{
    struct serving *serving = self;

    (void)what;
    if (serving->host)
        hypervisor_uv_stop(serving->host);
    serving->host = NULL;
    process_stop(&serving->process);
}

static void report(void *self, uint16_t domid, const char *reason)
{
    (void)self;
    fprintf(stderr, "xensock hypervisor: domain %u was dropped: %s\n", domid, reason);
}

static void add_domain(struct machine *machine, uint16_t domid)
{
    for (uint32_t i = 0; i < machine->domain_count; i++)
        if (machine->domains[i] == domid)
            return;
    machine->domains[machine->domain_count++] = domid;
}

/* False after saying what is wrong. */
static bool add_device(struct machine *machine, const struct hypervisor_uv_device *device)
{
    uint16_t guest = device->front, backend = device->back;

    if (machine->device_count == DEVICES_MAX)
        fprintf(stderr, "xensock: error: more than %d devices\n", DEVICES_MAX);
    else if (guest == backend)
        fprintf(stderr, "xensock: error: domain %u cannot be its own backend\n", guest);
    if (machine->device_count == DEVICES_MAX || guest == backend)
        return false;
    machine->devices[machine->device_count++] = *device;
    add_domain(machine, backend);
    add_domain(machine, guest);
    return true;
}

/* "GUEST:BACK[:DIALECT]"; false after saying what is wrong. */
static bool take_device(struct machine *machine, char *text)
{
    char *colon = strchr(text, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;
    struct hypervisor_uv_device device = {.type = NULL};
    const struct dialect *dialect;

    if (!colon) {
        fprintf(stderr, "xensock: error: --device takes GUEST:BACK[:DIALECT], not '%s'\n", text);
        return false;
    }
    *colon = '\0';
    if (second) {
        *second = '\0';
        if (!cmd_dialect("--device", second + 1, &dialect))
            return false;
        device.type = dialect->device;
    }
    return cmd_domid("--device", text, &device.front) &&
           cmd_domid("--device", colon + 1, &device.back) && add_device(machine, &device);
}

static void say_serving(const struct machine *machine)
{
    printf("serving domains");
    for (uint32_t i = 0; i < machine->domain_count; i++)
        printf("%s %u",
               i == 0                          ? ""
               : i + 1 < machine->domain_count ? ","
                                               : " and",
               machine->domains[i]);
    printf(" in %s\n", machine->runtime);
}

static int run(const struct machine *machine, int control_fd)
{
    uv_loop_t *loop = uv_default_loop();
    struct serving serving = {.process = {.name = "hypervisor", .loop = loop, .asked = asked}};
    const struct hypervisor_uv_config config = {.runtime = machine->runtime,
                                                .domains = machine->domains,
                                                .domain_count = machine->domain_count,
                                                .devices = machine->devices,
                                                .device_count = machine->device_count,
                                                .report = report};
    char error[512];

    serving.process.self = &serving;
    process_start(&serving.process, control_fd);
    process_signals(&serving.process);
    serving.host = hypervisor_uv_start(loop, &config, error, sizeof(error));
    int code = serving.host ? CMD_OK : CMD_USAGE;
    if (!serving.host)
        process_error(&serving.process, "E0601", "%s", error);
    else if (serving.process.control)
        process_say_event(&serving.process, "ready");
    else
        say_serving(machine);
    fflush(stdout);
    if (!serving.host)
        process_stop(&serving.process);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    return code;
}

/* tidy: a line or two an option */
int cmd_hypervisor(int argc, char **argv)
{
    static const struct option options[] = {
        {"runtime", required_argument, NULL, 'r'}, {"guest", required_argument, NULL, 'g'},
        {"backend", required_argument, NULL, 'b'}, {"device", required_argument, NULL, 'd'},
        {"dialect", required_argument, NULL, 'l'}, {"control", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    static struct machine machine;
    uint16_t guests[DEVICES_MAX] = {1}, guest, backend = 0;
    uint32_t guest_count = 0;
    const struct dialect *dialect = &dialect_xensock1;
    uint64_t control_fd;
    int option, control = -1;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'k' && cmd_number("--control", optarg, 1u << 20, &control_fd))
            control = (int)control_fd;
        else if (option == 'r')
            machine.runtime = optarg;
        else if (option == 'g' && guest_count < DEVICES_MAX && cmd_domid("--guest", optarg, &guest))
            guests[guest_count++] = guest;
        else if (option == 'b' && cmd_domid("--backend", optarg, &backend))
            continue;
        else if (option == 'd' && take_device(&machine, optarg))
            continue;
        else if (option == 'l' && cmd_dialect("--dialect", optarg, &dialect))
            continue;
        else if (option == 'h')
            return cmd_help(help);
        else
            return CMD_USAGE;
    }
    if (!machine.runtime || optind != argc)
        return cmd_usage(help);
    if (guest_count == 0 && machine.device_count == 0)
        guest_count = 1; /* the one of most scenarios */
    for (uint32_t i = 0; i < guest_count; i++)
        if (!add_device(&machine,
                        &(struct hypervisor_uv_device){.front = guests[i], .back = backend}))
            return CMD_USAGE;
    for (uint32_t i = 0; i < machine.device_count; i++)
        if (!machine.devices[i].type)
            machine.devices[i].type = dialect->device;
    return run(&machine, control);
}
