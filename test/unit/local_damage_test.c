/* test/unit/local_damage_test.c: local files that are damaged, by hand or at random: what is
 * refused, what is passed over, what can be saved, and that nothing crashes. */
#include "failing_vfs.h"
#include "local_sqlite_kind.h"
#include "platform/platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE 4096

static int setup(void **state) {
  *state = local_open(&LOCAL_SQLITE_KIND);
  return 0;
}

static int teardown(void **state) {
  local_close(*state);
  return 0;
}

typedef struct saved {
  sdb_buffer memory;
  const sdb_local_pending *pending;
  size_t count;
  sdb_status status;
  sdb_error error;
} saved;

static saved salvage(local_fixture *f) {
  saved s = {.status = SDB_OK};
  sdb_buffer_init(&s.memory, sdb_platform_mem(), 1 << 24);
  s.status =
      sdb_sqlite_local_salvage(&local_of(f)->options, &s.memory, &s.pending, &s.count, &s.error);
  if (s.status != SDB_OK) s.count = 0;
  return s;
}

/* Objects over many pages, and `pushes` pending ones. */
static void fill(local_fixture *f, uint64_t objects, uint64_t pushes) {
  sdb_local_change *changes = calloc(objects + pushes + 3, sizeof(*changes));
  sdb_local_pending *pending = calloc(pushes + 1, sizeof(*pending));
  char text[300];
  size_t count = 0;
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = 0;
  for (uint64_t i = 1; i <= objects; i++)
    changes[count++] = put_of(i % 2 ? CHAT : NOTE, i, i, text);
  for (uint64_t i = 1; i <= pushes; i++) {
    pending[i] = pending_of(i, 100000 + (i * 7919) % 10007, CHAT, text);
    changes[count++] = pending_put_of(&pending[i]);
  }
  changes[count++] = state_of(CHAT, objects + 10, 3, NULL, 0);
  changes[count++] = remove_of(CHAT, objects + 5, objects + 6, true);
  changes[count++] = singular_of(ACCOUNT, 1, 1, "account");
  assert_int_equal(commit_changes(f, changes, count), SDB_OK);
  free(changes);
  free(pending);
}

static void overwrite(const char *path, size_t at, const void *bytes, size_t size) {
  FILE *to = fopen(path, "r+b");
  assert_non_null(to);
  assert_int_equal(fseek(to, (long)at, SEEK_SET), 0);
  assert_int_equal(fwrite(bytes, 1, size, to), size);
  assert_int_equal(fclose(to), 0);
}

/* ---- rows that are not what they should be ---- */

static void a_state_that_is_not_whole_makes_its_store_begin_anew(void **state) {
  local_fixture *f = *state;
  static const char *const BAD[] = {
      "head = x'01'",
      "head = 'text of sixteen.'",
      "head = 7",
      "wanted = -1",
      "wanted = 4294967296",
      "wanted = 'many'",
      "missing = x'0102'",
      "missing = 'text'",
      "missing = zeroblob(32)",
      "missing = zeroblob(32 * 1025)",
      /* above the head, after above before, the same twice */
      "missing = x'00000000000000000000000000000000ffffffffffffffffffffffffffffffff'",
      "missing = x'01974f0000000000000000000000000501974f00000000000000000000000004'",
      "missing = x'00000000000000000000000000000000'||head||x'00000000000000000000000000000000'"
      "||head",
      "head = NULL, missing = x'0000000000000000000000000000000001974f00000000000000000000000004'",
  };
  for (size_t i = 0; i < SDB_COUNT_OF(BAD); i++) {
    sdb_local_pending pending = pending_of(1, 9, CHAT, "unsynced");
    sdb_local_change changes[] = {put_of(CHAT, 1, 1, "chat"), remove_of(CHAT, 3, 10, true),
        state_of(CHAT, 50, 1, NULL, 0), put_of(NOTE, 2, 2, "note"), state_of(NOTE, 60, 2, NULL, 0),
        pending_put_of(&pending)};
    assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
    local_file_close(f);
    char text[256];
    snprintf(text, sizeof(text),
        "UPDATE state SET %s WHERE store = (SELECT id FROM store WHERE name = 'chat_message')",
        BAD[i]);
    sql(local_of(f)->path, text);
    local_file_open(f);
    for (int k = 0; k < 2; k++) {
      sdb_local_load *load = load_all(f);
      assert_int_equal(load->op.status, SDB_OK);
      assert_state(&load->states[CHAT], &(sdb_local_state){0});
      assert_state(&load->states[NOTE], &changes[4].state);
      assert_int_equal(load->pending_count, 1);
      assert_store_is_empty(f, CHAT);
      assert_store_is(f, NOTE, "note");
      local_reopen(f);
    }
    assert_true(apply(f, put_of(CHAT, 3, 9, "no remove is kept")));
  }
}

static void ranges_that_touch_are_whole(void **state) {
  local_fixture *f = *state;
  const sdb_id_range missing[] = {{id_of(40), id_of(50)}, {id_of(30), id_of(40)}, {NIL, id_of(30)}};
  sdb_local_change change = state_of(CHAT, 50, 1, missing, 3);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  local_reopen(f);
  assert_state(&load_all(f)->states[CHAT], &change.state);
}

#define SOME_ID "x'01974f00000000000000000000000005'"

static void a_pending_push_that_is_not_whole_is_passed_over_and_stays(void **state) {
  local_fixture *f = *state;
  static const char *const BAD[] = {"position = 0", "position = -5", "position = 'first'",
      "position = 9223372036854775807", "client_id = x'0102'", "client_id = zeroblob(16)",
      "client_id = 'sixteen letters.'", "store = 4000", "store = -1", "store = 'chat'",
      "action = 0", "action = 4", "action = 'create'", "id = x'00'", "depends = 5", "failed = 77",
      "created_ms = -1", "created_ms = 'now'", "object = x'7b7d'", "message = x'00'",
      "path = x'00'",
      /* a create of an object that there is, changes of none and of two, objects too many and too
         few */
      "id = " SOME_ID, "depends = " SOME_ID, "action = 2", "action = 3, object = ''",
      "action = 2, id = " SOME_ID ", depends = " SOME_ID, "object = ''", "object = NULL",
      "action = 2, id = " SOME_ID ", object = ''", "action = 3, id = " SOME_ID};
  sdb_local_pending good = pending_of(100, 9000, CHAT, "good");
  apply(f, pending_put_of(&good));
  for (uint64_t i = 0; i < SDB_COUNT_OF(BAD); i++) {
    sdb_local_pending bad = pending_of(i + 1, 500 + i, CHAT, "bad");
    apply(f, pending_put_of(&bad));
    local_file_close(f);
    char text[256];
    snprintf(text, sizeof(text), "UPDATE pending SET %s WHERE position = %d AND object = 'bad'",
        BAD[i], (int)i + 1);
    sql(local_of(f)->path, text);
    local_file_open(f);
    for (int k = 0; k < 2; k++) {
      sdb_local_load *load = load_all(f);
      assert_int_equal(load->op.status, SDB_OK);
      assert_int_equal(load->pending_count, 1);
      assert_pending(&load->pending[0], &good);
      local_reopen(f);
    }
  }
  local_file_close(f);
  saved s = salvage(f);
  assert_int_equal(s.status, SDB_OK);
  assert_int_equal(s.count, 1);
  assert_pending(&s.pending[0], &good);
  sdb_buffer_free(&s.memory);
  assert_int_equal(sql(local_of(f)->path, "SELECT count(*) FROM pending"), 1 + SDB_COUNT_OF(BAD));
  local_file_open(f);
}

static void an_object_that_is_not_whole_is_an_error_that_says_so(void **state) {
  local_fixture *f = *state;
  static const char *const BAD[] = {"id = x'01974f'", "event_id = x'00'", "event_id = 'text'",
      "client_id = x'0102'", "body = x'7b7d'"};
  for (uint64_t i = 0; i < SDB_COUNT_OF(BAD); i++) {
    apply(f, change_of(SDB_LOCAL_CLEAR, CHAT));
    apply(f, put_of(CHAT, 1, 2, "one"));
    char text[128];
    snprintf(text, sizeof(text), "UPDATE object_1 SET %s", BAD[i]);
    sql(local_of(f)->path, text);
    assert_int_equal(read_page(f, CHAT, NIL, 10)->op.status, SDB_BAD_FORMAT);
    assert_non_null(strstr(sdb_sqlite_local_problem(local_of(f)->local)->message, "damaged"));
    if (i > 0) assert_int_equal(read_object(f, CHAT, id_of(1))->op.status, SDB_BAD_FORMAT);
    assert_store_is_empty(f, NOTE);
  }
}

static void a_file_that_lacks_a_table_is_damaged(void **state) {
  local_fixture *f = *state;
  local_file_close(f);
  static const char *const GONE[] = {"pending", "state", "removed", "meta", "store"};
  size_t size;
  char *whole = read_file(local_of(f)->path, &size);
  for (size_t i = 0; i < SDB_COUNT_OF(GONE); i++) {
    char text[64];
    write_file(local_of(f)->path, whole, size);
    snprintf(text, sizeof(text), "DROP TABLE %s", GONE[i]);
    sql(local_of(f)->path, text);
    assert_local_refused(f, SDB_BAD_FORMAT, true, GONE[i]);
  }
  write_file(local_of(f)->path, whole, size);
  sql(local_of(f)->path, "DROP TABLE object_1");
  local_file_open(f);
  assert_int_equal(read_page(f, CHAT, NIL, 10)->op.status, SDB_BAD_FORMAT);
  sdb_local_change change = put_of(CHAT, 1, 1, "one");
  assert_int_equal(commit_changes(f, &change, 1), SDB_BAD_FORMAT);
  assert_true(apply(f, put_of(NOTE, 1, 1, "note")));
  local_file_close(f);
  write_file(local_of(f)->path, whole, size);
  sql(local_of(f)->path, "DELETE FROM meta WHERE key = 'server'");
  assert_local_refused(f, SDB_BAD_FORMAT, true, "meta");
  write_file(local_of(f)->path, whole, size);
  sql(local_of(f)->path, "UPDATE store SET id = 70000 WHERE name = 'note'");
  assert_local_refused(f, SDB_BAD_FORMAT, true, "store");
  free(whole);
}

/* ---- bytes that are not what they were ---- */

static void a_file_of_ours_that_lost_its_beginning_is_damaged(void **state) {
  local_fixture *f = *state;
  static const char ZEROS[PAGE];
  fill(f, 100, 5);
  local_file_close(f);
  overwrite(local_of(f)->path, 0, ZEROS, sizeof(ZEROS));
  assert_local_refused(f, SDB_BAD_FORMAT, true, "not a database");
}

/* A copy of the file came without the file beside it. */
static void what_begins_as_ours_is_damaged_whatever_lies_beside_it(void **state) {
  local_fixture *f = *state;
  char garbage[PAGE - 100];
  memset(garbage, 'x', sizeof(garbage));
  fill(f, 100, 5);
  local_file_close(f);
  unlink(path_with(local_of(f)->path, "-lock"));
  overwrite(local_of(f)->path, 100, garbage, sizeof(garbage));
  assert_local_refused(f, SDB_BAD_FORMAT, true, "");
}

/* Does with a file whatever a client does; any status will do, a crash will not. */
static void use(local_fixture *f, size_t *refused, size_t *failed) {
  bool damaged;
  sdb_error error;
  saved s = salvage(f);
  for (size_t i = 0; i < s.count; i++)
    assert_true(s.pending[i].store < STORES && s.pending[i].position > 0);
  sdb_buffer_free(&s.memory);
  sdb_status status = local_file_try(f, &damaged, &error);
  if (status != SDB_OK) {
    assert_true(status == SDB_BAD_FORMAT || status == SDB_CONFLICT || status == SDB_IO ||
                status == SDB_LIMIT);
    ++*refused;
    return;
  }
  sdb_status statuses[5];
  statuses[0] = load_all(f)->op.status;
  statuses[1] = read_page(f, CHAT, NIL, 1000)->op.status;
  statuses[2] = read_object(f, NOTE, id_of(2))->op.status;
  sdb_local_pending pending = pending_of(5000, 5000, NOTE, "new");
  sdb_local_change changes[] = {put_of(CHAT, 5000, 5000, "new"), remove_of(CHAT, 1, 9000, true),
      remove_of(SDB_LOCAL_ANY, 4, 9000, true), singular_of(ACCOUNT, 9, 9, "nine"),
      pending_put_of(&pending), state_of(NOTE, 9000, 0, NULL, 0)};
  statuses[3] = commit_changes(f, changes, SDB_COUNT_OF(changes));
  sdb_local_change clear = change_of(SDB_LOCAL_CLEAR, NOTE);
  statuses[4] = commit_changes(f, &clear, 1);
  bool good = true;
  for (size_t i = 0; i < SDB_COUNT_OF(statuses); i++) {
    good = good && (statuses[i] == SDB_OK || statuses[i] == SDB_NOT_FOUND);
    assert_true(statuses[i] == SDB_OK || statuses[i] == SDB_NOT_FOUND ||
                statuses[i] == SDB_BAD_FORMAT || statuses[i] == SDB_IO ||
                statuses[i] == SDB_NO_MEMORY);
  }
  if (!good) ++*failed;
  local_file_close(f);
}

static uint64_t random_state = 88172645463325252U;

static uint64_t draw(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}

static void damage(char *bytes, size_t *size) {
  size_t at = draw(*size), span = 1 + draw(draw(2) ? 8 : 6000);
  if (span > *size - at) span = *size - at;
  switch (draw(5)) {
  case 0:
    *size = at;
    break;
  case 1:
    memset(bytes + at / PAGE * PAGE, 0, *size - at / PAGE * PAGE < PAGE ? 1 : PAGE);
    break;
  case 2:
    memset(bytes + at, 0xFF, span);
    break;
  default: /* near the start of a page, where its header and its cells' places are */
    at = at / PAGE * PAGE + draw(64);
    for (size_t i = at; i < *size && i < at + span; i++)
      bytes[i] = (char)draw(256);
  }
}

static void damage_anywhere_crashes_nothing(void **state) {
  local_fixture *f = *state;
  const char *path = local_of(f)->path;
  fill(f, 400, 60);
  local_file_close(f);
  size_t whole_size, refused = 0, failed = 0;
  char *whole = read_file(path, &whole_size), *bytes = malloc(whole_size);
  enum { ROUNDS = 400 };
  for (int i = 0; i < ROUNDS; i++) {
    size_t size = whole_size;
    memcpy(bytes, whole, size);
    for (uint64_t k = 1 + draw(3); k > 0 && size > 0; k--)
      damage(bytes, &size);
    unlink(path_with(path, "-wal"));
    unlink(path_with(path, "-shm"));
    write_file(path, bytes, size);
    use(f, &refused, &failed);
  }
  assert_true(refused > ROUNDS / 20 && failed > ROUNDS / 20);
  assert_true(refused + failed < ROUNDS);
  free(whole);
  free(bytes);
}

static void damage_in_the_wal_crashes_nothing(void **state) {
  local_fixture *f = *state;
  const char *path = local_of(f)->path;
  apply(f, put_of(CHAT, 1, 1, "one"));
  local_reopen(f);
  fill(f, 200, 30);
  size_t file_size, wal_size, refused = 0, failed = 0;
  char *file = read_file(path, &file_size), *wal = read_file(path_with(path, "-wal"), &wal_size);
  char *bytes = malloc(wal_size);
  local_file_close(f);
  for (int i = 0; i < 100; i++) {
    size_t size = wal_size;
    memcpy(bytes, wal, size);
    damage(bytes, &size);
    unlink(path_with(path, "-shm"));
    write_file(path, file, file_size);
    write_file(path_with(path, "-wal"), bytes, size);
    use(f, &refused, &failed);
  }
  assert_int_equal(refused + failed, 0); /* a WAL is used as far as its checksums go */
  free(file);
  free(wal);
  free(bytes);
}

/* ---- saving pushes ---- */

static void pushes_of_a_whole_file_are_saved_in_their_order(void **state) {
  local_fixture *f = *state;
  fill(f, 10, 50);
  for (int closed = 0; closed < 2; closed++) {
    if (closed) local_file_close(f);
    saved s = salvage(f);
    assert_int_equal(s.status, SDB_OK);
    assert_int_equal(s.count, 50);
    for (uint64_t i = 0; i < 50; i++)
      assert_int_equal(s.pending[i].position, i + 1);
    assert_int_equal(s.pending[7].object.size, 299);
    sdb_buffer_free(&s.memory);
  }
}

static void only_pushes_of_the_same_user_and_server_are_saved(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  fill(f, 10, 5);
  local_file_close(f);
  held->options.user = "eve";
  saved s = salvage(f);
  assert_int_equal(s.status, SDB_CONFLICT);
  sdb_buffer_free(&s.memory);
  held->options.user = "ada";
  held->options.server = "ws://elsewhere/";
  s = salvage(f);
  assert_int_equal(s.status, SDB_CONFLICT);
  sdb_buffer_free(&s.memory);
}

static void pushes_of_stores_that_are_not_open_are_not_saved(void **state) {
  local_fixture *f = *state;
  fill(f, 10, 5);
  local_file_close(f);
  local_of(f)->options.stores = CONFORMANCE_STORES + NOTE;
  local_of(f)->options.stores_count = 2;
  saved s = salvage(f);
  assert_int_equal(s.status, SDB_OK);
  assert_int_equal(s.count, 0);
  sdb_buffer_free(&s.memory);
}

static void nothing_is_saved_where_nothing_can_be_read(void **state) {
  local_fixture *f = *state;
  local_file_close(f);
  unlink(local_of(f)->path);
  saved s = salvage(f);
  assert_int_equal(s.status, SDB_IO);
  sdb_buffer_free(&s.memory);
  char text[5000];
  memset(text, 'x', sizeof(text));
  write_file(local_of(f)->path, text, sizeof(text));
  s = salvage(f);
  assert_int_equal(s.status, SDB_BAD_FORMAT);
  sdb_buffer_free(&s.memory);
  unlink(local_of(f)->path);
  sql(local_of(f)->path, "CREATE TABLE pending(x)");
  s = salvage(f);
  assert_int_equal(s.status, SDB_BAD_FORMAT);
  sdb_buffer_free(&s.memory);
}

static void a_path_may_have_signs_that_mean_something_in_a_uri(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  fill(f, 1, 3);
  local_file_close(f);
  char strange[128];
  snprintf(strange, sizeof(strange), "%s/a?b#c%%41.sqlite", held->folder);
  assert_int_equal(rename(held->path, strange), 0);
  held->options.path = strange;
  failing_vfs_set(FAILING_NOTHING);
  saved s = salvage(f);
  assert_int_equal(s.count, 3);
  sdb_buffer_free(&s.memory);
  held->options.path = held->path;
}

/* Of a table of pushes with one page lost, those before it and behind it are saved. */
static void what_stands_around_a_lost_page_is_saved(void **state) {
  local_fixture *f = *state;
  const char *path = local_of(f)->path;
  fill(f, 40, 300);
  local_file_close(f);
  size_t size;
  char *bytes = read_file(path, &size);
  size_t most = 0, tried = 0;
  for (size_t at = PAGE; at < size; at += PAGE) {
    char garbage[PAGE];
    memset(garbage, 0x55, sizeof(garbage));
    write_file(path, bytes, size);
    overwrite(path, at, garbage, sizeof(garbage));
    saved s = salvage(f);
    for (size_t i = 1; i < s.count; i++)
      assert_true(s.pending[i].position > s.pending[i - 1].position);
    if (s.count > 0 && s.count < 300) {
      tried++;
      assert_int_equal(s.status, SDB_OK);
      assert_true(s.count > 250);
      if (s.pending[0].position == 1 && s.pending[s.count - 1].position == 300) most++;
    }
    sdb_buffer_free(&s.memory);
  }
  assert_true(tried > 10 && most > 10);
  free(bytes);
}

/* ---- setting aside ---- */

static void set_aside(local_fixture *f, uint64_t now_ms, sdb_status expected) {
  sdb_error error;
  sdb_status status = sdb_sqlite_local_set_aside(
      &SDB_SYSTEM, sdb_platform_mem(), local_of(f)->options.path, now_ms, &error);
  assert_int_equal(status, expected);
}

static void a_file_that_is_set_aside_is_kept_whole(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  fill(f, 10, 5);
  size_t file_size, wal_size, size;
  char *file = read_file(held->path, &file_size);
  char *wal = read_file(path_with(held->path, "-wal"), &wal_size);
  set_aside(f, T0, SDB_BUSY);
  local_file_close(f);
  write_file(held->path, file, file_size);
  write_file(path_with(held->path, "-wal"), wal, wal_size);
  set_aside(f, T0, SDB_OK);
  assert_int_not_equal(access(held->path, F_OK), 0);
  assert_int_not_equal(access(path_with(held->path, "-wal"), F_OK), 0);
  const char *aside = path_with(held->path, ".damaged-1749383382805");
  char *kept = read_file(aside, &size);
  assert_non_null(kept);
  assert_int_equal(size, file_size);
  assert_memory_equal(kept, file, size);
  free(kept);
  free(file);
  free(wal);
  local_file_open(f);
  assert_int_equal(load_all(f)->pending_count, 0);
  local_file_close(f);
  held->options.path = aside;
  saved s = salvage(f);
  assert_int_equal(s.count, 5);
  sdb_buffer_free(&s.memory);
  held->options.path = held->path;
}

static void nothing_that_was_set_aside_is_overwritten(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  apply(f, put_of(CHAT, 1, 1, "first"));
  local_file_close(f);
  write_file(path_with(held->path, ".damaged-1749383382806-wal"), "taken", 5);
  set_aside(f, T0, SDB_OK);
  set_aside(f, T0, SDB_OK); /* there is none */
  local_file_open(f);
  apply(f, put_of(CHAT, 1, 1, "second"));
  local_file_close(f);
  set_aside(f, T0, SDB_OK);
  assert_int_equal(access(path_with(held->path, ".damaged-1749383382805"), F_OK), 0);
  assert_int_equal(access(path_with(held->path, ".damaged-1749383382807"), F_OK), 0);
  size_t size;
  char *taken = read_file(path_with(held->path, ".damaged-1749383382806-wal"), &size);
  assert_int_equal(size, 5);
  free(taken);
  held->options.path = path_with(held->path, ".damaged-1749383382805");
  local_file_open(f);
  assert_store_is(f, CHAT, "first");
}

static void what_cannot_be_set_aside_is_an_io_error(void **state) {
  local_fixture *f = *state;
  local_file_close(f);
  local_of(f)->options.path = "/proc/ada.sqlite";
  set_aside(f, T0, SDB_IO);
}

#define BEHAVIOUR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      BEHAVIOUR(a_state_that_is_not_whole_makes_its_store_begin_anew),
      BEHAVIOUR(ranges_that_touch_are_whole),
      BEHAVIOUR(a_pending_push_that_is_not_whole_is_passed_over_and_stays),
      BEHAVIOUR(an_object_that_is_not_whole_is_an_error_that_says_so),
      BEHAVIOUR(a_file_that_lacks_a_table_is_damaged),
      BEHAVIOUR(a_file_of_ours_that_lost_its_beginning_is_damaged),
      BEHAVIOUR(what_begins_as_ours_is_damaged_whatever_lies_beside_it),
      BEHAVIOUR(damage_anywhere_crashes_nothing),
      BEHAVIOUR(damage_in_the_wal_crashes_nothing),
      BEHAVIOUR(pushes_of_a_whole_file_are_saved_in_their_order),
      BEHAVIOUR(only_pushes_of_the_same_user_and_server_are_saved),
      BEHAVIOUR(pushes_of_stores_that_are_not_open_are_not_saved),
      BEHAVIOUR(nothing_is_saved_where_nothing_can_be_read),
      BEHAVIOUR(a_path_may_have_signs_that_mean_something_in_a_uri),
      BEHAVIOUR(what_stands_around_a_lost_page_is_saved),
      BEHAVIOUR(a_file_that_is_set_aside_is_kept_whole),
      BEHAVIOUR(nothing_that_was_set_aside_is_overwritten),
      BEHAVIOUR(what_cannot_be_set_aside_is_an_io_error),
  };
  return cmocka_run_group_tests_name("local_damage", tests, NULL, NULL);
}
