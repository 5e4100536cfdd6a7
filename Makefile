# Thin: CMake builds (CMakePresets.json), tools/ does the rest.
.PHONY: build run test long faults crash coverage fuzz bench lint docs format clean

build: build/build.ninja
	cmake --build --preset release

build/build.ninja: CMakeLists.txt CMakePresets.json
	tools/setup run
	cmake --preset release

# Sets up, builds and starts the example on 127.0.0.1:8080: a server, and a page to open.
run:
	tools/setup run
	cmake --preset release
	cmake --build --preset release --target chat chat_terminal syncdb_cli
	@examples/chat/web/build || echo "the chat goes without its page" >&2
	examples/chat/run

# Sets up, then everything that has to hold before a change lands. Some ten minutes on two cores.
test:
	tools/test

# The simulations for some minutes, of which `make test` runs seconds: a million sessions of the
# whole system, then devices alone, then as many events through a subscriber in Node.
long: build
	build/bin/sim --storage mixed --sessions 1000000
	SYNCDB_MODEL_RUNS=20000 build/bin/replica_model_test
	SYNCDB_EVENTS=1000000 node --test js/test/server/memory.test.mjs

# Every fault that is planted in the library has to be found by the simulation.
faults:
	tools/setup run
	cmake --preset faults
	cmake --build --preset faults --target sim
	sim/faults build/faults/bin/sim

# Real processes, killed 3,000 times, with full disks and cut lines; some of it over TLS. Minutes.
crash: build
	build/bin/crash_run --kills 3000
	build/bin/crash_run --kills 300 --tls

# What the tests reach of the pure floors: a table, and failure under 95% of their branches.
coverage:
	tools/setup test
	tools/coverage

# Each fuzzer for FUZZ_SECONDS (60), two at a time: fuzz/README.md.
fuzz:
	tools/setup test
	fuzz/run

# The server's, beside the Node server; ours in Node; then the device's.
bench: build
	bench/run
	bench/server/run
	build/bin/client_bench

# clang-tidy over the library, the command and the example: a part of `make test`.
lint: build
	tools/lint

# The API reference of the npm package, from its types: docs/api.
docs:
	tools/setup run
	cd js && npx --no-install typedoc --options typedoc.json

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build node_modules js/dist examples/chat/web/dist
