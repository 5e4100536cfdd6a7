/* cli/device_file.h: whose device it is, and where its local file is. */
#ifndef SDB_CLI_DEVICE_FILE_H
#define SDB_CLI_DEVICE_FILE_H

#include <stdbool.h>

/* Brings the URL and --user together: without a token the user stands in the URL, as ?user=NAME,
 * and where only the URL names one, that is the user. `*url` and `*user` (NULL: nobody is named)
 * are the caller's to free. Gives NULL, or why they do not fit. */
const char *sdb_cli_device_identify(
    const char *url_given, const char *user_given, bool has_token, char **url, char **user);

/* The local file where none is given. `*path` is the caller's to free. Gives NULL, or why there is
 * none. */
const char *sdb_cli_device_default_file(const char *url, const char *user, char **path);

/* Makes the folder of that file where it is missing. Gives NULL, or why it cannot. */
const char *sdb_cli_device_make_folder(const char *path);

#endif
