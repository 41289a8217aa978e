#include <troupe/io/internal/members_of_loop.hpp>
#include <troupe/io/internal/server_core.hpp>
#include <troupe/io/internal/sockets.hpp>
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/timeout.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>

namespace troupe::io {

// --- what users see ---------------------------------------------------------------------------------------------------

server& server::operator=(server&& other) noexcept {
  if (core_ != nullptr && core_ != other.core_) core_->close();
  core_ = std::move(other.core_);
  return *this;
}

server::~server() {
  if (core_ != nullptr) core_->close();
}

internal::server_core& server::core() const noexcept {
  expects(core_ != nullptr, "a server was used that was never started, or has been moved away");
  return *core_;
}

void server::start_serving() { core().start_serving(); }
bool server::is_serving() const noexcept { return core().is_serving(); }
void server::close() noexcept { core().close(); }
void server::close_clients() noexcept { core().close_clients(); }
void server::abort_clients() noexcept { core().abort_clients(); }
coro<> server::serve_forever() { return core().serve_forever(core_); }
coro<> server::wait_closed() { return core().wait_closed(core_); }
coro<bool> server::shutdown(duration grace) { return core().shutdown(core_, grace); }
std::size_t server::connections() const noexcept { return core().connections(); }
const endpoint& server::local() const noexcept { return core().local(); }
const std::string& server::name() const noexcept { return core().name(); }

namespace internal {

server make_server(std::unique_ptr<client_server> handler, std::vector<listening_socket> sockets,
                   server_options options) {
  if (sockets.empty()) throw std::invalid_argument("a server needs a socket to listen on");
  if (options.most_connections == 0)
    throw std::invalid_argument("a server that may have no connection serves nobody");
  if (options.full == when_full::wait && !options.refusal.empty())
    throw std::invalid_argument("a server whose clients wait when it is full refuses nobody");
  check_options(options.stream);
  const bool begins = options.start_serving;
  server made(
      std::make_shared<server_core>(std::move(handler), std::move(sockets), std::move(options)));
  if (begins) made.start_serving();
  return made;
}

// --- the servers of a loop --------------------------------------------------------------------------------------------

/// Closes them when the loop winds up. Their connections are tasks and streams, which are ended as such.
class servers_of_loop final : public members_of_loop<server_core> {
 public:
  void begin_shutdown() override {
    for (server_core* each = first_; each != nullptr; each = each->next_) each->close();
  }
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }
  ~servers_of_loop() override {
    while (first_ != nullptr) first_->home_closes();
  }
};

// --- a client ---------------------------------------------------------------------------------------------------------

class server_core::client final : public end_listener {
 public:
  explicit client(server_core& of) : of_(of.shared_from_this()) {}

  void on_move(stream_core* now) noexcept override {
    stream_ = now;
    followed_ = true;
    shaking_hands_ = false;
  }
  void on_handshake() noexcept override {
    shaking_hands_ = true;
    if (of_->shutting_down_) cancel_handler();
  }
  void on_end(std::error_code lost) noexcept override {
    stream_ = nullptr;
    followed_ = false;
    lost_ = lost;
    look_whether_over();
  }
  void handler_ended() noexcept {
    handled_ = true;
    look_whether_over();
  }

  void close() noexcept { stream_ != nullptr ? stream_->close() : cancel_handler(); }
  void abort() noexcept { stream_ != nullptr ? stream_->abort() : cancel_handler(); }
  /// Whoever has not shaken hands has been promised nothing.
  void drop_in_handshake() noexcept {
    if (shaking_hands_) cancel_handler();
  }
  void cancel_handler() noexcept {
    if (running) running->cancel();
  }
  /// Whether that is how its stream was lost: no failure of its handler, then.
  bool lost_by(const std::exception_ptr& error) const noexcept {
    if (!lost_) return false;
    try {
      std::rethrow_exception(error);
    } catch (const std::system_error& known) {
      return known.code() == lost_;
    } catch (...) {
      return false;
    }
  }

  server_core& of() const noexcept { return *of_; }

  std::optional<task<>> running;
  client* previous = nullptr;
  client* next = nullptr;

 private:
  void look_whether_over() noexcept {
    if (!handled_ || followed_) return;
    const std::shared_ptr<server_core> of = std::move(of_);
    of->remove(*this);
    delete this;
  }

  std::shared_ptr<server_core> of_;
  stream_core* stream_ =
      nullptr;             ///< null before it is made, and while another is made of its pieces
  bool followed_ = false;  ///< its end has still to be told
  bool shaking_hands_ = false;
  std::error_code lost_;
  bool handled_ = false;
};

server_core::ticket::~ticket() {
  if (of_ != nullptr) of_->handler_ended();
}
server_core& server_core::ticket::server() const noexcept { return of_->of(); }

// --- the core ---------------------------------------------------------------------------------------------------------

server_core::server_core(std::unique_ptr<client_server> handler,
                         std::vector<listening_socket> sockets, server_options options)
    : home_(&troupe::internal::running_loop("start_server")),
      kept_by_(&home_->service<servers_of_loop>()),
      handler_(std::move(handler)),
      options_(std::move(options)),
      sockets_(std::move(sockets)),
      local_(sockets_.front().local()),
      name_(sockets_.front().name()) {
  kept_by_->add(*this);
}

server_core::~server_core() {
  if (kept_by_ != nullptr) kept_by_->remove(*this);
}

void server_core::home_closes() noexcept {
  close();
  kept_by_->remove(*this);
  kept_by_ = nullptr;
  home_ = nullptr;
}

void server_core::start_serving() {
  if (closed_) throw invalid_state("a server that was closed does not serve again");
  while (!sockets_.empty()) {
    acceptors_.push_back(std::make_unique<acceptor>(*this, std::move(sockets_.back())));
    sockets_.pop_back();
  }
}

void server_core::on_accepted(socket connected) noexcept {
  if (count_ >= options_.most_connections) return refuse(std::move(connected));
  auto* const made = new client(*this);
  made->next = first_;
  if (first_ != nullptr) first_->previous = made;
  first_ = made;
  ++count_;
  if (count_ == options_.most_connections && options_.full == when_full::wait) {
    full_ = true;
    for (const auto& each : acceptors_) each->pause();
  }
  made->running = create_task(*home_, serve(ticket(*made), std::move(connected)));
}

void server_core::refuse(socket connected) const noexcept {
  if (options_.refusal.empty()) return;
  static_cast<void>(sockets::send(connected.native(), options_.refusal.data(),
                                  options_.refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  static_cast<void>(sockets::shutdown(connected.native(), SHUT_WR));
}

coro<> server_core::serve(ticket of, socket connected) {
  server_core& self = of.server();
  try {
    if (self.handler_->takes_sockets()) {
      coro<> work = self.handler_->serve(std::move(connected));
      co_await std::move(work);
    } else {
      stream made = make_stream(std::move(connected), self.options_.stream);
      stream_access::core(made).follow(end_notice(of.of()));
      coro<> work = self.handler_->serve(std::move(made));
      co_await std::move(work);
    }
  } catch (const cancelled&) {
    throw;
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    if (of.of().lost_by(error)) co_return;
    self.home_->report({"a client handler of the server on " + self.name_ +
                            " failed, and its connection is closed",
                        error});
  }
}

void server_core::remove(client& ended) noexcept {
  (ended.previous != nullptr ? ended.previous->next : first_) = ended.next;
  if (ended.next != nullptr) ended.next->previous = ended.previous;
  --count_;
  if (std::exchange(full_, false))
    for (const auto& each : acceptors_) each->resume();
  look_whether_over();
}

void server_core::look_whether_over() noexcept {
  if (closed_ && count_ == 0) over_.set();
}

void server_core::on_acceptor_ended(acceptor& ended) noexcept {
  std::erase_if(acceptors_, [&](const auto& each) { return each.get() == &ended; });
  if (acceptors_.empty()) close();
}

// --- the end ----------------------------------------------------------------------------------------------------------

void server_core::close() noexcept {
  if (std::exchange(closed_, true)) return;
  acceptors_.clear();
  sockets_.clear();
  closing_.set();
  look_whether_over();
}

// Each of these may take the client out of the list.
void server_core::close_clients() noexcept {
  for (client* each = first_; each != nullptr;) std::exchange(each, each->next)->close();
}
void server_core::abort_clients() noexcept {
  for (client* each = first_; each != nullptr;) std::exchange(each, each->next)->abort();
}
void server_core::drop_handshakes() noexcept {
  for (client* each = first_; each != nullptr;)
    std::exchange(each, each->next)->drop_in_handshake();
}
void server_core::cancel_handlers() noexcept {
  for (client* each = first_; each != nullptr;) std::exchange(each, each->next)->cancel_handler();
}

coro<> server_core::serve_forever(std::shared_ptr<server_core> self) {
  if (self->forever_) throw invalid_state("another task serves this server forever");
  self->start_serving();
  struct only_one {
    bool& flag;
    ~only_one() { flag = false; }
  } const guard{self->forever_};
  self->forever_ = true;
  try {
    co_await self->closing_.wait();
  } catch (const cancelled&) {
    self->close();
    throw;
  }
  throw cancelled();
}

coro<> server_core::wait_closed(std::shared_ptr<server_core> self) { co_await self->over_.wait(); }

coro<bool> server_core::shutdown(std::shared_ptr<server_core> self, duration grace) {
  self->close();
  self->shutting_down_ = true;
  self->drop_handshakes();
  std::exception_ptr stopped;
  try {
    coro<> all = wait_closed(self);
    co_await timeout(grace, std::move(all));
    co_return true;
  } catch (const timeout_error&) {
  } catch (const cancelled&) {
    stopped = std::current_exception();
  }
  self->abort_clients();
  self->cancel_handlers();
  if (stopped != nullptr) std::rethrow_exception(stopped);
  co_await self->over_.wait();
  co_return false;
}

}  // namespace internal
}  // namespace troupe::io
