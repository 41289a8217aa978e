#include <troupe/io/bytes.hpp>

#include <troupe/runtime/memory.hpp>

#include <limits>
#include <stdexcept>

namespace troupe::io {

bytes::bytes(const void* copied, std::size_t size) {
  if (size == 0) return;
  *this = with_capacity(size);
  std::memcpy(data_, copied, size);
  end_ = static_cast<std::uint32_t>(size);
}

bytes bytes::with_capacity(std::size_t capacity) {
  if (capacity > std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error("io::bytes holds at most 4 GiB; split what is larger");
  }
  bytes made;
  if (capacity == 0) return made;
  made.data_ = static_cast<std::byte*>(internal::allocate(capacity));
  made.capacity_ = static_cast<std::uint32_t>(capacity);
  return made;
}

void bytes::free() noexcept {
  if (data_ != nullptr) internal::deallocate(data_, capacity_);
}

}  // namespace troupe::io
