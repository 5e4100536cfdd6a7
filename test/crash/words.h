/* test/crash/words.h: what the programs of the crash test have in common: how pushes are numbered,
 * what their objects look like, and the lines in which the programs tell the driver what happened.
 *
 * Every push has a number of its own, which stands in its object ("push"), beside the number of the
 * push that made the object ("tag"). All else in an object follows from the two, so whoever reads
 * one can tell whether it is whole and whose it is.
 *
 * A line is one write of less than a pipe takes at once: whoever is killed has written it whole or
 * not at all. KIND is c(reate), u(pdate), r(emove), s(ingular store), q(uestion), a(nswer).
 *
 *   from a device                             from the server
 *   I KIND TAG PUSH     is about to push        R PORT                 listens
 *   P PUSH CID DURABLE  it was accepted         V PUSH ID EVENT        an answer was committed
 *   N PUSH STATUS       it was not, locally
 *   R DURABLE           the file is open        from both
 *   U PUSH CID KIND     unsynced in the file    W EVENT                the library warns
 *   H PHASE STORAGE     the status changed      ! TEXT                 this must not be
 *   S TAG PUSH ID EVENT shown as the server's
 *   D CID               seen back
 *   F CID STATUS        failed
 *   G CID               given up after that
 *   L TAG PUSH ID EVENT listed at the end
 *   E COUNT             so many were listed
 */
#ifndef SDB_CRASH_WORDS_H
#define SDB_CRASH_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#define CRASH_LINE_MAX 256
#define CRASH_OBJECT_MAX 1024
#define CRASH_UUID_SIZE (SDB_UUID_TEXT_SIZE + 1)

#define CRASH_USERS_MAX 20
#define CRASH_DEVICES_MAX 9
#define CRASH_LIVES_MAX 100000
#define CRASH_PUSHES_MAX 10000 /* of one life */

typedef uint64_t crash_number;

/* A push of a device; its lives and their pushes are counted from 0. */
crash_number crash_number_of(unsigned user, unsigned device, unsigned life, unsigned push);
/* The answer to a question: it belongs to the same user. */
crash_number crash_answer_to(crash_number question);
bool crash_is_answer(crash_number push);
unsigned crash_user_of(crash_number push);
unsigned crash_device_of(crash_number push); /* of the user */

typedef struct crash_stores {
  sdb_store **all;
  size_t count;
  const sdb_store *items, *messages, *settings;
} crash_stores;

/* Ends the program where it cannot; all programs have the same stores. */
crash_stores crash_stores_make(void);
void crash_stores_destroy(crash_stores *stores);

/* How an answer grows: it is whole after `CRASH_PIECES` of them. */
#define CRASH_PIECES 6
void crash_piece(crash_number push, int i, char *text, size_t capacity);

/* The object of a push. `pieces`: how much of an answer there is. */
void crash_object(
    char kind, crash_number tag, crash_number push, int pieces, char object[CRASH_OBJECT_MAX]);

/* Reads an object of a store, and compares it with what it must be. False: it is none of ours, or
 * not whole. */
bool crash_read_object(const crash_stores *stores, const sdb_store *store, sdb_slice object,
    crash_number *tag, crash_number *push);

void crash_uuid_text(sdb_uuid id, char text[CRASH_UUID_SIZE]);

/* The program is killed when the driver ends, however that ends. */
void crash_follow_parent(void);

/* Writes a line to standard output; ends the program where nobody listens any more. */
void crash_say(const char *format, ...) SDB_PRINTF(1, 2);
/* The same as "! TEXT", and ends the program. */
_Noreturn void crash_die(const char *format, ...) SDB_PRINTF(1, 2);

#endif
