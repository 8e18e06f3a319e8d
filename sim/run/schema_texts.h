/* What schemas are made of, as texts: sim/run/result.schema.json, which is kept by hand, and the
 * words of scenarios/annotated.yaml. Made from the files by tools/embed_texts.cmake. */
#ifndef XENSOCK_SIM_RUN_SCHEMA_TEXTS_H
#define XENSOCK_SIM_RUN_SCHEMA_TEXTS_H

struct schema_text {
    const char *name; /* of the file, up to its first point */
    const char *text;
};

/* In order of their names, then one whose name is NULL. */
extern const struct schema_text schema_texts[];

#endif
