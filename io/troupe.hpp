#pragma once

// Everything a program of tasks and actors needs. Sockets have headers of their own: <troupe/io/tcp.hpp>.
#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/protocol.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/coro.hpp>
#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/future.hpp>
#include <troupe/runtime/gather.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/signals.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
