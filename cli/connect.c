/* cli/connect.c: `syncdb connect`: a WebSocket by hand, for looking at the protocol.
 *
 * One poll loop over standard input and the socket. A line in is a message out; a message in is a
 * line out. Input is read only while little waits to be sent, so a large file piped in is not held
 * in memory.
 */
#include "commands.h"
#include "ws_client.h"
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READER_BYTES (256 * 1024)
#define MESSAGE_BYTES_MAX (64 * 1024 * 1024)
#define LINE_BYTES_MAX (64 * 1024 * 1024)
#define INPUT_CHUNK_BYTES (64 * 1024)
#define CLOSE_WAIT_MS 2000
#define QUIET_MS_DEFAULT 1000
#define EMPTY_HELLO "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{}}}"

static const char HELP[] =
    "usage: syncdb connect [OPTION...] URL\n"
    "\n"
    "Opens a WebSocket to URL (ws:// or wss://). Each line of standard input is sent as a "
    "message,\n"
    "each message that comes is printed as a line. When the input has ended and the server has "
    "said\n"
    "nothing for a second, the connection is closed.\n"
    "\n"
    "  --hello               send an empty client_hello first (the server waits 5 s for one)\n"
    "  --token T             show T at the upgrade, as `Authorization: Bearer T`\n"
    "  --token-file FILE     the same, from a file: a command line can be read by other users\n"
    "  --quit-after-eof MS   milliseconds of silence to wait for behind the input's end; 0: close\n"
    "                        at once; never: go on receiving until the server closes, or Ctrl-C\n"
    "  --insecure            with wss://, take any certificate\n"
    "  --help                this text\n"
    "\n"
    "The close code and reason are printed on standard error. Exit status: 0 closed by either "
    "side\n"
    "in the normal way (1000, 1001), 1 refused, lost or closed with another code, 2 bad usage.\n";

typedef struct connect_session {
  sdb_ws_client *client;
  char *line; /* input that has no line break yet */
  size_t line_size, line_capacity;
  bool input_ended, failed;
  bool hello;
  long quiet_ms; /* -1: never */
  int64_t last_heard_ms, closing_since_ms;
} connect_session;

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_opened(sdb_ws_client *client, void *tag) {
  connect_session *session = tag;
  session->last_heard_ms = now_ms();
  if (session->hello) sdb_ws_client_send(client, EMPTY_HELLO, strlen(EMPTY_HELLO));
}

/* A line break in JSON is white space, never inside a string: as a blank it keeps its meaning, and
 * one message stays one line. */
static void on_message(sdb_ws_client *client, void *tag, const char *text, size_t size) {
  (void)client;
  connect_session *session = tag;
  session->last_heard_ms = now_ms();
  while (size > 0) {
    size_t run = 0;
    while (run < size && text[run] != '\n' && text[run] != '\r')
      run++;
    fwrite(text, 1, run, stdout);
    if (run < size) fputc(' ', stdout);
    run += run < size;
    text += run;
    size -= run;
  }
  fputc('\n', stdout);
}

static const sdb_ws_client_handler HANDLER = {on_opened, on_message};

/* ---- standard input ---- */

static void send_line(connect_session *session, const char *line, size_t size) {
  if (size > 0 && line[size - 1] == '\r') size--;
  if (size > 0) sdb_ws_client_send(session->client, line, size);
}

static void send_lines(connect_session *session) {
  char *at = session->line, *end = at + session->line_size, *found;
  for (; (found = memchr(at, '\n', (size_t)(end - at))); at = found + 1)
    send_line(session, at, (size_t)(found - at));
  session->line_size = (size_t)(end - at);
  memmove(session->line, at, session->line_size);
}

static void read_input(connect_session *session) {
  size_t needed = session->line_size + INPUT_CHUNK_BYTES;
  if (needed > session->line_capacity) {
    size_t capacity = needed * 2;
    char *line = needed <= LINE_BYTES_MAX ? realloc(session->line, capacity) : NULL;
    if (!line) {
      fprintf(stderr, "syncdb connect: a line of the input is too long\n");
      session->failed = session->input_ended = true;
      return;
    }
    session->line = line;
    session->line_capacity = capacity;
  }
  ssize_t got = read(STDIN_FILENO, session->line + session->line_size, INPUT_CHUNK_BYTES);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got > 0) {
    session->line_size += (size_t)got;
    return send_lines(session);
  }
  if (got < 0) {
    fprintf(stderr, "syncdb connect: cannot read the input: %s\n", strerror(errno));
    session->failed = true;
  }
  send_line(session, session->line, session->line_size);
  session->line_size = 0;
  session->input_ended = true;
  session->last_heard_ms = now_ms();
}

/* ---- the loop ---- */

/* Closes when it is time to; gives how long poll may wait, -1 without end. */
static int go_on(connect_session *session) {
  int64_t now = now_ms();
  sdb_ws_client_state state = sdb_ws_client_state_of(session->client);
  bool quiet = session->input_ended && session->quiet_ms >= 0 &&
               now - session->last_heard_ms >= session->quiet_ms;
  if (session->closing_since_ms == 0 &&
      (interrupted || session->failed ||
          (quiet && state == SDB_WS_CLIENT_OPEN && !sdb_ws_client_wants_write(session->client)))) {
    session->closing_since_ms = now;
    sdb_ws_client_close(session->client, 1000, "");
  }
  if (session->closing_since_ms != 0) {
    int64_t left = session->closing_since_ms + CLOSE_WAIT_MS - now;
    return left > 0 ? (int)left : 0;
  }
  if (session->input_ended && session->quiet_ms >= 0 && state == SDB_WS_CLIENT_OPEN) {
    int64_t left = session->last_heard_ms + session->quiet_ms - now;
    return left > 0 ? (int)left : 10;
  }
  return -1;
}

static void turn(connect_session *session) {
  int timeout_ms = go_on(session);
  sdb_ws_client *client = session->client;
  int fd = sdb_ws_client_fd(client);
  if (fd < 0 || (session->closing_since_ms != 0 && timeout_ms == 0)) return;
  bool wants_write = sdb_ws_client_wants_write(client);
  bool wants_input =
      !session->input_ended && !wants_write && sdb_ws_client_state_of(client) == SDB_WS_CLIENT_OPEN;
  struct pollfd polled[2] = {
      {.fd = fd,
          .events = (short)((sdb_ws_client_wants_read(client) ? POLLIN : 0) |
                            (wants_write ? POLLOUT : 0))},
      {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN},
  };
  if (poll(polled, 2, timeout_ms) <= 0) return;
  bool broken = (polled[0].revents & (POLLERR | POLLHUP)) != 0;
  if (polled[0].revents) {
    sdb_ws_client_on_ready(
        client, broken || polled[0].revents & POLLIN, broken || polled[0].revents & POLLOUT);
  }
  if (polled[1].revents) read_input(session);
  sdb_ws_client_flush(client);
}

/* Says how it ended; the exit status. */
static int report(const connect_session *session) {
  const sdb_ws_client *client = session->client;
  unsigned code = sdb_ws_client_close_code(client);
  const char *reason = sdb_ws_client_close_reason(client), *error = sdb_ws_client_error(client);
  bool ours = session->closing_since_ms != 0;
  if (session->failed) return 1;
  if (error[0] && !ours) {
    fprintf(stderr, "syncdb connect: %s\n", error);
    return 1;
  }
  if (code != 0 && code != 1006)
    fprintf(stderr, "closed %u%s%s\n", code, reason[0] ? " " : "", reason);
  return ours || code == 1000 || code == 1001 ? 0 : 1;
}

static int run_session(connect_session *session) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  while (sdb_ws_client_state_of(session->client) != SDB_WS_CLIENT_CLOSED) {
    turn(session);
    if (fflush(stdout) != 0) session->failed = true;
    if (session->closing_since_ms && now_ms() - session->closing_since_ms >= CLOSE_WAIT_MS) break;
  }
  return report(session);
}

/* ---- the command line ---- */

typedef struct connect_arguments {
  const char *url, *token;
  char *token_owned;
  bool insecure, hello;
  long quiet_ms;
} connect_arguments;

static int bad_usage(const char *what, const char *which) {
  fprintf(stderr, "syncdb connect: %s%s\nTry `syncdb connect --help`.\n", what, which);
  return 2;
}

static bool read_token(const char *path, connect_arguments *arguments) {
  FILE *file = fopen(path, "r");
  size_t capacity = 0;
  ssize_t size = file ? getline(&arguments->token_owned, &capacity, file) : -1;
  if (file) fclose(file);
  if (size < 0) return false;
  arguments->token_owned[strcspn(arguments->token_owned, "\r\n")] = 0;
  arguments->token = arguments->token_owned;
  return true;
}

static bool parse_quiet(const char *text, long *quiet_ms) {
  char *end;
  if (strcmp(text, "never") == 0) {
    *quiet_ms = -1;
    return true;
  }
  *quiet_ms = strtol(text, &end, 10);
  return *text && !*end && *quiet_ms >= 0 && *quiet_ms <= 3600000;
}

/* 0 to go on, 1 when all is done, 2 for bad usage. */
static int parse_arguments(int argc, char **argv, connect_arguments *arguments) {
  static const struct option OPTIONS[] = {{"token", required_argument, NULL, 't'},
      {"token-file", required_argument, NULL, 'f'}, {"insecure", no_argument, NULL, 'k'},
      {"hello", no_argument, NULL, 'i'}, {"quit-after-eof", required_argument, NULL, 'q'},
      {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1;) {
    switch (option) {
    case 't':
      arguments->token = optarg;
      break;
    case 'f':
      if (!read_token(optarg, arguments)) return bad_usage("cannot read the token from ", optarg);
      break;
    case 'k':
      arguments->insecure = true;
      break;
    case 'i':
      arguments->hello = true;
      break;
    case 'q':
      if (!parse_quiet(optarg, &arguments->quiet_ms))
        return bad_usage("--quit-after-eof wants milliseconds or `never`, not ", optarg);
      break;
    case 'h':
      fputs(HELP, stdout);
      return 1;
    case ':':
      return bad_usage("a value is missing behind ", argv[optind - 1]);
    default:
      return bad_usage("unknown option ", argv[optind - 1]);
    }
  }
  if (optind + 1 != argc) return bad_usage(optind == argc ? "no URL" : "more than one URL", "");
  arguments->url = argv[optind];
  for (const char *at = arguments->token ? arguments->token : ""; *at; at++) {
    if ((unsigned char)*at <= ' ' || *at == 0x7f) return bad_usage("the token holds a blank", "");
  }
  return 0;
}

static int connect_to(const connect_arguments *arguments) {
  char error[SDB_WS_CLIENT_ERROR_SIZE];
  sdb_ws_endpoint endpoint;
  if (!sdb_ws_url_parse(arguments->url, &endpoint, error)) return bad_usage(error, "");
  if (!sdb_ws_endpoint_open(&endpoint, arguments->url, arguments->insecure, error)) {
    fprintf(stderr, "syncdb connect: %s\n", error);
    return 1;
  }
  connect_session session = {.quiet_ms = arguments->quiet_ms, .hello = arguments->hello};
  sdb_ws_reader reader;
  int status = 1;
  if (sdb_ws_reader_create(&reader, READER_BYTES)) {
    sdb_ws_client_options options = {.endpoint = &endpoint,
        .reader = &reader,
        .handler = &HANDLER,
        .tag = &session,
        .token = arguments->token,
        .message_bytes_max = MESSAGE_BYTES_MAX};
    session.client = sdb_ws_client_create(&options);
  }
  if (session.client)
    status = run_session(&session);
  else
    fprintf(stderr, "syncdb connect: out of memory\n");
  sdb_ws_client_free(session.client);
  sdb_ws_reader_destroy(&reader);
  sdb_ws_endpoint_close(&endpoint);
  free(session.line);
  return status;
}

int sdb_connect_run(int argc, char **argv) {
  connect_arguments arguments = {.quiet_ms = QUIET_MS_DEFAULT};
  int status = parse_arguments(argc, argv, &arguments);
  if (status == 0)
    status = connect_to(&arguments);
  else if (status == 1)
    status = 0;
  free(arguments.token_owned);
  return status;
}
