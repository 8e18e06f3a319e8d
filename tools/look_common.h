/*
 * What the commands that look into a running testbed share: options, the connection, the pages of a
 * look, the end with its code and, for --format json, as JSON.
 *
 * Each command gathers all it shows as one JSON object, and prints that or a table made of it: so
 * both say the same.
 */
#ifndef XENSOCK_TOOLS_LOOK_COMMON_H
#define XENSOCK_TOOLS_LOOK_COMMON_H

#include "tools/cmd.h"
#include "tools/look_client.h"

#include <getopt.h>
#include <jansson.h>

/* For the table of getopt_long; the commands' own are other letters. */
#define LOOK_OPTIONS                                                                               \
    {"runtime", required_argument, NULL, 'r'}, {"domain", required_argument, NULL, 'd'},           \
        {"timeout", required_argument, NULL, 't'}, {"format", required_argument, NULL, 'f'},       \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }

/* Their description in a --help. */
#define LOOK_HELP                                                                                  \
    "  --timeout DURATION  how long the hypervisor may take for an answer (default 5s)\n"          \
    "  --format text|json\n"

struct look {
    const char *command; /* "ps", "xenstore ls" */
    const char *runtime;
    int32_t domain; /* -1: not given */
    uint32_t timeout_ms;
    bool json;
    bool begun; /* a line of a list without end is out: what else is said is a line too */
    struct look_client client;
};

/* The defaults. */
void look_init(struct look *look, const char *command);

/* Take one of LOOK_OPTIONS but --help; false after saying what is wrong, also with one that getopt
 * did not know. */
bool look_option(struct look *look, int option, const char *argument);

/* Read a command line that has LOOK_OPTIONS alone. False when the command ends here, with `*code`.
 */
bool look_arguments(struct look *look, int argc, char **argv, const char *help, int *code);

/* An object with the member `schema`, "xensock/COMMAND/1", the command's words with a dash between
 * them. */
json_t *look_object(const struct look *look);

/* The words of a line of an answer: what is a number, at its place, and the one that is none. */
enum { LOOK_WORDS_MAX = 16, LOOK_LINE_BYTES = 256 };
struct look_words {
    json_int_t numbers[LOOK_WORDS_MAX];
    const char *word;
    char text[LOOK_LINE_BYTES];
};

/* Read a line that begins with `kind` and has then, for each letter of `shape`, a number of 32 bits
 * (n) or a word (w); false if it is not made so. */
bool look_words(struct look_words *words, const char *line, const char *kind, const char *shape);

/* Ask for a look at the tables, of a domain if `domid` is not negative, page by page; each line is
 * given to `take`, which says whether it understood. False with a fault of the client. */
bool look_pages(struct look *look, const char *what, int32_t domid,
                bool (*take)(void *self, const char *line), void *self);

/* A list of the domains that there are, were or may be, or of the one that was asked for: an object
 * each, with what the hypervisor counts of it. NULL with a fault. */
json_t *look_domains(struct look *look);

/* The whole of a command that shows a table of each domain, which is named as the command is:
 * `take` adds the entry of a line to the list `entries` of the domain's object and says whether it
 * understood, `print` prints the object as text. Returns the exit code. */
int look_tables(struct look *look, bool (*take)(void *domain, const char *line),
                void (*print)(const json_t *domain));

/* A member of an object. */
json_int_t look_number(const json_t *object, const char *key);
const char *look_text(const json_t *object, const char *key);

/* Print the object as JSON. */
void look_print(const json_t *object);

/* Say that the client failed, about `path` if xenstore refused (NULL: the domain that was asked
 * for, or all), as JSON too if that was asked for;
 * close it and return the exit code. */
int look_failed(struct look *look, const char *path);

#endif
