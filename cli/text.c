/* cli/text.c: see text.h. */
#include "text.h"
#include <errno.h>
#include <stdbool.h>
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

/* U+0080 to U+009F, whose second byte is the character. */
static bool is_c1(const unsigned char *at, size_t left) {
  return left >= 2 && at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
}

void sdb_cli_write_json_string(FILE *to, sdb_slice text) {
  const unsigned char *data = (const unsigned char *)text.data;
  putc('"', to);
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = data[i];
    if (c == '"' || c == '\\')
      fprintf(to, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      fprintf(to, "\\u%04x", (unsigned)c);
    else if (is_c1(data + i, text.size - i))
      fprintf(to, "\\u%04x", (unsigned)data[++i]);
    else
      putc(c, to);
  }
  putc('"', to);
}

/* Outside of strings there are no such characters but white space, inside there is no white space
 * but blanks: there is no need to know which is which. */
void sdb_cli_write_json_text(FILE *to, sdb_slice json) {
  const unsigned char *data = (const unsigned char *)json.data;
  for (size_t i = 0; i < json.size; i++) {
    unsigned char c = data[i];
    if (c < 0x20)
      putc(' ', to);
    else if (c == 0x7f)
      fputs("\\u007f", to);
    else if (is_c1(data + i, json.size - i))
      fprintf(to, "\\u%04x", (unsigned)data[++i]);
    else
      putc(c, to);
  }
}

void sdb_cli_write_error(FILE *to, const sdb_error *error) {
  char message[SDB_ERROR_MESSAGE_SIZE + 32];
  if (error->status == SDB_BAD_JSON)
    snprintf(message, sizeof(message), "%s, at byte %zu", error->message, error->offset);
  else
    snprintf(message, sizeof(message), "%s", error->message);
  fputs("{\"code\":", to);
  sdb_cli_write_json_string(to, sdb_slice_of(sdb_status_name(error->status)));
  fputs(",\"message\":", to);
  sdb_cli_write_json_string(to, sdb_slice_of(message));
  fputs(",\"path\":", to);
  sdb_cli_write_json_string(to, sdb_slice_of(error->path));
  fputs("}", to);
}
