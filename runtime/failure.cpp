#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/failure.hpp>

#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <typeinfo>

namespace troupe {

namespace {
std::string readable(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type.name();
}
}  // namespace

std::string describe(const std::exception_ptr& error) {
  if (!error) return "no error";
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
    return "cancelled";
  } catch (const std::exception& e) {
    return readable(typeid(e)) + ": " + e.what();
  } catch (...) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    return type != nullptr ? "an object of type " + readable(*type) : "an unknown exception";
  }
}

void print_failure(const failure_report& report) {
  std::string text = "troupe: " + report.message;
  if (report.error) text += "\n  " + describe(report.error);
  if (report.where.line() != 0) {
    text += std::string("\n  created at ") + report.where.file_name() + ":" +
            std::to_string(report.where.line());
  }
  text += '\n';
  std::fputs(text.c_str(), stderr);
}

}  // namespace troupe
