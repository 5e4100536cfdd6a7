/* examples/chat/stores.h: the stores of the chat, for its server and its terminal alike. */
#ifndef CHAT_STORES_H
#define CHAT_STORES_H

#include <syncdb/store.h>

/* `chat_message` holds a user's messages and the answers. Clients may create messages of their own
 * and delete messages. `account` is the one account of a user. Each ends the program where it
 * cannot be made: that would be a mistake in here. */
sdb_store *chat_make_message_store(void);
sdb_store *chat_make_account_store(void);

#endif
