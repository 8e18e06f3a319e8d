/* CPU profiles by gperftools, where the build has it. See profile.h. */
#include "tools/profile.h"

#include <stddef.h>

#ifdef XENSOCK_GPERFTOOLS

#include <gperftools/profiler.h>
#include <stdio.h>

static const char *file;

int profile_configure(const char *path)
{
    file = path;
    return 0;
}

void profile_start(void)
{
    if (file && !ProfilerStart(file))
        fprintf(stderr, "xensock: no profile: %s cannot be written\n", file);
}

void profile_stop(void)
{
    if (file)
        ProfilerStop();
}

#else

int profile_configure(const char *path)
{
    return path ? -1 : 0;
}

void profile_start(void)
{
}

void profile_stop(void)
{
}

#endif
