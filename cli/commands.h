/* cli/commands.h: the commands of `syncdb`. One file a command, public headers only.
 *
 * A command gets its own name as argv[0], prints results on stdout and everything else on stderr,
 * and gives the exit code: 0 success, 1 the answer is no, 2 bad usage or bad input. Those that are
 * a device have one more, 3: not now, the server is out of reach (device.h).
 */
#ifndef SDB_CLI_COMMANDS_H
#define SDB_CLI_COMMANDS_H

typedef struct sdb_command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary;
} sdb_command;

int sdb_serve_run(int argc, char **argv);
int sdb_bench_run(int argc, char **argv);
int sdb_check_run(int argc, char **argv);
int sdb_types_run(int argc, char **argv);
int sdb_connect_run(int argc, char **argv);
int sdb_inspect_run(int argc, char **argv);
int sdb_backup_run(int argc, char **argv);
int sdb_tail_run(int argc, char **argv);
int sdb_push_run(int argc, char **argv);
int sdb_remove_run(int argc, char **argv);
int sdb_list_run(int argc, char **argv);

#endif
