/* test/client_child.h: what client_child.c and who kills it have in common: an object's content,
 * "TAG:VERSION".
 */
#ifndef SDB_TEST_CLIENT_CHILD_H
#define SDB_TEST_CLIENT_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/slice.h>

#define CHILD_TAG_SIZE 32

/* Reads "TAG:VERSION"; gives what stands behind it, or NULL: that is not there. */
static inline const char *child_read(
    const char *text, char tag[CHILD_TAG_SIZE], unsigned *version) {
  const char *colon = strchr(text, ':');
  *version = 0;
  if (!colon || colon == text || colon - text >= CHILD_TAG_SIZE) return NULL;
  memcpy(tag, text, (size_t)(colon - text));
  tag[colon - text] = 0;
  char *end;
  *version = (unsigned)strtoul(colon + 1, &end, 10);
  return end > colon + 1 ? end : NULL;
}

/* The same of an object's text. False: it is no object of ours. */
static inline bool child_read_object(
    sdb_slice object, char tag[CHILD_TAG_SIZE], unsigned *version) {
  static const char NAME[] = "\"content\":\"";
  char content[64];
  if (object.size == 0) return false;
  const char *at = memmem(object.data, object.size, NAME, sizeof(NAME) - 1);
  if (!at) return false;
  at += sizeof(NAME) - 1;
  snprintf(content, sizeof(content), "%.*s", (int)(object.data + object.size - at), at);
  return child_read(content, tag, version) != NULL;
}

#endif
