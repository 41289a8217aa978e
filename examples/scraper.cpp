// A site is read page by page: each page leads to others, and all of them are wanted as soon as they are known, but only so many
// fetches go on at a time. A pool sees to that; what exceeds it waits in the pool's mailbox. A page that crashes its worker costs
// that page only.
// Run: scraper        Prints: the pages, which one failed, and how many fetches went on at once; the crash is on standard error
#include <troupe/troupe.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

using links = std::vector<std::string>;

/// The web, so that this runs anywhere.
const std::map<std::string, links> site = {
    {"/", {"/plays", "/actors", "/tickets"}},
    {"/plays", {"/", "/plays/hamlet", "/plays/faust", "/plays/medea", "/plays/godot"}},
    {"/actors", {"/", "/actors/ada", "/actors/bob", "/actors/eve"}},
    {"/tickets", {"/", "/plays", "/sold-out"}},
    {"/plays/hamlet", {"/actors/ada", "/actors/bob"}},
    {"/plays/faust", {"/actors/eve"}},
    {"/plays/medea", {"/actors/ada"}},
    {"/plays/godot", {}},
    {"/actors/ada", {"/plays/hamlet"}},
    {"/actors/bob", {"/plays"}},
    {"/actors/eve", {"/plays/faust"}},
};

struct fetch {
  using reply = links;
  explicit fetch(std::string given) : path(std::move(given)) {}
  std::string path;
};

/// How many fetches go on, and the most so far. All workers are on one loop, so no lock.
struct load {
  int now = 0;
  int most = 0;
} busy;

/// One of the pool's workers: it has one page at a time.
class fetcher : public troupe::actor<troupe::protocol<fetch>> {
 public:
  troupe::coro<links> on(fetch f) {
    busy.most = std::max(busy.most, ++busy.now);
    co_await troupe::sleep(5ms);  // the network
    --busy.now;
    const auto page = site.find(f.path);
    if (page == site.end()) throw std::runtime_error(f.path + " is no page at all");
    co_return page->second;
  }
};

// [crawl]
class crawl {
 public:
  explicit crawl(troupe::actor_ref<troupe::protocol<fetch>> fetchers)
      : fetchers_(std::move(fetchers)) {}

  troupe::coro<> run() {
    co_await group_.run([this] { return visit("/"); });  // ends when every page has been visited
  }
  const std::set<std::string>& pages() const { return seen_; }

 private:
  troupe::coro<> visit(std::string path) {
    if (!seen_.insert(path).second) co_return;
    try {
      const links found = co_await fetchers_.ask(fetch(path));
      for (const std::string& link : found) group_.create_task(visit(link));
    } catch (const std::runtime_error& error) {  // what the worker threw
      std::printf("failed: %s\n", error.what());
    }
  }

  troupe::actor_ref<troupe::protocol<fetch>> fetchers_;
  troupe::task_group group_;
  std::set<std::string> seen_;
};
// [/crawl]

troupe::coro<int> amain() {
  auto fetchers = troupe::spawn<troupe::pool<fetcher>>(troupe::pool_options{.most = 3});
  crawl all(fetchers);
  co_await all.run();
  for (const std::string& path : all.pages()) std::printf("%s\n", path.c_str());
  std::printf("%zu pages tried, %d fetches at a time\n", all.pages().size(), busy.most);
  co_return all.pages().size() == site.size() + 1 && busy.most == 3 ? 0 : 1;
}

int main() { return troupe::run_main(amain()); }
