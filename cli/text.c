/* cli/text.c: see text.h. */
#include "text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536

char *sdb_cli_read_all(FILE *from, size_t size_max, size_t *size) {
  char *data = NULL;
  size_t used = 0, capacity = 0;
  do {
    if (capacity - used < CHUNK_BYTES) {
      capacity = 2 * capacity + CHUNK_BYTES;
      char *grown = realloc(data, capacity);
      if (!grown) {
        free(data);
        return NULL;
      }
      data = grown;
    }
    size_t room = size_max - used < CHUNK_BYTES ? size_max - used : CHUNK_BYTES;
    size_t got = fread(data + used, 1, room, from);
    used += got;
    if (got < room) break;
  } while (used < size_max);
  if (ferror(from)) {
    int error = errno;
    free(data);
    errno = error;
    return NULL;
  }
  *size = used;
  return data;
}

char *sdb_cli_read_file(const char *path, size_t size_max, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  char *data = sdb_cli_read_all(file, size_max, size);
  int error = errno;
  (void)fclose(file); /* it was only read */
  errno = error;
  return data;
}

void sdb_cli_write_json_string(FILE *to, sdb_slice text) {
  putc('"', to);
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c == '"' || c == '\\')
      fprintf(to, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      fprintf(to, "\\u%04x", (unsigned)c);
    else
      putc(c, to);
  }
  putc('"', to);
}
