/* platform/patterns.c: the pattern port on PCRE2.
 *
 * A pattern is compiled once and matched on any thread. What a match needs (match data, and the
 * context that carries its step counter) is kept with the pattern for the next match: one spare,
 * exchanged atomically; a second thread at the same time makes its own.
 *
 * Work is bounded whatever the text. PCRE2's own match limit counts afresh at each start position
 * and does not count the characters that a repeat runs over, so an unanchored pattern may cost the
 * square of the text's length within it. Therefore patterns are compiled with automatic callouts:
 * each item of the pattern that is tried is a step, and so is each character moved since the last
 * one. The just-in-time compiler is not used: its stack would be one more limit, and callouts cost
 * most of what it gains.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/error.h"
#include "platform/ecma_pattern.h"
#include "platform/platform.h"
#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PATTERN_SIZE_MAX 16384     /* bytes */
#define HEAP_KIB_MAX 16384         /* for backtracking, while a match runs */
#define SPARE_SIZE_MAX (64 * 1024) /* what used more memory is not kept */

typedef struct scratch {
  pcre2_general_context *general;
  pcre2_match_context *context;
  pcre2_match_data *data;
  bool large; /* it holds much memory */
  uint64_t steps, steps_max;
  size_t position; /* of the last callout */
} scratch;

typedef struct compiled_pattern {
  pcre2_code *code;
  _Atomic(scratch *) spare;
} compiled_pattern;

/* ---- what a match needs ---- */

static void *scratch_malloc(size_t size, void *context) {
  scratch *owner = context;
  if (size > SPARE_SIZE_MAX) owner->large = true;
  return malloc(size);
}

static void scratch_free(void *pointer, void *context) {
  (void)context;
  free(pointer);
}

static int count_steps(pcre2_callout_block *block, void *context) {
  scratch *owner = context;
  size_t position = block->current_position, last = owner->position;
  owner->steps += 1 + (position > last ? position - last : last - position);
  owner->position = position;
  return owner->steps > owner->steps_max ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static void scratch_destroy(scratch *owner) {
  if (!owner) return;
  pcre2_match_data_free(owner->data);
  pcre2_match_context_free(owner->context);
  pcre2_general_context_free(owner->general);
  free(owner);
}

static scratch *scratch_create(void) {
  scratch *made = calloc(1, sizeof(*made));
  if (!made) return NULL;
  made->general = pcre2_general_context_create(scratch_malloc, scratch_free, made);
  if (made->general) {
    made->context = pcre2_match_context_create(made->general);
    made->data = pcre2_match_data_create(1, made->general);
  }
  if (!made->context || !made->data) {
    scratch_destroy(made);
    return NULL;
  }
  pcre2_set_callout(made->context, count_steps, made);
  pcre2_set_heap_limit(made->context, HEAP_KIB_MAX);
  return made;
}

/* ---- the port ---- */

static sdb_status refuse(sdb_error *error, const char *why) {
  return sdb_error_set(error, SDB_BAD_DEFINITION, why, NULL, NULL);
}

static sdb_status compile_translated(sdb_slice pattern, compiled_pattern *made, sdb_error *error) {
  int code;
  size_t offset;
  uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY |
                     PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_AUTO_CALLOUT |
                     PCRE2_NEVER_BACKSLASH_C;
  const char *text = pattern.size ? pattern.data : "";
  made->code = pcre2_compile((PCRE2_SPTR)text, pattern.size, options, &code, &offset, NULL);
  if (made->code) return SDB_OK;
  if (code == PCRE2_ERROR_HEAP_FAILED) return SDB_NO_MEMORY;
  PCRE2_UCHAR why[SDB_ERROR_MESSAGE_SIZE];
  if (pcre2_get_error_message(code, why, sizeof(why)) < 0) why[0] = 0;
  return refuse(error, (const char *)why);
}

static sdb_status compile(void *context, sdb_slice pattern, void **compiled, sdb_error *error) {
  (void)context;
  if (pattern.size > PATTERN_SIZE_MAX) return refuse(error, "longer than 16 KiB");
  sdb_buffer translated;
  sdb_buffer_init(&translated, sdb_platform_mem(), 256 * PATTERN_SIZE_MAX);
  const char *fault = sdb_ecma_pattern(pattern, &translated);
  compiled_pattern *made = fault ? NULL : calloc(1, sizeof(*made));
  sdb_status status;
  if (fault)
    status = refuse(error, fault);
  else if (!made || translated.status != SDB_OK)
    status = SDB_NO_MEMORY;
  else
    status = compile_translated(sdb_buffer_slice(&translated), made, error);
  sdb_buffer_free(&translated);
  if (status == SDB_OK)
    *compiled = made;
  else
    free(made);
  return status;
}

static int match(void *context, const void *compiled, sdb_slice text, uint64_t *steps) {
  (void)context;
  compiled_pattern *pattern = (compiled_pattern *)compiled; /* its spare is exchanged */
  scratch *own = atomic_exchange(&pattern->spare, NULL);
  if (!own) own = scratch_create();
  if (!own) return -2;
  own->steps = own->position = 0;
  own->steps_max = *steps;
  uint32_t limit = own->steps_max > UINT32_MAX ? UINT32_MAX : (uint32_t)own->steps_max;
  pcre2_set_match_limit(own->context, limit);
  pcre2_set_depth_limit(own->context, limit);
  PCRE2_SPTR subject = (PCRE2_SPTR)(text.size ? text.data : "");
  int result = pcre2_match(
      pattern->code, subject, text.size, 0, PCRE2_NO_UTF_CHECK, own->data, own->context);
  *steps -= own->steps < *steps ? own->steps : *steps;
  if (own->large)
    scratch_destroy(own);
  else
    scratch_destroy(atomic_exchange(&pattern->spare, own));
  if (result >= 0) return 1;
  return result == PCRE2_ERROR_NOMATCH ? 0 : result == PCRE2_ERROR_NOMEMORY ? -2 : -1;
}

static void release(void *context, void *compiled) {
  (void)context;
  compiled_pattern *pattern = compiled;
  scratch_destroy(atomic_exchange(&pattern->spare, NULL));
  pcre2_code_free(pattern->code);
  free(pattern);
}

const sdb_pattern_port *sdb_platform_patterns(void) {
  static const sdb_pattern_port PORT = {1, NULL, compile, match, release};
  return &PORT;
}
