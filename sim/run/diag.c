/*
 * Collecting and showing diagnostics. See diag.h.
 *
 * Lines are counted as libyaml counts them (CR LF, CR, LF, NEL, LS and PS end a line), columns in
 * Unicode characters.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/diag.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN_MAX = 160,  /* characters of a source line that are shown */
    SHOWN_LEFT = 60,  /* of these, left of the carets once the line is cut there */
    CUT_COLUMN = 120, /* a place behind this column cuts the line at its left */
};

void diag_init(struct diag_list *list)
{
    memset(list, 0, sizeof(*list));
}

void diag_fini(struct diag_list *list)
{
    for (uint32_t i = 0; i < list->source_count; i++) {
        free(list->names[i]);
        free(list->texts[i]);
    }
    diag_init(list);
}

/* Bytes of the valid UTF-8 sequence at `at`, 0 if there is none (RFC 3629, table in section 4). */
static size_t utf8_bytes(const unsigned char *at)
{
    size_t bytes = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return bytes;
}

/* Whether the character at `at`, not a tab, must not reach a terminal: C0, DEL, C1. */
static bool is_control(const unsigned char *at)
{
    return (at[0] < 0x20 && at[0] != '\t') || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

/* Make `text` fit for a terminal and for JSON, in place. */
static void text_clean(char *text)
{
    unsigned char *at = (unsigned char *)text;

    while (*at) {
        size_t bytes = utf8_bytes(at);

        if (bytes == 0 || is_control(at) || *at == '\t') {
            memset(at, '?', bytes ? bytes : 1);
            bytes = bytes ? bytes : 1;
        }
        at += bytes;
    }
}

uint32_t diag_add_source(struct diag_list *list, const char *name, const char *text)
{
    uint32_t source = list->source_count++;

    assert(source < DIAG_SOURCES_MAX);
    list->names[source] = strdup(name);
    list->texts[source] = text ? strdup(text) : NULL; /* without memory: no lines shown */
    if (list->names[source])
        text_clean(list->names[source]);
    return source;
}

static void text_format(char text[DIAG_TEXT_BYTES], const char *format, va_list arguments)
{
    vsnprintf(text, DIAG_TEXT_BYTES, format, arguments);
    text_clean(text);
}

/* A new entry; NULL, and counted as dropped, once the list is full. */
static struct diag *list_push(struct diag_list *list, enum diag_severity severity,
                              struct diag_place place)
{
    struct diag_place group = place;
    struct diag *diag;

    if (severity == DIAG_NOTE && list->count)
        group = list->entries[list->count - 1].group;
    if (list->count == DIAG_MAX) {
        list->dropped++;
        return NULL;
    }
    diag = &list->entries[list->count];
    *diag = (struct diag){
        .severity = severity, .place = place, .group = group, .sequence = list->count};
    list->count++;
    return diag;
}

void diag_error(struct diag_list *list, enum diag_code code, struct diag_place place,
                const char *format, ...)
{
    struct diag *diag = list_push(list, DIAG_ERROR, place);
    va_list arguments;

    list->errors++;
    if (!diag)
        return;
    diag->code = code;
    va_start(arguments, format);
    text_format(diag->message, format, arguments);
    va_end(arguments);
}

void diag_note(struct diag_list *list, struct diag_place place, const char *format, ...)
{
    struct diag *diag = list_push(list, DIAG_NOTE, place);
    va_list arguments;

    if (!diag)
        return;
    va_start(arguments, format);
    text_format(diag->message, format, arguments);
    va_end(arguments);
}

/* The diagnostic added last, NULL if the list had no room for it. */
static struct diag *list_last(struct diag_list *list)
{
    assert(list->count > 0);
    return list->dropped ? NULL : &list->entries[list->count - 1];
}

void diag_hint(struct diag_list *list, const char *format, ...)
{
    struct diag *diag = list_last(list);
    va_list arguments;

    if (!diag)
        return;
    va_start(arguments, format);
    text_format(diag->hint, format, arguments);
    va_end(arguments);
}

void diag_help(struct diag_list *list, const char *format, ...)
{
    struct diag *diag = list_last(list);
    va_list arguments;

    if (!diag)
        return;
    va_start(arguments, format);
    vsnprintf(diag->help, sizeof(diag->help), format, arguments);
    va_end(arguments);
    text_clean(diag->help);
}

void diag_add(struct diag_list *list, const struct diag *diag)
{
    struct diag *added = list_push(list, diag->severity, diag->place);
    struct diag kept;

    list->errors += diag->severity == DIAG_ERROR;
    if (!added)
        return;
    kept = *added;
    *added = *diag;
    added->group = kept.group;
    added->sequence = kept.sequence;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) from `a` to `b`, both shorter than
 * DIAG_WORD_BYTES: Damerau-Levenshtein, no piece edited twice. */
static uint32_t word_distance(const char *a, const char *b)
{
    uint32_t cost[DIAG_WORD_BYTES][DIAG_WORD_BYTES];
    uint32_t a_count = (uint32_t)strlen(a), b_count = (uint32_t)strlen(b);

    assert(a_count < DIAG_WORD_BYTES && b_count < DIAG_WORD_BYTES);
    for (uint32_t i = 0; i <= a_count; i++)
        cost[i][0] = i;
    for (uint32_t j = 0; j <= b_count; j++)
        cost[0][j] = j;
    for (uint32_t i = 1; i <= a_count; i++) {
        for (uint32_t j = 1; j <= b_count; j++) {
            uint32_t edits = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            edits = least(edits, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                edits = least(edits, cost[i - 2][j - 2] + 1);
            cost[i][j] = edits;
        }
    }
    return cost[a_count][b_count];
}

/* The word closest to `got`, NULL if none is close: one edit, or one for every three letters. */
static const char *word_closest(const char *got, const char *const *words, uint32_t count)
{
    uint32_t letters = (uint32_t)strnlen(got, DIAG_WORD_BYTES);
    uint32_t best = letters < 6 ? 2 : letters / 3 + 1;
    const char *closest = NULL;

    if (letters < 2 || letters == DIAG_WORD_BYTES)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t distance =
            strlen(words[i]) < DIAG_WORD_BYTES ? word_distance(got, words[i]) : best;

        if (distance < best) {
            best = distance;
            closest = words[i];
        }
    }
    return closest;
}

void diag_suggest(struct diag_list *list, const char *got, const char *what,
                  const char *const *words, uint32_t count)
{
    struct diag *diag = list_last(list);
    const char *closest = word_closest(got, words, count);
    size_t used;

    if (!diag || count == 0)
        return;
    snprintf(diag->help, sizeof(diag->help), "known %s: ", what);
    for (uint32_t i = 0; i < count; i++) {
        used = strlen(diag->help);
        snprintf(diag->help + used, sizeof(diag->help) - used, "%s%s", i ? ", " : "", words[i]);
    }
    text_clean(diag->help);
    if (!closest)
        return;
    snprintf(diag->suggestion, sizeof(diag->suggestion), "%s", closest);
    text_clean(diag->suggestion);
    diag_hint(list, "did you mean '%s'?", closest);
}

static int compare_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int diag_compare(const void *a, const void *b)
{
    const struct diag *x = a, *y = b;
    int order = compare_u32(x->group.source, y->group.source);

    if (order == 0)
        order = compare_u32(x->group.line, y->group.line);
    if (order == 0)
        order = compare_u32(x->group.column, y->group.column);
    return order ? order : compare_u32(x->sequence, y->sequence);
}

void diag_sort(struct diag_list *list)
{
    qsort(list->entries, list->count, sizeof(list->entries[0]), diag_compare);
}

size_t diag_break_bytes(const char *at)
{
    if (at[0] == '\r' && at[1] == '\n')
        return 2;
    if (at[0] == '\r' || at[0] == '\n')
        return 1;
    if (at[0] == '\xc2' && at[1] == '\x85')
        return 2;
    return at[0] == '\xe2' && at[1] == '\x80' && (at[2] == '\xa8' || at[2] == '\xa9') ? 3 : 0;
}

/* Where the line of that number starts, NULL if the text has fewer. */
static const char *line_find(const char *text, uint32_t line)
{
    for (; *text && line > 1; text++) {
        size_t bytes = diag_break_bytes(text);

        if (bytes) {
            line--;
            text += bytes - 1;
        }
    }
    return line == 1 ? text : NULL;
}

/* The next character of a line, NULL at its end. */
static const char *char_next(const char *at)
{
    size_t bytes = utf8_bytes((const unsigned char *)at);

    if (*at == '\0' || diag_break_bytes(at))
        return NULL;
    return at + (bytes ? bytes : 1);
}

struct diag_place diag_place_at(uint32_t source, const char *text, size_t offset)
{
    struct diag_place place = {source, 1, 1, 1};
    const char *at = text, *next;

    while (*at && at < text + offset) {
        next = char_next(at);
        place.column++;
        if (!next) {
            next = at + diag_break_bytes(at);
            place.line++;
            place.column = 1;
        }
        at = next;
    }
    return place;
}

static void char_print(const char *at, FILE *out)
{
    size_t bytes = utf8_bytes((const unsigned char *)at);

    if (bytes == 0 || is_control((const unsigned char *)at))
        fputc('?', out);
    else
        fwrite(at, 1, bytes, out);
}

/* The line of the place, and carets under its range with the hint behind them. */
static void show_source(const struct diag *diag, const char *line, FILE *out, bool colour)
{
    uint32_t column = diag->place.column, start = column > CUT_COLUMN ? column - SHOWN_LEFT : 1;
    const char *at = line, *next;
    char pad[SHOWN_MAX + 1];
    uint32_t shown = 0, carets = 0;

    for (uint32_t i = 1; i < start && (next = char_next(at)); i++)
        at = next;
    fprintf(out, "%5u | ", diag->place.line);
    for (; shown < SHOWN_MAX && (next = char_next(at)); at = next, shown++) {
        pad[shown] = *at == '\t' ? '\t' : ' ';
        char_print(at, out);
    }
    fprintf(out, "\n      | ");
    for (uint32_t i = 0; start + i < column; i++)
        fputc(i < shown ? pad[i] : ' ', out);
    fputs(colour ? "\033[1;32m" : "", out);
    do
        fputc('^', out);
    while (++carets < diag->place.length && column - start + carets < shown);
    fputs(colour ? "\033[0m" : "", out);
    fprintf(out, "%s%s\n", diag->hint[0] ? " " : "", diag->hint);
}

static const char *source_name(const struct diag_list *list, uint32_t source)
{
    return list->names[source] ? list->names[source] : "?";
}

static void diag_print_one(const struct diag_list *list, const struct diag *diag, FILE *out,
                           bool colour)
{
    const char *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";
    const char *text = list->texts[diag->place.source], *line = NULL;

    fprintf(out, "%s%s:", bold, source_name(list, diag->place.source));
    if (diag->place.line) {
        fprintf(out, "%u:%u:", diag->place.line, diag->place.column);
        line = text ? line_find(text, diag->place.line) : NULL;
    }
    if (diag->severity == DIAG_ERROR)
        fprintf(out, "%s %serror[E%04u]:%s ", plain, colour ? "\033[1;31m" : "",
                (unsigned)diag->code, plain);
    else
        fprintf(out, "%s %snote:%s ", plain, colour ? "\033[1;36m" : "", plain);
    fprintf(out, "%s\n", diag->message);
    if (line)
        show_source(diag, line, out, colour);
    else if (diag->hint[0])
        fprintf(out, "      = %s\n", diag->hint);
    if (diag->help[0])
        fprintf(out, "      = %s\n", diag->help);
}

void diag_print(const struct diag_list *list, FILE *out, bool colour)
{
    for (uint32_t i = 0; i < list->count; i++)
        diag_print_one(list, &list->entries[i], out, colour);
    if (list->dropped)
        fprintf(out, "%u more not shown\n", list->dropped);
}

static void json_put_text(json_t *object, const char *key, const char *text)
{
    if (text[0])
        json_object_set_new(object, key, json_string(text));
}

static json_t *diag_json_one(const struct diag_list *list, const struct diag *diag)
{
    json_t *object = json_object();
    char code[16];

    json_put_text(object, "file", source_name(list, diag->place.source));
    if (diag->place.line) {
        json_object_set_new(object, "line", json_integer(diag->place.line));
        json_object_set_new(object, "column", json_integer(diag->place.column));
        json_object_set_new(object, "length", json_integer(diag->place.length));
    }
    json_put_text(object, "severity", diag->severity == DIAG_ERROR ? "error" : "note");
    snprintf(code, sizeof(code), "E%04u", (unsigned)diag->code);
    json_put_text(object, "code", diag->severity == DIAG_ERROR ? code : "");
    json_put_text(object, "message", diag->message);
    json_put_text(object, "hint", diag->hint);
    json_put_text(object, "help", diag->help);
    json_put_text(object, "suggestion", diag->suggestion);
    return object;
}

json_t *diag_json(const struct diag_list *list)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < list->count; i++)
        json_array_append_new(array, diag_json_one(list, &list->entries[i]));
    return array;
}
