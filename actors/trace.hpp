#pragma once

#include <troupe/runtime/context.hpp>
#include <troupe/runtime/ref_count.hpp>

#include <atomic>
#include <cstdint>

// How events come to the tracer of a runtime; what calls these is where actors begin, messages are put and taken,
// and asks end: look for `traced()` and `maybe_traced()`.
//
// A message has a number from when it is sent until it is delivered, an ask until it ends; it is kept in a table by the envelope's
// address, so that envelopes need no room for it. What is being handled is a value of the context, which tasks, callbacks and
// thread jobs inherit: so what a handler has caused is known long after it has returned.

namespace troupe::internal {

class cell;
struct envelope;
class open_ask;

/// Whether any loop of this program is, or was, traced: what costs two instructions where nobody traces.
extern constinit std::atomic<bool> traced_anywhere;
inline bool maybe_traced() noexcept { return traced_anywhere.load(std::memory_order_relaxed); }

/// `sent` is on its way to an actor on another loop. On a loop, or none.
void trace_posted(envelope& sent, cell& to) noexcept;
/// The ask is answered, or failed, on another loop than its asker's, and on its way back.
void trace_answered(open_ask& ask, const std::exception_ptr& error) noexcept;

}  // namespace troupe::internal
