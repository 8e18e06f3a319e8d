/* What reading the command lines of the subcommands shares. See cmd.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/cmd.h"

#include "backend/policy.h"
#include "ringlib/quirk.h"
#include "ringlib/xenbus.h"
#include "sim/run/scenario.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_help(const char *text)
{
    fputs(text, stdout);
    return CMD_OK;
}

int cmd_usage(const char *text)
{
    fputs(text, stderr);
    return CMD_USAGE;
}

bool cmd_number(const char *option, const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);

    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value <= max) {
        *number = value;
        return true;
    }
    fprintf(stderr, "xensock: error: %s takes a number up to %llu, not '%s'\n", option,
            (unsigned long long)max, text);
    return false;
}

bool cmd_count(const char *option, const char *text, uint64_t max, uint64_t *number)
{
    if (!cmd_number(option, text, max, number))
        return false;
    if (*number == 0)
        fprintf(stderr, "xensock: error: %s takes a number from 1, not '%s'\n", option, text);
    return *number > 0;
}

bool cmd_domid(const char *option, const char *text, uint16_t *domid)
{
    uint64_t number;

    if (!cmd_number(option, text, XENBUS_DOMID_MAX, &number))
        return false;
    *domid = (uint16_t)number;
    return true;
}

bool cmd_dialect(const char *option, const char *text, const struct dialect **dialect)
{
    *dialect = dialect_find(text);
    if (*dialect)
        return true;
    fprintf(stderr, "xensock: error: %s takes a dialect, not '%s'; there are:", option, text);
    for (uint32_t i = 0; dialect_at(i); i++)
        fprintf(stderr, " %s", dialect_at(i)->name);
    fprintf(stderr, "\n");
    return false;
}

bool cmd_quirks_of(const char *text, bool front, struct quirk_side *side,
                   const struct quirk_peer **peer)
{
    struct quirk_text_part wrong;

    if (quirk_parse(text, front, side, peer, &wrong) == 0)
        return true;
    fprintf(stderr, "xensock: error: --peer: there is no %s '%.*s'%s; xensock quirks lists them\n",
            wrong.is_peer ? "peer" : "quirk", (int)wrong.length, text + wrong.at,
            !wrong.other_side ? ""
            : front           ? " of a frontend"
                              : " of a backend");
    return false;
}

bool cmd_notify(const char *text, bool *immediate)
{
    *immediate = strcmp(text, "immediate") == 0;
    if (*immediate || strcmp(text, "coalesced") == 0)
        return true;
    fprintf(stderr, "xensock: error: --notify takes coalesced or immediate, not '%s'\n", text);
    return false;
}

bool cmd_allow(const char *text, struct policy_rule *rule)
{
    char ip[64];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    bool v6 = strchr(text, ':') != NULL;
    uint64_t most = v6 ? 128 : 32, bits = most;

    *rule = (struct policy_rule){.family = v6 ? CALL_AF_INET6 : CALL_AF_INET};
    if (length < sizeof(ip)) {
        memcpy(ip, text, length);
        ip[length] = '\0';
        if (inet_pton(v6 ? AF_INET6 : AF_INET, ip, rule->ip) == 1 &&
            (!slash || cmd_number("--allow IP/BITS", slash + 1, most, &bits))) {
            rule->bits = (uint8_t)bits;
            return true;
        }
    }
    fprintf(stderr, "xensock: error: --allow takes IP or IP/BITS, not '%s'\n", text);
    return false;
}

bool cmd_set(struct cmd_sets *sets, const char *text)
{
    if (sets->count == CMD_SETS_MAX) {
        fprintf(stderr, "xensock: error: more than %d --set\n", CMD_SETS_MAX);
        return false;
    }
    sets->list[sets->count++] = text;
    return true;
}

void cmd_put_word(FILE *to, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:=,+@%-";

    if (word[0] && strspn(word, plain) == strlen(word)) {
        fprintf(to, " %s", word);
        return;
    }
    fputs(" '", to);
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", to);
        else
            fputc(*word, to);
    }
    fputc('\'', to);
}

bool cmd_scenario(struct scenario *scenario, const char *path, const struct cmd_sets *sets,
                  bool notes)
{
    static struct diag_list diags;

    diag_init(&diags);
    int ret = scenario_load(scenario, path, sets->list, sets->count, &diags);
    if (ret < 0 || notes)
        diag_print(&diags, stderr, false);
    diag_fini(&diags);
    return ret == 0;
}
