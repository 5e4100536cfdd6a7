/* examples/chat/terminal.c: the chat on a terminal: a device's side on the client library.
 *
 * The library is the model. What list gives is drawn: history, messages that wait, answers as they
 * grow, messages that failed. A watch only says that it is time to draw again. With `dispatch` that
 * is said on the program's own loop, which waits for keys and for the client at once; nothing here
 * waits for the network.
 *
 * Where there is no terminal, what happens is printed as lines.
 */
#include "input.h"
#include "screen.h"
#include "stores.h"
#include "text.h"
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/client.h>
#include <syncdb/object.h>
#include <time.h>
#include <unistd.h>

#define PAGE 20          /* messages that /older loads, and that are loaded at first */
#define DELIVER_MS 10000 /* how long the end of a pipe waits for what was said to arrive */

static const char HELP[] = "/name NAME  /older  /newer  /retry  /discard  /quit";

typedef struct chat {
  const char *user;
  sdb_store **stores;
  size_t stores_count;
  sdb_store *messages, *account;
  sdb_client *client;
  sdb_client_status status;
  char name[128];   /* of the account; empty: none was given */
  char notice[300]; /* about the last line that was typed */
  input input;
  screen screen;
  sigset_t signals_before;
  sdb_uuid before; /* the page that is shown ends before this message; nil: the newest */
  sdb_uuid oldest; /* of those that are shown */
  sdb_uuid gap_at; /* below this one messages were not loaded; nil: none is missing here */
  bool changed, quits;
} chat;

static const sdb_uuid NIL = {{0}};

/* By sdb_client_phase. */
static const char *const PHASES[] = {
    "", "offline", "connecting", "catching up", "live", "not let in", "closed"};

static volatile sig_atomic_t terminated, resized;

static void on_signal(int number) {
  if (number == SIGWINCH)
    resized = 1;
  else
    terminated = 1;
}

static bool is_refused(const chat *self) {
  return self->status.phase == SDB_CLIENT_UNAUTHORIZED;
}

/* What others wrote, for a line of output. */
static void print_foreign(FILE *to, const char *before, const char *words, const char *behind) {
  char *text = chat_text_harmless(sdb_slice_of(words), false);
  fprintf(to, "%s%s%s", before, text ? text : "", behind);
  free(text);
}

static void notice(chat *self, const char *what, const char *more) {
  snprintf(self->notice, sizeof(self->notice), "%s%s", what, more);
  if (!self->input.is_terminal) print_foreign(stdout, "[", self->notice, "]\n");
}

/* ---- what a record says ---- */

typedef struct saying {
  char role[32];
  char *content; /* NULL: none */
  size_t content_size;
  int64_t created_ms;
} saying;

/* An object is JSON text; sdb_object_* reads it. */
static void read_message(const sdb_client_record *record, saying *to) {
  sdb_object *object;
  memset(to, 0, sizeof(*to));
  if (sdb_object_parse(record->object, &object, NULL) != SDB_OK) return;
  if (sdb_object_string(object, "role", to->role, sizeof(to->role), NULL) != SDB_OK)
    snprintf(to->role, sizeof(to->role), "?");
  if (sdb_object_integer(object, "$createdAt", &to->created_ms) != SDB_OK) to->created_ms = 0;
  to->content = malloc(record->object.size + 1); /* unescaped it is no longer */
  if (to->content && sdb_object_string(object, "content", to->content, record->object.size + 1,
                         &to->content_size) != SDB_OK)
    to->content_size = 0;
  sdb_object_free(object);
}

static const char *author_of(const chat *self, const saying *said) {
  if (strcmp(said->role, "user") != 0) return said->role;
  return self->name[0] ? self->name : self->user;
}

/* ---- the screen ---- */

static message_look look_of(const sdb_client_record *record, const saying *said) {
  switch (record->state) {
  case SDB_RECORD_PARTIAL:
    return LOOK_GROWING;
  case SDB_RECORD_PENDING:
    return LOOK_WAITING;
  case SDB_RECORD_FAILED:
    return LOOK_FAILED;
  default:
    return strcmp(said->role, "user") == 0 ? LOOK_OWN : LOOK_OTHER;
  }
}

static bool draw_record(chat *self, const sdb_client_record *record) {
  saying said;
  char note[SDB_ERROR_MESSAGE_SIZE + 64];
  read_message(record, &said);
  if (record->error)
    snprintf(note, sizeof(note), "not sent: %s (/retry or /discard)", record->error->message);
  screen_message drawn = {.look = look_of(record, &said),
      .author = author_of(self, &said),
      .text = sdb_slice_make(said.content, said.content_size),
      .created_ms = said.created_ms,
      .note = record->error ? note : NULL};
  bool room = screen_add(&self->screen, &drawn);
  if (record->gap) {
    self->gap_at = record->id;
    room = room && screen_add_note(&self->screen, "(older messages: /older)");
  }
  free(said.content);
  return room;
}

/* "offline since 14:03", "live"... */
static void describe_phase(const sdb_client_status *status, char *text, size_t size) {
  char when[16] = "";
  struct tm local;
  time_t since = (time_t)(status->offline_since_ms / 1000);
  if (since > 0 && localtime_r(&since, &local))
    strftime(when, sizeof(when), " since %H:%M", &local);
  if (status->phase == SDB_CLIENT_CATCHING_UP)
    snprintf(text, size, "catching up: %llu", (unsigned long long)status->events_received);
  else
    snprintf(
        text, size, "%s%s", PHASES[status->phase], status->phase == SDB_CLIENT_OFFLINE ? when : "");
}

/* What was typed wrong, or what is wrong with the network, or what could be typed. */
static const char *hint(const chat *self) {
  bool cut_off = self->status.phase == SDB_CLIENT_OFFLINE || is_refused(self);
  if (self->notice[0]) return self->notice;
  return cut_off && self->status.problem[0] ? self->status.problem : HELP;
}

static void describe_status(const chat *self, char *text, size_t size) {
  const sdb_client_status *status = &self->status;
  char phase[64], waiting[32] = "";
  describe_phase(status, phase, sizeof(phase));
  if (status->pending > 0) snprintf(waiting, sizeof(waiting), "  %u waiting", status->pending);
  snprintf(text, size, "%s  %s%s%s%s  %s", self->user, phase, waiting,
      status->failed > 0 ? "  some failed" : "",
      status->storage == SDB_CLIENT_MEMORY ? "  nothing is kept" : "", hint(self));
}

static void draw(chat *self) {
  sdb_client_records *records = NULL;
  sdb_error error;
  char status[600];
  self->gap_at = NIL;
  screen_begin(&self->screen);
  if (!sdb_uuid_is_nil(self->before))
    (void)screen_add_note(&self->screen, "(newer messages: /newer)");
  bool read = sdb_client_list(self->client, self->messages, self->before,
                  (uint32_t)self->screen.rows, &records, &error) == SDB_OK;
  if (!read) notice(self, error.message, "");
  for (size_t i = 0; read && i < records->count; i++) {
    const sdb_client_record *record = &records->records[i];
    if (!draw_record(self, record)) break;
    self->oldest = sdb_uuid_is_nil(record->id) ? record->client_id : record->id;
  }
  sdb_client_records_free(records);
  describe_status(self, status, sizeof(status));
  bool alarm =
      self->status.phase == SDB_CLIENT_OFFLINE || self->status.failed > 0 || is_refused(self);
  screen_end(&self->screen, status, alarm, sdb_slice_make(self->input.line, self->input.size));
}

/* ---- lines, where there is no terminal ---- */

/* What is older comes behind what is newer while missed messages are loaded. */
static void note_oldest(chat *self, const sdb_client_record *record) {
  sdb_uuid id = sdb_uuid_is_nil(record->id) ? record->client_id : record->id;
  bool first = sdb_uuid_is_nil(self->oldest);
  if (first || (!sdb_uuid_is_nil(record->id) && memcmp(id.bytes, self->oldest.bytes, 16) < 0))
    self->oldest = id;
}

static void print_record(chat *self, const sdb_client_record *record) {
  static const char *const STATES[] = {"", "[growing] ", "[waiting] ", "[failed] "};
  saying said;
  read_message(record, &said);
  char *text = chat_text_harmless(sdb_slice_make(said.content, said.content_size), false);
  print_foreign(stdout, STATES[record->state - SDB_RECORD_SYNCED], author_of(self, &said), ": ");
  if (text) fputs(text, stdout);
  if (record->error) print_foreign(stdout, " (", record->error->message, ")");
  printf("\n");
  free(text);
  free(said.content);
  note_oldest(self, record);
}

/* The newest messages before `before`, oldest first; how many. */
static size_t print_history(chat *self, sdb_uuid before) {
  sdb_client_records *records = NULL;
  sdb_error error;
  if (sdb_client_list(self->client, self->messages, before, PAGE, &records, &error) != SDB_OK) {
    notice(self, error.message, "");
    return 0;
  }
  size_t count = records->count;
  for (size_t i = count; i-- > 0;)
    print_record(self, &records->records[i]);
  sdb_client_records_free(records);
  return count;
}

static void print_change(chat *self, const sdb_client_change *change) {
  if (change->kind == SDB_CHANGE_PUT) {
    print_record(self, &change->record);
  } else if (change->kind == SDB_CHANGE_REMOVE) {
    printf("[a message was removed]\n");
  } else {
    printf("[from the beginning]\n");
    (void)print_history(self, NIL);
  }
}

/* ---- what the library tells ---- */

static void read_name(chat *self) {
  sdb_client_records *records = NULL;
  sdb_object *object;
  self->name[0] = 0;
  if (sdb_client_singular(self->client, self->account, &records, NULL) != SDB_OK) return;
  if (records->count > 0 && sdb_object_parse(records->records[0].object, &object, NULL) == SDB_OK) {
    if (sdb_object_string(object, "name", self->name, sizeof(self->name), NULL) != SDB_OK)
      self->name[0] = 0; /* too long to be shown */
    sdb_object_free(object);
  }
  sdb_client_records_free(records);
}

static void on_changes(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client;
  chat *self = context;
  self->changed = true;
  if (changes->store == self->account) {
    read_name(self);
    return;
  }
  for (size_t i = 0; !self->input.is_terminal && i < changes->count; i++)
    print_change(self, &changes->changes[i]);
}

static void on_status(void *context, sdb_client *client, const sdb_client_status *status) {
  (void)client;
  chat *self = context;
  if (!self->input.is_terminal && status->phase != self->status.phase) {
    printf("[%s", PHASES[status->phase]);
    print_foreign(stdout, status->problem[0] ? ": " : "", status->problem, "]\n");
  }
  self->status = *status;
  self->changed = true;
}

/* ---- what is typed ---- */

/* Pushes an object with one or two text members; the notice says why not. */
static void push(
    chat *self, const sdb_store *store, const char *role, const char *name, sdb_slice text) {
  sdb_error error;
  sdb_builder *builder = sdb_builder_create();
  if (builder && role) sdb_builder_string(builder, "role", sdb_slice_of(role));
  if (builder) sdb_builder_string(builder, name, text);
  sdb_slice object = builder ? sdb_builder_text(builder) : sdb_slice_of(NULL);
  if (object.size == 0)
    notice(self, "this cannot be sent: it is no UTF-8", "");
  else if (sdb_client_push(self->client, store, object, NULL, &error) != SDB_OK)
    notice(self, "not sent: ", error.message);
  sdb_builder_destroy(builder);
}

/* Sends every message that failed again, or gives all of them up. */
static void for_failed(chat *self, sdb_status (*what)(sdb_client *client, sdb_uuid client_id)) {
  sdb_unsynced_list *list;
  sdb_error error;
  size_t count = 0;
  if (sdb_client_unsynced(self->client, &list, &error) != SDB_OK) {
    notice(self, error.message, "");
    return;
  }
  for (size_t i = 0; i < list->count; i++)
    count += list->pushes[i].error && what(self->client, list->pushes[i].client_id) == SDB_OK;
  sdb_unsynced_free(list);
  if (count == 0) notice(self, "no message failed", "");
}

static void load_older(chat *self, sdb_uuid before) {
  sdb_error error;
  if (sdb_client_older(self->client, self->messages, before, PAGE, &error) == SDB_OK) return;
  notice(self, error.status == SDB_NOT_FOUND ? "these are the oldest" : error.message, "");
}

static void older(chat *self) {
  if (!self->input.is_terminal) {
    if (print_history(self, self->oldest) == 0) load_older(self, NIL);
  } else if (!sdb_uuid_is_nil(self->gap_at)) {
    load_older(self, self->gap_at);
  } else {
    sdb_client_records *records = NULL;
    bool more =
        sdb_client_list(self->client, self->messages, self->oldest, 1, &records, NULL) == SDB_OK &&
        records->count > 0;
    sdb_client_records_free(records);
    if (more)
      self->before = self->oldest;
    else
      notice(self, "these are the oldest", "");
  }
}

static void command(chat *self, sdb_slice line) {
  static const char NAME[] = "/name ";
  if (line.size > sizeof(NAME) - 1 && memcmp(line.data, NAME, sizeof(NAME) - 1) == 0)
    push(self, self->account, NULL, "name",
        sdb_slice_make(line.data + sizeof(NAME) - 1, line.size - (sizeof(NAME) - 1)));
  else if (sdb_slice_equal(line, sdb_slice_of("/older")))
    older(self);
  else if (sdb_slice_equal(line, sdb_slice_of("/newer")))
    self->before = NIL;
  else if (sdb_slice_equal(line, sdb_slice_of("/retry")))
    for_failed(self, sdb_client_retry);
  else if (sdb_slice_equal(line, sdb_slice_of("/discard")))
    for_failed(self, sdb_client_discard);
  else if (sdb_slice_equal(line, sdb_slice_of("/quit")))
    self->quits = true;
  else
    notice(self, HELP, "");
}

static void on_line(void *context, sdb_slice line) {
  chat *self = context;
  self->notice[0] = 0;
  if (line.size == 0 || self->quits) return;
  if (line.data[0] == '/') {
    command(self, line);
    return;
  }
  self->before = NIL;
  push(self, self->messages, "user", "content", line);
}

/* ---- the loop ---- */

static void turn(chat *self) {
  struct pollfd polled[] = {{.fd = STDIN_FILENO, .events = POLLIN},
      {.fd = sdb_client_fd(self->client), .events = POLLIN}};
  if (ppoll(polled, 2, NULL, &self->signals_before) > 0) {
    if (polled[0].revents) input_read(&self->input, on_line, self);
    if (polled[1].revents) sdb_client_dispatch(self->client);
    self->changed = self->changed || polled[0].revents;
  }
  self->changed = self->changed || resized;
  self->quits = self->quits || terminated || self->input.ended;
  resized = 0;
}

/* Who pipes messages in wants them to arrive. */
static void deliver(chat *self) {
  if (sdb_client_wait(self->client, SDB_CLIENT_DELIVERED, DELIVER_MS) != SDB_OK)
    printf("[some messages wait: they are sent next time]\n");
  sdb_client_dispatch(self->client);
}

static void talk(chat *self) {
  bool is_terminal = self->input.is_terminal;
  read_name(self);
  if (is_terminal)
    screen_open(&self->screen);
  else
    (void)print_history(self, NIL);
  for (self->changed = true; !self->quits; turn(self)) {
    if (self->changed && is_terminal) draw(self);
    self->changed = false;
    fflush(stdout);
  }
  if (is_terminal)
    screen_close(&self->screen);
  else if (self->input.ended && !terminated)
    deliver(self);
}

/* They are let through only while the loop waits, so that the terminal is always given back. */
static void catch_signals(chat *self) {
  static const int NUMBERS[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
  struct sigaction action = {.sa_handler = on_signal};
  sigset_t caught;
  sigemptyset(&caught);
  for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
    sigaction(NUMBERS[i], &action, NULL);
    sigaddset(&caught, NUMBERS[i]);
  }
  sigprocmask(SIG_BLOCK, &caught, &self->signals_before);
}

static bool open_client(chat *self, const char *server, const char *path) {
  char url[512], own_path[128];
  sdb_error error;
  sdb_client_window window = {self->messages, PAGE};
  snprintf(url, sizeof(url), "%s/?user=%s", server, self->user);
  snprintf(own_path, sizeof(own_path), "chat-%s.sqlite", self->user);
  sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
  options.url = url;
  options.user = self->user;
  options.path = path ? path : own_path;
  options.stores = self->stores;
  options.stores_count = self->stores_count;
  options.windows = &window;
  options.windows_count = 1;
  options.dispatch = true;
  options.status = on_status;
  options.status_context = self;
  if (sdb_client_open(&options, &self->client, &error) == SDB_OK &&
      sdb_client_watch(self->client, NULL, on_changes, self, NULL, &error) == SDB_OK)
    return true;
  print_foreign(stderr, "chat-terminal: ", error.message, "\n");
  return false;
}

static bool make_stores(chat *self) {
  sdb_error error;
  if (sdb_stores_create(syncdb_stores, &self->stores, &self->stores_count, &error) != SDB_OK) {
    print_foreign(stderr, "chat-terminal: ", error.message, "\n");
    return false;
  }
  self->messages = self->stores[CHAT_MESSAGE];
  self->account = self->stores[CHAT_ACCOUNT];
  return true;
}

/* A name that fits into a URL and a file's name as it stands, and is no option. */
static bool is_good_name(const char *name) {
  static const char GOOD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  size_t size = strlen(name);
  return size > 0 && size <= 64 && name[0] != '-' && strspn(name, GOOD) == size;
}

static int usage(FILE *to, int code) {
  fprintf(to,
      "usage: chat-terminal NAME [ws://HOST:PORT [FILE]]\n"
      "\n"
      "Talks to the chat as NAME: letters, digits, _ and -, which it does not begin with. FILE "
      "keeps\n"
      "what was said, chat-NAME.sqlite by default.\n");
  return code;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout, 0);
  chat self = {.user = argc > 1 ? argv[1] : "", .status = {.phase = SDB_CLIENT_CONNECTING}};
  if (argc > 4 || !is_good_name(self.user)) return usage(stderr, 2);
  (void)setlocale(LC_CTYPE, "C.UTF-8");
  if (!make_stores(&self)) return 1;
  catch_signals(&self);
  bool opened =
      open_client(&self, argc > 2 ? argv[2] : "ws://127.0.0.1:8080", argc > 3 ? argv[3] : NULL);
  if (opened && input_open(&self.input)) {
    talk(&self);
    input_close(&self.input);
  }
  sdb_client_close(self.client);
  sdb_stores_destroy(self.stores, self.stores_count);
  return opened ? 0 : 1;
}
