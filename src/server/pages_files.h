/* server/pages_files.h: the files of a folder of pages, read into memory. Private to pages.c. */
#ifndef SDB_SERVER_PAGES_FILES_H
#define SDB_SERVER_PAGES_FILES_H

#include "base/memory.h"
#include <syncdb/slice.h>
#include <syncdb/status.h>

#define SDB_PAGE_HASH_SIZE 33 /* half of a SHA-256 in hex, and a NUL */

typedef struct sdb_page {
  char *path; /* "/assets/index.js" */
  const char *content_type;
  sdb_slice plain, gzip; /* gzip.data NULL: it is no smaller */
  char hash[SDB_PAGE_HASH_SIZE];
  char *headers, *gzip_headers; /* pages.c's; freed here */
} sdb_page;

typedef struct sdb_pages_files {
  sdb_page *pages; /* by path */
  size_t count, capacity, bytes;
} sdb_pages_files;

/* Fills `*files`, which was zeroed. What it holds is to be freed in any case. The errors are those
 * of sdb_pages_load. */
SDB_MUST_CHECK sdb_status sdb_pages_files_read(
    sdb_pages_files *files, const sdb_mem *mem, const char *folder, sdb_error *error);

void sdb_pages_files_free(sdb_pages_files *files, const sdb_mem *mem);

/* By path, for qsort and bsearch. */
int sdb_page_compare(const void *a, const void *b);

#endif
