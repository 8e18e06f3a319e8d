/* The scenario format as a JSON Schema, for editors and validators that know nothing of xensock. */
#ifndef XENSOCK_SIM_RUN_SCENARIO_SCHEMA_H
#define XENSOCK_SIM_RUN_SCENARIO_SCHEMA_H

#include <jansson.h>

/* Draft 2020-12, made of the tables of scenario_keys.c: keys, types, ranges, defaults, and which
 * kinds have which. It takes every scenario that scenario_load takes, and refuses unknown and
 * missing keys and wrong types; what several keys say together it does not see. For json_decref();
 * NULL without memory. */
json_t *scenario_schema(void);

#endif
