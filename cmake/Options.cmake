# Warnings are errors, hardening is on in every build, sanitizers come by preset.
set(SYNCDB_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

option(SYNCDB_COVERAGE "Count what runs, for tools/coverage (clang only)" OFF)

set(SYNCDB_WARNINGS
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
  -Wundef -Wpointer-arith -Wwrite-strings -Wold-style-definition -Wimplicit-fallthrough
  -Wdouble-promotion -Wnull-dereference)

add_library(syncdb_flags INTERFACE)
target_compile_options(syncdb_flags INTERFACE
  -fno-strict-aliasing -fstack-protector-strong -fvisibility=hidden -fno-omit-frame-pointer)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_link_options(syncdb_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(SYNCDB_SANITIZE)
  target_compile_options(syncdb_flags INTERFACE
    -fsanitize=${SYNCDB_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(syncdb_flags INTERFACE -fsanitize=${SYNCDB_SANITIZE})
else()
  target_compile_options(syncdb_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

# Faults that the simulator has to find (src/base/planted.h): never in what is shipped.
option(SYNCDB_PLANTED_FAULTS "Plant faults in the library, for the simulator to find" OFF)
if(SYNCDB_PLANTED_FAULTS)
  target_compile_definitions(syncdb_flags INTERFACE SYNCDB_PLANTED_FAULTS)
endif()

if(SYNCDB_COVERAGE)
  set(SYNCDB_WARNINGS -w) # the other builds see to them, by gcc; clang warns of other things
  target_compile_options(syncdb_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(syncdb_flags INTERFACE -fprofile-instr-generate)
endif()
