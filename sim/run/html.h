/*
 * Writing HTML in which no text can become markup.
 *
 * Markup comes from formats, which are literals of the program; everything else goes through a
 * conversion that escapes it. Characters that would not be seen, or that turn the order of others
 * (controls, an escape sequence's ESC, bidirectional overrides), are written so that they are seen.
 * Nothing is kept: whoever writes looks at ferror() in the end.
 * Source: HTML Living Standard 13.2.5 (states of text, of attributes in double quotes, and of a
 * script's data); Unicode UAX 9 2.
 */
#ifndef XENSOCK_SIM_RUN_HTML_H
#define XENSOCK_SIM_RUN_HTML_H

#include <jansson.h>
#include <stdio.h>

/* Write `format`, in which %t is a text (UTF-8, NULL is none), %i an int64_t, %u a size_t, and %%
 * a percent sign. Attributes stand in double quotes there. */
void html_put(FILE *out, const char *format, ...);

/* Write a text as %t of html_put does. */
void html_text(FILE *out, const char *text);

/* The same text as a JSON string, unescaped but with unseen characters made visible: what a script
 * may show by textContent. NULL without memory. */
json_t *html_visible(const char *text);

/* Write a JSON value so that it can stand within <script>: in ASCII, without '<', '>' and '&'. */
void html_json(FILE *out, const json_t *value);

#endif
