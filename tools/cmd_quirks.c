/* xensock quirks: whose drivers a host may behave as, and what those do. */
#include "ringlib/quirk.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <jansson.h>

static const char help[] =
    "usage: xensock quirks [--json | --pairs]\n"
    "\n"
    "Lists the drivers that a host of a scenario may behave as ('peer'), and the quirks, one or "
    "more\n"
    "of which may stand behind a driver's name: 'xensock+deaf'. Each says what it does, and what "
    "the\n"
    "other side cannot count on then: that bytes are not lost, that nobody waits for ever, that\n"
    "answers are not mixed up, that the handshake does not come too early.\n"
    "\n"
    "  --json             the same for programs\n"
    "  --pairs            which frontends and backends speak the same dialect, and with data "
    "rings\n"
    "                     of which orders: \"DIALECT ORDER FRONTEND BACKEND\"\n"
    "\n"
    "  xensock run --set mode=virtual --set topology.hosts.dom0.peer=xensock+one-waiter \\\n"
    "    scenarios/serve.yaml\n";

static const char *const costs[] = {"loses", "stalls", "mixes", "races"};

static json_t *list_json(uint32_t quirks)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < QUIRK_COUNT; i++)
        if (quirks >> i & 1u)
            json_array_append_new(list, json_string(quirk_name((enum quirk)i)));
    return list;
}

static json_t *costs_json(uint32_t quirks)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
        if (quirk_costs(quirks) >> i & 1u)
            json_array_append_new(list, json_string(costs[i]));
    return list;
}

static json_t *side_json(const struct quirk_side *side)
{
    if (!side->exists)
        return json_null();
    return json_pack("{s:o, s:o, s:i}", "quirks", list_json(side->quirks), "costs",
                     costs_json(side->quirks), "order", (int)side->order);
}

static void print_json(void)
{
    json_t *peers = json_object(), *quirks = json_object();

    for (uint32_t i = 0; quirk_peer_at(i); i++) {
        const struct quirk_peer *peer = quirk_peer_at(i);
        json_object_set_new(peers, peer->name,
                            json_pack("{s:s, s:s?, s:o, s:o}", "text", peer->text, "dialect",
                                      peer->dialect ? peer->dialect->name : NULL, "frontend",
                                      side_json(&peer->front), "backend", side_json(&peer->back)));
    }
    for (uint32_t i = 0; i < QUIRK_COUNT; i++) {
        enum quirk quirk = (enum quirk)i;
        json_object_set_new(quirks, quirk_name(quirk),
                            json_pack("{s:s, s:s, s:o}", "side",
                                      quirk_is_front(quirk) ? "frontend" : "backend", "text",
                                      quirk_text(quirk), "costs", costs_json(quirk_bit(quirk))));
    }
    json_t *all = json_pack("{s:s, s:o, s:o}", "schema", "xensock/quirks/1", "peers", peers,
                            "quirks", quirks);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void print_side(const char *word, const struct quirk_side *side)
{
    if (!side->exists || side->quirks == 0)
        return;
    printf("  %s:", word);
    for (uint32_t i = 0; i < QUIRK_COUNT; i++)
        if (side->quirks >> i & 1u)
            printf(" %s", quirk_name((enum quirk)i));
    putchar('\n');
}

static void print_costs(uint32_t quirks)
{
    for (uint32_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
        if (quirk_costs(quirks) >> i & 1u)
            printf(" [%s]", costs[i]);
}

static void print_text(void)
{
    for (uint32_t i = 0; quirk_peer_at(i); i++) {
        const struct quirk_peer *peer = quirk_peer_at(i);
        uint32_t order = peer->front.exists ? peer->front.order : peer->back.order;
        printf("%s: %s", peer->name, peer->text);
        if (peer->dialect)
            printf("; %s, order %u", peer->dialect->name, order);
        putchar('\n');
        print_side("frontend", &peer->front);
        print_side("backend", &peer->back);
    }
    for (uint32_t i = 0; i < QUIRK_COUNT; i++) {
        enum quirk quirk = (enum quirk)i;
        if (i == 0 || quirk_is_front(quirk) != quirk_is_front((enum quirk)(i - 1)))
            printf("\nquirks of a %s:\n", quirk_is_front(quirk) ? "frontend" : "backend");
        printf("  %-17s %s", quirk_name(quirk), quirk_text(quirk));
        print_costs(quirk_bit(quirk));
        putchar('\n');
    }
}

/* The orders at which a frontend is worth a look: its own, or the least, the default, the largest.
 */
static void print_pairs_of(const struct dialect *dialect, const struct quirk_peer *front,
                           const struct quirk_peer *back)
{
    const uint32_t orders[] = {dialect->order_min, dialect->order_default, dialect->order_max};
    uint32_t last = UINT32_MAX;

    for (uint32_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        uint32_t order = front->front.order > 0 ? front->front.order : orders[i];
        if (order != last)
            printf("%s %u %s %s\n", dialect->name, order, front->name, back->name);
        last = order;
    }
}

/* Each frontend with each backend that speaks the same dialect. */
static void print_pairs(void)
{
    for (uint32_t d = 0; dialect_at(d); d++)
        for (uint32_t f = 0; quirk_peer_at(f); f++)
            for (uint32_t b = 0; quirk_peer_at(b); b++) {
                const struct quirk_peer *front = quirk_peer_at(f), *back = quirk_peer_at(b);
                bool speak = (!front->dialect || front->dialect == dialect_at(d)) &&
                             (!back->dialect || back->dialect == dialect_at(d));
                if (speak && front->front.exists && back->back.exists)
                    print_pairs_of(dialect_at(d), front, back);
            }
}

int cmd_quirks(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"pairs", no_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool json = false, pairs = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option != 'j' && option != 'p')
            return CMD_USAGE;
        json |= option == 'j';
        pairs |= option == 'p';
    }
    if (optind != argc)
        return cmd_usage(help);
    if (pairs)
        print_pairs();
    else if (json)
        print_json();
    else
        print_text();
    return CMD_OK;
}
