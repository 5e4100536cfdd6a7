/* server/pages_files.c: see pages_files.h.
 *
 * Every name is opened in its folder's descriptor, without following a link, and looked at only
 * once it is open: what is read is what was checked, also where the folder changes meanwhile.
 */
#include "server/pages_files.h"
#include "base/base.h"
#include "base/error.h"
#include "server/pages.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS (15 + 16) /* zlib's way to ask for gzip's header */
#define GZIP_BYTES_MIN 256         /* a smaller answer is one packet either way */

typedef struct reading {
  sdb_pages_files *files;
  const sdb_mem *mem;
  sdb_error *error;
  char path[SDB_PAGES_PATH_MAX + 1]; /* of the folder or file that is being read, from the root */
  size_t path_size;
  unsigned depth;
} reading;

static const struct {
  const char *extension, *content_type;
  bool text; /* worth compressing */
} TYPES[] = {
    {".html", "text/html; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".json", "application/json", true},
    {".map", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".wasm", "application/wasm", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".xml", "text/xml; charset=utf-8", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".jpeg", "image/jpeg", false},
    {".gif", "image/gif", false},
    {".webp", "image/webp", false},
    {".avif", "image/avif", false},
    {".ico", "image/x-icon", true},
    {".woff2", "font/woff2", false},
    {".woff", "font/woff", false},
    {".pdf", "application/pdf", false},
    {".mp3", "audio/mpeg", false},
    {".mp4", "video/mp4", false},
    {".webm", "video/webm", false},
};

static sdb_status fail(reading *self, sdb_status status, const char *what) {
  return sdb_error_set(self->error, status, "pages: ", self->path_size ? self->path : "/", what);
}

static sdb_status fail_system(reading *self) {
  char what[128] = ": ";
  sdb_text_append(what, sizeof(what), sdb_slice_of(strerror(errno)));
  return fail(self, SDB_IO, what);
}

static sdb_status fail_memory(reading *self) {
  return sdb_error_set(self->error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
}

/* ---- one file ---- */

/* The whole file; its size may change meanwhile, so it is read to its end. */
static sdb_status read_bytes(reading *self, int fd, size_t expected, sdb_slice *bytes) {
  size_t left = SDB_PAGES_BYTES_MAX - self->files->bytes, size = 0;
  if (expected > left) return fail(self, SDB_LIMIT, ": pages are at most 64 MiB together");
  char *data = sdb_mem_alloc(self->mem, expected + 1);
  if (!data) return fail_memory(self);
  for (;;) {
    ssize_t got = read(fd, data + size, expected + 1 - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || size + (size_t)got > expected) {
      sdb_mem_free(self->mem, data);
      return got < 0 ? fail_system(self) : fail(self, SDB_IO, " changes while it is read");
    }
    size += (size_t)got;
    if (got == 0) break;
  }
  self->files->bytes += size;
  *bytes = sdb_slice_make(data, size);
  return SDB_OK;
}

/* Without it the page is served as it is. */
static void compress_page(reading *self, sdb_page *page) {
  z_stream z = {
      .next_in = (Bytef *)(uintptr_t)page->plain.data, .avail_in = (uInt)page->plain.size};
  if (page->plain.size < GZIP_BYTES_MIN) return;
  if (deflateInit2(&z, 9, Z_DEFLATED, GZIP_WINDOW_BITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) return;
  char *data = sdb_mem_alloc(self->mem, page->plain.size);
  z.next_out = (Bytef *)data;
  z.avail_out = data ? (uInt)page->plain.size : 0;
  bool smaller = data && deflate(&z, Z_FINISH) == Z_STREAM_END;
  size_t size = z.total_out;
  deflateEnd(&z);
  char *shrunk = smaller ? sdb_mem_resize(self->mem, data, size) : NULL;
  if (shrunk)
    page->gzip = sdb_slice_make(shrunk, size);
  else
    sdb_mem_free(self->mem, data);
}

static void set_hash(sdb_page *page) {
  static const char HEX[] = "0123456789abcdef";
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)page->plain.data, page->plain.size, digest);
  for (size_t i = 0; i + 1 < SDB_PAGE_HASH_SIZE; i++)
    page->hash[i] = HEX[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
}

static bool set_type(sdb_page *page) {
  const char *extension = strrchr(page->path, '.');
  page->content_type = "application/octet-stream";
  for (size_t i = 0; extension && i < SDB_COUNT_OF(TYPES); i++) {
    if (strcasecmp(extension, TYPES[i].extension) != 0) continue;
    page->content_type = TYPES[i].content_type;
    return TYPES[i].text;
  }
  return false;
}

static sdb_page *add_page(sdb_pages_files *files, const sdb_mem *mem) {
  if (files->count == files->capacity) {
    size_t capacity = files->capacity ? 2 * files->capacity : 16;
    sdb_page *grown = sdb_mem_resize(mem, files->pages, capacity * sizeof(*grown));
    if (!grown) return NULL;
    files->pages = grown;
    files->capacity = capacity;
  }
  sdb_page *page = &files->pages[files->count++];
  memset(page, 0, sizeof(*page));
  return page;
}

static sdb_status read_file(reading *self, int fd, size_t expected) {
  if (self->files->count == SDB_PAGES_FILES_MAX)
    return fail(self, SDB_LIMIT, ": pages are at most 1024 files");
  sdb_page *page = add_page(self->files, self->mem);
  if (page) page->path = sdb_mem_alloc(self->mem, self->path_size + 1);
  if (!page || !page->path) return fail_memory(self);
  memcpy(page->path, self->path, self->path_size + 1);
  sdb_status status = read_bytes(self, fd, expected, &page->plain);
  if (status != SDB_OK) return status;
  set_hash(page);
  if (set_type(page)) compress_page(self, page);
  return SDB_OK;
}

/* ---- folders ---- */

static sdb_status read_folder(reading *self, int fd);

static sdb_status read_opened(reading *self, int fd) {
  struct stat is;
  sdb_status status;
  if (fstat(fd, &is) != 0)
    status = fail_system(self);
  else if (S_ISDIR(is.st_mode))
    return read_folder(self, fd);
  else if (S_ISREG(is.st_mode))
    status = read_file(self, fd, (size_t)is.st_size);
  else
    status = fail(self, SDB_INVALID_ARGUMENT, " is neither a file nor a folder");
  close(fd);
  return status;
}

/* What `name` is in the folder `fd`. Without waiting for anything: it may be a pipe. */
static sdb_status read_entry(reading *self, int fd, const char *name) {
  size_t before = self->path_size, size = strlen(name);
  if (before + 1 + size > SDB_PAGES_PATH_MAX)
    return fail(self, SDB_LIMIT, ": a path in it is longer than 1024 bytes");
  self->path[before] = '/';
  memcpy(self->path + before + 1, name, size + 1);
  self->path_size = before + 1 + size;
  int opened = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  sdb_status status;
  if (opened >= 0)
    status = read_opened(self, opened);
  else if (errno == ELOOP)
    status = fail(self, SDB_INVALID_ARGUMENT, " is a symbolic link, which may lead anywhere");
  else if (errno == ENXIO) /* a socket */
    status = fail(self, SDB_INVALID_ARGUMENT, " is neither a file nor a folder");
  else
    status = fail_system(self);
  self->path_size = before;
  self->path[before] = 0;
  return status;
}

/* Takes `fd` over. */
static sdb_status read_folder(reading *self, int fd) {
  DIR *folder = self->depth < SDB_PAGES_DEPTH_MAX ? fdopendir(fd) : NULL;
  if (!folder) {
    bool deep = self->depth == SDB_PAGES_DEPTH_MAX;
    sdb_status status =
        deep ? fail(self, SDB_LIMIT, " is too deep: at most 16 folders") : fail_system(self);
    close(fd);
    return status;
  }
  self->depth++;
  sdb_status status = SDB_OK;
  const struct dirent *entry;
  while (status == SDB_OK && (errno = 0, entry = readdir(folder)) != NULL) {
    if (entry->d_name[0] != '.') status = read_entry(self, dirfd(folder), entry->d_name);
  }
  if (status == SDB_OK && errno != 0) status = fail_system(self);
  self->depth--;
  closedir(folder);
  return status;
}

int sdb_page_compare(const void *a, const void *b) {
  return strcmp(((const sdb_page *)a)->path, ((const sdb_page *)b)->path);
}

sdb_status sdb_pages_files_read(
    sdb_pages_files *files, const sdb_mem *mem, const char *folder, sdb_error *error) {
  reading self = {.files = files, .mem = mem, .error = error};
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    char reason[128] = ": ";
    sdb_text_append(reason, sizeof(reason), sdb_slice_of(strerror(errno)));
    return sdb_error_set(error, SDB_IO, "cannot read the pages in ", folder, reason);
  }
  sdb_status status = read_folder(&self, fd);
  if (status == SDB_OK && files->count > 0)
    qsort(files->pages, files->count, sizeof(*files->pages), sdb_page_compare);
  return status;
}

void sdb_pages_files_free(sdb_pages_files *files, const sdb_mem *mem) {
  for (size_t i = 0; i < files->count; i++) {
    sdb_page *page = &files->pages[i];
    sdb_mem_free(mem, page->path);
    sdb_mem_free(mem, (void *)(uintptr_t)page->plain.data);
    sdb_mem_free(mem, (void *)(uintptr_t)page->gzip.data);
    sdb_mem_free(mem, page->headers);
    sdb_mem_free(mem, page->gzip_headers);
  }
  sdb_mem_free(mem, files->pages);
}
