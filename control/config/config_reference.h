/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration schema, written out for people and for editors.
 *
 * Both forms come from the table that also drives config_load(), so they say what the server does.
 */
#ifndef ANSER_CONTROL_CONFIG_REFERENCE_H
#define ANSER_CONTROL_CONFIG_REFERENCE_H

#include <stdio.h>

#include "zones/base/compiler.h"

enum config_reference_format {
	CONFIG_REFERENCE_MARKDOWN,    /* the operator's reference, a table for each section */
	CONFIG_REFERENCE_JSON_SCHEMA, /* JSON Schema 2020-12 */
};

/* Writes the whole reference to `out`; 0, -ENOMEM, or -EIO when `out` fails. */
int config_reference_print(FILE *out, enum config_reference_format format) MUST_CHECK;

#endif
