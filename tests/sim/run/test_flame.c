/* Flame graphs: what is read of two profilers' texts, the table's sums, and the picture's bytes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/flame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct flame *read_text(uint64_t (*read)(struct flame *, FILE *), const char *text,
                               uint64_t bad)
{
    struct flame *flame = flame_create();
    FILE *in = tmpfile();

    assert_non_null(flame);
    assert_non_null(in);
    fputs(text, in);
    rewind(in);
    assert_int_equal(read(flame, in), bad);
    fclose(in);
    return flame;
}

/* For free(). */
static char *table_of(const struct flame *flame)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    flame_print_table(flame, out, "samples");
    fclose(out);
    return text;
}

static char *svg_of(const struct flame *flame, const char *title)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    flame_print_svg(flame, out, title, "samples");
    fclose(out);
    return text;
}

static void assert_table(const struct flame *flame, const char *expected)
{
    char *text = table_of(flame);

    assert_string_equal(text, expected);
    free(text);
}

static uint32_t occurrences(const char *text, const char *part)
{
    uint32_t count = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* A function's own amount, and that with all it calls: once a stack, however often it is in it. */
static void collapsed(void **state)
{
    (void)state;
    struct flame *flame = read_text(flame_read_collapsed,
                                    "main<000000000000c1d0>;step;copy 6\n"
                                    "main;step;step 2\n"
                                    "main 1\r\n"
                                    "\n"
                                    "main;idle[inline] 1\n",
                                    0);

    assert_int_equal(flame_total(flame), 10);
    assert_table(flame, "Total: 10 samples\n"
                        "         6  60.0%  60.0%          6  60.0% copy\n"
                        "         2  20.0%  80.0%          8  80.0% step\n"
                        "         1  10.0%  90.0%         10 100.0% main\n"
                        "         1  10.0% 100.0%          1  10.0% idle[inline]\n");
    assert_table(flame, "Total: 10 samples\n" /* it can be asked again */
                        "         6  60.0%  60.0%          6  60.0% copy\n"
                        "         2  20.0%  80.0%          8  80.0% step\n"
                        "         1  10.0%  90.0%         10 100.0% main\n"
                        "         1  10.0% 100.0%          1  10.0% idle[inline]\n");
    flame_destroy(flame);
}

static void perf(void **state)
{
    (void)state;
    struct flame *flame = read_text(flame_read_perf,
                                    "\tffffffff822016f7 _raw_spin_lock\n"
                                    "\t           7a898 operator new[](unsigned long)\n"
                                    "\t           14b21 main\n"
                                    "\tffffffffffffffff [unknown]\n"
                                    "\n"
                                    "\t           14b21 main\n"
                                    "\n\n"
                                    "\t           7b248 [unknown]\n"
                                    "\t           14b21 main\n",
                                    0);

    assert_table(flame,
                 "Total: 3 samples\n"
                 "         1  33.3%  33.3%          3 100.0% main\n"
                 "         1  33.3%  66.7%          1  33.3% [unknown]\n"
                 "         1  33.3% 100.0%          1  33.3% _raw_spin_lock [k]\n"
                 "         0   0.0% 100.0%          1  33.3% operator new[](unsigned long)\n");
    flame_destroy(flame);
}

/* What is neither is counted, and does no harm to the rest. */
static void rubbish(void **state)
{
    (void)state;
    struct flame *flame =
        read_text(flame_read_collapsed,
                  "main;step\nmain;step x\n 3\nmain 3x\nmain;step -1\nmain;;step 2\n", 5);

    assert_int_equal(flame_total(flame), 2);
    flame_destroy(flame);
    flame =
        read_text(flame_read_perf, "swapper 0 [000] 1.0: cycles:\n\t 14b21\n\t 14b21 main\n", 2);
    assert_int_equal(flame_total(flame), 1);
    flame_destroy(flame);
}

/* The same picture in whatever order the stacks came. */
static void order(void **state)
{
    (void)state;
    struct flame *one = read_text(flame_read_collapsed, "a;b 1\na;c;d 2\na;c 3\nb 4\n", 0);
    struct flame *other = read_text(flame_read_collapsed, "b 4\na;c 3\na;b 1\na;c;d 2\n", 0);
    char *left = svg_of(one, "t"), *right = svg_of(other, "t");

    assert_string_equal(left, right);
    free(left);
    free(right);
    flame_destroy(one);
    flame_destroy(other);
}

/* Each frame tells its amount, stands on its caller, and begins where its caller does or where the
 * one before it ends. */
static void picture(void **state)
{
    (void)state;
    struct flame *flame = read_text(flame_read_collapsed, "main;first 1\nmain;second 3\n", 0);
    char *svg = svg_of(flame, "t");

    assert_non_null(strstr(svg, "<g transform=\"translate(0,80)\"><title>all: 4 samples, 100.0 %"
                                "</title><rect x=\"10.00\" width=\"1200.00\""));
    assert_non_null(strstr(svg, "<g transform=\"translate(0,63)\"><title>main: 4 samples, 100.0 %"
                                "</title><rect x=\"10.00\" width=\"1200.00\""));
    assert_non_null(strstr(svg, "<g transform=\"translate(0,46)\"><title>first: 1 samples, 25.0 %"
                                "</title><rect x=\"10.00\" width=\"300.00\""));
    assert_non_null(strstr(svg, "<g transform=\"translate(0,46)\"><title>second: 3 samples, 75.0 %"
                                "</title><rect x=\"310.00\" width=\"900.00\""));
    free(svg);
    flame_destroy(flame);
}

/* Whatever a name or a title is, it is text, and of the encoding that the file says. */
static void escaped(void **state)
{
    (void)state;
    struct flame *flame =
        read_text(flame_read_collapsed, "<script>alert('1')</script>\x01\xff&\"x\" 1\n", 0);
    char *svg = svg_of(flame, "<script>&");

    assert_null(strstr(svg, "<script"));
    assert_non_null(strstr(svg, "<title>&lt;script&gt;&amp;</title>"));
    assert_non_null(
        strstr(svg, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;??&amp;&quot;x&quot;: 1 "));
    free(svg);
    flame_destroy(flame);
}

/* No name is too long, no frame too narrow, no stack too deep; amounts may be of any size. */
static void extremes(void **state)
{
    (void)state;
    struct flame *flame = flame_create();
    const char *deep[FLAME_DEPTH_MAX + 50];

    for (uint32_t i = 0; i < FLAME_DEPTH_MAX + 50; i++)
        deep[i] = i == FLAME_DEPTH_MAX + 49 ? "innermost" : "again";
    flame_add(flame, deep, FLAME_DEPTH_MAX + 50, UINT64_MAX / 2);
    flame_add(flame, NULL, 0, 1);
    char *svg = svg_of(flame, "t");
    assert_int_equal(occurrences(svg, "<rect x="), FLAME_DEPTH_MAX + 1); /* and "all" */
    assert_non_null(strstr(svg, "<title>innermost: 9223372036854775807 samples, 100.0 %"));
    assert_non_null(strstr(svg, "<title>[cut off]: "));
    assert_non_null(strstr(svg, ">1 frames too narrow to be shown<"));
    free(svg);
    flame_destroy(flame);

    flame = flame_create();
    svg = svg_of(flame, "nothing");
    assert_null(strstr(svg, "<g "));
    assert_table(flame, "Total: 0 samples\n");
    free(svg);
    flame_destroy(flame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collapsed), cmocka_unit_test(perf),    cmocka_unit_test(rubbish),
        cmocka_unit_test(order),     cmocka_unit_test(picture), cmocka_unit_test(escaped),
        cmocka_unit_test(extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
