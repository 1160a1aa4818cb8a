#include "core/file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "core/error.h"
#include "tests/temporary.h"

using namespace star;
namespace fs = std::filesystem;

namespace {

void put(const std::string& path, const std::string& text) {
  // In two pieces, which are one file.
  write_file(path,
             std::array{std::string_view(text).substr(0, 1), std::string_view(text).substr(1)});
}

struct Folder : TemporaryFolder {
  size_t count() const {
    return size_t(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
};

mode_t mode_of(const std::string& path) {
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("file: what is written is read, whatever stood there before, and nothing else changes") {
  Folder folder;
  const std::string path = folder.file("a");
  // A name that a neighbour has is not taken from it.
  const std::string neighbours[] = {path + ".tmp", fmt::format("{}.tmp-{}-0", path, getpid())};
  for (auto& name : neighbours) put(name, "theirs");
  require_writable(path);
  CHECK_FALSE(fs::exists(path));
  put(path, "first");
  CHECK(read_file(path) == "first");
  put(path, "second, longer");
  require_writable(path);
  CHECK(read_file(path) == "second, longer");
  for (auto& name : neighbours) CHECK(read_file(name) == "theirs");
  CHECK(folder.count() == 3);
}

TEST_CASE("file: a new file has the mode that the user asks for, an old one keeps its own") {
  Folder folder;
  const mode_t before = ::umask(027);
  put(folder.file("new"), "x");
  ::umask(before);
  CHECK(mode_of(folder.file("new")) == 0640);
  for (mode_t mode : {0600, 0755, 0604}) {
    REQUIRE(::chmod(folder.file("new").c_str(), mode) == 0);
    put(folder.file("new"), "y");
    CHECK(mode_of(folder.file("new")) == mode);
  }
}

TEST_CASE("file: a link stays, and what it leads to is written") {
  Folder folder;
  fs::create_directory(folder.path / "there");
  put(folder.file("there/old"), "old");
  fs::create_symlink("there/old", folder.file("link"));
  fs::create_symlink(folder.file("link"), folder.file("link of a link"));
  fs::create_symlink("there/new", folder.file("dangling"));
  CHECK(fs::equivalent(link_target(folder.file("link of a link")), folder.file("there/old")));
  put(folder.file("link of a link"), "changed");
  put(folder.file("dangling"), "new");
  CHECK(read_file(folder.file("there/old")) == "changed");
  CHECK(read_file(folder.file("there/new")) == "new");
  for (const char* name : {"link", "link of a link", "dangling"})
    CHECK(fs::is_symlink(folder.file(name)));
  fs::create_symlink("round", folder.file("round"));
  CHECK_THROWS_AS(put(folder.file("round"), "x"), Error);
  fs::create_symlink("nowhere/at all", folder.file("astray"));
  CHECK_THROWS_WITH_AS(put(folder.file("astray"), "x"), doctest::Contains("no folder"), Error);
}

TEST_CASE("file: what is no regular file is not replaced, and no folder is made") {
  Folder folder;
  fs::create_directory(folder.path / "sub");
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  for (const char* name : {"sub", "sub/", "pipe", "nowhere/a", "nowhere/"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH_AS(require_writable(folder.file(name)), doctest::Contains(name), Error);
    CHECK_THROWS_AS(put(folder.file(name), "x"), Error);
  }
  CHECK_THROWS_WITH_AS(require_writable("/dev/null"), "/dev/null: not a regular file", Error);
  CHECK_THROWS_AS(put("/dev/null", "x"), Error);
  CHECK_THROWS_AS(require_writable(""), Error);
  CHECK(fs::is_fifo(folder.file("pipe")));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(folder.count() == 2);
}

TEST_CASE("file: a disk that is full is a fault of the work, and leaves what was there") {
  Folder folder;
  const std::string path = folder.file("a");
  put(path, "old");
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      put(path, std::string(1000, 'x'));
    } catch (const WriteError&) {
      _exit(1);
    } catch (...) {
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(read_file(path) == "old");
  CHECK(folder.count() == 1);
}
