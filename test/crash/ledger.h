/* test/crash/ledger.h: what the devices and the server said, kept outside of all of them, and what
 * follows from it for what must be there in the end.
 *
 * It knows nothing of processes and connections: it is told lines (words.h), and lists.
 */
#ifndef SDB_CRASH_LEDGER_H
#define SDB_CRASH_LEDGER_H

#include "words.h"

/* What can be wrong, by the promise that it breaks. */
typedef enum crash_wrong {
  CRASH_LOST = 0,  /* what was acknowledged, or accepted into a file, is not there */
  CRASH_DOUBLED,   /* one push has become two events, or two objects */
  CRASH_LEAKED,    /* a user was shown what is another's */
  CRASH_INVENTED,  /* something is there that nobody pushed, or that was refused */
  CRASH_RETURNED,  /* what was removed is there again */
  CRASH_DIFFERENT, /* two that must show the same do not */
  CRASH_BROKEN,    /* a program or a file did not do what it must */
  CRASH_WRONGS
} crash_wrong;

const char *crash_wrong_name(crash_wrong wrong);

typedef struct ledger ledger;

typedef struct ledger_counts {
  uint64_t pushes;       /* that were begun */
  uint64_t accepted;     /* into a device's file */
  uint64_t acknowledged; /* seen back by their device */
  uint64_t answers;      /* the server's own changes that were committed */
  uint64_t refused;      /* that failed and were given up */
  uint64_t late;         /* that failed for a while and were sent again */
  uint64_t lost_files;   /* that were lost with a device's file, and may be missing */
  uint64_t observations; /* of a record shown as the server's */
} ledger_counts;

/* Of one user, as somebody lists it. */
typedef struct listed {
  crash_number tag, push;
  char id[CRASH_UUID_SIZE], event[CRASH_UUID_SIZE];
} listed;

typedef struct listing {
  listed *list;
  size_t count, capacity;
} listing;

ledger *ledger_create(void);
void ledger_destroy(ledger *l);

/* Says what is wrong, on standard output, and counts it. */
void ledger_wrong(ledger *l, crash_wrong wrong, const char *format, ...) SDB_PRINTF(3, 4);
uint64_t ledger_wrongs(const ledger *l, crash_wrong wrong);
ledger_counts ledger_counted(const ledger *l);

/* A line of a device of `user`, or of the server (`user` is then not looked at). False: it is none
 * that the ledger keeps. */
bool ledger_hear(ledger *l, unsigned user, bool from_server, const char *line);

/* The file of this device is thrown away: what was only there need not come. */
void ledger_file_lost(ledger *l, unsigned user, unsigned device);
/* How many objects a device has made in its file that were not seen back, nor removed. */
uint64_t ledger_open_creates(const ledger *l, unsigned user, unsigned device);
/* A create of this user that was acknowledged and not removed; 0: there is none. */
crash_number ledger_any_acknowledged(const ledger *l, unsigned user);

void listing_add(listing *all, const listed *one);
/* False: it is no "L" line's text. */
bool listing_read(const char *line, listed *one);
void listing_clear(listing *all);

/* Whether what the server has of a user in the end is what must be there. Sorts it. */
void ledger_check(ledger *l, unsigned user, listing *server);
/* Whether `shown` is the same. Sorts both. */
void ledger_compare(ledger *l, const char *whose, listing *server, listing *shown);

#endif
