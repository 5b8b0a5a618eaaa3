// libevent's core for Swift: the loop and its events. Sockets and buffers are ours.
#pragma once
// Ahead of any event2 header: Debian's event-config.h defines _GNU_SOURCE, which changes fd_set and
// makes this module clash with Glibc in debug and sanitizer builds.
#include <sys/types.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/socket.h>
#include <event2/event.h>
