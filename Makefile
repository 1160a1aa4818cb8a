# The short way to what CMake does (CMakePresets.json).
JOBS ?= $(shell nproc)
PYTHON ?= python3

.PHONY: all search bench peers mpi test asan tsan format check-format clean deps mpi-deps test-deps configure

all: build/star

deps:
	@tools/install_deps.sh build
mpi-deps:
	@tools/install_deps.sh build mpi
test-deps:
	@tools/install_deps.sh build mpi test

configure: deps
	@cmake --preset release --log-level=WARNING
build/star: configure
	@cmake --build --preset release --target star -j $(JOBS)

# The main job, on the program's own source text.
search: build/star
	build/star search

# Kernels, training steps, prefill and decoding, as shares of what the machine can do.
bench: build/star
	build/star bench

# The same models, weights and batches in star and in PyTorch; for PYTHON one that imports torch.
peers: build/star
	@$(PYTHON) tools/peers/peers.py

# The binary whose searches run on the ranks of an MPI job: mpirun -n 3 build/star_mpi search
mpi: mpi-deps
	@cmake --preset release -D STAR_MPI=ON --log-level=WARNING
	@cmake --build --preset release --target star_mpi -j $(JOBS)

# Everything that must pass: formatting, unit tests, the built binary end to end, and the unit tests
# and the fuzzing of parsers under sanitizers.
test: test-deps check-format asan
	@cmake --preset release -D STAR_MPI=ON --log-level=WARNING
	@cmake --build --preset release -j $(JOBS)
	@ctest --preset release

# ctest's own closing line comes last in `test`, so this one runs the suite directly.
asan tsan: test-deps
	@cmake --preset $@ --log-level=WARNING
	@cmake --build --preset $@ --target unit_tests --target fuzz -j $(JOBS)
	@build-$@/unit_tests --no-intro
	@build-$@/fuzz 4000

sources = $(shell git ls-files '*.h' '*.cpp' 2>/dev/null || find . -name '*.h' -o -name '*.cpp')
format: test-deps
	clang-format -i $(sources)
check-format: test-deps
	@clang-format --dry-run --Werror $(sources)

clean:
	rm -rf build build-asan build-tsan
