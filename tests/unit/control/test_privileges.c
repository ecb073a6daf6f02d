/* SPDX-License-Identifier: Apache-2.0 */
/* Directories and users, as far as they can be tried without giving up root for good (tests/system does that). */
#include "tests/unit/control/control_fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "control/privileges.h"

static int
setup(void **state)
{
	fixture_enter();
	return 0;
}

static int
teardown(void **state)
{
	fixture_leave();
	return 0;
}

static void
an_unknown_user_comes_with_a_cure(void **state)
{
	const struct config_server server = {.user = "no-such-user"};
	struct diag_list diag = {0};
	struct privileges p;
	int err = privileges_find(&server, &diag, &p);
	if (geteuid() != 0) { /* then server.user is not looked at */
		assert_int_equal(err, 0);
		assert_false(p.drop);
		return;
	}
	assert_int_equal(err, -ENOENT);
	assert_int_equal(diag.n_errors, 1);
	assert_non_null(strstr(diag.items[0].message, "no-such-user"));
	assert_non_null(strstr(diag.items[0].message, "useradd --system"));
	assert_non_null(strstr(diag.items[0].message, "user: root"));
	diag_clear(&diag);
}

static void
root_and_nobody_named_mean_no_change(void **state)
{
	static const char *const users[] = {"", "root"};
	for (unsigned i = 0; i < ARRAY_LEN(users); i++) {
		const struct config_server server = {.user = users[i]};
		struct diag_list diag = {0};
		struct privileges p = {.drop = true};
		assert_int_equal(privileges_find(&server, &diag, &p), 0);
		assert_false(p.drop);
	}
}

static void
missing_directories_are_made(void **state)
{
	const struct privileges p = {.drop = false};
	struct diag_list diag = {0};
	struct stat st;
	assert_int_equal(privileges_directory(&p, "k", "a/b/c", &diag), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(privileges_directory(&p, "k", "a/b/c", &diag), 0); /* there already */
	assert_int_equal(privileges_directory(&p, "k", "a/b/", &diag), 0);
}

static void
made_directories_belong_to_the_user(void **state)
{
	const struct privileges p = {.drop = true, .uid = 65534, .gid = 65534};
	struct diag_list diag = {0};
	struct stat st;
	if (geteuid() != 0)
		return;
	assert_int_equal(mkdir("old", 0755), 0);
	assert_int_equal(privileges_directory(&p, "k", "old/new", &diag), 0);
	assert_int_equal(stat("old/new", &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(stat("old", &st), 0);
	assert_int_equal(st.st_uid, 0); /* not ours to give away */
	assert_int_equal(privileges_directory(&p, "server.run-dir", "old", &diag), -EACCES);
	assert_non_null(strstr(diag.items[0].message, "server.run-dir"));
	diag_clear(&diag);
}

static void
a_file_in_the_way_is_an_error(void **state)
{
	const struct privileges p = {.drop = false};
	struct diag_list diag = {0};
	fixture_write("file", "x");
	assert_int_equal(privileges_directory(&p, "server.state-dir", "file/dir", &diag), -ENOTDIR);
	assert_non_null(strstr(diag.items[0].message, "server.state-dir"));
	diag_clear(&diag);
	assert_int_equal(privileges_directory(&p, "k", "file", &diag), -ENOTDIR);
	diag_clear(&diag);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_unknown_user_comes_with_a_cure, setup, teardown),
		cmocka_unit_test_setup_teardown(root_and_nobody_named_mean_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_directories_are_made, setup, teardown),
		cmocka_unit_test_setup_teardown(made_directories_belong_to_the_user, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_in_the_way_is_an_error, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
