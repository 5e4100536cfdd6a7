/* cli/bench_histogram.c: times in buckets that grow with the time, as HDR histograms have them.
 *
 * Up to 64 ns a bucket a nanosecond; from there on 64 buckets for each power of two, so that a
 * value read back is at most 1.6 % off, whatever its size. The last bucket takes all beyond it.
 */
#include "bench.h"
#include <time.h>

#define STEPS SDB_BENCH_HISTOGRAM_STEPS

uint64_t sdb_bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Bucket [64 * (shift + 1) + n] holds the values (64 + n) << shift and up. */
static size_t bucket_of(uint64_t value) {
  if (value < STEPS) return (size_t)value;
  unsigned shift = 57u - (unsigned)__builtin_clzll(value);
  size_t bucket = (size_t)STEPS * (shift + 1) + (size_t)(value >> shift) - STEPS;
  return bucket < SDB_BENCH_HISTOGRAM_SIZE ? bucket : SDB_BENCH_HISTOGRAM_SIZE - 1;
}

static double middle_of(size_t bucket) {
  if (bucket < STEPS) return (double)bucket;
  unsigned shift = (unsigned)(bucket / STEPS) - 1;
  uint64_t low = (uint64_t)(STEPS + bucket % STEPS) << shift;
  return (double)low + (double)((uint64_t)1 << shift) / 2;
}

void sdb_bench_histogram_add(sdb_bench_histogram *histogram, uint64_t nanoseconds) {
  histogram->counts[bucket_of(nanoseconds)]++;
  histogram->total++;
}

double sdb_bench_histogram_us(const sdb_bench_histogram *histogram, double part) {
  uint64_t below = (uint64_t)((double)histogram->total * part), seen = 0;
  for (size_t bucket = 0; bucket < SDB_BENCH_HISTOGRAM_SIZE; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > below) return middle_of(bucket) / 1000;
  }
  return 0;
}
