/* See perf_event.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/perf_event.h"

#include <errno.h>
#include <stddef.h>

#ifdef __linux__

#include <linux/perf_event.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool opens(unsigned type, unsigned config)
{
    struct perf_event_attr attr = {.type = type,
                                   .config = config,
                                   .size = sizeof(attr),
                                   .disabled = 1,
                                   .exclude_kernel = 1, /* what an ordinary user may */
                                   .exclude_hv = 1};
    long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0ul);

    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

const char *perf_event_name(void)
{
    return opens(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES)  ? "cycles"
           : opens(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK) ? "cpu-clock"
                                                                : NULL;
}

#else

const char *perf_event_name(void)
{
    errno = ENOSYS;
    return NULL;
}

#endif
