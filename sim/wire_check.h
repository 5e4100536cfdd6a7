/* sim/wire_check.h: what a server may send on one connection, and when (protocol.md section 5). It
 * is shown each message as it is handed to the socket, and believes the model alone.
 */
#ifndef SIM_WIRE_CHECK_H
#define SIM_WIRE_CHECK_H

#include "sim/model.h"
#include "sim/stores.h"
#include "sim/streams.h"

#define SIM_WIRE_PARTIALS 16

typedef struct sim_wire_partial {
  sdb_uuid id;
  uint32_t stream;
  size_t size; /* of the text that was sent so far */
} sim_wire_partial;

typedef struct sim_wire {
  const sim_model *model;
  const sim_streams *streams;
  uint16_t user;
  sdb_uuid epoch;
  bool greeted, fetched;
  sdb_seq head[SIM_STORES]; /* as the server_hello told */
  sdb_seq last_live;
  sim_map sent;   /* the newest event of each object: twice its entry, plus 1 for an answer */
  sim_map pushed; /* client ids that came on this connection */
  sim_wire_partial partials[SIM_WIRE_PARTIALS];
  size_t partials_count;
  size_t catch_up_bytes; /* sent of what was missed, in a row, since the output drained */
} sim_wire;

void sim_wire_init(sim_wire *wire, const sim_model *model, const sim_streams *streams,
    uint16_t user, sdb_uuid epoch);
void sim_wire_free(sim_wire *wire);

/* The server read a message of the device. */
void sim_wire_received(sim_wire *wire, sdb_slice message);
/* The server sends one. */
void sim_wire_sends(sim_wire *wire, sdb_slice message);

#endif
