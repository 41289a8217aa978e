#include <troupe/io/codec.hpp>

namespace troupe::io {

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "frame"; }
  std::string message(int value) const override {
    switch (static_cast<frame_errc>(value)) {
      case frame_errc::too_long:
        return "longer than the limit of its codec";
      case frame_errc::bad_length:
        return "its length cannot be right; does the peer speak another protocol?";
      case frame_errc::bad_content:
        return "its content is none that the codec knows";
      case frame_errc::incomplete:
        return "the data ended inside of it";
    }
    return "not a frame";
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    return static_cast<frame_errc>(value) == frame_errc::too_long ? std::errc::message_size
                                                                  : std::errc::bad_message;
  }
};

}  // namespace

const std::error_category& frame_category() noexcept {
  static const category only;
  return only;
}

std::error_code make_error_code(frame_errc of) noexcept {
  return {static_cast<int>(of), frame_category()};
}

}  // namespace troupe::io
