/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: what they look like, what cannot be smuggled into them, and how many of one kind there may be. */
#include "tests/unit/control/control_fixture.h"

#include <jansson.h>
#include <time.h>

#include "control/base/log.h"

static const struct timespec at = {.tv_sec = 1700000000, .tv_nsec = 42000000};

static void
text_has_time_level_and_zone(void **state)
{
	char line[256];
	size_t len = log_format(line, sizeof(line), CONFIG_LOG_TEXT, false, &at, CONFIG_LOG_WARNING, "example.",
				"hello");
	assert_string_equal(line, "2023-11-14T22:13:20.042Z anserd warning: zone example.: hello\n");
	assert_int_equal(len, strlen(line));
}

static void
journal_gets_priority_instead_of_time(void **state)
{
	static const struct {
		enum config_log_level level;
		const char *line;
	} rows[] = {
		{CONFIG_LOG_ERROR, "<3>error: m\n"},
		{CONFIG_LOG_WARNING, "<4>warning: m\n"},
		{CONFIG_LOG_INFO, "<6>info: m\n"},
		{CONFIG_LOG_DEBUG, "<7>debug: m\n"},
	};
	char line[256];
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		log_format(line, sizeof(line), CONFIG_LOG_TEXT, true, &at, rows[i].level, NULL, "m");
		assert_string_equal(line, rows[i].line);
	}
}

static void
json_is_one_object_a_line(void **state)
{
	char line[1024];
	size_t len = log_format(line, sizeof(line), CONFIG_LOG_JSON, true, &at, CONFIG_LOG_ERROR, "a.",
				"say \"\\\" \xc3\xa4");
	assert_int_equal(line[len - 1], '\n');
	assert_null(memchr(line, '\n', len - 1));
	json_t *o = json_loadb(line, len, 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "message")), "say \"\\\" \xc3\xa4");
	assert_string_equal(json_string_value(json_object_get(o, "zone")), "a.");
	assert_string_equal(json_string_value(json_object_get(o, "level")), "error");
	assert_string_equal(json_string_value(json_object_get(o, "time")), "2023-11-14T22:13:20.042Z");
	json_decref(o);
}

static void
json_survives_what_is_not_utf8(void **state)
{
	char line[1024];
	size_t len =
		log_format(line, sizeof(line), CONFIG_LOG_JSON, false, &at, CONFIG_LOG_INFO, NULL, "x\xff\xfey");
	json_t *o = json_loadb(line, len, 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "message")), "x??y");
	json_decref(o);
}

static void
long_lines_are_cut_and_still_end(void **state)
{
	char line[64];
	size_t len = log_format(line, sizeof(line), CONFIG_LOG_TEXT, false, &at, CONFIG_LOG_INFO, NULL,
				"a message that is much longer than the line it is given");
	assert_int_equal(len, sizeof(line) - 1);
	assert_int_equal(line[len - 1], '\n');
}

/* Runs f with stderr going to a file, and returns what was written. */
static const char *
captured(void (*f)(void))
{
	static char text[8192];
	fflush(stderr);
	int before = dup(STDERR_FILENO);
	FILE *file = tmpfile();
	dup2(fileno(file), STDERR_FILENO);
	f();
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
write_forgery(void)
{
	unsetenv("JOURNAL_STREAM");
	log_warning("name \n2023-01-01 forged\x1b[31m\x7f");
}

static void
control_characters_cannot_forge_a_line(void **state)
{
	const char *text = captured(write_forgery);
	assert_non_null(strstr(text, "warning: name ?2023-01-01 forged?[31m?\n"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void
write_all_levels(void)
{
	log_error("e");
	log_warning("w");
	log_info("i");
	log_debug("d");
}

static void
levels_above_the_limit_are_silent(void **state)
{
	const struct config_log quiet = {.format = CONFIG_LOG_TEXT, .level = CONFIG_LOG_WARNING};
	const struct config_log usual = {.format = CONFIG_LOG_TEXT, .level = CONFIG_LOG_INFO};
	log_setup(&quiet);
	const char *text = captured(write_all_levels);
	assert_non_null(strstr(text, "error: e\n"));
	assert_non_null(strstr(text, "warning: w\n"));
	assert_null(strstr(text, "info: i\n"));
	log_setup(&usual);
	text = captured(write_all_levels);
	assert_non_null(strstr(text, "info: i\n"));
	assert_null(strstr(text, "debug: d\n"));
}

static void
a_call_site_has_an_allowance(void **state)
{
	struct log_limit limit = {0};
	unsigned held_back;
	for (unsigned i = 0; i < LOG_LIMIT_LINES; i++) {
		assert_true(log_limit_pass(&limit, LOG_LIMIT_LINES, 100 / LOG_LIMIT_INTERVAL_S, &held_back));
		assert_int_equal(held_back, 0);
	}
	for (unsigned i = 0; i < 7; i++)
		assert_false(log_limit_pass(&limit, LOG_LIMIT_LINES, 109 / LOG_LIMIT_INTERVAL_S, &held_back));
	assert_true(log_limit_pass(&limit, LOG_LIMIT_LINES, 110 / LOG_LIMIT_INTERVAL_S, &held_back));
	assert_int_equal(held_back, 7);
	assert_true(log_limit_pass(&limit, LOG_LIMIT_LINES, 110 / LOG_LIMIT_INTERVAL_S, &held_back));
	assert_int_equal(held_back, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_time_level_and_zone),
		cmocka_unit_test(journal_gets_priority_instead_of_time),
		cmocka_unit_test(json_is_one_object_a_line),
		cmocka_unit_test(json_survives_what_is_not_utf8),
		cmocka_unit_test(long_lines_are_cut_and_still_end),
		cmocka_unit_test(control_characters_cannot_forge_a_line),
		cmocka_unit_test(levels_above_the_limit_are_silent),
		cmocka_unit_test(a_call_site_has_an_allowance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
