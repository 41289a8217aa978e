#include <troupe/runtime/asio.hpp>

#include <troupe/runtime/internal/asio_context.hpp>

namespace troupe {

asio::io_context& asio_context() {
  return internal::context_of(internal::running_loop("asio_context"));
}

bool internal::was_aborted(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& caught) {
    return was_aborted(caught.code());
  } catch (...) {
    return false;
  }
}

}  // namespace troupe
