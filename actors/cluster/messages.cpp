#include <troupe/actors/cluster/messages.hpp>

namespace troupe::cluster::internal {

void served_ask::tell(answer_sink& to) noexcept {
  if (answer_.was_cancelled()) return to.failed(*this, nullptr);
  std::exception_ptr error = answer_.error();
  if (error != nullptr) return to.failed(*this, error);
  try {
    writer& out = to.begin_answer(*this, message_.reply);
    if (message_.put_answer != nullptr) message_.put_answer(out, answer_);
    return to.end_answer(*this);
  } catch (...) {
    error = std::current_exception();
  }
  to.drop_answer();
  to.failed(*this, error);
}

}  // namespace troupe::cluster::internal
