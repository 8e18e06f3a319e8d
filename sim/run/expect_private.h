/* What the files of expect.h share. */
#ifndef XENSOCK_SIM_RUN_EXPECT_PRIVATE_H
#define XENSOCK_SIM_RUN_EXPECT_PRIVATE_H

#include "sim/run/expect.h"

enum expect_lexeme {
    EXPECT_LEX_END,
    EXPECT_LEX_NUMBER,
    EXPECT_LEX_TEXT,
    EXPECT_LEX_NAME,
    EXPECT_LEX_SIGN, /* an operator, or any other character */
};

/* A token: `length` bytes of the text from `at`. */
struct expect_token {
    enum expect_lexeme lexeme;
    size_t at, length;
};

struct expect_parser {
    struct expect *expect;
    const struct study *study;
    struct diag_list *diags;
    struct diag_place place; /* of the text's first character */
    const char *text;
    struct expect_token token; /* the next one */
    bool failed;               /* and reported */
};

/* Report a fault of `length` bytes from `at`, the first one only: then the last diagnostic is it,
 * for a hint. Returns false if it was not the first. */
bool expect_fail(struct expect_parser *parser, enum diag_code code, const struct expect_token *at,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Go on to the next token. */
void expect_advance(struct expect_parser *parser);

/* Whether the token is this sign, or this word. */
bool expect_is(const struct expect_parser *parser, const char *sign);

/* A number with its unit out of a token of it: false if it is none. */
bool expect_number(const char *text, const struct expect_token *token, struct ratio *number,
                   struct expect_dim *dim);

/* What a name means: fills in a node; false with it reported. */
bool expect_name(struct expect_parser *parser, const struct expect_token *token,
                 struct expect_node *node);

/* Whether this is the name of a function. */
bool expect_is_function(const char *name);

/* The dimension of a metric's or an axis' unit, as results word it, NULL for none; and a value of
 * it as expressions have it: in ns, bytes, and what is made of them. */
struct expect_dim expect_unit_dim(const char *unit);
struct ratio expect_unit_number(const char *unit, uint64_t value);

/* A dimension in words: "a time", "bytes/s". */
const char *expect_dim_words(struct expect_dim dim);

static inline bool expect_same_dim(struct expect_dim a, struct expect_dim b)
{
    return a.time == b.time && a.data == b.data;
}

#endif
