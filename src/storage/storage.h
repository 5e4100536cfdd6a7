/* storage/storage.h: what every storage is told of the stores that it keeps. */
#ifndef SDB_STORAGE_STORAGE_H
#define SDB_STORAGE_STORAGE_H

#include <stdint.h>
#include <syncdb/store.h>

/* A store as a storage sees it: its index in the array given at opening is the `store` of every
 * operation. The strings are copied. */
typedef struct sdb_storage_store {
  const char *name; /* sdb_store_name: the name that the database remembers it by */
  sdb_store_type type;
} sdb_storage_store;

#define SDB_REMEMBER_REMOVES_MS_DEFAULT ((uint64_t)90 * 24 * 3600 * 1000)
#define SDB_DEDUPE_WINDOW_MS_DEFAULT ((uint64_t)7 * 24 * 3600 * 1000)

#endif
