#pragma once

#include <asio/io_context.hpp>

namespace troupe {
class loop;

namespace internal {

/// The io_context of a loop, made when first asked for.
/// Threads: the loop's only.
asio::io_context& context_of(loop& owner);

}  // namespace internal
}  // namespace troupe
