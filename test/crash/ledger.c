/* test/crash/ledger.c: see ledger.h.
 *
 * Lines of different processes come in any order: a push may be seen on one device before the line
 * of the one that made it is read. So a line is judged at once only by what holds in any order (one
 * push is one event; a number says whose it is), and the rest in the end.
 *
 * Event ids are compared as text: they are of one length and in lower case.
 */
#include "ledger.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define WRONGS_PRINTED 20

typedef struct push {
  crash_number number, tag;
  char kind;    /* 0: nobody said that it is being pushed */
  bool durable; /* accepted into a file */
  bool acknowledged;
  bool refused;                                     /* failed and given up, or not taken at all */
  bool excused;                                     /* lost with its file */
  char id[CRASH_UUID_SIZE], event[CRASH_UUID_SIZE]; /* "": never seen on the server */
  struct push *next;                                /* of the same client id */
  UT_hash_handle hh;
} push;

typedef struct object {
  crash_number tag;
  bool may_be_removed, removed;
  char event[CRASH_UUID_SIZE]; /* the greatest that was seen */
  UT_hash_handle hh;
} object;

typedef struct client_id {
  char text[CRASH_UUID_SIZE];
  push *pushes;
  UT_hash_handle hh;
} client_id;

struct ledger {
  push *pushes;
  object *objects;
  client_id *client_ids;
  ledger_counts counts;
  uint64_t wrongs[CRASH_WRONGS], printed;
};

static const char *const WRONGS[CRASH_WRONGS] = {
    "lost", "doubled", "leaked", "invented", "returned", "different", "broken"};

const char *crash_wrong_name(crash_wrong wrong) {
  return WRONGS[wrong];
}

void ledger_wrong(ledger *l, crash_wrong wrong, const char *format, ...) {
  va_list arguments;
  l->wrongs[wrong]++;
  if (l->printed++ >= WRONGS_PRINTED) return;
  printf("WRONG (%s): ", WRONGS[wrong]);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

uint64_t ledger_wrongs(const ledger *l, crash_wrong wrong) {
  return l->wrongs[wrong];
}

ledger_counts ledger_counted(const ledger *l) {
  return l->counts;
}

/* ---- entries ---- */

static void *made(size_t size) {
  void *entry = calloc(1, size);
  if (!entry) abort();
  return entry;
}

ledger *ledger_create(void) {
  return made(sizeof(ledger));
}

void ledger_destroy(ledger *l) {
  push *p, *next_push;
  object *o, *next_object;
  client_id *c, *next_client_id;
  HASH_ITER(hh, l->pushes, p, next_push) {
    HASH_DEL(l->pushes, p);
    free(p);
  }
  HASH_ITER(hh, l->objects, o, next_object) {
    HASH_DEL(l->objects, o);
    free(o);
  }
  HASH_ITER(hh, l->client_ids, c, next_client_id) {
    HASH_DEL(l->client_ids, c);
    free(c);
  }
  free(l);
}

static push *push_of(ledger *l, crash_number number) {
  push *p = NULL;
  HASH_FIND(hh, l->pushes, &number, sizeof(number), p);
  if (p) return p;
  p = made(sizeof(*p));
  p->number = number;
  HASH_ADD(hh, l->pushes, number, sizeof(number), p);
  return p;
}

static object *object_of(ledger *l, crash_number tag) {
  object *o = NULL;
  HASH_FIND(hh, l->objects, &tag, sizeof(tag), o);
  if (o) return o;
  o = made(sizeof(*o));
  o->tag = tag;
  HASH_ADD(hh, l->objects, tag, sizeof(tag), o);
  return o;
}

static client_id *client_id_of(ledger *l, const char *text) {
  client_id *c = NULL;
  HASH_FIND_STR(l->client_ids, text, c);
  if (c) return c;
  c = made(sizeof(*c));
  snprintf(c->text, sizeof(c->text), "%s", text);
  HASH_ADD_STR(l->client_ids, text, c);
  return c;
}

/* ---- lines ---- */

static void hear_push(ledger *l, char kind, crash_number tag, crash_number number) {
  push *p = push_of(l, number);
  p->kind = kind;
  p->tag = tag;
  if (kind == 'r') object_of(l, tag)->may_be_removed = true;
  if (kind != 'a') l->counts.pushes++;
}

static void hear_accepted(ledger *l, crash_number number, const char *text, bool durable) {
  push *p = push_of(l, number);
  client_id *c = client_id_of(l, text);
  bool known = false;
  for (push *of = c->pushes; of; of = of->next)
    known |= of == p;
  if (!known) {
    p->next = c->pushes;
    c->pushes = p;
  }
  l->counts.accepted += durable && !p->durable;
  p->durable |= durable;
}

/* The ends of a push. A remove counts when it was seen back. */
static void hear_end(ledger *l, char word, const char *text) {
  for (push *p = client_id_of(l, text)->pushes; p; p = p->next) {
    if (word == 'D') {
      l->counts.acknowledged += !p->acknowledged;
      p->acknowledged = true;
      if (p->kind == 'r') object_of(l, p->tag)->removed = true;
    } else {
      l->counts.refused += !p->refused;
      p->refused = true;
    }
  }
}

static void hear_shown(ledger *l, unsigned user, const listed *one) {
  push *p = push_of(l, one->push);
  object *o = object_of(l, one->tag);
  l->counts.observations++;
  if (crash_user_of(one->push) != user || crash_user_of(one->tag) != user)
    ledger_wrong(l, CRASH_LEAKED, "user %u is shown push %" PRIu64, user, one->push);
  if (p->event[0] && (strcmp(p->event, one->event) != 0 || strcmp(p->id, one->id) != 0))
    ledger_wrong(l, CRASH_DOUBLED, "push %" PRIu64 " is object %s by event %s, and %s by %s",
        one->push, p->id, p->event, one->id, one->event);
  memcpy(p->id, one->id, sizeof(p->id));
  memcpy(p->event, one->event, sizeof(p->event));
  if (strcmp(one->event, o->event) > 0) memcpy(o->event, one->event, sizeof(o->event));
}

bool listing_read(const char *line, listed *one) {
  char word;
  return sscanf(line, "%c %" SCNu64 " %" SCNu64 " %36s %36s", &word, &one->tag, &one->push, one->id,
             one->event) == 5;
}

static bool hear_committed(ledger *l, const char *line) {
  listed one;
  if (sscanf(line, "V %" SCNu64 " %36s %36s", &one.push, one.id, one.event) != 3) return false;
  one.tag = one.push;
  hear_shown(l, crash_user_of(one.push), &one);
  push_of(l, one.push)->acknowledged = true;
  l->counts.answers++;
  return true;
}

bool ledger_hear(ledger *l, unsigned user, bool from_server, const char *line) {
  crash_number tag, number;
  char text[CRASH_UUID_SIZE], status[32], kind;
  int durable;
  listed one;
  switch (line[0]) {
  case 'I':
    if (sscanf(line, "I %c %" SCNu64 " %" SCNu64, &kind, &tag, &number) != 3) return false;
    hear_push(l, kind, tag, number);
    return true;
  case 'P':
    if (sscanf(line, "P %" SCNu64 " %36s %d", &number, text, &durable) != 3) return false;
    hear_accepted(l, number, text, durable != 0);
    return true;
  case 'U':
    if (sscanf(line, "U %" SCNu64 " %36s %c", &number, text, &kind) != 3) return false;
    if (number) hear_accepted(l, number, text, true);
    return true;
  case 'N':
    if (sscanf(line, "N %" SCNu64, &number) != 1) return false;
    push_of(l, number)->refused = true;
    return true;
  case 'F':
    if (sscanf(line, "F %36s %31s", text, status) != 2) return false;
    l->counts.late += strcmp(status, "unavailable") == 0 || strcmp(status, "rate_limited") == 0;
    return true;
  case 'D':
  case 'G':
    if (sscanf(line + 2, "%36s", text) != 1) return false;
    hear_end(l, line[0], text);
    return true;
  case 'S':
  case 'L':
    if (!listing_read(line, &one)) return false;
    hear_shown(l, user, &one);
    return true;
  case 'V':
    return from_server && hear_committed(l, line);
  default:
    return false;
  }
}

/* ---- what the driver asks ---- */

static bool is_of(const push *p, unsigned user, unsigned device) {
  return !crash_is_answer(p->number) && crash_user_of(p->number) == user &&
         crash_device_of(p->number) == device;
}

static bool is_open(const push *p) {
  return p->durable && !p->acknowledged && !p->refused && !p->excused;
}

void ledger_file_lost(ledger *l, unsigned user, unsigned device) {
  for (push *p = l->pushes; p; p = p->hh.next) {
    if (!is_of(p, user, device) || !is_open(p)) continue;
    p->excused = true;
    l->counts.lost_files++;
  }
}

uint64_t ledger_open_creates(const ledger *l, unsigned user, unsigned device) {
  uint64_t count = 0;
  for (const push *p = l->pushes; p; p = p->hh.next) {
    object *o = NULL;
    if (p->kind != 'c' || !is_of(p, user, device) || !is_open(p) || p->event[0]) continue;
    HASH_FIND(hh, l->objects, &p->tag, sizeof(p->tag), o);
    count += !o || !o->may_be_removed;
  }
  return count;
}

crash_number ledger_any_acknowledged(const ledger *l, unsigned user) {
  for (const push *p = l->pushes; p; p = p->hh.next) {
    object *o = NULL;
    if (p->kind != 'c' || !p->acknowledged || !p->event[0] || crash_user_of(p->number) != user)
      continue;
    HASH_FIND(hh, l->objects, &p->tag, sizeof(p->tag), o);
    if (o && !o->may_be_removed && strcmp(o->event, p->event) == 0) return p->number;
  }
  return 0;
}

/* ---- lists ---- */

void listing_add(listing *all, const listed *one) {
  if (all->count == all->capacity) {
    all->capacity = all->capacity ? all->capacity * 2 : 256;
    all->list = realloc(all->list, all->capacity * sizeof(*all->list));
    if (!all->list) abort();
  }
  all->list[all->count++] = *one;
}

void listing_clear(listing *all) {
  free(all->list);
  *all = (listing){0};
}

static int by_tag(const void *a, const void *b) {
  const listed *x = a, *y = b;
  return x->tag != y->tag ? (x->tag < y->tag ? -1 : 1) : strcmp(x->id, y->id);
}

static void sort(listing *all) {
  if (all->count > 0) qsort(all->list, all->count, sizeof(*all->list), by_tag);
}

/* A key that stands in for an object where only its tag is known. */
static const listed *find(const listing *all, crash_number tag) {
  size_t low = 0, high = all->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (all->list[middle].tag < tag)
      low = middle + 1;
    else
      high = middle;
  }
  return low < all->count && all->list[low].tag == tag ? &all->list[low] : NULL;
}

void ledger_compare(ledger *l, const char *whose, listing *server, listing *shown) {
  size_t i = 0, j = 0;
  sort(server);
  sort(shown);
  while (i < server->count || j < shown->count) {
    const listed *a = i < server->count ? &server->list[i] : NULL;
    const listed *b = j < shown->count ? &shown->list[j] : NULL;
    int order = !a ? 1 : !b ? -1 : by_tag(a, b);
    if (order < 0)
      ledger_wrong(l, CRASH_DIFFERENT, "%s does not show object %s", whose, a->id);
    else if (order > 0)
      ledger_wrong(
          l, CRASH_DIFFERENT, "%s shows object %s, which the server has not", whose, b->id);
    else if (a->push != b->push || strcmp(a->event, b->event) != 0)
      ledger_wrong(l, CRASH_DIFFERENT, "%s shows object %s by event %s, the server has %s", whose,
          a->id, b->event, a->event);
    i += order <= 0;
    j += order >= 0;
  }
}

/* ---- what must be there ---- */

/* What is there was pushed, is there once, and was not removed. */
static void check_listed(ledger *l, unsigned user, const listing *server) {
  const listed *setting = NULL;
  for (size_t i = 0; i < server->count; i++) {
    const listed *one = &server->list[i];
    push *p = push_of(l, one->push);
    hear_shown(l, user, one);
    if (!p->kind)
      ledger_wrong(l, CRASH_INVENTED, "push %" PRIu64 " is there, and nobody made it", one->push);
    else if (p->tag != one->tag)
      ledger_wrong(l, CRASH_INVENTED, "push %" PRIu64 " stands in another object", one->push);
    if (i > 0 && one->tag == one[-1].tag)
      ledger_wrong(l, CRASH_DOUBLED, "object %" PRIu64 " is there as %s and as %s", one->tag,
          one[-1].id, one->id);
    if (object_of(l, one->tag)->removed)
      ledger_wrong(l, CRASH_RETURNED, "object %" PRIu64 " was removed, and is there", one->tag);
    if (p->kind == 's' && setting)
      ledger_wrong(l, CRASH_DOUBLED, "a singular store has %s and %s", setting->id, one->id);
    if (p->kind == 's') setting = one;
  }
}

/* A change that was promised is there: it, or one of the same object that came after it. */
static void check_push(ledger *l, const push *p, const listing *server, const listed *setting) {
  bool promised = p->acknowledged || p->event[0] || (p->durable && !p->excused);
  if (p->refused && p->event[0])
    ledger_wrong(
        l, CRASH_INVENTED, "push %" PRIu64 " was refused, and event %s", p->number, p->event);
  if (p->refused || !promised || p->kind == 0) return;
  const listed *there = p->kind == 's' ? setting : find(server, p->tag);
  object *o = object_of(l, p->tag);
  if (p->kind == 'r') {
    if (there) ledger_wrong(l, CRASH_RETURNED, "remove %" PRIu64 " has not come about", p->number);
  } else if (!there && (p->kind == 's' || !o->may_be_removed)) {
    ledger_wrong(l, CRASH_LOST, "push %" PRIu64 " (%c)%s is not there, nor its object", p->number,
        p->kind, p->acknowledged ? " was acknowledged and" : "");
  } else if (there && strcmp(there->event, p->kind == 's' ? p->event : o->event) < 0) {
    ledger_wrong(l, CRASH_LOST, "object %" PRIu64 " is there as of event %s, and %s was shown",
        p->tag, there->event, o->event);
  }
}

void ledger_check(ledger *l, unsigned user, listing *server) {
  const listed *setting = NULL;
  sort(server);
  check_listed(l, user, server);
  for (size_t i = 0; i < server->count; i++)
    if (push_of(l, server->list[i].push)->kind == 's') setting = &server->list[i];
  for (const push *p = l->pushes; p; p = p->hh.next)
    if (crash_user_of(p->number) == user) check_push(l, p, server, setting);
}
