#include "star/data_files.h"

#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "star/store.h"
#include "star/token_files.h"

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
  if (head.starts_with('{') && head.find("\"version\"") != head.npos &&
      head.find("\"added_tokens\"") != head.npos)
    return "a tokenizer";
  return "";
}

// What `star export`, or Hugging Face, puts beside a model.safetensors.
bool is_of_model(const fs::path& path) {
  constexpr std::string_view kNames[] = {
      "model.py",  "modeling_star.py", "config.json",          "prefill.onnx",
      "step.onnx", "tokenizer.json",   "tokenizer_config.json"};
  std::error_code none;
  return std::find(std::begin(kNames), std::end(kNames), path.filename()) != std::end(kNames) &&
         fs::exists(path.parent_path() / "model.safetensors", none);
}

// Files and folders under places, each once, however many names it has. Names that are no links
// come first, so that a link to what lies beside it adds nothing.
class Walk {
 public:
  explicit Walk(const std::vector<std::string>& places) {
    for (int stream : {STDOUT_FILENO, STDERR_FILENO}) {
      struct stat info;
      if (::fstat(stream, &info) == 0) written_.emplace(info.st_dev, info.st_ino);
    }
    for (auto& place : places) {
      std::vector<std::string> own;
      files_ = &own;
      add(place);
      for (; !links_.empty(); links_.pop_front()) add(links_.front());
      std::sort(own.begin(), own.end());
      files.insert(files.end(), own.begin(), own.end());
    }
  }

  std::vector<std::string> files;
  std::vector<LeftOut> left_out;

  // Whether it went through a folder, by whatever name.
  bool was_in(const fs::path& folder) const {
    struct stat info;
    return ::stat(folder.c_str(), &info) == 0 && seen_.count({info.st_dev, info.st_ino});
  }

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
    } else if (is_of_model(path)) {
      left_out.push_back({path, "of a model", uint64_t(info.st_size)});
    } else if (auto what = is_token_file(path) ? "" : no_text(path); !what.empty()) {
      left_out.push_back({path, what, uint64_t(info.st_size)});
    } else {
      files_->push_back(path);
    }
  }

  std::vector<std::string>* files_ = nullptr;  // of the place at hand
  std::deque<std::string> links_;              // to be followed
  std::set<std::pair<dev_t, ino_t>> seen_, written_;
};

bool exists(const std::string& path) {
  std::error_code none;
  return fs::exists(fs::symlink_status(path, none));
}

constexpr const char* kWild = "*?[";

bool is_pattern(const std::string& place) {
  return place.find_first_of(kWild) != place.npos && !exists(place);
}

std::vector<std::string> matches(const std::string& pattern) {
  glob_t found = {};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);  // sorted
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  require(status == 0 || status == GLOB_NOMATCH, "{}: the folders cannot be read", pattern);
  require(!paths.empty(), "{}: no file matches", pattern);
  return paths;
}

std::vector<std::string> listed(const std::string& list) {
  const fs::path folder = fs::path(list).parent_path();
  std::vector<std::string> paths;
  const std::string content = read_file(list);
  for (std::string_view rest = content; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    paths.push_back(folder / fs::path(line));  // an absolute one stands for itself
    require(exists(paths.back()), "{}: {}: no such file or folder", list, paths.back());
  }
  require(!paths.empty(), "{}: names no file", list);
  return paths;
}

std::vector<std::string> places_of(const std::string& place) {
  if (place.starts_with('@')) return listed(place.substr(1));
  if (is_pattern(place)) return matches(place);
  return {place};
}

// Text where there is some; what else holds tokens then is left out.
void sort_by_kind(const std::vector<std::string>& files, DataFiles& found) {
  for (auto& path : files) (is_token_file(path) ? found.tokens : found.texts).push_back(path);
  if (found.texts.empty()) return;
  for (auto& path : found.tokens) {
    std::error_code none;
    found.left_out.push_back({path, "a file of tokens", fs::file_size(path, none)});
  }
  found.tokens.clear();
}

}  // namespace

DataFiles find_data(const std::string& place) {
  DataFiles found;
  const std::vector<std::string> places = places_of(place);
  if (place.starts_with('@')) {
    found.list = place.substr(1);
  } else if (!is_pattern(place)) {
    std::error_code error;
    const auto status = fs::status(place, error);
    require(fs::exists(status), "{}: {}", place,
            error ? error.message() : "no such file or folder");
    if (!fs::is_directory(status)) {  // is read, whatever it is
      (is_token_file(place) ? found.tokens : found.texts).push_back(place);
      if (found.tokens.empty() && fs::is_regular_file(status)) found.no_text = no_text(place);
      return found;
    }
  }
  Walk walk(places);
  found.left_out = std::move(walk.left_out);
  sort_by_kind(walk.files, found);
  require(!found.texts.empty() || !found.tokens.empty(), "{}: {}", place,
          places.size() == 1 ? "the folder holds no file of text or tokens"
                             : "no file of text or tokens");
  return found;
}

bool would_be_found(const std::string& place, const std::string& path) {
  const fs::path file = fs::absolute(path);
  const bool pattern = !place.starts_with('@') && is_pattern(place);
  if (Walk(places_of(place)).was_in(file.parent_path())) return true;
  if (!pattern) return false;
  // By its own name, in a folder that the pattern looks into.
  const fs::path wild = place;
  const std::string folder = wild.has_parent_path() ? wild.parent_path().string() : ".";
  const std::vector<std::string> folders =
      is_pattern(folder) ? matches(folder) : std::vector<std::string>{folder};
  std::error_code none;
  return ::fnmatch(wild.filename().c_str(), file.filename().c_str(), FNM_PERIOD) == 0 &&
         std::any_of(folders.begin(), folders.end(),
                     [&](auto& known) { return fs::equivalent(known, file.parent_path(), none); });
}

std::string place_from_root(const std::string& place) {
  if (place.empty() || place == kStandardInput) return place;
  if (place.starts_with('@')) return "@" + place_from_root(place.substr(1));
  if (fs::path(place).is_absolute() || !is_pattern(place))
    return fs::absolute(place).lexically_normal();
  std::string here;  // a folder whose name looks like a pattern is none
  for (char c : fs::current_path().string()) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) here += '\\';
    here += c;
  }
  return (fs::path(here) / place).lexically_normal();
}

}  // namespace star::synthesis
