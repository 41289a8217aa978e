// A message that cannot be copied is published: each subscriber would need its own.
// expect: message_of_a_topic_cannot_be_copied<parcel>
// errors: 1
#include <troupe/actors/topic.hpp>

struct parcel {
  parcel() = default;
  parcel(parcel&&) = default;
};

void wrong(const troupe::topic<parcel>& parcels) { parcels.publish(parcel()); }
