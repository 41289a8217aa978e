#include <troupe/io/internal/file_calls.hpp>
#include <troupe/io/internal/file_core.hpp>
#include <troupe/io/internal/files.hpp>
#include <troupe/io/socket.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/task.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace troupe::io {

using internal::core_hold;
using internal::file_call;
using internal::file_core;
using internal::file_job;
using internal::file_use;
using internal::throw_file_error;
namespace files = internal::files;

// --- opening and closing ----------------------------------------------------------------------------------------------

namespace {

void check(const open_options& wanted) {
  const bool writes = wanted.write || wanted.append;
  if (!wanted.read && !writes)
    throw std::invalid_argument("a file has to be opened to read, to write or to append");
  if (wanted.truncate && !writes)
    throw std::invalid_argument("a file that is not opened to be written cannot be truncated");
  if (wanted.exclusive && !wanted.create)
    throw std::invalid_argument("`exclusive` says that the file is to be made: set `create` too");
}

}  // namespace

coro<file> open_file(std::string path, open_options options) {
  check(options);
  loop& home = troupe::internal::running_loop("a file");
  file_call call([path, options](const file_job&) {
    return internal::slow_descriptor(internal::open_path(path, options));
  });
  internal::slow_descriptor opened = co_await call;
  auto* const made = new file_core(home, opened.get(), std::move(path), options);
  static_cast<void>(opened.release());
  home.service<internal::files_of_loop>().add(*made);
  co_return file(*made);
}

void file::drop() noexcept {
  loop& home = core_->home();
  auto dropped = [held = core_hold::adopted(*core_)] { held->close(true); };
  if (loop::current() == &home) {
    dropped();
  } else {
    static_cast<void>(home.post_call(std::move(dropped)));  // a closed one has let it go already
  }
}

namespace {
coro<> close_file(core_hold core) {
  core->close();
  co_await core->closed.wait();
  if (core->close_error)
    throw std::system_error(core->close_error, "closing '" + core->path() + "'");
}
}  // namespace

coro<> file::close() { return close_file(core_hold(core())); }

// --- at the position --------------------------------------------------------------------------------------------------

namespace {

/// The turn at the position, for a call that begins now.
coro<file_use> take_turn(file_core& core) {
  co_await core.turn.acquire();
  co_return file_use(core, true);
}

coro<bytes> read_here(core_hold core, std::size_t most) {
  core->expect_readable();
  file_use use = co_await take_turn(*core);
  core->expect_readable();
  file_call call([use = std::move(use), at = core->position, most](const file_job& job) {
    return internal::read_up_to(use->native(), use->path(), at, most, job);
  });
  bytes got = co_await call;
  core->position += got.size();
  co_return got;
}

coro<std::size_t> copied(coro<bytes> reading, std::span<std::byte> into) {
  const bytes got = co_await std::move(reading);
  if (!got.empty()) std::memcpy(into.data(), got.data(), got.size());
  co_return got.size();
}

coro<bytes> read_all_here(core_hold core, std::size_t limit) {
  core->expect_readable();
  file_use use = co_await take_turn(*core);
  core->expect_readable();
  const std::size_t most = limit == static_cast<std::size_t>(-1) ? limit : limit + 1;
  file_call call([use = std::move(use), at = core->position, most](const file_job& job) {
    return internal::read_up_to(use->native(), use->path(), at, most, job);
  });
  bytes got = co_await call;
  if (got.size() > limit)
    throw too_long("'" + core->path() + "' holds more than the " + std::to_string(limit) +
                   " bytes that were to be read");
  core->position += got.size();
  co_return got;
}

coro<> write_here(core_hold core, bytes content, bool at_end) {
  core->expect_writable();
  const std::size_t size = content.size();
  file_use use = co_await take_turn(*core);
  core->expect_writable();
  const auto at = at_end ? std::int64_t{-1} : static_cast<std::int64_t>(core->position);
  if (!at_end && at < 0) throw_file_error(EFBIG, "writing", core->path());
  file_call call([use = std::move(use), content = std::move(content), at] {
    internal::write_fully(use->native(), use->path(), content.span(), at);
  });
  co_await call;
  if (!at_end) core->position += size;
}

}  // namespace

coro<bytes> file::read(std::size_t most) { return read_here(core_hold(core()), most); }
coro<std::size_t> file::read(std::span<std::byte> into) { return copied(read(into.size()), into); }
coro<bytes> file::read_all(std::size_t limit) { return read_all_here(core_hold(core()), limit); }
coro<> file::write(bytes content) {
  return write_here(core_hold(core()), std::move(content), core().appends());
}
coro<> file::append(bytes content) {
  return write_here(core_hold(core()), std::move(content), true);
}
std::uint64_t file::tell() const { return core().position; }
void file::seek(std::uint64_t position) { core().position = position; }

// --- anywhere ---------------------------------------------------------------------------------------------------------

namespace {

coro<bytes> read_there(core_hold core, std::uint64_t offset, std::size_t most) {
  core->expect_readable();
  file_call call([use = file_use(*core), offset, most](const file_job& job) {
    return internal::read_up_to(use->native(), use->path(), offset, most, job);
  });
  co_return co_await call;
}

coro<> write_there(core_hold core, std::uint64_t offset, bytes content) {
  core->expect_writable();
  if (core->appends())
    throw invalid_state("writing '" + core->path() +
                        "' at a place, which was opened to append: the system writes at the end");
  if (offset > static_cast<std::uint64_t>(INT64_MAX) - content.size())
    throw_file_error(EFBIG, "writing", core->path());
  file_call call([use = file_use(*core), offset, content = std::move(content)] {
    internal::write_fully(use->native(), use->path(), content.span(),
                          static_cast<std::int64_t>(offset));
  });
  co_await call;
}

coro<std::uint64_t> size_of(core_hold core) {
  core->expect_usable("looking at");
  file_call call([use = file_use(*core)] {
    struct stat about{};
    if (files::look(use->native(), about) != 0) throw_file_error(errno, "looking at", use->path());
    return static_cast<std::uint64_t>(about.st_size);
  });
  co_return co_await call;
}

coro<> cut_off(core_hold core, std::uint64_t size) {
  core->expect_writable();
  if (size > static_cast<std::uint64_t>(INT64_MAX))
    throw_file_error(EFBIG, "truncating", core->path());
  file_call call([use = file_use(*core), size] {
    if (files::resize(use->native(), static_cast<off_t>(size)) != 0)
      throw_file_error(errno, "truncating", use->path());
  });
  co_await call;
}

coro<> sync(core_hold core, bool data_only) {
  core->expect_usable("flushing");
  file_use use = co_await take_turn(*core);  // after what is being written
  core->expect_usable("flushing");
  file_call call([use = std::move(use), data_only] {
    if (files::flush(use->native(), data_only) != 0)
      throw_file_error(errno, "flushing", use->path());
  });
  co_await call;
}

}  // namespace

coro<bytes> file::read_at(std::uint64_t offset, std::size_t most) {
  return read_there(core_hold(core()), offset, most);
}
coro<std::size_t> file::read_at(std::uint64_t offset, std::span<std::byte> into) {
  return copied(read_at(offset, into.size()), into);
}
coro<> file::write_at(std::uint64_t offset, bytes content) {
  return write_there(core_hold(core()), offset, std::move(content));
}
coro<std::uint64_t> file::size() { return size_of(core_hold(core())); }
coro<> file::truncate(std::uint64_t size) { return cut_off(core_hold(core()), size); }
coro<> file::flush(bool data_only) { return sync(core_hold(core()), data_only); }
const std::string& file::path() const { return core().path(); }
int file::native() const noexcept { return core_ != nullptr ? core_->native() : -1; }

// --- whole files ------------------------------------------------------------------------------------------------------

coro<bytes> read_file(std::string path, std::size_t limit) {
  file_call call([path = std::move(path), limit](const file_job& job) {
    const descriptor opened(internal::open_path(path, to_read));
    bytes got;
    if (!internal::read_rest(opened.get(), path, got, limit, job))
      throw too_long("'" + path + "' holds more than the " + std::to_string(limit) +
                     " bytes that were to be read");
    return got;
  });
  co_return co_await call;
}

coro<> write_file(std::string path, bytes content) {
  file_call call([path = std::move(path), content = std::move(content)] {
    descriptor opened(internal::open_path(path, to_write));
    internal::write_fully(opened.get(), path, content.span(), 0);
    if (files::close(opened.release()) != 0) throw_file_error(errno, "closing", path);
  });
  co_await call;
}
coro<> write_file(std::string path, std::string_view text) {
  return write_file(std::move(path), bytes(text));
}

coro<> write_file_atomically(std::string path, bytes content) {
  file_call call([path = std::move(path), content = std::move(content)](const file_job& job) {
    internal::write_atomically(path, content.span(), job);
  });
  co_await call;
}
coro<> write_file_atomically(std::string path, std::string_view text) {
  return write_file_atomically(std::move(path), bytes(text));
}

}  // namespace troupe::io
