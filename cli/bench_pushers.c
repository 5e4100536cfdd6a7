/* cli/bench_pushers.c: users that push and wait until all of their devices have what they pushed.
 *
 * The first device of a user pushes; its echo is the acknowledgement. A push counts once every
 * device of the user has it, and then the next one takes its slot, so `in_flight` pushes of a user
 * are on their way at any moment. The client id tells where a message belongs:
 *
 *   SSSSSSSS-tttt-4000-8000-nnnnnnnnnnnn   S: the run's salt, t: the slot, n: the push's number
 *
 * A message that comes twice to a device, or out of the blue, fails the benchmark: figures of a
 * server that loses or doubles are worth nothing.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OBJECT_BYTES 150
#define CLIENT_ID_KEY "\"clientId\":\""
#define CLIENT_ID_SIZE 36
#define CONNECTING_MAX 256
#define DEVICES_A_USER_MAX 2
#define IN_FLIGHT_MAX 512
#define LIMITED_RUN_SECONDS_MAX 600

typedef struct push_slot {
  uint64_t number, sent_ns;
  unsigned arrived; /* a bit a device */
  bool busy;
} push_slot;

struct sdb_bench_user {
  sdb_bench_pushers *pushers;
  sdb_bench_device devices[DEVICES_A_USER_MAX];
  push_slot *slots;
  uint64_t pushed;
  char first_id[CLIENT_ID_SIZE + 1];
};

/* ---- the message ---- */

static void put_hex(char *to, unsigned digits, uint64_t value) {
  for (unsigned at = digits; at > 0; at--, value >>= 4)
    to[at - 1] = "0123456789abcdef"[value & 15];
}

static uint64_t get_hex(const char *from, unsigned digits) {
  uint64_t value = 0;
  for (unsigned at = 0; at < digits; at++) {
    unsigned char c = (unsigned char)from[at];
    unsigned digit = c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u;
    if (digit > 15) return UINT64_MAX;
    value = value << 4 | digit;
  }
  return value;
}

/* An object of exactly OBJECT_BYTES, as the brief's clients push them. */
static void make_message(sdb_bench_pushers *pushers) {
  char object[OBJECT_BYTES + 1];
  unsigned long long created = (unsigned long long)(time(NULL) - 1) * 1000;
  int head = snprintf(object, sizeof(object), "{\"role\":\"user\",\"content\":\"");
  char tail[64];
  int tail_size = snprintf(tail, sizeof(tail), "\",\"$createdAt\":%llu}", created);
  memset(object + head, 'm', (size_t)(OBJECT_BYTES - head - tail_size));
  memcpy(object + OBJECT_BYTES - tail_size, tail, (size_t)tail_size + 1);
  int size = snprintf(pushers->message, sizeof(pushers->message),
      "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":%s,"
      "\"clientId\":\"%08x-0000-4000-8000-000000000000\"}}",
      object, pushers->salt);
  pushers->message_size = (size_t)size;
  pushers->client_id_at = (size_t)size - CLIENT_ID_SIZE - 3;
}

static void push(sdb_bench_user *user, unsigned slot_index) {
  sdb_bench_pushers *pushers = user->pushers;
  push_slot *slot = &user->slots[slot_index];
  bool done = pushers->pushes_per_user && user->pushed >= pushers->pushes_per_user;
  if (pushers->stopping || done) {
    slot->busy = false;
    return;
  }
  *slot = (push_slot){.number = user->pushed++, .sent_ns = pushers->loop.now_ns, .busy = true};
  pushers->pushed++;
  char *client_id = pushers->message + pushers->client_id_at;
  put_hex(client_id + 9, 4, slot_index);
  put_hex(client_id + 24, 12, slot->number);
  sdb_bench_device_send(&user->devices[0], pushers->message, pushers->message_size);
}

/* ---- what comes ---- */

static void keep_first_id(sdb_bench_user *user, const char *text, size_t size) {
  size_t hint = 0;
  const char *id = sdb_bench_message_find(text, size, "\"eventId\":\"", CLIENT_ID_SIZE, &hint);
  if (!id) id = sdb_bench_message_find(text, size, "\"id\":\"", CLIENT_ID_SIZE, &hint);
  if (id) memcpy(user->first_id, id, CLIENT_ID_SIZE);
}

static void on_event(sdb_bench_device *device, const char *text, size_t size) {
  sdb_bench_user *user = device->tag;
  sdb_bench_pushers *pushers = user->pushers;
  const char *id =
      sdb_bench_message_find(text, size, CLIENT_ID_KEY, CLIENT_ID_SIZE, &pushers->hint);
  uint64_t salt = id ? get_hex(id, 8) : UINT64_MAX;
  if (salt != pushers->salt) return; /* of an earlier run, or of the application */
  uint64_t slot_index = get_hex(id + 9, 4);
  push_slot *slot = slot_index < pushers->in_flight ? &user->slots[slot_index] : NULL;
  unsigned bit = 1u << device->index;
  if (!slot || !slot->busy || slot->number != get_hex(id + 24, 12) || slot->arrived & bit) {
    sdb_bench_fail(pushers->loop.bench, "%s sent a push twice, or one that nobody made: %.200s",
        pushers->server->name, text);
    return;
  }
  slot->arrived |= bit;
  if (device->index == 0) {
    sdb_bench_histogram_add(&pushers->acknowledged, pushers->loop.now_ns - slot->sent_ns);
    if (slot->number == 0) keep_first_id(user, text, size);
  }
  if (slot->arrived + 1 != 1u << pushers->devices_per_user) return;
  pushers->completed++;
  push(user, (unsigned)slot_index);
}

static void on_message(sdb_bench_device *device, const char *text, size_t size) {
  sdb_bench_user *user = device->tag;
  sdb_bench_message type = sdb_bench_message_type(text, size);
  if (type == SDB_BENCH_UPDATE) on_event(device, text, size);
  if (type != SDB_BENCH_ERROR) return;
  sdb_bench_fail(user->pushers->loop.bench, "%s refused a push: %.*s", user->pushers->server->name,
      (int)(size < 300 ? size : 300), text);
}

/* ---- the owner's calls ---- */

static bool connect_user(sdb_bench_pushers *pushers, unsigned number) {
  sdb_bench_user *user = &pushers->users[number];
  user->pushers = pushers;
  user->slots = calloc(pushers->in_flight, sizeof(push_slot));
  if (!user->slots) return sdb_bench_fail(pushers->loop.bench, "out of memory");
  for (unsigned at = 0; at < pushers->devices_per_user; at++) {
    sdb_bench_device *device = &user->devices[at];
    device->tag = user;
    device->index = at;
    device->message = on_message;
    if (!sdb_bench_device_connect(&pushers->loop, device, pushers->server, pushers->group, number))
      return false;
  }
  return true;
}

bool sdb_bench_pushers_open(
    sdb_bench_pushers *pushers, sdb_bench *bench, const sdb_bench_server *server) {
  sdb_bench_loop *loop = &pushers->loop;
  pushers->server = server;
  if (!sdb_bench_loop_open(loop, bench)) return false;
  if (pushers->in_flight > IN_FLIGHT_MAX || pushers->devices_per_user > DEVICES_A_USER_MAX)
    return sdb_bench_fail(bench, "too many pushes in flight, or devices");
  pushers->users = calloc(pushers->users_count, sizeof(*pushers->users));
  if (!pushers->users) return sdb_bench_fail(bench, "out of memory");
  pushers->salt = bench->salt + bench->pushers_opened++;
  make_message(pushers);
  uint64_t deadline_ns = sdb_bench_patience_ns();
  for (unsigned number = 0; number < pushers->users_count; number++) {
    if (!connect_user(pushers, number)) return false;
    while (loop->connecting > CONNECTING_MAX) {
      if (!sdb_bench_turn(loop, deadline_ns, "connections")) return false;
    }
  }
  while (loop->helloed < pushers->users_count * pushers->devices_per_user) {
    if (!sdb_bench_turn(loop, deadline_ns, "every device's server_hello")) return false;
  }
  return true;
}

static void fill_slots(sdb_bench_pushers *pushers) {
  pushers->loop.now_ns = sdb_bench_now_ns();
  for (unsigned number = 0; number < pushers->users_count; number++) {
    for (unsigned slot = 0; slot < pushers->in_flight; slot++) {
      if (!pushers->users[number].slots[slot].busy) push(&pushers->users[number], slot);
    }
  }
}

bool sdb_bench_pushers_run(sdb_bench_pushers *pushers, double seconds, double *per_second) {
  uint64_t before = pushers->completed, all = pushers->pushes_per_user * pushers->users_count;
  uint64_t began_ns = sdb_bench_now_ns();
  uint64_t end_ns = began_ns + (uint64_t)((all ? LIMITED_RUN_SECONDS_MAX : seconds) * 1e9);
  memset(&pushers->acknowledged, 0, sizeof(pushers->acknowledged));
  pushers->stopping = false;
  fill_slots(pushers);
  while (all ? pushers->completed < all : sdb_bench_now_ns() < end_ns) {
    if (!sdb_bench_turn(&pushers->loop, end_ns, all ? "pushes to come back" : NULL)) return false;
  }
  double elapsed = (double)(sdb_bench_now_ns() - began_ns) / 1e9;
  if (per_second) *per_second = (double)(pushers->completed - before) / elapsed;
  return true;
}

bool sdb_bench_pushers_drain(sdb_bench_pushers *pushers) {
  pushers->stopping = true;
  uint64_t deadline_ns = sdb_bench_patience_ns();
  while (pushers->completed < pushers->pushed) {
    if (!sdb_bench_turn(&pushers->loop, deadline_ns, "the last pushes to come back")) return false;
  }
  return true;
}

const char *sdb_bench_pushers_first_id(const sdb_bench_pushers *pushers, unsigned user) {
  return pushers->users[user].first_id;
}

void sdb_bench_pushers_close(sdb_bench_pushers *pushers) {
  for (unsigned number = 0; pushers->users && number < pushers->users_count; number++) {
    for (unsigned at = 0; at < DEVICES_A_USER_MAX; at++)
      sdb_bench_device_drop(&pushers->users[number].devices[at]);
    free(pushers->users[number].slots);
  }
  free(pushers->users);
  pushers->users = NULL;
  sdb_bench_loop_close(&pushers->loop);
}
