// An actor subscribes to messages that cannot be copied for it, and may come in a tell.
// expect: message_of_a_topic_cannot_be_copied<parcel>
// errors: 1
#include <troupe/actors/topic.hpp>

struct parcel {
  parcel() = default;
  parcel(parcel&&) = default;
};

void wrong(const troupe::topic<parcel>& parcels,
           const troupe::actor_ref<troupe::protocol<parcel>>& office) {
  parcels.subscribe(office);
}
