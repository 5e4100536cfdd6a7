/* cli/inspect.c: `syncdb inspect`: what a database holds, and whether it is whole. */
#include "commands.h"
#include "text.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syncdb/admin.h>

enum { WHOLE = 0, NOT_WHOLE = 1, BAD_USAGE = 2 }; /* exit codes */

static const char HELP[] =
    "usage: syncdb inspect --db URL [--quick] [--json]\n"
    "\n"
    "Prints what a database holds: users, objects and removes of each store, sizes, the version\n"
    "of the file's format, and the result of an integrity check. A server may be running on it.\n"
    "\n"
    "  --db URL  sqlite://PATH; it must exist\n"
    "  --quick   no integrity check, which takes longest\n"
    "  --json    one JSON object instead of a table\n"
    "  --help    this text\n"
    "\n"
    "Exit status: 0 it is whole (or was not checked), 1 it is damaged or cannot be read, 2 bad\n"
    "usage.\n";

typedef struct inspect_arguments {
  const char *url;
  bool quick, json;
} inspect_arguments;

static int bad_usage(const char *what, const char *which) {
  fprintf(stderr, "syncdb inspect: %s%s\nTry `syncdb inspect --help`.\n", what, which);
  return BAD_USAGE;
}

/* -1: go on. Otherwise the exit code. */
static int parse(int argc, char **argv, inspect_arguments *arguments) {
  enum { DB = 256, QUICK, JSON, HELP_WANTED };
  static const struct option OPTIONS[] = {{"db", required_argument, NULL, DB},
      {"quick", no_argument, NULL, QUICK}, {"json", no_argument, NULL, JSON},
      {"help", no_argument, NULL, HELP_WANTED}, {NULL, 0, NULL, 0}};
  memset(arguments, 0, sizeof(*arguments));
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
    switch (option) {
    case DB:
      arguments->url = optarg;
      break;
    case QUICK:
      arguments->quick = true;
      break;
    case JSON:
      arguments->json = true;
      break;
    case HELP_WANTED:
      fputs(HELP, stdout);
      return WHOLE;
    default:
      return bad_usage("unknown option, or one without its value: ", argv[optind - 1]);
    }
  }
  if (optind != argc) return bad_usage("no argument is expected: ", argv[optind]);
  if (!arguments->url) return bad_usage("which database? --db URL", "");
  return -1;
}

static const char *type_name(sdb_store_type type) {
  return type == SDB_STORE_SINGULAR ? "singular" : "event";
}

static const char *integrity(const sdb_inspection *found) {
  if (!found->checked) return "not checked";
  return found->intact ? "ok" : found->problem;
}

static void print_size(const char *label, uint64_t bytes) {
  printf("%-10s %" PRIu64 " bytes (%.1f MiB)\n", label, bytes, (double)bytes / (1024 * 1024));
}

static void print_id(const char *label, sdb_uuid id) {
  char text[SDB_UUID_TEXT_SIZE];
  sdb_uuid_format(id, text);
  if (sdb_uuid_is_nil(id)) /* the epoch of a backup */
    printf("%-10s none yet: the server that opens this backup gives it one\n", label);
  else
    printf("%-10s %.*s\n", label, SDB_UUID_TEXT_SIZE, text);
}

static void print_table(const sdb_inspection *found) {
  print_id("database", found->database);
  print_id("epoch", found->epoch);
  printf("format     %" PRId64 "\n", found->format);
  print_size("file", found->file_bytes);
  print_size("wal", found->wal_bytes);
  printf("users      %" PRIu64 "\n", found->users);
  printf("integrity  %s\n\n", integrity(found));
  printf("%-32s %-8s %12s %12s %16s\n", "store", "type", "objects", "removes", "bytes");
  for (size_t i = 0; i < found->stores_count; i++) {
    const sdb_store_inspection *store = &found->stores[i];
    printf("%-32s %-8s %12" PRIu64 " %12" PRIu64 " %16" PRIu64 "\n", store->name,
        type_name(store->type), store->objects, store->removes, store->bytes);
  }
  printf("%-32s %-8s %12" PRIu64 " %12" PRIu64 " %16" PRIu64 "\n", "all", "", found->objects,
      found->removes, found->bytes);
}

static void print_json_id(const char *name, sdb_uuid id) {
  char text[SDB_UUID_TEXT_SIZE];
  sdb_uuid_format(id, text);
  if (sdb_uuid_is_nil(id))
    printf("\"%s\":null,", name);
  else
    printf("\"%s\":\"%.*s\",", name, SDB_UUID_TEXT_SIZE, text);
}

static void print_json(const sdb_inspection *found) {
  printf("{");
  print_json_id("database", found->database);
  print_json_id("epoch", found->epoch);
  printf("\"format\":%" PRId64 ",\"fileBytes\":%" PRIu64 ",\"walBytes\":%" PRIu64
         ",\"users\":%" PRIu64 ",\"objects\":%" PRIu64 ",\"removes\":%" PRIu64 ",\"bytes\":%" PRIu64
         ",\"checked\":%s,\"intact\":%s,\"problem\":",
      found->format, found->file_bytes, found->wal_bytes, found->users, found->objects,
      found->removes, found->bytes, found->checked ? "true" : "false",
      found->intact ? "true" : "false");
  sdb_cli_write_json_string(stdout, sdb_slice_of(found->problem));
  printf(",\"stores\":[");
  for (size_t i = 0; i < found->stores_count; i++) {
    const sdb_store_inspection *store = &found->stores[i];
    printf("%s{\"name\":", i ? "," : "");
    sdb_cli_write_json_string(stdout, sdb_slice_of(store->name));
    printf(",\"type\":\"%s\",\"objects\":%" PRIu64 ",\"removes\":%" PRIu64 ",\"bytes\":%" PRIu64
           "}",
        type_name(store->type), store->objects, store->removes, store->bytes);
  }
  printf("]}\n");
}

int sdb_inspect_run(int argc, char **argv) {
  inspect_arguments arguments;
  int code = parse(argc, argv, &arguments);
  if (code >= 0) return code;
  sdb_inspection found;
  sdb_error error;
  sdb_status status = sdb_database_inspect(
      arguments.url, arguments.quick ? SDB_INSPECT_COUNTS : SDB_INSPECT_INTEGRITY, &found, &error);
  if (status == SDB_INVALID_ARGUMENT) return bad_usage(error.message, "");
  if (status != SDB_OK) {
    fprintf(stderr, "syncdb inspect: %s\n", error.message);
    return NOT_WHOLE;
  }
  (arguments.json ? print_json : print_table)(&found);
  code = found.checked && !found.intact ? NOT_WHOLE : WHOLE;
  sdb_inspection_free(&found);
  return code;
}
