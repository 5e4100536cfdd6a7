/* server/http.c: what is said to an HTTP request: a session for an upgrade, health, metrics, pages.
 *
 * An upgrade without an identity is let in and must show one in its hello; one
 * with an identity that is no good is told so by close code 4401 (a browser
 * cannot see an HTTP status here).
 */
#include "server/state.h"
#include <strings.h>

static void answer_text(
    sdb_database *database, sdb_net_answer *answer, unsigned status, const char *text) {
  sdb_buffer_reset(&database->response);
  sdb_buffer_append_slice(&database->response, sdb_slice_of(text));
  answer->status = status;
  answer->content_type = "text/plain; charset=utf-8";
  answer->body = sdb_buffer_slice(&database->response);
}

static void answer_metrics(sdb_database *database, sdb_net_answer *answer) {
  sdb_buffer_reset(&database->response);
  sdb_metrics_write(database, &database->response);
  if (database->response.status != SDB_OK) {
    answer_text(database, answer, 503, "out of memory\n");
    return;
  }
  answer->status = 200;
  answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
  answer->body = sdb_buffer_slice(&database->response);
}

static void refuse(sdb_net_answer *answer, unsigned close_code) {
  answer->accept = true;
  answer->close_code = close_code;
}

static void accept_session(sdb_database *database, sdb_conn *conn, sdb_slice user,
    uint64_t expires_ms, sdb_net_answer *answer) {
  sdb_session *session = sdb_mem_zero(database->mem, sizeof(*session));
  if (!session) {
    refuse(answer, 1013);
    return;
  }
  session->conn = conn;
  session->peer =
      sdb_hub_on_connect(database->hub, user, expires_ms, session, sdb_net_now_ms(database->net));
  if (!session->peer) {
    sdb_mem_free(database->mem, session);
    refuse(answer, 1013);
    return;
  }
  answer->accept = true;
  answer->tag = session;
}

/* Who it is the application is asked when its hello is there, which may hold another token. */
static void accept_caller(sdb_database *database, sdb_conn *conn, const sdb_net_request *request,
    sdb_slice token, sdb_net_answer *answer) {
  sdb_caller *caller = sdb_caller_create(database->mem, request, token);
  if (!caller) {
    refuse(answer, 1013);
    return;
  }
  accept_session(database, conn, sdb_slice_make(NULL, 0), 0, answer);
  sdb_session *session = answer->tag;
  if (session)
    session->caller = caller;
  else
    sdb_mem_free(database->mem, caller);
}

/* Under dev_auth everybody is believed, so a page must not get here under a name of its own that
 * resolves to loopback (DNS rebinding): the host must be called what it is. */
static bool is_loopback_name(sdb_slice host) {
  static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    size_t size = strlen(NAMES[i]);
    if (host.size >= size && strncasecmp(host.data, NAMES[i], size) == 0 &&
        (host.size == size || host.data[size] == ':'))
      return true;
  }
  return false;
}

static void upgrade(sdb_database *database, sdb_conn *conn, const sdb_net_request *request,
    sdb_net_answer *answer) {
  char buffer[SDB_TOKEN_SIZE_MAX];
  sdb_identity identity = {.size = sizeof(identity)};
  sdb_slice token = {NULL, 0};
  if (database->identities.dev_auth) token = sdb_credentials_token(request, "user", buffer);
  if (token.size == 0) token = sdb_credentials_token(request, "token", buffer);
  if (database->identities.by_mail) {
    accept_caller(database, conn, request, token, answer);
  } else if (token.size == 0) {
    accept_session(database, conn, token, 0, answer);
  } else if (sdb_identities_check(&database->identities, token, request->remote,
                 sdb_net_now_ms(database->net), &identity)) {
    accept_session(database, conn, sdb_slice_of(identity.user), identity.expires_ms, answer);
  } else {
    database->stats.unauthorized++;
    sdb_server_log(database, SDB_LOG_WARN, "unauthorized",
        "refused the identity of a device at %.*s", (int)request->remote.size,
        request->remote.data);
    refuse(answer, 4401);
  }
  memset(buffer, 0, sizeof(buffer));
}

void sdb_server_on_request(
    void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer) {
  sdb_database *database = context;
  if (database->draining) {
    answer_text(database, answer, 503, "shutting down\n");
  } else if (request->upgrade && database->identities.dev_auth && request->origin.size > 0 &&
             !is_loopback_name(request->host)) {
    answer_text(database, answer, 403, "dev-auth serves pages of localhost only\n");
  } else if (request->upgrade) {
    upgrade(database, conn, request, answer);
  } else if (sdb_slice_equal(request->path, sdb_slice_of("/healthz"))) {
    if (database->storage_failing)
      answer_text(database, answer, 503, "the storage fails\n");
    else
      answer_text(database, answer, 200, "ok\n");
  } else if (sdb_slice_equal(request->path, sdb_slice_of("/metrics"))) {
    answer_metrics(database, answer);
  } else if (!database->pages || !sdb_pages_answer(database->pages, request, answer)) {
    answer_text(database, answer, 404, "not found; devices connect with a WebSocket\n");
  }
}
