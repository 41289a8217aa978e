#pragma once

#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/task.hpp>

#include <exception>
#include <utility>

namespace troupe {

namespace internal {

/// The outer future of a `shield`: ends as the inner one does, but does not pass cancellation on to it.
template <class T, class Handle>
class shield_state final : public typed_future<T>,
                           private observer,
                           private loop_bound,
                           public pooled {
 public:
  shield_state(loop& home, Handle inner)
      : typed_future<T>(nullptr, home, 2),
        observer(&shield_state::on_done),
        inner_(std::move(inner)) {
    if (inner_.done()) {
      settle(1);
      this->release();
    } else {
      inner_.base().add_observer(*this);
      bind(home);
    }
  }

  bool cancel(std::string_view reason) noexcept override { return this->end_as_cancelled(reason); }
  void each_part(const visitor<const future_base>& visit) const override { visit(inner_.base()); }

 private:
  static void on_done(observer& self) noexcept {
    auto& mine = static_cast<shield_state&>(self);
    mine.unbind();
    if (!mine.done()) mine.settle(2);  // one more: whoever ends it
    mine.release();
  }
  void settle(std::uint32_t holders) noexcept {
    auto& inner = inner_.base();
    if (inner.was_cancelled()) {
      this->result_.set_error(inner.error());
      this->complete(future_base::status::cancelled);
      return;
    }
    this->result_.set_from([&]() -> T { return inner.take(holders); });
    this->complete_with_result();
  }
  void home_closes() noexcept override {
    inner_.base().remove_observer(*this);
    unbind();
    this->release();
  }
  void destroy() noexcept override {
    if (this->unseen_error())
      report_unseen(
          {"a shielded task failed and nobody looked at its result", this->result_.error()});
    delete this;
  }

  Handle inner_;
};

}  // namespace internal

/// Keeps a cancellation of whoever awaits the result away from `source`: a coroutine, which becomes a task, a task or a future.
/// The one that awaits ends as cancelled at once; what is shielded goes on, and its failure is then reported like that of any
/// task. Keep a handle of it to wait for it all the same.
/// Errors: `invalid_state` off a loop.
template <internal::awaitable_source Source>
auto shield(Source source) {
  using source_of = internal::awaited<Source>;
  using state = internal::shield_state<typename source_of::result, typename source_of::handle>;
  loop& home = internal::running_loop("shield");
  return future<typename source_of::result>(*new state(home, source_of::from(std::move(source))));
}

}  // namespace troupe
