/* Findings as they are collected, and the files they are made from. See doctor.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/doctor.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const level_names[DOCTOR_LEVELS] = {"ok", "missing", "note", "unreliable",
                                                       "unusable"};

const char *doctor_level_name(enum doctor_level level)
{
    return level_names[level];
}

void doctor_say(struct doctor *doctor, const struct doctor_words *words, const char *format, ...)
{
    char found[DOCTOR_LINE_BYTES];
    va_list list;

    va_start(list, format);
    vsnprintf(found, sizeof(found), format, list);
    va_end(list);
    for (char *c = found; *c; c++) /* files of another root may hold anything */
        *c = (unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e ? '?' : *c;
    json_t *finding = json_pack("{s:s, s:s, s:s, s:s, s:s*}", "name", words->name, "level",
                                level_names[words->level], "found", found, "means", words->means,
                                "do", words->todo);
    assert(finding);
    json_array_append_new(doctor->findings, finding);
    doctor->counts[words->level]++;
    doctor->worst = words->level > doctor->worst ? words->level : doctor->worst;
}

static FILE *open_below(const struct doctor *doctor, const char *path)
{
    char whole[2 * DOCTOR_LINE_BYTES];

    int bytes = snprintf(whole, sizeof(whole), "%s%s", doctor->root, path);
    return bytes > 0 && (size_t)bytes < sizeof(whole) ? fopen(whole, "r") : NULL;
}

bool doctor_line(const struct doctor *doctor, const char *path, const char *label,
                 char line[DOCTOR_LINE_BYTES])
{
    FILE *in = open_below(doctor, path);
    char *text = NULL;
    size_t room = 0;
    bool found = false;

    line[0] = '\0';
    while (in && !found && getline(&text, &room, in) >= 0) {
        found = strncmp(text, label, strlen(label)) == 0;
        if (found)
            snprintf(line, DOCTOR_LINE_BYTES, "%.*s", (int)strcspn(text + strlen(label), "\n"),
                     text + strlen(label));
        if (label[0] == '\0')
            break;
    }
    free(text);
    if (in)
        fclose(in);
    return found;
}

bool doctor_number(const struct doctor *doctor, const char *path, int64_t *number)
{
    char line[DOCTOR_LINE_BYTES], *end;

    if (!doctor_line(doctor, path, "", line))
        return false;
    long long value = strtoll(line, &end, 10);
    if (end == line)
        return false;
    *number = value;
    return true;
}

bool doctor_there(const struct doctor *doctor, const char *path)
{
    char whole[2 * DOCTOR_LINE_BYTES];
    struct stat info;

    int bytes = snprintf(whole, sizeof(whole), "%s%s", doctor->root, path);
    return bytes > 0 && (size_t)bytes < sizeof(whole) && stat(whole, &info) == 0;
}
