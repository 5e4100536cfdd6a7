/* cli/bench_report.c: the figures, as a table for people and as JSON for machines.
 *
 * A figure is the median of its runs. Its ratio is how often it fulfils its limit: 1.00 or more is
 * good, whether the limit is a least or a most.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

sdb_bench_figure *sdb_bench_figure_of(
    sdb_bench_report *report, const char *bench, const char *name, const char *unit) {
  for (size_t at = 0; at < report->count; at++) {
    sdb_bench_figure *figure = &report->figures[at];
    if (strcmp(figure->bench, bench) == 0 && strcmp(figure->name, name) == 0) return figure;
  }
  if (report->count == report->capacity) {
    size_t capacity = report->capacity ? report->capacity * 2 : 32;
    void *figures = realloc(report->figures, capacity * sizeof(*report->figures));
    if (!figures) return NULL;
    report->figures = figures;
    report->capacity = capacity;
  }
  sdb_bench_figure *figure = &report->figures[report->count++];
  memset(figure, 0, sizeof(*figure));
  snprintf(figure->bench, sizeof(figure->bench), "%s", bench);
  snprintf(figure->name, sizeof(figure->name), "%s", name);
  snprintf(figure->unit, sizeof(figure->unit), "%s", unit);
  return figure;
}

void sdb_bench_add(
    sdb_bench_report *report, const char *bench, const char *name, const char *unit, double value) {
  sdb_bench_figure *figure = sdb_bench_figure_of(report, bench, name, unit);
  if (figure && figure->count < SDB_BENCH_RUNS_MAX) figure->values[figure->count++] = value;
}

void sdb_bench_limit(sdb_bench_report *report, const char *bench, const char *name,
    sdb_bench_bound bound, double limit) {
  sdb_bench_figure *figure = sdb_bench_figure_of(report, bench, name, "");
  if (!figure) return;
  figure->bound = bound;
  figure->limit = limit;
}

void sdb_bench_target(
    sdb_bench_report *report, const char *bench, const char *name, double target) {
  sdb_bench_figure *figure = sdb_bench_figure_of(report, bench, name, "");
  if (figure) figure->target = target;
}

void sdb_bench_report_free(sdb_bench_report *report) {
  free(report->figures);
  memset(report, 0, sizeof(*report));
}

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

/* Puts the values in order; the median is the middle one, or the mean of the middle two. */
static double sorted_median(const sdb_bench_figure *figure, double *sorted) {
  memcpy(sorted, figure->values, sizeof(figure->values));
  qsort(sorted, figure->count, sizeof(double), compare);
  if (figure->count == 0) return 0;
  size_t middle = figure->count / 2;
  return figure->count % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double sdb_bench_median(const sdb_bench_figure *figure) {
  double sorted[SDB_BENCH_RUNS_MAX];
  return sorted_median(figure, sorted);
}

static double ratio_of(const sdb_bench_figure *figure, double median) {
  double part = figure->bound == SDB_BENCH_AT_LEAST ? median : figure->limit;
  double whole = figure->bound == SDB_BENCH_AT_LEAST ? figure->limit : median;
  return whole != 0 ? part / whole : 999;
}

/* ---- the table ---- */

/* 1234567.8 as "1,234,568", 12.345 as "12.3", 1.2345 as "1.23". */
static void format_number(double value, char *text, size_t capacity) {
  double size = value < 0 ? -value : value;
  if (size < 1000) {
    snprintf(text, capacity, "%.*f", size < 10 ? 2 : size < 100 ? 1 : 0, value);
    return;
  }
  char digits[32];
  int length = snprintf(digits, sizeof(digits), "%.0f", value);
  size_t at = 0;
  for (int from = 0; from < length && at + 2 < capacity; from++) {
    if (from > 0 && digits[from - 1] != '-' && (length - from) % 3 == 0) text[at++] = ',';
    text[at++] = digits[from];
  }
  text[at] = 0;
}

static void print_figure(const sdb_bench_figure *figure, FILE *to) {
  double sorted[SDB_BENCH_RUNS_MAX], median = sorted_median(figure, sorted);
  char value[40], low[40], high[40], range[96] = "", limit[40];
  format_number(median, value, sizeof(value));
  if (figure->count > 1) {
    format_number(sorted[0], low, sizeof(low));
    format_number(sorted[figure->count - 1], high, sizeof(high));
    snprintf(range, sizeof(range), "%s..%s", low, high);
  }
  fprintf(to, "  %-50s %11s %-6s %-20s", figure->name, value, figure->unit, range);
  if (figure->bound != SDB_BENCH_UNBOUND) {
    double ratio = ratio_of(figure, median);
    format_number(figure->limit, limit, sizeof(limit));
    fprintf(to, " %s %-9s %7.2f %s", figure->bound == SDB_BENCH_AT_LEAST ? ">=" : "<=", limit,
        ratio, ratio >= 1 ? "ok" : "MISSED");
  }
  if (figure->target != 0) {
    format_number(figure->target, limit, sizeof(limit));
    fprintf(to, "  target %s: %.2f", limit, median / figure->target);
  }
  fputc('\n', to);
}

void sdb_bench_report_print(const sdb_bench_report *report, FILE *to) {
  const char *bench = "";
  for (size_t at = 0; at < report->count; at++) {
    const sdb_bench_figure *figure = &report->figures[at];
    if (figure->count == 0) continue;
    if (strcmp(bench, figure->bench) != 0) {
      bench = figure->bench;
      fprintf(to, "\n%-52s %11s %-6s %-20s %-12s %7s\n", bench, "median", "unit", "all runs",
          "limit", "ratio");
    }
    print_figure(figure, to);
  }
}

/* ---- JSON ---- */

static void write_string(FILE *to, const char *text) {
  fputc('"', to);
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < ' ')
      fprintf(to, "\\u%04x", c);
    else if (c == '"' || c == '\\')
      fprintf(to, "\\%c", c);
    else
      fputc(c, to);
  }
  fputc('"', to);
}

static void write_figure(FILE *to, const sdb_bench_figure *figure) {
  double median = sdb_bench_median(figure);
  fputs("{\"bench\":", to);
  write_string(to, figure->bench);
  fputs(",\"name\":", to);
  write_string(to, figure->name);
  fputs(",\"unit\":", to);
  write_string(to, figure->unit);
  fprintf(to, ",\"median\":%.6g,\"runs\":[", median);
  for (size_t at = 0; at < figure->count; at++)
    fprintf(to, "%s%.6g", at ? "," : "", figure->values[at]);
  fputc(']', to);
  if (figure->bound != SDB_BENCH_UNBOUND) {
    double ratio = ratio_of(figure, median);
    fprintf(to, ",\"%s\":%.6g,\"ratio\":%.4g,\"ok\":%s",
        figure->bound == SDB_BENCH_AT_LEAST ? "atLeast" : "atMost", figure->limit, ratio,
        ratio >= 1 ? "true" : "false");
  }
  if (figure->target != 0)
    fprintf(to, ",\"target\":%.6g,\"targetRatio\":%.4g", figure->target, median / figure->target);
  fputc('}', to);
}

static void write_machine(FILE *to) {
  struct utsname system;
  char when[32] = "";
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
  fprintf(to,
      "\"version\":\"%s\",\"when\":\"%s\",\"machine\":{\"cores\":%ld,\"kernel\":", SDB_VERSION,
      when, sysconf(_SC_NPROCESSORS_ONLN));
  write_string(to, uname(&system) == 0 ? system.release : "");
  fputc('}', to);
}

bool sdb_bench_report_write(
    const sdb_bench_report *report, const char *settings, const char *path) {
  FILE *to = fopen(path, "w");
  if (!to) return false;
  fputc('{', to);
  write_machine(to);
  fprintf(to, ",\"settings\":%s,\"figures\":[", settings);
  const char *between = "\n";
  for (size_t at = 0; at < report->count; at++) {
    if (report->figures[at].count == 0) continue;
    fputs(between, to);
    write_figure(to, &report->figures[at]);
    between = ",\n";
  }
  fputs("\n]}\n", to);
  bool written = !ferror(to);
  return fclose(to) == 0 && written;
}
