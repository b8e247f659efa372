// The same of a connection that may speak HTTP/2: frames in place of heads and bodies.
#define STACK stack::nghttp2
#include "connection.cpp"
