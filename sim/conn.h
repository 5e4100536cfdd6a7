/* sim/conn.h: a connection between a device and the server: a pipe in each direction, WebSocket
 * frames on them, and two ends that learn of its end each for itself.
 */
#ifndef SIM_CONN_H
#define SIM_CONN_H

#include "hub/hub.h"
#include "sim/pipe.h"
#include "sim/wire_check.h"
#include "ws/receive.h"

struct sim_device;
struct sim_world;

typedef struct sim_conn sim_conn;
struct sim_conn {
  sim_conn *next; /* in the world's list */
  struct sim_world *world;
  struct sim_device *device; /* NULL: the device's end is gone */
  sdb_peer *peer;            /* NULL: the server's end is gone */
  sim_pipe to_server, to_device;
  sdb_ws_receiver at_server, at_device;
  sim_wire wire;
  uint64_t expires_ms;  /* of the server's clock: when its identity ends; 0: never */
  uint32_t bytes_per_s; /* that the device reads; 0: all */
  uint64_t reading_ms;  /* until when it reads what was sent */
  bool paused;          /* the server does not read */
  unsigned close_code;  /* the server is about to close it */
  char close_reason[128];
};

sim_conn *sim_conn_new(struct sim_world *world, struct sim_device *device);
void sim_conn_free(sim_conn *conn);

/* A message of the device, as one masked text frame. */
void sim_conn_device_sends(sim_conn *conn, sdb_slice message);
/* Whole frames of the server. */
void sim_conn_server_sends(sim_conn *conn, const char *frames, size_t size);
/* Either end closes it in order. Its own part is over then. */
void sim_conn_device_closes(sim_conn *conn, unsigned code);
void sim_conn_server_closes(sim_conn *conn, unsigned code, sdb_slice reason);
/* Cuts it: each direction loses the end of what is on its way, or all, and each end that is left
 * learns of it in its own time. */
void sim_conn_cut(sim_conn *conn, sim_random *random);
/* One end's process is gone: what it had not sent out is lost. */
void sim_conn_drop_device(sim_conn *conn, sim_random *random);
void sim_conn_drop_server(sim_conn *conn, sim_random *random);

/* When something arrives at an end that is there. */
uint64_t sim_conn_due_ms(const sim_conn *conn);
/* What has arrived is given to the ends. */
void sim_conn_run(sim_conn *conn);

#endif
