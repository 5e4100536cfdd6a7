/* cli/check.c: `syncdb check`: would a client's push of this object be taken?
 *
 * The verdict is the library's own (sdb_store_check), so it is the server's. Input is read no
 * further than a little over the largest object that can be taken: what is longer is too large
 * whatever follows.
 */
#include "commands.h"
#include "stores_file.h"
#include "text.h"
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_BYTES_READ (1024 * 1024)

enum { ACCEPTED = 0, REFUSED = 1, FAILED = 2 }; /* exit codes */

static const char HELP[] =
    "usage: syncdb check --stores FILE --store NAME --action ACTION [--lines] [OBJECT_FILE]\n"
    "\n"
    "Checks a JSON object as a client's push would be: against the store's schema and rules.\n"
    "The object is read from OBJECT_FILE, or from standard input.\n"
    "\n"
    "  --stores FILE    the stores file, as `syncdb serve` reads it\n"
    "  --store NAME     which store, by either of its names (chat_message, chatMessage)\n"
    "  --action ACTION  create, update or delete\n"
    "  --lines          one object a line; a verdict a line: `ok`, or the refusal\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 accepted (with --lines: all of them), 1 refused, with\n"
    "{\"code\":...,\"message\":...,\"path\":...} on standard output, 2 bad usage, or a stores "
    "file\n"
    "that is not valid.\n";

typedef struct check_arguments {
  const char *stores, *store, *action, *object;
  bool lines;
} check_arguments;

static int bad_usage(const char *what, const char *which) {
  fprintf(stderr, "syncdb check: %s%s\nTry `syncdb check --help`.\n", what, which);
  return FAILED;
}

/* ---- verdicts ---- */

static int check_one(const sdb_store *store, sdb_action action, sdb_slice object, bool lines) {
  sdb_error error;
  sdb_status status = sdb_store_check(store, action, object, &error);
  if (status == SDB_NO_MEMORY) {
    fprintf(stderr, "syncdb check: out of memory\n");
    return FAILED;
  }
  if (status != SDB_OK) {
    sdb_cli_write_error(stdout, &error);
    fputc('\n', stdout);
  } else if (lines) {
    fputs("ok\n", stdout);
  }
  return status == SDB_OK ? ACCEPTED : REFUSED;
}

static int check_whole(FILE *from, const sdb_store *store, sdb_action action) {
  size_t size;
  char *text = sdb_cli_read_all(from, OBJECT_BYTES_READ, &size);
  if (!text) {
    fprintf(stderr, "syncdb check: cannot read the object: %s\n", strerror(errno));
    return FAILED;
  }
  int result = check_one(store, action, sdb_slice_make(text, size), false);
  free(text);
  return result;
}

/* Reads a line to `line`, keeping its first OBJECT_BYTES_READ bytes. False: there is none. */
static bool read_line(FILE *from, char *line, size_t *size) {
  int c;
  *size = 0;
  while ((c = getc_unlocked(from)) != EOF && c != '\n') {
    if (*size < OBJECT_BYTES_READ) line[(*size)++] = (char)c;
  }
  return c != EOF || *size > 0;
}

static int check_lines(FILE *from, const sdb_store *store, sdb_action action) {
  char *line = malloc(OBJECT_BYTES_READ);
  if (!line) {
    fprintf(stderr, "syncdb check: out of memory\n");
    return FAILED;
  }
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* whoever writes lines may wait for verdicts */
  int result = ACCEPTED;
  size_t size;
  while (result != FAILED && read_line(from, line, &size)) {
    int one = check_one(store, action, sdb_slice_make(line, size), true);
    if (one > result) result = one;
  }
  if (ferror(from)) {
    fprintf(stderr, "syncdb check: cannot read the objects: %s\n", strerror(errno));
    result = FAILED;
  }
  free(line);
  return result;
}

/* ---- the command line ---- */

static bool parse_action(const char *text, sdb_action *action) {
  static const char *const NAMES[] = {"create", "update", "delete"};
  for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
    if (strcmp(text, NAMES[i]) != 0) continue;
    *action = (sdb_action)(SDB_ACTION_CREATE + i);
    return true;
  }
  return false;
}

/* 0 to go on, 1 when all is done, 2 for bad usage. */
static int parse_arguments(int argc, char **argv, check_arguments *arguments) {
  static const struct option OPTIONS[] = {{"stores", required_argument, NULL, 's'},
      {"store", required_argument, NULL, 'n'}, {"action", required_argument, NULL, 'a'},
      {"lines", no_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1;) {
    switch (option) {
    case 's':
      arguments->stores = optarg;
      break;
    case 'n':
      arguments->store = optarg;
      break;
    case 'a':
      arguments->action = optarg;
      break;
    case 'l':
      arguments->lines = true;
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
  if (!arguments->stores) return bad_usage("--stores is missing", "");
  if (!arguments->store) return bad_usage("--store is missing", "");
  if (!arguments->action) return bad_usage("--action is missing", "");
  if (optind + 1 < argc) return bad_usage("more than one object file: ", argv[optind + 1]);
  arguments->object = argv[optind];
  return 0;
}

static int check_input(
    const check_arguments *arguments, const sdb_store *store, sdb_action action) {
  FILE *from = arguments->object ? fopen(arguments->object, "rb") : stdin;
  if (!from) {
    fprintf(stderr, "syncdb check: cannot read %s: %s\n", arguments->object, strerror(errno));
    return FAILED;
  }
  int result =
      arguments->lines ? check_lines(from, store, action) : check_whole(from, store, action);
  if (from != stdin) (void)fclose(from); /* it was only read */
  if (fflush(stdout) != 0) {
    fprintf(stderr, "syncdb check: cannot write the verdict: %s\n", strerror(errno));
    result = FAILED;
  }
  return result;
}

int sdb_check_run(int argc, char **argv) {
  check_arguments arguments = {.stores = NULL};
  int status = parse_arguments(argc, argv, &arguments);
  if (status != 0) return status == 1 ? 0 : FAILED;
  sdb_action action;
  if (!parse_action(arguments.action, &action))
    return bad_usage("--action is create, update or delete, not ", arguments.action);
  sdb_cli_stores stores = {NULL};
  int result = FAILED;
  if (sdb_cli_stores_load("check", arguments.stores, &stores)) {
    const sdb_store *store = sdb_cli_stores_find("check", &stores, arguments.store);
    if (store) result = check_input(&arguments, store, action);
  }
  sdb_cli_stores_free(&stores);
  return result;
}
