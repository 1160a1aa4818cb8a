// Tokens where they lie: in a text, in memory or in a mapped file.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"

namespace star::synthesis {

// How a token is kept, little-endian.
enum class TokenType { u8, u16, u32, i32, i64 };

// Numbers in a row, which keep alive what they lie in. Copies and parts are cheap.
class Tokens {
 public:
  Tokens() = default;
  // `size` of them from `data`, which needs no alignment and lives as long as `owner`.
  Tokens(std::shared_ptr<const void> owner, const void* data, size_t size, TokenType type)
      : owner_(std::move(owner)), data_(static_cast<const char*>(data)), size_(size), type_(type) {}
  // The bytes of a text.
  explicit Tokens(std::string text);
  // Numbers below `vocab`, in as few bytes as that takes.
  Tokens(const std::vector<int32_t>& numbers, int64_t vocab);

  size_t size() const { return size_; }
  TokenType type() const { return type_; }
  // Of numbers that were found to be of a vocabulary.
  int32_t operator[](size_t i) const;
  // Those from `begin` up to `end`.
  Tokens part(size_t begin, size_t end) const;

  // Calls f(number) for each in turn, as an int64_t.
  template <class F>
  void for_each(const F& f) const {
    switch (type_) {
      case TokenType::u8:
        return each<uint8_t>(f);
      case TokenType::u16:
        return each<uint16_t>(f);
      case TokenType::u32:
        return each<uint32_t>(f);
      case TokenType::i32:
        return each<int32_t>(f);
      case TokenType::i64:
        return each<int64_t>(f);
    }
    fail("tokens: there is no type {}", int(type_));
  }

 private:
  template <class T>
  T load(size_t i) const {
    T value;
    std::memcpy(&value, data_ + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T, class F>
  void each(const F& f) const {
    for (size_t i = 0; i < size_; ++i) f(int64_t(load<T>(i)));
  }

  std::shared_ptr<const void> owner_;
  const char* data_ = nullptr;
  size_t size_ = 0;
  TokenType type_ = TokenType::u8;
};

// Bytes that one of a type takes.
size_t width_of(TokenType type);

}  // namespace star::synthesis
