/* SPDX-License-Identifier: Apache-2.0 */
/* Notes of members: what is written is read again, and what is no note is refused. */
#include "tests/unit/control/state_fixture.h"

#include <errno.h>

#include "control/zone/catalog_notes.h"
#include "zones/base/bytes.h"

#define LONG_LABEL "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define LONG_NAME                                                                                                  \
	LONG_LABEL "." LONG_LABEL "." LONG_LABEL "." LONG_LABEL /* without the last two letters it fits            \
								 */

/* Groups in the form of struct catalog_member_parts. */
struct groups {
	uint8_t bytes[8192];
	size_t len;
	unsigned n;
};

static void
add_group(struct groups *g, const char *text, size_t len)
{
	store_be16(g->bytes + g->len, (uint16_t)len);
	memcpy(g->bytes + g->len + 2, text, len);
	g->len += 2 + len;
	g->n++;
}

/* The one member of a catalog; it is to be freed with that. */
static const struct catalog_member *
member_of(struct catalog_members *members, const char *catalog, const char *name, const char *id, const char *coo,
	  const struct groups *groups)
{
	struct catalog_update update;
	struct name apex = fixture_name(catalog), member = fixture_name(name), heir;
	uint8_t label[64] = {(uint8_t)strlen(id)};
	memcpy(label + 1, id, label[0]);
	if (coo)
		heir = fixture_name(coo);
	const struct catalog_member_parts parts = {.name = &member,
						   .id = label,
						   .coo = coo ? &heir : NULL,
						   .groups = groups->bytes,
						   .groups_len = groups->len,
						   .n_groups = groups->n};
	catalog_members_init(members, &apex);
	assert_int_equal(catalog_update_restore(members, &parts, &update), 0);
	catalog_update_commit(members, &update);
	return catalog_members_find(members, member.bytes);
}

/* Writes and reads; the member that is made from what was read has `n_groups` groups and is the same else. */
static void
expect_same(const struct catalog_member *m, unsigned n_groups)
{
	uint8_t bytes[STATE_NOTE_MAX];
	struct catalog_note note;
	struct name member;
	size_t groups_len, len = catalog_note_write(m, bytes);
	assert_true(len <= sizeof(bytes));
	name_copy(&member, catalog_member_name(m));
	assert_int_equal(catalog_note_read(&member, bytes, len, &note), 0);
	assert_true(name_equal(note.catalog.bytes, m->members->apex.bytes));
	assert_true(name_equal(note.parts.name->bytes, member.bytes));
	assert_memory_equal(note.parts.id, catalog_member_id(m), 1u + catalog_member_id(m)[0]);
	assert_int_equal(note.parts.coo != NULL, catalog_member_coo(m) != NULL);
	if (note.parts.coo)
		assert_true(name_equal(note.parts.coo->bytes, catalog_member_coo(m)));
	assert_int_equal(note.parts.n_groups, n_groups);
	const uint8_t *groups = catalog_member_groups(m, &groups_len);
	if (n_groups == m->n_groups) {
		assert_int_equal(note.parts.groups_len, groups_len);
		assert_memory_equal(note.parts.groups, groups, groups_len);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(catalog_note_read(&member, bytes, cut, &note), -EBADMSG);
	if (len < sizeof(bytes)) {
		bytes[len] = 0;
		assert_int_equal(catalog_note_read(&member, bytes, len + 1, &note), -EBADMSG);
	}
}

static void
what_is_written_is_read(void **state)
{
	struct catalog_members members;
	struct groups groups = {.n = 0};
	expect_same(member_of(&members, "cat.test.", "a.test.", "1", NULL, &groups), 0);
	catalog_members_clear(&members);
	expect_same(member_of(&members, "cat.test.", ".", "1", "other.test.", &groups), 0);
	catalog_members_clear(&members);
	add_group(&groups, "", 0);
	add_group(&groups, "one", 3);
	add_group(&groups, "two\0two", 7);
	expect_same(member_of(&members, ".", "a.test.", LONG_LABEL, ".", &groups), 3);
	catalog_members_clear(&members);
}

/* Names of the greatest length leave room for groups; of those that are too many or too long, some stay. */
static void
groups_that_do_not_fit_are_left_out(void **state)
{
	static char huge[2000];
	char longest[256];
	struct catalog_members members;
	struct groups groups = {.n = 0};
	snprintf(longest, sizeof(longest), "%.253s.", LONG_NAME);
	add_group(&groups, "first", 5);
	add_group(&groups, huge, sizeof(huge));
	add_group(&groups, "last", 4);
	expect_same(member_of(&members, longest, longest, LONG_LABEL, longest, &groups), 2);
	catalog_members_clear(&members);
	for (unsigned i = 0; i < 200; i++)
		add_group(&groups, "x", 1);
	expect_same(member_of(&members, "cat.test.", "a.test.", "1", NULL, &groups), 100);
	catalog_members_clear(&members);
}

static void
octets_that_are_no_note_are_refused(void **state)
{
	static const uint8_t good[] = "\1\3cat\4test\0\1\1x\0\2id\0\1\0\1g";
	uint8_t bytes[sizeof(good) - 1];
	struct catalog_note note;
	struct name member = fixture_name("a.test.");
	assert_int_equal(catalog_note_read(&member, good, sizeof(bytes), &note), 0);
	static const struct {
		unsigned at;
		uint8_t value;
	} wrong[] = {{0, 0}, {0, 2}, {1, 64}, {11, 2}, {12, 200}, {15, 0}, {15, 64}, {18, 1}, {19, 2}, {21, 9}};
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		memcpy(bytes, good, sizeof(bytes));
		bytes[wrong[i].at] = wrong[i].value;
		if (catalog_note_read(&member, bytes, sizeof(bytes), &note) != -EBADMSG)
			fail_msg("octet %u as %u is taken", wrong[i].at, wrong[i].value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(groups_that_do_not_fit_are_left_out),
		cmocka_unit_test(octets_that_are_no_note_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
