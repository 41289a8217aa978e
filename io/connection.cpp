#include <troupe/io/connection.hpp>

#include <troupe/io/internal/connection_link.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::io {

namespace internal {

std::exception_ptr failed_write(std::error_code reason) {
  return std::make_exception_ptr(std::system_error(reason, "writing to a connection"));
}

connection_link::connection_link(stream_connection& self, actor_ref<connection_events> owner)
    : self_(self), owner_(std::move(owner), self.self()) {
  if (!owner_)
    throw std::invalid_argument("a connection needs an owner: somebody has to be told what comes");
}

}  // namespace internal

namespace {

std::unique_ptr<internal::connection_link> link_over(std::unique_ptr<transport> wire, bytes&& ahead,
                                                     stream_connection& self,
                                                     actor_ref<connection_events> owner,
                                                     const connection_options& options) {
  if (wire == nullptr) throw std::invalid_argument("a connection needs a transport");
  auto made = std::make_unique<internal::connection_over<std::unique_ptr<transport>>>(
      self, std::move(owner), options, std::move(wire));
  made->go_on_after(std::move(ahead));
  return made;
}

std::unique_ptr<internal::connection_link> link_after(stream&& over, stream_connection& self,
                                                      actor_ref<connection_events> owner,
                                                      const connection_options& options) {
  stream::pieces taken = over.take_apart();
  return link_over(std::move(taken.wire), std::move(taken.read), self, std::move(owner), options);
}

}  // namespace

stream_connection::stream_connection(std::unique_ptr<transport> wire,
                                     actor_ref<connection_events> owner, connection_options options)
    : link_(link_over(std::move(wire), bytes(), *this, std::move(owner), options)) {}

stream_connection::stream_connection(stream over, actor_ref<connection_events> owner,
                                     connection_options options)
    : link_(link_after(std::move(over), *this, std::move(owner), options)) {}

stream_connection::stream_connection(std::unique_ptr<internal::connection_link> link) noexcept
    : link_(std::move(link)) {}

stream_connection::~stream_connection() = default;

void stream_connection::on(demand more) { link_->add_credit(more.bytes); }
void stream_connection::on(io::write w, reply_to<void> accepted) {
  link_->write(std::move(w.chunk), std::move(accepted));
}
void stream_connection::on(write_eof) { link_->end_writing(); }
void stream_connection::on(io::close) { link_->close_when_flushed(); }
void stream_connection::on(io::abort) {
  link_->end(std::make_error_code(std::errc::connection_aborted));
}
void stream_connection::on_stop() {
  link_->end(std::make_error_code(std::errc::operation_canceled));
}

}  // namespace troupe::io
