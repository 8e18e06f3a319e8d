/* xensock grants: the grant table of each domain, as Xen's debug key 'g' shows it. */
#include "tools/look_common.h"

static const char help[] =
    "usage: xensock grants --runtime DIR [--domain N] [OPTION]...\n"
    "\n"
    "Shows which pages each domain of the testbed in DIR, or domain N alone, shares with whom: a\n"
    "line for consecutive refs of one run (pages granted as one), with how often they are mapped.\n"
    "Quarantined refs are granted no longer, and mapped still. Pages that outlived a domain are\n"
    "shown as held, with the map that keeps them.\n"
    "\n" LOOK_HELP;

static bool take_held(json_t *domain, const char *line)
{
    struct look_words words;
    const json_int_t *n = words.numbers;

    if (!look_words(&words, line, "held", "nnn"))
        return false;
    if (!json_object_get(domain, "held"))
        json_object_set_new(domain, "held", json_array());
    json_array_append_new(
        json_object_get(domain, "held"),
        json_pack("{s:I, s:I, s:I}", "mapper_domid", n[0], "map", n[1], "pages", n[2]));
    return true;
}

static bool take(void *domain, const char *line)
{
    struct look_words words;
    const json_int_t *n = words.numbers;

    if (!look_words(&words, line, "grant", "nnnnnwn"))
        return take_held(domain, line);
    json_array_append_new(json_object_get(domain, "entries"),
                          json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:I}", "first_ref", n[0],
                                    "last_ref", n[1], "run_ref", n[2], "run_page", n[3],
                                    "peer_domid", n[4], "state", words.word, "maps", n[6]));
    return true;
}

static void print(const json_t *domain)
{
    const json_t *entries = json_object_get(domain, "entries"), *one;
    size_t i;
    char refs[32];

    printf("domain %" JSON_INTEGER_FORMAT " (%s): %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
           " refs, %" JSON_INTEGER_FORMAT " quarantined\n",
           look_number(domain, "domid"), look_text(domain, "state"), look_number(domain, "grants"),
           look_number(domain, "grants_max"), look_number(domain, "grants_quarantined"));
    if (json_array_size(entries) > 0)
        puts("         refs    run  page  granted to    state        maps");
    json_array_foreach(entries, i, one)
    {
        snprintf(refs, sizeof(refs), "%" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT,
                 look_number(one, "first_ref"), look_number(one, "last_ref"));
        printf("%13s  %5" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT
               "  domain %-5" JSON_INTEGER_FORMAT "  %-11s %5" JSON_INTEGER_FORMAT "\n",
               refs, look_number(one, "run_ref"), look_number(one, "run_page"),
               look_number(one, "peer_domid"), look_text(one, "state"), look_number(one, "maps"));
    }
    json_array_foreach(json_object_get(domain, "held"), i, one) printf(
        "held: %" JSON_INTEGER_FORMAT " pages of an earlier life, by map %" JSON_INTEGER_FORMAT
        " of domain %" JSON_INTEGER_FORMAT "\n",
        look_number(one, "pages"), look_number(one, "map"), look_number(one, "mapper_domid"));
}

int cmd_grants(int argc, char **argv)
{
    struct look look;
    int code;

    look_init(&look, "grants");
    return look_arguments(&look, argc, argv, help, &code) ? look_tables(&look, take, print) : code;
}
