/* cli/bench_storage.c: the storage alone: runs storage_bench, which lies beside the command, and
 * shows what it prints.
 */
#include "bench.h"
#include <unistd.h>

#define OUTPUT_BYTES_MAX (64 * 1024)

bool sdb_bench_storage(sdb_bench *bench) {
  static char output[OUTPUT_BYTES_MAX];
  char program[SDB_BENCH_PATH_SIZE + 32];
  snprintf(program, sizeof(program), "%s/storage_bench", bench->programs);
  if (access(program, X_OK) != 0) {
    fprintf(stderr, "storage: left out, it needs %s\n", program);
    return true;
  }
  fprintf(stderr, "storage\n");
  const char *const arguments[] = {program, NULL};
  if (!sdb_bench_program_output(bench, arguments, output, sizeof(output))) return false;
  printf("\nstorage\n%s", output);
  return true;
}
