// A periodic timer sends a copy of its message each time.
// expect: periodic_message_cannot_be_copied<parcel>
// errors: 1
#include <troupe/troupe.hpp>

struct parcel {
  parcel() = default;
  parcel(parcel&&) = default;
};

class post_office : public troupe::actor<troupe::protocol<parcel>> {
 public:
  void on(parcel) { start_periodic_timer("t", troupe::duration(1), parcel()); }
};

void wrong() { troupe::spawn<post_office>(); }
