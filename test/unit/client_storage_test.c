/* test/unit/client_storage_test.c: what a device keeps in its local file, which files it does not
 * touch, and what it saves of one that is damaged. client_fallback_test.c: files that fail. */
#include "client_fixture.h"
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

/* ---- a file that works ---- */

static void what_was_synced_is_there_before_the_network(void **state) {
  fixture *f = *state;
  device *d = open_device(f, file_options(f, false));
  wait_synced(d);
  push_message(d, "kept");
  push(d, f->account, "{\"name\":\"Ada\"}");
  wait_delivered(d);
  assert_storage(d, SDB_CLIENT_DURABLE, "");
  close_device(d);
  close_server(f);
  d = open_device(f, file_options(f, true));
  assert_record(d, "kept", SDB_RECORD_SYNCED);
  sdb_client_records *records = NULL;
  assert_int_equal(sdb_client_singular(d->client, f->account, &records, NULL), SDB_OK);
  assert_true(holds(records->records[0].object, "Ada"));
  sdb_client_records_free(records);
  close_device(d);
}

static void unsynced_pushes_are_sent_by_the_next_client_of_the_file(void **state) {
  fixture *f = *state;
  device *d = open_device(f, file_options(f, true));
  sdb_uuid client_id = push_message(d, "unsynced");
  close_device(d);
  d = open_device(f, file_options(f, true));
  assert_record(d, "unsynced", SDB_RECORD_PENDING);
  assert_int_equal(status_of(d).pending, 1);
  sdb_client_go_online(d->client);
  wait_delivered(d);
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "unsynced"));
  assert_true(sdb_uuid_equal(told(d, SDB_RECORD_SYNCED, "unsynced")->client_id, client_id));
  close_device(d);
  assert_int_equal(server_count(f), 1);
}

static void a_file_goes_on_where_it_ended(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 5; i++)
    server_push(f, f->messages, "{\"role\":\"user\",\"content\":\"old\"}");
  device *d = open_device(f, file_options(f, false));
  wait_synced(d);
  assert_int_equal(status_of(d).events_received, 5);
  close_device(d);
  server_push(f, f->messages, "{\"role\":\"user\",\"content\":\"new\"}");
  d = open_device(f, file_options(f, false));
  wait_synced(d);
  assert_int_equal(status_of(d).events_received, 1);
  assert_int_equal(count_of(d), 6);
  close_device(d);
}

static void without_a_path_memory_is_no_problem(void **state) {
  device *d = live_device(*state);
  assert_storage(d, SDB_CLIENT_MEMORY, "");
  close_device(d);
}

/* ---- what the log is told ---- */

typedef struct logged {
  char event[32], message[512];
} logged;

static void note_line(void *context, sdb_log_level level, const char *event, const char *message) {
  (void)level;
  logged *l = context;
  snprintf(l->event, sizeof(l->event), "%s", event);
  snprintf(l->message, sizeof(l->message), "%s", message);
}

static void no_control_character_goes_into_the_log(void **state) {
  fixture *f = *state;
  logged last = {{0}, {0}};
  sdb_client_options options = file_options(f, true);
  options.path = "/nowhere\r\n\x1b[2J\x7f\xc2\x80\xc2\x9f\xc2\xa0\xc3\xa9/ada.sqlite";
  options.log = note_line;
  options.log_context = &last;
  device *d = open_device(f, options);
  assert_string_equal(last.event, "storage_failed");
  assert_non_null(strstr(last.message, "/nowhere???[2J???\xc2\xa0\xc3\xa9/ada.sqlite"));
  close_device(d);
}

/* ---- a file that is not to be touched ---- */

static void refuse(fixture *f, sdb_client_options options, sdb_status status) {
  sdb_error error = {0};
  device *d = try_device(f, options, status, &error);
  assert_true(error.message[0]);
  close_device(d);
}

static void the_file_of_another_user_or_server_is_refused(void **state) {
  fixture *f = *state;
  close_device(open_device(f, file_options(f, true)));
  sdb_client_options options = file_options(f, true);
  options.user = "grace";
  refuse(f, options, SDB_CONFLICT);
  options = file_options(f, true);
  options.url = "ws://127.0.0.1:1/?user=ada";
  refuse(f, options, SDB_CONFLICT);
  char url[160]; /* the same server, written in another way */
  snprintf(url, sizeof(url), "WS://127.0.0.1:%u?user=ada&token=secret", f->port);
  options.url = url;
  close_device(open_device(f, options));
}

static void a_file_that_another_client_has_open_is_busy(void **state) {
  fixture *f = *state;
  device *d = open_device(f, file_options(f, true));
  refuse(f, file_options(f, true), SDB_BUSY);
  close_device(d);
  close_device(open_device(f, file_options(f, true)));
}

static void the_file_of_another_program_is_refused(void **state) {
  fixture *f = *state;
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "CREATE TABLE mine (x)", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  refuse(f, file_options(f, true), SDB_BAD_FORMAT);
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "SELECT x FROM mine", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

/* A pipe would be waited for, and a database in memory keeps nothing. */
static void what_is_no_file_is_refused(void **state) {
  fixture *f = *state;
  sdb_client_options options = file_options(f, true);
  options.path = ":memory:";
  refuse(f, options, SDB_INVALID_ARGUMENT);
  assert_int_equal(mkfifo(f->path, 0600), 0);
  refuse(f, file_options(f, true), SDB_BAD_FORMAT);
  assert_int_equal(unlink(f->path), 0);
  close_device(open_device(f, file_options(f, true)));
}

/* ---- a file that is damaged ---- */

/* How many files of the folder begin with the local file's name and `suffix`. */
static int files_with(const fixture *f, const char *suffix) {
  char name[64];
  snprintf(name, sizeof(name), "device.sqlite%s", suffix);
  DIR *folder = opendir(f->folder);
  assert_non_null(folder);
  int count = 0;
  for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
    count += strncmp(entry->d_name, name, strlen(name)) == 0;
  closedir(folder);
  return count;
}

static void overwrite(const fixture *f, off_t from, size_t size) {
  int fd = open(f->path, O_WRONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  for (size_t i = 0; i < size; i++)
    assert_int_equal(pwrite(fd, "\xA5", 1, from + (off_t)i), 1);
  close(fd);
}

static void a_damaged_file_is_set_aside_and_all_is_loaded_anew(void **state) {
  fixture *f = *state;
  device *d = open_device(f, file_options(f, false));
  wait_synced(d);
  push_message(d, "on the server");
  wait_delivered(d);
  close_device(d);
  overwrite(f, 0, 4096);
  d = open_device(f, file_options(f, false));
  assert_storage(d, SDB_CLIENT_DURABLE, "damaged");
  wait_synced(d);
  assert_record(d, "on the server", SDB_RECORD_SYNCED);
  assert_int_equal(files_with(f, ".damaged-"), 1);
  close_device(d);
  d = open_device(f, file_options(f, true));
  assert_storage(d, SDB_CLIENT_DURABLE, "");
  assert_record(d, "on the server", SDB_RECORD_SYNCED);
  close_device(d);
}

static int64_t ask_file(const fixture *f, const char *sql) {
  sqlite3 *db = NULL;
  sqlite3_stmt *select = NULL;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &select, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(select), SQLITE_ROW);
  int64_t value = sqlite3_column_int64(select, 0);
  sqlite3_finalize(select);
  sqlite3_close(db);
  return value;
}

static void unsynced_pushes_are_saved_from_a_damaged_file(void **state) {
  fixture *f = *state;
  device *d = open_device(f, file_options(f, true));
  push_message(d, "saved");
  close_device(d);
  int64_t size = ask_file(f, "PRAGMA page_size");
  int64_t page = ask_file(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'state'");
  overwrite(f, (page - 1) * size, (size_t)size);
  d = open_device(f, file_options(f, true));
  assert_storage(d, SDB_CLIENT_DURABLE, "1 unsynced pushes were saved");
  assert_record(d, "saved", SDB_RECORD_PENDING);
  close_device(d);
  d = open_device(f, file_options(f, false)); /* they are in the new file */
  wait_synced(d);
  wait_delivered(d);
  assert_int_equal(server_count(f), 1);
  close_device(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(what_was_synced_is_there_before_the_network),
      ON_A_SERVER(unsynced_pushes_are_sent_by_the_next_client_of_the_file),
      ON_A_SERVER(a_file_goes_on_where_it_ended),
      ON_A_SERVER(without_a_path_memory_is_no_problem),
      ON_A_SERVER(no_control_character_goes_into_the_log),
      ON_A_SERVER(the_file_of_another_user_or_server_is_refused),
      ON_A_SERVER(a_file_that_another_client_has_open_is_busy),
      ON_A_SERVER(the_file_of_another_program_is_refused),
      ON_A_SERVER(what_is_no_file_is_refused),
      ON_A_SERVER(a_damaged_file_is_set_aside_and_all_is_loaded_anew),
      ON_A_SERVER(unsynced_pushes_are_saved_from_a_damaged_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
