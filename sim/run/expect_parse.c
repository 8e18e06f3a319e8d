/*
 * The parser of expressions: recursive descent, a function a level of the grammar of expect.h, each
 * of which returns a node, typed. After a fault every level comes back at once with node 0.
 */
#include "sim/run/expect_private.h"
#include "sim/run/study.h"

#include <string.h>

enum { DEPTH_MAX = 32 };
#define NO_AXIS UINT32_MAX

_Static_assert((int)STUDY_AXES_MAX <= (int)EXPECT_SELECTED_MAX, "an '@' may fix every axis");

static uint16_t parse_or(struct expect_parser *parser, uint32_t depth);

static struct expect_node *node_of(const struct expect_parser *parser, uint16_t node)
{
    return &parser->expect->nodes[node];
}

/* A new node; 0 if there is no room. Node 0 is what a fault gives, and is never used. */
static uint16_t node_add(struct expect_parser *parser, const struct expect_node *node)
{
    struct expect *expect = parser->expect;

    if (parser->failed)
        return 0;
    if (expect->count == EXPECT_NODES_MAX) {
        expect_fail(parser, DIAG_TOO_MANY, &parser->token, "the expression has too many parts");
        return 0;
    }
    expect->nodes[expect->count] = *node;
    return expect->count++;
}

static void fail_type(struct expect_parser *parser, const struct expect_token *at, uint16_t node,
                      const char *wanted)
{
    static const char *const types[] = {
        [EXPECT_IS_NUMBER] = "a number",
        [EXPECT_IS_TEXT] = "a text",
        [EXPECT_IS_TRUTH] = "true or false",
        [EXPECT_IS_HISTOGRAM] = "a histogram",
    };

    if (parser->failed)
        return;
    expect_fail(parser, DIAG_EXPECT_TYPE, at, "%s is wanted here, and this is %s", wanted,
                types[node_of(parser, node)->type]);
    if (node_of(parser, node)->type == EXPECT_IS_HISTOGRAM)
        diag_hint(parser->diags, "such as p99(%s)", node_of(parser, node)->name);
}

/* Whether a node is of this type; else that is reported. */
static bool is_type(struct expect_parser *parser, const struct expect_token *at, uint16_t node,
                    enum expect_type type, const char *wanted)
{
    if (!parser->failed && node_of(parser, node)->type != type)
        fail_type(parser, at, node, wanted);
    return !parser->failed;
}

static bool is_zero(const struct expect_node *node)
{
    return node->kind == EXPECT_NUMBER && node->number.over == 0;
}

static void fail_dims(struct expect_parser *parser, const struct expect_token *sign,
                      const struct expect_node *left, const struct expect_node *right)
{
    const struct expect_dim plain = expect_unit_dim(NULL);
    bool bare = (left->kind == EXPECT_NUMBER && expect_same_dim(left->dim, plain)) ||
                (right->kind == EXPECT_NUMBER && expect_same_dim(right->dim, plain));

    if (expect_fail(parser, DIAG_EXPECT_TYPE, sign, "%s stands here against %s",
                    expect_dim_words(left->dim), expect_dim_words(right->dim)) &&
        bare)
        diag_hint(parser->diags, "the number needs a unit, such as 250us, 64KiB, 100MB/s, 5000/s");
}

/* ---- what stands alone ---- */

static const struct function {
    const char *name;
    enum expect_kind kind;
    bool of_histogram;
} functions[] = {
    {"min", EXPECT_LEAST_OF, true},   {"max", EXPECT_MOST_OF, true},
    {"count", EXPECT_COUNT_OF, true}, {"median", EXPECT_MEDIAN, false},
    {"mean", EXPECT_MEAN, false},     {"least", EXPECT_LEAST, false},
    {"most", EXPECT_MOST, false},     {"sum", EXPECT_SUM, false},
};
enum { FUNCTION_COUNT = sizeof(functions) / sizeof(functions[0]) };

/* "p99.9" in ppm, at least 1 and at most 10^6; 0 if it is no percentile. */
static uint32_t percentile_ppm(const char *name)
{
    uint32_t ppm = 0, step = 0;

    if (name[0] != 'p' || name[1] == '\0' || name[1] == '.')
        return 0;
    for (const char *at = name + 1; *at; at++) {
        if (*at == '.' && step == 0) {
            step = 10000;
        } else if (*at < '0' || *at > '9' || ppm > 1000000) {
            return 0;
        } else if (step == 0) {
            ppm = ppm * 10 + (uint32_t)(*at - '0') * 10000;
        } else {
            step /= 10;
            ppm += step * (uint32_t)(*at - '0');
            if (step == 0)
                return 0;
        }
    }
    return ppm <= 1000000 ? ppm : 0;
}

static const struct function *function_find(const char *name)
{
    for (uint32_t i = 0; i < FUNCTION_COUNT; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

bool expect_is_function(const char *name)
{
    return percentile_ppm(name) > 0 || function_find(name);
}

static void fail_function(struct expect_parser *parser, const struct expect_token *token,
                          const char *name)
{
    const char *names[FUNCTION_COUNT + 3] = {"p50", "p99", "p99.9"};

    for (uint32_t i = 0; i < FUNCTION_COUNT; i++)
        names[i + 3] = functions[i].name;
    if (expect_fail(parser, DIAG_EXPECT_NAME, token, "no function is called '%s'", name))
        diag_suggest(parser->diags, name, "functions", names, FUNCTION_COUNT + 3);
}

static bool take(struct expect_parser *parser, const char *sign, const char *why)
{
    bool is = !parser->failed && expect_is(parser, sign);

    if (is)
        expect_advance(parser);
    else
        expect_fail(parser, DIAG_EXPRESSION, &parser->token, "expected '%s' %s", sign, why);
    return is;
}

/* The node of a function over an argument. */
static uint16_t apply(struct expect_parser *parser, const struct function *function, uint32_t ppm,
                      const struct expect_token *at, uint16_t argument)
{
    struct expect_node node = {.kind = ppm ? EXPECT_PERCENTILE : function->kind, .left = argument};
    const struct expect_node *of = node_of(parser, argument);

    if (parser->failed)
        return 0;
    node.of = of->of;
    node.dim = of->dim;
    node.number = ratio_of(ppm, 1);
    if (ppm || function->of_histogram) {
        if (!is_type(parser, at, argument, EXPECT_IS_HISTOGRAM, "a histogram such as latency.NAME"))
            return 0;
        if (!ppm && function->kind == EXPECT_COUNT_OF)
            node.dim = expect_unit_dim(NULL);
    } else {
        if (!is_type(parser, at, argument, EXPECT_IS_NUMBER, "a number"))
            return 0;
        if (!(of->of & EXPECT_OF_REPEAT))
            expect_fail(parser, DIAG_EXPECT_TYPE, at,
                        "%s() is over the repeats, and this is the same in each", function->name);
        node.of &= (uint8_t)~EXPECT_OF_REPEAT;
    }
    return node_add(parser, &node);
}

static uint16_t parse_call(struct expect_parser *parser, const struct expect_token *name,
                           uint32_t depth)
{
    const struct function *function;
    char word[EXPECT_NAME_BYTES];
    uint32_t ppm;

    snprintf(word, sizeof(word), "%.*s", (int)name->length, parser->text + name->at);
    ppm = percentile_ppm(word);
    function = function_find(word);
    if (!ppm && !function) {
        fail_function(parser, name, word);
        return 0;
    }
    expect_advance(parser); /* the bracket */
    const struct expect_token at = parser->token;
    uint16_t argument = parse_or(parser, depth + 1);
    take(parser, ")", "behind the argument");
    return apply(parser, function, ppm, &at, argument);
}

static uint16_t parse_leaf(struct expect_parser *parser)
{
    const struct expect_token token = parser->token;
    struct expect_node node = {.type = EXPECT_IS_NUMBER};

    if (token.lexeme == EXPECT_LEX_NUMBER) {
        node.kind = EXPECT_NUMBER;
        if (!expect_number(parser->text, &token, &node.number, &node.dim) &&
            expect_fail(parser, DIAG_EXPRESSION, &token, "'%.*s' is no number with a known unit",
                        (int)token.length, parser->text + token.at))
            diag_hint(parser->diags, "such as 250us, 64KiB, 100MB/s, 5000/s, 5%%");
    } else if (token.lexeme == EXPECT_LEX_TEXT) {
        node.kind = EXPECT_TEXT;
        node.type = EXPECT_IS_TEXT;
        if (token.length - 2 >= sizeof(node.name))
            expect_fail(parser, DIAG_EXPRESSION, &token, "a text has at most %zu bytes",
                        sizeof(node.name) - 1);
        snprintf(node.name, sizeof(node.name), "%.*s", (int)token.length - 2,
                 parser->text + token.at + 1);
    } else if (token.lexeme == EXPECT_LEX_NAME) {
        expect_name(parser, &token, &node);
    } else if (token.lexeme == EXPECT_LEX_END) {
        expect_fail(parser, DIAG_EXPRESSION, &token, "the expression ends too early");
    } else {
        expect_fail(parser, DIAG_EXPRESSION, &token,
                    parser->text[token.at] == '"' ? "a text without a second '\"'"
                                                  : "expected a number, a name or '('");
    }
    expect_advance(parser);
    return node_add(parser, &node);
}

static uint16_t parse_primary(struct expect_parser *parser, uint32_t depth)
{
    const struct expect_token token = parser->token;
    uint16_t inner;

    if (depth > DEPTH_MAX)
        expect_fail(parser, DIAG_TOO_MANY, &token, "nested more than %d deep", DEPTH_MAX);
    if (parser->failed)
        return 0;
    if (expect_is(parser, "(")) {
        expect_advance(parser);
        inner = parse_or(parser, depth + 1);
        take(parser, ")", "to close this");
        return inner;
    }
    if (token.lexeme == EXPECT_LEX_NAME && parser->text[token.at + token.length] == '(') {
        expect_advance(parser);
        return parse_call(parser, &token, depth);
    }
    return parse_leaf(parser);
}

/* ---- '@': at which other point ---- */

/* The value of an axis that a token means; its count if none. */
static uint32_t value_find(const struct expect_parser *parser, uint32_t axis,
                           const struct expect_token *token)
{
    const struct study_axis *of = &parser->study->axes[axis];
    size_t quotes = token->lexeme == EXPECT_LEX_TEXT;
    const char *text = parser->text + token->at + quotes;
    size_t length = token->length - 2 * quotes;
    struct expect_dim dim;
    struct ratio number;
    bool is_number = of->unit != STUDY_TEXT && token->lexeme == EXPECT_LEX_NUMBER &&
                     expect_number(parser->text, token, &number, &dim);

    for (uint32_t i = 0; i < of->count; i++) {
        const char *value = study_text(parser->study, axis, i);
        if (strlen(value) == length && strncmp(value, text, length) == 0)
            return i;
        if (is_number &&
            ratio_compare(number, expect_unit_number(study_unit_word(of->unit), of->numbers[i])) ==
                0 &&
            expect_same_dim(dim, expect_unit_dim(study_unit_word(of->unit))))
            return i;
    }
    return of->count;
}

/* One AXIS=VALUE. */
static void parse_selector(struct expect_parser *parser, struct expect_node *node)
{
    const struct expect_token name = parser->token;
    const char *names[STUDY_VALUES_MAX];
    char word[EXPECT_NAME_BYTES];
    uint32_t axis, value;

    snprintf(word, sizeof(word), "%.*s", (int)name.length, parser->text + name.at);
    axis = study_axis_find(parser->study, word);
    if (axis == parser->study->axis_count) {
        for (uint32_t i = 0; i < parser->study->axis_count; i++)
            names[i] = parser->study->axes[i].name;
        if (expect_fail(parser, DIAG_EXPECT_NAME, &name, "no axis of the sweep is called '%s'",
                        word))
            diag_suggest(parser->diags, word, "axes", names, parser->study->axis_count);
        return;
    }
    expect_advance(parser);
    if (!take(parser, "=", "and a value of the axis"))
        return;
    value = value_find(parser, axis, &parser->token);
    if (value == parser->study->axes[axis].count) {
        for (uint32_t i = 0; i < value; i++)
            names[i] = study_text(parser->study, axis, i);
        snprintf(word, sizeof(word), "%.*s", (int)parser->token.length,
                 parser->text + parser->token.at);
        if (expect_fail(parser, DIAG_EXPECT_NAME, &parser->token, "axis '%s' has no value '%s'",
                        parser->study->axes[axis].name, word))
            diag_suggest(parser->diags, word, "values", names, value);
        return;
    }
    node->selected[axis] = value;
    expect_advance(parser);
}

/* Whether the axes that a node selects leave only one point. */
static bool selects_one(const struct study *study, const struct expect_node *node)
{
    for (uint32_t i = 0; i < study->axis_count; i++) {
        bool fixed = false;
        for (uint32_t j = 0; j < study->axis_count; j++)
            fixed |= node->selected[j] != NO_AXIS && study->axes[j].along == study->axes[i].along;
        if (!fixed)
            return false;
    }
    return true;
}

static uint16_t parse_at(struct expect_parser *parser, uint32_t depth)
{
    uint16_t inner = parse_primary(parser, depth);

    while (!parser->failed && expect_is(parser, "@")) {
        struct expect_node node = *node_of(parser, inner);
        node.kind = EXPECT_AT;
        node.left = inner;
        memset(node.selected, 0xff, sizeof(node.selected));
        do {
            expect_advance(parser);
            parse_selector(parser, &node);
        } while (!parser->failed && expect_is(parser, ","));
        if (selects_one(parser->study, &node))
            node.of &= (uint8_t)~EXPECT_OF_POINT;
        inner = node_add(parser, &node);
    }
    return inner;
}

/* ---- what stands between ---- */

static uint16_t parse_minus(struct expect_parser *parser, uint32_t depth)
{
    const struct expect_token sign = parser->token;
    struct expect_node node;

    if (parser->failed || !expect_is(parser, "-"))
        return parse_at(parser, depth);
    expect_advance(parser);
    uint16_t inner = parse_at(parser, depth);
    if (!is_type(parser, &sign, inner, EXPECT_IS_NUMBER, "a number"))
        return 0;
    node = *node_of(parser, inner);
    node.kind = EXPECT_MINUS;
    node.left = inner;
    return node_add(parser, &node);
}

/* The node of a sign between two numbers. */
static uint16_t join(struct expect_parser *parser, enum expect_kind kind,
                     const struct expect_token *sign, uint16_t left, uint16_t right)
{
    struct expect_node node = {
        .kind = kind, .type = EXPECT_IS_NUMBER, .left = left, .right = right};
    const struct expect_node *a = node_of(parser, left), *b = node_of(parser, right);

    if (!is_type(parser, sign, left, EXPECT_IS_NUMBER, "a number") ||
        !is_type(parser, sign, right, EXPECT_IS_NUMBER, "a number"))
        return 0;
    node.of = a->of | b->of;
    node.dim = is_zero(a) ? b->dim : a->dim;
    if (kind == EXPECT_TIMES || kind == EXPECT_OVER) {
        int sense = kind == EXPECT_TIMES ? 1 : -1;
        node.dim = (struct expect_dim){(int8_t)(a->dim.time + sense * b->dim.time),
                                       (int8_t)(a->dim.data + sense * b->dim.data)};
    } else if (!expect_same_dim(a->dim, b->dim) && !is_zero(a) && !is_zero(b)) {
        fail_dims(parser, sign, a, b);
    }
    return node_add(parser, &node);
}

static uint16_t parse_product(struct expect_parser *parser, uint32_t depth)
{
    uint16_t left = parse_minus(parser, depth);

    while (!parser->failed && (expect_is(parser, "*") || expect_is(parser, "/"))) {
        const struct expect_token sign = parser->token;
        enum expect_kind kind = expect_is(parser, "*") ? EXPECT_TIMES : EXPECT_OVER;
        expect_advance(parser);
        left = join(parser, kind, &sign, left, parse_minus(parser, depth));
    }
    return left;
}

static uint16_t parse_sum(struct expect_parser *parser, uint32_t depth)
{
    uint16_t left = parse_product(parser, depth);

    while (!parser->failed && (expect_is(parser, "+") || expect_is(parser, "-"))) {
        const struct expect_token sign = parser->token;
        enum expect_kind kind = expect_is(parser, "+") ? EXPECT_PLUS : EXPECT_LESS_BY;
        expect_advance(parser);
        left = join(parser, kind, &sign, left, parse_product(parser, depth));
    }
    return left;
}

/* Whether an axis that is compared with a text has such a value: with another it never is equal. */
static bool is_value(struct expect_parser *parser, const struct expect_token *sign, uint16_t axis,
                     uint16_t text)
{
    const struct expect_node *of = node_of(parser, axis), *value = node_of(parser, text);
    const char *values[STUDY_VALUES_MAX];
    uint32_t count;

    if (of->kind != EXPECT_AXIS || value->kind != EXPECT_TEXT)
        return true;
    count = parser->study->axes[of->axis].count;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = study_text(parser->study, of->axis, i);
        if (strcmp(values[i], value->name) == 0)
            return true;
    }
    if (expect_fail(parser, DIAG_EXPECT_NAME, sign, "axis '%s' has no value '%s'",
                    parser->study->axes[of->axis].name, value->name))
        diag_suggest(parser->diags, value->name, "values", values, count);
    return false;
}

/* The node of a comparison: of two numbers, or, for equality, of two texts. */
static uint16_t compare(struct expect_parser *parser, enum expect_kind kind,
                        const struct expect_token *sign, uint16_t left, uint16_t right)
{
    struct expect_node node = {.kind = kind, .type = EXPECT_IS_TRUTH, .left = left, .right = right};
    bool equality = kind == EXPECT_EQUAL || kind == EXPECT_UNEQUAL;

    if (parser->failed)
        return 0;
    if (equality && node_of(parser, left)->type == EXPECT_IS_TEXT) {
        if (!is_type(parser, sign, right, EXPECT_IS_TEXT, "a \"text\"") ||
            !is_value(parser, sign, left, right) || !is_value(parser, sign, right, left))
            return 0;
    } else {
        uint16_t both = join(parser, EXPECT_PLUS, sign, left, right);
        if (both == 0)
            return 0;
        parser->expect->count = both; /* it was for its checks alone */
    }
    node.of = node_of(parser, left)->of | node_of(parser, right)->of;
    return node_add(parser, &node);
}

static uint16_t parse_comparison(struct expect_parser *parser, uint32_t depth)
{
    static const struct {
        const char *sign;
        enum expect_kind kind;
    } signs[] = {{"<", EXPECT_LESS},      {"<=", EXPECT_AT_MOST}, {">", EXPECT_MORE},
                 {">=", EXPECT_AT_LEAST}, {"==", EXPECT_EQUAL},   {"!=", EXPECT_UNEQUAL}};
    uint16_t left = parse_sum(parser, depth);

    for (size_t i = 0; !parser->failed && i < sizeof(signs) / sizeof(signs[0]); i++) {
        const struct expect_token sign = parser->token;
        if (!expect_is(parser, signs[i].sign))
            continue;
        expect_advance(parser);
        return compare(parser, signs[i].kind, &sign, left, parse_sum(parser, depth));
    }
    if (!parser->failed && expect_is(parser, "="))
        expect_fail(parser, DIAG_EXPRESSION, &parser->token, "expected '==' to compare");
    return left;
}

static uint16_t parse_not(struct expect_parser *parser, uint32_t depth)
{
    struct expect_node node = {.kind = EXPECT_NOT, .type = EXPECT_IS_TRUTH};

    if (parser->failed || !expect_is(parser, "not"))
        return parse_comparison(parser, depth);
    expect_advance(parser);
    const struct expect_token at = parser->token;
    if (depth > DEPTH_MAX)
        expect_fail(parser, DIAG_TOO_MANY, &at, "nested more than %d deep", DEPTH_MAX);
    node.left = parse_not(parser, depth + 1);
    if (!is_type(parser, &at, node.left, EXPECT_IS_TRUTH, "a comparison"))
        return 0;
    node.of = node_of(parser, node.left)->of;
    return node_add(parser, &node);
}

/* Several of `inner`, with a word between them. */
static uint16_t parse_joined(struct expect_parser *parser, uint32_t depth, const char *word,
                             enum expect_kind kind,
                             uint16_t (*inner)(struct expect_parser *, uint32_t))
{
    struct expect_token at = parser->token;
    uint16_t left = inner(parser, depth);

    while (!parser->failed && expect_is(parser, word)) {
        struct expect_node node = {.kind = kind, .type = EXPECT_IS_TRUTH, .left = left};
        is_type(parser, &at, left, EXPECT_IS_TRUTH, "a comparison");
        expect_advance(parser);
        at = parser->token;
        node.right = inner(parser, depth);
        if (!is_type(parser, &at, node.right, EXPECT_IS_TRUTH, "a comparison"))
            return 0;
        node.of = node_of(parser, left)->of | node_of(parser, node.right)->of;
        left = node_add(parser, &node);
    }
    return left;
}

static uint16_t parse_and(struct expect_parser *parser, uint32_t depth)
{
    return parse_joined(parser, depth, "and", EXPECT_AND, parse_not);
}

static uint16_t parse_or(struct expect_parser *parser, uint32_t depth)
{
    return parse_joined(parser, depth, "or", EXPECT_OR, parse_and);
}

int expect_parse(struct expect *expect, const char *text, const struct study *study,
                 struct diag_list *diags, struct diag_place place)
{
    struct expect_parser parser = {
        .expect = expect, .study = study, .diags = diags, .place = place, .text = text};
    const struct expect_token whole = {EXPECT_LEX_TEXT, 0, place.length};

    expect->count = 1; /* node 0 is none */
    expect_advance(&parser);
    expect->root = parse_or(&parser, 0);
    if (!parser.failed && parser.token.lexeme != EXPECT_LEX_END &&
        expect_fail(&parser, DIAG_EXPRESSION, &parser.token, "the expression should end here"))
        diag_hint(diags, "between two comparisons stands 'and' or 'or'");
    if (!parser.failed)
        is_type(&parser, &whole, expect->root, EXPECT_IS_TRUTH, "a comparison");
    if (parser.failed)
        expect->count = 0;
    return parser.failed ? -1 : 0;
}
