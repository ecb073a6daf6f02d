/* SPDX-License-Identifier: Apache-2.0 */
/* What a zone's own digest means. See zonemd_rule.h. */
#include "control/publish/zonemd_rule.h"

int
zonemd_rule_judge(const struct snapshot *s, const uint8_t *apex, enum config_zonemd wanted, enum zonemd_rule *out,
		  char why[ZONEMD_WHY_MAX])
{
	enum zonemd_result result;
	bool is_required = wanted == CONFIG_ZONEMD_REQUIRE;
	if (wanted == CONFIG_ZONEMD_OFF) {
		*out = ZONEMD_RULE_TAKE;
		return 0;
	}
	int err = zonemd_verify(s, apex, &result, why);
	if (err)
		return err;
	if (result == ZONEMD_GOOD || (result == ZONEMD_ABSENT && !is_required))
		*out = ZONEMD_RULE_TAKE;
	else if (!is_required)
		*out = ZONEMD_RULE_WARN;
	else
		*out = result == ZONEMD_BAD ? ZONEMD_RULE_REFUSE_BAD : ZONEMD_RULE_REFUSE_NONE;
	return 0;
}
