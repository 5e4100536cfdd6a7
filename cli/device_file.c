/* cli/device_file.c: see device_file.h.
 *
 * The file is USER@HOST.sqlite, or USER@HOST:PORT.sqlite, its user and host percent-encoded so that
 * no two users share one, and nobody's name leads out of the folder. The library looks once more,
 * inside the file, whose it is.
 */
#include "device_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USER_BYTES_MAX 255
#define NAME_BYTES_MAX 200 /* of 255, for what SQLite puts behind it */

static const char NO_MEMORY[] = "out of memory";

static bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c && strchr("-._~", c));
}

/* Encodes all but letters, digits, `-._~` and what is in `also`. The caller's to free; NULL: no
 * memory. */
static char *percent_encode(const char *text, size_t size, const char *also) {
  static const char DIGITS[] = "0123456789ABCDEF";
  char *encoded = malloc(3 * size + 1), *at = encoded;
  for (size_t i = 0; encoded && i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (is_unreserved(text[i]) || strchr(also, text[i])) {
      *at++ = text[i];
      continue;
    }
    *at++ = '%';
    *at++ = DIGITS[c >> 4];
    *at++ = DIGITS[c & 15];
  }
  if (encoded) *at = 0;
  return encoded;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
  return -1;
}

static char *percent_decode(const char *text, size_t size) {
  char *decoded = malloc(size + 1), *at = decoded;
  for (size_t i = 0; decoded && i < size; i++) {
    if (text[i] == '%' && i + 2 < size && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      *at++ = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
      i += 2;
    } else {
      *at++ = text[i] == '+' ? ' ' : text[i];
    }
  }
  if (decoded) *at = 0;
  return decoded;
}

/* The value behind `name` ("user=") in the URL's query, as it stands there; NULL: there is none. */
static const char *find_query(const char *url, const char *name, size_t *size) {
  for (const char *at = strchr(url, '?'); at; at = strchr(at, '&')) {
    at++;
    if (strncmp(at, name, strlen(name)) != 0) continue;
    at += strlen(name);
    *size = strcspn(at, "&#");
    return at;
  }
  return NULL;
}

/* URL?user=NAME; NULL: no memory. */
static char *add_user(const char *url, const char *user) {
  char *encoded = percent_encode(user, strlen(user), "");
  size_t size = strlen(url) + (encoded ? strlen(encoded) : 0) + 8;
  char *whole = encoded ? malloc(size) : NULL;
  const char *between = strchr(url, '?') ? "&" : "?";
  if (whole) snprintf(whole, size, "%s%suser=%s", url, between, encoded);
  free(encoded);
  return whole;
}

const char *sdb_cli_device_identify(
    const char *url_given, const char *user_given, bool has_token, char **url, char **user) {
  size_t size, token_size;
  const char *named = find_query(url_given, "user=", &size);
  has_token = has_token || find_query(url_given, "token=", &token_size);
  *user = user_given ? strdup(user_given) : named ? percent_decode(named, size) : NULL;
  if ((user_given || named) && !*user) return NO_MEMORY;
  if (*user && (!**user || strlen(*user) > USER_BYTES_MAX))
    return "a user's name has 1 to 255 bytes";
  if (user_given && named) {
    char *other = percent_decode(named, size);
    bool same = other && strcmp(other, user_given) == 0;
    free(other);
    if (!same) return "--user and the URL name different users";
  }
  *url = *user && !named && !has_token ? add_user(url_given, *user) : strdup(url_given);
  return *url ? NULL : NO_MEMORY;
}

/* ---- the default file ---- */

/* Makes a folder and those above it, for this user only. `path` comes back as it was. */
static bool make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    int made = mkdir(path, 0700);
    int error = errno;
    *slash = '/';
    if (made != 0 && error != EEXIST) return false;
  }
  return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* As the XDG base directory specification says: a path that is not absolute does not count. */
static char *state_folder(void) {
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  char *folder = NULL;
  if (state && state[0] == '/') {
    if (asprintf(&folder, "%s/syncdb", state) < 0) return NULL;
  } else if (home && home[0] == '/') {
    if (asprintf(&folder, "%s/.local/state/syncdb", home) < 0) return NULL;
  }
  return folder;
}

static char *file_name(const char *url, const char *user) {
  const char *host = strstr(url, "://");
  host = host ? host + 3 : url;
  char *left = percent_encode(user, strlen(user), "");
  char *right = percent_encode(host, strcspn(host, "/?#"), ":[]");
  char *name = NULL;
  if (left && right && asprintf(&name, "%s@%s.sqlite", left, right) < 0) name = NULL;
  free(left);
  free(right);
  return name;
}

const char *sdb_cli_device_default_file(const char *url, const char *user, char **path) {
  const char *why = NULL;
  char *folder = state_folder(), *name = file_name(url, user);
  *path = NULL;
  if (!folder)
    why = "neither XDG_STATE_HOME nor HOME says where to keep what is yours";
  else if (!name)
    why = NO_MEMORY;
  else if (strlen(name) > NAME_BYTES_MAX)
    why = "user and host are too long to name a file by";
  else if (asprintf(path, "%s/%s", folder, name) < 0)
    why = NO_MEMORY;
  free(folder);
  free(name);
  return why;
}

const char *sdb_cli_device_make_folder(const char *path) {
  char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
  bool made = folder && make_folders(folder);
  free(folder);
  return made ? NULL : "the folder for it cannot be made";
}
