/* What a report's page has beside its contents: the files of tools/report/, made part of the
 * program by tools/embed_texts.cmake. */
#ifndef XENSOCK_SIM_RUN_HTML_TEXTS_H
#define XENSOCK_SIM_RUN_HTML_TEXTS_H

extern const char html_style[], html_script[];

#endif
