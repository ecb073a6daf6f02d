/* SPDX-License-Identifier: Apache-2.0 */
/* anser-config-reference: prints the configuration reference while the documentation is built. */
#include <stdio.h>
#include <string.h>

#include "control/config/config_reference.h"

int
main(int argc, char **argv)
{
	enum config_reference_format format = CONFIG_REFERENCE_MARKDOWN;
	if (argc == 2 && strcmp(argv[1], "--json-schema") == 0)
		format = CONFIG_REFERENCE_JSON_SCHEMA;
	else if (argc != 1) {
		fprintf(stderr, "usage: %s [--json-schema]\n", argv[0]);
		return 2;
	}
	return config_reference_print(stdout, format) == 0 ? 0 : 1;
}
