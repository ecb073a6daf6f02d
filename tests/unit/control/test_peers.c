/* SPDX-License-Identifier: Apache-2.0 */
/* Peers: slots, their order and their number; and what outlives another configuration. */
#include "tests/unit/control/control_fixture.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include "control/net/peers.h"

struct user {
	struct peer_wait wait;
	struct peer *peer;
	unsigned number;
	bool has_slot, gives_back; /* at once */
};

static struct peers *peers;
static struct config *config;
static unsigned order[100000], n_begun;

static void
begin(struct peer_wait *w)
{
	struct user *u = (struct user *)w;
	volatile char query[512]; /* as the one that a real user makes on its stack */
	query[0] = 0;
	assert_int_equal(query[0], 0);
	assert_null(w->link);
	assert_false(u->has_slot);
	assert_true(u->peer->active <= PEER_SLOTS);
	order[n_begun++] = u->number;
	if (u->gives_back)
		peer_slot_end(u->peer);
	else
		u->has_slot = true;
}

static void
end(struct user *u)
{
	assert_true(u->has_slot);
	u->has_slot = false;
	peer_slot_end(u->peer);
}

static void
configure(const char *remotes)
{
	struct diag_list diag = {0};
	struct tsig_keys *keys;
	struct config *before = config;
	config = fixture_config(remotes);
	assert_int_equal(tsig_keys_new(config->keys, config->n_keys, TSIG_TRUNCATION_ALLOWED, &keys, &diag), 0);
	assert_int_equal(peers_configure(peers, config, keys, &diag), 0);
	tsig_keys_free(keys);
	config_free(before);
}

static int
setup(void **state)
{
	fixture_enter();
	peers = peers_new();
	assert_non_null(peers);
	config = NULL;
	n_begun = 0;
	configure("remotes: [{id: a, address: 192.0.2.1}, {id: b, address: 192.0.2.2}]\n");
	return 0;
}

static int
teardown(void **state)
{
	peers_free(peers);
	config_free(config);
	fixture_leave();
	return 0;
}

static struct user *
users_new(unsigned n)
{
	struct user *users = calloc(n, sizeof(*users));
	for (unsigned i = 0; i < n; i++)
		users[i] = (struct user){.wait.begin = begin, .peer = peers_at(peers, 0), .number = i};
	return users;
}

static void
slots_are_bounded_and_urgent_ones_go_first(void **state)
{
	struct user *users = users_new(PEER_SLOTS + 4);
	for (unsigned i = 0; i < PEER_SLOTS + 2; i++)
		peer_slot_take(users[i].peer, &users[i].wait, false);
	peer_slot_take(users[0].peer, &users[PEER_SLOTS + 2].wait, true);
	peer_slot_take(users[0].peer, &users[PEER_SLOTS + 3].wait, true);
	assert_int_equal(n_begun, PEER_SLOTS);
	for (unsigned i = 0; i < 4; i++)
		end(&users[i]);
	const unsigned wanted[] = {PEER_SLOTS + 2, PEER_SLOTS + 3, PEER_SLOTS, PEER_SLOTS + 1};
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(order[PEER_SLOTS + i], wanted[i]);
	for (unsigned i = 4; i < PEER_SLOTS + 4; i++)
		end(&users[i]);
	assert_int_equal(users[0].peer->active, 0);
	free(users);
}

static void
who_waits_can_leave(void **state)
{
	struct user *users = users_new(PEER_SLOTS + 6);
	struct peer *peer = users[0].peer;
	for (unsigned i = 0; i < PEER_SLOTS + 6; i++)
		peer_slot_take(peer, &users[i].wait, i >= PEER_SLOTS + 3);
	assert_false(peer_slot_cancel(peer, &users[0].wait)); /* it has its slot */
	/* of each list the last, the first, and the only one */
	static const unsigned leaving[] = {2, 0, 1, 5, 3};
	for (unsigned i = 0; i < 5; i++)
		assert_true(peer_slot_cancel(peer, &users[PEER_SLOTS + leaving[i]].wait));
	assert_false(peer_slot_cancel(peer, &users[PEER_SLOTS].wait));
	peer_slot_take(peer, &users[PEER_SLOTS].wait, false); /* the emptied list takes on */
	end(&users[0]);
	end(&users[1]);
	assert_int_equal(order[PEER_SLOTS], PEER_SLOTS + 4);
	assert_int_equal(order[PEER_SLOTS + 1], PEER_SLOTS);
	for (unsigned i = 2; i < PEER_SLOTS; i++)
		end(&users[i]);
	end(&users[PEER_SLOTS]);
	end(&users[PEER_SLOTS + 4]);
	assert_int_equal(peer->active, 0);
	free(users);
}

/* As at a stop: all who waited give their slot back as they get it. The stack must not care how many they are. */
static void
many_may_give_back_at_once(void **state)
{
	enum { MANY = sizeof(order) / sizeof(order[0]) };
	struct user *users = users_new(MANY);
	for (unsigned i = 0; i < MANY; i++) {
		users[i].gives_back = i >= PEER_SLOTS;
		peer_slot_take(users[i].peer, &users[i].wait, false);
	}
	end(&users[0]);
	assert_int_equal(n_begun, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(users[0].peer->active, PEER_SLOTS - 1);
	for (unsigned i = 1; i < PEER_SLOTS; i++)
		end(&users[i]);
	free(users);
}

static void
a_peer_outlives_its_configuration(void **state)
{
	fixture_write("s", "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgb2N0ZXRzIQ==\n");
	assert_int_equal(chmod("s", 0600), 0);
	configure("keys: [{id: k, algorithm: hmac-sha256, secret-file: s}]\n"
		  "remotes: [{id: a, address: 192.0.2.1, key: k}]\n");
	struct peer *held = peer_hold(peers_find(peers, &config->remotes[0]));
	assert_non_null(held->key);
	configure("remotes: [{id: b, address: 192.0.2.3}, {id: a, address: 192.0.2.4}]\n");
	assert_string_equal(held->remote.id, "a");
	assert_int_equal(ntohl(held->remote.address.v4.sin_addr.s_addr), 0xc0000201);
	assert_non_null(tsig_key_name(held->key));
	struct peer *now = peers_find(peers, &config->remotes[1]);
	assert_ptr_equal(now, peers_at(peers, 1));
	assert_ptr_not_equal(now, held);
	assert_null(now->key);
	peer_release(held);
}

/* Settings of a configuration that had to stay, as memory ran out, are looked up by what they mean. */
static void
remotes_of_another_configuration_are_found_by_id(void **state)
{
	struct config *old = config;
	config = NULL;
	configure("remotes: [{id: b, address: 192.0.2.3}]\n");
	assert_null(peers_find(peers, &old->remotes[0]));
	assert_ptr_equal(peers_find(peers, &old->remotes[1]), peers_at(peers, 0));
	config_free(old);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(slots_are_bounded_and_urgent_ones_go_first),
		TEST(who_waits_can_leave),
		TEST(many_may_give_back_at_once),
		TEST(a_peer_outlives_its_configuration),
		TEST(remotes_of_another_configuration_are_found_by_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
