/* syncdb/syncdb.h: everything. */
#ifndef SYNCDB_SYNCDB_H
#define SYNCDB_SYNCDB_H

#include <syncdb/admin.h>
#include <syncdb/client.h>
#include <syncdb/client_record.h>
#include <syncdb/database.h>
#include <syncdb/log.h>
#include <syncdb/mailbox.h>
#include <syncdb/memory.h>
#include <syncdb/object.h>
#include <syncdb/server.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#endif
