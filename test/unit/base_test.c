/* base_test.c: UUIDs, seqs, buffers, arenas, tickets, and the text of errors. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/seq.h"
#include "base/tickets.h"
#include "failing_memory.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- UUIDs ---- */

static const char BRIEF_ID[] = "01974f63-6abc-7000-8107-66e6c9a45dda";

static sdb_uuid uuid_of(const char *text) {
  sdb_uuid id;
  assert_true(sdb_uuid_parse(sdb_slice_of(text), &id));
  return id;
}

static void assert_uuid_equal(sdb_uuid a, sdb_uuid b) {
  assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void a_uuid_is_read_byte_by_byte(void **state) {
  (void)state;
  static const uint8_t BYTES[16] = {0x01, 0x97, 0x4f, 0x63, 0x6a, 0xbc, 0x70, 0x00, 0x81, 0x07,
      0x66, 0xe6, 0xc9, 0xa4, 0x5d, 0xda};
  assert_memory_equal(uuid_of(BRIEF_ID).bytes, BYTES, sizeof(BYTES));
}

static void a_uuid_in_upper_case_is_the_same(void **state) {
  (void)state;
  assert_uuid_equal(uuid_of("01974F63-6ABC-7000-8107-66E6C9A45DDA"), uuid_of(BRIEF_ID));
}

static void a_uuid_is_written_in_lower_case_without_a_nul(void **state) {
  (void)state;
  char text[SDB_UUID_TEXT_SIZE + 1];
  text[SDB_UUID_TEXT_SIZE] = '!';
  sdb_uuid_format(uuid_of("01974F63-6ABC-7000-8107-66E6C9A45DDA"), text);
  assert_memory_equal(text, BRIEF_ID, SDB_UUID_TEXT_SIZE);
  assert_int_equal(text[SDB_UUID_TEXT_SIZE], '!');
}

static void what_is_no_uuid_is_refused_and_changes_nothing(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"", "01974f63", "01974f63-6abc-7000-8107-66e6c9a45dd",
      "01974f63-6abc-7000-8107-66e6c9a45ddaa", "01974f636abc-7000-8107-66e6c9a45dda-",
      "01974f63-6abc-7000-8107-66e6c9a45ddg", "g1974f63-6abc-7000-8107-66e6c9a45dda",
      "01974f63-6abc-7000-810-766e6c9a45dda", "01974f63-6abc-7000_8107-66e6c9a45dda",
      "{1974f63-6abc-7000-8107-66e6c9a45da}", "01974f63-6abc-7000-8107-66e6c9a45d a"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++) {
    sdb_uuid id = uuid_of(BRIEF_ID);
    if (sdb_uuid_parse(sdb_slice_of(TEXTS[i]), &id)) fail_msg("accepted: %s", TEXTS[i]);
    assert_uuid_equal(id, uuid_of(BRIEF_ID));
  }
}

static void a_uuid_may_not_hold_a_zero_byte(void **state) {
  (void)state;
  char text[SDB_UUID_TEXT_SIZE];
  sdb_uuid id;
  memcpy(text, BRIEF_ID, sizeof(text));
  text[3] = 0;
  assert_false(sdb_uuid_parse(sdb_slice_make(text, sizeof(text)), &id));
}

static void only_all_zero_is_nil(void **state) {
  (void)state;
  assert_true(sdb_uuid_is_nil(uuid_of("00000000-0000-0000-0000-000000000000")));
  assert_false(sdb_uuid_is_nil(uuid_of("00000000-0000-0000-0000-000000000001")));
  assert_false(sdb_uuid_is_nil(uuid_of("80000000-0000-0000-0000-000000000000")));
}

static void uuids_are_equal_in_all_their_bytes(void **state) {
  (void)state;
  assert_true(sdb_uuid_equal(uuid_of(BRIEF_ID), uuid_of(BRIEF_ID)));
  assert_false(sdb_uuid_equal(uuid_of(BRIEF_ID), uuid_of("01974f63-6abc-7000-8107-66e6c9a45ddb")));
}

/* ---- seqs ---- */

static const uint64_t NOW_MS = 1749383382805;

static sdb_uuid some_database(void) {
  return uuid_of("01970000-0000-7000-8000-00000000abcd");
}

static void a_seq_follows_the_clock_when_it_moves_on(void **state) {
  (void)state;
  sdb_seq first = sdb_seq_next(0, NOW_MS);
  assert_int_equal(first, NOW_MS << SDB_SEQ_COUNTER_BITS);
  assert_int_equal(sdb_seq_ms(first), NOW_MS);
  assert_int_equal(sdb_seq_next(first, NOW_MS + 1), (NOW_MS + 1) << SDB_SEQ_COUNTER_BITS);
}

static void a_seq_counts_on_when_the_clock_stands_or_steps_back(void **state) {
  (void)state;
  sdb_seq first = sdb_seq_next(0, NOW_MS);
  assert_int_equal(sdb_seq_next(first, NOW_MS), first + 1);
  assert_int_equal(sdb_seq_next(first, NOW_MS - 3600000), first + 1);
}

static void a_full_counter_runs_into_the_next_millisecond(void **state) {
  (void)state;
  sdb_seq last = sdb_seq_next(0, NOW_MS) + 0xFFF;
  sdb_seq next = sdb_seq_next(last, NOW_MS);
  assert_int_equal(sdb_seq_ms(last), NOW_MS);
  assert_int_equal(sdb_seq_ms(next), NOW_MS + 1);
}

static void the_uuid_of_a_seq_is_a_version_7_with_its_time_and_counter(void **state) {
  (void)state;
  sdb_uuid id = sdb_seq_to_uuid((NOW_MS << SDB_SEQ_COUNTER_BITS) + 0xABC, some_database());
  char text[SDB_UUID_TEXT_SIZE + 1] = {0};
  sdb_uuid_format(id, text);
  text[18] = 0;
  assert_string_equal(text, "01974f60-0715-7abc");
  assert_int_equal(id.bytes[8] & 0xC0, 0x80);
}

static void a_seq_comes_back_from_its_uuid(void **state) {
  (void)state;
  static const sdb_seq SEQS[] = {0, 1, 0xFFF, 0x1000, (sdb_seq)0x01974f600715 << 12, SDB_SEQ_MAX};
  for (size_t i = 0; i < SDB_COUNT_OF(SEQS); i++) {
    sdb_seq seq = 42;
    assert_true(
        sdb_seq_from_uuid(sdb_seq_to_uuid(SEQS[i], some_database()), some_database(), &seq));
    assert_int_equal(seq, SEQS[i]);
  }
}

static void a_uuid_with_any_bit_changed_is_no_seqs(void **state) {
  (void)state;
  sdb_uuid id = sdb_seq_to_uuid(NOW_MS << SDB_SEQ_COUNTER_BITS, some_database());
  for (size_t bit = 0; bit < 128; bit++) {
    sdb_uuid changed = id;
    changed.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    sdb_seq seq = 42;
    if (sdb_seq_from_uuid(changed, some_database(), &seq)) fail_msg("bit %zu", bit);
    assert_int_equal(seq, 42);
  }
}

static void a_uuid_of_another_database_is_told_apart(void **state) {
  (void)state;
  sdb_uuid other = uuid_of("01970000-0000-7000-8000-00000000abce");
  sdb_seq seq;
  assert_false(sdb_seq_from_uuid(sdb_seq_to_uuid(1 << 20, other), some_database(), &seq));
}

static void uuids_are_in_the_order_of_their_seqs(void **state) {
  (void)state;
  sdb_seq seq = sdb_seq_next(0, NOW_MS) + 0xFF0;
  sdb_uuid before = sdb_seq_to_uuid(seq, some_database());
  for (int i = 0; i < 100; i++) {
    sdb_uuid after = sdb_seq_to_uuid(++seq, some_database());
    assert_true(memcmp(before.bytes, after.bytes, sizeof(after.bytes)) < 0);
    before = after;
  }
}

/* ---- buffers ---- */

static void a_buffer_keeps_its_content_as_it_grows(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 10000);
  for (int i = 0; i < 1000; i++)
    sdb_buffer_append(&buffer, "0123456789", 10);
  assert_int_equal(buffer.status, SDB_OK);
  assert_int_equal(buffer.size, 10000);
  for (size_t i = 0; i < 1000; i++)
    assert_memory_equal(buffer.data + i * 10, "0123456789", 10);
  assert_true(memory.calls <= 10); /* it doubles */
  sdb_buffer_free(&buffer);
  assert_int_equal(memory.live, 0);
}

static void a_buffer_allocates_nothing_before_it_is_used(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 100);
  sdb_buffer_append(&buffer, "", 0);
  assert_null(sdb_buffer_reserve(&buffer, 0));
  assert_int_equal(buffer.status, SDB_OK);
  assert_int_equal(memory.calls, 0);
  sdb_buffer_free(&buffer);
}

static void a_full_buffer_refuses_and_stays_refused(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 8);
  sdb_buffer_append(&buffer, "12345678", 8);
  assert_int_equal(buffer.status, SDB_OK);
  sdb_buffer_append(&buffer, "9", 1);
  assert_int_equal(buffer.status, SDB_LIMIT);
  buffer.size = 4; /* there would be room again */
  sdb_buffer_append(&buffer, "x", 1);
  assert_int_equal(buffer.status, SDB_LIMIT);
  assert_int_equal(buffer.size, 4);
  assert_memory_equal(buffer.data, "12345678", 8);
  sdb_buffer_free(&buffer);
  assert_int_equal(memory.live, 0);
}

static void a_buffer_refuses_a_size_that_would_overflow(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 100);
  sdb_buffer_append(&buffer, "1", 1);
  assert_null(sdb_buffer_reserve(&buffer, SIZE_MAX));
  assert_int_equal(buffer.status, SDB_LIMIT);
  sdb_buffer_free(&buffer);
}

static void a_buffer_that_was_never_made_is_freed(void **state) {
  (void)state;
  sdb_buffer buffer = {0};
  sdb_buffer_free(&buffer);
  assert_null(buffer.data);
}

static void a_buffer_asks_for_no_more_than_its_maximum_however_large(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 1);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, SIZE_MAX);
  assert_null(sdb_buffer_reserve(&buffer, SIZE_MAX / 2 + 2));
  assert_int_equal(buffer.status, SDB_NO_MEMORY);
  assert_int_equal(memory.calls, 1);
}

static void a_product_that_overflows_is_more_than_any_memory(void **state) {
  (void)state;
  assert_int_equal(sdb_mem_product(3, 5), 15);
  assert_true(sdb_mem_product(SIZE_MAX / 2, 3) == SIZE_MAX);
}

static void a_buffer_without_memory_keeps_what_it_has(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 2);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 1000);
  sdb_buffer_append(&buffer, "content", 7);
  assert_null(sdb_buffer_reserve(&buffer, 500));
  assert_int_equal(buffer.status, SDB_NO_MEMORY);
  assert_true(sdb_slice_equal(sdb_buffer_slice(&buffer), sdb_slice_of("content")));
  sdb_buffer_free(&buffer);
  assert_int_equal(memory.live, 0);
}

static void a_reset_buffer_forgets_its_error_and_keeps_its_memory(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 8);
  sdb_buffer_append(&buffer, "12345678", 8);
  sdb_buffer_append(&buffer, "9", 1);
  sdb_buffer_reset(&buffer);
  sdb_buffer_append(&buffer, "abc", 3);
  assert_int_equal(buffer.status, SDB_OK);
  assert_true(sdb_slice_equal(sdb_buffer_slice(&buffer), sdb_slice_of("abc")));
  assert_int_equal(memory.calls, 1);
  sdb_buffer_free(&buffer);
}

static void a_freed_buffer_can_be_used_again(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 8);
  sdb_buffer_append(&buffer, "1234", 4);
  sdb_buffer_free(&buffer);
  assert_int_equal(buffer.size, 0);
  sdb_buffer_append(&buffer, "abc", 3);
  assert_true(sdb_slice_equal(sdb_buffer_slice(&buffer), sdb_slice_of("abc")));
  sdb_buffer_free(&buffer);
  assert_int_equal(memory.live, 0);
}

static void reserved_bytes_count_once_they_are_committed(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 100);
  char *to = sdb_buffer_reserve(&buffer, 10);
  assert_non_null(to);
  assert_int_equal(buffer.size, 0);
  memcpy(to, "abc", 3);
  sdb_buffer_commit(&buffer, 3);
  assert_true(sdb_slice_equal(sdb_buffer_slice(&buffer), sdb_slice_of("abc")));
  sdb_buffer_free(&buffer);
}

/* ---- arenas ---- */

static void what_an_arena_gives_is_aligned_and_apart(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 1 << 20);
  unsigned char *pieces[300];
  for (size_t i = 0; i < SDB_COUNT_OF(pieces); i++) {
    pieces[i] = sdb_arena_alloc(&arena, i);
    assert_non_null(pieces[i]);
    assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
    memset(pieces[i], (int)(i & 0xFF), i);
  }
  for (size_t i = 0; i < SDB_COUNT_OF(pieces); i++) {
    for (size_t k = 0; k < i; k++)
      assert_int_equal(pieces[i][k], i & 0xFF);
  }
  assert_true(memory.calls < 20); /* chunks, not pieces */
  sdb_arena_free(&arena);
  assert_int_equal(memory.live, 0);
}

static void an_arena_gives_pieces_larger_than_its_chunks(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 1 << 20);
  assert_non_null(sdb_arena_alloc(&arena, 10));
  unsigned char *large = sdb_arena_zero(&arena, 500000);
  assert_non_null(large);
  assert_int_equal(large[0] | large[499999], 0);
  assert_non_null(sdb_arena_alloc(&arena, 10));
  sdb_arena_free(&arena);
  assert_int_equal(memory.live, 0);
}

static void an_arena_stops_at_its_maximum(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 4096);
  size_t given = 0;
  while (sdb_arena_alloc(&arena, 64))
    given += 64;
  assert_int_equal(given, 4096);
  assert_int_equal(arena.size, 4096);
  sdb_arena_free(&arena);
}

static void an_arena_refuses_sizes_beyond_any_memory(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, SIZE_MAX);
  assert_null(sdb_arena_alloc(&arena, SIZE_MAX));
  assert_null(sdb_arena_text(&arena, sdb_slice_make("", SIZE_MAX)));
  assert_int_equal(memory.calls, 0);
  sdb_arena_free(&arena);
}

static void an_arena_without_memory_gives_null(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 1);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 4096);
  assert_null(sdb_arena_alloc(&arena, 1));
  assert_null(sdb_arena_zero(&arena, 1));
  assert_null(sdb_arena_text(&arena, sdb_slice_of("text")));
  memory.fail_at = 0;
  assert_non_null(sdb_arena_alloc(&arena, 1));
  sdb_arena_free(&arena);
  assert_int_equal(memory.live, 0);
}

static void an_arena_copies_text_with_a_nul(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 4096);
  assert_string_equal(sdb_arena_text(&arena, sdb_slice_make("textual", 4)), "text");
  assert_string_equal(sdb_arena_text(&arena, sdb_slice_make(NULL, 0)), "");
  sdb_arena_free(&arena);
}

static void a_freed_arena_can_be_used_up_to_its_maximum_again(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 4096);
  assert_non_null(sdb_arena_alloc(&arena, 4096));
  assert_null(sdb_arena_alloc(&arena, 1));
  sdb_arena_free(&arena);
  assert_non_null(sdb_arena_alloc(&arena, 4096));
  sdb_arena_free(&arena);
  assert_int_equal(memory.live, 0);
}

/* ---- errors and their text ---- */

static void text_that_fits_is_copied_whole(void **state) {
  (void)state;
  char to[6] = "old";
  sdb_text_copy(to, sizeof(to), sdb_slice_of("h\xC3\xA9llo")); /* six bytes: one too many */
  assert_string_equal(to, "h\xC3\xA9ll");
  sdb_text_copy(to, sizeof(to), sdb_slice_of("h\xC3\xA9ll"));
  assert_string_equal(to, "h\xC3\xA9ll");
}

static void text_is_cut_between_characters_only(void **state) {
  (void)state;
  static const struct {
    const char *text, *cut;
  } CASES[] = {{"abcd\xC3\xA9", "abcd"}, {"abc\xE2\x82\xAC", "abc"}, {"abcd\xE2\x82\xAC", "abcd"},
      {"ab\xF0\x9F\x98\x80", "ab"}, {"abc\xF0\x9F\x98\x80", "abc"},
      {"abcd\xF0\x9F\x98\x80", "abcd"}, {"a\xF0\x9F\x98\x80z", "a\xF0\x9F\x98\x80"}};
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    char to[6];
    sdb_text_copy(to, sizeof(to), sdb_slice_of(CASES[i].text));
    assert_string_equal(to, CASES[i].cut);
  }
}

static void text_is_appended_as_far_as_there_is_room(void **state) {
  (void)state;
  char to[8] = "abc";
  sdb_text_append(to, sizeof(to), sdb_slice_of("de"));
  assert_string_equal(to, "abcde");
  sdb_text_append(to, sizeof(to), sdb_slice_of("fgh"));
  assert_string_equal(to, "abcdefg");
  sdb_text_append(to, sizeof(to), sdb_slice_of("i"));
  assert_string_equal(to, "abcdefg");
}

static void an_error_is_set_from_parts(void **state) {
  (void)state;
  sdb_error error = {.offset = 7, .path = "/old", .message = "old"};
  assert_int_equal(sdb_error_set(&error, SDB_LIMIT, "one ", NULL, "two"), SDB_LIMIT);
  assert_int_equal(error.status, SDB_LIMIT);
  assert_int_equal(error.offset, 0);
  assert_string_equal(error.path, "");
  assert_string_equal(error.message, "one two");
}

static void an_error_that_nobody_wants_gives_its_status(void **state) {
  (void)state;
  assert_int_equal(sdb_error_set(NULL, SDB_IO, "message", NULL, NULL), SDB_IO);
}

static void a_long_message_is_cut_at_a_character(void **state) {
  (void)state;
  char text[SDB_ERROR_MESSAGE_SIZE + 2];
  memset(text, 'x', sizeof(text));
  memcpy(text + SDB_ERROR_MESSAGE_SIZE - 2, "\xC3\xA9", 3);
  sdb_error error;
  sdb_error_set(&error, SDB_REJECTED, text, "more", NULL);
  assert_int_equal(strlen(error.message), SDB_ERROR_MESSAGE_SIZE - 1);
  assert_memory_equal(error.message + SDB_ERROR_MESSAGE_SIZE - 3, "xm", 2);
}

static void every_status_has_its_name(void **state) {
  (void)state;
  assert_string_equal(sdb_status_name(SDB_OK), "ok");
  assert_string_equal(sdb_status_name(SDB_INVALID_OBJECT), "invalid_object");
  assert_string_equal(sdb_status_text(SDB_NO_MEMORY), "out of memory");
  assert_string_equal(sdb_status_name((sdb_status)-999), "unknown");
  assert_string_equal(sdb_status_text((sdb_status)-999), "unknown status");
}

/* ---- tickets ---- */

static void a_ticket_gives_its_thing_until_it_is_taken_back(void **state) {
  (void)state;
  sdb_tickets tickets;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_tickets_init(&tickets, &memory.mem);
  int things[100];
  uint64_t given[100];
  for (int i = 0; i < 100; i++) {
    given[i] = sdb_tickets_add(&tickets, &things[i]);
    assert_true(given[i] > 0 && given[i] < (uint64_t)1 << SDB_TICKET_BITS);
  }
  for (int i = 0; i < 100; i++)
    assert_ptr_equal(sdb_tickets_get(&tickets, given[i]), &things[i]);
  assert_ptr_equal(sdb_tickets_take(&tickets, given[7]), &things[7]);
  assert_null(sdb_tickets_take(&tickets, given[7]));
  assert_null(sdb_tickets_get(&tickets, given[7]));
  assert_ptr_equal(sdb_tickets_get(&tickets, given[8]), &things[8]);
  sdb_tickets_free(&tickets);
  assert_null(sdb_tickets_get(&tickets, given[8]));
  assert_int_equal(memory.live, 0);
}

static void an_old_ticket_of_a_place_is_not_taken_for_the_new_one(void **state) {
  (void)state;
  sdb_tickets tickets;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_tickets_init(&tickets, &memory.mem);
  int thing;
  uint64_t old = sdb_tickets_add(&tickets, &thing);
  for (int i = 0; i < 1000; i++) {
    assert_non_null(sdb_tickets_take(&tickets, old));
    uint64_t next = sdb_tickets_add(&tickets, &thing);
    assert_int_not_equal(next, old);
    assert_null(sdb_tickets_get(&tickets, old));
    old = next;
  }
  const uint64_t never[] = {0, 1, 1 << 24, UINT64_MAX, old | (uint64_t)1 << SDB_TICKET_BITS};
  for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
    assert_null(sdb_tickets_take(&tickets, never[i]));
  sdb_tickets_free(&tickets);
}

static void without_memory_there_is_no_ticket_and_the_others_stay(void **state) {
  (void)state;
  sdb_tickets tickets;
  failing_memory memory;
  failing_memory_init(&memory, 2); /* the second allocation fails */
  sdb_tickets_init(&tickets, &memory.mem);
  int thing;
  uint64_t first = sdb_tickets_add(&tickets, &thing), last = first;
  for (int i = 0; i < 100 && last != 0; i++)
    last = sdb_tickets_add(&tickets, &thing);
  assert_int_equal(last, 0);
  assert_ptr_equal(sdb_tickets_get(&tickets, first), &thing);
  sdb_tickets_free(&tickets);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_uuid_is_read_byte_by_byte),
      cmocka_unit_test(a_uuid_in_upper_case_is_the_same),
      cmocka_unit_test(a_uuid_is_written_in_lower_case_without_a_nul),
      cmocka_unit_test(what_is_no_uuid_is_refused_and_changes_nothing),
      cmocka_unit_test(a_uuid_may_not_hold_a_zero_byte),
      cmocka_unit_test(only_all_zero_is_nil),
      cmocka_unit_test(uuids_are_equal_in_all_their_bytes),
      cmocka_unit_test(a_seq_follows_the_clock_when_it_moves_on),
      cmocka_unit_test(a_seq_counts_on_when_the_clock_stands_or_steps_back),
      cmocka_unit_test(a_full_counter_runs_into_the_next_millisecond),
      cmocka_unit_test(the_uuid_of_a_seq_is_a_version_7_with_its_time_and_counter),
      cmocka_unit_test(a_seq_comes_back_from_its_uuid),
      cmocka_unit_test(a_uuid_with_any_bit_changed_is_no_seqs),
      cmocka_unit_test(a_uuid_of_another_database_is_told_apart),
      cmocka_unit_test(uuids_are_in_the_order_of_their_seqs),
      cmocka_unit_test(a_buffer_keeps_its_content_as_it_grows),
      cmocka_unit_test(a_buffer_allocates_nothing_before_it_is_used),
      cmocka_unit_test(a_full_buffer_refuses_and_stays_refused),
      cmocka_unit_test(a_buffer_refuses_a_size_that_would_overflow),
      cmocka_unit_test(a_buffer_that_was_never_made_is_freed),
      cmocka_unit_test(a_buffer_asks_for_no_more_than_its_maximum_however_large),
      cmocka_unit_test(a_product_that_overflows_is_more_than_any_memory),
      cmocka_unit_test(a_buffer_without_memory_keeps_what_it_has),
      cmocka_unit_test(a_reset_buffer_forgets_its_error_and_keeps_its_memory),
      cmocka_unit_test(a_freed_buffer_can_be_used_again),
      cmocka_unit_test(reserved_bytes_count_once_they_are_committed),
      cmocka_unit_test(what_an_arena_gives_is_aligned_and_apart),
      cmocka_unit_test(an_arena_gives_pieces_larger_than_its_chunks),
      cmocka_unit_test(an_arena_stops_at_its_maximum),
      cmocka_unit_test(an_arena_refuses_sizes_beyond_any_memory),
      cmocka_unit_test(an_arena_without_memory_gives_null),
      cmocka_unit_test(an_arena_copies_text_with_a_nul),
      cmocka_unit_test(a_freed_arena_can_be_used_up_to_its_maximum_again),
      cmocka_unit_test(text_that_fits_is_copied_whole),
      cmocka_unit_test(text_is_cut_between_characters_only),
      cmocka_unit_test(text_is_appended_as_far_as_there_is_room),
      cmocka_unit_test(an_error_is_set_from_parts),
      cmocka_unit_test(an_error_that_nobody_wants_gives_its_status),
      cmocka_unit_test(a_long_message_is_cut_at_a_character),
      cmocka_unit_test(every_status_has_its_name),
      cmocka_unit_test(a_ticket_gives_its_thing_until_it_is_taken_back),
      cmocka_unit_test(an_old_ticket_of_a_place_is_not_taken_for_the_new_one),
      cmocka_unit_test(without_memory_there_is_no_ticket_and_the_others_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
