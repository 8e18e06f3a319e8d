/*
 * The dissector's constants are those of the program's own tables.
 *
 * tools/wireshark/xensock_constants.lua is printed by this program from the dialects' rows, the
 * lists of capture_format.h and decode.h, and the table of errors; a file that is not what is
 * printed now fails. `test_constants --accept` writes it anew; `git diff` then shows what changed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "ringlib/err.h"
#include "sim/run/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH XENSOCK_SOURCE_DIR "/tools/wireshark/xensock_constants.lua"

static const char *const role_names[] = {
#define X(constant, name) name,
    DECODE_ROLES(X)
#undef X
};

#define PAIR(constant, number, name) fprintf(out, "\n    [%d] = \"%s\",", number, name);
#define NAMED(name, number) fprintf(out, "\n    [%d] = \"%s\",", number, name);
#define ERROR(name, number) fprintf(out, "\n    [%d] = \"E%s\",", number, #name);

static void print_lists(FILE *out)
{
    fprintf(out, "  version = %d,\n  header_bytes = %zu,\n", CAPTURE_VERSION,
            sizeof(struct capture_header));
    fputs("  kinds = {", out);
    CAPTURE_KINDS(PAIR)
    fputs("\n  },\n  sides = {", out);
    CAPTURE_SIDES(PAIR)
    fputs("\n  },\n  moves = {", out);
    CAPTURE_MOVES(PAIR)
    fputs("\n  },\n  rings = {", out);
    CAPTURE_RINGS(PAIR)
    fputs("\n  },\n  words = {", out);
    CAPTURE_WORDS(PAIR)
    fputs("\n  },\n  families = {", out);
    DECODE_FAMILIES(NAMED)
    fputs("\n  },\n  types = {", out);
    DECODE_TYPES(NAMED)
    fputs("\n  },\n  errors = {", out);
    ERR_LIST(ERROR)
    fputs("\n  },\n", out);
}

static void print_header(FILE *out)
{
    fputs("  header = {\n", out);
#define FIELD(member)                                                                              \
    fprintf(out, "    %s = {at = %zu, bytes = %zu},\n", #member,                                   \
            offsetof(struct capture_header, member),                                               \
            sizeof(((struct capture_header *)0)->member));
    FIELD(version)
    FIELD(kind)
    FIELD(side)
    FIELD(moved)
    FIELD(front)
    FIELD(back)
    FIELD(device)
    FIELD(dialect)
    FIELD(ring)
    FIELD(index)
    FIELD(sockid)
    FIELD(bytes)
    FIELD(what)
#undef FIELD
    fputs("  },\n", out);
}

static void print_rows(FILE *out, const struct dialect_row *rows, uint32_t count, bool is_response)
{
    fputs("{", out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out,
                "\n        {name = \"%s\", at = %u, bytes = %u, count = %u, signed = %s, role = "
                "\"%s\"},",
                rows[i].name, rows[i].wire_at, rows[i].wire_bytes, rows[i].count,
                rows[i].is_signed ? "true" : "false",
                role_names[decode_role(&rows[i], is_response)]);
    fputs(count ? "\n      }" : "}", out);
}

static void print_dialect(FILE *out, uint32_t place, const struct dialect *dialect)
{
    fprintf(out, "    [%u] = {\n      name = \"%s\", request_bytes = %u, response_bytes = %u,\n",
            place, dialect->name, dialect->request_bytes, dialect->response_bytes);
    fputs("      request = ", out);
    print_rows(out, dialect->request, dialect->request_rows, false);
    fputs(",\n      response = ", out);
    print_rows(out, dialect->response, dialect->response_rows, true);
    fputs(",\n      commands = {\n", out);
    for (uint32_t kind = 0; kind < CALL_KINDS; kind++) {
        const struct dialect_call *call = &dialect->calls[kind];

        if (!call->exists)
            continue;
        fprintf(out, "      [%u] = {name = \"%s\", rows = ", call->code,
                call_name((enum call_kind)kind));
        print_rows(out, call->rows, call->row_count, false);
        fputs("},\n", out);
    }
    fputs("      },\n    },\n", out);
}

static void print_constants(FILE *out)
{
    fputs("-- What xensock.lua needs to know, printed from the program's own tables by\n"
          "-- tests/decode/test_constants.c: nothing here is to be changed by hand.\n"
          "return {\n",
          out);
    print_lists(out);
    print_header(out);
    fputs("  dialects = {\n", out);
    for (uint32_t i = 0; dialect_at(i); i++)
        print_dialect(out, i, dialect_at(i));
    fputs("  },\n}\n", out);
}

static void test_file_is_what_is_printed(void **state)
{
    char *wanted = NULL, *got;
    size_t bytes;
    FILE *out = open_memstream(&wanted, &bytes), *in = fopen(PATH, "r");

    (void)state;
    assert_non_null(out);
    print_constants(out);
    fclose(out);
    assert_non_null(in);
    got = calloc(1, bytes + 2);
    assert_non_null(got);
    size_t had = fread(got, 1, bytes + 1, in);
    fclose(in);
    if (had != bytes || memcmp(got, wanted, bytes) != 0)
        fail_msg("%s is not what the tables say; if they are right: test_constants --accept", PATH);
    free(got);
    free(wanted);
}

/* Every member a row of a dialect fills has a role of its own, or is a plain number by choice. */
static void test_each_command_has_its_common_roles(void **state)
{
    (void)state;
    for (uint32_t i = 0; dialect_at(i); i++) {
        const struct dialect *dialect = dialect_at(i);
        uint32_t seen = 0;

        for (uint32_t row = 0; row < dialect->response_rows; row++)
            seen |= 1u << decode_role(&dialect->response[row], true);
        assert_int_equal(seen, 1u << DECODE_ID | 1u << DECODE_CODE | 1u << DECODE_SOCKID |
                                   1u << DECODE_RET);
        seen = 0;
        for (uint32_t row = 0; row < dialect->request_rows; row++)
            seen |= 1u << decode_role(&dialect->request[row], false);
        assert_int_equal(seen, 1u << DECODE_ID | 1u << DECODE_CODE | 1u << DECODE_SOCKID);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_is_what_is_printed),
        cmocka_unit_test(test_each_command_has_its_common_roles),
    };

    if (argc == 2 && strcmp(argv[1], "--accept") == 0) {
        FILE *out = fopen(PATH, "w");

        assert_non_null(out);
        print_constants(out);
        return fclose(out) == 0 ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
