#include <troupe/actors/owner_ref.hpp>
#include <troupe/io/file_tail.hpp>
#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/internal/file_changes.hpp>
#include <troupe/io/internal/file_core.hpp>
#include <troupe/io/internal/files.hpp>

#include <troupe/runtime/event.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace troupe::io {

namespace {

/// What a look at the file found behind a place in it.
struct found {
  bytes more;
  bool truncated = false;  ///< it ends before that place
  bool replaced = false;   ///< its name leads to another one
};

found look(const internal::file_core& core, std::uint64_t at, std::size_t most,
           const internal::file_job& job) {
  found result;
  result.more = internal::read_up_to(core.native(), core.path(), at, most, job);
  if (!result.more.empty()) return result;
  struct stat mine{};
  struct stat named{};
  if (internal::files::look(core.native(), mine) != 0)
    internal::throw_file_error(errno, "following", core.path());
  result.truncated = static_cast<std::uint64_t>(mine.st_size) < at;
  result.replaced = internal::files::look(core.path(), named) == 0 &&
                    (named.st_ino != mine.st_ino || named.st_dev != mine.st_dev);
  return result;
}

}  // namespace

/// What follows the file, and what it has read and not sent.
class file_tail::follower {
 public:
  follower(file_tail& self, std::string path, actor_ref<tail_events> owner,
           const tail_options& options)
      : self_(self),
        path_(std::move(path)),
        owner_(std::move(owner), self.self()),
        options_(options) {
    if (!owner_)
      throw std::invalid_argument(
          "a file_tail needs an owner: somebody has to be told what is added");
    if (options.longest_line == 0 || options.largest_chunk == 0)
      throw std::invalid_argument("a file_tail has to be allowed a byte at a time at least");
  }

  coro<> run() {
    try {
      co_await follow();
    } catch (const std::system_error& error) {
      end(error.code());
    } catch (const std::exception&) {  // no memory
      self_.crash_with(std::current_exception());
    }
  }

  void add_credit(std::size_t count) {
    credit_ += std::min(count, SIZE_MAX - credit_);
    if (credit_ != 0) has_credit_.set();
  }

  void end(std::error_code reason) {
    if (std::exchange(ended_, true)) return;
    owner_.tell(tail_ended{self_.self(), reason});
    self_.stop();
  }

 private:
  coro<> follow() {
    internal::file_changes changes(path_, options_.check_interval);
    for (bool first = true;; first = false) {
      co_await changes.look_anew();  // before the first look: what happens from now on is told
      std::optional<file> current = co_await open();
      if (!current) {
        co_await changes.next();
        continue;
      }
      co_await changes.look_anew();  // it may have been made in between
      std::uint64_t at = 0;
      if (first && !options_.from_start) at = co_await current->size();
      if (std::exchange(had_one_, true)) owner_.tell(tail_restarted{self_.self(), false});
      co_await follow_one(*current, at, changes);
    }
  }

  /// Nothing when there is no such file.
  coro<std::optional<file>> open() {
    try {
      co_return co_await open_file(path_);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::no_such_file_or_directory &&
          error.code() != std::errc::not_a_directory)
        throw;
    }
    co_return std::nullopt;
  }

  /// Up to its replacement by another one.
  coro<> follow_one(file& current, std::uint64_t at, internal::file_changes& changes) {
    for (bool replaced = false;;) {
      co_await credit();
      if (send_lines()) continue;
      const std::size_t most =
          options_.lines ? options_.largest_chunk : std::min(options_.largest_chunk, credit_);
      internal::file_call call(
          [use = internal::file_use(current.core()), at, most](const internal::file_job& job) {
            return look(*use, at, most, job);
          });
      found now = co_await call;
      at += now.more.size();
      if (!now.more.empty()) {
        take(std::move(now.more));
      } else if (now.truncated) {
        co_await send_rest();
        at = 0;
        owner_.tell(tail_restarted{self_.self(), true});
      } else if (replaced) {
        co_return co_await send_rest();
      } else if (now.replaced) {
        replaced = true;  // what was written to it before that is there now
      } else {
        co_await changes.next();
      }
    }
  }

  coro<> credit() {
    while (credit_ == 0) {
      has_credit_.clear();
      co_await has_credit_.wait();
    }
  }

  void take(bytes more) {
    if (options_.lines) {
      pending_ += more.text();
    } else {
      credit_ -= more.size();
      owner_.tell(tail_data{self_.self(), std::move(more)});
    }
  }

  /// Sends the lines that are there, as far as there is credit. False when there is none.
  bool send_lines() {
    bool sent = false;
    std::size_t begin = 0;
    while (credit_ != 0) {
      const std::string_view left = std::string_view(pending_).substr(begin);
      const std::size_t end = left.find('\n', std::exchange(looked_, 0));
      if (end == std::string_view::npos) {
        looked_ = left.size();
        break;
      }
      sent = true;
      begin += end + 1;
      if (!std::exchange(skipping_, false)) send_line(left.substr(0, end));
    }
    pending_.erase(0, begin);
    if (looked_ <= options_.longest_line) return sent;
    if (!std::exchange(skipping_, true)) send_line(pending_);
    pending_.clear();
    looked_ = 0;
    return true;
  }
  void send_line(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool cut = line.size() > options_.longest_line;
    --credit_;
    owner_.tell(tail_data{self_.self(), bytes(line.substr(0, options_.longest_line)), cut});
  }
  /// The file goes on no more: what is left of a line is one.
  coro<> send_rest() {
    if (!pending_.empty() && !skipping_) {
      co_await credit();
      send_line(pending_);
    }
    pending_.clear();
    looked_ = 0;
    skipping_ = false;
  }

  file_tail& self_;
  std::string path_;
  troupe::internal::owner_ref<tail_events> owner_;
  tail_options options_;
  std::size_t credit_ = 0;
  event has_credit_;
  std::string pending_;     ///< lines, and the beginning of one, that have not been sent
  std::size_t looked_ = 0;  ///< bytes of it that hold no newline
  bool skipping_ = false;   ///< the rest of a line that was too long
  bool had_one_ = false;
  bool ended_ = false;
};

file_tail::file_tail(std::string path, actor_ref<tail_events> owner, tail_options options)
    : follower_(std::make_unique<follower>(*this, std::move(path), std::move(owner), options)) {}
file_tail::~file_tail() = default;

void file_tail::on_start() { create_task(follower_->run()); }
void file_tail::on(tail_demand more) { follower_->add_credit(more.count); }
void file_tail::on_stop() { follower_->end(std::make_error_code(std::errc::operation_canceled)); }

}  // namespace troupe::io
