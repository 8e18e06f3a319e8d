/* Reading captures and checking what is printed of them. See captures.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/captures.h"

#include "sim/run/decode_summary.h"
#include "sim/run/decode_text.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void show(const struct decode_packet *packet, struct decode_pairs *pairs,
                 struct decode_summary *summary, FILE *text, FILE *json)
{
    struct decode_request request;
    bool answers = decode_pairs_see(pairs, packet, &request);

    decode_text_print(text, packet, answers ? &request : NULL);
    decode_text_print_json(json, packet, answers ? &request : NULL);
    decode_summary_add(summary, packet, answers ? &request : NULL);
}

/* Read all that can be read, and print it in each way. */
static struct captures_outcome read_into(FILE *in, FILE *text, FILE *json)
{
    struct pcapng_reader *file = pcapng_read_open(in);
    struct decode_pairs *pairs = decode_pairs_create();
    struct decode_summary *summary = decode_summary_create();
    struct captures_outcome outcome = {0};
    struct pcapng_read_packet from;
    struct decode_packet packet;
    struct pcapng_fault fault;

    while ((outcome.end = pcapng_read_next(file, &from, &outcome.fault)) == 1) {
        assert(from.interface < pcapng_read_interfaces(file));
        outcome.packets++;
        if (decode_take(&from, &packet, &fault))
            show(&packet, pairs, summary, text, json);
        else
            assert(fault.offset >= from.offset && fault.what[0]);
    }
    decode_summary_print(text, summary);
    decode_summary_print_json(json, summary);
    decode_pairs_destroy(pairs);
    decode_summary_destroy(summary);
    pcapng_read_close(file);
    return outcome;
}

static void check_text(const char *text, const char *json)
{
    for (const char *c = text; *c; c++)
        assert((*c >= ' ' && *c <= '~') || *c == '\n');
    while (*json) {
        size_t length = strcspn(json, "\n");
        json_t *line =
            json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);

        assert(line);
        json_decref(line);
        json += length + 1;
    }
}

/* The bytes are copied, so that a sanitizer sees who reads behind them. */
struct captures_outcome captures_read(const uint8_t *bytes, uint32_t size)
{
    char *text = NULL, *json = NULL;
    size_t text_bytes, json_bytes;
    uint8_t *copy = malloc(size);
    FILE *in = fmemopen(copy, size, "r"), *to_text = open_memstream(&text, &text_bytes),
         *to_json = open_memstream(&json, &json_bytes);

    assert(copy && in && to_text && to_json);
    memcpy(copy, bytes, size);
    struct captures_outcome outcome = read_into(in, to_text, to_json);
    fclose(in);
    fclose(to_text);
    fclose(to_json);
    check_text(text, json);
    free(copy);
    free(text);
    free(json);
    return outcome;
}
