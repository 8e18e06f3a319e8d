/*
 * xensock forward: programs that know nothing of the protocol, through it.
 *
 * This process is the guest. Unless it joins a running testbed it starts a hypervisor and a backend
 * first, as children that end with it. What joins connections to sockets is sim/run/forward.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "ringlib/dialect.h"
#include "sim/hv/hypervisor.h"
#include "tools/forwarding.h"

#include "backend/policy.h"
#include "sim/run/guest_room.h"
#include "sim/run/units.h"

#include <getopt.h>
#include <signal.h>

enum { CONNECTIONS = 3072 }; /* where nobody says how many */

static const char help[] =
    "usage: xensock forward [-L SPEC]... [-R SPEC]... [-D [HOST:]PORT]... [OPTION]...\n"
    "\n"
    "Starts a hypervisor, a backend and a guest, and carries the connections of any program "
    "through\n"
    "the protocol. SPEC is [listen-host:]port:host:port, as ssh has it; without a listen-host it "
    "is\n"
    "127.0.0.1. Runs until SIGINT; SIGUSR1 prints what was carried so far.\n"
    "\n"
    "  -L SPEC            listen beside the guest, connect to host:port through the backend\n"
    "  -R SPEC            the guest listens on the backend's side; each connection is joined to\n"
    "                     host:port beside the guest\n"
    "  -D [HOST:]PORT     listen beside the guest for programs that speak SOCKS5: each says whom "
    "to\n"
    "                     connect to; names are looked up beside the backend\n"
    "  --runtime DIR      join the testbed that runs there instead of starting one\n"
    "  --domid N          then: which domain the guest is (default 1)\n"
    "  --backend N        then: which domain its backend is (default 0)\n"
    "  --allow IP[/BITS]  let the guest connect to and bind on these addresses too; loopback and\n"
    "                     what a SPEC names are allowed anyway\n"
    "  --dialect NAME     what the guest speaks: xensock1 (default), pvcalls1, xensock1-compact\n"
    "  --order N          of the data rings, in the dialect's range and by default its own\n"
    "                     (xensock1: 1 to 6, default 6: 256 KiB)\n"
    "  --connections N    most connections at once (default 3072, or what fits: 511 at order 6,\n"
    "                     for each takes pages of the guest's grant table); the next one waits\n"
    "  --hold DURATION    how long a connection that the program has ended, and its peer has not,\n"
    "                     may be silent (default 1s): the end itself cannot be sent\n"
    "  --connect-timeout DURATION\n"
    "                     how long a target has to answer (default 10s)\n"
    "  --bind-address IP  where a SOCKS program that asks to be connected to listens, on the\n"
    "                     backend's side (default 127.0.0.1 and ::1); one IPv4, one IPv6\n"
    "  --notify WHEN      coalesced (default): each port once a turn; immediate: at once\n"
    "\n"
    "  xensock forward -L 8080:127.0.0.1:80\n"
    "  xensock forward -R 2222:127.0.0.1:22 -L 5432:db.example:5432 --order 4\n";

static const char socks_help[] =
    "usage: xensock socks [OPTION]... [HOST:]PORT...\n"
    "\n"
    "A door beside the guest for programs that speak SOCKS5: each says whom to connect to, and is\n"
    "carried there through the protocol, or, by BIND, that it is to be reached from there. As\n"
    "'xensock forward -D [HOST:]PORT', whose options it has; only loopback can be reached unless\n"
    "--allow says more.\n"
    "\n"
    "  xensock socks 1080\n"
    "  xensock socks --allow 192.168.0.0/16 1080\n"
    "  curl -x socks5h://127.0.0.1:1080 http://localhost:8000/\n";

/* Fill in how many there may be, or see that they fit. */
static bool has_room(struct forwarding_options *options)
{
    /* an accept that waits has the place of one */
    const struct hypervisor_limits tables = {HYPERVISOR_GRANTS, HYPERVISOR_PORTS};
    uint32_t room = guest_room(options->dialect, (uint32_t)options->order, tables).sockets;

    if (options->connections == 0)
        options->connections = room < CONNECTIONS ? room : CONNECTIONS;
    if (options->connections <= room)
        return true;
    fprintf(stderr,
            "xensock forward: error: --connections %u do not fit: at order %u the guest's grant "
            "table and ports have room for %u; a lower --order has more\n",
            (unsigned)options->connections, (unsigned)options->order, room);
    return false;
}

/* Each forwarding keeps a place for who comes next. */
static bool has_places(const struct forwarding_options *options)
{
    if (options->connections >= options->spec_count)
        return true;
    fprintf(stderr,
            "xensock forward: error: --connections %u are fewer than the %u forwardings, each of "
            "which keeps a place for the next one\n",
            (unsigned)options->connections, options->spec_count);
    return false;
}

/* The domains of a testbed of its own are 1 and 0. */
static bool has_domains(const struct forwarding_options *options)
{
    if (options->runtime || (options->domid == 1 && options->backend == 0))
        return true;
    fprintf(stderr, "xensock forward: error: --domid and --backend name domains of the testbed "
                    "that --runtime joins; add that, or leave them out\n");
    return false;
}

/* Fill in the order, or see that the dialect has it. */
static bool has_order(struct forwarding_options *options)
{
    const struct dialect *dialect = options->dialect;

    if (options->order == 0)
        options->order = dialect->order_default;
    if (options->order >= dialect->order_min && options->order <= dialect->order_max)
        return true;
    fprintf(stderr, "xensock forward: error: --order %u is too large for %s, which has %u to %u\n",
            (unsigned)options->order, dialect->name, dialect->order_min, dialect->order_max);
    return false;
}

static int run(struct forwarding_options *options)
{
    static struct forwarding forwarding;
    struct process *process = &forwarding.process;

    forwarding = (struct forwarding){
        .options = options,
        .process = {.name = "forward",
                    .loop = uv_default_loop(),
                    .self = &forwarding,
                    .asked = forwarding_asked,
                    .clear = forwarding_clear},
        .hypervisor = {.forwarding = &forwarding,
                       .name = "hypervisor",
                       .ready = forwarding_start_backend},
        .backend = {.forwarding = &forwarding, .name = "backend", .ready = forwarding_join}};
    bool fits = has_domains(options) && has_order(options) && has_room(options);

    if (!fits || !has_places(options))
        return CMD_USAGE;
    for (uint32_t i = 0; i < options->spec_count; i++)
        forwarding.rules[i] = options->specs[i].rule;
    process_start(process, -1);
    if (!options->runtime) /* else when it has joined: it has nothing to clear away before */
        process_signals(process);
    uv_signal_init(process->loop, &forwarding.usr1);
    forwarding.usr1.data = &forwarding;
    uv_signal_start(&forwarding.usr1, forwarding_on_usr1, SIGUSR1);
    if (options->runtime) {
        snprintf(forwarding.runtime, sizeof(forwarding.runtime), "%s", options->runtime);
        forwarding_join(&forwarding);
    } else {
        forwarding_start_parts(&forwarding);
    }
    uv_run(process->loop, UV_RUN_DEFAULT);
    uv_loop_close(process->loop);
    if (!options->runtime)
        runtime_dir_remove(forwarding.runtime);
    return forwarding.code;
}

static bool take_spec(struct forwarding_options *options, int option, const char *text)
{
    struct forward_spec *spec = &options->specs[options->spec_count];

    if (options->spec_count == FORWARD_RULES_MAX) {
        fprintf(stderr, "xensock forward: error: more than %d forwardings\n", FORWARD_RULES_MAX);
        return false;
    }
    const char *name = option == 'L' ? "-L" : option == 'R' ? "-R" : "the door";
    spec->rule.kind = option == 'R' ? FORWARD_REMOTE : FORWARD_LOCAL;
    if (!(option == 'D' ? forward_spec_read_door(spec, name, text)
                        : forward_spec_read(spec, name, text)))
        return false;
    options->spec_count++;
    return true;
}

static bool take_allow(struct forwarding_options *options, const char *text)
{
    struct policy_rule rule;

    if (options->allow_count == FORWARDING_ALLOW_MAX) {
        fprintf(stderr, "xensock forward: error: more than %d times --allow\n",
                FORWARDING_ALLOW_MAX);
        return false;
    }
    options->allow[options->allow_count++] = text;
    return cmd_allow(text, &rule);
}

static bool take_duration(const char *option, const char *text, uint64_t *duration_ns)
{
    if (units_parse_duration(text, duration_ns) == UNITS_OK)
        return true;
    fprintf(stderr, "xensock forward: error: %s takes a duration (%s), not '%s'\n", option,
            UNITS_OF_DURATION, text);
    return false;
}

static bool take_bind_address(struct forwarding_options *options, const char *text)
{
    uint8_t ip[16];
    bool v6 = uv_inet_pton(AF_INET, text, ip) != 0;

    if (v6 && uv_inet_pton(AF_INET6, text, ip) != 0) {
        fprintf(stderr, "xensock forward: error: --bind-address takes an IP address, not '%s'\n",
                text);
        return false;
    }
    options->bind_address[v6] = text;
    if (v6)
        call_addr6(&options->bind_on[1], ip, FORWARD_BIND_LOW);
    else
        call_addr4(&options->bind_on[0], ip, FORWARD_BIND_LOW);
    return true;
}

static bool take_connect_timeout(struct forwarding_options *options, const char *text)
{
    if (!take_duration("--connect-timeout", text, &options->connect_wait_ns))
        return false;
    if (options->connect_wait_ns > 0)
        return true;
    fprintf(stderr, "xensock forward: error: --connect-timeout 0 would leave no target any time\n");
    return false;
}

static bool take(struct forwarding_options *options, int option, const char *text)
{
    switch (option) {
    case 'L':
    case 'R':
    case 'D': return take_spec(options, option, text);
    case 'r': options->runtime = text; return true;
    case 'd': return cmd_domid("--domid", text, &options->domid);
    case 'b': return cmd_domid("--backend", text, &options->backend);
    case 'a': return take_allow(options, text);
    case 'l': return cmd_dialect("--dialect", text, &options->dialect);
    case 'o': return cmd_count("--order", text, 9, &options->order);
    case 'c': return cmd_count("--connections", text, 16384, &options->connections);
    case 'h': return take_duration("--hold", text, &options->hold_ns);
    case 't': return take_connect_timeout(options, text);
    case 'B': return take_bind_address(options, text);
    case 'n': return cmd_notify(text, &options->immediate);
    }
    return false;
}

/* The options both commands have, and `short_options`; an exit code, or -1: go on. */
static int read_options(struct forwarding_options *options, int argc, char **argv,
                        const char *short_options, const char *text)
{
    static const struct option long_options[] = {{"runtime", required_argument, NULL, 'r'},
                                                 {"domid", required_argument, NULL, 'd'},
                                                 {"backend", required_argument, NULL, 'b'},
                                                 {"allow", required_argument, NULL, 'a'},
                                                 {"dialect", required_argument, NULL, 'l'},
                                                 {"order", required_argument, NULL, 'o'},
                                                 {"connections", required_argument, NULL, 'c'},
                                                 {"hold", required_argument, NULL, 'h'},
                                                 {"notify", required_argument, NULL, 'n'},
                                                 {"bind-address", required_argument, NULL, 'B'},
                                                 {"connect-timeout", required_argument, NULL, 't'},
                                                 {"help", no_argument, NULL, 'H'},
                                                 {NULL, 0, NULL, 0}};
    int option;

    *options = (struct forwarding_options){.domid = 1,
                                           .dialect = &dialect_xensock1,
                                           .hold_ns = UINT64_C(1000) * 1000 * 1000,
                                           .connect_wait_ns = UINT64_C(10) * 1000 * 1000 * 1000};
    call_addr4(&options->bind_on[0], (const uint8_t[]){127, 0, 0, 1}, FORWARD_BIND_LOW);
    call_addr6(&options->bind_on[1], (const uint8_t[16]){[15] = 1}, FORWARD_BIND_LOW);
    while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (option == 'H')
            return cmd_help(text);
        if (!take(options, option, optarg))
            return CMD_USAGE;
    }
    return -1;
}

int cmd_forward(int argc, char **argv)
{
    static struct forwarding_options options;
    int code = read_options(&options, argc, argv, "L:R:D:", help);

    if (code >= 0)
        return code;
    if (optind != argc || options.spec_count == 0)
        return cmd_usage(help);
    return run(&options);
}

int cmd_socks(int argc, char **argv)
{
    static struct forwarding_options options;
    int code = read_options(&options, argc, argv, "", socks_help);

    if (code >= 0)
        return code;
    if (optind == argc)
        return cmd_usage(socks_help);
    for (int i = optind; i < argc; i++)
        if (!take_spec(&options, 'D', argv[i]))
            return CMD_USAGE;
    return run(&options);
}
