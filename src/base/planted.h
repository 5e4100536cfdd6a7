/* base/planted.h: faults that the simulator has to find, planted in the library itself.
 *
 * SDB_PLANTED(NAME) is false in every build but the one made with SYNCDB_PLANTED_FAULTS
 * (cmake -DSYNCDB_PLANTED_FAULTS=ON), which the compiler sees: nothing of a fault is in the
 * library that is shipped. There, `sdb_planted` chooses one at run time. docs/reliability.md.
 */
#ifndef SDB_BASE_PLANTED_H
#define SDB_BASE_PLANTED_H

#include <stdbool.h>

/* Name, and what the fault does. */
#define SDB_PLANTED_FAULTS(X)                                                                      \
  X(ACKNOWLEDGE_UNSTORED, "what has a number is taken to be stored, though its commit failed")     \
  X(DROP_DEDUPE, "a client id that was stored before is stored again")                             \
  X(DEDUPE_BY_COUNT, "only the last client ids are remembered, however young the others are")      \
  X(REUSE_ID, "event ids follow a clock that is set back")                                         \
  X(SEQ_OF_FAILED_AGAIN, "what a failed commit numbered is numbered anew")                         \
  X(REMOVED_LIVES, "a removed object can be updated and removed again")                            \
  X(CROSS_USER_PAGE, "a page is read without asking whose events they are")                        \
  X(CROSS_USER_WRITE, "an object is found without asking whose it is")                             \
  X(CROSS_USER_LIVE, "a live event goes to every connection")                                      \
  X(STALE_ANSWER, "a push again is answered with what it says, not with what is there")            \
  X(HEAD_STANDS_STILL, "a new event does not move the head that hellos are answered with")         \
  X(MISSED_DURING_CATCH_UP, "who still catches up is not sent live events")                        \
  X(PAGE_AFTER_REMOVE, "a page may hold what was overwritten since it was read")                   \
  X(RANGE_OFF_BY_ONE, "a page begins one below what it should")                                    \
  X(SYNCED_TOO_EARLY, "a range is said to be sent after its first page")                           \
  X(REMOVES_LEFT_OUT, "who catches up is not sent removes")                                        \
  X(HORIZON_IGNORED, "who may have missed a forgotten remove is not reset")                        \
  X(EPOCH_IGNORED, "nobody looks whether the database was restored")                               \
  X(BACKPRESSURE_IGNORED, "pages are read for a connection that does not drain")                   \
  X(EXPIRED_TOKEN_SERVED, "a connection whose identity is over stays")                             \
  X(LEAK_FRAMES, "a message to one connection is never freed")                                     \
  X(SUBSCRIBER_TOLD_TWICE, "subscribers are told of a push that was stored before")                \
  X(FOLD_LOSES, "what is not sent to a slow reader of a partial counts as sent")                   \
  X(PARTIAL_STAYS, "a partial that became an object stays open")                                   \
  X(HEAD_TOO_EARLY, "the head that the server tells counts as held")                               \
  X(GAP_NOT_NOTED, "the first event after a reconnect leaves no missing range")                    \
  X(FORGET_MISSING, "missing ranges are not loaded after a restart")                               \
  X(ANSWER_MOVES_HEAD, "the answer to a push that was stored before counts as an event in order")  \
  X(RESET_DROPS_PUSHES, "a reset takes an unsynced push with it")                                  \
  X(NEW_CLIENT_ID_ON_RETRY, "what is sent again has another client id")                            \
  X(DROP_PENDING_WHEN_SENT, "a push leaves the local storage when it is sent")                     \
  X(ACCEPTED_UNSTORED, "the application is told that a push is kept before it is")                 \
  X(PUSHES_OVERTAKE, "a push may overtake an earlier one of the same object")                      \
  X(DEPENDENTS_FORGOTTEN, "changes of an object that had no id yet are not told of it")            \
  X(TIMEOUT_RUNS_OFFLINE, "time offline counts for a push that was sent")                          \
  X(REFUSED_STAYS, "a change that the server refused is shown all the same")                       \
  X(NO_ROLLBACK, "a discarded change is shown all the same")                                       \
  X(PARTIAL_OUTLIVES_UPDATE, "a partial is not ended by the object that it becomes")               \
  X(APPEND_LOST, "text is put in where the one before it was")                                     \
  X(SECOND_COMMIT_AFTER_FAILURE,                                                                   \
      "the local storage is given a commit before the last one's end is known")                    \
  X(SYNC_FORGOTTEN, "pushes that were accepted are not synced")                                    \
  X(LOG_BEFORE_SYNC, "a commit is answered before it is synced")                                   \
  X(FOUND_NOT_SYNCED, "what a killed process left is shown before it is synced")                   \
  X(NOT_BURIED, "a commit that failed may be there again after a crash")                           \
  X(DEATHS_STAY, "what a failed commit replaced stays replaced in memory")                         \
  X(FLOOR_NOT_STORED, "reserved ids are given again after a crash")                                \
  X(MASK_BEGINS_ANEW, "a message that comes in pieces is unmasked from the beginning each time")

typedef enum sdb_planted_fault {
  SDB_PLANTED_NONE,
#define SDB_PLANTED_NAME(name, text) SDB_PLANTED_##name,
  SDB_PLANTED_FAULTS(SDB_PLANTED_NAME)
#undef SDB_PLANTED_NAME
} sdb_planted_fault;

#ifdef SYNCDB_PLANTED_FAULTS
extern sdb_planted_fault sdb_planted;
#define SDB_PLANTED(name) (sdb_planted == SDB_PLANTED_##name)
#else
#define SDB_PLANTED(name) false
#endif

#endif
