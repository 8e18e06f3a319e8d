/* xensock trace export: a capture for Perfetto. See trace_export.h and xensock(1). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/trace_export.h"

#include "sim/run/units.h"
#include "tools/capturing.h"
#include "tools/cmd.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPTURE_CODE "E0706"

static const char help[] =
    "usage: xensock trace export CAPTURE [OPTION]...\n"
    "\n"
    "Makes of a capture (`xensock run --capture FILE`) a trace for ui.perfetto.dev, in Chrome's\n"
    "format: commands, rounds and bytes with their stages, notifications with the wake-ups they\n"
    "caused, how full the rings were. `xensock run --trace FILE.json` makes it at once.\n"
    "\n"
    "  -o FILE               write it there (default: standard output)\n"
    "  --from DURATION       only what begins then or later: virtual time, or, of a run of\n"
    "                        processes, time since its first packet\n"
    "  --to DURATION         only what begins then or earlier\n"
    "  --limit N             at most so many events (default 200000)\n"
    "\n"
    "  xensock trace export out.pcapng -o out.json --from 200ms --to 210ms\n";

bool trace_export_is(const char *file)
{
    size_t bytes = strlen(file);

    return bytes > 5 && strcmp(file + bytes - 5, ".json") == 0;
}

void trace_export_note(const struct perfetto_summary *summary)
{
    if (summary->left_out > 0)
        fprintf(stderr,
                "xensock: note: of the trace %" PRIu64 " more events, from %" PRIu64 ".%09" PRIu64
                " s on, were left out for its limit\n",
                summary->left_out, summary->left_since_ns / 1000000000,
                summary->left_since_ns % 1000000000);
}

/* To a stream, which is flushed: NULL, or an error's code with the reason. */
static const char *export_to(const char *capture, FILE *out, const struct perfetto_config *config,
                             struct perfetto_summary *summary, char why[TRACE_EXPORT_WHY_BYTES])
{
    struct pcapng_fault fault;
    FILE *in = fopen(capture, "re");
    bool good = in ? perfetto_export(in, config, out, summary, &fault)
                   : pcapng_fault(&fault, 0, "cannot be read: %s", strerror(errno));

    if (in)
        fclose(in);
    if (!good) {
        snprintf(why, TRACE_EXPORT_WHY_BYTES, "%s: offset %" PRIu64 ": %s", capture, fault.offset,
                 fault.what);
        return CAPTURE_CODE;
    }
    if (fflush(out) == 0 && !ferror(out))
        return NULL;
    snprintf(why, TRACE_EXPORT_WHY_BYTES, "the trace is not whole: %s", strerror(errno));
    return TRACE_EXPORT_CODE;
}

static const char *cannot_write(const char *to, const char *reason,
                                char why[TRACE_EXPORT_WHY_BYTES])
{
    snprintf(why, TRACE_EXPORT_WHY_BYTES, "cannot write the trace %s: %s", to, reason);
    return TRACE_EXPORT_CODE;
}

/* The file beside `to` which becomes it, its name for free(); NULL with the reason. */
static FILE *open_under(const char *to, char **under, char why[TRACE_EXPORT_WHY_BYTES])
{
    const char *refused = capturing_refused(to);

    if (asprintf(under, "%s.part-%ld", to, (long)getpid()) < 0)
        assert(!"there is memory");
    FILE *out = refused ? NULL : fopen(*under, "we");
    if (out)
        return out;
    cannot_write(to, refused ? refused : strerror(errno), why);
    free(*under);
    return NULL;
}

bool trace_export_can(const char *to, char why[TRACE_EXPORT_WHY_BYTES])
{
    char *under;
    FILE *out = open_under(to, &under, why);

    if (!out)
        return false;
    fclose(out);
    unlink(under);
    free(under);
    return true;
}

const char *trace_export_file(const char *capture, const char *to,
                              const struct perfetto_config *config,
                              struct perfetto_summary *summary, char why[TRACE_EXPORT_WHY_BYTES])
{
    char *under;
    FILE *out = open_under(to, &under, why);

    if (!out)
        return TRACE_EXPORT_CODE;
    const char *error = export_to(capture, out, config, summary, why);
    if (fclose(out) != 0 && !error)
        error = cannot_write(to, strerror(errno), why);
    if (!error && rename(under, to) < 0)
        error = cannot_write(to, strerror(errno), why);
    if (error)
        unlink(under);
    free(under);
    return error;
}

static bool read_time(const char *option, const char *text, uint64_t *time_ns)
{
    if (units_parse_duration(text, time_ns) == UNITS_OK)
        return true;
    fprintf(stderr, "xensock: error: %s takes a duration (%s), not '%s'\n", option,
            UNITS_OF_DURATION, text);
    return false;
}

int trace_export(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},     {"limit", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    struct perfetto_config config = {.to_ns = UINT64_MAX, .limit = PERFETTO_LIMIT_DEFAULT};
    struct perfetto_summary summary;
    const char *to = NULL;
    char why[TRACE_EXPORT_WHY_BYTES];
    bool good = true;
    int option;

    while (good && (option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        switch (option) {
        case 'h': return cmd_help(help);
        case 'o': to = optarg; break;
        case 'f': good = read_time("--from", optarg, &config.from_ns); break;
        case 't': good = read_time("--to", optarg, &config.to_ns); break;
        case 'l': good = cmd_number("--limit", optarg, UINT64_MAX, &config.limit); break;
        default: good = false;
        }
    }
    if (!good)
        return CMD_USAGE;
    if (optind != argc - 1)
        return cmd_usage(help);
    const char *error = to ? trace_export_file(argv[optind], to, &config, &summary, why)
                           : export_to(argv[optind], stdout, &config, &summary, why);
    if (!error)
        trace_export_note(&summary);
    else
        fprintf(stderr, "xensock trace export: error[%s]: %s\n", error, why);
    return error ? CMD_USAGE : CMD_OK;
}
