#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/cluster/node.hpp>
#include <troupe/actors/exit_reason.hpp>

#include <exception>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

namespace troupe::cluster {

/// Says on which node an actor is to be started next. Errors: any; it is asked again at the next restart.
using choose_node = std::function<node_id(const node& here)>;

/// An actor here that has another one do all, which it starts on another node: to be supervised, so that the other one is started again when it has
/// crashed, or was killed, or its node is lost, there or on another node, as `choose` says. The ref stays the same.
///
///     account_ = supervise<cluster::remote_child<account_protocol, int>>(
///         {.when = restart::transient}, &node_, the_first_member, "account", 5);
///
/// Life: it is up when the other one is; it falls with it, for the same reason, and stops it when it stops. What waits here is passed on to the next one;
/// what was passed on and not handled is lost with the one that had it, and asks for it fail. Without a supervisor it ends with the other one.
/// Threads: the loop of the node, which has to outlive it.
template <class P, class... Args>
class remote_child : public actor<P> {
 public:
  static constexpr std::string_view class_name = "child elsewhere";

  remote_child(node* here, choose_node choose, std::string offered, Args... args)
      : here_(here),
        choose_(std::move(choose)),
        offered_(std::move(offered)),
        args_(std::move(args)...) {}

  coro<> on_start() {
    const node_id where = choose_(*here_);
    auto starting = std::apply(
        [&](const Args&... each) { return here_->spawn_on<P>(where, offered_, Args(each)...); },
        args_);
    child_ = co_await std::move(starting);
    this->create_task(watch(*this), {.name = "watch a child elsewhere"});
  }
  coro<> on_stop() {
    if (!child_) co_return;
    auto over = child_.stopped();
    child_.stop();
    co_await over;
  }

  void pass_on(troupe::internal::envelope& item) noexcept { child_.cell()->enqueue(item); }

 private:
  static coro<> watch(remote_child& self) {
    auto over = self.child_.stopped();
    const exit_reason why = co_await over;
    if (!why.failed()) co_return self.stop();
    self.crash_with(why.error() != nullptr
                        ? why.error()
                        : std::make_exception_ptr(remote_error("it was killed over there")));
  }

  node* here_;
  choose_node choose_;
  std::string offered_;
  std::tuple<Args...> args_;
  actor_ref<P> child_;
};

}  // namespace troupe::cluster
