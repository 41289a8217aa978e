#include <troupe/actors/registry.hpp>

#include <troupe/actors/cell.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/internal/names.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe {

namespace internal {

namespace {

/// The first of `wanted` that is not among `understood`, or null.
const message_info* lacking(message_list understood, message_list wanted) noexcept {
  for (; *wanted != nullptr; ++wanted) {
    message_list each = understood;
    while (*each != nullptr && *each != *wanted) ++each;
    if (*each == nullptr) return *wanted;
  }
  return nullptr;
}

std::exception_ptr mismatch(std::string_view name, const cell& who, const message_info& lacks) {
  return std::make_exception_ptr(
      name_mismatch("\"" + std::string(name) + "\" is " + who.description() +
                    ", registered by a ref that does not understand " + std::string(lacks.name)));
}

/// As far as this loop knows.
bool is_dead(const cell& who) noexcept {
  return &who.home() == loop::current() && who.state() == cell::life::dead;
}

}  // namespace

// --- names that are held ------------------------------------------------------------------------------------------------

registration::registration(names& where, std::string_view given_name, cell& given_who,
                           message_list given_messages)
    : watcher(comes_first),
      name(given_name),
      who(given_who),
      understood(given_messages),
      where_(where) {
  who.retain();
  where_.retain();
}

registration::~registration() {
  who.release();
  where_.release();
}

void registration::told(const exit_reason&) noexcept {
  bool held = false;
  {
    const std::scoped_lock lock(where_.mutex);
    const auto at = where_.held.find(name);
    held = at != where_.held.end() && at->second == this;
    if (held) where_.held.erase(at);
  }
  if (held) let_go();
  let_go();
}

void register_name(std::string_view name, cell* who, message_list understood) {
  names& all = names::current("register_name");
  expects(who != nullptr, "a name was registered for nobody");
  if (name.empty()) throw std::invalid_argument("an actor was registered under an empty name");
  if (is_dead(*who)) {
    throw actor_dead("\"" + std::string(name) + "\" was registered for " + who->description() +
                     ", which is dead");
  }
  auto* const made = new registration(all, name, *who, understood);
  made->keep();  // for the watch
  registration* ended = nullptr;
  cell* holder = nullptr;
  std::vector<name_waiter*> told;
  {
    const std::scoped_lock lock(all.mutex);
    const auto [at, is_new] = all.held.try_emplace(made->name, made);
    if (!is_new) {
      // One that has ended in this very turn may not have been told of yet.
      if (is_dead(at->second->who)) {
        ended = std::exchange(at->second, made);
      } else {
        holder = &at->second->who;
        holder->retain();
        if (holder == who) at->second->understood = understood;
      }
    }
    if (holder == nullptr) {
      const auto awaited = all.awaited.find(name);
      if (awaited != all.awaited.end()) {
        told.swap(awaited->second);
        all.awaited.erase(awaited);
      }
    }
  }
  if (ended != nullptr) ended->let_go();
  if (holder != nullptr) {
    made->let_go();
    made->let_go();
    const any_actor held_by(*holder);
    if (holder == who) return;
    throw name_taken("the name \"" + std::string(name) + "\" is held by " + held_by.description());
  }
  for (name_waiter* const each : told) each->tell(*who, understood);
  watch(*who, *made);
}

cell* find_name(std::string_view name, message_list wanted) {
  names& all = names::current("whereis");
  cell* found = nullptr;
  const message_info* lacks = nullptr;
  {
    const std::scoped_lock lock(all.mutex);
    const auto at = all.held.find(name);
    if (at == all.held.end()) return nullptr;
    found = &at->second->who;
    lacks = lacking(at->second->understood, wanted);
    found->retain();
  }
  if (lacks == nullptr) return found;
  const any_actor holder(*found);
  std::rethrow_exception(mismatch(name, *found, *lacks));
}

// --- names that are awaited ---------------------------------------------------------------------------------------------

name_waiter::~name_waiter() {
  if (where_ != nullptr) where_->release();
}

void name_waiter::tell(cell& who, message_list understood) noexcept {
  if (const message_info* const lacks = lacking(understood, wanted_)) {
    failed(mismatch(name_, who, *lacks));
  } else {
    who.retain();
    found(who);
  }
}

void name_waiter::join() {
  names& all = names::current("when_registered");
  all.retain();
  where_ = &all;
  cell* holder = nullptr;
  message_list understood = nullptr;
  {
    const std::scoped_lock lock(all.mutex);
    const auto at = all.held.find(name_);
    if (at == all.held.end()) {
      all.awaited[name_].push_back(this);
      return;
    }
    holder = &at->second->who;
    understood = at->second->understood;
    holder->retain();
  }
  const any_actor known(*holder);
  tell(*holder, understood);
}

void name_waiter::leave() noexcept {
  {
    const std::scoped_lock lock(where_->mutex);
    const auto at = where_->awaited.find(name_);
    if (at == where_->awaited.end() || std::erase(at->second, this) == 0) return;
    if (at->second.empty()) where_->awaited.erase(at);
  }
  let_go();
}

}  // namespace internal

// --- for users ----------------------------------------------------------------------------------------------------------

bool unregister_name(std::string_view name) {
  internal::names& all = internal::names::current("unregister_name");
  internal::registration* freed = nullptr;
  {
    const std::scoped_lock lock(all.mutex);
    const auto at = all.held.find(name);
    if (at == all.held.end()) return false;
    freed = at->second;
    all.held.erase(at);
  }
  internal::unwatch(freed->who, *freed);
  freed->let_go();
  return true;
}

std::vector<registered_name> registered_names() {
  internal::names& all = internal::names::current("registered_names");
  std::vector<registered_name> listed;
  const std::scoped_lock lock(all.mutex);
  listed.reserve(all.held.size());
  for (const auto& [name, each] : all.held) {
    each->who.retain();
    listed.push_back({name, any_actor(each->who)});
  }
  return listed;
}

}  // namespace troupe
