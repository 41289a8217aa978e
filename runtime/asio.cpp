#include <troupe/runtime/asio.hpp>

#include <troupe/runtime/internal/asio_context.hpp>

namespace troupe {

asio::io_context& asio_context() {
  return internal::context_of(internal::running_loop("asio_context"));
}

}  // namespace troupe
