// The same of a connection that speaks FastCGI: records in place of HTTP.
#define FRONT true
#include "connection.c"
