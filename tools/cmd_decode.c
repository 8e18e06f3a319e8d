/* xensock decode: captures, without Wireshark. See xensock-decode(1). */
#include "sim/run/decode_pairs.h"
#include "sim/run/decode_summary.h"
#include "sim/run/decode_text.h"
#include "tools/cmd.h"

#include "ringlib/xenbus.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: xensock decode FILE [OPTION]...\n"
    "\n"
    "Prints the packets of a capture (`xensock run --capture FILE`), one a line: time, guest and\n"
    "device, ring, side, what it did, and with what. FILE may be - for the standard input.\n"
    "\n"
    "  --guest D[/I]         only of this guest's domid, and of its device I\n"
    "  --socket ID           only of the socket with this id on the wire, its commands too\n"
    "  --kind KIND,...       only of these: request, response, index, notify\n"
    "  --command NAME,...    only requests and responses of these commands: CONNECT, ...\n"
    "  --side front|back     only what this side saw\n"
    "  --limit N             the first N of them\n"
    "  --json                an object a line\n"
    "  --summary             instead of packets, each ring's added up\n"
    "\n"
    "  xensock decode out.pcapng --guest 1 --kind request,response\n"
    "  xensock run scenarios/quickstart.yaml --capture out.pcapng && xensock decode --summary "
    "out.pcapng\n";

enum { FAULTS_MAX = 20 }; /* more of one file are counted only */

/* What is shown, and how. */
struct choice {
    const char *path;
    bool of_guest, of_device, of_socket, of_side;
    uint64_t guest, device, socket, limit;
    enum capture_side side;
    uint32_t kinds, commands; /* sets, by bits; 0: all */
    bool json, summary;
};

/* What goes on while a file is read. */
struct reading {
    const struct choice *choice;
    struct decode_pairs *pairs;
    struct decode_summary *summary;
    uint64_t shown, faults, strangers; /* strangers: packets of other link types */
};

/* ---- the command line ---- */

static bool read_guest(const char *text, struct choice *choice)
{
    char guest[16];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);

    choice->of_guest = true;
    choice->of_device = slash != NULL;
    if (length >= sizeof(guest)) {
        fprintf(stderr, "xensock: error: --guest takes D or D/I, not '%s'\n", text);
        return false;
    }
    memcpy(guest, text, length);
    guest[length] = '\0';
    return cmd_number("--guest D[/I]", guest, XENBUS_DOMID_MAX, &choice->guest) &&
           (!slash || cmd_number("--guest D/I", slash + 1, UINT16_MAX, &choice->device));
}

static bool read_socket(const char *text, struct choice *choice)
{
    char *end;
    bool is_hex = strncmp(text, "0x", 2) == 0;

    errno = 0;
    choice->of_socket = true;
    choice->socket = strtoull(text, &end, is_hex ? 16 : 10);
    if (isxdigit((unsigned char)text[is_hex ? 2 : 0]) && *end == '\0' && errno == 0)
        return true;
    fprintf(stderr, "xensock: error: --socket takes an id, decimal or 0x1f, not '%s'\n", text);
    return false;
}

static bool read_side(const char *text, struct choice *choice)
{
    choice->of_side = true;
    if (decode_find_side(text, &choice->side))
        return true;
    fprintf(stderr, "xensock: error: --side takes front or back, not '%s'\n", text);
    return false;
}

/* The i-th name of a list that an option takes; NULL behind the last, "" for none. */
static const char *kind_at(uint32_t i)
{
    return decode_kind_name(i);
}

static const char *command_at(uint32_t i)
{
    return i < CALL_KINDS ? call_name((enum call_kind)i) : NULL;
}

static void tell_unknown(const char *option, const char *name, size_t length,
                         const char *(*name_at)(uint32_t))
{
    fprintf(stderr, "xensock: error: %s does not know '%.*s'; it knows:", option, (int)length,
            name);
    for (uint32_t i = 0; name_at(i); i++)
        if (name_at(i)[0])
            fprintf(stderr, " %s", name_at(i));
    fputc('\n', stderr);
}

/* Read a list "NAME,..." into a set of their places; false after saying what is no name. */
static bool read_set(const char *option, const char *text, const char *(*name_at)(uint32_t),
                     uint32_t *set)
{
    for (const char *from = text;; from++) {
        size_t length = strcspn(from, ",");
        uint32_t i = 0;

        while (name_at(i) && (strlen(name_at(i)) != length || length == 0 ||
                              strncmp(name_at(i), from, length) != 0))
            i++;
        if (!name_at(i)) {
            tell_unknown(option, from, length, name_at);
            return false;
        }
        *set |= UINT32_C(1) << i;
        from += length;
        if (*from == '\0')
            return true;
    }
}

static bool read_option(int option, struct choice *choice)
{
    switch (option) {
    case 'g': return read_guest(optarg, choice);
    case 's': return read_socket(optarg, choice);
    case 'k': return read_set("--kind", optarg, kind_at, &choice->kinds);
    case 'c': return read_set("--command", optarg, command_at, &choice->commands);
    case 'd': return read_side(optarg, choice);
    case 'l': return cmd_number("--limit", optarg, UINT64_MAX, &choice->limit);
    case 'j': choice->json = true; return true;
    case 'm': choice->summary = true; return true;
    default: return false;
    }
}

/* ---- packets ---- */

/* Id 0 is a socket's as any other, so a packet has to have an id at all. */
static bool concerns(const struct decode_packet *packet, uint64_t socket)
{
    const struct capture_header *header = &packet->header;
    bool has_id = packet->slot || header->ring == CAPTURE_DATA;
    bool has_new = header->kind == CAPTURE_REQUEST && packet->kind == CALL_ACCEPT;

    return (has_id && packet->sockid == socket) || (has_new && packet->new_sockid == socket);
}

static bool is_chosen(const struct choice *choice, const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;

    return (!choice->of_guest || header->front == choice->guest) &&
           (!choice->of_device || header->device == choice->device) &&
           (!choice->of_side || header->side == choice->side) &&
           (!choice->kinds || choice->kinds >> header->kind & 1) &&
           (!choice->commands || (packet->slot && choice->commands >> packet->kind & 1)) &&
           (!choice->of_socket || concerns(packet, choice->socket));
}

static void show(struct reading *reading, const struct decode_packet *packet)
{
    struct decode_request request;
    bool answers = decode_pairs_see(reading->pairs, packet, &request);

    if (!is_chosen(reading->choice, packet))
        return;
    reading->shown++;
    if (reading->choice->summary)
        decode_summary_add(reading->summary, packet, answers ? &request : NULL);
    else if (reading->choice->json)
        decode_text_print_json(stdout, packet, answers ? &request : NULL);
    else
        decode_text_print(stdout, packet, answers ? &request : NULL);
}

static void tell_fault(struct reading *reading, const struct pcapng_fault *fault)
{
    fflush(stdout);
    if (reading->faults++ < FAULTS_MAX)
        fprintf(stderr, "xensock decode: error[E0706]: %s: offset %" PRIu64 ": %s\n",
                reading->choice->path, fault->offset, fault->what);
}

/* A file may hold other captures beside ours, as mergecap makes them: they are left out. */
static void take_packet(struct reading *reading, const struct pcapng_reader *file,
                        const struct pcapng_read_packet *from)
{
    struct pcapng_fault fault;
    struct decode_packet packet;

    if (pcapng_read_interface(file, from->interface)->link_type != CAPTURE_LINKTYPE)
        reading->strangers++;
    else if (decode_take(from, &packet, &fault))
        show(reading, &packet);
    else
        tell_fault(reading, &fault);
}

/* ---- what is said of the file as a whole ---- */

static void note(const struct reading *reading, const char *what, uint64_t count)
{
    fflush(stdout);
    fprintf(stderr, "xensock decode: note: %s: %s: %" PRIu64 "\n", reading->choice->path, what,
            count);
}

static void check_links(struct reading *reading, const struct pcapng_reader *file)
{
    struct pcapng_fault fault;
    uint32_t ours = 0, count = pcapng_read_interfaces(file);

    for (uint32_t i = 0; i < count; i++)
        ours += pcapng_read_interface(file, i)->link_type == CAPTURE_LINKTYPE;
    if (count > 0 && ours == 0) {
        pcapng_fault(&fault, pcapng_read_interface(file, 0)->offset,
                     "a capture of link type %u; those of xensock have %d",
                     pcapng_read_interface(file, 0)->link_type, CAPTURE_LINKTYPE);
        tell_fault(reading, &fault);
    } else if (reading->strangers > 0) {
        note(reading, "packets of other link types left out", reading->strangers);
    }
}

static void tell_dropped(const struct reading *reading, const struct pcapng_reader *file)
{
    uint64_t dropped = 0;

    for (uint32_t i = 0; i < pcapng_read_interfaces(file); i++)
        dropped += pcapng_read_interface(file, i)->dropped;
    if (dropped > 0)
        note(reading, "packets not captured, for want of room", dropped);
}

static void read_file(struct reading *reading, FILE *in)
{
    struct pcapng_reader *file = pcapng_read_open(in);
    struct pcapng_read_packet packet;
    struct pcapng_fault fault;
    int got = 0;

    while (reading->shown < reading->choice->limit &&
           (got = pcapng_read_next(file, &packet, &fault)) == 1)
        take_packet(reading, file, &packet);
    if (got < 0)
        tell_fault(reading, &fault);
    check_links(reading, file);
    tell_dropped(reading, file);
    pcapng_read_close(file);
}

static int decode(const struct choice *choice, FILE *in)
{
    struct reading reading = {
        .choice = choice, .pairs = decode_pairs_create(), .summary = decode_summary_create()};

    read_file(&reading, in);
    if (choice->summary && choice->json)
        decode_summary_print_json(stdout, reading.summary);
    else if (choice->summary)
        decode_summary_print(stdout, reading.summary);
    if (reading.faults > FAULTS_MAX)
        fprintf(stderr, "xensock decode: %" PRIu64 " more errors\n", reading.faults - FAULTS_MAX);
    decode_pairs_destroy(reading.pairs);
    decode_summary_destroy(reading.summary);
    return reading.faults ? CMD_USAGE : CMD_OK;
}

int cmd_decode(int argc, char **argv)
{
    static const struct option options[] = {
        {"guest", required_argument, NULL, 'g'}, {"socket", required_argument, NULL, 's'},
        {"kind", required_argument, NULL, 'k'},  {"command", required_argument, NULL, 'c'},
        {"side", required_argument, NULL, 'd'},  {"limit", required_argument, NULL, 'l'},
        {"json", no_argument, NULL, 'j'},        {"summary", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    struct choice choice = {.limit = UINT64_MAX};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (!read_option(option, &choice))
            return CMD_USAGE;
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    choice.path = argv[optind];
    if (strcmp(choice.path, "-") == 0)
        return decode(&choice, stdin);
    FILE *in = fopen(choice.path, "re");
    if (!in) {
        fprintf(stderr, "xensock decode: error[E0706]: %s: cannot be read: %s\n", choice.path,
                strerror(errno));
        return CMD_USAGE;
    }
    int code = decode(&choice, in);
    fclose(in);
    return code;
}
