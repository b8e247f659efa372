/* bcc includes this file; all that it needs of it are the types. */
#include <linux/types.h>
