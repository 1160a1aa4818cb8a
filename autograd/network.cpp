#include "autograd/network.h"

#include <cctype>
#include <charconv>

#include "core/error.h"

namespace star {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)); }

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) { network_.text = text; }

  Network parse() {
    network_.nodes = nodes();
    if (!take("->")) refuse("-> expected");
    std::string factors = seen_;
    while (at_ < text_.size()) add_axis(network_.result);
    for (char c : network_.result)
      if (factors.find(c) == std::string::npos) refuse(fmt::format("no factor has '{}'", c));
    if (has_function_ && !network_.read)
      refuse("a function needs a structure beside it that names its pair");
    if (!has_tensor_) refuse("no tensor");
    network_.chunk = 'A';
    auto used = [&](char c) { return seen_.find(c) != std::string::npos; };
    while (used(network_.chunk)) ++network_.chunk;
    return network_;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    fail("contract \"{}\", place {}: {}", text_, at_ + 1, why);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  char letter() {
    if (!is_letter(peek())) refuse("a letter expected");
    char c = text_[at_++];
    if (seen_.find(c) == std::string::npos) seen_ += c;
    return c;
  }
  void add_axis(std::string& axes) {
    size_t place = at_;
    char c = letter();
    if (axes.find(c) == std::string::npos) {
      axes += c;
      return;
    }
    at_ = place;
    refuse(fmt::format("'{}' stands twice", c));
  }

  std::vector<Node> nodes() {
    std::vector<Node> list{node()};
    while (take(",")) list.push_back(node());
    return list;
  }

  Node node() {
    using Function = Node::Function;
    constexpr std::pair<const char*, Function> functions[] = {
        {"softmax(", Function::softmax}, {"relu(", Function::relu}, {"silu(", Function::silu}};
    for (auto [opening, function] : functions) {
      if (!take(opening)) continue;
      Node n{.kind = Node::Kind::function};
      n.function = function;
      has_function_ = true;
      n.inside = nodes();
      if (!take(")")) refuse(") expected");
      return n;
    }
    char c = peek();
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.' ||
        (c == '-' && text_.compare(at_, 2, "->") != 0))
      return number();
    Node n;
    while (is_letter(peek()) || peek() == '[') {
      if (peek() != '[') {
        add_axis(n.axes);
        continue;
      }
      if (n.kind != Node::Kind::tensor) refuse("a second structure in one factor");
      structure(n);
    }
    if (n.kind == Node::Kind::band && !n.axes.empty()) refuse("a band has no tensor");
    has_tensor_ |= n.kind != Node::Kind::band;
    return n;
  }

  Node number() {
    Node n{.kind = Node::Kind::number};
    auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n.number);
    if (error != std::errc()) refuse("a number expected");
    at_ = size_t(end - text_.data());
    return n;
  }

  // [i>=j], [i>=j>i-64], [i=j], [i-j] or [i..j], from the bracket on.
  void structure(Node& n) {
    ++at_;
    char i = letter();
    const char* forms[] = {">=", "=", "-", ".."};
    int form = 0;
    while (form < 4 && !take(forms[form])) ++form;
    if (form == 4) refuse(">=, =, - or .. expected");
    char j = letter();
    if (i == j) refuse("two different letters expected");
    n.kind = form < 2 ? Node::Kind::band : form == 2 ? Node::Kind::toeplitz : Node::Kind::decay;
    if (form >= 2) n.axes += Node::kTokens;
    if (form == 1) n.window = 1;
    if (form == 0 && take(">")) {
      if (letter() != i || !take("-")) refuse("i-window expected");
      auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), n.window);
      if (error != std::errc() || n.window < 1) refuse("a window of at least 1 expected");
      at_ = size_t(end - text_.data());
    }
    if (!take("]")) refuse("] expected");
    if (network_.read && (network_.read != i || network_.write != j))
      refuse("a second pair of tokens");
    network_.read = i;
    network_.write = j;
  }

  const std::string& text_;
  Network network_;
  std::string seen_;
  bool has_tensor_ = false, has_function_ = false;
  size_t at_ = 0;
};

}  // namespace

Network parse_network(const std::string& text) { return Parser(text).parse(); }

}  // namespace star
