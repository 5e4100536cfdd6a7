/* cli/backup.c: `syncdb backup`: a consistent copy of a database, also while a server runs. */
#include "commands.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <syncdb/admin.h>

enum { COPIED = 0, FAILED = 1, BAD_USAGE = 2 }; /* exit codes */

static const char HELP[] =
    "usage: syncdb backup --db URL FILE\n"
    "\n"
    "Copies a database to FILE: all that was committed when the copy began. A server may be\n"
    "running on it. FILE must not exist; it appears only when the copy is complete and on disk.\n"
    "When a server opens FILE, its devices start over: they may have seen more than it holds.\n"
    "\n"
    "  --db URL  sqlite://PATH\n"
    "  --help    this text\n"
    "\n"
    "Exit status: 0 copied, 1 not, 2 bad usage.\n";

static int bad_usage(const char *what, const char *which) {
  fprintf(stderr, "syncdb backup: %s%s\nTry `syncdb backup --help`.\n", what, which);
  return BAD_USAGE;
}

int sdb_backup_run(int argc, char **argv) {
  enum { DB = 256, HELP_WANTED };
  static const struct option OPTIONS[] = {{"db", required_argument, NULL, DB},
      {"help", no_argument, NULL, HELP_WANTED}, {NULL, 0, NULL, 0}};
  const char *url = NULL;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
    switch (option) {
    case DB:
      url = optarg;
      break;
    case HELP_WANTED:
      fputs(HELP, stdout);
      return COPIED;
    default:
      return bad_usage("unknown option, or one without its value: ", argv[optind - 1]);
    }
  }
  if (!url) return bad_usage("which database? --db URL", "");
  if (optind + 1 != argc) return bad_usage(optind == argc ? "no FILE" : "more than one FILE", "");
  sdb_error error;
  sdb_status status = sdb_database_backup(url, argv[optind], &error);
  if (status == SDB_OK) return COPIED;
  if (status == SDB_INVALID_ARGUMENT) return bad_usage(error.message, "");
  fprintf(stderr, "syncdb backup: %s\n", error.message);
  return FAILED;
}
