/* sim/disk.c: see disk.h. What files and names hold, now and after power loss.
 *
 * Invariant: applying a file's changes in order to what is safe of it gives what is seen, and the
 * same holds of the folder and its moves (but for what a sync that failed made it forget).
 *
 * When power is lost, how much gets there is drawn first, then whether each write did: as a whole,
 * not at all, or sector by sector. Bytes beside a write are never touched, as SQLite takes for
 * granted (powersafe overwrite).
 */
#include "sim/disk_private.h"
#include <stdio.h>

#define SECTOR ((size_t)512)

static void *must(void *pointer) {
  SDB_ASSERT(pointer);
  return pointer;
}

void *disk_room(void *items, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return items;
  *capacity = *capacity ? *capacity * 2 : 16;
  return must(sdb_mem_resize(sdb_platform_mem(), items, sdb_mem_product(*capacity, size)));
}

bool disk_reaches(sim_disk *disk) {
  if (!disk->dead && disk->die_within > 0 && --disk->die_within == 0) disk->dead = true;
  return !disk->dead;
}

/* ---- bytes ---- */

static void set_size(disk_bytes *bytes, size_t size) {
  if (size > bytes->capacity) {
    size_t capacity = bytes->capacity ? bytes->capacity : 4096;
    while (capacity < size)
      capacity *= 2;
    bytes->data = must(sdb_mem_resize(sdb_platform_mem(), bytes->data, capacity));
    bytes->capacity = capacity;
  }
  if (size > bytes->size) memset(bytes->data + bytes->size, 0, size - bytes->size);
  bytes->size = size;
}

static void put(disk_bytes *bytes, size_t at, const void *from, size_t size) {
  if (at + size > bytes->size) set_size(bytes, at + size);
  if (size > 0) memcpy(bytes->data + at, from, size);
}

static void copy(disk_bytes *to, const disk_bytes *from) {
  to->size = 0;
  put(to, 0, from->data, from->size);
}

static void free_bytes(disk_bytes *bytes) {
  sdb_mem_free(sdb_platform_mem(), bytes->data);
}

/* ---- a file ---- */

disk_node *disk_make_node(sim_disk *disk) {
  disk_node *node = must(sdb_mem_zero(sdb_platform_mem(), sizeof(*node)));
  node->next = disk->nodes;
  disk->nodes = node;
  return node;
}

static void free_node(disk_node *node) {
  SDB_ASSERT(node->opened == 0);
  free_bytes(&node->seen);
  free_bytes(&node->safe);
  free_bytes(&node->written);
  sdb_mem_free(sdb_platform_mem(), node->changes);
  sdb_mem_free(sdb_platform_mem(), node);
}

static disk_change *add_change(disk_node *node) {
  node->changes = disk_room(
      node->changes, node->changes_count, &node->changes_capacity, sizeof(*node->changes));
  disk_change *change = &node->changes[node->changes_count++];
  *change = (disk_change){.truncates = false};
  return change;
}

void disk_write(disk_node *node, size_t at, const void *from, size_t size) {
  disk_change *change = add_change(node);
  change->at = at;
  change->size = size;
  change->from = node->written.size;
  put(&node->written, node->written.size, from, size);
  put(&node->seen, at, from, size);
}

void disk_truncate(disk_node *node, size_t size) {
  disk_change *change = add_change(node);
  change->truncates = true;
  change->at = size;
  set_size(&node->seen, size);
}

static void apply(disk_node *node, const disk_change *change) {
  if (change->truncates)
    set_size(&node->safe, change->at);
  else
    put(&node->safe, change->at, node->written.data + change->from, change->size);
}

static void forget_changes(disk_node *node) {
  node->changes_count = 0;
  node->written.size = 0;
}

void disk_sync(sim_disk *disk, disk_node *node) {
  disk->counts.syncs++;
  for (size_t i = 0; i < node->changes_count; i++) {
    if (!node->changes[i].forgotten) apply(node, &node->changes[i]);
  }
  forget_changes(node);
}

void disk_fail_sync(sim_disk *disk, disk_node *node) {
  for (size_t i = 0; i < node->changes_count; i++) {
    disk_change *change = &node->changes[i];
    if (change->done || change->forgotten) continue;
    change->done = sim_chance(&disk->random, 400);
    change->forgotten = disk->forgets && !change->done && sim_chance(&disk->random, 500);
  }
}

size_t disk_read(const disk_node *node, size_t at, void *to, size_t size) {
  if (at >= node->seen.size) return 0;
  size_t there = node->seen.size - at;
  if (size > there) size = there;
  if (size > 0) memcpy(to, node->seen.data + at, size);
  return size;
}

/* Those of its sectors that are drawn. */
static void tear(sim_disk *disk, disk_node *node, const disk_change *change) {
  size_t end = change->at + change->size;
  for (size_t at = change->at, next; at < end; at = next) {
    next = at - at % SECTOR + SECTOR;
    if (next > end) next = end;
    const uint8_t *from = node->written.data + change->from + (at - change->at);
    if (sim_chance(&disk->random, 500)) put(&node->safe, at, from, next - at);
  }
}

static void lose_power(sim_disk *disk, disk_node *node, uint32_t kept_permille) {
  size_t seen_size = node->seen.size;
  for (size_t i = 0; i < node->changes_count; i++) {
    const disk_change *change = &node->changes[i];
    if (change->forgotten) continue;
    if (change->done || sim_chance(&disk->random, kept_permille)) {
      apply(node, change);
      disk->counts.kept++;
    } else if (!change->truncates && sim_chance(&disk->random, 400)) {
      tear(disk, node, change);
      disk->counts.torn++;
    } else {
      disk->counts.lost++;
    }
  }
  /* A file's length may be there before what was written into it. */
  if (node->changes_count > 0 && node->safe.size < seen_size && sim_chance(&disk->random, 250))
    set_size(&node->safe, seen_size);
  forget_changes(node);
  copy(&node->seen, &node->safe);
}

/* ---- names ---- */

static disk_name *find_name(const disk_folder *folder, const char *name) {
  for (size_t i = 0; i < folder->count; i++) {
    if (strcmp(folder->names[i].name, name) == 0) return &folder->names[i];
  }
  return NULL;
}

disk_node *disk_find(const sim_disk *disk, const char *name) {
  const disk_name *found = find_name(&disk->seen, name);
  return found ? found->node : NULL;
}

static void apply_move(disk_folder *folder, const disk_move *move) {
  disk_name *from = move->from[0] ? find_name(folder, move->from) : NULL;
  if (from) *from = folder->names[--folder->count];
  if (!move->to[0]) return;
  disk_name *to = find_name(folder, move->to);
  if (!to) {
    folder->names = disk_room(folder->names, folder->count, &folder->capacity, sizeof(*to));
    to = &folder->names[folder->count++];
    memcpy(to->name, move->to, sizeof(to->name));
  }
  to->node = move->node;
}

void disk_move_name(sim_disk *disk, const char *from, const char *to, disk_node *node) {
  SDB_ASSERT(strlen(from) < DISK_NAME_SIZE && strlen(to) < DISK_NAME_SIZE);
  disk->moves =
      disk_room(disk->moves, disk->moves_count, &disk->moves_capacity, sizeof(*disk->moves));
  disk_move *move = &disk->moves[disk->moves_count++];
  memset(move, 0, sizeof(*move));
  memcpy(move->from, from, strlen(from));
  memcpy(move->to, to, strlen(to));
  move->node = node;
  apply_move(&disk->seen, move);
}

static void copy_folder(disk_folder *to, const disk_folder *from) {
  to->count = 0;
  for (size_t i = 0; i < from->count; i++) {
    to->names = disk_room(to->names, to->count, &to->capacity, sizeof(*to->names));
    to->names[to->count++] = from->names[i];
  }
}

void disk_sync_names(sim_disk *disk) {
  if (disk->moves_count == 0) return;
  copy_folder(&disk->safe, &disk->seen);
  disk->moves_count = 0;
}

static void lose_names(sim_disk *disk, uint32_t kept_permille) {
  for (size_t i = 0; i < disk->moves_count; i++) {
    if (sim_chance(&disk->random, kept_permille))
      apply_move(&disk->safe, &disk->moves[i]);
    else
      disk->counts.names_lost++;
  }
  disk->moves_count = 0;
  copy_folder(&disk->seen, &disk->safe);
}

static void mark_folder(const disk_folder *folder) {
  for (size_t i = 0; i < folder->count; i++)
    folder->names[i].node->marked = true;
}

void disk_collect(sim_disk *disk) {
  for (disk_node *node = disk->nodes; node; node = node->next)
    node->marked = node->opened > 0;
  mark_folder(&disk->seen);
  mark_folder(&disk->safe);
  for (size_t i = 0; i < disk->moves_count; i++) {
    if (disk->moves[i].node) disk->moves[i].node->marked = true;
  }
  for (disk_node **at = &disk->nodes, *node; (node = *at);) {
    if (node->marked) {
      at = &node->next;
      continue;
    }
    *at = node->next;
    free_node(node);
  }
}

/* ---- the disk ---- */

sim_disk *sim_disk_create(uint64_t seed) {
  sim_disk *disk = must(sdb_mem_zero(sdb_platform_mem(), sizeof(*disk)));
  disk->random = sim_random_of(seed, 0);
  disk_vfs_init(disk);
  return disk;
}

static void assert_closed(const sim_disk *disk) {
  for (const disk_node *node = disk->nodes; node; node = node->next)
    SDB_ASSERT(node->opened == 0);
}

void sim_disk_clear(sim_disk *disk) {
  assert_closed(disk);
  disk->seen.count = disk->safe.count = disk->moves_count = 0;
  disk_collect(disk);
  SDB_ASSERT(!disk->nodes);
}

void sim_disk_destroy(sim_disk *disk) {
  sim_disk_clear(disk);
  sqlite3_vfs_unregister(&disk->vfs);
  sdb_mem_free(sdb_platform_mem(), disk->seen.names);
  sdb_mem_free(sdb_platform_mem(), disk->safe.names);
  sdb_mem_free(sdb_platform_mem(), disk->moves);
  sdb_mem_free(sdb_platform_mem(), disk->descriptors);
  sdb_mem_free(sdb_platform_mem(), disk);
}

const sdb_system *sim_disk_system(sim_disk *disk) {
  return &disk->system;
}

void sim_disk_begin(sim_disk *disk) {
  int seed = (int)(sim_random_next(&disk->random) >> 33 | 1);
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, seed, NULL);
}

void sim_disk_set_fault(sim_disk *disk, sim_disk_fault fault) {
  disk->fault = fault;
}

void sim_disk_forget(sim_disk *disk, bool forgets) {
  disk->forgets = forgets;
}

void sim_disk_die_within(sim_disk *disk, unsigned operations) {
  disk->die_within = operations;
}

bool sim_disk_is_dead(const sim_disk *disk) {
  return disk->dead;
}

void sim_disk_kill(sim_disk *disk) {
  disk->dead = true;
}

void sim_disk_end(sim_disk *disk, sim_end how) {
  assert_closed(disk);
  disk->dead = false;
  disk->die_within = 0;
  if (how == SIM_POWER_LOST) {
    static const uint32_t KEPT_PERMILLE[] = {0, 200, 500, 800, 1000};
    uint32_t kept = KEPT_PERMILLE[sim_below(&disk->random, SDB_COUNT_OF(KEPT_PERMILLE))];
    for (disk_node *node = disk->nodes; node; node = node->next)
      lose_power(disk, node, kept);
    lose_names(disk, kept);
  }
  disk_collect(disk);
}

/* ---- images ---- */

struct sim_disk_image {
  disk_name *names;
  disk_bytes *contents;
  size_t count;
};

sim_disk_image *sim_disk_take_image(const sim_disk *disk) {
  const sdb_mem *mem = sdb_platform_mem();
  sim_disk_image *image = must(sdb_mem_zero(mem, sizeof(*image)));
  image->count = disk->seen.count;
  if (image->count == 0) return image;
  image->names = must(sdb_mem_zero(mem, image->count * sizeof(*image->names)));
  image->contents = must(sdb_mem_zero(mem, image->count * sizeof(*image->contents)));
  for (size_t i = 0; i < image->count; i++) {
    image->names[i] = disk->seen.names[i];
    copy(&image->contents[i], &disk->seen.names[i].node->seen);
  }
  return image;
}

void sim_disk_put_image(sim_disk *disk, const sim_disk_image *image) {
  sim_disk_clear(disk);
  for (size_t i = 0; i < image->count; i++) {
    disk_node *node = disk_make_node(disk);
    copy(&node->seen, &image->contents[i]);
    copy(&node->safe, &image->contents[i]);
    disk_move_name(disk, "", image->names[i].name, node);
  }
  disk_sync_names(disk);
}

void sim_disk_image_free(sim_disk_image *image) {
  if (!image) return;
  for (size_t i = 0; i < image->count; i++)
    free_bytes(&image->contents[i]);
  sdb_mem_free(sdb_platform_mem(), image->names);
  sdb_mem_free(sdb_platform_mem(), image->contents);
  sdb_mem_free(sdb_platform_mem(), image);
}

/* ---- for tests ---- */

const uint8_t *sim_disk_file(const sim_disk *disk, const char *path, size_t *size) {
  const disk_node *node = disk_find(disk, path);
  *size = node ? node->seen.size : 0;
  return node ? node->seen.data : NULL;
}

void sim_disk_damage(sim_disk *disk, const char *path, size_t at, const void *with, size_t size) {
  disk_node *node = disk_find(disk, path);
  SDB_ASSERT(node && size > 0 && at + size <= node->seen.size && at + size <= node->safe.size);
  memcpy(node->seen.data + at, with, size);
  memcpy(node->safe.data + at, with, size);
}

sim_disk_counts sim_disk_count(const sim_disk *disk) {
  return disk->counts;
}
