// The key of a router is something that it has no hash of.
// expect: key_of_a_router_is_neither_a_number_nor_a_text<place_on_a_map>
// errors: 1
#include <troupe/actors/router.hpp>

struct place_on_a_map {
  double x, y;
};
struct deposit {
  place_on_a_map where;
};
struct where_of {
  place_on_a_map operator()(const deposit& d) const { return d.where; }
};

auto wrong() { return troupe::router<troupe::protocol<deposit>>::by_key(where_of()); }
