/* xensock payload: the bytes of a stream on stdout, to compare with what a stranger received. */
#include "sim/run/payload.h"
#include "sim/run/units.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
    "usage: xensock payload --bytes SIZE [--seed N] [--workload I] [--socket N]\n"
    "\n"
    "Writes the first SIZE bytes that socket N (default 0; counted over all repeats) of the I-th\n"
    "workload (default 0) carries under the scenario's seed (default 1). They are a function of\n"
    "these numbers and the offset alone.\n"
    "\n"
    "  xensock payload --seed 42 --bytes 1GiB | xxh128sum\n"
    "  xensock payload --seed 42 --bytes 64MiB | cmp - received.bin\n";

static int write_stream(uint64_t key, uint64_t bytes)
{
    static uint8_t buffer[65536];

    for (uint64_t offset = 0; offset < bytes;) {
        uint64_t left = bytes - offset;
        size_t part = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);
        payload_fill(key, offset, buffer, part);
        if (fwrite(buffer, 1, part, stdout) != part) {
            perror("xensock payload: error: stdout");
            return CMD_FAILED;
        }
        offset += part;
    }
    return fflush(stdout) == 0 ? CMD_OK : CMD_FAILED;
}

int cmd_payload(int argc, char **argv)
{
    static const struct option options[] = {
        {"bytes", required_argument, NULL, 'b'},    {"seed", required_argument, NULL, 's'},
        {"workload", required_argument, NULL, 'w'}, {"socket", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    uint64_t bytes = 0, seed = 1, workload = 0, number = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == 'b' && units_parse_size(optarg, &bytes) != UNITS_OK) {
            fprintf(stderr, "xensock: error: --bytes takes a size (%s), not '%s'\n", UNITS_OF_SIZE,
                    optarg);
            return CMD_USAGE;
        }
        if ((option == 's' && !cmd_number("--seed", optarg, INT64_MAX, &seed)) ||
            (option == 'w' && !cmd_number("--workload", optarg, 15, &workload)) ||
            (option == 'n' && !cmd_number("--socket", optarg, UINT32_MAX, &number)) ||
            option == '?')
            return CMD_USAGE;
    }
    if (bytes == 0 || optind != argc)
        return cmd_usage(help);
    return write_stream(payload_key(seed, workload << 32 | number), bytes);
}
