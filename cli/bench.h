/* cli/bench.h: what the benchmarks of `syncdb bench` share.
 *
 * A benchmark is a function over `sdb_bench` that starts servers, drives them through a loop of
 * devices, and adds figures to the report. Functions that give a bool say false when the benchmark
 * cannot go on; bench->error then tells why, and everything is torn down on the way out.
 */
#ifndef SDB_CLI_BENCH_H
#define SDB_CLI_BENCH_H

#include "ws_client.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SDB_BENCH_PATH_SIZE 512
#define SDB_BENCH_URLS_MAX 8
#define SDB_BENCH_RUNS_MAX 25

/* ---- figures: bench_report.c ---- */

typedef enum sdb_bench_bound {
  SDB_BENCH_UNBOUND,
  SDB_BENCH_AT_LEAST,
  SDB_BENCH_AT_MOST
} sdb_bench_bound;

/* One thing measured: a value a run. */
typedef struct sdb_bench_figure {
  char bench[16], name[72], unit[12];
  double values[SDB_BENCH_RUNS_MAX];
  size_t count;
  sdb_bench_bound bound;
  double limit;  /* what the project demands, where `bound` says so */
  double target; /* what the design aims at; 0: nothing said */
} sdb_bench_figure;

typedef struct sdb_bench_report {
  sdb_bench_figure *figures;
  size_t count, capacity;
} sdb_bench_report;

/* The figure of that name, made when it is new. NULL: out of memory. */
sdb_bench_figure *sdb_bench_figure_of(
    sdb_bench_report *report, const char *bench, const char *name, const char *unit);
/* Adds one run's value. */
void sdb_bench_add(
    sdb_bench_report *report, const char *bench, const char *name, const char *unit, double value);
void sdb_bench_limit(sdb_bench_report *report, const char *bench, const char *name,
    sdb_bench_bound bound, double limit);
void sdb_bench_target(sdb_bench_report *report, const char *bench, const char *name, double target);
double sdb_bench_median(const sdb_bench_figure *figure);
void sdb_bench_report_print(const sdb_bench_report *report, FILE *to);
/* Writes the machine, the settings in `settings` (a JSON object) and all figures. */
bool sdb_bench_report_write(const sdb_bench_report *report, const char *settings, const char *path);
void sdb_bench_report_free(sdb_bench_report *report);

/* ---- times: bench_histogram.c ---- */

#define SDB_BENCH_HISTOGRAM_STEPS 64 /* to a power of two: 1.6 % wide */
#define SDB_BENCH_HISTOGRAM_SIZE (SDB_BENCH_HISTOGRAM_STEPS * 40)

typedef struct sdb_bench_histogram {
  uint64_t total;
  uint32_t counts[SDB_BENCH_HISTOGRAM_SIZE];
} sdb_bench_histogram;

void sdb_bench_histogram_add(sdb_bench_histogram *histogram, uint64_t nanoseconds);
/* The time that `part` (0 to 1) of all were below, in microseconds; 0 where there are none. */
double sdb_bench_histogram_us(const sdb_bench_histogram *histogram, double part);
uint64_t sdb_bench_now_ns(void); /* monotonic */

/* ---- the run ---- */

typedef struct sdb_bench {
  unsigned runs;
  double seconds;                       /* how long one measurement of throughput lasts */
  const char *urls[SDB_BENCH_URLS_MAX]; /* servers that run already; none: start our own */
  size_t urls_count;
  char node_server[PATH_MAX];         /* server.mjs; empty: no Node to compare with */
  char programs[SDB_BENCH_PATH_SIZE]; /* where partials_server and storage_bench are */
  char root[SDB_BENCH_PATH_SIZE];     /* the temporary directory of this run */
  unsigned servers_started, pushers_opened;
  uint32_t salt; /* in all user names and client ids: a server that ran before knows neither */
  sdb_bench_report report;
  char error[512];
} sdb_bench;

/* Sets bench->error; gives false. */
bool sdb_bench_fail(sdb_bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether SIGINT or SIGTERM asked to end. */
bool sdb_bench_interrupted(void);

/* ---- servers: bench_server.c ---- */

typedef enum sdb_bench_kind {
  SDB_BENCH_SYNCDB = 1,
  SDB_BENCH_NODE_TURN, /* bench/node/server.mjs --commit turn: group commit */
  SDB_BENCH_NODE_EACH, /* --commit each: a transaction a message */
  SDB_BENCH_PARTIALS,  /* bench/partials_server.c */
  SDB_BENCH_URL        /* one that runs already */
} sdb_bench_kind;

typedef struct sdb_bench_server {
  sdb_bench_kind kind;
  const char *name;                    /* as the report calls it */
  pid_t pid;                           /* 0: not ours */
  int output;                          /* its standard output */
  char directory[SDB_BENCH_PATH_SIZE]; /* its database */
  char url[256];
  sdb_ws_endpoint endpoint;
} sdb_bench_server;

/* Makes the temporary directory, with the stores file, under `parent`. */
bool sdb_bench_root_create(sdb_bench *bench, const char *parent);
void sdb_bench_root_remove(sdb_bench *bench);

/* The servers to compare, ours first: `*count` of them in `servers` (of SDB_BENCH_URLS_MAX), none
 * started. `each`: with Node's transaction a message too. */
void sdb_bench_servers(const sdb_bench *bench, bool each, sdb_bench_server *servers, size_t *count);

/* Starts it on a new database (or, after sdb_bench_server_stop with `keep`, on the one it had) and
 * waits until it listens. */
bool sdb_bench_server_start(sdb_bench *bench, sdb_bench_server *server);
/* Ends it in order; false if it did not end well. `keep`: its database stays. */
bool sdb_bench_server_stop(sdb_bench *bench, sdb_bench_server *server, bool keep);
/* Ends it whatever it does, and removes its database. Does nothing when it is not running. */
void sdb_bench_server_kill(sdb_bench_server *server);

/* A line of /proc/PID/status in KiB, as "VmRSS"; 0 when there is none. */
long sdb_bench_memory_kib(const sdb_bench_server *server, const char *line);
/* The processor time that the server's process has used so far; 0 when it is not ours. */
double sdb_bench_cpu_seconds(const sdb_bench_server *server);
/* Makes VmHWM, the peak, begin anew. */
void sdb_bench_memory_reset_peak(const sdb_bench_server *server);
/* VmRSS once it stands still. */
long sdb_bench_memory_settled_kib(const sdb_bench_server *server);

/* Runs a program to its end, its standard output in `output`. False: it failed. */
bool sdb_bench_program_output(
    sdb_bench *bench, const char *const *arguments, char *output, size_t capacity);

/* ---- devices: bench_loop.c ---- */

typedef struct sdb_bench_device sdb_bench_device;
typedef struct sdb_bench_loop sdb_bench_loop;

/* A connection to a server. The owner sets hello, message, tag and index before connecting. A
 * `message` function may send and may fail the benchmark, but not drop a device. */
struct sdb_bench_device {
  const char *hello; /* NULL: an empty one, that everything is sent to */
  void (*message)(sdb_bench_device *device, const char *text, size_t size);
  void *tag;
  unsigned index;
  sdb_bench_loop *loop;
  sdb_ws_client *client;
  sdb_bench_device *next_dirty;
  int fd;
  uint32_t interest;      /* what epoll was told */
  uint64_t said_hello_ns; /* 0: not yet */
  bool dirty, helloed /* by the server */;
};

struct sdb_bench_loop {
  sdb_bench *bench;
  int epoll;
  sdb_ws_reader reader;
  sdb_bench_device *dirty;
  uint64_t now_ns; /* when the messages that are being delivered were read */
  unsigned connecting, helloed;
};

bool sdb_bench_loop_open(sdb_bench_loop *loop, sdb_bench *bench);
void sdb_bench_loop_close(sdb_bench_loop *loop);
/* Connects as user `number` of `group`. */
bool sdb_bench_device_connect(sdb_bench_loop *loop, sdb_bench_device *device,
    const sdb_bench_server *server, const char *group, unsigned number);
/* Drops the connection, without a close handshake. Does nothing when there is none. */
void sdb_bench_device_drop(sdb_bench_device *device);
/* Queues a message; it leaves at the end of the turn. */
void sdb_bench_device_send(sdb_bench_device *device, const char *text, size_t size);
/* Waits for sockets, delivers what came, sends what was queued. False: a device lost its
 * connection, an interrupt, or `deadline_ns` passed, which is then said to be spent waiting for
 * `what`. `what` NULL: passing the deadline is no failure. */
bool sdb_bench_turn(sdb_bench_loop *loop, uint64_t deadline_ns, const char *what);
/* The deadline for something that ought to take no more than a moment. */
uint64_t sdb_bench_patience_ns(void);

/* ---- messages: bench_message.c ---- */

typedef enum sdb_bench_message {
  SDB_BENCH_OTHER,
  SDB_BENCH_SERVER_HELLO,
  SDB_BENCH_UPDATE,
  SDB_BENCH_PARTIAL,
  SDB_BENCH_SYNCED,
  SDB_BENCH_ERROR
} sdb_bench_message;

sdb_bench_message sdb_bench_message_type(const char *text, size_t size);
/* What stands behind `key`, as "\"id\":\"", in the message; `*hint` is where it was last time.
 * NULL: the key is not there or fewer than `needed` bytes follow it. */
const char *sdb_bench_message_find(
    const char *text, size_t size, const char *key, size_t needed, size_t *hint);

/* ---- pushers: bench_pushers.c ---- */

typedef struct sdb_bench_user sdb_bench_user;

/* Users that push and wait for what they pushed to be on all of their devices. */
typedef struct sdb_bench_pushers {
  sdb_bench_loop loop;
  const sdb_bench_server *server;
  unsigned users_count, devices_per_user, in_flight;
  const char *group;        /* what the users' names begin with */
  uint64_t pushes_per_user; /* 0: no end */
  sdb_bench_user *users;
  uint32_t salt; /* in all client ids */
  bool stopping;
  uint64_t pushed, completed;
  sdb_bench_histogram acknowledged; /* of the last run */
  size_t hint;
  char message[512];
  size_t message_size, client_id_at;
} sdb_bench_pushers;

/* Set group, users_count, devices_per_user, in_flight, pushes_per_user before. Connects all. */
bool sdb_bench_pushers_open(
    sdb_bench_pushers *pushers, sdb_bench *bench, const sdb_bench_server *server);
/* Pushes for `seconds`, or, with pushes_per_user, until all of them are done. `per_second` (may be
 * NULL): how many were completed. What is in flight at the end stays in flight. */
bool sdb_bench_pushers_run(sdb_bench_pushers *pushers, double seconds, double *per_second);
/* Lets what is in flight end: every push must come back. */
bool sdb_bench_pushers_drain(sdb_bench_pushers *pushers);
/* The event id of a user's first push, 36 characters. */
const char *sdb_bench_pushers_first_id(const sdb_bench_pushers *pushers, unsigned user);
void sdb_bench_pushers_close(sdb_bench_pushers *pushers);

/* ---- the benchmarks ---- */

bool sdb_bench_pushes(sdb_bench *bench);
bool sdb_bench_catch_up(sdb_bench *bench);
bool sdb_bench_idle(sdb_bench *bench);
bool sdb_bench_storm(sdb_bench *bench);
bool sdb_bench_partials(sdb_bench *bench);
bool sdb_bench_storage(sdb_bench *bench);

#endif
