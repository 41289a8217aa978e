#include <troupe/io/internal/address.hpp>
#include <troupe/io/testing/internal/virtual_udp.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::testing::internal {

namespace {

constexpr std::size_t longest_ipv4 = 65507;
constexpr std::size_t longest_ipv6 = 65527;
// What the system counts for each, besides its content.
constexpr std::size_t of_each = 64;

bool is_group(const io::endpoint& at) noexcept {
  const std::uint8_t first = at.raw()[0];
  return at.is_ipv6() ? first == 0xff : first >= 224;
}

}  // namespace

virtual_socket* virtual_udp::accept() {
  errno = EOPNOTSUPP;
  return nullptr;
}

int virtual_udp::connect(const io::endpoint& to) {
  if (to.is_ipv6() != ipv6()) return refuse(EAFNOSUPPORT);
  const std::optional<io::endpoint> from = net_.source(machine(), to);
  if (!from) return refuse(ENETUNREACH);
  if (!bound() && bind_somewhere(*from) != 0) return -1;
  if (is_unspecified(local())) set_local(with_port(*from, local().port()));
  peer_ = to;
  return 0;
}

void virtual_udp::close() {
  forget();
  set_closed();
  release_port();
  coming_.clear();
  squeezed_ = false;
  net_.ended(*this);
}

std::uint32_t virtual_udp::ready() const noexcept {
  return (arrived_.empty() ? 0U : EPOLLIN) | (squeezed_ ? 0U : EPOLLOUT) |
         (error_ != 0 ? EPOLLERR : 0U);
}

// --- sending ----------------------------------------------------------------------------------------------------------

ssize_t virtual_udp::send(std::span<const iovec> parts, const io::endpoint* to) {
  if (error_ != 0) return refuse(take_error());
  if (to == nullptr && !peer_) return refuse(EDESTADDRREQ);
  const io::endpoint there = to != nullptr ? *to : *peer_;
  if (there.is_ipv6() != ipv6()) return refuse(EAFNOSUPPORT);
  std::string content;
  for (const iovec& each : parts) content.append(static_cast<char*>(each.iov_base), each.iov_len);
  const std::size_t size = content.size();
  if (size > (ipv6() ? longest_ipv6 : longest_ipv4)) return refuse(EMSGSIZE);
  if (squeezed_ || net_.shortened(1, true) == 0) {
    if (!std::exchange(squeezed_, true)) stir();
    return refuse(EAGAIN);
  }
  return send_to(there, std::move(content)) == 0 ? static_cast<ssize_t>(size) : -1;
}

int virtual_udp::send_to(const io::endpoint& to, std::string content) {
  const std::optional<io::endpoint> from = net_.source(machine(), to);
  if (!from || is_group(to)) return refuse(ENETUNREACH);
  if (!bound() && bind_somewhere(is_unspecified(local()) ? local() : *from) != 0) return -1;
  const io::endpoint mine = is_unspecified(local()) ? with_port(*from, local().port()) : local();
  const io::endpoint there = is_unspecified(to) ? with_port(*from, to.port()) : to;
  const std::optional<std::size_t> where = net_.machine_of(machine(), there);
  if (!where) return refuse(EHOSTUNREACH);
  network_link& link = net_.link_between(mine, there);
  datagram_under_way sent{mine, there, *where, number(), &link, std::move(content)};

  enum { none, lost, twice, late };
  std::size_t what = net_.fault(late);
  if (what == none && net_.happens(link.how.loss)) what = lost;
  if (what == none && net_.happens(link.how.duplication)) what = twice;
  if (what == none && net_.happens(link.how.reordering)) what = late;
  if (what == lost) {
    ++net_.traffic.lost;
    net_.note(mine, there, "is lost", sent.content);
    return 0;
  }
  duration delay = net_.delay_of(link, true);
  if (what == late) delay += net_.options().late;
  if (what == twice) {
    ++net_.traffic.duplicated;
    net_.later(delay + net_.options().late, sent);
  }
  net_.later(delay, std::move(sent));
  return 0;
}

void virtual_udp::unreachable() {
  if (!peer_) return;  // the system tells only who is connected
  error_ = ECONNREFUSED;
  notify();
}

// --- receiving --------------------------------------------------------------------------------------------------------

void virtual_udp::comes(const io::endpoint& from, std::string content) {
  net_.note(from, local(), {}, content);
  coming_.push_back({from, std::move(content)});
  stir();
}

void virtual_udp::take_in() {
  if (std::exchange(squeezed_, false)) return;
  datagram first = std::move(coming_.front());
  coming_.pop_front();
  if (arrived_size_ + first.content.size() + of_each > net_.options().receive_buffer) {
    ++dropped_;
    ++net_.traffic.lost;
    return;
  }
  ++net_.traffic.datagrams;
  arrived_size_ += first.content.size() + of_each;
  arrived_.push_back(std::move(first));
}

int virtual_udp::receive_many(mmsghdr* headers, unsigned count, int flags) {
  if (error_ != 0) return refuse(take_error());
  if (arrived_.empty()) return refuse(EAGAIN);
  unsigned got = 0;
  for (; got != count && !arrived_.empty(); ++got) {
    const datagram first = std::move(arrived_.front());
    arrived_.pop_front();
    arrived_size_ -= first.content.size() + of_each;
    msghdr& into = headers[got].msg_hdr;
    std::size_t copied = 0;
    for (std::size_t part = 0; part != into.msg_iovlen; ++part) {
      const std::size_t size = std::min(into.msg_iov[part].iov_len, first.content.size() - copied);
      std::memcpy(into.msg_iov[part].iov_base, first.content.data() + copied, size);
      copied += size;
    }
    const bool cut = copied != first.content.size();
    into.msg_flags = cut ? MSG_TRUNC : 0;
    headers[got].msg_len =
        static_cast<unsigned>((flags & MSG_TRUNC) != 0 ? first.content.size() : copied);
    if (into.msg_name == nullptr) continue;
    const io::internal::address from(first.from);
    std::memcpy(into.msg_name, from.get(), std::min(into.msg_namelen, from.size));
    into.msg_namelen = from.size;
  }
  return static_cast<int>(got);
}

ssize_t virtual_udp::receive(void* into, std::size_t size, int flags) {
  iovec part{into, size};
  mmsghdr header{};
  header.msg_hdr.msg_iov = &part;
  header.msg_hdr.msg_iovlen = 1;
  return receive_many(&header, 1, flags) < 0 ? -1 : static_cast<ssize_t>(header.msg_len);
}

}  // namespace troupe::testing::internal
