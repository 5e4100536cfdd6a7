/* server/metrics.c: GET /metrics, in the Prometheus text format 0.0.4. */
#include "server/state.h"
#include <inttypes.h>
#include <stdio.h>

static void write_line(sdb_buffer *to, const char *name, const char *labels, double value) {
  char line[256];
  int size = snprintf(line, sizeof(line), "syncdb_%s%s %.17g\n", name, labels, value);
  if (size > 0 && (size_t)size < sizeof(line)) sdb_buffer_append(to, line, (size_t)size);
}

static void write_head(sdb_buffer *to, const char *name, const char *type, const char *help) {
  char line[256];
  int size = snprintf(
      line, sizeof(line), "# HELP syncdb_%s %s\n# TYPE syncdb_%s %s\n", name, help, name, type);
  if (size > 0 && (size_t)size < sizeof(line)) sdb_buffer_append(to, line, (size_t)size);
}

static void write_one(
    sdb_buffer *to, const char *name, const char *type, const char *help, uint64_t value) {
  write_head(to, name, type, help);
  write_line(to, name, "", (double)value);
}

/* Buckets come each for itself and are written cumulative, as the format wants them. */
static void write_histogram(sdb_buffer *to, const char *name, const char *help,
    const uint64_t *buckets, const char *const *bounds, size_t count, double sum) {
  char full[64], labels[64];
  uint64_t total = 0;
  write_head(to, name, "histogram", help);
  snprintf(full, sizeof(full), "%s_bucket", name);
  for (size_t i = 0; i < count; i++) {
    total += buckets[i];
    snprintf(labels, sizeof(labels), "{le=\"%s\"}", bounds[i]);
    write_line(to, full, labels, (double)total);
  }
  snprintf(full, sizeof(full), "%s_sum", name);
  write_line(to, full, "", sum);
  snprintf(full, sizeof(full), "%s_count", name);
  write_line(to, full, "", (double)total);
}

static void write_storage(sdb_database *database, sdb_buffer *to) {
  static const char *const SIZES[] = {"1", "4", "16", "64", "256", "1024", "4096", "+Inf"};
  static const char *const TIMES[] = {
      "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.025", "0.1", "+Inf"};
  _Static_assert(SDB_COUNT_OF(SIZES) == SDB_COMMIT_SIZE_BUCKETS, "a bound a bucket");
  _Static_assert(SDB_COUNT_OF(TIMES) == SDB_COMMIT_TIME_BUCKETS, "a bound a bucket");
  sdb_storage_stats stats = {0};
  database->storage.stats(database->storage.self, &stats);
  write_histogram(to, "commit_size", "Changes in one transaction.", stats.commit_size_buckets,
      SIZES, SDB_COMMIT_SIZE_BUCKETS, (double)stats.writes);
  write_histogram(to, "commit_seconds", "Time of one transaction, its sync included.",
      stats.commit_time_buckets, TIMES, SDB_COMMIT_TIME_BUCKETS,
      (double)stats.commit_time_us / 1e6);
  write_one(
      to, "commits_failed_total", "counter", "Transactions that failed.", stats.commits_failed);
  write_one(to, "storage_in_flight", "gauge", "Operations that the storage works on.",
      database->in_flight);
}

static void write_pushes(const sdb_hub_stats *stats, sdb_buffer *to) {
  const struct {
    const char *labels;
    uint64_t value;
  } OUTCOMES[] = {
      {"{outcome=\"stored\"}", stats->pushes_stored},
      {"{outcome=\"duplicate\"}", stats->pushes_duplicate},
      {"{outcome=\"rejected\"}", stats->pushes_rejected},
      {"{outcome=\"invalid\"}", stats->pushes_invalid},
      {"{outcome=\"not_found\"}", stats->pushes_not_found},
      {"{outcome=\"rate_limited\"}", stats->pushes_limited},
      {"{outcome=\"unavailable\"}", stats->pushes_unavailable},
  };
  write_head(to, "pushes_total", "counter", "Pushes of clients, by outcome.");
  for (size_t i = 0; i < SDB_COUNT_OF(OUTCOMES); i++)
    write_line(to, "pushes_total", OUTCOMES[i].labels, (double)OUTCOMES[i].value);
}

static void write_hub(sdb_database *database, sdb_buffer *to) {
  sdb_hub_stats stats = {0};
  sdb_hub_stats_get(database->hub, &stats);
  write_pushes(&stats, to);
  write_one(to, "users", "gauge", "Users in memory.", stats.users);
  write_one(to, "partials", "gauge", "Partials that are being made.", stats.partials);
  write_one(to, "events_sent_total", "counter", "Live events sent, one for each device.",
      stats.events_sent);
  write_one(to, "partials_sent_total", "counter", "Partials sent, whole or appended.",
      stats.partials_sent);
  write_one(to, "partials_folded_total", "counter", "Partials held back for a slow reader.",
      stats.partials_folded);
  write_one(
      to, "catch_up_pages_total", "counter", "Pages of missed events read.", stats.catch_up_pages);
  write_one(to, "catch_up_events_total", "counter", "Missed events sent.", stats.catch_up_events);
}

static void write_net(sdb_database *database, sdb_buffer *to) {
  sdb_net_stats stats = {0};
  sdb_net_stats_get(database->net, &stats);
  sdb_hub_stats hub = {0};
  sdb_hub_stats_get(database->hub, &hub);
  write_one(to, "connections", "gauge", "Devices connected.", hub.peers);
  write_one(to, "connections_compressed", "gauge", "Open connections with permessage-deflate.",
      stats.connections_compressed);
  write_one(to, "accepted_total", "counter", "Connections accepted.", stats.accepted);
  write_one(to, "refused_origin_total", "counter", "Upgrades refused for their origin.",
      stats.refused_origin);
  write_one(
      to, "refused_http_total", "counter", "Requests refused as malformed.", stats.refused_http);
  write_one(to, "unauthorized_total", "counter", "Devices without a valid identity.",
      database->stats.unauthorized);
  write_one(to, "protocol_errors_total", "counter", "Connections closed for broken frames.",
      stats.protocol_errors);
  write_one(to, "slow_readers_closed_total", "counter",
      "Connections closed for reading too slowly.", stats.slow_closed);
  write_one(to, "received_bytes_total", "counter", "Bytes received.", stats.bytes_in);
  write_one(to, "sent_bytes_total", "counter", "Bytes sent.", stats.bytes_out);
  write_one(to, "messages_received_total", "counter", "Messages received.", stats.messages_in);
  write_one(to, "output_buffered_bytes", "gauge", "Bytes that wait for slow readers.",
      stats.output_buffered_bytes);
}

void sdb_metrics_write(sdb_database *database, sdb_buffer *to) {
  write_net(database, to);
  write_hub(database, to);
  write_storage(database, to);
  write_one(to, "subscriber_events_total", "counter", "Events handed to subscribers.",
      database->stats.events_delivered);
  write_one(to, "subscriber_backlog", "gauge", "Events that wait for subscribers or run.",
      sdb_lanes_backlog(&database->lanes));
  sdb_hub_stats hub;
  sdb_hub_stats_get(database->hub, &hub);
  write_one(to, "verdicts_waiting", "gauge", "Pushes the application is asked about.", hub.judging);
  write_one(to, "verdicts_timed_out_total", "counter", "Pushes that got no verdict in time.",
      hub.judge_timeouts);
}
