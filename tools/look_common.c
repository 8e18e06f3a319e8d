/* What the commands that look into a running testbed share. See look_common.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/look_common.h"

#include "ringlib/xenbus.h"
#include "sim/run/units.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 5000, TIMEOUT_MAX_MS = 3600 * 1000 };

void look_init(struct look *look, const char *command)
{
    *look = (struct look){.command = command, .domain = -1, .timeout_ms = TIMEOUT_MS};
}

static bool take_timeout(struct look *look, const char *text)
{
    uint64_t ns, ms;

    if (units_parse_duration(text, &ns) == UNITS_OK) {
        ms = ns / 1000000;
        look->timeout_ms = (uint32_t)ms;
        if (ms > 0 && ms <= TIMEOUT_MAX_MS)
            return true;
    }
    fprintf(stderr,
            "xensock: error: --timeout takes a duration of 1ms to 60min (" UNITS_OF_DURATION
            "), not '%s'\n",
            text);
    return false;
}

static bool take_format(struct look *look, const char *text)
{
    look->json = strcmp(text, "json") == 0;
    if (look->json || strcmp(text, "text") == 0)
        return true;
    fprintf(stderr, "xensock: error: --format takes text or json, not '%s'\n", text);
    return false;
}

bool look_option(struct look *look, int option, const char *argument)
{
    uint16_t domid;

    switch (option) {
    case 'r': look->runtime = argument; return true;
    case 'd':
        if (!cmd_domid("--domain", argument, &domid))
            return false;
        look->domain = domid;
        return true;
    case 't': return take_timeout(look, argument);
    case 'f': return take_format(look, argument);
    default: return false;
    }
}

bool look_arguments(struct look *look, int argc, char **argv, const char *help, int *code)
{
    static const struct option options[] = {LOOK_OPTIONS, {NULL, 0, NULL, 0}};
    int option;

    *code = CMD_USAGE;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            *code = cmd_help(help);
        if (option == 'h' || !look_option(look, option, optarg))
            return false;
    }
    if (look->runtime && optind == argc)
        return true;
    *code = cmd_usage(help);
    return false;
}

json_t *look_object(const struct look *look)
{
    char name[32];

    snprintf(name, sizeof(name), "%s", look->command);
    for (char *space = strchr(name, ' '); space; space = strchr(space, ' '))
        *space = '-';
    json_t *object = json_pack("{s:o}", "schema", json_sprintf("xensock/%s/1", name));
    assert(object);
    return object;
}

bool look_words(struct look_words *words, const char *line, const char *kind, const char *shape)
{
    char *rest = NULL;

    *words = (struct look_words){0};
    assert(strlen(shape) <= LOOK_WORDS_MAX);
    if (strlen(line) >= sizeof(words->text))
        return false;
    memcpy(words->text, line, strlen(line) + 1);
    const char *word = strtok_r(words->text, " ", &rest);
    if (!word || strcmp(word, kind) != 0)
        return false;
    for (uint32_t i = 0; shape[i]; i++) {
        word = strtok_r(NULL, " ", &rest);
        if (!word)
            return false;
        if (shape[i] == 'w')
            words->word = word;
        else if ((words->numbers[i] = xenbus_parse(word, UINT32_MAX)) < 0)
            return false;
    }
    return !strtok_r(NULL, " ", &rest);
}

/* Where "next FROM" says to go on; -1: the line is another, -2: it says no number. */
static int64_t next_of(const char *line)
{
    char *end = NULL;

    if (strncmp(line, "next ", 5) != 0)
        return -1;
    errno = 0;
    int64_t from = strtoll(line + 5, &end, 10);
    return end > line + 5 && *end == '\0' && errno == 0 && from >= 0 ? from : -2;
}

/* Give the lines of one answer to `take`; whether all were understood. `*next` is where to go on,
 * or -1. */
static bool take_lines(char *text, bool (*take)(void *self, const char *line), void *self,
                       int64_t *next)
{
    char *rest = NULL;

    *next = -1;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        *next = next_of(line);
        if (*next != -1)
            return *next >= 0;
        if (!take(self, line))
            return false;
    }
    return true;
}

bool look_pages(struct look *look, const char *what, int32_t domid,
                bool (*take)(void *self, const char *line), void *self)
{
    char words[64];
    int64_t from = 0;

    while (from >= 0) {
        int64_t asked = from;
        int length = domid < 0 ? snprintf(words, sizeof(words), "%s%c%" PRId64, what, '\0', from)
                               : snprintf(words, sizeof(words), "%s%c%" PRId32 "%c%" PRId64, what,
                                          '\0', domid, '\0', from);
        if (!look_client_control(&look->client, words, (uint32_t)length + 1))
            return false;
        if (take_lines(look->client.answer, take, self, &from) && (from < 0 || from > asked))
            continue;
        look->client.fault = LOOK_CLIENT_BROKEN;
        snprintf(look->client.message, sizeof(look->client.message),
                 "the hypervisor's answer to \"%s\" cannot be understood: another version?", what);
        return false;
    }
    return true;
}

static bool take_domain(void *self, const char *line)
{
    struct look_words words;
    const json_int_t *n = words.numbers;

    if (!look_words(&words, line, "domain", "nwnnnnnnnnnnn"))
        return false;
    json_array_append_new(
        self,
        json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "domid",
                  n[0], "state", words.word, "lives", n[2], "grants", n[3], "grants_quarantined",
                  n[4], "grants_max", n[5], "ports", n[6], "ports_max", n[7], "maps", n[8],
                  "held_pages", n[9], "nodes", n[10], "watches", n[11], "transactions", n[12]));
    return true;
}

json_t *look_domains(struct look *look)
{
    json_t *domains = json_array();
    size_t at = 0;

    if (!look_pages(look, "domains", -1, take_domain, domains)) {
        json_decref(domains);
        return NULL;
    }
    while (look->domain >= 0 && at < json_array_size(domains)) {
        const json_t *domain = json_array_get(domains, at);
        if (json_integer_value(json_object_get(domain, "domid")) == look->domain)
            at++;
        else
            json_array_remove(domains, at);
    }
    if (look->domain < 0 || json_array_size(domains) > 0)
        return domains;
    json_decref(domains);
    look_client_no_domain(&look->client, look->runtime, look->domain);
    return NULL;
}

json_int_t look_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *look_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Add the entries of each domain to its object. */
static bool fill(struct look *look, json_t *domains, bool (*take)(void *domain, const char *line))
{
    json_t *domain;
    size_t i;

    json_array_foreach(domains, i, domain)
    {
        json_object_set_new(domain, "entries", json_array());
        if (!look_pages(look, look->command, (int32_t)look_number(domain, "domid"), take, domain))
            return false;
    }
    return true;
}

int look_tables(struct look *look, bool (*take)(void *domain, const char *line),
                void (*print)(const json_t *domain))
{
    json_t *domains = NULL, *domain;
    size_t i;

    if (look_client_open(&look->client, look->runtime, -1, look->timeout_ms))
        domains = look_domains(look);
    if (!domains || !fill(look, domains, take)) {
        json_decref(domains);
        return look_failed(look, NULL);
    }
    look_client_close(&look->client);
    json_t *object = look_object(look);
    json_object_set_new(object, "domains", domains);
    if (look->json)
        look_print(object);
    else
        json_array_foreach(domains, i, domain) print(domain);
    json_decref(object);
    return CMD_OK;
}

void look_print(const json_t *object)
{
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* What xenstore's refusal means for who asked for the path. */
static void word_refusal(struct look *look, const char *path)
{
    struct look_client *client = &look->client;
    char text[64], domain[32];

    snprintf(domain, sizeof(domain), "domain %" PRId32, look->domain);
    if (!path)
        path = look->domain >= 0 ? domain : "the hypervisor's tables";

    if (strcmp(client->refusal, "ENOENT") == 0)
        snprintf(text, sizeof(text), "there is no such");
    else if (strcmp(client->refusal, "EACCES") == 0)
        snprintf(text, sizeof(text), "%s may not read it", domain);
    else if (strcmp(client->refusal, "EINVAL") == 0)
        snprintf(text, sizeof(text), "not a path");
    else
        snprintf(text, sizeof(text), "refused");
    snprintf(client->message, sizeof(client->message), "%.200s: %s (%s)", path, text,
             client->refusal);
}

int look_failed(struct look *look, const char *path)
{
    static const struct {
        const char *error;
        int code;
    } ends[] = {
        [LOOK_CLIENT_REFUSED] = {"E0801", CMD_FAILED},
        [LOOK_CLIENT_UNUSABLE] = {"E0601", CMD_USAGE},
        [LOOK_CLIENT_ABSENT] = {"E0601", CMD_ABSENT},
        [LOOK_CLIENT_GONE] = {"E0602", CMD_ABSENT},
        [LOOK_CLIENT_LATE] = {"E0802", CMD_LATE},
        [LOOK_CLIENT_BROKEN] = {"E0803", CMD_BROKEN},
    };
    enum look_client_fault fault = look->client.fault;

    assert(fault != LOOK_CLIENT_FINE);
    if (fault == LOOK_CLIENT_REFUSED)
        word_refusal(look, path);
    fprintf(stderr, "xensock %s: error[%s]: %s\n", look->command, ends[fault].error,
            look->client.message);
    if (look->json) {
        json_t *object = look->begun ? json_object() : look_object(look);
        json_object_set_new(
            object, "errors",
            json_pack("[{s:s, s:s}]", "code", ends[fault].error, "message", look->client.message));
        json_dumpf(object, stdout, look->begun ? JSON_COMPACT : JSON_INDENT(2));
        putchar('\n');
        json_decref(object);
    }
    look_client_close(&look->client);
    return ends[fault].code;
}
