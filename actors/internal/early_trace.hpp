#pragma once

#include <troupe/actors/internal/counted.hpp>

namespace troupe {
class loop;
class tracer;

namespace internal {

class trace;

/// A trace of loops from their beginning, one after the other, for the test kit: unlike `trace_actors` it adds nothing to what they do.
class early_trace {
 public:
  /// `by` outlives the loops.
  explicit early_trace(tracer& by);
  ~early_trace();
  early_trace(const early_trace&) = delete;
  early_trace& operator=(const early_trace&) = delete;
  /// Pre: it has not run yet.
  void add(loop& home);

 private:
  trace* trace_;  ///< counted
};

}  // namespace internal
}  // namespace troupe
