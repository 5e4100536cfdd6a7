# Everything comes from Debian packages (tools/setup installs them).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SYNCDB_DEPS REQUIRED IMPORTED_TARGET
  sqlite3 libevent_core libssl libcrypto zlib libpcre2-8 libjwt)

add_library(syncdb_dependencies INTERFACE)
target_link_libraries(syncdb_dependencies INTERFACE
  PkgConfig::SYNCDB_DEPS Threads::Threads m)
