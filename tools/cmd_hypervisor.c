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

#include <getopt.h>
#include <stdlib.h>

static const char help[] =
    "usage: xensock hypervisor --runtime DIR [--guest DOMID] [--backend DOMID]\n"
    "\n"
    "Serves grants, event channels and the store to domains that connect in DIR, which is\n"
    "created with mode 0700 if it does not exist, and creates one xensock device between the\n"
    "guest (default 1) and the backend (default 0). Runs until SIGINT.\n"
    "\n"
    "  xensock hypervisor --runtime /tmp/xs\n"
    "  xensock backend    --runtime /tmp/xs\n"
    "  xensock frontend   --runtime /tmp/xs scenarios/quickstart.yaml\n";

static void asked(void *self, const char *what)
{
    struct hypervisor_uv **host = self;

    (void)what;
    if (*host)
        hypervisor_uv_stop(*host);
    *host = NULL;
}

static void report(void *self, uint16_t domid, const char *reason)
{
    (void)self;
    fprintf(stderr, "xensock hypervisor: domain %u was dropped: %s\n", domid, reason);
}

static int run(const char *runtime, uint16_t guest, uint16_t backend)
{
    uv_loop_t *loop = uv_default_loop();
    struct hypervisor_uv *host = NULL;
    struct process process = {.name = "hypervisor", .loop = loop, .self = &host, .asked = asked};
    const uint16_t domains[2] = {backend, guest};
    const struct hypervisor_uv_device device = {dialect_xensock1.device, guest, backend, 0};
    char error[512];

    process_start(&process, -1);
    process_signals(&process);
    host = hypervisor_uv_start(loop,
                               &(struct hypervisor_uv_config){.runtime = runtime,
                                                              .domains = domains,
                                                              .domain_count = 2,
                                                              .devices = &device,
                                                              .device_count = 1,
                                                              .report = report},
                               error, sizeof(error));
    int code = host ? CMD_OK : CMD_USAGE;
    if (host)
        printf("serving domains %u and %u in %s\n", backend, guest, runtime);
    else
        fprintf(stderr, "xensock hypervisor: error[E0601]: %s\n", error);
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    process_stop(&process);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    return code;
}

int cmd_hypervisor(int argc, char **argv)
{
    static const struct option options[] = {{"runtime", required_argument, NULL, 'r'},
                                            {"guest", required_argument, NULL, 'g'},
                                            {"backend", required_argument, NULL, 'b'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *runtime = NULL;
    uint16_t guest = 1, backend = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'r')
            runtime = optarg;
        else if (option == 'g' && cmd_domid("--guest", optarg, &guest))
            continue;
        else if (option == 'b' && cmd_domid("--backend", optarg, &backend))
            continue;
        else if (option == 'h')
            return cmd_help(help);
        else
            return CMD_USAGE;
    }
    if (!runtime || optind != argc || guest == backend)
        return cmd_usage(help);
    return run(runtime, guest, backend);
}
