#include <troupe/io/connection.hpp>

#include <troupe/io/internal/connection_core.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::io {

/// Tells its owner of bytes, as they come.
class stream_connection::core final : public internal::connection_core {
 public:
  core(stream_connection& self, std::unique_ptr<transport> wire,
       actor_ref<connection_events> owner, const connection_options& options)
      : connection_core(std::move(wire), options), self_(self), owner_(std::move(owner)) {
    if (!owner_)
      throw std::invalid_argument("a connection needs an owner: somebody has to be told what comes");
  }

 private:
  void tell_data(bytes chunk) override { owner_.tell(data{self_.self(), std::move(chunk)}); }
  void tell_end() override { owner_.tell(end_of_data{self_.self()}); }
  void tell_drained(std::size_t size, std::size_t) override {
    owner_.tell(drained{self_.self(), size});
  }
  void tell_closed(std::error_code reason) noexcept override {
    owner_.tell(closed{self_.self(), reason});
    self_.stop();
  }
  void ask_for_turn() override { self_.self().tell(demand{0}); }

  stream_connection& self_;
  actor_ref<connection_events> owner_;
};

stream_connection::stream_connection(std::unique_ptr<transport> wire,
                                     actor_ref<connection_events> owner, connection_options options)
    : core_(std::make_unique<core>(*this, std::move(wire), std::move(owner), options)) {}

stream_connection::~stream_connection() = default;

void stream_connection::on(demand more) { core_->add_credit(more.bytes); }
void stream_connection::on(io::write w, reply_to<void> accepted) {
  core_->write(std::move(w.chunk), std::move(accepted));
}
void stream_connection::on(write_eof) { core_->end_writing(); }
void stream_connection::on(io::close) { core_->close_when_flushed(); }
void stream_connection::on(io::abort) {
  core_->end(std::make_error_code(std::errc::connection_aborted));
}
void stream_connection::on_stop() {
  core_->end(std::make_error_code(std::errc::operation_canceled));
}

}  // namespace troupe::io
