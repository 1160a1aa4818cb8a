#include "tools/report_page.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "star/embed.h"
#include "star/pack.h"

STAR_EMBED(star_report_pack, STAR_PACK_FILE);

namespace star::cli {
namespace {

// By their names without folders.
std::map<std::string, std::string> page_files() {
  std::map<std::string, std::string> files;
  for (auto& file : unpack({star_report_pack_begin, star_report_pack_end}))
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

constexpr std::string_view kGenerator = "<meta name=\"generator\" content=\"star report\">",
                           kRun = "\n<meta name=\"star-run\" content=\"", kEnd = "\">";

// A value of an attribute of the page: bytes that would end it, or that are not ASCII, are written
// out, so that equal names have equal texts, and two names two.
std::string attribute_text(const std::string& name) {
  std::string text;
  for (unsigned char c : name) {
    const bool plain = c > ' ' && c < 127 && !std::strchr("\"&<>%", c);
    text += plain ? std::string(1, char(c)) : fmt::format("%{:02X}", int(c));
  }
  return text;
}

std::string attribute_value(std::string_view text) {
  std::string name;
  for (size_t i = 0; i < text.size(); ++i) {
    int byte = 0;
    const bool coded =
        text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16).ptr == &text[i + 1] + 2;
    name += coded ? char(byte) : text[i];
    i += coded ? 2 : 0;
  }
  return name;
}

}  // namespace

PageOrigin page_origin(std::string_view page) {
  constexpr size_t kHead = 1000;
  const size_t at = page.substr(0, kHead).find(kGenerator);
  if (at == page.npos) return {};
  std::string_view rest = page.substr(at + kGenerator.size());
  if (!rest.starts_with(kRun)) return {true, ""};
  rest.remove_prefix(kRun.size());
  return {true, attribute_value(rest.substr(0, rest.find(kEnd)))};
}

std::string report_page(const nlohmann::json& document) {
  const std::map<std::string, std::string> files = page_files();
  std::string page = files.at("page.html");
  page = with_files(page, "<link rel=\"stylesheet\" href=\"", "\">", "style", files);
  page = with_files(page, "<script src=\"", "\"></script>", "script", files);
  page.insert(page.find(kGenerator) + kGenerator.size(),
              fmt::format("{}{}{}", kRun, attribute_text(document.at("run")), kEnd));
  const std::string place = "<script id=\"report\" type=\"application/json\">";
  page.insert(page.find(place) + place.size(), script_text(document));
  return page;
}

}  // namespace star::cli
