#pragma once

#include <troupe/runtime/testing/sequential_model.hpp>
#include <troupe/runtime/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

struct linearization;

namespace internal {

inline constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

/// One operation, from its call to its answer.
struct recorded_call {
  std::string client;
  std::size_t key = 0;  ///< the same for what is about the same thing
  std::string key_text;
  std::unique_ptr<any_call> call;
  std::uint64_t begin = 0;  ///< events are numbered as they happen
  std::uint64_t end = never;
  time_point began = {};
  time_point ended = {};
  bool happened = true;  ///< or may have
};

/// Numbers the keys of a model; one of a type without an order is looked for among all that there are.
/// Threads: any, at the same time.
template <class Model>
class key_numbers {};
template <class Model>
  requires requires { typename Model::key; }
class key_numbers<Model> {
 public:
  using key = typename Model::key;
  std::size_t number_of(const key& given) {
    const std::lock_guard<std::mutex> guard(lock_);
    if constexpr (std::totally_ordered<key>) {
      return known_.try_emplace(given, known_.size()).first->second;
    } else {
      for (std::size_t each = 0; each < known_.size(); ++each) {
        if (known_[each] == given) return each;
      }
      known_.push_back(given);
      return known_.size() - 1;
    }
  }

 private:
  template <class Key>
  struct container {
    using type = std::vector<Key>;
  };
  template <std::totally_ordered Key>
  struct container<Key> {
    using type = std::map<Key, std::size_t>;
  };
  std::mutex lock_;
  typename container<key>::type known_;
};

/// What a `history` holds, in which the model's type is forgotten.
/// Threads: any, at the same time.
class recorded_calls {
 public:
  std::size_t begins(recorded_call begun);
  /// Errors: `invalid_state` when it has ended before.
  template <class Note>
  void ends(std::size_t number, Note note) {
    const std::lock_guard<std::mutex> guard(lock_);
    recorded_call& ended = still_open(number);
    note();
    ended.end = ++events_;
    ended.ended = now();
  }
  void never_was(std::size_t number);
  linearization check(const any_state& initial, std::size_t most_configurations) const;

 private:
  recorded_call& still_open(std::size_t number);
  static time_point now() noexcept;

  mutable std::mutex lock_;
  std::vector<recorded_call> calls_;
  std::uint64_t events_ = 0;
};

}  // namespace internal

}  // namespace troupe::testing
