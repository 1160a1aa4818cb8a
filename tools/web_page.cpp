#include "tools/web_page.h"

#include <filesystem>
#include <map>

#include "core/error.h"
#include "star/pack.h"

namespace star::cli {
namespace {

// By their names without folders.
std::map<std::string, std::string> page_files(std::string_view pack) {
  std::map<std::string, std::string> files;
  for (auto& file : unpack(pack))
    files[std::filesystem::path(file.name).filename()] = std::move(file.text);
  return files;
}

// Puts files in the place of the tags `head`NAME`tail` that name them.
std::string with_files(const std::string& page, const std::string& head, const std::string& tail,
                       const std::string& element,
                       const std::map<std::string, std::string>& files) {
  std::string out;
  size_t at = 0;
  for (size_t tag; (tag = page.find(head, at)) != std::string::npos;) {
    const size_t name = tag + head.size(), end = page.find(tail, name);
    out += page.substr(at, tag - at);
    out += fmt::format("<{}>\n{}</{}>", element, files.at(page.substr(name, end - name)), element);
    at = end + tail.size();
  }
  return out + page.substr(at);
}

// JSON in ASCII without "<": no "</script>", no "<!--", no line separators of other standards.
std::string script_text(const nlohmann::json& document) {
  std::string text, json = document.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  for (char c : json) c == '<' ? text += "\\u003c" : text += c;
  return text;
}

}  // namespace

std::string web_page(std::string_view pack, const std::string& id, const nlohmann::json& document) {
  const std::map<std::string, std::string> files = page_files(pack);
  std::string page = files.at("page.html");
  page = with_files(page, "<link rel=\"stylesheet\" href=\"", "\">", "style", files);
  page = with_files(page, "<script src=\"", "\"></script>", "script", files);
  const std::string place = fmt::format("<script id=\"{}\" type=\"application/json\">", id);
  return page.insert(page.find(place) + place.size(), script_text(document));
}

}  // namespace star::cli
