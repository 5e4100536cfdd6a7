/* pattern_test.c: patterns mean what ECMA-262 says, and cost no more than they may. */
#include "platform/platform.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 1000000
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void *compile(const char *pattern) {
  const sdb_pattern_port *port = sdb_platform_patterns();
  void *compiled = NULL;
  sdb_error error;
  sdb_status status = port->compile(port->context, sdb_slice_of(pattern), &compiled, &error);
  if (status != SDB_OK) fail_msg("%s is refused: %s", pattern, error.message);
  return compiled;
}

static int match_text(const char *pattern, sdb_slice text, uint64_t steps) {
  const sdb_pattern_port *port = sdb_platform_patterns();
  void *compiled = compile(pattern);
  int result = port->match(port->context, compiled, text, &steps);
  port->release(port->context, compiled);
  return result;
}

typedef struct expectation {
  const char *pattern, *text;
  int result;
} expectation;

static void expect_all(const expectation *table, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int got = match_text(table[i].pattern, sdb_slice_of(table[i].text), STEPS);
    if (got != table[i].result)
      fail_msg(
          "/%s/u of \"%s\" is %d, not %d", table[i].pattern, table[i].text, got, table[i].result);
  }
}

static void a_pattern_may_occur_anywhere(void **state) {
  (void)state;
  static const expectation TABLE[] = {
      {"b", "abc", 1},
      {"b", "ac", 0},
      {"", "", 1},
      {"", "a", 1},
      {"^b", "ab", 0},
      {"^a$", "a", 1},
      {"^a$", "a\n", 0},
      {"a$", "a\nb", 0},
      {"^b", "a\nb", 0},
      {"^$", "", 1},
      {"a|^b$", "cb", 0},
      {"A", "a", 0},
  };
  expect_all(TABLE, COUNT(TABLE));
}

static void a_leading_any_changes_nothing(void **state) {
  (void)state;
  static const expectation TABLE[] = {
      {".*b$", "ab", 1},
      {".*b$", "a\nb", 1},
      {".*?b$", "ba", 0},
      {".*", "", 1},
      {".*|a", "b", 1},
      {".*{", "a{", 1},
      {".*", "\n", 1},
  };
  expect_all(TABLE, COUNT(TABLE));
}

static void a_dot_stops_at_four_line_ends(void **state) {
  (void)state;
  static const expectation TABLE[] = {
      {"^.$", "a", 1},
      {"^.$", "\xF0\x9F\x98\x80", 1},
      {"^.$", "\n", 0},
      {"^.$", "\r", 0},
      {"^.$", "\xE2\x80\xA8", 0},
      {"^.$", "\xE2\x80\xA9", 0},
      {"^.$", "\xC2\x85", 1},
      {"^.$", "\x0B", 1},
      {"^[.]$", "a", 0},
      {"^\\.$", "a", 0},
  };
  expect_all(TABLE, COUNT(TABLE));
}

static void classes_of_characters(void **state) {
  (void)state;
  static const expectation TABLE[] = {
      {"^\\d$", "7", 1},
      {"^\\d$", "\xD9\xA1", 0},
      {"^\\D$", "\xD9\xA1", 1},
      {"^\\w$", "_", 1},
      {"^\\w$", "\xC3\xA4", 0},
      {"^\\W$", "\xC3\xA4", 1},
      {"^\\s$", "\xC2\xA0", 1},
      {"^\\s$", "\xEF\xBB\xBF", 1},
      {"^\\s$", "\xE2\x80\x83", 1},
      {"^\\s$", "\xC2\x85", 0},
      {"^\\s$", "\x0B", 1},
      {"^\\S$", "\xE3\x80\x80", 0},
      {"^\\S$", "a", 1},
      {"^[\\s\\S]$", "\n", 1},
      {"^[\\S]$", "\xEF\xBB\xBF", 0},
      {"^[^\\s]$", " ", 0},
      {"^[\\d-z]+$", "1-z", 1},
      {"^[\\s-]$", "-", 1},
      {"^[\\w.-]+$", "a.b-c", 1},
      {"^[[:alpha:]]$", "a]", 1},
      {"^[[]$", "[", 1},
      {"^[\\]]$", "]", 1},
      {"^[]$", "a", 0},
      {"^[^]$", "\n", 1},
      {"^[a-c&&b]$", "&", 1},
      {"^[\\b]$", "\b", 1},
      {"^[\\-a]$", "-", 1},
      {"^[^a]$", "\xF0\x9F\x98\x80", 1},
      {"^[\xC3\xA4-\xC3\xBC]$", "\xC3\xB6", 1},
      {"^\\p{Lu}$", "\xC3\x84", 1},
      {"^\\P{L}$", "1", 1},
      {"^[\\p{L}-]+$", "a-b", 1},
      {"^\\p{Script=Greek}$", "\xCE\xB1", 1},
  };
  expect_all(TABLE, COUNT(TABLE));
}

static void escapes_of_code_points(void **state) {
  (void)state;
  static const expectation TABLE[] = {
      {"^\\x41\\u0042\\u{43}$", "ABC", 1},
      {"^\\u{1F600}$", "\xF0\x9F\x98\x80", 1},
      {"^\\ud83d\\ude00$", "\xF0\x9F\x98\x80", 1},
      {"^[\\ud83d\\ude00-\\ud83d\\ude02]$", "\xF0\x9F\x98\x81", 1},
      {"^\\t\\n\\r\\f\\v$", "\t\n\r\f\v", 1},
      {"^\\cJ$", "\n", 1},
      {"^\\/\\-\\'\\@$", "/-'@", 1},
      {"^\\$\\^\\{\\}$", "$^{}", 1},
      {"^a\\_$", "a_", 1},
      {"^\\bfoo\\b$", "foo", 1},
      {"o\\Bo", "foo", 1},
  };
  expect_all(TABLE, COUNT(TABLE));
  assert_int_equal(match_text("^a\\0b$", sdb_slice_make("a\0b", 3), STEPS), 1);
}

static void groups_references_and_look_around(void **state) {
  (void)state;
  static const expectation TABLE[] = {
      {"^(a)(b)\\2\\1$", "abba", 1},
      {"^(?<x>a)\\k<x>$", "aa", 1},
      {"^(?:a|b)+$", "abab", 1},
      {"^(?=.*\\d).{3}$", "a1b", 1},
      {"^(?!a)", "ab", 0},
      {"(?<=a)b", "ab", 1},
      {"(?<!a)b", "ab", 0},
      {"^(?:(a)|b)\\1$", "b", 1},
      {"^a{2}$", "aa", 1},
      {"^a{2,}$", "a", 0},
      {"^a{1,2}?$", "aa", 1},
      {"^a{,2}$", "a{,2}", 1},
      {"^a{x}$", "a{x}", 1},
      {"^{$", "{", 1},
      {"^a*?b+?c??$", "aab", 1},
      {"^#x y$", "#x y", 1},
  };
  expect_all(TABLE, COUNT(TABLE));
}

static void what_is_no_pattern_of_ecma_262_is_refused(void **state) {
  (void)state;
  static const char *const BAD[] = {"(", ")", "[", "[b-a]", "a**", "a++", "a{2}+",
      "a??"
      "?",
      "*a", "(?i)a", "(?>a)", "(?#a)", "(?R)", "(?P<x>a)", "(?'x'a)", "(?|a)", "(*UTF)a", "(*FAIL)",
      "\\", "a\\", "\\A", "\\z", "\\Z", "\\h", "\\R", "\\K", "\\Q", "\\E", "\\C", "\\G", "\\a",
      "\\e", "\\g{1}", "\\N", "\\X", "\\1", "\\k<x>", "\\ka", "\\x4", "\\u12", "\\u{}",
      "\\u{110000}", "\\ud83d", "\\ude00", "\\ud83d\\u0041", "\\u{d800}", "\\c1", "\\01", "\\p",
      "\\pL", "\\p{Nonsense}", "[\\1]", "[\\B]", "\\q", "[\\q]", "(?<1>a)", "(?<x>a)(?<x>b)"};
  const sdb_pattern_port *port = sdb_platform_patterns();
  for (size_t i = 0; i < COUNT(BAD); i++) {
    void *compiled = NULL;
    sdb_error error = {SDB_OK, 0, "", ""};
    sdb_status status = port->compile(port->context, sdb_slice_of(BAD[i]), &compiled, &error);
    if (status != SDB_BAD_DEFINITION) fail_msg("/%s/u is taken", BAD[i]);
    assert_int_not_equal(error.message[0], 0);
    assert_null(compiled);
  }
}

static void a_pattern_that_is_too_long_is_refused(void **state) {
  (void)state;
  char *pattern = malloc(20000);
  assert_non_null(pattern);
  memset(pattern, 'a', 20000);
  const sdb_pattern_port *port = sdb_platform_patterns();
  void *compiled = NULL;
  sdb_error error;
  assert_int_equal(port->compile(port->context, sdb_slice_make(pattern, 20000), &compiled, &error),
      SDB_BAD_DEFINITION);
  assert_string_equal(error.message, "longer than 16 KiB");
  free(pattern);
}

/* Patterns and texts that would take far longer than their length: each must give up. */
static void hostile_texts_stop_at_the_limit(void **state) {
  (void)state;
  static const char *const PATTERNS[] = {"(a+)+$", "^(a+)+$", "(?=[a-z]*[0-9])[a-z]",
      "[a-z]{1000}[0-9]", "^(?:a|a)*$", "(a*)*b", "(?:a*a*a*a*)!$", "([a-z]+)\\1!", "a*b"};
  char *text = malloc(250001);
  assert_non_null(text);
  memset(text, 'a', 250000);
  text[250000] = '.';
  for (size_t i = 0; i < COUNT(PATTERNS); i++) {
    int got = match_text(PATTERNS[i], sdb_slice_make(text, 250001), STEPS);
    if (got != -1 && got != 0) fail_msg("/%s/ is %d", PATTERNS[i], got);
  }
  assert_int_equal(match_text("^(a+)+$", sdb_slice_make(text, 250001), STEPS), -1);
  assert_int_equal(match_text("(?=[a-z]*[0-9])[a-z]", sdb_slice_make(text, 250001), STEPS), -1);
  free(text);
}

static void memory_for_backtracking_is_limited(void **state) {
  (void)state;
  char *text = malloc(1 << 22);
  assert_non_null(text);
  memset(text, 'a', 1 << 22);
  assert_int_equal(match_text("^(?:a|b)*$", sdb_slice_make(text, 1 << 22), (uint64_t)1 << 40), -1);
  assert_int_equal(match_text("^(?:a|b)*$", sdb_slice_make(text, 1 << 10), STEPS), 1);
  free(text);
}

static void steps_are_taken_off(void **state) {
  (void)state;
  const sdb_pattern_port *port = sdb_platform_patterns();
  void *compiled = compile("^[a-z]+$");
  uint64_t steps = 1000, before;
  assert_int_equal(port->match(port->context, compiled, sdb_slice_of("abc"), &steps), 1);
  assert_in_range(steps, 1, 999);
  before = steps;
  assert_int_equal(port->match(port->context, compiled, sdb_slice_of("abc"), &steps), 1);
  assert_int_equal(before - steps, 1000 - before);
  steps = 2;
  assert_int_equal(port->match(port->context, compiled, sdb_slice_of("abcdefghij"), &steps), -1);
  assert_int_equal(steps, 0);
  port->release(port->context, compiled);
}

static void *match_in_a_thread(void *compiled) {
  const sdb_pattern_port *port = sdb_platform_patterns();
  size_t wrong = 0;
  for (int i = 0; i < 2000; i++) {
    uint64_t steps = STEPS;
    const char *text = i % 2 ? "someone@example.com" : "nobody";
    wrong += port->match(port->context, compiled, sdb_slice_of(text), &steps) != i % 2;
  }
  return wrong ? compiled : NULL;
}

static void threads_may_match_one_pattern_at_once(void **state) {
  (void)state;
  const sdb_pattern_port *port = sdb_platform_patterns();
  void *compiled = compile("^(?:[a-z]+\\.)*[a-z]+@(?:[a-z]+\\.)+[a-z]{2,}$");
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, match_in_a_thread, compiled), 0);
  for (size_t i = 0; i < COUNT(threads); i++) {
    void *wrong;
    assert_int_equal(pthread_join(threads[i], &wrong), 0);
    assert_null(wrong);
  }
  port->release(port->context, compiled);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pattern_may_occur_anywhere),
      cmocka_unit_test(a_leading_any_changes_nothing),
      cmocka_unit_test(a_dot_stops_at_four_line_ends),
      cmocka_unit_test(classes_of_characters),
      cmocka_unit_test(escapes_of_code_points),
      cmocka_unit_test(groups_references_and_look_around),
      cmocka_unit_test(what_is_no_pattern_of_ecma_262_is_refused),
      cmocka_unit_test(a_pattern_that_is_too_long_is_refused),
      cmocka_unit_test(hostile_texts_stop_at_the_limit),
      cmocka_unit_test(memory_for_backtracking_is_limited),
      cmocka_unit_test(steps_are_taken_off),
      cmocka_unit_test(threads_may_match_one_pattern_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
