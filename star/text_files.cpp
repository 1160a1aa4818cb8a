// Reading text from a file or a folder.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "star/store.h"
#include "star/text.h"

namespace star::synthesis {
namespace {

namespace fs = std::filesystem;

// What the first bytes of a file say that it is, if that is no text; else empty.
std::string no_text(const std::string& path) {
  using namespace std::string_view_literals;
  constexpr std::string_view kJournal = "-journal";
  if (is_run_file(path)) return "a run file";
  // Before SQLite writes its mark into a journal, it may be anything.
  if (path.ends_with(kJournal) && is_run_file(path.substr(0, path.size() - kJournal.size())))
    return "a journal of SQLite";
  std::array<char, 1024> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), size_t(file.gcount()));
  if (head.starts_with("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"sv)) return "a journal of SQLite";
  if (head.starts_with("\x93NUMPY"sv)) return "a NumPy file";
  if (head.starts_with("\x89PNG\r\n"sv)) return "a PNG picture";
  // A length below 2^32 in eight bytes, then JSON.
  if (head.size() > 9 && head.substr(4, 6) == "\0\0\0\0{\""sv) return "a safetensors file";
  if (head.find("<meta name=\"generator\" content=\"star report\">") != head.npos)
    return "a report";
  return "";
}

// Files and folders under a folder, each once, however many names it has. Names that are no links
// come first, so that a link to what lies beside it adds nothing.
class Walk {
 public:
  explicit Walk(const std::string& folder) {
    for (int stream : {STDOUT_FILENO, STDERR_FILENO}) {
      struct stat info;
      if (::fstat(stream, &info) == 0) written_.emplace(info.st_dev, info.st_ino);
    }
    add(folder);
    for (; !links_.empty(); links_.pop_front()) add(links_.front());
    std::sort(files.begin(), files.end());
  }

  std::vector<std::string> files;
  std::vector<LeftOut> left_out;

 private:
  void add_folder(const std::string& folder) {
    std::vector<std::string> names;
    try {
      for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path());
    } catch (const fs::filesystem_error& e) {
      fail("{}: {}", folder, e.code().message());
    }
    std::sort(names.begin(), names.end());
    for (auto& name : names) {
      std::error_code error;
      if (fs::is_symlink(fs::symlink_status(name, error)))
        links_.push_back(name);
      else
        add(name);
    }
  }

  void add(const std::string& path) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) {
      const int reason = errno;
      std::error_code error;
      const auto itself = fs::symlink_status(path, error);
      const bool link = fs::is_symlink(itself);
      if (link) left_out.push_back({path, "a link that leads nowhere"});
      // What is gone by now was somebody's temporary file.
      require(link || reason == ENOENT, "{}: {}", path, std::strerror(reason));
    } else if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
      left_out.push_back({path, "neither a file nor a folder"});
    } else if (written_.count({info.st_dev, info.st_ino})) {
      // Text that changes while it is read, and is another one the next time.
      fail("{}: what this command prints goes there, into the folder of its data", path);
    } else if (!seen_.emplace(info.st_dev, info.st_ino).second) {
      left_out.push_back({path, "another name of what is read already"});
    } else if (S_ISDIR(info.st_mode)) {
      add_folder(path);
    } else if (auto what = no_text(path); !what.empty()) {
      left_out.push_back({path, what, uint64_t(info.st_size)});
    } else {
      files.push_back(path);
    }
  }

  std::deque<std::string> links_;  // to be followed
  std::set<std::pair<dev_t, ino_t>> seen_, written_;
};

}  // namespace

TextFiles read_text(const std::string& path) {
  std::error_code error;
  auto status = fs::status(path, error);
  require(fs::exists(status), "{}: {}", path, error ? error.message() : "no such file or folder");
  TextFiles text;
  if (fs::is_directory(status)) {
    Walk walk(path);
    for (const auto& name : walk.files) text.files.push_back({name, read_file(name)});
    text.left_out = std::move(walk.left_out);
    require(!text.files.empty(), "{}: the folder holds no file of text", path);
  } else {
    text.files.push_back({path, read_file(path)});
    text.no_text = no_text(path);
  }
  std::erase_if(text.files, [](const auto& file) { return file.text.empty(); });
  require(!text.files.empty(), "{}: no text, only empty files", path);
  return text;
}

std::string warning_of(const TextFiles& text) {
  constexpr size_t kNamed = 3;
  const auto& out = text.left_out;
  if (!text.no_text.empty()) return fmt::format("it is {}, and read as text", text.no_text);
  if (out.empty()) return "";
  uint64_t left = 0, all = 0;
  for (const auto& file : out) left += file.bytes;
  for (const auto& file : text.files) all += file.text.size();
  std::vector<std::string> named;
  for (size_t i = 0; i < std::min(out.size(), kNamed); ++i)
    named.push_back(fmt::format("{} ({})", out[i].path, out[i].why));
  if (out.size() > kNamed) named.push_back(fmt::format("{} more", out.size() - kNamed));
  return fmt::format("left out {} of {} files, {:.1f} % of the bytes: {}", out.size(),
                     out.size() + text.files.size(), 100 * double(left) / double(left + all),
                     fmt::join(named, ", "));
}

}  // namespace star::synthesis
