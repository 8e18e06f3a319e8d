/*
 * Diagnostics about what a user wrote: collected, sorted, then shown all at once.
 *
 * A diagnostic points at a range of characters in a source (a file, or the --set options as lines
 * of one text) and says what is wrong, why, and what would be right. The module knows no scenario
 * and decides nothing: whoever finds the fault words it.
 * Invariants: a note belongs to the error added before it and stays behind it when sorted; every
 * text held is valid UTF-8 without control characters, so it can go to a terminal or into JSON.
 */
#ifndef XENSOCK_SIM_RUN_DIAG_H
#define XENSOCK_SIM_RUN_DIAG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    DIAG_MAX = 64, /* diagnostics kept; later ones are only counted */
    DIAG_SOURCES_MAX = 4,
    DIAG_TEXT_BYTES = 256,
    DIAG_HELP_BYTES = 640, /* the keys of a cost model fit */
    DIAG_WORD_BYTES = 64,
};

/* Numbers are kept for ever once released; xensock-scenario(5) says what each means. */
enum diag_code {
    DIAG_UNREADABLE = 1,
    DIAG_TOO_LARGE = 2,
    DIAG_SYNTAX = 3,
    DIAG_NO_MEMORY = 4,
    DIAG_WRONG_SCHEMA = 100,
    DIAG_UNKNOWN_KEY = 101,
    DIAG_DUPLICATE_KEY = 102,
    DIAG_MISSING_KEY = 103,
    DIAG_WRONG_TYPE = 104,
    DIAG_UNKNOWN_VALUE = 105,
    DIAG_MALFORMED = 106,
    DIAG_YAML_FEATURE = 107,
    DIAG_BAD_NAME = 108,
    DIAG_UNKNOWN_NAME = 109,
    DIAG_WRONG_TARGET = 110,
    DIAG_NOT_FOR_KIND = 111,
    DIAG_OUT_OF_RANGE = 112,
    DIAG_TOO_MANY = 113,
    DIAG_NEEDS_KEY = 114,
    DIAG_CANNOT_LISTEN = 115, /* found by the run */
    DIAG_DESCRIPTORS = 116,   /* likewise */
    DIAG_QUOTA = 117,
    DIAG_NO_ROOM = 118,
    DIAG_SET_MALFORMED = 120,
    DIAG_SET_PATH = 121,
    DIAG_AXIS = 130,
    DIAG_POINTS = 131,
    DIAG_EXPRESSION = 132,
    DIAG_EXPECT_NAME = 133,
    DIAG_EXPECT_TYPE = 134,
    DIAG_AXIS_SET = 135,
    DIAG_RESPONSE_OF_ECHO = 150,
    DIAG_DRAW_BOUNDS = 151,
    DIAG_ASK_TOO_SHORT = 152,
    DIAG_DRAW_UNUSED = 153,
    DIAG_BAD_PHASE = 154,
    DIAG_STEPS_OR_WORKLOAD = 160,
    DIAG_STEP = 161,
    DIAG_STEP_SIDE = 162,
    DIAG_STEP_KEYS = 163,
    DIAG_STEP_DIALECT = 164,
    DIAG_STEP_SOCKET = 165,
    DIAG_STEP_MISSED = 170, /* these are found by the run */
    DIAG_STEP_OTHER = 171,
    DIAG_STEP_UNEXPECTED = 172,
    DIAG_STEP_IMPOSSIBLE = 173,
    DIAG_NOT_VIRTUAL = 190,
    DIAG_NO_JSON = 830, /* of a result; xensock(1) */
    DIAG_NO_RESULT = 831,
};

enum diag_severity { DIAG_ERROR, DIAG_NOTE };

/* `length` characters from `column` of `line`, both counted from 1; line 0 is the whole source. */
struct diag_place {
    uint32_t source; /* as diag_add_source returned it */
    uint32_t line, column, length;
};

struct diag {
    enum diag_severity severity;
    enum diag_code code; /* of an error */
    struct diag_place place;
    struct diag_place group; /* where it is sorted: the place of the error a note belongs to */
    uint32_t sequence;
    char message[DIAG_TEXT_BYTES];
    char hint[DIAG_TEXT_BYTES];       /* shown behind the carets; may be empty */
    char help[DIAG_HELP_BYTES];       /* shown on a line of its own; may be empty */
    char suggestion[DIAG_WORD_BYTES]; /* what to put in the place; may be empty */
};

/* Zero it, or let diag_init do so, before the first use. */
struct diag_list {
    struct diag entries[DIAG_MAX];
    uint32_t count;
    uint32_t errors;  /* all that were reported, kept or not */
    uint32_t dropped; /* diagnostics not kept */
    char *names[DIAG_SOURCES_MAX];
    char *texts[DIAG_SOURCES_MAX];
    uint32_t source_count;
};

/* Start an empty list. */
void diag_init(struct diag_list *list);

/* Free what the list holds; it is empty afterwards. */
void diag_fini(struct diag_list *list);

/* Register a source under the name people know it by and return its number, at most
 * DIAG_SOURCES_MAX times; both strings are copied. `text` may be NULL: no lines are shown then. */
uint32_t diag_add_source(struct diag_list *list, const char *name, const char *text);

/* Bytes of the line break at `at`, 0 if there is none. */
size_t diag_break_bytes(const char *at);

/* The place of byte `offset` of `text`, which is source `source`: of its end at most, and 1 long.
 */
struct diag_place diag_place_at(uint32_t source, const char *text, size_t offset);

/* Report an error; `format` and the rest word it, a text over DIAG_TEXT_BYTES is cut. */
void diag_error(struct diag_list *list, enum diag_code code, struct diag_place place,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Say more about the error reported last, at another place. */
void diag_note(struct diag_list *list, struct diag_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Word what stands behind the carets of the diagnostic added last. */
void diag_hint(struct diag_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Word the line of its own of the diagnostic added last. */
void diag_help(struct diag_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a diagnostic of another list whose places are of this one's sources; a note belongs to the
 * error added before it. */
void diag_add(struct diag_list *list, const struct diag *diag);

/* For the error reported last: list the `count` known words as "known WHAT: ...", and if one of
 * them is close to `got` ask whether that was meant, in place of a hint. */
void diag_suggest(struct diag_list *list, const char *got, const char *what,
                  const char *const *words, uint32_t count);

/* Order by source, line, column; what stands at one place keeps the order it was reported in. */
void diag_sort(struct diag_list *list);

/* Print every diagnostic as compilers do, with its source line and carets. */
void diag_print(const struct diag_list *list, FILE *out, bool colour);

/* The same as a JSON array, owned by the caller; NULL without memory. Members: file, severity,
 * message; line, column, length unless the whole file is meant; code for errors; hint, help,
 * suggestion where there is one. */
json_t *diag_json(const struct diag_list *list);

#endif
