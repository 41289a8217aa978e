#pragma once

namespace troupe::testing {

/// Counts how many objects of it live: what holds one has to destroy it exactly once.
class counted {
 public:
  explicit counted(int& alive) noexcept : alive_(&alive) { ++*alive_; }
  counted(const counted& other) noexcept : alive_(other.alive_) { ++*alive_; }
  counted& operator=(const counted&) = delete;
  ~counted() { --*alive_; }

 private:
  int* alive_;
};

}  // namespace troupe::testing
