/* replica/link.c: the connection: when to make one, when to give it up, and its token.
 *
 * state         may become                          while in it
 * OFF           WAITING                             the application wants none
 * WAITING       TOKEN CONNECTING OFF                until the next try
 * TOKEN         CONNECTING OFF                      the application is asked for a token
 * CONNECTING    OPEN WAITING UNAUTHORIZED OFF       CONNECT was given
 * OPEN          WAITING UNAUTHORIZED OFF            the hello was sent
 * UNAUTHORIZED  WAITING OFF                         the server took no token: another is waited for
 *
 * Tries follow one another with exponential backoff and full jitter, or within the range that the
 * server names (protocol.md section 1).
 */
#include "base/error.h"
#include "replica/state.h"

void sdb_link_init(sdb_replica *replica) {
  sdb_link *link = &replica->link;
  link->state = replica->options.start_offline ? SDB_LINK_OFF : SDB_LINK_WAITING;
  link->push_timer_ms = link->token_ask_ms = UINT64_MAX;
}

static void set_state(sdb_replica *replica, sdb_link_state state, uint64_t now_ms) {
  replica->link.state = state;
  replica->link.since_ms = now_ms;
  replica->status_due = true;
}

sdb_client_phase sdb_link_phase(const sdb_replica *replica) {
  switch (replica->link.state) {
  case SDB_LINK_OFF:
  case SDB_LINK_WAITING:
    return SDB_CLIENT_OFFLINE;
  case SDB_LINK_TOKEN:
  case SDB_LINK_CONNECTING:
    return SDB_CLIENT_CONNECTING;
  case SDB_LINK_UNAUTHORIZED:
    return SDB_CLIENT_UNAUTHORIZED;
  case SDB_LINK_OPEN:
    break;
  }
  if (replica->link.brief) return SDB_CLIENT_LIVE;
  for (size_t i = 0; i < replica->options.stores_count; i++) {
    if (replica->stores[i].awaiting > 0) return SDB_CLIENT_CATCHING_UP;
  }
  return replica->link.greeted ? SDB_CLIENT_LIVE : SDB_CLIENT_CATCHING_UP;
}

/* ---- when ---- */

/* A random number from `low` to `high`. */
static uint64_t random_between(sdb_replica *replica, uint64_t low, uint64_t high) {
  uint64_t random = 0;
  replica->options.random(replica->options.random_context, &random, sizeof(random));
  return high > low ? low + random % (high - low + 1) : low;
}

static uint64_t backoff_ms(sdb_replica *replica) {
  uint32_t attempts = replica->link.attempts < 16 ? replica->link.attempts : 16;
  uint64_t most_ms = (uint64_t)SDB_REPLICA_BACKOFF_FIRST_MS << attempts;
  if (most_ms > SDB_REPLICA_BACKOFF_MAX_MS) most_ms = SDB_REPLICA_BACKOFF_MAX_MS;
  replica->link.attempts++;
  return random_between(replica, 0, most_ms);
}

/* The range of {"retryAfterMs":[low,high]}. False: the reason is something else. */
static bool read_retry_after(sdb_replica *replica, sdb_slice reason, uint64_t range[2]) {
  sdb_json *json = &replica->json;
  if (reason.size == 0 || sdb_json_scan(json, reason, 4, NULL) != SDB_OK) return false;
  uint32_t list = sdb_json_member(json, 0, sdb_slice_of("retryAfterMs"));
  if (list == 0 || sdb_json_at(json, list)->type != SDB_JSON_ARRAY ||
      sdb_json_at(json, list)->count != 2)
    return false;
  for (uint32_t i = 0; i < 2; i++) {
    uint32_t at = list + 1 + i;
    if (sdb_json_at(json, at)->type != SDB_JSON_NUMBER || !sdb_json_uint64(json, at, &range[i]))
      return false;
  }
  bool ordered = range[0] <= range[1];
  for (uint32_t i = 0; i < 2; i++)
    if (range[i] > SDB_REPLICA_RETRY_AFTER_MAX_MS) range[i] = SDB_REPLICA_RETRY_AFTER_MAX_MS;
  return ordered;
}

static void wait_for_next_try(sdb_replica *replica, sdb_slice reason, uint64_t now_ms) {
  uint64_t range[2];
  bool again = replica->link.attempts > 0;
  uint64_t wait_ms = backoff_ms(replica);
  if (read_retry_after(replica, reason, range)) {
    /* A server that says "at once" again and again is not taken at its word. */
    uint64_t named_ms = random_between(replica, range[0], range[1]);
    if (!again || named_ms > wait_ms) wait_ms = named_ms;
  }
  replica->link.next_try_ms = now_ms + wait_ms;
  set_state(replica, SDB_LINK_WAITING, now_ms);
}

/* ---- tokens ---- */

/* The application is asked at most so often, whatever it answers. */
static void ask_for_token(sdb_replica *replica, uint64_t now_ms) {
  replica->ask_due = true;
  replica->link.token_asked_ms = now_ms;
  replica->link.token_ask_ms = now_ms + SDB_REPLICA_TOKEN_AGAIN_MS;
}

static bool needs_token(const sdb_replica *replica) {
  return replica->options.needs_token && (replica->token.size == 0 || replica->link.token_refused);
}

static void show_token(sdb_replica *replica) {
  sdb_wire_auth(sdb_link_begin_message(replica), sdb_buffer_slice(&replica->token));
  sdb_link_end_message(replica);
}

/* False: no memory, and the one there was stays. */
static bool keep_token(sdb_replica *replica, sdb_slice token) {
  sdb_buffer made;
  sdb_buffer_init(&made, replica->mem, SDB_REPLICA_TOKEN_SIZE_MAX);
  sdb_buffer_append_slice(&made, token);
  if (made.status != SDB_OK) return false;
  sdb_buffer_free(&replica->token);
  replica->token = made;
  return true;
}

/* When the next is to be asked for: before this one ends, and not too soon after the last time. */
static uint64_t next_ask_ms(const sdb_link *link, uint64_t lifetime_ms, uint64_t now_ms) {
  uint64_t early_ms = lifetime_ms / 4;
  if (early_ms > SDB_REPLICA_TOKEN_BEFORE_MS) early_ms = SDB_REPLICA_TOKEN_BEFORE_MS;
  uint64_t wait_ms = lifetime_ms - early_ms;
  if (wait_ms >= UINT64_MAX - now_ms) return UINT64_MAX;
  uint64_t soonest_ms = link->token_asked_ms + SDB_REPLICA_TOKEN_AGAIN_MS;
  return now_ms + wait_ms > soonest_ms ? now_ms + wait_ms : soonest_ms;
}

bool sdb_replica_on_token(
    sdb_replica *replica, sdb_slice token, uint64_t lifetime_ms, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  SDB_ASSERT(token.size > 0 && token.size <= SDB_REPLICA_TOKEN_SIZE_MAX);
  if (!keep_token(replica, token)) return false;
  link->token_refused = false;
  link->token_ask_ms = UINT64_MAX;
  if (lifetime_ms > 0 && replica->options.needs_token)
    link->token_ask_ms = next_ask_ms(link, lifetime_ms, now_ms);
  link->token_untried = !replica->connect_due;
  if (link->state == SDB_LINK_OPEN) show_token(replica);
  if (link->state == SDB_LINK_UNAUTHORIZED) {
    /* The first other token is tried at once; who gives one bad token after another waits. */
    link->next_try_ms = link->refusals > 1 ? now_ms + backoff_ms(replica) : now_ms;
    set_state(replica, SDB_LINK_WAITING, now_ms);
  }
  sdb_link_advance(replica, now_ms);
  return true;
}

static void on_unauthorized(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->token_untried) { /* it was the one before that was refused */
    link->next_try_ms = now_ms;
    set_state(replica, SDB_LINK_WAITING, now_ms);
    return;
  }
  link->token_refused = true;
  link->refusals++;
  set_state(replica, SDB_LINK_UNAUTHORIZED, now_ms);
  if (!replica->options.needs_token) return;
  bool too_soon = link->refusals > 1 && now_ms < link->token_asked_ms + SDB_REPLICA_TOKEN_AGAIN_MS;
  if (too_soon)
    link->token_ask_ms = link->token_asked_ms + SDB_REPLICA_TOKEN_AGAIN_MS;
  else
    ask_for_token(replica, now_ms);
}

/* ---- making one ---- */

static void begin_connection(sdb_replica *replica, uint64_t now_ms) {
  replica->connect_due = true;
  replica->link.token_untried = false;
  set_state(replica, SDB_LINK_CONNECTING, now_ms);
}

void sdb_link_advance(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (!replica->loaded) return;
  if (link->state == SDB_LINK_WAITING && link->next_try_ms <= now_ms) {
    if (!needs_token(replica)) {
      begin_connection(replica, now_ms);
    } else {
      ask_for_token(replica, now_ms);
      set_state(replica, SDB_LINK_TOKEN, now_ms);
    }
  } else if (link->state == SDB_LINK_TOKEN && !needs_token(replica)) {
    begin_connection(replica, now_ms);
  }
}

void sdb_replica_on_opened(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->state != SDB_LINK_CONNECTING) return;
  link->greeted = link->heard = link->brief = link->pinged = false;
  link->heard_ms = now_ms;
  link->events_received = 0;
  link->problem[0] = 0;
  set_state(replica, SDB_LINK_OPEN, now_ms);
  sdb_hello_send(replica);
  if (link->token_untried && !replica->options.token_in_hello) show_token(replica);
  replica->send_due = true;
}

/* ---- ending one ---- */

/* What belonged to the connection goes with it; its backoff begins anew if it had lasted. */
static void end_connection(sdb_replica *replica, unsigned code, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->state == SDB_LINK_OPEN && now_ms - link->since_ms >= SDB_REPLICA_STABLE_MS)
    link->attempts = 0;
  if (link->greeted) link->refusals = 0;
  link->state = SDB_LINK_WAITING; /* whatever fails below, there is nothing left to disconnect */
  replica->connect_due = false;
  sdb_buffer_reset(&replica->sends);
  replica->sends_given = 0;
  for (size_t i = 0; i < replica->options.stores_count; i++) {
    sdb_replica_store *store = &replica->stores[i];
    /* A range that was fetched lies behind removes that the server has forgotten: the next hello
     * is to name it, so that it is answered with a reset. */
    if (code == SDB_CLOSE_RESTART && store->fetching)
      store->wanted = store->window ? store->window : 1;
    store->contiguous = store->top_missing = store->fetching = false;
    store->awaiting = 0;
    store->told_head = (sdb_uuid){{0}};
  }
  sdb_partials_drop_all(replica);
  sdb_notes_clear(replica, &replica->resent);
  sdb_send_on_closed(replica, code, now_ms);
  link->close_code = code;
  link->greeted = link->brief = false;
}

/* A close code in words (protocol.md section 1). */
static const char *words_for(unsigned code) {
  switch (code) {
  case SDB_CLOSE_NORMAL:
  case SDB_CLOSE_GOING_AWAY:
  case SDB_CLOSE_RESTART:
    return "the server went away";
  case SDB_CLOSE_TOO_LARGE:
    return "a message was too large for the server";
  case SDB_CLOSE_OVERLOADED:
    return "the server is overloaded, or was read too slowly";
  case SDB_CLOSE_BAD_MESSAGE:
    return "the server did not understand a message";
  case SDB_CLOSE_UNAUTHORIZED:
    return "the server takes no such token";
  case SDB_CLOSE_RATE_LIMITED:
    return "too many pushes, too fast";
  default:
    return "the connection ended";
  }
}

void sdb_link_blank_controls(char *text) {
  for (unsigned char *at = (unsigned char *)text; *at; at++) {
    bool c1 = at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0; /* U+0080 to U+009F */
    if (*at < 0x20 || *at == 0x7F) *at = ' ';
    if (c1) at[0] = at[1] = ' ';
  }
}

/* The reason is for people, unless it is JSON, which was for us. */
static void set_problem(
    sdb_replica *replica, unsigned code, const char *problem, sdb_slice reason) {
  char *text = replica->link.problem;
  size_t capacity = sizeof(replica->link.problem);
  sdb_text_copy(text, capacity, sdb_slice_of(problem));
  if (text[0] == 0) {
    sdb_text_copy(text, capacity, sdb_slice_of(words_for(code)));
    bool words = reason.size > 0 && reason.data[0] != '{';
    if (words) sdb_text_append(text, capacity, sdb_slice_of(": "));
    if (words) sdb_text_append(text, capacity, reason);
  }
  sdb_link_blank_controls(text);
}

void sdb_replica_on_closed(
    sdb_replica *replica, unsigned code, sdb_slice reason, const char *problem, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (replica->disconnect_due) { /* it is the one that was given up */
    replica->disconnect_due = false;
    return;
  }
  if (link->state != SDB_LINK_OPEN && link->state != SDB_LINK_CONNECTING) return;
  end_connection(replica, code, now_ms);
  set_problem(replica, code, problem, reason);
  if (code == SDB_CLOSE_UNAUTHORIZED)
    on_unauthorized(replica, now_ms);
  else
    wait_for_next_try(replica, reason, now_ms);
}

/* True: there was a connection, or one on its way. */
static bool disconnect(sdb_replica *replica, unsigned code, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->state != SDB_LINK_OPEN && link->state != SDB_LINK_CONNECTING) return false;
  if (!replica->connect_due) { /* a CONNECT that was not given yet needs no DISCONNECT */
    replica->disconnect_due = true;
    replica->disconnect_code = code == SDB_CLOSE_LOST ? SDB_CLOSE_GOING_AWAY : code;
  }
  end_connection(replica, code, now_ms);
  return true;
}

void sdb_link_drop(sdb_replica *replica, unsigned code, const char *problem, uint64_t now_ms) {
  if (!disconnect(replica, code, now_ms)) return;
  set_problem(replica, code, problem, sdb_slice_of(""));
  wait_for_next_try(replica, sdb_slice_of(""), now_ms);
}

void sdb_replica_go_online(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->state == SDB_LINK_OPEN || link->state == SDB_LINK_CONNECTING) return;
  link->attempts = 0;
  link->next_try_ms = now_ms;
  if (link->state != SDB_LINK_TOKEN) set_state(replica, SDB_LINK_WAITING, now_ms);
  sdb_link_advance(replica, now_ms);
}

void sdb_replica_go_offline(sdb_replica *replica, uint64_t now_ms) {
  disconnect(replica, SDB_CLOSE_NORMAL, now_ms);
  replica->ask_due = false;
  set_state(replica, SDB_LINK_OFF, now_ms);
}

/* ---- time ---- */

static uint64_t open_deadline_ms(const sdb_link *link) {
  if (!link->heard && !link->brief) return link->since_ms + SDB_REPLICA_HELLO_PATIENCE_MS;
  if (!link->greeted) return UINT64_MAX; /* it may not know `ping` either */
  return link->heard_ms + SDB_REPLICA_PING_AFTER_MS +
         (link->pinged ? SDB_REPLICA_PONG_TIMEOUT_MS : 0);
}

uint64_t sdb_link_deadline_ms(const sdb_replica *replica) {
  const sdb_link *link = &replica->link;
  uint64_t deadline_ms = link->state == SDB_LINK_OFF ? UINT64_MAX : link->token_ask_ms;
  uint64_t at_ms = UINT64_MAX;
  if (link->state == SDB_LINK_WAITING && replica->loaded) at_ms = link->next_try_ms;
  if (link->state == SDB_LINK_CONNECTING) at_ms = link->since_ms + SDB_REPLICA_CONNECT_TIMEOUT_MS;
  if (link->state == SDB_LINK_OPEN) at_ms = open_deadline_ms(link);
  return at_ms < deadline_ms ? at_ms : deadline_ms;
}

static void on_open_timer(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (open_deadline_ms(link) > now_ms) return;
  if (!link->heard) {
    sdb_hello_on_silence(replica);
  } else if (link->pinged) {
    sdb_link_drop(replica, SDB_CLOSE_LOST, "the server went silent", now_ms);
  } else {
    link->pinged = true;
    sdb_wire_ping(sdb_link_begin_message(replica));
    sdb_link_end_message(replica);
  }
}

void sdb_link_on_timer(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->state != SDB_LINK_OFF && link->token_ask_ms <= now_ms) ask_for_token(replica, now_ms);
  if (link->state == SDB_LINK_CONNECTING &&
      link->since_ms + SDB_REPLICA_CONNECT_TIMEOUT_MS <= now_ms)
    sdb_link_drop(replica, SDB_CLOSE_LOST, "the connection could not be made in time", now_ms);
  if (link->state == SDB_LINK_OPEN) on_open_timer(replica, now_ms);
  sdb_link_advance(replica, now_ms);
}

/* ---- messages ---- */

sdb_buffer *sdb_link_begin_message(sdb_replica *replica) {
  size_t size = 0;
  replica->sends_open = replica->sends.size;
  sdb_buffer_append(&replica->sends, &size, sizeof(size));
  return &replica->sends;
}

void sdb_link_end_message(sdb_replica *replica) {
  sdb_buffer *sends = &replica->sends;
  if (sends->status != SDB_OK) return;
  size_t size = sends->size - replica->sends_open - sizeof(size);
  memcpy(sends->data + replica->sends_open, &size, sizeof(size));
}
