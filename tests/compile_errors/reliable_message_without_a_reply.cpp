// What is sent reliably is acknowledged by its handler's end, so it has to be a request.
// expect: reliable_message_has_to_name_its_reply_such_as_void<line>
// errors: 1
#include <troupe/actors/cluster/reliable.hpp>
#include <troupe/troupe.hpp>

struct line {
  int number = 0;
};

void wrong(troupe::cluster::node& here) {
  troupe::cluster::reliable<troupe::protocol<line>> lines(here, "lines");
}
