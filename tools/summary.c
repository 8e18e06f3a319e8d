/* Runs google-pprof over profiles. See summary.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/summary.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { PATH_BYTES = 1024, HEAD_LINES = 9 };

static void on_exit_status(uv_process_t *process, int64_t status, int number)
{
    *(bool *)process->data = status == 0 && number == 0;
    uv_close((uv_handle_t *)process, NULL);
}

/* google-pprof --text THIS-PROGRAM PROFILE >TEXT; 0, or libuv's error if it cannot be started. */
static int pprof(char *profile, const char *text, bool *worked)
{
    char program[PATH_BYTES];
    size_t bytes = sizeof(program);
    int fd = open(text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    uv_loop_t loop;
    uv_process_t process = {.data = worked};
    char *args[] = {"google-pprof", "--text", program, profile, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = fd}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .exit_cb = on_exit_status, .file = args[0], .args = args, .stdio = stdio, .stdio_count = 3};

    if (fd < 0 || uv_exepath(program, &bytes) < 0 || uv_loop_init(&loop) < 0)
        return UV_EIO;
    int ret = uv_spawn(&loop, &process, &options);
    if (ret < 0)
        uv_close((uv_handle_t *)&process, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    close(fd);
    return ret;
}

static void print_head(const char *name, int length, const char *path)
{
    char line[256];
    FILE *in = fopen(path, "r");

    printf("%.*s\n", length, name);
    for (int i = 0; in && i < HEAD_LINES && fgets(line, sizeof(line), in); i++)
        fputs(line, stdout);
    if (in)
        fclose(in);
}

void summary_profiles(const char *directory, bool print)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char profile[PATH_BYTES], text[PATH_BYTES];
        int stem = (int)strlen(entry->d_name) - (int)strlen(".prof");
        bool worked = false;

        if (strncmp(entry->d_name, "profile.", 8) != 0 || stem < 8 ||
            strcmp(entry->d_name + stem, ".prof") != 0)
            continue;
        snprintf(profile, sizeof(profile), "%s/%s", directory, entry->d_name);
        snprintf(text, sizeof(text), "%s/%.*s.txt", directory, stem, entry->d_name);
        if (pprof(profile, text, &worked) < 0) {
            unlink(text);
            fprintf(stderr, "xensock run: no google-pprof to summarise the profiles in %s\n",
                    directory);
            break;
        }
        if (print && worked)
            print_head(entry->d_name, stem, text);
    }
    if (dir)
        closedir(dir);
}
