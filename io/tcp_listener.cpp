#include <troupe/actors/owner_ref.hpp>
#include <troupe/io/internal/acceptor.hpp>
#include <troupe/io/tcp.hpp>

#include <stdexcept>

namespace troupe::io {

class tcp_listener::reception final : private internal::acceptor::host {
 public:
  reception(tcp_listener& self, listening_socket listening, actor_ref<listener_events> owner)
      : self_(self),
        owner_(std::move(owner), self.self()),
        acceptor_(*this, std::move(listening)) {}

 private:
  void on_accepted(socket connected) noexcept override {
    owner_.tell(accepted{std::move(connected)});
  }
  void on_acceptor_ended(internal::acceptor&) noexcept override { self_.stop(); }

  tcp_listener& self_;
  troupe::internal::owner_ref<listener_events> owner_;
  internal::acceptor acceptor_;
};

tcp_listener::tcp_listener(listening_socket listening, actor_ref<listener_events> owner) {
  if (!owner)
    throw std::invalid_argument(
        "a tcp_listener needs an owner: somebody has to take the connections");
  reception_ = std::make_unique<reception>(*this, std::move(listening), std::move(owner));
}

tcp_listener::~tcp_listener() = default;

}  // namespace troupe::io
