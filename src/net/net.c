/* net/net.c: the loop: made, run, woken, stopped, freed.
 *
 * Sleeping and waking: `woken` says that there is something to do, `asleep` that
 * the loop is, or is about to be, in epoll_wait. The loop sets `asleep` and then
 * looks at `woken`; a waker sets `woken` and then looks at `asleep`. Both in
 * sequentially consistent order, so one of them sees the other, and the eventfd is
 * written at most once a sleep.
 */
#include "base/error.h"
#include "net/dialled.h"
#include "platform/platform.h"
#include <sys/eventfd.h>
#include <unistd.h>

void sdb_net_refresh_now(sdb_net *net) {
  if (net->now_fresh) return;
  net->now_fresh = true;
  net->now_ms = sdb_platform_now_ms();
  net->mono_ms = sdb_platform_monotonic_us() / 1000;
}

static void on_wake(evutil_socket_t fd, short what, void *context) {
  uint64_t count;
  (void)what, (void)context;
  (void)!read(fd, &count, sizeof(count));
}

/* Its coming back from epoll_wait is all that a timer is for: each turn looks at the clock. */
static void on_timer(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  ((sdb_net *)context)->armed_mono_ms = UINT64_MAX;
}

static bool create_base(sdb_net *net) {
  struct event_config *config = event_config_new();
  if (!config) return false;
  /* One thread uses the base; waking goes through the eventfd. */
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  net->base = event_base_new_with_config(config);
  event_config_free(config);
  if (!net->base) return false;
  net->wake_event = event_new(net->base, net->wake_fd, EV_READ | EV_PERSIST, on_wake, net);
  net->timer_event = event_new(net->base, -1, 0, on_timer, net);
  return net->wake_event && net->timer_event && event_add(net->wake_event, NULL) == 0;
}

static sdb_status set_up(sdb_net *net, sdb_error *error) {
  net->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (net->wake_fd < 0) return sdb_error_set(error, SDB_IO, "no eventfd to be had", NULL, NULL);
  net->input = sdb_mem_alloc(net->mem, SDB_NET_INPUT_SIZE);
  if (!net->input || !create_base(net))
    return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  net->deflate = sdb_deflate_create(net->mem, net->options.message_bytes_max);
  if (!net->deflate) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  if (!net->options.tls_cert) return SDB_OK;
  return sdb_tls_create(net->mem, net->options.tls_cert, net->options.tls_key, &net->tls, error);
}

sdb_status sdb_net_create(const sdb_net_options *options, sdb_net **net, sdb_error *error) {
  if (!options->tls_cert != !options->tls_key)
    return sdb_error_set(
        error, SDB_INVALID_ARGUMENT, "TLS needs both a certificate and its key", NULL, NULL);
  sdb_net *made = sdb_mem_zero(options->mem, sizeof(*made));
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  made->options = *options;
  made->mem = options->mem;
  made->wake_fd = -1;
  made->timer_at_ms = made->armed_mono_ms = made->accept_again_ms = UINT64_MAX;
  for (size_t i = 0; i < SDB_WAIT_COUNT; i++)
    sdb_link_init(&made->waits[i]);
  sdb_link_init(&made->dirty);
  sdb_link_init(&made->again);
  sdb_link_init(&made->dead);
  sdb_link_init(&made->dialling);
  sdb_net_refresh_now(made);
  sdb_status status = set_up(made, error);
  if (status != SDB_OK) {
    sdb_net_destroy(made);
    return status;
  }
  *net = made;
  return SDB_OK;
}

void sdb_net_destroy(sdb_net *net) {
  if (!net) return;
  net->shut_down = true; /* who is told of an end below can dial no more */
  sdb_net_listeners_free(net);
  for (size_t i = 0; i < SDB_WAIT_COUNT; i++) {
    while (!sdb_link_alone(&net->waits[i])) {
      sdb_conn *conn = SDB_CONTAINER_OF(net->waits[i].next, sdb_conn, wait_link);
      sdb_dial_note(conn, SDB_WS_CODE_LOST, "this side has ended", NULL);
      sdb_conn_kill(conn);
    }
  }
  sdb_conn_reap(net);
  sdb_tls_release(net->tls);
  sdb_tls_release(net->trust);
  sdb_deflate_destroy(net->deflate);
  if (net->wake_event) event_free(net->wake_event);
  if (net->timer_event) event_free(net->timer_event);
  if (net->base) event_base_free(net->base);
  if (net->wake_fd >= 0) close(net->wake_fd);
  sdb_mem_free(net->mem, net->input);
  sdb_mem_free(net->mem, net);
}

/* When the loop must come back at the latest, by the monotonic clock. */
static uint64_t next_deadline(const sdb_net *net) {
  uint64_t next = sdb_conn_next_deadline(net);
  if (net->accept_again_ms < next) next = net->accept_again_ms;
  if (net->timer_at_ms == UINT64_MAX) return next;
  uint64_t left = net->timer_at_ms > net->now_ms ? net->timer_at_ms - net->now_ms : 0;
  return left < next - net->mono_ms || next < net->mono_ms ? net->mono_ms + left : next;
}

/* A timer that fires early is harmless, so it is moved only to an earlier time: deadlines that are
 * put off with every message then cost nothing. */
static void arm_timer(sdb_net *net) {
  uint64_t next = next_deadline(net);
  if (next >= net->armed_mono_ms || next >= SDB_NET_NEVER_MS) return;
  net->armed_mono_ms = next;
  uint64_t left = next > net->mono_ms ? next - net->mono_ms : 0;
  struct timeval wait = {
      .tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000)};
  event_add(net->timer_event, &wait);
}

static bool has_work(sdb_net *net) {
  return !sdb_link_alone(&net->dirty) || !sdb_link_alone(&net->again) ||
         !sdb_link_alone(&net->dead) || atomic_load(&net->stopping);
}

static void wait_and_read(sdb_net *net) {
  int flags = EVLOOP_ONCE;
  arm_timer(net);
  atomic_store(&net->asleep, true);
  if (has_work(net) || atomic_load(&net->woken) || atomic_load(&net->looked_up))
    flags |= EVLOOP_NONBLOCK;
  net->now_fresh = false;
  event_base_loop(net->base, flags);
  atomic_store(&net->asleep, false);
  sdb_net_refresh_now(net);
  sdb_conn_run_again(net);
}

static void run_turn(sdb_net *net) {
  const sdb_net_handler *handler = &net->options.handler;
  wait_and_read(net);
  if (atomic_exchange(&net->woken, false)) handler->woken(handler->context);
  if (atomic_exchange(&net->looked_up, false)) sdb_dial_run_lookups(net);
  sdb_conn_run_deadlines(net);
  if (net->accept_again_ms <= net->mono_ms) sdb_net_accept_resume(net);
  if (net->timer_at_ms <= net->now_ms) {
    net->timer_at_ms = UINT64_MAX;
    handler->timer(handler->context);
  }
  sdb_conn_reap(net);
  handler->turn_end(handler->context);
  /* What the levels led to (the next page of a catch-up) is not to wait for the next event. */
  if (sdb_conn_flush_all(net)) handler->turn_end(handler->context);
}

void sdb_net_run(sdb_net *net) {
  while (!atomic_load(&net->stopping))
    run_turn(net);
  atomic_store(&net->stopping, false);
}

static void rouse(sdb_net *net) {
  if (!atomic_exchange(&net->asleep, false)) return;
  uint64_t one = 1;
  (void)!write(net->wake_fd, &one, sizeof(one));
}

void sdb_net_stop(sdb_net *net) {
  atomic_store(&net->stopping, true);
  rouse(net);
}

void sdb_net_wake(sdb_net *net) {
  if (!atomic_exchange(&net->woken, true)) rouse(net);
}

void sdb_net_rouse_lookups(sdb_net *net) {
  if (!atomic_exchange(&net->looked_up, true)) rouse(net);
}

void sdb_net_set_timer(sdb_net *net, uint64_t at_ms) {
  net->timer_at_ms = at_ms;
}

uint64_t sdb_net_now_ms(const sdb_net *net) {
  return net->now_ms;
}

size_t sdb_net_connections(const sdb_net *net) {
  return net->connections;
}

void sdb_net_stats_get(const sdb_net *net, sdb_net_stats *stats) {
  *stats = net->stats;
  stats->connections = net->connections;
}
