/* cli/device.c: see device.h.
 *
 * Signals are blocked in all threads, but for the moments in which ppoll waits: so none is lost
 * between looking whether one came and waiting.
 */
#include "device.h"
#include "device_file.h"
#include "terminal.h"
#include "text.h"
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_BYTES_MAX (16 * 1024)
#define BUSY_WAIT_MS 5000 /* for another command with the same local file */
#define BUSY_AGAIN_MS 20

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

bool sdb_cli_device_interrupted(void) {
  return interrupted != 0;
}

int64_t sdb_cli_device_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sdb_cli_device_complain(const char *command, const char *why) {
  sdb_cli_text harmless = {NULL, 0, 0};
  (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth */
  sdb_cli_text_foreign(&harmless, sdb_slice_of(why));
  fprintf(
      stderr, "syncdb %s: %.*s\n", command, (int)harmless.size, harmless.data ? harmless.data : "");
  sdb_cli_text_free(&harmless);
}

/* ---- the command line ---- */

int sdb_cli_device_bad_usage(const sdb_cli_device *device, const char *what, const char *which) {
  fprintf(stderr, "syncdb %s: %s%s\nTry `syncdb %s --help`.\n", device->command, what, which,
      device->command);
  return SDB_CLI_DEVICE_BAD_USAGE;
}

bool sdb_cli_device_number(const char *text, uint32_t max, uint32_t *number) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || !(text[0] >= '0' && text[0] <= '9') || *end || value > max) return false;
  *number = (uint32_t)value;
  return true;
}

bool sdb_cli_device_id(const char *text, sdb_uuid *id) {
  return sdb_uuid_parse(sdb_slice_of(text), id) && !sdb_uuid_is_nil(*id);
}

static bool take_option(sdb_cli_device *device, int option, const char *value) {
  switch (option) {
  case SDB_CLI_DEVICE_URL:
    device->url_given = value;
    return true;
  case SDB_CLI_DEVICE_STORES:
    device->stores_file = value;
    return true;
  case SDB_CLI_DEVICE_USER:
    device->user_given = value;
    return true;
  case SDB_CLI_DEVICE_LOCAL:
    device->local = value;
    return true;
  case SDB_CLI_DEVICE_MEMORY:
    device->memory = true;
    return true;
  case SDB_CLI_DEVICE_TOKEN:
    device->token_given = value;
    return true;
  case SDB_CLI_DEVICE_TOKEN_FILE:
    device->token_file = value;
    return true;
  case SDB_CLI_DEVICE_TLS_CA:
    device->tls_ca = value;
    return true;
  case SDB_CLI_DEVICE_INSECURE:
    device->insecure = true;
    return true;
  case SDB_CLI_DEVICE_OFFLINE:
    device->offline = true;
    return true;
  default:
    return false;
  }
}

static int check_options(const sdb_cli_device *device) {
  if (!device->url_given)
    return sdb_cli_device_bad_usage(device, "which server? No URL is given", "");
  if (!device->stores_file) return sdb_cli_device_bad_usage(device, "--stores is missing", "");
  if (device->token_given && device->token_file)
    return sdb_cli_device_bad_usage(device, "--token and --token-file exclude each other", "");
  if (device->local && device->memory)
    return sdb_cli_device_bad_usage(device, "--local and --memory exclude each other", "");
  return -1;
}

int sdb_cli_device_parse(sdb_cli_device *device, int argc, char **argv,
    const struct option *options, const char *help,
    bool (*own)(void *context, int option, const char *value), void *context, int *at) {
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
    if (option == SDB_CLI_DEVICE_HELP) {
      fputs(help, stdout);
      return SDB_CLI_DEVICE_DONE;
    }
    if (option == ':')
      return sdb_cli_device_bad_usage(device, "a value is missing behind ", argv[optind - 1]);
    if (option == '?') return sdb_cli_device_bad_usage(device, "unknown option ", argv[optind - 1]);
    if (!take_option(device, option, optarg) && !own(context, option, optarg))
      return sdb_cli_device_bad_usage(
          device, "no good value: ", optarg ? optarg : argv[optind - 1]);
  }
  *at = optind;
  if (!device->url_given && optind < argc && strstr(argv[optind], "://"))
    device->url_given = argv[(*at)++];
  int code = check_options(device);
  if (code >= 0) return code;
  if (!sdb_cli_stores_load(device->command, device->stores_file, &device->stores))
    return SDB_CLI_DEVICE_BAD_USAGE;
  if (device->stores.count > 0) return -1;
  return sdb_cli_device_bad_usage(device, "no store is defined in ", device->stores_file);
}

/* ---- the token ---- */

/* As the library asks for it: it stands in a header. */
static bool is_token(const char *text, size_t size) {
  if (size == 0 || size > TOKEN_BYTES_MAX) return false;
  for (size_t i = 0; i < size; i++) {
    if (text[i] <= ' ' || text[i] > '~') return false;
  }
  return true;
}

static int refuse_token(const sdb_cli_device *device, const char *from) {
  fprintf(stderr,
      "syncdb %s: %s holds no token: one is 1 to %d printable ASCII characters without blanks\n",
      device->command, from, TOKEN_BYTES_MAX);
  return SDB_CLI_DEVICE_BAD_USAGE;
}

static size_t first_line(const char *text, size_t size) {
  size_t end = 0;
  while (end < size && text[end] != '\r' && text[end] != '\n')
    end++;
  return end;
}

static bool read_token(sdb_cli_device *device) {
  size_t size;
  char *text = sdb_cli_read_file(device->token_file, TOKEN_BYTES_MAX + 1, &size);
  if (text) size = first_line(text, size);
  bool good = text && is_token(text, size);
  char *token = good ? strndup(text, size) : NULL;
  if (token) {
    free(device->token);
    device->token = token;
  } else if (text && !good) {
    (void)refuse_token(device, device->token_file);
  } else {
    fprintf(stderr, "syncdb %s: cannot read the token from %s: %s\n", device->command,
        device->token_file, strerror(errno));
  }
  free(text);
  return token != NULL;
}

/* On the client's thread, the only one that sees `token` once the client is open. A token that was
 * refused is not shown again: that one in the file may be another by now. */
static void give_token(void *context, sdb_client *client, bool refused) {
  sdb_cli_device *device = context;
  if (!device->token_file) {
    if (!refused && device->token_given)
      (void)!sdb_client_set_token(client, sdb_slice_of(device->token_given), 0);
    return;
  }
  char *before = device->token ? strdup(device->token) : NULL;
  bool again = read_token(device) && (!refused || !before || strcmp(before, device->token) != 0);
  free(before);
  if (again) (void)!sdb_client_set_token(client, sdb_slice_of(device->token), 0);
}

/* ---- opening ---- */

static void on_status(void *context, sdb_client *client, const sdb_client_status *status) {
  (void)client;
  sdb_cli_device *device = context;
  device->status = *status;
  device->status_changed = true;
}

static void catch_signals(sdb_cli_device *device) {
  sigset_t caught;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&caught);
  sigaddset(&caught, SIGINT);
  sigaddset(&caught, SIGTERM);
  sigprocmask(SIG_BLOCK, &caught, &device->signals_before);
  device->catches_signals = true;
}

static int explain_open(const sdb_cli_device *device, sdb_status status, const sdb_error *error) {
  if (device->busy && device->yields) return SDB_CLI_DEVICE_REFUSED;
  sdb_cli_device_complain(device->command, error->message);
  if (status == SDB_BUSY)
    fprintf(stderr, "Another syncdb works with %s: end it, or give another file with --local.\n",
        device->path);
  if (status == SDB_CONFLICT)
    fprintf(stderr, "Give a file of its own with --local; %s is in use.\n", device->path);
  return status == SDB_INVALID_ARGUMENT || status == SDB_BAD_DEFINITION ? SDB_CLI_DEVICE_BAD_USAGE
                                                                        : SDB_CLI_DEVICE_REFUSED;
}

/* Commands work with a file for moments only, but for `tail --keep`. */
static sdb_status open_when_free(
    sdb_cli_device *device, const sdb_client_options *options, sdb_error *error) {
  const struct timespec pause = {0, BUSY_AGAIN_MS * 1000000L};
  int64_t end_ms = sdb_cli_device_now_ms() + (device->yields ? 0 : BUSY_WAIT_MS);
  for (;;) {
    sdb_status status = sdb_client_open(options, &device->client, error);
    if (status != SDB_BUSY || interrupted || sdb_cli_device_now_ms() >= end_ms) return status;
    (void)ppoll(NULL, 0, &pause, &device->signals_before);
  }
}

/* It is not connected yet: a problem is one of the file, as that it was damaged and set aside. */
static void say_what_became_of_the_file(const sdb_cli_device *device) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(device->client, &status);
  if (status.problem[0]) sdb_cli_device_complain(device->command, status.problem);
  if (status.storage != SDB_CLIENT_DURABLE)
    fprintf(stderr, "syncdb %s: the local file cannot be used, nothing is kept: %s\n",
        device->command, device->path);
}

static int open_client(sdb_cli_device *device, const sdb_client_window *windows, size_t count) {
  sdb_error error;
  sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
  options.url = device->url;
  options.stores = device->stores.list;
  options.stores_count = device->stores.count;
  options.path = device->path;
  options.user = device->user;
  options.windows = windows;
  options.windows_count = count;
  if (device->token_given || device->token_file) {
    options.token = give_token;
    options.token_context = device;
  }
  options.tls_ca = device->tls_ca;
  options.tls_insecure = device->insecure;
  options.dispatch = true;
  options.start_offline = true;
  options.push_timeout_ms = device->push_timeout_ms;
  options.status = on_status;
  options.status_context = device;
  sdb_status status = open_when_free(device, &options, &error);
  device->busy = status == SDB_BUSY;
  if (status != SDB_OK) return explain_open(device, status, &error);
  if (device->path) say_what_became_of_the_file(device);
  return -1;
}

static int open_windows(sdb_cli_device *device) {
  sdb_client_window *windows = calloc(device->stores.count, sizeof(*windows));
  size_t count = 0;
  for (size_t i = 0; windows && i < device->stores.count; i++) {
    if (sdb_store_type_of(device->stores.list[i]) != SDB_STORE_EVENT) continue;
    windows[count].store = device->stores.list[i];
    windows[count++].events = device->window;
  }
  int code = open_client(device, windows, device->window == UINT32_MAX ? 0 : count);
  free(windows);
  return code;
}

static int prepare(sdb_cli_device *device) {
  const char *why = sdb_cli_device_identify(device->url_given, device->user_given,
      device->token_given || device->token_file, &device->url, &device->user);
  if (why) return sdb_cli_device_bad_usage(device, why, "");
  bool wants_file = device->local || (device->keeps && !device->memory);
  if (wants_file && !device->user)
    return sdb_cli_device_bad_usage(device, "whose data is it? --user NAME", "");
  if (device->local)
    device->path = strdup(device->local);
  else if (wants_file)
    why = sdb_cli_device_default_file(device->url, device->user, &device->path);
  if (!why && wants_file && !device->local) why = sdb_cli_device_make_folder(device->path);
  if (why) {
    fprintf(stderr, "syncdb %s: %s: give the local file with --local\n", device->command, why);
    return SDB_CLI_DEVICE_REFUSED;
  }
  return -1;
}

int sdb_cli_device_open(sdb_cli_device *device) {
  catch_signals(device);
  if (device->token_given && !is_token(device->token_given, strlen(device->token_given)))
    return refuse_token(device, "--token");
  if (device->token_file && !read_token(device)) return SDB_CLI_DEVICE_BAD_USAGE;
  int code = prepare(device);
  return code >= 0 ? code : open_windows(device);
}

sdb_cli_device_kept sdb_cli_device_open_kept(sdb_cli_device *kept, const sdb_cli_device *device) {
  *kept = *device;
  kept->keeps = kept->yields = true;
  kept->memory = kept->busy = kept->catches_signals = kept->status_changed = false;
  kept->url = kept->user = kept->path = kept->token = NULL;
  kept->client = NULL;
  kept->window = UINT32_MAX;
  kept->push_timeout_ms = SDB_CLI_DEVICE_PATIENT_MS;
  const char *why = sdb_cli_device_identify(kept->url_given, kept->user_given,
      kept->token_given || kept->token_file, &kept->url, &kept->user);
  if (!why && kept->user) why = sdb_cli_device_default_file(kept->url, kept->user, &kept->path);
  sdb_cli_device_kept result = SDB_CLI_DEVICE_KEPT_NONE;
  if (!why && kept->path && access(kept->path, F_OK) == 0) {
    bool open = (!kept->token_file || read_token(kept)) && open_windows(kept) < 0;
    result = open         ? SDB_CLI_DEVICE_KEPT_OPEN
             : kept->busy ? SDB_CLI_DEVICE_KEPT_BUSY
                          : SDB_CLI_DEVICE_KEPT_USELESS;
  }
  if (result != SDB_CLI_DEVICE_KEPT_OPEN) sdb_cli_device_close_kept(kept);
  return result;
}

void sdb_cli_device_close_kept(sdb_cli_device *kept) {
  kept->stores = (sdb_cli_stores){NULL}; /* the other device's */
  sdb_cli_device_close(kept);
}

/* From here on Ctrl-C ends the program at once, should closing take long. */
static void release_signals(const sdb_cli_device *device) {
  if (!device->catches_signals) return;
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  sigprocmask(SIG_SETMASK, &device->signals_before, NULL);
}

void sdb_cli_device_close(sdb_cli_device *device) {
  release_signals(device);
  sdb_client_close(device->client);
  sdb_cli_stores_free(&device->stores);
  free(device->url);
  free(device->user);
  free(device->path);
  free(device->token);
}

void sdb_cli_device_go_online(sdb_cli_device *device) {
  if (!device->offline) sdb_client_go_online(device->client);
}

bool sdb_cli_device_is_durable(sdb_cli_device *device) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(device->client, &status);
  return status.storage == SDB_CLIENT_DURABLE;
}

/* ---- the loop ---- */

bool sdb_cli_device_wait(sdb_cli_device *device, int input, int timeout_ms) {
  struct pollfd polled[3] = {
      {.fd = sdb_client_fd(device->client), .events = POLLIN}, {.fd = input, .events = POLLIN},
      {.fd = STDOUT_FILENO, .events = 0}, /* tells when the one who reads it is gone */
  };
  struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
  int ready = ppoll(polled, 3, timeout_ms < 0 ? NULL : &timeout, &device->signals_before);
  if (ready > 0 && polled[2].revents & (POLLERR | POLLHUP)) interrupted = 1;
  if (ready > 0 && polled[0].revents) sdb_client_dispatch(device->client);
  return ready > 0 && polled[1].revents;
}

void sdb_cli_device_say_problem(const sdb_cli_device *device) {
  const char *problem = device->status.problem;
  if (!*problem) problem = device->status.phase == SDB_CLIENT_LIVE ? "no answer" : "not connected";
  sdb_cli_device_complain(device->command, problem);
}
