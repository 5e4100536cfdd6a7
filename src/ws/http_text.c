/* ws/http_text.c: see http_text.h. */
#include "ws/http_text.h"
#include "base/base.h"

bool sdb_http_cut(sdb_slice *text, char at, sdb_slice *before) {
  for (size_t i = 0; i < text->size; i++) {
    if (text->data[i] != at) continue;
    *before = sdb_slice_make(text->data, i);
    *text = sdb_slice_make(text->data + i + 1, text->size - i - 1);
    return true;
  }
  return false;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t';
}

sdb_slice sdb_http_trim(sdb_slice text) {
  while (text.size > 0 && is_space(text.data[0])) {
    text.data++;
    text.size--;
  }
  while (text.size > 0 && is_space(text.data[text.size - 1]))
    text.size--;
  return text;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_token_char(char c) {
  static const char OTHERS[] = "!#$%&'*+-.^_`|~";
  char l = lower(c);
  if ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9')) return true;
  for (size_t i = 0; i + 1 < sizeof(OTHERS); i++) {
    if (c == OTHERS[i]) return true;
  }
  return false;
}

bool sdb_http_is_token(sdb_slice text) {
  for (size_t i = 0; i < text.size; i++) {
    if (!is_token_char(text.data[i])) return false;
  }
  return text.size > 0;
}

bool sdb_http_same_slice(sdb_slice a, sdb_slice b) {
  if (a.size != b.size) return false;
  for (size_t i = 0; i < a.size; i++) {
    if (lower(a.data[i]) != lower(b.data[i])) return false;
  }
  return true;
}

bool sdb_http_same(sdb_slice text, const char *word) {
  return sdb_http_same_slice(text, sdb_slice_of(word));
}

bool sdb_http_starts(sdb_slice text, const char *word) {
  size_t size = strlen(word);
  return text.size >= size && sdb_http_same(sdb_slice_make(text.data, size), word);
}

bool sdb_http_list_has(sdb_slice list, const char *word) {
  sdb_slice item;
  bool more = true, found = false;
  while (more) {
    more = sdb_http_cut(&list, ',', &item);
    found |= sdb_http_same(sdb_http_trim(more ? item : list), word);
  }
  return found;
}

/* Of "; q=0.5" and the like: whether it says 0. What is no weight at all counts as one of 1. */
static bool weighs_nothing(sdb_slice parameters) {
  parameters = sdb_http_trim(parameters);
  if (!sdb_http_starts(parameters, "q=")) return false;
  for (size_t i = 2; i < parameters.size; i++) {
    if (parameters.data[i] != '0' && parameters.data[i] != '.') return false;
  }
  return true;
}

bool sdb_http_accepts(sdb_slice list, const char *word) {
  sdb_slice item, name;
  bool more = true, found = false;
  while (more && !found) {
    more = sdb_http_cut(&list, ',', &item);
    if (!more) item = list;
    bool weighted = sdb_http_cut(&item, ';', &name);
    if (!weighted) name = item;
    found = sdb_http_same(sdb_http_trim(name), word) && !(weighted && weighs_nothing(item));
  }
  return found;
}

bool sdb_http_take_once(sdb_slice *field, sdb_slice value) {
  if (field->data) return false;
  *field = value;
  return true;
}

bool sdb_http_next_line(sdb_slice *head, sdb_slice *line) {
  if (!sdb_http_cut(head, '\n', line)) return false;
  SDB_ASSERT(line->size > 0 && line->data[line->size - 1] == '\r');
  line->size--;
  return true;
}

bool sdb_http_cut_header(sdb_slice line, sdb_slice *name, sdb_slice *value) {
  if (!sdb_http_cut(&line, ':', name) || !sdb_http_is_token(*name)) return false;
  *value = sdb_http_trim(line);
  return true;
}
