/* cli/device.h: what `tail`, `push`, `remove` and `list` have in common: each is a user's device.
 *
 * Options, the local file and its default, the token, and a loop that waits for the device, for the
 * input and for Ctrl-C at once. Watches and the status are called inside sdb_cli_device_wait only,
 * on the command's one thread.
 */
#ifndef SDB_CLI_DEVICE_H
#define SDB_CLI_DEVICE_H

#include "stores_file.h"
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/client.h>

/* Beyond those of commands.h: what was pushed is kept in the local file and not delivered yet. */
enum {
  SDB_CLI_DEVICE_DONE = 0,
  SDB_CLI_DEVICE_REFUSED = 1,
  SDB_CLI_DEVICE_BAD_USAGE = 2,
  SDB_CLI_DEVICE_KEPT = 3
};

typedef struct sdb_cli_device {
  const char *command;
  bool keeps;  /* there is a local file where no option says so */
  bool yields; /* a local file that another works with is left to them, without a word */
  bool busy;   /* another worked with it when it was to be opened */
  /* the command line */
  const char *url_given, *user_given, *local, *stores_file, *tls_ca;
  const char *token_given, *token_file;
  bool insecure, offline, memory;
  uint32_t window;          /* of every event store; UINT32_MAX: everything */
  uint32_t push_timeout_ms; /* after which a push without an answer has failed; 0: the default */
  /* what is opened */
  sdb_cli_stores stores;
  char *url, *user, *path, *token;
  sdb_client *client;
  sigset_t signals_before;
  bool catches_signals;
  sdb_client_status status; /* as it was told last; phase 0: not yet */
  bool status_changed;      /* the command's to reset */
} sdb_cli_device;

/* The rows of a command's own table of options, behind its own. */
enum {
  SDB_CLI_DEVICE_URL = 1000,
  SDB_CLI_DEVICE_STORES,
  SDB_CLI_DEVICE_USER,
  SDB_CLI_DEVICE_LOCAL,
  SDB_CLI_DEVICE_MEMORY,
  SDB_CLI_DEVICE_TOKEN,
  SDB_CLI_DEVICE_TOKEN_FILE,
  SDB_CLI_DEVICE_TLS_CA,
  SDB_CLI_DEVICE_INSECURE,
  SDB_CLI_DEVICE_OFFLINE,
  SDB_CLI_DEVICE_HELP
};

/* For those who wait for their pushes themselves: one without an answer is kept, not failed. */
#define SDB_CLI_DEVICE_PATIENT_MS (25 * 60 * 60 * 1000U)

#define SDB_CLI_DEVICE_OPTION_ROWS                                                                 \
  {"url", required_argument, NULL, SDB_CLI_DEVICE_URL},                                            \
      {"stores", required_argument, NULL, SDB_CLI_DEVICE_STORES},                                  \
      {"user", required_argument, NULL, SDB_CLI_DEVICE_USER},                                      \
      {"local", required_argument, NULL, SDB_CLI_DEVICE_LOCAL},                                    \
      {"memory", no_argument, NULL, SDB_CLI_DEVICE_MEMORY},                                        \
      {"token", required_argument, NULL, SDB_CLI_DEVICE_TOKEN},                                    \
      {"token-file", required_argument, NULL, SDB_CLI_DEVICE_TOKEN_FILE},                          \
      {"tls-ca", required_argument, NULL, SDB_CLI_DEVICE_TLS_CA},                                  \
      {"insecure", no_argument, NULL, SDB_CLI_DEVICE_INSECURE},                                    \
      {"offline", no_argument, NULL, SDB_CLI_DEVICE_OFFLINE},                                      \
      {"help", no_argument, NULL, SDB_CLI_DEVICE_HELP}, {                                          \
    NULL, 0, NULL, 0                                                                               \
  }

#define SDB_CLI_DEVICE_OPTION_HELP                                                                 \
  "  --url URL         the server, where it is not the first argument: ws:// or wss://\n"          \
  "  --stores FILE     the stores, as `syncdb serve` reads them\n"                                 \
  "  --user NAME       whose data it is. Without a token the server is told so with ?user=NAME,\n" \
  "                    which it believes under --dev-auth only\n"                                  \
  "  --token T         show T to the server, as `Authorization: Bearer T`\n"                       \
  "  --token-file FILE the same, from a file, which is read again when the server wants another\n" \
  "  --tls-ca FILE     with wss://, trust these certificates and no others (PEM)\n"                \
  "  --insecure        with wss://, take any certificate\n"

#define SDB_CLI_DEVICE_LOCAL_HELP                                                                  \
  "  --local FILE      the local file: what the device holds, and pushes until they arrive.\n"     \
  "                    Default: USER@HOST.sqlite in $XDG_STATE_HOME/syncdb, or else in\n"          \
  "                    ~/.local/state/syncdb, a folder that only you may enter\n"                  \
  "  --memory          no local file\n"                                                            \
  "  --offline         do not connect\n"

/* Reads the command line, and the stores file: `own` takes the command's own options and gives
 * false where the value is no good. -1: go on with argv[*at], the first argument behind the URL;
 * else the exit code, and it was said why. Either way sdb_cli_device_close is called later. */
int sdb_cli_device_parse(sdb_cli_device *device, int argc, char **argv,
    const struct option *options, const char *help,
    bool (*own)(void *context, int option, const char *value), void *context, int *at);

/* Says on standard error why `command` does not go on; others may have written that. */
void sdb_cli_device_complain(const char *command, const char *why);

/* Says on standard error what is wrong; the exit code for it. */
int sdb_cli_device_bad_usage(const sdb_cli_device *device, const char *what, const char *which);

/* A whole number of at most `max`. False: it is none. */
bool sdb_cli_device_number(const char *text, uint32_t max, uint32_t *number);
/* An id as it is printed. False: it is none. */
bool sdb_cli_device_id(const char *text, sdb_uuid *id);

/* Opens the client, which does not connect yet. -1: go on; else the exit code, and it was said
 * why. */
int sdb_cli_device_open(sdb_cli_device *device);
void sdb_cli_device_close(sdb_cli_device *device);

typedef enum sdb_cli_device_kept {
  SDB_CLI_DEVICE_KEPT_OPEN,
  SDB_CLI_DEVICE_KEPT_NONE,   /* there is no such file, or nobody says whose it would be */
  SDB_CLI_DEVICE_KEPT_BUSY,   /* another works with it */
  SDB_CLI_DEVICE_KEPT_USELESS /* it cannot be opened; it was said why */
} sdb_cli_device_kept;

/* Beside `device`, which has no local file: another of the same user, on the default one, not
 * connected yet. Where it is open, sdb_cli_device_close_kept ends it before `device` is closed. */
sdb_cli_device_kept sdb_cli_device_open_kept(sdb_cli_device *kept, const sdb_cli_device *device);
void sdb_cli_device_close_kept(sdb_cli_device *kept);

/* Connects, unless --offline says not to. */
void sdb_cli_device_go_online(sdb_cli_device *device);

/* Waits for the device, for `input` (a descriptor, or -1), for Ctrl-C, or so long (-1: without
 * end), and calls the watches and the status. True: `input` can be read. */
bool sdb_cli_device_wait(sdb_cli_device *device, int input, int timeout_ms);

/* Whether Ctrl-C or SIGTERM came, or nobody reads the output any more. */
bool sdb_cli_device_interrupted(void);

/* Whether what is pushed stays when the command ends. */
bool sdb_cli_device_is_durable(sdb_cli_device *device);

/* Milliseconds of a clock that never steps back. */
int64_t sdb_cli_device_now_ms(void);

/* Says on standard error why it does not go on. */
void sdb_cli_device_say_problem(const sdb_cli_device *device);

#endif
