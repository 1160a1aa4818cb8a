# The short way to what CMake does (CMakePresets.json).
JOBS ?= $(shell nproc)
PYTHON ?= python3

.PHONY: lint-deps all install search course bench peers replay mpi cuda gpu-bundle test test-cuda asan tsan format check-format lint release clean need-nvcc need-gpu deps mpi-deps gpu-deps test-deps configure

all: build/star

deps:
	@tools/install_deps.sh build
mpi-deps:
	@tools/install_deps.sh build mpi
gpu-deps:
	@tools/install_deps.sh build gpu
test-deps:
	@tools/install_deps.sh build mpi test

configure: deps
	@cmake --preset release --log-level=WARNING
build/star: configure
	@cmake --build --preset release --target star -j $(JOBS)

# The main job, on the program's own source text, with what makes a search of this length find most
# (tools/experiments): of six times as many children a model chooses, a quarter of those goes on after
# 30 steps, and generations are small and many.
search: build/star
	build/star search --objectives quality --max params=@lfm2 --population 8 --generations 9 --rungs 30 \
	  --keep 0.25 --screen 6

# The trainings of the READMEs, whole, against the numbers that the texts state; some four minutes on
# two cores. The tests run the same commands, cut to a few steps.
course: build/star
	@$(PYTHON) tests/tools/course.py build/star

# Kernels, training steps, prefill and decoding, as shares of what the machine can do.
bench: build/star
	build/star bench

# What `star export` writes, then the same models, weights and batches, in star and in PyTorch; for
# PYTHON one that imports torch, safetensors and, for all of it, transformers, onnxruntime and onnx.
peers: build/star
	@$(PYTHON) tools/peers/exported.py
	@$(PYTHON) tools/peers/exported_onnx.py
	@$(PYTHON) tools/peers/peers.py

# Ways to search, compared on a model of recorded trainings (tools/experiments).
replay: configure
	@cmake --build --preset release --target replay -j $(JOBS)

# The binary whose searches run on the ranks of an MPI job: mpirun -n 3 build/star_mpi search
mpi: mpi-deps
	@cmake --preset release -D STAR_MPI=ON --log-level=WARNING
	@cmake --build --preset release --target star_mpi -j $(JOBS)

# The binary for a GPU. `make test` runs the same sources on an emulated device. What is missing is
# said in one line, but not by `make -n`.
nvcc = $(or $(shell command -v nvcc),$(wildcard /usr/local/cuda/bin/nvcc))
dry_run = $(findstring n,$(firstword -$(MAKEFLAGS)))
need-nvcc:
	$(if $(nvcc)$(dry_run),@:,$(error nvcc was not found: install the CUDA toolkit, 12 or newer, and put its bin folder on PATH))
cuda: need-nvcc deps
	@CUDACXX=$(nvcc) cmake --preset cuda --log-level=WARNING
	@cmake --build --preset cuda --target star_cuda -j $(JOBS)

# What a first run on the GPU of another machine needs, in one folder of less than 60 MB: build here,
# copy build-cuda/gpu-bundle there, ./check (tools/gpu/README.md).
gpu-bundle: need-nvcc gpu-deps
	@CUDACXX=$(nvcc) cmake --preset cuda --log-level=WARNING
	@cmake --build --preset cuda --target star_cuda cuda_tests ceilings -j $(JOBS)
	@tools/gpu/bundle.sh build-cuda/gpu-bundle build-cuda/star_cuda build-cuda/cuda_tests build-cuda/ceilings

# Everything that every backend must pass, on the GPU of this machine, and once more under
# compute-sanitizer where it is installed.
need-gpu:
	$(if $(shell nvidia-smi -L 2>/dev/null)$(dry_run),@:,$(error nvidia-smi lists no GPU on this machine))
test-cuda: need-nvcc need-gpu gpu-deps
	@CUDACXX=$(nvcc) cmake --preset cuda --log-level=WARNING
	@cmake --build --preset cuda --target star star_cuda cuda_tests -j $(JOBS)
	@build-cuda/cuda_tests --no-intro
	@$(PYTHON) tests/tools/cuda.py build-cuda/star build-cuda/star_cuda
	@for tool in memcheck racecheck synccheck; do \
	  ! command -v compute-sanitizer > /dev/null || \
	  compute-sanitizer --tool $$tool --error-exitcode 1 build-cuda/cuda_tests --no-intro \
	    --test-case="kernel*" || exit 1; done

# Everything that must pass: formatting, unit tests, the built binary end to end, and the unit tests
# and the fuzzing of parsers under sanitizers.
test: test-deps check-format asan
	@cmake --preset release -D STAR_MPI=ON --log-level=WARNING
	@cmake --build --preset release -j $(JOBS)
	@ctest --preset release

# ctest's own closing line comes last in `test`, so this one runs the suite directly.
# Two halves side by side: sanitized tests take minutes, on one thread.
asan tsan: test-deps
	@cmake --preset $@ --log-level=WARNING
	@cmake --build --preset $@ --target unit_tests --target fuzz -j $(JOBS)
	@build-$@/unit_tests --no-intro --source-file='*tests/star/*' & \
	  build-$@/unit_tests --no-intro --source-file-exclude='*tests/star/*'; status=$$?; \
	  wait $$! && exit $$status
	@build-$@/fuzz 4000

sources = $(shell git ls-files '*.h' '*.cpp' '*.cu' 2>/dev/null || find . -name '*.h' -o -name '*.cpp' -o -name '*.cu')
format: test-deps
	clang-format -i $(sources)
check-format: test-deps
	@clang-format --dry-run --Werror $(sources)

# clang-tidy with the checks of .clang-tidy; some 15 minutes. The first version that lets a lambda
# capture a structured binding is 16. What compilers warn of is left to GCC; the .cu files are for nvcc.
# GCC's precompiled headers are none to clang.
lint: test-deps lint-deps
	@cmake --preset release -B build-lint -D STAR_MPI=ON -D CMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
	  --log-level=WARNING
	@git ls-files '*.cpp' | grep -v '^cuda/emulator/' | \
	  xargs -P $(JOBS) -n 4 clang-tidy-16 -p build-lint --quiet --extra-arg=-w
lint-deps:
	@tools/install_deps.sh lint

# The binary with its completions and manual page, and the library with its headers.
PREFIX ?= /usr/local
install: configure
	@cmake --build --preset release --target star star_archive -j $(JOBS)
	@cmake --install build --prefix $(PREFIX)

# dist/: the binary, a Debian package, their checksums; and the tag of this version.
release: build/star
	@tools/release.sh

clean:
	rm -rf build build-cuda build-asan build-tsan build-lint dist
