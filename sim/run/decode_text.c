/* Captured packets in words, and as JSON. See decode_text.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/decode_text.h"

#include "ringlib/err.h"
#include "sim/run/units.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Append to `text`; what does not fit is cut. */
static void add(char text[DECODE_TEXT_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char text[DECODE_TEXT_BYTES], const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, DECODE_TEXT_BYTES - used, format, arguments);
    va_end(arguments);
}

/* ---- values ---- */

static const char *family_name(uint64_t family)
{
    switch (family) {
#define X(name, number)                                                                            \
    case number: return name;
        DECODE_FAMILIES(X)
#undef X
    }
    return NULL;
}

static const char *type_name(uint64_t type)
{
    switch (type) {
#define X(name, number)                                                                            \
    case number: return name;
        DECODE_TYPES(X)
#undef X
    }
    return NULL;
}

/* The name of a result that is an error; NULL for others, and for numbers that have none. */
static const char *error_name(int32_t ret)
{
    const char *name = err_name(ret);

    return ret < 0 && strcmp(name, "E?") != 0 ? name : NULL;
}

void decode_text_result(int32_t ret, char text[DECODE_RESULT_BYTES])
{
    if (error_name(ret))
        snprintf(text, DECODE_RESULT_BYTES, "-%s", error_name(ret));
    else
        snprintf(text, DECODE_RESULT_BYTES, "%" PRId32, ret);
}

void decode_text_addr(const struct call_addr *addr, char text[DECODE_ADDR_BYTES])
{
    char ip[INET6_ADDRSTRLEN];

    if (call_addr_check(addr) == 0) {
        bool v4 = call_addr_family(addr) == CALL_AF_INET;

        inet_ntop(v4 ? AF_INET : AF_INET6, addr->bytes + (v4 ? 4 : 8), ip, sizeof(ip));
        snprintf(text, DECODE_ADDR_BYTES, v4 ? "%s:%u" : "[%s]:%u", ip,
                 (unsigned)call_addr_port(addr));
        return;
    }
    for (uint32_t i = 0; i < CALL_ADDR_BYTES; i++)
        snprintf(text + 2 * i, DECODE_ADDR_BYTES - 2 * i, "%02x", addr->bytes[i]);
}

/* ---- rows ---- */

/* The rows of a packet's slot: those that every request or response has, then the command's own. */
struct rows {
    const struct dialect_row *common, *own;
    uint32_t common_count, own_count;
};

static struct rows rows_of(const struct decode_packet *packet)
{
    const struct dialect *dialect = packet->dialect;
    struct rows rows = {dialect->request, NULL, dialect->request_rows, 0};

    if (packet->header.kind == CAPTURE_RESPONSE)
        return (struct rows){dialect->response, NULL, dialect->response_rows, 0};
    if (packet->kind < CALL_KINDS) {
        rows.own = dialect->calls[packet->kind].rows;
        rows.own_count = dialect->calls[packet->kind].row_count;
    }
    return rows;
}

static const struct dialect_row *row_at(const struct rows *rows, uint32_t i)
{
    return i < rows->common_count ? &rows->common[i] : &rows->own[i - rows->common_count];
}

/* Append the name of the i-th row. */
static void add_name(char text[DECODE_TEXT_BYTES], const struct decode_packet *packet,
                     const struct rows *rows, uint32_t i)
{
    const char *name = row_at(rows, i)->name;
    bool is_taken = false;

    for (uint32_t common = 0; common < rows->common_count && i >= rows->common_count; common++)
        is_taken |= strcmp(rows->common[common].name, name) == 0;
    for (const char *c = call_name(packet->kind); is_taken && *c; c++)
        add(text, "%c", tolower((unsigned char)*c));
    add(text, is_taken ? ".%s" : "%s", name);
}

/* Several numbers, what follows each other as FIRST..LAST, without the zeros behind the last. */
static void add_numbers(char text[DECODE_TEXT_BYTES], const struct dialect_row *row,
                        const uint8_t *slot)
{
    uint32_t count = row->count, last;

    while (count > 1 && decode_value(row, slot, count - 1) == 0)
        count--;
    for (uint32_t i = 0; i < count; i = last + 1) {
        uint64_t value = decode_value(row, slot, i);

        for (last = i; last + 1 < count; last++)
            if (decode_value(row, slot, last + 1) != value + (last + 1 - i))
                break;
        add(text, "%s%" PRIu64, i ? "," : "", value);
        if (last > i)
            add(text, "..%" PRIu64, value + (last - i));
    }
}

static void add_word(char text[DECODE_TEXT_BYTES], const char *word, uint64_t number)
{
    if (word)
        add(text, "%s", word);
    else
        add(text, "%" PRIu64, number);
}

static void add_value(char text[DECODE_TEXT_BYTES], const struct decode_packet *packet,
                      const struct dialect_row *row)
{
    uint64_t value = decode_value(row, packet->slot, 0);
    enum decode_role role = decode_role(row, packet->header.kind == CAPTURE_RESPONSE);
    char addr[DECODE_ADDR_BYTES], result[DECODE_RESULT_BYTES];

    switch (role) {
    case DECODE_SOCKID: add(text, "0x%" PRIx64, value); return;
    case DECODE_FAMILY: add_word(text, family_name(value), value); return;
    case DECODE_TYPE: add_word(text, type_name(value), value); return;
    case DECODE_ADDR:
        decode_text_addr(&packet->addr, addr);
        add(text, "%s", addr);
        return;
    case DECODE_RET:
        decode_text_result((int32_t)value, result);
        add(text, "%s", result);
        return;
    case DECODE_NUMBER:
    case DECODE_ID:
    case DECODE_CODE:
    case DECODE_ADDR_LEN:
    case DECODE_ROLES_COUNT: add_numbers(text, row, packet->slot); return;
    }
}

/* ---- words ---- */

/* Whether a row says nothing that other words do not. */
static bool is_implied(const struct decode_packet *packet, const struct dialect_row *row)
{
    enum decode_role role = decode_role(row, packet->header.kind == CAPTURE_RESPONSE);

    return (role == DECODE_CODE && packet->kind < CALL_KINDS) ||
           (role == DECODE_ADDR_LEN && call_addr_check(&packet->addr) == 0);
}

static void slot_words(const struct decode_packet *packet, char text[DECODE_TEXT_BYTES])
{
    struct rows rows = rows_of(packet);

    add(text, "%s", call_name(packet->kind));
    for (uint32_t i = 0; i < rows.common_count + rows.own_count; i++) {
        if (is_implied(packet, row_at(&rows, i)))
            continue;
        add(text, " ");
        add_name(text, packet, &rows, i);
        add(text, " ");
        add_value(text, packet, row_at(&rows, i));
    }
}

static bool is_error_word(const struct decode_packet *packet)
{
    return packet->header.what == CAPTURE_IN_ERROR || packet->header.what == CAPTURE_OUT_ERROR;
}

static void index_words(const struct decode_packet *packet, char text[DECODE_TEXT_BYTES])
{
    const struct capture_header *header = &packet->header;
    const char *word = decode_word_name((enum capture_word)header->what);
    char error[DECODE_RESULT_BYTES];

    decode_text_result((int32_t)header->index, error);
    if (is_error_word(packet))
        add(text, "%s %s", word, error);
    else
        add(text, "%s +%" PRIu32 " to %" PRIu32, word, header->bytes, header->index);
}

void decode_text_words(const struct decode_packet *packet, char text[DECODE_TEXT_BYTES])
{
    text[0] = '\0';
    switch ((enum capture_kind)packet->header.kind) {
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE: slot_words(packet, text); break;
    case CAPTURE_INDEX: index_words(packet, text); break;
    case CAPTURE_NOTIFY: add(text, "port %" PRIu32, packet->header.index); break;
    }
}

void decode_text_print(FILE *out, const struct decode_packet *packet,
                       const struct decode_request *request)
{
    const struct capture_header *header = &packet->header;
    char words[DECODE_TEXT_BYTES], guest[16], ring[24] = "commands";

    decode_text_words(packet, words);
    snprintf(guest, sizeof(guest), "%u/%u", (unsigned)header->front, (unsigned)header->device);
    if (!decode_is_command(packet))
        snprintf(ring, sizeof(ring), "0x%" PRIx64, header->sockid);
    fprintf(out, "%6" PRIu64 ".%09" PRIu64 "  %-5s %-10s %-5s %-9s  %-8s  %s",
            packet->time_ns / 1000000000, packet->time_ns % 1000000000, guest, ring,
            decode_side_name((enum capture_side)header->side), decode_moved_name(packet),
            decode_kind_name(header->kind), words);
    if (request && packet->time_ns >= request->time_ns)
        fprintf(out, "  (%s)", units_format_latency(packet->time_ns - request->time_ns).text);
    fputc('\n', out);
}

/* ---- JSON ---- */

static void json_value(FILE *out, const struct decode_packet *packet, const struct dialect_row *row)
{
    enum decode_role role = decode_role(row, packet->header.kind == CAPTURE_RESPONSE);
    uint64_t value = decode_value(row, packet->slot, 0);
    char addr[DECODE_ADDR_BYTES];

    if (role == DECODE_ADDR) {
        decode_text_addr(&packet->addr, addr);
        fprintf(out, "\"%s\"", addr);
    } else if (role == DECODE_SOCKID) {
        fprintf(out, "\"0x%" PRIx64 "\"", value);
    } else if (role == DECODE_RET) {
        fprintf(out, "%" PRId32, (int32_t)value);
    } else if (row->count == 1) {
        fprintf(out, "%" PRIu64, value);
    } else {
        for (uint32_t i = 0; i < row->count; i++)
            fprintf(out, "%c%" PRIu64, i ? ',' : '[', decode_value(row, packet->slot, i));
        fputc(']', out);
    }
}

static void json_fields(FILE *out, const struct decode_packet *packet)
{
    struct rows rows = rows_of(packet);

    fputs(",\"fields\":{", out);
    for (uint32_t i = 0; i < rows.common_count + rows.own_count; i++) {
        char name[DECODE_TEXT_BYTES] = "";

        add_name(name, packet, &rows, i);
        fprintf(out, "%s\"%s\":", i ? "," : "", name);
        json_value(out, packet, row_at(&rows, i));
    }
    fputc('}', out);
}

static void json_error(FILE *out, int32_t error)
{
    if (error_name(error))
        fprintf(out, ",\"error\":\"%s\"", error_name(error));
}

static void json_slot(FILE *out, const struct decode_packet *packet,
                      const struct decode_request *request)
{
    fprintf(out, ",\"index\":%" PRIu32 ",\"command\":\"%s\",\"req_id\":%" PRIu32,
            packet->header.index, call_name(packet->kind), packet->id);
    if (packet->header.kind == CAPTURE_RESPONSE) {
        fprintf(out, ",\"ret\":%" PRId32, packet->ret);
        json_error(out, packet->ret);
    }
    if (request)
        fprintf(out, ",\"request_packet\":%" PRIu64, request->number);
    if (request && packet->time_ns >= request->time_ns)
        fprintf(out, ",\"response_ns\":%" PRIu64, packet->time_ns - request->time_ns);
    json_fields(out, packet);
}

static void json_index(FILE *out, const struct decode_packet *packet)
{
    const struct capture_header *header = &packet->header;

    fprintf(out, ",\"word\":\"%s\"", decode_word_name((enum capture_word)header->what));
    if (is_error_word(packet)) {
        fprintf(out, ",\"value\":%" PRId32, (int32_t)header->index);
        json_error(out, (int32_t)header->index);
    } else {
        fprintf(out, ",\"value\":%" PRIu32 ",\"moved_bytes\":%" PRIu32, header->index,
                header->bytes);
    }
}

void decode_text_print_json(FILE *out, const struct decode_packet *packet,
                            const struct decode_request *request)
{
    const struct capture_header *header = &packet->header;
    char words[DECODE_TEXT_BYTES];

    fprintf(out,
            "{\"packet\":%" PRIu64 ",\"offset_bytes\":%" PRIu64 ",\"time_ns\":%" PRIu64
            ",\"front\":%u,\"back\":%u,\"device\":%u,\"dialect\":\"%s\",\"ring\":\"%s\","
            "\"side\":\"%s\",\"moved\":\"%s\",\"kind\":\"%s\"",
            packet->number, packet->offset, packet->time_ns, (unsigned)header->front,
            (unsigned)header->back, (unsigned)header->device, packet->dialect->name,
            decode_is_command(packet) ? "commands" : "data",
            decode_side_name((enum capture_side)header->side), decode_moved_name(packet),
            decode_kind_name(header->kind));
    if (packet->slot || !decode_is_command(packet))
        fprintf(out, ",\"sockid\":\"0x%" PRIx64 "\"", packet->sockid);
    switch ((enum capture_kind)header->kind) {
    case CAPTURE_REQUEST:
    case CAPTURE_RESPONSE: json_slot(out, packet, request); break;
    case CAPTURE_INDEX: json_index(out, packet); break;
    case CAPTURE_NOTIFY: fprintf(out, ",\"port\":%" PRIu32, header->index); break;
    }
    decode_text_words(packet, words);
    fprintf(out, ",\"text\":\"%s\"}\n", words);
}
