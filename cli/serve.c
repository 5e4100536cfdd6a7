/* cli/serve.c: `syncdb serve`: a server without code but its stores'. */
#include "commands.h"
#include "stores_file.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <sys/resource.h>
#include <time.h>

static const char HELP[] =
    "usage: syncdb serve --stores FILE --db URL IDENTITY [OPTION...]\n"
    "\n"
    "Serves the stores of FILE from a database. When it is ready it prints one line on\n"
    "stdout, `listening on ws://HOST:PORT`. Logs go to stderr. SIGTERM and SIGINT shut it\n"
    "down gracefully: what was accepted is committed, devices are told to come back.\n"
    "\n"
    "  --stores FILE               the stores: names, types, schemas, rules (docs/schema.md), or\n"
    "                              a shared object that defines syncdb_stores\n"
    "  --db URL                    sqlite://PATH, made if it is not there\n"
    "  --listen HOST:PORT          default 127.0.0.1:8080; port 0 takes a free one\n"
    "\n"
    "identity, exactly one of:\n"
    "  --jwt-secret-file FILE      HS256 tokens; `sub` is the user\n"
    "  --jwt-public-key FILE       RS256, ES256 or EdDSA tokens, by the type of the PEM key\n"
    "  --dev-auth                  believe ?user=NAME; loopback only\n"
    "\n"
    "transport:\n"
    "  --tls-cert FILE --tls-key FILE   serve wss:// with this PEM certificate\n"
    "  --origin ORIGIN             pages that may connect; repeatable; `*` any.\n"
    "                              Default: pages of the server's own host\n"
    "  --no-compression            never negotiate permessage-deflate\n"
    "  --compress-loopback         negotiate it on loopback too\n"
    "  --pages DIR                 serve this folder of built pages, / as its index.html\n"
    "  --pages-policy TEXT         their Content-Security-Policy\n"
    "  --ping-interval-ms MS       default 30000\n"
    "  --hello-timeout-ms MS       default 5000\n"
    "\n"
    "storage:\n"
    "  --durability full|normal    default full: a sync for each commit\n"
    "  --remember-removes DAYS     default 90\n"
    "  --secure-delete             overwrite removed objects in the file\n"
    "  --readers N                 threads for catch-up, default 2\n"
    "\n"
    "limits:\n"
    "  --max-message-bytes N       default 1048576\n"
    "  --max-object-bytes N        default 262144\n"
    "  --max-depth N               default 32\n"
    "  --max-pushes-per-second N   of a connection; default no limit\n"
    "  --max-connections N         default as many as file descriptors allow\n"
    "  --max-connections-per-user N  default 64\n"
    "  --output-soft-bytes N       default 262144: catch-up waits, partials fold\n"
    "  --output-hard-bytes N       default 4194304: a reader this slow is closed (1013)\n"
    "\n"
    "logs:\n"
    "  --log-format text|json      default text\n"
    "  --log-level error|warn|info|debug   default info\n"
    "\n"
    "exit code: 0 after a graceful shutdown, 1 when it cannot serve, 2 on bad usage\n";

#define ORIGINS_MAX 64
#define FILE_BYTES_MAX (16 * 1024 * 1024)

typedef struct serve {
  sdb_database_options options;
  const char *stores_file, *jwt_secret_file, *jwt_public_key_file;
  char host[128];
  uint16_t port;
  const char *origins[ORIGINS_MAX];
  bool log_json;
  sdb_log_level log_level;
  /* what is opened */
  sdb_cli_stores stores;
  char *secret, *public_key;
} serve;

/* ---- logs ---- */

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};

static void print_json_string(FILE *to, const char *text) {
  fputc('"', to);
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      fprintf(to, "\\%c", c);
    else if (c < 0x20)
      fprintf(to, "\\u%04x", c);
    else
      fputc(c, to);
  }
  fputc('"', to);
}

static void log_line(void *context, sdb_log_level level, const char *event, const char *message) {
  const serve *self = context;
  if (level > self->log_level) return;
  char now[32];
  struct timespec ts;
  struct tm utc;
  clock_gettime(CLOCK_REALTIME, &ts);
  gmtime_r(&ts.tv_sec, &utc);
  strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S", &utc);
  flockfile(stderr);
  if (self->log_json) {
    fprintf(stderr, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"%s\",\"message\":", now,
        ts.tv_nsec / 1000000, LEVELS[level], event);
    print_json_string(stderr, message);
    fputs("}\n", stderr);
  } else {
    fprintf(stderr, "%s.%03ldZ %-5s %s: %s\n", now, ts.tv_nsec / 1000000, LEVELS[level], event,
        message);
  }
  funlockfile(stderr);
}

/* ---- options ---- */

enum {
  OPT_STORES = 256,
  OPT_DB,
  OPT_LISTEN,
  OPT_JWT_SECRET,
  OPT_JWT_KEY,
  OPT_DEV_AUTH,
  OPT_TLS_CERT,
  OPT_TLS_KEY,
  OPT_ORIGIN,
  OPT_NO_COMPRESSION,
  OPT_COMPRESS_LOOPBACK,
  OPT_PAGES,
  OPT_PAGES_POLICY,
  OPT_PING,
  OPT_HELLO,
  OPT_DURABILITY,
  OPT_REMEMBER,
  OPT_SECURE_DELETE,
  OPT_READERS,
  OPT_MESSAGE,
  OPT_OBJECT,
  OPT_DEPTH,
  OPT_PUSHES,
  OPT_CONNECTIONS,
  OPT_USER_CONNECTIONS,
  OPT_SOFT,
  OPT_HARD,
  OPT_LOG_FORMAT,
  OPT_LOG_LEVEL,
  OPT_HELP
};

static const struct option OPTIONS[] = {
    {"stores", required_argument, NULL, OPT_STORES},
    {"db", required_argument, NULL, OPT_DB},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"jwt-secret-file", required_argument, NULL, OPT_JWT_SECRET},
    {"jwt-public-key", required_argument, NULL, OPT_JWT_KEY},
    {"dev-auth", no_argument, NULL, OPT_DEV_AUTH},
    {"tls-cert", required_argument, NULL, OPT_TLS_CERT},
    {"tls-key", required_argument, NULL, OPT_TLS_KEY},
    {"origin", required_argument, NULL, OPT_ORIGIN},
    {"no-compression", no_argument, NULL, OPT_NO_COMPRESSION},
    {"compress-loopback", no_argument, NULL, OPT_COMPRESS_LOOPBACK},
    {"pages", required_argument, NULL, OPT_PAGES},
    {"pages-policy", required_argument, NULL, OPT_PAGES_POLICY},
    {"ping-interval-ms", required_argument, NULL, OPT_PING},
    {"hello-timeout-ms", required_argument, NULL, OPT_HELLO},
    {"durability", required_argument, NULL, OPT_DURABILITY},
    {"remember-removes", required_argument, NULL, OPT_REMEMBER},
    {"secure-delete", no_argument, NULL, OPT_SECURE_DELETE},
    {"readers", required_argument, NULL, OPT_READERS},
    {"max-message-bytes", required_argument, NULL, OPT_MESSAGE},
    {"max-object-bytes", required_argument, NULL, OPT_OBJECT},
    {"max-depth", required_argument, NULL, OPT_DEPTH},
    {"max-pushes-per-second", required_argument, NULL, OPT_PUSHES},
    {"max-connections", required_argument, NULL, OPT_CONNECTIONS},
    {"max-connections-per-user", required_argument, NULL, OPT_USER_CONNECTIONS},
    {"output-soft-bytes", required_argument, NULL, OPT_SOFT},
    {"output-hard-bytes", required_argument, NULL, OPT_HARD},
    {"log-format", required_argument, NULL, OPT_LOG_FORMAT},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static bool bad_value(int option, const char *value) {
  for (const struct option *o = OPTIONS; o->name; o++) {
    if (o->val == option)
      fprintf(stderr, "syncdb serve: --%s: '%s' is no good value\n", o->name, value);
  }
  return false;
}

static bool parse_number(int option, const char *text, uint32_t max, uint32_t *value) {
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 10);
  if (errno || end == text || *end || text[0] == '-' || number == 0 || number > max)
    return bad_value(option, text);
  *value = (uint32_t)number;
  return true;
}

/* HOST:PORT, with an IPv6 address in brackets. */
static bool parse_listen(serve *self, const char *text) {
  const char *colon = strrchr(text, ':');
  if (!colon || colon == text) return bad_value(OPT_LISTEN, text);
  const char *from = text;
  size_t size = (size_t)(colon - text);
  if (*from == '[' && colon[-1] == ']') {
    from++;
    size -= 2;
  }
  char *end;
  unsigned long port = strtoul(colon + 1, &end, 10);
  if (end == colon + 1 || *end || port > 65535 || size >= sizeof(self->host))
    return bad_value(OPT_LISTEN, text);
  memcpy(self->host, from, size);
  self->host[size] = 0;
  self->port = (uint16_t)port;
  return true;
}

static bool parse_word(
    int option, const char *text, const char *const *words, size_t count, size_t *index) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(words[i], text) == 0) {
      *index = i;
      return true;
    }
  }
  return bad_value(option, text);
}

static bool parse_words(serve *self, int option, const char *value) {
  static const char *const DURABILITIES[] = {"full", "normal"};
  static const char *const FORMATS[] = {"text", "json"};
  size_t index;
  switch (option) {
  case OPT_DURABILITY:
    if (!parse_word(option, value, DURABILITIES, 2, &index)) return false;
    self->options.durability = index ? SDB_DURABILITY_NORMAL : SDB_DURABILITY_FULL;
    return true;
  case OPT_LOG_FORMAT:
    if (!parse_word(option, value, FORMATS, 2, &index)) return false;
    self->log_json = index == 1;
    return true;
  default:
    if (!parse_word(option, value, LEVELS, 4, &index)) return false;
    self->log_level = (sdb_log_level)index;
    return true;
  }
}

static bool parse_limit(serve *self, int option, const char *value) {
  sdb_server_options *server = &self->options.server;
  uint32_t days = 0;
  switch (option) {
  case OPT_PING:
    return parse_number(option, value, 86400000, &server->ping_interval_ms);
  case OPT_HELLO:
    return parse_number(option, value, 86400000, &server->hello_timeout_ms);
  case OPT_READERS:
    return parse_number(option, value, 64, &self->options.readers);
  case OPT_MESSAGE:
    return parse_number(option, value, 256u << 20, &server->message_bytes_max);
  case OPT_OBJECT:
    return parse_number(option, value, 256u << 20, &server->object_bytes_max);
  case OPT_DEPTH:
    return parse_number(option, value, 64, &server->depth_max);
  case OPT_PUSHES:
    return parse_number(option, value, UINT32_MAX, &server->pushes_per_second);
  case OPT_CONNECTIONS:
    return parse_number(option, value, UINT32_MAX, &server->connections_max);
  case OPT_USER_CONNECTIONS:
    return parse_number(option, value, UINT32_MAX, &server->connections_per_user);
  case OPT_SOFT:
    return parse_number(option, value, UINT32_MAX, &server->output_soft_bytes);
  case OPT_HARD:
    return parse_number(option, value, UINT32_MAX, &server->output_hard_bytes);
  case OPT_REMEMBER:
    if (!parse_number(option, value, 36500, &days)) return false;
    self->options.remember_removes_ms = days * 24ULL * 60 * 60 * 1000;
    return true;
  default:
    return parse_words(self, option, value);
  }
}

static bool add_origin(serve *self, const char *origin) {
  sdb_server_options *server = &self->options.server;
  if (server->origins_count == ORIGINS_MAX) return bad_value(OPT_ORIGIN, origin);
  self->origins[server->origins_count++] = origin;
  server->origins = self->origins;
  return true;
}

static bool parse_option(serve *self, int option, const char *value) {
  sdb_server_options *server = &self->options.server;
  switch (option) {
  case OPT_STORES:
    self->stores_file = value;
    return true;
  case OPT_DB:
    self->options.url = value;
    return true;
  case OPT_LISTEN:
    return parse_listen(self, value);
  case OPT_JWT_SECRET:
    self->jwt_secret_file = value;
    return true;
  case OPT_JWT_KEY:
    self->jwt_public_key_file = value;
    return true;
  case OPT_DEV_AUTH:
    server->dev_auth = true;
    return true;
  case OPT_TLS_CERT:
    server->tls_cert = value;
    return true;
  case OPT_TLS_KEY:
    server->tls_key = value;
    return true;
  case OPT_ORIGIN:
    return add_origin(self, value);
  case OPT_NO_COMPRESSION:
    server->no_compression = true;
    return true;
  case OPT_COMPRESS_LOOPBACK:
    server->compress_loopback = true;
    return true;
  case OPT_PAGES:
    server->pages = value;
    return true;
  case OPT_PAGES_POLICY:
    server->pages_policy = value;
    return true;
  case OPT_SECURE_DELETE:
    self->options.secure_delete = true;
    return true;
  default:
    return parse_limit(self, option, value);
  }
}

/* -1: go on; otherwise the exit code. */
static int parse_options(serve *self, int argc, char **argv) {
  int option;
  while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
    if (option == OPT_HELP) {
      fputs(HELP, stdout);
      return 0;
    }
    if (option == '?' || !parse_option(self, option, optarg)) return 2;
  }
  if (optind < argc) {
    fprintf(stderr, "syncdb serve: '%s' is not understood\n", argv[optind]);
    return 2;
  }
  if (!self->stores_file || !self->options.url) {
    fprintf(stderr, "syncdb serve: --stores and --db are needed; --help tells more\n");
    return 2;
  }
  if (!self->jwt_secret_file && !self->jwt_public_key_file && !self->options.server.dev_auth) {
    fprintf(stderr, "syncdb serve: who is who? Give --jwt-secret-file, --jwt-public-key or, to try "
                    "things out, --dev-auth\n");
    return 2;
  }
  return -1;
}

/* ---- files ---- */

/* The whole file, ended with a NUL that is not counted, or NULL with the reason printed. */
static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  char *text = file ? malloc(FILE_BYTES_MAX + 1) : NULL;
  size_t got = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
  if (!file || !text || ferror(file) || got > FILE_BYTES_MAX) {
    fprintf(stderr, "syncdb serve: cannot read %s: %s\n", path,
        got > FILE_BYTES_MAX ? "it is too large" : strerror(errno));
    free(text);
    text = NULL;
  } else {
    text[got] = 0;
    *size = got;
  }
  if (file) fclose(file);
  return text;
}

static bool read_stores(serve *self) {
  if (!sdb_cli_stores_load("serve", self->stores_file, &self->stores)) return false;
  self->options.stores = self->stores.list;
  self->options.stores_count = self->stores.count;
  return true;
}

/* A secret's final newline is the editor's, not the secret's. */
static bool read_keys(serve *self) {
  size_t size;
  if (self->jwt_secret_file) {
    self->secret = read_file(self->jwt_secret_file, &size);
    if (!self->secret) return false;
    while (size > 0 && (self->secret[size - 1] == '\n' || self->secret[size - 1] == '\r'))
      size--;
    self->options.server.jwt_secret = sdb_slice_make(self->secret, size);
  }
  if (self->jwt_public_key_file) {
    self->public_key = read_file(self->jwt_public_key_file, &size);
    if (!self->public_key) return false;
    self->options.server.jwt_public_key = sdb_slice_make(self->public_key, size);
  }
  return true;
}

/* Every device is a file descriptor; the soft limit is usually far under the hard one. */
static void raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static int listen_and_run(serve *self, sdb_database *database) {
  sdb_error error;
  uint16_t port;
  if (sdb_listen(database, self->host, self->port, &port, &error) != SDB_OK) {
    fprintf(stderr, "syncdb serve: %s\n", error.message);
    return error.status == SDB_UNAUTHORIZED || error.status == SDB_INVALID_ARGUMENT ? 2 : 1;
  }
  const char *bracket = strchr(self->host, ':') ? "[" : "";
  printf("listening on %s://%s%s%s:%u\n", self->options.server.tls_cert ? "wss" : "ws", bracket,
      self->host, *bracket ? "]" : "", port);
  fflush(stdout);
  return sdb_run(database) == SDB_OK ? 0 : 1;
}

static int serve_stores(serve *self) {
  sdb_error error;
  sdb_database *database;
  if (!read_stores(self) || !read_keys(self)) return 2;
  raise_descriptors();
  sdb_status status = sdb_database_open(&self->options, &database, &error);
  if (status != SDB_OK) {
    fprintf(stderr, "syncdb serve: %s\n", error.message);
    bool usage = status == SDB_INVALID_ARGUMENT || status == SDB_BAD_DEFINITION ||
                 status == SDB_LIMIT; /* of pages */
    return usage ? 2 : 1;
  }
  int code = listen_and_run(self, database);
  sdb_database_close(database);
  return code;
}

static void release(serve *self) {
  sdb_cli_stores_free(&self->stores);
  free(self->secret);
  free(self->public_key);
}

int sdb_serve_run(int argc, char **argv) {
  serve self = {.options = SDB_DATABASE_OPTIONS_INIT, .log_level = SDB_LOG_INFO};
  self.options.log = log_line;
  self.options.log_context = &self;
  snprintf(self.host, sizeof(self.host), "127.0.0.1");
  self.port = 8080;
  int code = parse_options(&self, argc, argv);
  if (code < 0) code = serve_stores(&self);
  release(&self);
  return code;
}
