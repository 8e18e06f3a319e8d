/*
 * What a result says of the host, and what a process used, from Linux's /proc and getrusage. See
 * record.h. On a host without /proc its parts of the fingerprint are missing, not wrong.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sim/run/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 256

/* What follows `label`, blanks and colon on the first line of `path` that starts with it, without
 * the newline; an empty label is the first line. False if there is none. */
static bool read_line(const char *path, const char *label, char text[LINE_BYTES])
{
    FILE *file = fopen(path, "re");
    char line[LINE_BYTES];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL)
        found = strncmp(line, label, strlen(label)) == 0;
    fclose(file);
    if (!found)
        return false;
    line[strcspn(line, "\n")] = '\0';
    snprintf(text, LINE_BYTES, "%s", line + strlen(label) + strspn(line + strlen(label), " \t:"));
    return true;
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

/* ru_maxrss would be that of the process that spawned us, if it was larger: it outlives exec. */
static uint64_t memory_peak_bytes(const struct rusage *rusage)
{
    char text[LINE_BYTES];

    if (read_line("/proc/self/status", "VmHWM:", text))
        return strtoull(text, NULL, 10) * 1024;
    return (uint64_t)rusage->ru_maxrss * 1024;
}

void record_usage_now(struct record_usage *usage)
{
    struct rusage rusage = {0};
    struct timespec now = {0};

    getrusage(RUSAGE_SELF, &rusage);
    clock_gettime(CLOCK_MONOTONIC, &now);
    *usage = (struct record_usage){
        .wall_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
        .cpu_user_ns = timeval_ns(rusage.ru_utime),
        .cpu_system_ns = timeval_ns(rusage.ru_stime),
        .switches_voluntary = (uint64_t)rusage.ru_nvcsw,
        .switches_involuntary = (uint64_t)rusage.ru_nivcsw,
        .faults_minor = (uint64_t)rusage.ru_minflt,
        .memory_peak_bytes = memory_peak_bytes(&rusage),
    };
}

static bool set_text(json_t *host, const char *key, const char *text)
{
    return json_object_set_new(host, key, json_string(text)) == 0;
}

static bool set_integer(json_t *host, const char *key, long value)
{
    return json_object_set_new(host, key, json_integer(value)) == 0;
}

static bool set_line(json_t *host, const char *key, const char *path, const char *label)
{
    char text[LINE_BYTES];

    return !read_line(path, label, text) || set_text(host, key, text);
}

/* The kernel writes "0.52 ..." with two decimals always. */
static bool set_load(json_t *host)
{
    char text[LINE_BYTES], *point, *end;

    if (!read_line("/proc/loadavg", "", text))
        return true;
    long whole = strtol(text, &point, 10);
    if (point == text || *point != '.')
        return true;
    long hundredths = strtol(point + 1, &end, 10);
    if (end != point + 3 || whole < 0 || whole > 999999)
        return true;
    return set_integer(host, "load_1m_milli", whole * 1000 + hundredths * 10);
}

static bool set_kernel(json_t *host)
{
    struct utsname name;
    char text[sizeof(name.sysname) + sizeof(name.release) + 1];

    if (uname(&name) != 0)
        return true;
    snprintf(text, sizeof(text), "%s %s", name.sysname, name.release);
    return set_text(host, "kernel", text) && set_text(host, "machine", name.machine);
}

json_t *record_host(void)
{
    json_t *host = json_object();

    if (set_line(host, "cpu", "/proc/cpuinfo", "model name") &&
        set_integer(host, "cores", sysconf(_SC_NPROCESSORS_ONLN)) && set_kernel(host) &&
        set_integer(host, "page_bytes", sysconf(_SC_PAGESIZE)) &&
        set_line(host, "tcp_congestion_control", "/proc/sys/net/ipv4/tcp_congestion_control", "") &&
        set_load(host))
        return host;
    json_decref(host);
    return NULL;
}
