/* check_command_test.c: `syncdb check` as a user runs it: arguments in, exit code and texts out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORES                                                                                     \
  "{\"stores\":[{\"name\":\"chat_message\",\"type\":\"event\",\"schema\":{\"type\":\"object\","    \
  "\"properties\":{\"role\":{\"type\":\"string\"},\"content\":{\"type\":\"string\"}},"             \
  "\"required\":[\"role\",\"content\"]},\"rules\":{\"create\":{\"properties\":{\"role\":"          \
  "{\"const\":\"user\"}}},\"update\":false,\"delete\":true}}]}"
#define ARGUMENTS_MAX 16

typedef struct fixture {
  char folder[64];
  char in[96], out[96], err[96], stores[96], object[96];
  char stdout_text[65536], stderr_text[4096];
} fixture;

static void write_text(const char *path, const char *text, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

static void read_text(const char *path, char *to, size_t capacity) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  to[fread(to, 1, capacity - 1, file)] = 0;
  assert_int_equal(fclose(file), 0);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof(*f));
  if (!f) return -1;
  snprintf(f->folder, sizeof(f->folder), "/tmp/syncdb-check-XXXXXX");
  if (!mkdtemp(f->folder)) return -1;
  snprintf(f->in, sizeof(f->in), "%s/in", f->folder);
  snprintf(f->out, sizeof(f->out), "%s/out", f->folder);
  snprintf(f->err, sizeof(f->err), "%s/err", f->folder);
  snprintf(f->stores, sizeof(f->stores), "%s/stores.json", f->folder);
  snprintf(f->object, sizeof(f->object), "%s/object.json", f->folder);
  write_text(f->stores, STORES, strlen(STORES));
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  const char *paths[] = {f->in, f->out, f->err, f->stores, f->object};
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
    unlink(paths[i]);
  int status = rmdir(f->folder);
  free(f);
  return status;
}

/* Runs `syncdb check` with the arguments (which end with NULL) and this input; its exit code. */
static int run_bytes(fixture *f, const char *input, size_t size, const char *const *arguments) {
  char *argv[ARGUMENTS_MAX] = {(char *)"syncdb", (char *)"check"};
  for (size_t i = 0; arguments[i]; i++) {
    assert_true(i + 3 < ARGUMENTS_MAX);
    argv[i + 2] = (char *)arguments[i];
  }
  write_text(f->in, input, size);
  posix_spawn_file_actions_t actions;
  assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
  posix_spawn_file_actions_addopen(&actions, 0, f->in, O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, f->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, f->err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid;
  int status;
  assert_int_equal(posix_spawn(&pid, SDB_BIN_DIR "/syncdb", &actions, NULL, argv, environ), 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  posix_spawn_file_actions_destroy(&actions);
  read_text(f->out, f->stdout_text, sizeof(f->stdout_text));
  read_text(f->err, f->stderr_text, sizeof(f->stderr_text));
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int check(fixture *f, const char *action, const char *input, const char *more) {
  const char *arguments[] = {
      "--stores", f->stores, "--store", "chat_message", "--action", action, more, NULL};
  return run_bytes(f, input, strlen(input), arguments);
}

/* A line of output must be a refusal and nothing else. */
static void assert_refusal(
    const char *line, const char *code, const char *message, const char *path) {
  json_error_t error;
  json_t *verdict = json_loads(line, JSON_REJECT_DUPLICATES, &error);
  if (!verdict) fail_msg("%s: %s", line, error.text);
  assert_int_equal(json_object_size(verdict), 3);
  assert_string_equal(json_string_value(json_object_get(verdict, "code")), code);
  assert_string_equal(json_string_value(json_object_get(verdict, "message")), message);
  assert_string_equal(json_string_value(json_object_get(verdict, "path")), path);
  json_decref(verdict);
}

static void an_accepted_object_exits_0_and_says_nothing(void **state) {
  fixture *f = *state;
  assert_int_equal(check(f, "create", "{\"role\":\"user\",\"content\":\"hi\"}\n", NULL), 0);
  assert_string_equal(f->stdout_text, "");
  assert_string_equal(f->stderr_text, "");
}

static void a_refused_object_exits_1_with_the_verdict(void **state) {
  fixture *f = *state;
  assert_int_equal(check(f, "create", "{\"role\":\"assistant\",\"content\":\"\"}", NULL), 1);
  assert_refusal(f->stdout_text, "rejected",
      "create is not allowed in chat_message: /role must be \"user\"", "/role");
  assert_int_equal(check(f, "create", "{\"role\":\"user\",\"content\":5}", NULL), 1);
  assert_refusal(
      f->stdout_text, "invalid_object", "/content must be a string, not a number", "/content");
  assert_int_equal(check(f, "update", "{\"role\":\"user\",\"content\":\"\"}", NULL), 1);
  assert_refusal(f->stdout_text, "rejected", "update is not allowed in chat_message", "");
  assert_string_equal(f->stderr_text, "");
}

static void a_delete_needs_no_schema(void **state) {
  fixture *f = *state;
  assert_int_equal(check(f, "delete", "{\"role\":1}", NULL), 0);
  assert_int_equal(check(f, "delete", "", NULL), 0);
}

static void a_verdict_is_json_whatever_the_object_holds(void **state) {
  fixture *f = *state;
  assert_int_equal(
      check(f, "create", "{\"role\":\"user\",\"content\":\"\",\"$\\\"\\n\\\\\xC3\xA9\":1}", NULL),
      1);
  assert_refusal(f->stdout_text, "invalid_object", "names that begin with $ are the protocol's",
      "/$\"\n\\\xC3\xA9");
}

static void what_is_no_json_is_refused_with_the_byte(void **state) {
  fixture *f = *state;
  assert_int_equal(check(f, "create", "{\"role\":}", NULL), 1);
  json_t *verdict = json_loads(f->stdout_text, 0, NULL);
  assert_non_null(verdict);
  assert_string_equal(json_string_value(json_object_get(verdict, "code")), "bad_json");
  assert_non_null(strstr(json_string_value(json_object_get(verdict, "message")), ", at byte 8"));
  json_decref(verdict);
  assert_int_equal(check(f, "create", "", NULL), 1);
  assert_non_null(strstr(f->stdout_text, "\"bad_json\""));
}

static void an_object_file_is_read_in_place_of_the_input(void **state) {
  fixture *f = *state;
  static const char OBJECT[] = "{\"role\":\"user\",\"content\":\"hi\"}";
  write_text(f->object, OBJECT, strlen(OBJECT));
  assert_int_equal(check(f, "create", "nonsense", f->object), 0);
  unlink(f->object);
  assert_int_equal(check(f, "create", OBJECT, f->object), 2);
  assert_non_null(strstr(f->stderr_text, "No such file"));
}

static void an_object_that_is_too_large_is_refused(void **state) {
  fixture *f = *state;
  static char text[3 * 1024 * 1024];
  memset(text, ' ', sizeof(text));
  memcpy(text, "{}", 2);
  const char *arguments[] = {
      "--stores", f->stores, "--store", "chat_message", "--action", "create", NULL, NULL};
  assert_int_equal(run_bytes(f, text, sizeof(text), arguments), 1);
  assert_refusal(f->stdout_text, "too_large", "the object is larger than 256 KiB", "");
  text[sizeof(text) - 4] = '\n';
  memcpy(text + sizeof(text) - 3, "{}\n", 3);
  arguments[6] = "--lines";
  assert_int_equal(run_bytes(f, text, sizeof(text), arguments), 1);
  char *second = strchr(f->stdout_text, '\n');
  assert_non_null(second);
  assert_non_null(strstr(second, "invalid_object"));
}

static void lines_have_a_verdict_each(void **state) {
  fixture *f = *state;
  assert_int_equal(check(f, "create",
                       "{\"role\":\"user\",\"content\":\"a\"}\n"
                       "{\"role\":\"user\"}\n"
                       "\n"
                       "{\"role\":\"user\",\"content\":\"b\"}\r\n"
                       "{\"role\":\"user\",\"content\":\"no line end\"}",
                       "--lines"),
      1);
  char *lines[6] = {strtok(f->stdout_text, "\n")};
  for (int i = 1; i < 6; i++)
    lines[i] = strtok(NULL, "\n");
  assert_string_equal(lines[0], "ok");
  assert_refusal(lines[1], "invalid_object", "/content is required", "/content");
  assert_non_null(strstr(lines[2], "bad_json"));
  assert_string_equal(lines[3], "ok");
  assert_string_equal(lines[4], "ok");
  assert_null(lines[5]);
}

static void lines_that_are_all_accepted_exit_0(void **state) {
  fixture *f = *state;
  assert_int_equal(check(f, "create", "{\"role\":\"user\",\"content\":\"\"}\n", "--lines"), 0);
  assert_string_equal(f->stdout_text, "ok\n");
  assert_int_equal(check(f, "create", "", "--lines"), 0);
  assert_string_equal(f->stdout_text, "");
}

static void bad_usage_exits_2_and_says_why(void **state) {
  fixture *f = *state;
  const struct {
    const char *arguments[8], *message;
  } TABLE[] = {
      {{NULL}, "--stores is missing"},
      {{"--stores", f->stores, NULL}, "--store is missing"},
      {{"--stores", f->stores, "--store", "chatMessage", NULL}, "--action is missing"},
      {{"--stores", f->stores, "--store", "chatMessage", "--action", "remove", NULL},
          "--action is create, update or delete, not remove"},
      {{"--stores", f->stores, "--store", "chat", "--action", "create", NULL},
          "no store is named chat, but chat_message"},
      {{"--stores", "/nowhere/stores.json", "--store", "a", "--action", "create", NULL},
          "cannot read /nowhere/stores.json"},
      {{"--stores", f->folder, "--store", "a", "--action", "create", NULL}, "Is a directory"},
      {{"--frobnicate", NULL}, "unknown option --frobnicate"},
      {{"--stores", NULL}, "a value is missing behind --stores"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    assert_int_equal(run_bytes(f, "{}", 2, TABLE[i].arguments), 2);
    if (!strstr(f->stderr_text, TABLE[i].message))
      fail_msg("not %s: %s", TABLE[i].message, f->stderr_text);
    assert_string_equal(f->stdout_text, "");
  }
}

static void a_bad_stores_file_exits_2_with_the_place(void **state) {
  fixture *f = *state;
  const struct {
    const char *file, *message;
  } TABLE[] = {
      {"nonsense", "byte 0: "},
      {"{}", "{\"stores\":[...]}"},
      {"{\"stores\":[{\"name\":\"x\",\"type\":\"y\",\"schema\":{}}]}", "/stores/0/type: "},
      {"{\"stores\":[{\"name\":\"x\",\"type\":\"event\",\"schema\":{\"if\":1}}]}",
          "/stores/0/schema/if: the keyword \"if\" is not supported"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    write_text(f->stores, TABLE[i].file, strlen(TABLE[i].file));
    assert_int_equal(check(f, "create", "{}", NULL), 2);
    if (!strstr(f->stderr_text, TABLE[i].message))
      fail_msg("not %s: %s", TABLE[i].message, f->stderr_text);
    assert_string_equal(f->stdout_text, "");
  }
}

static void help_tells_the_options(void **state) {
  fixture *f = *state;
  const char *arguments[] = {"--help", NULL};
  assert_int_equal(run_bytes(f, "", 0, arguments), 0);
  assert_non_null(strstr(f->stdout_text, "usage: syncdb check"));
  assert_non_null(strstr(f->stdout_text, "--lines"));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(an_accepted_object_exits_0_and_says_nothing),
      TEST(a_refused_object_exits_1_with_the_verdict),
      TEST(a_delete_needs_no_schema),
      TEST(a_verdict_is_json_whatever_the_object_holds),
      TEST(what_is_no_json_is_refused_with_the_byte),
      TEST(an_object_file_is_read_in_place_of_the_input),
      TEST(an_object_that_is_too_large_is_refused),
      TEST(lines_have_a_verdict_each),
      TEST(lines_that_are_all_accepted_exit_0),
      TEST(bad_usage_exits_2_and_says_why),
      TEST(a_bad_stores_file_exits_2_with_the_place),
      TEST(help_tells_the_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
