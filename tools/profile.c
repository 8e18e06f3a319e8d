/* Which profile is taken, and when. See profile.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/profile_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#ifdef XENSOCK_GPERFTOOLS
#include <gperftools/profiler.h>
#endif

#define PRELOAD "LD_PRELOAD"
#define TCMALLOC "libtcmalloc.so.4" /* the name of gperftools' own interface, 2.x */

static struct {
    enum profile_kind kind;
    const char *path;
    bool at_exit; /* profile_finish is registered */
} own;

/* tcmalloc's, if it is in this process: it is never linked. */
static struct {
    void (*start)(const char *prefix);
    void (*stop)(void);
    char *(*get)(void);
} heap;

static const char *const names[PROFILE_KINDS] = {"none", "cpu", "heap", "perf"};
static const char *const suffixes[PROFILE_KINDS] = {"", "prof", "heap", "data"};

const char *profile_name(enum profile_kind kind)
{
    return names[kind];
}

const char *profile_suffix(enum profile_kind kind)
{
    return suffixes[kind];
}

static bool find_tcmalloc(void)
{
    uv_lib_t all;

    if (uv_dlopen(NULL, &all) == 0 &&
        uv_dlsym(&all, "HeapProfilerStart", (void **)&heap.start) == 0 &&
        uv_dlsym(&all, "HeapProfilerStop", (void **)&heap.stop) == 0 &&
        uv_dlsym(&all, "GetHeapProfile", (void **)&heap.get) == 0)
        return true;
    heap.start = NULL;
    return false;
}

static bool cpu_possible(struct profile_why *why)
{
#ifdef XENSOCK_GPERFTOOLS
    (void)why;
    return true;
#else
    *why = (struct profile_why){
        "E0711", "this build has no profiler (gperftools; Debian: libgoogle-perftools-dev)"};
    return false;
#endif
}

static bool sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

static bool heap_possible(struct profile_why *why)
{
    why->code = "E0711";
    if (sanitized())
        snprintf(why->text, sizeof(why->text),
                 "a heap profile needs tcmalloc, and this build has a sanitizer's malloc");
    else if (!find_tcmalloc())
        snprintf(why->text, sizeof(why->text),
                 "a heap profile needs %s, which cannot be preloaded (Debian: "
                 "libgoogle-perftools4)",
                 TCMALLOC);
    else
        return true;
    return false;
}

bool profile_possible(enum profile_kind kind, struct profile_why *why)
{
    switch (kind) {
    case PROFILE_CPU: return cpu_possible(why);
    case PROFILE_HEAP: return heap_possible(why);
    case PROFILE_PERF: return profile_perf_possible(why);
    case PROFILE_NONE:
    case PROFILE_KINDS: break;
    }
    return true;
}

bool profile_configure(enum profile_kind kind, const char *path, struct profile_why *why)
{
    if (!profile_possible(kind, why))
        return false;
    if (kind == PROFILE_PERF && !profile_perf_open(path, why))
        return false;
    if (kind == PROFILE_HEAP)
        heap.start(path); /* dumps of its own are off, see profile_preload */
    own.kind = kind;
    own.path = path;
    if (!own.at_exit)
        own.at_exit = atexit(profile_finish) == 0;
    return true;
}

static void cannot_write(void)
{
    fprintf(stderr, "xensock: no profile: %s cannot be written\n", own.path);
}

void profile_start(void)
{
#ifdef XENSOCK_GPERFTOOLS
    if (own.kind == PROFILE_CPU && !ProfilerStart(own.path))
        cannot_write();
#endif
    if (own.kind == PROFILE_PERF)
        profile_perf_count(true);
}

static void write_heap(void)
{
    char *text = heap.get();
    FILE *out = fopen(own.path, "w");
    bool whole = out && text && fputs(text, out) >= 0;

    if (!out || fclose(out) != 0 || !whole)
        cannot_write();
    free(text);
}

void profile_stop(void)
{
#ifdef XENSOCK_GPERFTOOLS
    if (own.kind == PROFILE_CPU)
        ProfilerStop();
#endif
    if (own.kind == PROFILE_HEAP)
        write_heap();
    else if (own.kind == PROFILE_PERF)
        profile_perf_count(false);
}

void profile_finish(void)
{
    if (own.kind == PROFILE_HEAP)
        heap.stop(); /* else it would write one more at the exit, elsewhere */
    else if (own.kind == PROFILE_PERF)
        profile_perf_close();
    own.kind = PROFILE_NONE;
}

/* The arguments as they were: getopt has moved its pointers, not the texts. For the process's life.
 */
static char **original_arguments(void)
{
    FILE *in = fopen("/proc/self/cmdline", "r");
    char **list = NULL, *text = NULL;
    size_t count = 0, room = 0;

    while (in && getdelim(&text, &room, '\0', in) > 0) {
        char **longer = realloc(list, (count + 2) * sizeof(*list));
        if (!longer)
            break;
        list = longer;
        list[count++] = strdup(text);
        list[count] = NULL;
    }
    free(text);
    if (in)
        fclose(in);
    return list;
}

void profile_preload(void)
{
    const char *before = getenv(PRELOAD);
    char **arguments, value[4096], program[4096];
    size_t bytes = sizeof(program);

    if (sanitized() || find_tcmalloc() || (before && strstr(before, TCMALLOC)))
        return;
    snprintf(value, sizeof(value), "%s%s%s", TCMALLOC, before ? ":" : "", before ? before : "");
    setenv(PRELOAD, value, 1);
    setenv("HEAP_PROFILE_ALLOCATION_INTERVAL", "0", 1);
    setenv("HEAP_PROFILE_INUSE_INTERVAL", "0", 1);
    arguments = original_arguments();
    if (arguments && uv_exepath(program, &bytes) == 0)
        execv(program, arguments);
}

void profile_preload_end(void)
{
    const char *now = getenv(PRELOAD);
    char rest[4096];

    if (!now || strncmp(now, TCMALLOC, strlen(TCMALLOC)) != 0)
        return;
    now += strlen(TCMALLOC);
    snprintf(rest, sizeof(rest), "%s", *now == ':' ? now + 1 : now);
    if (rest[0])
        setenv(PRELOAD, rest, 1);
    else
        unsetenv(PRELOAD);
}

bool profile_take(const char *text)
{
    enum profile_kind kind = PROFILE_CPU;
    const char *colon = strchr(text, ':'), *path = text;
    struct profile_why why;

    for (int i = PROFILE_CPU; colon && i < PROFILE_KINDS; i++) {
        const char *name = profile_name((enum profile_kind)i);
        if (strlen(name) == (size_t)(colon - text) && strncmp(text, name, strlen(name)) == 0) {
            kind = (enum profile_kind)i;
            path = colon + 1;
        }
    }
    if (kind == PROFILE_HEAP)
        profile_preload();
    if (profile_configure(kind, path, &why))
        return true;
    fprintf(stderr, "xensock: error[%s]: no %s profile: %s\n", why.code, profile_name(kind),
            why.text);
    return false;
}
