/* cli/tail_view.c: see tail_view.h.
 *
 * Open lines end with a line break each, so the cursor rests at the beginning of the line below
 * them: to take them away is to go up by as many lines and to erase what follows. There are never
 * more than a part of the terminal's height, since what has scrolled out at its top cannot be
 * reached any more; of more, the last ones are shown.
 */
#include "tail_view.h"
#include "record.h"
#include <stdlib.h>
#include <string.h>

struct sdb_cli_open_line {
  const sdb_store *store;
  sdb_client_record record; /* its object in memory of its own */
  char *object;
};

void sdb_cli_view_create(sdb_cli_view *view, FILE *to) {
  memset(view, 0, sizeof(*view));
  sdb_cli_terminal_open(&view->terminal, to);
}

void sdb_cli_view_destroy(sdb_cli_view *view) {
  for (size_t i = 0; i < view->open_count; i++)
    free(view->open[i].object);
  free(view->open);
}

/* ---- open lines ---- */

/* Two records are the same object's where one of their ids is the same. */
static bool is_same(const sdb_client_record *a, const sdb_client_record *b) {
  if (!sdb_uuid_is_nil(a->id) && !sdb_uuid_is_nil(b->id)) return sdb_uuid_equal(a->id, b->id);
  return !sdb_uuid_is_nil(a->client_id) && sdb_uuid_equal(a->client_id, b->client_id);
}

static size_t find_open(
    const sdb_cli_view *view, const sdb_store *store, const sdb_client_record *record) {
  size_t i = 0;
  while (i < view->open_count &&
         !(view->open[i].store == store && is_same(&view->open[i].record, record)))
    i++;
  return i;
}

static bool set_open(
    sdb_cli_open_line *open, const sdb_store *store, const sdb_client_record *record) {
  char *object = malloc(record->object.size + 1);
  if (!object) return false;
  if (record->object.size > 0) memcpy(object, record->object.data, record->object.size);
  free(open->object);
  *open = (sdb_cli_open_line){.store = store, .record = *record, .object = object};
  open->record.object.data = object;
  open->record.error = NULL;
  return true;
}

static bool put_open(sdb_cli_view *view, const sdb_store *store, const sdb_client_record *record) {
  size_t at = find_open(view, store, record);
  if (at == view->open_capacity) {
    size_t capacity = 2 * view->open_capacity + 16;
    sdb_cli_open_line *open = realloc(view->open, capacity * sizeof(*open));
    if (!open) return false;
    view->open = open;
    view->open_capacity = capacity;
  }
  if (at == view->open_count) memset(&view->open[at], 0, sizeof(view->open[at]));
  if (!set_open(&view->open[at], store, record)) return false;
  if (at == view->open_count) view->open_count++;
  return true;
}

/* Gives whether there was one. */
static bool drop_open(sdb_cli_view *view, const sdb_store *store, const sdb_client_record *record) {
  size_t at = find_open(view, store, record);
  if (at == view->open_count) return false;
  free(view->open[at].object);
  view->open_count--;
  memmove(view->open + at, view->open + at + 1, (view->open_count - at) * sizeof(view->open[0]));
  return true;
}

static void drop_store(sdb_cli_view *view, const sdb_store *store) {
  size_t kept = 0;
  for (size_t i = 0; i < view->open_count; i++) {
    if (view->open[i].store == store)
      free(view->open[i].object);
    else
      view->open[kept++] = view->open[i];
  }
  view->open_count = kept;
}

/* ---- drawing ---- */

void sdb_cli_view_begin(sdb_cli_view *view) {
  if (view->drawn > 0) fprintf(view->terminal.to, "\033[%zuA\r\033[J", view->drawn);
  view->drawn = 0;
}

static void print(
    const sdb_cli_view *view, const sdb_store *store, const sdb_client_record *record) {
  sdb_cli_line_style style = {
      .store_columns = view->store_columns, .show_end = record->state == SDB_RECORD_PARTIAL};
  sdb_cli_print_record(&view->terminal, store, record, &style);
  fputc('\n', view->terminal.to);
}

void sdb_cli_view_end(sdb_cli_view *view) {
  const sdb_cli_terminal *terminal = &view->terminal;
  if (terminal->is_terminal && view->open_count > 0) {
    size_t rows = sdb_cli_terminal_rows(terminal), room = rows > 6 ? rows / 2 : 1;
    size_t shown = view->open_count <= room ? view->open_count : room - 1;
    if (shown < view->open_count) {
      sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_DIM);
      fprintf(terminal->to, "and %zu more\n", view->open_count - shown);
      sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_NORMAL);
      view->drawn++;
    }
    for (size_t i = view->open_count - shown; i < view->open_count; i++, view->drawn++)
      print(view, view->open[i].store, &view->open[i].record);
  }
  fflush(terminal->to);
}

/* A line of its own words about an object. */
static void print_words(const sdb_cli_view *view, const sdb_store *store,
    const sdb_client_record *record, const char *words) {
  const sdb_cli_terminal *terminal = &view->terminal;
  char id[SDB_UUID_TEXT_SIZE + 1] = "";
  if (!sdb_uuid_is_nil(record->id)) sdb_uuid_format(record->id, id);
  sdb_cli_text text = {NULL, 0, 0};
  sdb_cli_text_plain(&text, words);
  sdb_cli_text_plain(&text, id);
  size_t columns = sdb_cli_terminal_columns(terminal), taken = 16 + view->store_columns + 2 + 1;
  sdb_slice shown =
      sdb_cli_text_head(sdb_cli_text_slice(&text), columns > taken ? columns - taken : 0);
  sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_DIM);
  fprintf(terminal->to, "%16s%-*s  %.*s\n", "", (int)view->store_columns,
      sdb_store_wire_name(store), (int)shown.size, shown.data);
  sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_NORMAL);
  sdb_cli_text_free(&text);
}

bool sdb_cli_view_change(
    sdb_cli_view *view, const sdb_store *store, const sdb_client_change *change) {
  const sdb_client_record *record = &change->record;
  switch (change->kind) {
  case SDB_CHANGE_RESET:
    drop_store(view, store);
    print_words(view, store, record, "all of it anew:");
    return true;
  case SDB_CHANGE_REMOVE:
    print_words(view, store, record, drop_open(view, store, record) ? "given up " : "removed ");
    return true;
  default:
    if (record->state == SDB_RECORD_PARTIAL || record->state == SDB_RECORD_PENDING)
      return put_open(view, store, record);
    (void)drop_open(view, store, record);
    print(view, store, record);
    return true;
  }
}
