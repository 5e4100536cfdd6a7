/* server/pages.c: see pages.h.
 *
 * A request is looked up among the paths that were found when the folder was read, so none can
 * reach anything else, however it is spelled. Invariant after loading: `files` is in the order of
 * the paths, and nothing changes any more.
 */
#include "server/pages.h"
#include "base/buffer.h"
#include "base/error.h"
#include "server/pages_files.h"
#include "server/percent.h"
#include <stdlib.h>
#include <strings.h>

#define POLICY                                                                                     \
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "                   \
  "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "               \
  "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

#define ENCODED "Content-Encoding: gzip\r\n"
#define HEADERS_MAX (SDB_PAGES_POLICY_MAX + 1024)

struct sdb_pages {
  const sdb_mem *mem;
  sdb_pages_files files;
};

/* ---- headers ---- */

/* A name that has its content's hash in it, as bundlers write them: `assets/NAME-HASH.EXTENSION`,
 * eight characters or more, at least one of which no plain word has. */
static bool is_hashed(const char *path) {
  const char *name = strrchr(path, '/') + 1, *end = strchr(name, '.');
  if (strncmp(path, "/assets/", 8) != 0 || !end) return false;
  bool mixed = false;
  size_t size = 0;
  for (; end - size > name && end[-1 - (ptrdiff_t)size] != '-'; size++) {
    char c = end[-1 - (ptrdiff_t)size];
    mixed |= (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
  }
  return size >= 8 && mixed && end - size > name;
}

static void append(sdb_buffer *out, const char *text) {
  sdb_buffer_append_slice(out, sdb_slice_of(text));
}

static char *make_headers(
    const sdb_mem *mem, const sdb_page *page, const char *policy, const char *tag_end) {
  sdb_buffer out;
  bool encoded = tag_end[0] != 0;
  sdb_buffer_init(&out, mem, HEADERS_MAX);
  if (encoded) append(&out, ENCODED);
  append(&out, "ETag: \"");
  append(&out, page->hash);
  append(&out, tag_end);
  append(&out, "\"\r\nCache-Control: ");
  append(&out, is_hashed(page->path) ? "public, max-age=31536000, immutable" : "no-cache");
  if (page->gzip.data) append(&out, "\r\nVary: Accept-Encoding");
  append(&out, "\r\nContent-Security-Policy: ");
  append(&out, policy);
  append(&out, "\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer"
               "\r\nCross-Origin-Opener-Policy: same-origin"
               "\r\nCross-Origin-Resource-Policy: same-origin\r\n");
  sdb_buffer_append(&out, "", 1);
  if (out.status != SDB_OK) sdb_buffer_free(&out);
  return out.data;
}

static bool is_header_value(const char *policy) {
  size_t size = strnlen(policy, SDB_PAGES_POLICY_MAX + 1);
  for (size_t i = 0; i < size; i++) {
    if (policy[i] < ' ' || policy[i] > '~') return false;
  }
  return size <= SDB_PAGES_POLICY_MAX;
}

/* ---- loading ---- */

static sdb_status prepare(sdb_pages *pages, const char *policy) {
  for (size_t i = 0; i < pages->files.count; i++) {
    sdb_page *page = &pages->files.pages[i];
    page->headers = make_headers(pages->mem, page, policy, "");
    if (!page->headers) return SDB_NO_MEMORY;
    if (!page->gzip.data) continue;
    page->gzip_headers = make_headers(pages->mem, page, policy, "-gzip");
    if (!page->gzip_headers) return SDB_NO_MEMORY;
  }
  return SDB_OK;
}

sdb_status sdb_pages_load(const sdb_mem *mem, const char *folder, const char *policy,
    sdb_pages **pages, sdb_error *error) {
  if (policy && !is_header_value(policy))
    return sdb_error_set(error, SDB_INVALID_ARGUMENT,
        "the pages' policy is longer than 4096 bytes, or not printable ASCII", NULL, NULL);
  sdb_pages *made = sdb_mem_zero(mem, sizeof(*made));
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  made->mem = mem;
  sdb_status status = sdb_pages_files_read(&made->files, mem, folder, error);
  if (status == SDB_OK) {
    status = prepare(made, policy ? policy : POLICY);
    if (status != SDB_OK) sdb_error_set(error, status, "out of memory", NULL, NULL);
  }
  if (status != SDB_OK) {
    sdb_pages_free(made);
    return status;
  }
  *pages = made;
  return SDB_OK;
}

void sdb_pages_free(sdb_pages *pages) {
  if (!pages) return;
  sdb_pages_files_free(&pages->files, pages->mem);
  sdb_mem_free(pages->mem, pages);
}

/* ---- answering ---- */

static const sdb_page *find(const sdb_pages *pages, sdb_slice path) {
  char buffer[SDB_PAGES_PATH_MAX + sizeof("index.html")];
  sdb_slice decoded = sdb_percent_decode(path, false, buffer, SDB_PAGES_PATH_MAX);
  if (decoded.size == 0 || memchr(decoded.data, 0, decoded.size)) return NULL;
  const char *end = buffer[decoded.size - 1] == '/' ? "index.html" : "";
  memcpy(buffer + decoded.size, end, strlen(end) + 1);
  sdb_page wanted = {.path = buffer};
  return pages->files.count == 0 ? NULL
                                 : bsearch(&wanted, pages->files.pages, pages->files.count,
                                       sizeof(wanted), sdb_page_compare);
}

/* Whether `list`, of If-None-Match, has the tag of `page`. */
static bool has_tag(sdb_slice list, const sdb_page *page, bool gzip) {
  const char *end = gzip ? "-gzip\"" : "\"";
  size_t hash = strlen(page->hash), tail = strlen(end);
  if (sdb_slice_equal(list, sdb_slice_of("*"))) return true;
  for (size_t i = 0; i + 1 + hash + tail <= list.size; i++) {
    if (list.data[i] == '"' && memcmp(list.data + i + 1, page->hash, hash) == 0 &&
        memcmp(list.data + i + 1 + hash, end, tail) == 0)
      return true;
  }
  return false;
}

bool sdb_pages_answer(
    const sdb_pages *pages, const sdb_net_request *request, sdb_net_answer *answer) {
  const sdb_page *page = find(pages, request->path);
  if (!page) return false;
  bool gzip = request->gzip && page->gzip.data;
  answer->headers = gzip ? page->gzip_headers : page->headers;
  if (has_tag(request->if_none_match, page, gzip)) {
    answer->status = 304;
    if (gzip) answer->headers += strlen(ENCODED); /* there is nothing that is encoded */
    return true;
  }
  answer->status = 200;
  answer->content_type = page->content_type;
  answer->body = gzip ? page->gzip : page->plain;
  answer->held = true;
  return true;
}
