#include <troupe/io/testing/internal/simulated_programs.hpp>
#include <troupe/io/testing/internal/virtual_pipe.hpp>
#include <troupe/io/testing/internal/virtual_program.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

namespace troupe::testing::internal {

// --- the pipe ---------------------------------------------------------------------------------------------------------

bool virtual_pipe::can_be_read() const noexcept {
  return std::any_of(ends_.begin(), ends_.end(), [](const auto* each) { return !each->writes_; });
}
bool virtual_pipe::can_be_written() const noexcept {
  return std::any_of(ends_.begin(), ends_.end(), [](const auto* each) { return each->writes_; });
}

void virtual_pipe::tell(bool writers) noexcept {
  for (pipe_end* const each : ends_)
    if (each->writes_ == writers && std::exchange(each->waits_, false)) each->ask_for_turn();
}

void virtual_pipe::remove(const pipe_end& closed) noexcept {
  std::erase(ends_, &closed);
  if (closed.writes_ ? can_be_written() : can_be_read()) return;
  if (!closed.writes_) content_.clear();
  tell(!closed.writes_);
}

// --- an end -----------------------------------------------------------------------------------------------------------

pipe_end::pipe_end(std::shared_ptr<virtual_pipe> of, bool writes, int holder, int of_process)
    : pipe_(std::move(of)),
      turn_(std::make_shared<virtual_turn>([this] { take_turn(); })),
      writes_(writes),
      holder_(holder),
      of_process_(of_process) {
  pipe_->ends_.push_back(this);
  if (const auto in = pipe_->in_.lock()) in->opened(*this);
}

pipe_end::~pipe_end() {
  close(true);
  turn_->withdraw();
  if (const auto in = pipe_->in_.lock()) in->closed(*this);
}

void pipe_end::attach(listener& told) {
  told_ = &told;
  home_ = loop::current();
}

io::transfer pipe_end::read(std::span<std::byte> into) noexcept {
  if (writes_) return {0, std::make_error_code(std::errc::bad_file_descriptor)};
  const auto in = pipe_->in_.lock();
  if (!open_ || in == nullptr) return {};
  in->touched();
  std::string& content = pipe_->content_;
  if (held_ || content.empty()) {
    if (!held_ && !pipe_->can_be_written()) return {};
    waits_ = true;
    return io::transfer::none_now();
  }
  const std::size_t wanted = std::min(into.size(), content.size());
  const std::size_t got = home_ != nullptr ? in->shortened(wanted) : wanted;
  std::memcpy(into.data(), content.data(), got);
  content.erase(0, got);
  if (got < wanted) {
    held_ = true;
    ask_for_turn();
  }
  pipe_->tell(true);
  return {got, {}};
}

io::transfer pipe_end::write(std::span<const std::span<const std::byte>> parts) noexcept {
  if (!writes_) return {0, std::make_error_code(std::errc::bad_file_descriptor)};
  const auto in = pipe_->in_.lock();
  if (!open_ || in == nullptr) return {0, std::make_error_code(std::errc::broken_pipe)};
  in->touched();
  if (!pipe_->can_be_read()) {
    if (of_process_ == holder_) in->wrote_in_vain(holder_);
    return {0, std::make_error_code(std::errc::broken_pipe)};
  }
  std::string& content = pipe_->content_;
  const std::size_t before = content.size();
  for (const std::span<const std::byte> part : parts) {
    const std::size_t room = std::min(part.size(), pipe_->capacity_ - content.size());
    content.append(reinterpret_cast<const char*>(part.data()), room);
    if (room != part.size()) {
      waits_ = true;
      break;
    }
  }
  if (content.size() == before) return io::transfer::none_now();
  in->note_written(of_process_, holder_, std::string_view(content).substr(before));
  pipe_->tell(false);
  return {content.size() - before, {}};
}

std::error_code pipe_end::end_writing() noexcept {
  if (writes_ && std::exchange(open_, false)) pipe_->remove(*this);
  return {};
}

void pipe_end::close(bool) noexcept {
  told_ = nullptr;
  turn_->withdraw();
  if (std::exchange(open_, false)) pipe_->remove(*this);
}

void pipe_end::shut() noexcept {
  if (!std::exchange(open_, false)) return;
  pipe_->remove(*this);
  held_ = false;
  if (told_ != nullptr) ask_for_turn();
}

void pipe_end::take_turn() noexcept {
  held_ = false;
  if (const auto in = pipe_->in_.lock()) in->touched();
  if (told_ != nullptr) told_->on_ready();  // last: this may be gone then
}

}  // namespace troupe::testing::internal
