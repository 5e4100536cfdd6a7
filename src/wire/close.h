/* wire/close.h: with which codes connections are closed (protocol.md section 1). */
#ifndef SDB_WIRE_CLOSE_H
#define SDB_WIRE_CLOSE_H

#define SDB_CLOSE_NORMAL 1000
#define SDB_CLOSE_GOING_AWAY 1001
#define SDB_CLOSE_LOST 1006 /* never sent: there was no close frame, or no connection */
#define SDB_CLOSE_TOO_LARGE 1009
#define SDB_CLOSE_RESTART 1012
#define SDB_CLOSE_OVERLOADED 1013
#define SDB_CLOSE_BAD_MESSAGE 4400
#define SDB_CLOSE_UNAUTHORIZED 4401
#define SDB_CLOSE_NO_HELLO 4408
#define SDB_CLOSE_RATE_LIMITED 4429

#endif
