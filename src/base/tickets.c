/* base/tickets.c: see tickets.h.
 *
 * ticket  generation (26 bits, 1 and up) | place (24 bits)
 */
#include "base/tickets.h"

#define PLACE_BITS 24
#define GENERATION_MAX (((uint32_t)1 << (SDB_TICKET_BITS - PLACE_BITS)) - 1)
#define CAPACITY_MIN 16

struct sdb_ticket_place {
  void *item; /* NULL: it is free */
  uint32_t generation;
  uint32_t free_next; /* as sdb_tickets.free */
};

void sdb_tickets_init(sdb_tickets *tickets, const sdb_mem *mem) {
  memset(tickets, 0, sizeof(*tickets));
  tickets->mem = mem;
}

void sdb_tickets_free(sdb_tickets *tickets) {
  sdb_mem_free(tickets->mem, tickets->places);
  sdb_tickets_init(tickets, tickets->mem);
}

/* Room for one more. */
static bool grow(sdb_tickets *tickets) {
  if (tickets->count < tickets->capacity) return true;
  if (tickets->count == SDB_TICKETS_MAX) return false;
  uint32_t capacity = tickets->capacity ? tickets->capacity * 2 : CAPACITY_MIN;
  sdb_ticket_place *places =
      sdb_mem_resize(tickets->mem, tickets->places, sdb_mem_product(capacity, sizeof(*places)));
  if (!places) return false;
  tickets->places = places;
  tickets->capacity = capacity;
  return true;
}

uint64_t sdb_tickets_add(sdb_tickets *tickets, void *item) {
  SDB_ASSERT(item);
  uint32_t at;
  if (tickets->free) {
    at = tickets->free - 1;
    tickets->free = tickets->places[at].free_next;
  } else {
    if (!grow(tickets)) return 0;
    at = tickets->count++;
    tickets->places[at].generation = 0;
  }
  sdb_ticket_place *place = &tickets->places[at];
  place->item = item;
  place->generation = place->generation == GENERATION_MAX ? 1 : place->generation + 1;
  return (uint64_t)place->generation << PLACE_BITS | at;
}

static sdb_ticket_place *find(const sdb_tickets *tickets, uint64_t ticket) {
  uint32_t at = (uint32_t)(ticket & (SDB_TICKETS_MAX - 1));
  if (at >= tickets->count) return NULL;
  sdb_ticket_place *place = &tickets->places[at];
  return place->item && place->generation == ticket >> PLACE_BITS ? place : NULL;
}

void *sdb_tickets_get(const sdb_tickets *tickets, uint64_t ticket) {
  const sdb_ticket_place *place = find(tickets, ticket);
  return place ? place->item : NULL;
}

void *sdb_tickets_take(sdb_tickets *tickets, uint64_t ticket) {
  sdb_ticket_place *place = find(tickets, ticket);
  if (!place) return NULL;
  void *item = place->item;
  place->item = NULL;
  place->free_next = tickets->free;
  tickets->free = (uint32_t)(place - tickets->places) + 1;
  return item;
}
