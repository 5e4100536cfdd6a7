/* examples/chat/stores.h: the stores of the chat, for its server, its terminal and its page alike.
 *
 * stores.c defines `syncdb_stores` (<syncdb/store.h>), in this order: `chat_message` holds a user's
 * messages and the answers; clients may create messages of their own and delete messages. `account`
 * is the one account of a user.
 */
#ifndef CHAT_STORES_H
#define CHAT_STORES_H

#include <syncdb/store.h>

enum { CHAT_MESSAGE, CHAT_ACCOUNT, CHAT_STORES_COUNT };

#endif
