/* bindings/wasm/host.h: what the module imports: all that it asks of the page, and at once.
 *
 * None of these calls the module back, none throws.
 */
#ifndef SDB_WASM_HOST_H
#define SDB_WASM_HOST_H

#include <stddef.h>
#include <stdint.h>

#define SDB_WASM_IMPORT(name) __attribute__((import_module("syncdb"), import_name(name)))

/* Fills `size` bytes with randomness fit for ids. */
SDB_WASM_IMPORT("random") void sdb_host_random(void *to, size_t size);

/* The double nearest to 0.DIGITS * 10^point; `count` digits, among which a '.' may stand. */
SDB_WASM_IMPORT("double")
double sdb_host_double(uint32_t negative, const char *digits, size_t count, double point);

/* An ECMA-262 pattern, with the flag u: its number, from 1 on; 0: it is none. */
SDB_WASM_IMPORT("pattern_compile")
uint32_t sdb_host_pattern_compile(const char *pattern, size_t size);
/* Whether it occurs in the text. */
SDB_WASM_IMPORT("pattern_match")
uint32_t sdb_host_pattern_match(uint32_t pattern, const char *text, size_t size);
SDB_WASM_IMPORT("pattern_release") void sdb_host_pattern_release(uint32_t pattern);

/* Asks a store's rule in JavaScript. 1: yes; 0: refused, 2: refused as a schema does, with at most
 * 255 bytes of UTF-8 written to each of `message` and `path`, which are zeroed. `size` 0: there is
 * no object. */
SDB_WASM_IMPORT("validate")
uint32_t sdb_host_validate(
    uint32_t store, uint32_t action, const char *object, size_t size, char *message, char *path);

#endif
