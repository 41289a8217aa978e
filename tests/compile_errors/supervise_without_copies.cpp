// A supervised actor is constructed anew at each start, from copies of what `supervise` was given.
// expect: supervised_actor_has_no_constructor_for_copies_of<post_office, parcel>
// errors: 1
#include <troupe/troupe.hpp>

struct parcel {
  parcel() = default;
  parcel(parcel&&) = default;
};
struct stamp {};

class post_office : public troupe::actor<troupe::protocol<stamp>> {
 public:
  explicit post_office(parcel) {}
  void on(stamp) {}
};

class head_office : public troupe::actor<troupe::protocol<stamp>> {
 public:
  head_office() { supervise<post_office>({}, parcel()); }
  void on(stamp) {}
};

void wrong() { troupe::spawn<head_office>(); }
