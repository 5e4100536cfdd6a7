/* cli/bench_partials.c: streams: 100 users with two devices each; each pushes a message that asks
 * for so many tokens, which the server (bench/partials_server.c) streams as a partial and commits.
 *
 * Tokens count once both devices of every user have the committed object, whose length is checked.
 * As fast as they can be made, many tokens fold into one message. So a second form streams a token
 * in two milliseconds, each mostly its own message: twice the tokens must then come as about twice
 * the bytes. Devices that do not accept `append` show what it would be otherwise: four times.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BENCH "partials"
#define STREAMS 100
#define DEVICES 2
#define TOKENS 400
#define TWICE "bytes of 400 tokens / of 200"
#define LINEAR_MOST 2.5 /* folding differs a little between runs */
#define TOKEN_BYTES 6   /* what partials_server streams: five letters and a blank */

typedef struct stream_set stream_set;

typedef struct stream_device {
  sdb_bench_device device;
  stream_set *streams;
  uint64_t partials;
  size_t object_bytes; /* the committed content's, 0 before */
} stream_device;

struct stream_set {
  sdb_bench *bench;
  char group[16]; /* new users each time, who have no history */
  stream_device devices[STREAMS * DEVICES];
  unsigned committed;
  size_t hint;
};

typedef struct stream_form {
  const char *name;
  bool append;       /* what the devices accept */
  unsigned pause_us; /* behind each token */
} stream_form;

static const stream_form FORMS[] = {
    {"append", true, 0}, {"append, paced", true, 2000}, {"whole, paced", false, 2000}};

typedef struct stream_result {
  double tokens_per_second, bytes_per_stream, partials_per_stream;
} stream_result;

static void on_message(sdb_bench_device *device, const char *text, size_t size) {
  stream_device *self = device->tag;
  sdb_bench_message type = sdb_bench_message_type(text, size);
  if (type == SDB_BENCH_PARTIAL) self->partials++;
  if (type == SDB_BENCH_ERROR) sdb_bench_fail(self->streams->bench, "error: %.200s", text);
  if (type != SDB_BENCH_UPDATE || !memmem(text, size, "\"role\":\"assistant\"", 18)) return;
  const char *content =
      sdb_bench_message_find(text, size, "\"content\":\"", 1, &self->streams->hint);
  const char *end = content ? memchr(content, '"', size - (size_t)(content - text)) : NULL;
  self->object_bytes = end ? (size_t)(end - content) : 0;
  self->streams->committed++;
}

static bool connect_all(
    stream_set *streams, sdb_bench_loop *loop, const sdb_bench_server *server, bool append) {
  uint64_t deadline_ns = sdb_bench_patience_ns();
  for (unsigned at = 0; at < STREAMS * DEVICES; at++) {
    stream_device *self = &streams->devices[at];
    self->streams = streams;
    self->device = (sdb_bench_device){.message = on_message, .tag = self, .index = at};
    self->device.hello = append ? "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},"
                                  "\"accept\":[\"append\"]}}"
                                : NULL;
    if (!sdb_bench_device_connect(loop, &self->device, server, streams->group, at / DEVICES))
      return false;
  }
  while (loop->helloed < STREAMS * DEVICES) {
    if (!sdb_bench_turn(loop, deadline_ns, "every device's server_hello")) return false;
  }
  return true;
}

static void ask(stream_device *self, unsigned number, const stream_form *form, unsigned tokens) {
  char message[256];
  int size = snprintf(message, sizeof(message),
      "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":{\"role\":\"user\","
      "\"content\":\"%u %u\"},\"clientId\":\"%08x-0000-4000-8000-%012llx\"}}",
      tokens, form->pause_us, number, (unsigned long long)sdb_bench_now_ns() & 0xffffffffffffull);
  sdb_bench_device_send(&self->device, message, (size_t)size);
}

static bool check_lengths(stream_set *streams, unsigned tokens) {
  for (unsigned at = 0; at < STREAMS * DEVICES; at++) {
    size_t bytes = streams->devices[at].object_bytes;
    if (bytes != (size_t)tokens * TOKEN_BYTES)
      return sdb_bench_fail(
          streams->bench, "device %u got %zu bytes of %u tokens", at, bytes, tokens);
  }
  return true;
}

static uint64_t bytes_in(const stream_set *streams) {
  uint64_t bytes = 0;
  for (unsigned at = 0; at < STREAMS * DEVICES; at++)
    bytes += sdb_ws_client_bytes_in(streams->devices[at].device.client);
  return bytes;
}

static bool stream(stream_set *streams, sdb_bench_loop *loop, const stream_form *form,
    unsigned tokens, stream_result *result) {
  uint64_t bytes_before = bytes_in(streams), partials = 0;
  uint64_t began_ns = sdb_bench_now_ns(), deadline_ns = sdb_bench_patience_ns();
  streams->committed = 0;
  for (unsigned at = 0; at < STREAMS; at++)
    ask(&streams->devices[at * DEVICES], at, form, tokens);
  while (streams->committed < STREAMS * DEVICES) {
    if (!sdb_bench_turn(loop, deadline_ns, "every stream's commit")) return false;
  }
  result->tokens_per_second =
      STREAMS * (double)tokens / ((double)(sdb_bench_now_ns() - began_ns) / 1e9);
  result->bytes_per_stream = (double)(bytes_in(streams) - bytes_before) / (STREAMS * DEVICES);
  for (unsigned at = 0; at < STREAMS * DEVICES; at++)
    partials += streams->devices[at].partials;
  result->partials_per_stream = (double)partials / (STREAMS * DEVICES);
  return check_lengths(streams, tokens);
}

static bool measure(sdb_bench *bench, const sdb_bench_server *server, const stream_form *form,
    unsigned tokens, stream_result *result) {
  stream_set *streams = calloc(1, sizeof(*streams));
  if (!streams) return sdb_bench_fail(bench, "out of memory");
  sdb_bench_loop loop;
  streams->bench = bench;
  snprintf(streams->group, sizeof(streams->group), "stream%u", bench->pushers_opened++);
  bool done = sdb_bench_loop_open(&loop, bench) &&
              connect_all(streams, &loop, server, form->append) &&
              stream(streams, &loop, form, tokens, result);
  for (unsigned at = 0; at < STREAMS * DEVICES; at++)
    sdb_bench_device_drop(&streams->devices[at].device);
  sdb_bench_loop_close(&loop);
  free(streams);
  return done;
}

static void add(
    sdb_bench *bench, const stream_form *form, const char *what, const char *unit, double value) {
  char name[72];
  snprintf(name, sizeof(name), "%s: %s", form->name, what);
  sdb_bench_add(&bench->report, BENCH, name, unit, value);
}

static bool measure_form(
    sdb_bench *bench, const sdb_bench_server *server, const stream_form *form) {
  stream_result half = {0}, full = {0};
  if (!measure(bench, server, form, TOKENS / 2, &half)) return false;
  if (!measure(bench, server, form, TOKENS, &full)) return false;
  add(bench, form, "tokens to both devices", "/s", full.tokens_per_second);
  add(bench, form, "messages a stream", "", full.partials_per_stream);
  add(bench, form, "bytes a token", "B", full.bytes_per_stream / TOKENS);
  add(bench, form, TWICE, "times", full.bytes_per_stream / half.bytes_per_stream);
  return true;
}

bool sdb_bench_partials(sdb_bench *bench) {
  char program[SDB_BENCH_PATH_SIZE + 32];
  snprintf(program, sizeof(program), "%s/partials_server", bench->programs);
  if (access(program, X_OK) != 0 || bench->urls_count > 0) {
    fprintf(stderr, "%s: left out, it needs %s and no --server\n", BENCH, program);
    return true;
  }
  fprintf(stderr, "%s\n", BENCH);
  sdb_bench_server server = {.kind = SDB_BENCH_PARTIALS, .name = "partials_server", .output = -1};
  bool done = sdb_bench_server_start(bench, &server);
  for (unsigned run = 0; done && run < bench->runs; run++)
    done = measure_form(bench, &server, &FORMS[0]) && measure_form(bench, &server, &FORMS[1]) &&
           measure_form(bench, &server, &FORMS[2]);
  sdb_bench_limit(&bench->report, BENCH, "append, paced: " TWICE, SDB_BENCH_AT_MOST, LINEAR_MOST);
  if (done) return sdb_bench_server_stop(bench, &server, false);
  sdb_bench_server_kill(&server);
  return false;
}
