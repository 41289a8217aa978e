#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace troupe::internal {

/// Items in a ring that doubles when it is full, and keeps its memory. Not guarded.
template <class T>
class ring {
 public:
  ring() noexcept = default;
  ring(ring&& other) noexcept { swap(other); }
  ring& operator=(ring&&) = delete;
  ~ring() {
    while (size_ != 0) drop_back();
    release(slots_);
  }

  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t index) noexcept { return slots_[(first_ + index) & (capacity_ - 1)]; }
  T& back() noexcept { return (*this)[size_ - 1]; }

  /// Makes room for one more.
  void reserve() {
    if (size_ == capacity_) [[unlikely]]
      grow();
  }
  void push_back(T&& item) {
    reserve();
    ::new (static_cast<void*>(&(*this)[size_])) T(std::move(item));
    ++size_;
  }
  void drop_front() noexcept {
    slots_[first_].~T();
    first_ = (first_ + 1) & (capacity_ - 1);
    --size_;
  }
  void drop_back() noexcept {
    back().~T();
    --size_;
  }
  void swap(ring& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(capacity_, other.capacity_);
    std::swap(first_, other.first_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr std::size_t first_capacity = 8;
  static constexpr std::align_val_t alignment{alignof(T)};

  static void release(T* slots) noexcept {
    ::operator delete(static_cast<void*>(slots), alignment);
  }

  void grow() {
    ring larger;
    const std::size_t wanted = capacity_ == 0 ? first_capacity : capacity_ * 2;
    if (wanted > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    larger.slots_ = static_cast<T*>(::operator new(wanted * sizeof(T), alignment));
    larger.capacity_ = wanted;
    for (std::size_t index = 0; index < size_; ++index) {
      // A copy where a move might fail half way, and with it what has been moved.
      if constexpr (std::is_nothrow_move_constructible_v<T> || !std::is_copy_constructible_v<T>) {
        ::new (static_cast<void*>(&larger.slots_[index])) T(std::move((*this)[index]));
      } else {
        ::new (static_cast<void*>(&larger.slots_[index])) T((*this)[index]);
      }
      ++larger.size_;
    }
    swap(larger);
  }

  T* slots_ = nullptr;
  std::size_t capacity_ = 0;  ///< zero or a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// First in, first out.
template <class T>
class fifo_items {
 public:
  void put(T&& item) { items_.push_back(std::move(item)); }
  /// Calls `receive(T&&)` with the next one, and removes it unless that throws. Pre: not empty.
  template <class Receive>
  void take(Receive receive) {
    receive(std::move(items_[0]));
    items_.drop_front();
  }
  using storage = ring<T>;
  void swap(storage& other) noexcept { items_.swap(other); }

 private:
  ring<T> items_;
};

/// Last in, first out.
template <class T>
class lifo_items {
 public:
  void put(T&& item) { items_.push_back(std::move(item)); }
  template <class Receive>
  void take(Receive receive) {
    receive(std::move(items_.back()));
    items_.drop_back();
  }
  using storage = ring<T>;
  void swap(storage& other) noexcept { items_.swap(other); }

 private:
  ring<T> items_;
};

/// The least first, equal ones in the order they came: a binary heap. It compares before it moves anything, so a comparison
/// that throws changes nothing.
template <class T, class Less>
class heap_items {
  struct entry {
    entry(T&& given, std::uint64_t put) : item(std::move(given)), order(put) {}
    T item;
    std::uint64_t order;
  };

 public:
  using storage = ring<entry>;
  explicit heap_items(Less less = {}) : less_(std::move(less)) {}

  void put(T&& item) {
    heap_.reserve();
    const std::size_t bottom = heap_.size();
    std::size_t place = bottom;
    while (place != 0 && less_(item, heap_[parent(place)].item)) place = parent(place);
    heap_.push_back(entry(std::move(item), puts_++));
    if (place == bottom) return;
    entry risen(std::move(heap_[bottom]));
    for (std::size_t hole = bottom; hole != place; hole = parent(hole))
      replace(heap_[hole], heap_[parent(hole)]);
    replace(heap_[place], risen);
  }

  template <class Receive>
  void take(Receive receive) {
    const std::size_t bottom = heap_.size() - 1;
    std::size_t path[sizeof(std::size_t) * 8];  // of those that rise
    std::size_t length = 0;
    for (std::size_t hole = 0;;) {
      std::size_t child = hole * 2 + 1;
      if (child >= bottom) break;
      if (child + 1 < bottom && before(heap_[child + 1], heap_[child])) ++child;
      if (!before(heap_[child], heap_[bottom])) break;
      path[length++] = hole = child;
    }
    receive(std::move(heap_[0].item));
    std::size_t hole = 0;
    for (std::size_t step = 0; step < length; hole = path[step++])
      replace(heap_[hole], heap_[path[step]]);
    if (hole != bottom) replace(heap_[hole], heap_[bottom]);
    heap_.drop_back();
  }
  void swap(storage& other) noexcept { heap_.swap(other); }

 private:
  static std::size_t parent(std::size_t place) noexcept { return (place - 1) / 2; }
  bool before(const entry& a, const entry& b) {
    return less_(a.item, b.item) || (a.order < b.order && !less_(b.item, a.item));
  }
  static void replace(entry& old, entry& by) {
    if constexpr (std::is_nothrow_move_constructible_v<T>) {
      old.~entry();
      ::new (static_cast<void*>(&old)) entry(std::move(by));
    } else {
      old = std::move(by);
    }
  }

  storage heap_;
  std::uint64_t puts_ = 0;
  [[no_unique_address]] Less less_;
};

}  // namespace troupe::internal
