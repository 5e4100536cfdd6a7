/* syncdb/memory.h: where the parts of the library get memory from; its public functions use malloc.
 *
 * Every root object takes an `sdb_mem`; one function does everything, as Lua's
 * allocator does, so a test can fail the nth allocation and a host can count.
 */
#ifndef SYNCDB_MEMORY_H
#define SYNCDB_MEMORY_H

#include <stddef.h>

/* resize(context, pointer, size): `pointer` NULL allocates, `size` 0 frees and
 * gives NULL, otherwise it resizes and keeps the content. NULL for `size` > 0
 * means out of memory, and `pointer` is then still valid. Memory is aligned for
 * any type. It must be safe to call on any thread where the object that got it
 * says that it uses threads. */
typedef struct sdb_mem {
  void *context;
  void *(*resize)(void *context, void *pointer, size_t size);
} sdb_mem;

#endif
