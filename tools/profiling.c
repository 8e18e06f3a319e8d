/* See profiling.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/profiling.h"

#include "sim/run/flame.h"
#include "tools/search_path.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { PATH_BYTES = 1024, HEAD_LINES = 9 };

static const char begin[] = "profile.";

bool profiling_want(struct profiling *profiling, const char *word)
{
    struct profile_why why;
    enum profile_kind kind = PROFILE_CPU;

    while (kind < PROFILE_KINDS && strcmp(word, profile_name(kind)) != 0)
        kind++;
    if (profiling->kind != PROFILE_NONE) {
        fprintf(stderr, "xensock run: error: one profile at a time, --profile or --perf\n");
        return false;
    }
    if (kind == PROFILE_KINDS) {
        fprintf(stderr, "xensock run: error: --profile takes cpu or heap, not '%s'\n", word);
        return false;
    }
    if (kind == PROFILE_HEAP)
        profile_preload();
    if (!profile_possible(kind, &why)) {
        fprintf(stderr, "xensock run: error[%s]: no %s profile: %s\n", why.code, word, why.text);
        return false;
    }
    profiling->kind = kind;
    return true;
}

/* "profile.PART.SUFFIX" of a name: the part's length, 0 if it is no such name. */
static int part_of(const char *name, const char *suffix)
{
    size_t bytes = strlen(name), head = strlen(begin), tail = strlen(suffix);

    if (bytes < head + tail + 2 || strncmp(name, begin, head) != 0 ||
        strcmp(name + bytes - tail, suffix) != 0 || name[bytes - tail - 1] != '.')
        return 0;
    return (int)(bytes - tail - 1);
}

static void clear(const char *directory)
{
    static const char *const suffixes[] = {"prof", "heap", "data", "txt", "svg", "old"};
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
            if (part_of(entry->d_name, suffixes[i]) > 0)
                unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

void profiling_begin(struct profiling *profiling, const char *out, bool own)
{
    struct profile_why why;

    if (profiling->kind == PROFILE_NONE)
        return;
    clear(out);
    snprintf(profiling->prefix, sizeof(profiling->prefix), "%s/%s", out, begin);
    if (!own)
        return;
    snprintf(profiling->own, sizeof(profiling->own), "%svirtual.%s", profiling->prefix,
             profile_suffix(profiling->kind));
    if (!profile_configure(profiling->kind, profiling->own, &why))
        fprintf(stderr, "xensock run: note[%s]: no profile: %s\n", why.code, why.text);
}

/* What turns profiles into stacks: a program, and what is said where it is not installed. */
struct reader {
    const char *program, *package;
    uint64_t (*read)(struct flame *flame, FILE *in);
};

static const struct reader pprof = {"google-pprof", "google-perftools", flame_read_collapsed};
static const struct reader perf = {"perf", "linux-perf", flame_read_perf};

/* What is made of one profile: which of its amounts, and the files' names behind the profile's. */
struct view {
    const struct reader *reader;
    const char *option; /* of google-pprof */
    const char *infix, *unit, *title;
};

static const struct view views[][2] = {
    [PROFILE_CPU] = {{&pprof, "--functions", "", "samples", "CPU time"}},
    [PROFILE_HEAP] = {{&pprof, "--inuse_space", "", "bytes", "memory in use"},
                      {&pprof, "--alloc_space", "allocated.", "bytes", "memory allocated"}},
    [PROFILE_PERF] = {{&perf, NULL, "", "samples", "perf"}},
};

static void on_exit_status(uv_process_t *process, int64_t status, int number)
{
    *(bool *)process->data = status == 0 && number == 0;
    uv_close((uv_handle_t *)process, NULL);
}

/* What the reader prints about a profile, as a file to be read from its beginning; NULL, and told,
 * if it cannot. */
static FILE *stacks_of(const struct view *view, const char *profile)
{
    char program[PATH_BYTES];
    size_t bytes = sizeof(program);
    FILE *to = tmpfile();
    uv_loop_t loop;
    bool worked = false;
    uv_process_t process = {.data = &worked};
    /* without what the taking of a heap profile takes itself */
    const char *with_pprof[] = {pprof.program, "--collapsed", "--ignore=^GetHeapProfile$",
                                view->option,  program,       profile,
                                NULL};
    const char *with_perf[] = {perf.program, "script", "--no-inline", "-F",
                               "ip,sym",     "-i",     profile,       NULL};

    if (!to || uv_exepath(program, &bytes) < 0 || uv_loop_init(&loop) < 0)
        return NULL; /* the process ends soon */
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data.fd = fileno(to)},
                                     {.flags = UV_IGNORE}};
    char **args = (char **)(uintptr_t)(view->reader == &perf ? with_perf : with_pprof);
    uv_process_options_t options = {
        .exit_cb = on_exit_status, .file = args[0], .args = args, .stdio = stdio, .stdio_count = 3};
    if (uv_spawn(&loop, &process, &options) < 0)
        uv_close((uv_handle_t *)&process, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    rewind(to);
    if (worked)
        return to;
    fclose(to);
    fprintf(stderr, "xensock run: note[E0714]: %s cannot read %s\n", view->reader->program,
            profile);
    return NULL;
}

static void print_head(const char *name, const char *path)
{
    char line[256];
    FILE *in = fopen(path, "r");

    printf("%s\n", name);
    for (int i = 0; in && i < HEAD_LINES && fgets(line, sizeof(line), in); i++)
        fputs(line, stdout);
    if (in)
        fclose(in);
}

/* Whether the file is whole. */
static bool write_file(const char *path, const struct flame *flame, const struct view *view,
                       const char *title)
{
    FILE *out = fopen(path, "w");

    if (out && title)
        flame_print_svg(flame, out, title, view->unit);
    else if (out)
        flame_print_table(flame, out, view->unit);
    bool whole = out && !ferror(out);
    if (out && fclose(out) == 0 && whole)
        return true;
    fprintf(stderr, "xensock run: note[E0714]: cannot write %s: %s\n", path, strerror(errno));
    return false;
}

/* Of the profile DIRECTORY/STEM.SUFFIX one view. */
static void summarise(const struct view *view, const char *directory, const char *stem,
                      const char *suffix, bool print)
{
    char profile[PATH_BYTES], text[PATH_BYTES], picture[PATH_BYTES], title[PATH_BYTES];

    snprintf(profile, sizeof(profile), "%s/%s.%s", directory, stem, suffix);
    snprintf(text, sizeof(text), "%s/%s.%stxt", directory, stem, view->infix);
    snprintf(picture, sizeof(picture), "%s/%s.%ssvg", directory, stem, view->infix);
    snprintf(title, sizeof(title), "%s: %s", stem + strlen(begin), view->title);
    FILE *stacks = stacks_of(view, profile);
    struct flame *flame = stacks ? flame_create() : NULL;
    if (flame) {
        view->reader->read(flame, stacks);
        if (write_file(text, flame, view, NULL) && write_file(picture, flame, view, title) && print)
            print_head(title, text);
    }
    flame_destroy(flame);
    if (stacks)
        fclose(stacks);
}

static int is_profile(const struct dirent *entry)
{
    return strncmp(entry->d_name, begin, strlen(begin)) == 0;
}

static void summarise_all(const struct view kind_views[2], const char *out, const char *suffix,
                          bool print)
{
    struct dirent **entries;
    int count = scandir(out, &entries, is_profile, alphasort);

    for (int i = 0; i < count; i++) {
        int bytes = part_of(entries[i]->d_name, suffix);
        if (bytes > 0) {
            entries[i]->d_name[bytes] = '\0';
            for (int j = 0; j < 2 && kind_views[j].reader; j++)
                summarise(&kind_views[j], out, entries[i]->d_name, suffix, print);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void profiling_end(struct profiling *profiling, const char *out, bool print)
{
    char found[PATH_BYTES];

    if (profiling->kind == PROFILE_NONE)
        return;
    profile_finish();
    profile_preload_end();
    const struct view *kind_views = views[profiling->kind];
    const struct reader *reader = kind_views[0].reader;
    if (search_path(reader->program, found, sizeof(found)))
        summarise_all(kind_views, out, profile_suffix(profiling->kind), print);
    else
        fprintf(stderr,
                "xensock run: note[E0713]: no %s (Debian: %s) to summarise the profiles in %s\n",
                reader->program, reader->package, out);
}
