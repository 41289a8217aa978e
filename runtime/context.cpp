#include <troupe/runtime/context.hpp>

#include <troupe/runtime/task.hpp>

namespace troupe::internal {

namespace {
void let_go(context_value* held) noexcept {
  if (held->count.drop()) delete held;
}
}  // namespace

context_value* context_data::find(const context_data* in, const void* key) noexcept {
  if (in == nullptr) return nullptr;
  for (std::size_t index = 0; index < in->size_; ++index) {
    if (in->entries_[index].key == key) return in->entries_[index].value;
  }
  return nullptr;
}

context_data* context_data::with(const context_data* old, const void* key, context_value* value) {
  const std::size_t had = old != nullptr ? old->size_ : 0;
  entry* entries = nullptr;
  context_data* made = nullptr;
  try {
    entries = new entry[had + 1];
    made = new context_data;
  } catch (...) {
    delete[] entries;
    if (value != nullptr) let_go(value);
    throw;
  }
  made->entries_ = entries;
  for (std::size_t index = 0; index < had; ++index) {
    const entry& kept = old->entries_[index];
    if (kept.key == key) continue;
    kept.value->count.add();
    entries[made->size_++] = kept;
  }
  if (value != nullptr) entries[made->size_++] = {key, value};
  if (made->size_ != 0) return made;
  destroy(made);
  return nullptr;
}

void context_data::destroy(context_data* ended) noexcept {
  for (std::size_t index = 0; index < ended->size_; ++index) let_go(ended->entries_[index].value);
  delete[] ended->entries_;
  delete ended;
}

context_data*& current_context() noexcept {
  task_base* const running = task_base::current();
  return running != nullptr ? running->context_ : this_thread.context;
}

context_data*& context_of(task_base& task) noexcept { return task.context_; }

}  // namespace troupe::internal
