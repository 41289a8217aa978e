// A message that cannot be copied is broadcast: each routee would need its own.
// expect: message_that_is_broadcast_cannot_be_copied<parcel>
// errors: 1
#include <troupe/actors/router.hpp>

struct parcel {
  parcel() = default;
  parcel(parcel&&) = default;
};

void wrong(const troupe::router<troupe::protocol<parcel>>& offices) { offices.broadcast(parcel()); }
