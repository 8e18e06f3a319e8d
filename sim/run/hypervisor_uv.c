/* The emulated hypervisor on a libuv loop. See hypervisor_uv.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/hypervisor_uv.h"

#include "ringlib/err.h"
#include "sim/run/watch_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct hypervisor_uv {
    struct watch_uv watch;
    struct emu_server *server;
};

static void ready(void *self, int fd)
{
    const struct hypervisor_uv *host = self;

    emu_server_ready(host->server, fd);
}

static bool add_all(struct hypervisor_uv *host, const struct hypervisor_uv_config *config,
                    char *error, size_t error_bytes)
{
    for (uint32_t i = 0; i < config->domain_count; i++) {
        if (emu_server_domain(host->server, config->domains[i], error, error_bytes) < 0)
            return false;
        if (config->limits)
            emu_server_limit(host->server, config->domains[i], &config->limits[i]);
    }
    for (uint32_t i = 0; i < config->device_count; i++) {
        const struct hypervisor_uv_device *device = &config->devices[i];
        int ret = emu_server_device(host->server, device->type, device->front, device->back,
                                    device->devid);

        if (ret < 0) {
            snprintf(error, error_bytes, "device %s %u of domain %u: %s", device->type,
                     device->devid, device->front, err_name(ret));
            return false;
        }
    }
    return true;
}

struct hypervisor_uv *hypervisor_uv_start(struct uv_loop_s *loop,
                                          const struct hypervisor_uv_config *config, char *error,
                                          size_t error_bytes)
{
    struct hypervisor_uv *host = calloc(1, sizeof(*host));
    struct emu_server_config server = {
        .runtime = config->runtime, .self = config->self, .report = config->report};

    if (!host) {
        snprintf(error, error_bytes, "out of memory");
        return NULL;
    }
    watch_uv_init(&host->watch, loop, ready, host);
    server.loop = &host->watch.loop;
    host->server = emu_server_create(&server, error, error_bytes);
    if (!host->server) {
        watch_uv_fini(&host->watch);
        free(host);
        return NULL;
    }
    if (add_all(host, config, error, error_bytes))
        return host;
    hypervisor_uv_stop(host);
    return NULL;
}

void hypervisor_uv_stop(struct hypervisor_uv *host)
{
    emu_server_destroy(host->server);
    watch_uv_fini(&host->watch);
    free(host);
}
