#pragma once

#include <troupe/io/internal/acceptor.hpp>
#include <troupe/io/internal/stream_core.hpp>
#include <troupe/io/server.hpp>
#include <troupe/runtime/event.hpp>
#include <troupe/runtime/task.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::io::internal {

class servers_of_loop;
template <class Member>
class members_of_loop;

/// What is behind a `server`.
///
/// Life: counted by the handle and by the task of each connection; its loop's end closes it.
/// Invariants: a client is in the list from its acceptance until its handler has ended and its stream has closed.
class server_core final : public std::enable_shared_from_this<server_core>, public acceptor::host {
 public:
  server_core(std::unique_ptr<client_server> handler, std::vector<listening_socket> sockets,
              server_options options);
  ~server_core();

  void start_serving();
  bool is_serving() const noexcept { return !acceptors_.empty(); }
  void close() noexcept;
  void close_clients() noexcept;
  void abort_clients() noexcept;
  /// Those of streams too.
  void cancel_handlers() noexcept;
  void drop_handshakes() noexcept;

  static coro<> serve_forever(std::shared_ptr<server_core> self);
  static coro<> wait_closed(std::shared_ptr<server_core> self);
  static coro<bool> shutdown(std::shared_ptr<server_core> self, duration grace);

  std::size_t connections() const noexcept { return count_; }
  const endpoint& local() const noexcept { return local_; }
  const std::string& name() const noexcept { return name_; }

 private:
  friend class servers_of_loop;
  friend class members_of_loop<server_core>;
  class client;
  /// What the task of a client holds: its end, also when it never began, is the end of the handler.
  class ticket {
   public:
    explicit ticket(client& of) noexcept : of_(&of) {}
    ticket(ticket&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    ~ticket();
    client& of() const noexcept { return *of_; }
    server_core& server() const noexcept;

   private:
    client* of_;
  };

  void on_accepted(socket connected) noexcept override;
  void on_acceptor_ended(acceptor& ended) noexcept override;
  static coro<> serve(ticket of, socket connected);
  void refuse(socket connected) const noexcept;
  void remove(client& ended) noexcept;
  void look_whether_over() noexcept;
  void home_closes() noexcept;

  loop* home_;  ///< null when it has closed
  servers_of_loop* kept_by_;
  std::unique_ptr<client_server> handler_;
  server_options options_;
  std::vector<listening_socket> sockets_;  ///< before it serves
  std::vector<std::unique_ptr<acceptor>> acceptors_;
  endpoint local_;
  std::string name_;
  client* first_ = nullptr;
  std::size_t count_ = 0;
  event closing_;
  event over_;
  bool closed_ = false;
  bool shutting_down_ = false;
  bool full_ = false;  ///< and its acceptors are paused for that
  bool forever_ = false;
  server_core* previous_ = nullptr;  ///< neighbours among the servers of the loop
  server_core* next_ = nullptr;
};

}  // namespace troupe::io::internal
