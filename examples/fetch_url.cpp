// Fetches URLs with HTTP/1.1, over TCP or over TLS, by hand: streams, TLS, and what a peer is allowed to make one hold.
// Run: fetch_url [URL...]      Without a URL it asks two small servers of its own, over HTTP and over HTTPS.
// Prints: for each URL what was agreed upon, the status, the size of the body and its first line.
#include <troupe/io/open_connection.hpp>
#include <troupe/io/server.hpp>
#include <troupe/io/tls/tls.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace io = troupe::io;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t most_body = std::size_t{1} << 24;

struct url {
  bool secure = false;
  std::string host;
  std::uint16_t port = 0;
  std::string path;
};

std::size_t number(std::string_view text, int base, std::size_t most) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value > most)
    throw std::runtime_error("not a number up to " + std::to_string(most) + ": " +
                             std::string(text.substr(0, 40)));
  return value;
}

url parse(std::string_view text) {
  url found;
  found.secure = text.starts_with("https://");
  if (!found.secure && !text.starts_with("http://"))
    throw std::runtime_error("not a URL of http or https: " + std::string(text));
  text.remove_prefix(found.secure ? 8 : 7);
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view place = text.substr(0, slash);
  const std::size_t colon = std::min(place.find(':'), place.size());
  found.host = place.substr(0, colon);
  found.port = found.secure ? 443 : 80;
  if (colon != place.size())
    found.port = static_cast<std::uint16_t>(number(place.substr(colon + 1), 10, 65535));
  found.path = slash == text.size() ? "/" : std::string(text.substr(slash));
  return found;
}

/// The value of a header field, or nothing; `fields` are lines.
std::string field(std::string_view fields, std::string_view name) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  };
  while (!fields.empty()) {
    const std::size_t end = std::min(fields.find("\r\n"), fields.size());
    const std::string_view line = fields.substr(0, end);
    fields.remove_prefix(std::min(end + 2, fields.size()));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::equal(name.begin(), name.end(), line.begin(),
                    [&](char one, char other) { return one == lower(other); }))
      continue;
    std::string_view value = line.substr(name.size() + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    return std::string(value);
  }
  return {};
}

// [chunks]
/// A body in chunks, each with its size before it, and one of no size at the end.
troupe::coro<std::string> read_chunks(io::stream& from) {
  std::string body;
  for (;;) {
    const std::string head = co_await from.read_until("\r\n");
    const std::string_view size_text = std::string_view(head).substr(0, head.find_first_of(";\r"));
    const std::size_t size = number(size_text, 16, most_body - body.size());
    if (size == 0) break;
    const io::bytes chunk = co_await from.read_exactly(size);
    body += chunk.text();
    co_await from.read_exactly(2);  // the end of its line
  }
  while (co_await from.read_line() != "\r\n") {  // fields after the body
    if (from.at_eof()) throw std::runtime_error("the server ended in the midst of an answer");
  }
  co_return body;
}
// [/chunks]

/// The body, as its header says where it ends.
troupe::coro<std::string> read_body(io::stream& from, std::string_view fields) {
  std::string body;
  const std::string length = field(fields, "content-length");
  if (field(fields, "transfer-encoding") == "chunked") {
    body = co_await read_chunks(from);
  } else if (!length.empty()) {
    const io::bytes all = co_await from.read_exactly(number(length, 10, most_body));
    body = all.text();
  } else {
    const io::bytes all = co_await from.read_all(most_body);  // it ends with the connection
    body = all.text();
  }
  co_return body;
}

// [connect]
troupe::coro<io::stream> connect(url to, io::tls_context trusting) {
  io::stream plain = co_await io::open_connection(to.host, to.port);
  if (!to.secure) co_return plain;
  // The certificate is checked for this name; without a word on it nothing is sent.
  auto starting = io::start_tls(std::move(plain), std::move(trusting), to.host);
  co_return co_await starting;
}
// [/connect]

troupe::coro<> fetch(std::string text, io::tls_context trusting) {
  const url from = parse(text);
  auto connecting = connect(from, std::move(trusting));
  io::stream server = co_await connecting;
  server.write("GET ", from.path, " HTTP/1.1\r\nHost: ", from.host,
               "\r\nConnection: close\r\n\r\n");
  const std::string head = co_await server.read_until("\r\n\r\n");
  const std::size_t end_of_status = head.find("\r\n");
  auto reading = read_body(server, std::string_view(head).substr(end_of_status + 2));
  const std::string body = co_await reading;
  const auto info = io::tls_info_of(server);
  std::printf("%s (%s): %s, %zu bytes: %s\n", from.path.c_str(),
              info ? info->version.c_str() : "without TLS", head.substr(0, end_of_status).c_str(),
              body.size(), body.substr(0, body.find('\n')).c_str());
}

/// Answers one request, with a length or in chunks.
troupe::coro<> answer(io::stream client) {
  const std::string request = co_await client.read_until("\r\n\r\n");
  if (request.starts_with("GET /chunks ")) {
    client.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char* const piece : {"6\r\npiece \r\n", "9\r\nby piece\n\r\n", "0\r\n\r\n"})
      client.write(piece);
  } else {
    client.write("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n", "all in one go\n");
  }
  client.close();
  co_await client.wait_closed();
}

troupe::coro<int> fetch_from_ourselves() {
  const io::tls_identity identity = io::self_signed_identity("localhost");
  const io::tls_context shown{io::tls_server(identity)};
  const io::tls_context trusting(io::tls_client().trust(identity.chain()));
  const io::server http = io::start_server(answer, io::endpoint::loopback(0));
  // [serve]
  const io::server https = io::start_server(io::over_tls(shown, answer), io::endpoint::loopback(0));
  // [/serve]
  for (const io::server* each : {&http, &https}) {
    const std::string there = (each == &http ? "http://localhost:" : "https://localhost:") +
                              std::to_string(each->local().port());
    for (const char* const path : {"/length", "/chunks"}) {
      auto fetching = fetch(there + path, trusting);
      co_await troupe::timeout(20s, std::move(fetching));
    }
  }
  co_return 0;
}

troupe::coro<int> fetch_all(std::vector<std::string> urls) {
  const io::tls_context trusting{io::tls_client()};
  int failed = 0;
  for (const std::string& each : urls) {
    try {
      auto fetching = fetch(each, trusting);
      co_await troupe::timeout(20s, std::move(fetching));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", each.c_str(), error.what());
      failed = 1;
    }
  }
  co_return failed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return troupe::run_main(fetch_from_ourselves());
  return troupe::run_main(fetch_all(std::vector<std::string>(argv + 1, argv + argc)));
}
