#include "autograd/network.h"

#include <cctype>
#include <charconv>
#include <map>

#include "core/error.h"

namespace star::autograd {
namespace {

using Kind = Node::Kind;

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
      if (!has(factors, c) || has(along_, c)) refuse(fmt::format("no factor has '{}'", c));
    if (has_function_ && !network_.read)
      refuse("a function needs a structure beside it that names its pair");
    if (!has_tensor_) refuse("no tensor");
    for (const Node& n : network_.nodes) keep_inside(n);
    network_.tensors = tensors_;
    network_.chunk = 'A';
    while (has(seen_, network_.chunk)) ++network_.chunk;
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
    if (!has(seen_, c)) seen_ += c;
    return c;
  }
  void add_axis(std::string& axes) {
    size_t place = at_;
    char c = letter();
    if (!has(axes, c)) {
      axes += c;
      return;
    }
    at_ = place;
    refuse(fmt::format("'{}' stands twice", c));
  }

  // The t of a product stands nowhere else.
  void keep_inside(const Node& n) const {
    if (n.along) return;
    for (char c : n.axes)
      if (has(along_, c)) refuse(fmt::format("'{}' stands outside of its product", c));
    for (const Node& x : n.inside) keep_inside(x);
  }

  std::vector<Node> nodes() {
    std::vector<Node> list{node()};
    while (take(",")) list.push_back(node());
    return list;
  }

  bool function(Node& n) {
#define STAR_OPENING(name, functor) {#name "(", Unary::name},
    constexpr std::pair<const char*, Unary> functions[] = {STAR_UNARY(STAR_OPENING)};
#undef STAR_OPENING
    for (auto [opening, f] : functions) {
      if (n.function) break;
      if (take(opening)) n.function = f;
    }
    if (!n.function && !take("softmax(")) return false;
    n.kind = Kind::function;
    has_function_ = true;
    n.inside = nodes();
    if (!take(")")) refuse(") expected");
    return true;
  }

  // A tensor's number: that of its name, or the next.
  int number_of(const std::string& name) {
    if (name.empty()) return tensors_++;
    auto [at, fresh] = names_.emplace(name, tensors_);
    if (fresh) ++tensors_;
    return at->second;
  }
  std::string name() {
    size_t end = at_;
    while (end < text_.size() && is_letter(text_[end])) ++end;
    if (end == at_ || end == text_.size() || text_[end] != ':') return "";
    std::string name = text_.substr(at_, end - at_);
    at_ = end + 1;
    return name;
  }

  Node node() {
    Node n;
    if (function(n)) return n;
    char c = peek();
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.' ||
        (c == '-' && text_.compare(at_, 2, "->") != 0))
      return number();
    std::string named = name();
    while (is_letter(peek()) || peek() == '[') {
      if (peek() != '[') {
        add_axis(n.axes);
        continue;
      }
      if (n.kind != Kind::tensor) refuse("a second structure in one factor");
      structure(n);
      if (n.along) return n;
    }
    if (n.kind == Kind::band && !n.axes.empty()) refuse("a band has no tensor");
    has_tensor_ |= n.kind != Kind::band;
    if (n.kind != Kind::band) n.tensor = number_of(named);
    return n;
  }

  Node number() {
    Node n{.kind = Kind::number};
    auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n.number);
    if (error != std::errc()) refuse("a number expected");
    at_ = size_t(end - text_.data());
    return n;
  }
  int64_t whole(const char* what) {
    int64_t n = 0;
    auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
    if (error != std::errc() || n < 1) refuse(fmt::format("{} of at least 1 expected", what));
    at_ = size_t(end - text_.data());
    return n;
  }

  // [i>=j], [i>=j>i-64], [i=j], [i-j], [i-j<3], [i..j] or [i..t..j], from the bracket on.
  void structure(Node& n) {
    ++at_;
    char i = letter();
    const char* forms[] = {">=", "=", "-", ".."};
    const Kind kinds[] = {Kind::band, Kind::band, Kind::toeplitz, Kind::decay};
    int form = 0;
    while (form < 4 && !take(forms[form])) ++form;
    if (form == 4) refuse(">=, =, - or .. expected");
    char j = letter(), t = 0;
    if (form == 3 && take("..")) {
      t = j;
      j = letter();
    }
    if (i == j || i == t || j == t) refuse("different letters expected");
    n.kind = kinds[form];
    if (form == 1) n.window = 1;
    if (form == 0 && take(">")) {
      if (letter() != i || !take("-")) refuse("i-window expected");
      n.window = whole("a window");
    }
    if (form == 2 && take("<")) n.window = whole("a number of lags");
    if (!take("]")) refuse("] expected");
    if (network_.read && (network_.read != i || network_.write != j))
      refuse("a second pair of tokens");
    network_.read = i;
    network_.write = j;
    if (t)
      product(n, t);
    else if (form >= 2)
      n.axes += Node::kTokens;
  }

  // What follows [i..t..j].
  void product(Node& n, char t) {
    if (!n.axes.empty()) refuse("a product has no tensor of its own");
    n.along = t;
    if (!has(along_, t)) along_ += t;
    if (take("delta(")) return delta(n);
    n.inside.emplace_back();
    if (!function(n.inside[0]) || n.inside[0].is_softmax())
      refuse("a function of single entries or delta expected");
  }

  // The tensor whose exponential a node is, or the node itself.
  static const Node& exponent_of(const Node& n) {
    const bool power = n.kind == Kind::function && n.function == Unary::exp && n.inside.size() == 1;
    return power ? n.inside[0] : n;
  }

  void delta(Node& n) {
    n.kind = Kind::delta;
    n.inside = nodes();
    if (!take(")")) refuse(") expected");
    bool tensors = n.inside.size() == 3;
    for (const Node& x : n.inside) {
      const Node& of = tensors && &x == &n.inside[2] ? exponent_of(x) : x;
      tensors &= of.kind == Kind::tensor && has(of.axes, n.along);
    }
    if (!tensors) refuse("delta takes a key, a strength and a decay, tensors of its tokens");
    const std::string &key = n.inside[0].axes, &strength = n.inside[1].axes;
    const std::string& decay = exponent_of(n.inside[2]).axes;
    std::string own;  // the letters that the key alone has
    for (char c : key) {
      if (!has(strength, c)) own += c;
      if (c != n.along) n.axes += c;
    }
    if (own.size() != 1 || strength.size() + 1 != key.size())
      refuse("the key of delta has one letter more than its strength");
    if (decay != strength && decay != key)
      refuse("the decay of delta has the letters of its strength or of its key");
    add_axis(n.axes);
  }

  const std::string& text_;
  Network network_;
  std::string seen_, along_;
  std::map<std::string, int> names_;
  int tensors_ = 0;
  bool has_tensor_ = false, has_function_ = false;
  size_t at_ = 0;
};

}  // namespace

Network parse_network(const std::string& text) { return Parser(text).parse(); }

}  // namespace star::autograd
