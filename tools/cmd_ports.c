/* xensock ports: the event channels of each domain, as Xen's lsevtchn and debug key 'e' show them.
 */
#include "tools/look_common.h"

static const char help[] =
    "usage: xensock ports --runtime DIR [--domain N] [OPTION]...\n"
    "\n"
    "Shows the event channel ports of each domain of the testbed in DIR, or of domain N alone: "
    "bound\n"
    "to a port of another domain (interdomain), waiting for that domain to bind it (unbound), or\n"
    "bound once to a port that was closed meanwhile (closed).\n"
    "\n" LOOK_HELP;

static bool take(void *domain, const char *line)
{
    struct look_words words;
    const json_int_t *n = words.numbers;

    if (!look_words(&words, line, "port", "nwnn"))
        return false;
    json_t *entry =
        json_pack("{s:I, s:s, s:I}", "port", n[0], "state", words.word, "remote_domid", n[2]);
    if (n[3] > 0)
        json_object_set_new(entry, "remote_port", json_integer(n[3]));
    json_array_append_new(json_object_get(domain, "entries"), entry);
    return true;
}

static void print(const json_t *domain)
{
    const json_t *one;
    size_t i;

    printf("domain %" JSON_INTEGER_FORMAT " (%s): %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
           " ports\n",
           look_number(domain, "domid"), look_text(domain, "state"), look_number(domain, "ports"),
           look_number(domain, "ports_max"));
    json_array_foreach(json_object_get(domain, "entries"), i, one)
    {
        printf("%6" JSON_INTEGER_FORMAT ": %-11s  domain %" JSON_INTEGER_FORMAT,
               look_number(one, "port"), look_text(one, "state"), look_number(one, "remote_domid"));
        if (json_object_get(one, "remote_port"))
            printf(", port %" JSON_INTEGER_FORMAT, look_number(one, "remote_port"));
        putchar('\n');
    }
}

int cmd_ports(int argc, char **argv)
{
    struct look look;
    int code;

    look_init(&look, "ports");
    return look_arguments(&look, argc, argv, help, &code) ? look_tables(&look, take, print) : code;
}
