#include "star/tokens.h"

#include <bit>

namespace star::synthesis {
namespace {

static_assert(std::endian::native == std::endian::little);

template <class T>
Tokens packed(const std::vector<int32_t>& numbers, TokenType type) {
  auto values = std::make_shared<std::vector<T>>(numbers.begin(), numbers.end());
  const T* data = values->data();
  return Tokens(std::move(values), data, numbers.size(), type);
}

}  // namespace

size_t width_of(TokenType type) {
  switch (type) {
    case TokenType::u8:
      return 1;
    case TokenType::u16:
      return 2;
    case TokenType::u32:
    case TokenType::i32:
      return 4;
    case TokenType::i64:
      return 8;
  }
  fail("tokens: there is no type {}", int(type));
}

Tokens::Tokens(std::string text) {
  auto kept = std::make_shared<const std::string>(std::move(text));
  data_ = kept->data();
  size_ = kept->size();
  owner_ = std::move(kept);
}

Tokens::Tokens(const std::vector<int32_t>& numbers, int64_t vocab) {
  *this = vocab <= 1 << 16 ? packed<uint16_t>(numbers, TokenType::u16)
                           : packed<uint32_t>(numbers, TokenType::u32);
}

int32_t Tokens::operator[](size_t i) const {
  switch (type_) {
    case TokenType::u8:
      return load<uint8_t>(i);
    case TokenType::u16:
      return load<uint16_t>(i);
    case TokenType::u32:
      return int32_t(load<uint32_t>(i));
    case TokenType::i32:
      return load<int32_t>(i);
    case TokenType::i64:
      return int32_t(load<int64_t>(i));
  }
  fail("tokens: there is no type {}", int(type_));
}

Tokens Tokens::part(size_t begin, size_t end) const {
  return Tokens(owner_, data_ + begin * width_of(type_), end - begin, type_);
}

}  // namespace star::synthesis
