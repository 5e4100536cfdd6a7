/* cli/main.c: finds the command that argv[1] names and runs it. */
#include "commands.h"
#include <stdio.h>
#include <string.h>

static const sdb_command COMMANDS[] = {
    {"serve", sdb_serve_run, "serve stores from a database"},
    {"bench", sdb_bench_run, "measure a server over real sockets"},
    {"check", sdb_check_run, "would a client's change be taken? for stores files and scripts"},
    {"types", sdb_types_run, "TypeScript for the stores of a page"},
    {"tail", sdb_tail_run, "follow a user's stores as a device"},
    {"push", sdb_push_run, "create or replace an object, also without a server"},
    {"remove", sdb_remove_run, "remove an object, also without a server"},
    {"list", sdb_list_run, "the newest objects of a store, also without a server"},
    {"connect", sdb_connect_run, "send lines as messages, print what comes"},
    {"inspect", sdb_inspect_run, "what a database holds, and whether it is whole"},
    {"backup", sdb_backup_run, "copy a database, also while a server runs"},
    {NULL, NULL, NULL},
};

static void print_usage(FILE *to) {
  fprintf(to, "usage: syncdb COMMAND [OPTION...]\n\ncommands:\n");
  for (const sdb_command *command = COMMANDS; command->name; command++)
    fprintf(to, "  %-10s %s\n", command->name, command->summary);
  fprintf(to, "\n`syncdb COMMAND --help` tells a command's options.\n");
}

int main(int argc, char **argv) {
  if (argc < 2) {
    print_usage(stderr);
    return 2;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    print_usage(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("syncdb %s\n", SDB_VERSION);
    return 0;
  }
  for (const sdb_command *command = COMMANDS; command->name; command++) {
    if (strcmp(argv[1], command->name) == 0) return command->run(argc - 1, argv + 1);
  }
  fprintf(stderr, "syncdb: no command '%s'\n", argv[1]);
  print_usage(stderr);
  return 2;
}
