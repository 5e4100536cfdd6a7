/* cli/record.c: see record.h. */
#include "record.h"
#include "text.h"
#include <stdint.h>
#include <string.h>
#include <time.h>

const char *sdb_cli_state_name(sdb_record_state state) {
  static const char *const NAMES[] = {"synced", "partial", "pending", "failed"};
  return NAMES[state - SDB_RECORD_SYNCED];
}

static bool write_id(FILE *to, bool first, const char *name, sdb_uuid id) {
  char text[SDB_UUID_TEXT_SIZE];
  if (sdb_uuid_is_nil(id)) return first;
  sdb_uuid_format(id, text);
  fprintf(to, "%s\"%s\":\"%.*s\"", first ? "" : ",", name, SDB_UUID_TEXT_SIZE, text);
  return false;
}

void sdb_cli_write_record(
    FILE *to, const char *change, const sdb_store *store, const sdb_client_record *record) {
  bool removed = change && strcmp(change, "remove") == 0;
  putc('{', to);
  if (change) fprintf(to, "\"change\":\"%s\",", change);
  if (!removed) fprintf(to, "\"state\":\"%s\",", sdb_cli_state_name(record->state));
  fprintf(to, "\"store\":\"%s\"", sdb_store_wire_name(store));
  (void)write_id(to, false, "id", record->id);
  (void)write_id(to, false, "eventId", record->event_id);
  (void)write_id(to, false, "clientId", record->client_id);
  if (!removed && record->object.size > 0) {
    fputs(",\"object\":", to);
    sdb_cli_write_json_text(to, record->object);
  }
  if (!removed && record->gap) fputs(",\"gap\":true", to);
  if (!removed && record->error) {
    fputs(",\"error\":", to);
    sdb_cli_write_error(to, record->error);
  }
  fputs("}\n", to);
}

/* ---- for people ---- */

static void print_time(sdb_cli_text *text, sdb_slice object) {
  long long created_ms;
  char when[32] = "--:--:--";
  if (sdb_cli_text_created_ms(object, &created_ms)) {
    time_t seconds = (time_t)(created_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local)) strftime(when, sizeof(when), "%m-%d %H:%M:%S", &local);
  }
  sdb_cli_text_plain(text, when);
  sdb_cli_text_plain(text, "  ");
}

static void print_body(sdb_cli_text *text, const sdb_client_record *record) {
  if (record->error) {
    sdb_cli_text_plain(text, "failed: ");
    sdb_cli_text_foreign(text, sdb_slice_of(record->error->message));
    if (record->error->path[0]) {
      sdb_cli_text_plain(text, " (at ");
      sdb_cli_text_foreign(text, sdb_slice_of(record->error->path));
      sdb_cli_text_plain(text, ")");
    }
    sdb_cli_text_plain(text, "  ");
  }
  if (record->state == SDB_RECORD_PENDING || record->state == SDB_RECORD_PARTIAL) {
    sdb_cli_text_plain(text, sdb_cli_state_name(record->state));
    sdb_cli_text_plain(text, "  ");
  }
  sdb_cli_text_members(text, record->object);
}

/* Writes `text` in the columns that are left. */
static void write_fitted(FILE *to, sdb_slice text, size_t columns, bool show_end) {
  if (text.size == 0) return;
  if (columns == SIZE_MAX || sdb_cli_text_columns(text) <= columns) {
    fwrite(text.data, 1, text.size, to);
  } else if (columns > 0) {
    sdb_slice shown = (show_end ? sdb_cli_text_tail : sdb_cli_text_head)(text, columns - 1);
    fprintf(to, "%s%.*s%s", show_end ? "…" : "", (int)shown.size, shown.data, show_end ? "" : "…");
  }
}

static sdb_cli_look look_of(sdb_record_state state) {
  if (state == SDB_RECORD_FAILED) return SDB_CLI_LOOK_ALARM;
  return state == SDB_RECORD_PENDING ? SDB_CLI_LOOK_DIM : SDB_CLI_LOOK_NORMAL;
}

void sdb_cli_print_record(const sdb_cli_terminal *terminal, const sdb_store *store,
    const sdb_client_record *record, const sdb_cli_line_style *style) {
  FILE *to = terminal->to;
  sdb_cli_text head = {NULL, 0, 0}, name = {NULL, 0, 0}, body = {NULL, 0, 0};
  if (style->with_id) {
    char id[SDB_UUID_TEXT_SIZE + 1] = "";
    sdb_uuid_format(sdb_uuid_is_nil(record->id) ? record->client_id : record->id, id);
    sdb_cli_text_plain(&head, id);
    sdb_cli_text_plain(&head, "  ");
  }
  print_time(&head, record->object);
  if (style->store_columns > 0) {
    char padded[80];
    snprintf(
        padded, sizeof(padded), "%-*s  ", (int)style->store_columns, sdb_store_wire_name(store));
    sdb_cli_text_plain(&name, padded);
  }
  print_body(&body, record);
  /* The last column stays empty: a terminal that has filled it may go to the next line. */
  size_t columns = sdb_cli_terminal_columns(terminal), left = columns;
  if (columns != SIZE_MAX) {
    size_t taken = head.size + name.size + 1;
    left = columns > taken ? columns - taken : 0;
  }
  sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_DIM);
  write_fitted(to, sdb_cli_text_slice(&head), columns == SIZE_MAX ? columns : columns - 1, false);
  if (left > 0) {
    sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_NORMAL);
    sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_NAME);
    write_fitted(to, sdb_cli_text_slice(&name), SIZE_MAX, false);
    sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_NORMAL);
    sdb_cli_terminal_look(terminal, look_of(record->state));
    write_fitted(to, sdb_cli_text_slice(&body), left, style->show_end);
  }
  sdb_cli_terminal_look(terminal, SDB_CLI_LOOK_NORMAL);
  sdb_cli_text_free(&head);
  sdb_cli_text_free(&name);
  sdb_cli_text_free(&body);
}
